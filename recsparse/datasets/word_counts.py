"""Counting words chunk by chunk: no more than one chunk of texts is in memory."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer

from recsparse.data_config import TextConfig
from recsparse.datasets.tokens import vectoriser

# The documents of a chunk, and their texts (or whatever the counter takes).
Texts = Iterable[tuple[np.ndarray, Sequence[object]]]


def count_words(
    texts: Texts, num_documents: int, counter: Callable[[], CountVectorizer]
) -> tuple[csr_matrix, list[str]]:
    """Count the words of documents, each of which comes at most once.

    Args:
        texts: Chunks of documents, by number, and their texts.
        num_documents: Number of documents.
        counter: Makes a vectoriser without a vocabulary.

    Returns:
        Documents × words, int32, and the words in alphabetical order.
    """
    known: dict[str, int] = {}
    pieces = []
    for documents, some in texts:
        chunk = counter()
        try:
            counts = chunk.fit_transform(some).tocoo()
        except ValueError:  # scikit-learn refuses texts without any word
            continue
        names = chunk.get_feature_names_out()
        number = np.array([known.setdefault(str(name), len(known)) for name in names], np.int32)
        pieces.append((documents[counts.row].astype(np.int32), number[counts.col], counts.data))
    words = sorted(known)
    place = np.empty(len(words), dtype=np.int32)
    place[[known[word] for word in words]] = np.arange(len(words), dtype=np.int32)
    pieces = [(row, place[column], count) for row, column, count in pieces]
    return _stacked(pieces, (num_documents, len(words))), words


def count_hashed_words(texts: Texts, num_documents: int, config: TextConfig) -> csr_matrix:
    """Count words by their hash; no vocabulary is kept, so that words may be without bound.

    Args:
        texts: Chunks of documents, by number, and their texts.
        num_documents: Number of documents.
        config: The analyser and the number of places.

    Returns:
        Documents × places, int32; words that share a place count together.
    """
    plain = vectoriser(config)
    hasher = HashingVectorizer(
        analyzer=plain.build_analyzer(),
        n_features=config.hashed_words,
        alternate_sign=False,
        norm=None,
    )
    pieces = []
    for documents, some in texts:
        counts = hasher.transform(some).tocoo()
        pieces.append((documents[counts.row], counts.col, counts.data))
    return _stacked(pieces, (num_documents, config.hashed_words))


def _stacked(
    pieces: list[tuple[np.ndarray, np.ndarray, np.ndarray]], shape: tuple[int, int]
) -> csr_matrix:
    if not pieces:
        return csr_matrix(shape, dtype=np.int32)
    row, column, count = (np.concatenate(some) for some in zip(*pieces, strict=True))
    matrix = coo_matrix((count.astype(np.int32), (row, column)), shape=shape).tocsr()
    matrix.sort_indices()
    return matrix
