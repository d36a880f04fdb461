"""Counting words chunk by chunk: no more than one chunk of texts is in memory."""

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, vstack

from recsparse.config.data import TextConfig
from recsparse.datasets.features.tokens import vectoriser

# The documents of a chunk, and their texts (or whatever the analyser takes).
Texts = Iterable[tuple[np.ndarray, Sequence[Any]]]


def count_words(
    texts: Texts, num_documents: int, analyse: Callable[[Any], Iterable[str]]
) -> tuple[csr_matrix, list[str]]:
    """Count the words of documents.

    A document may come in several texts, best one after the other; its counts are their sums.

    The counts are those of scikit-learn's `CountVectorizer`, which takes three times as long over
    a token, and sorts a vocabulary for every chunk.

    Args:
        texts: Chunks of documents, by number, and their texts.
        num_documents: Number of documents.
        analyse: Gives the words of a text.

    Returns:
        Documents × words, int32, and the words in alphabetical order.
    """
    known: defaultdict[str, int] = defaultdict()
    known.default_factory = known.__len__  # an unknown word gets the next number
    pieces = []
    for documents, some in texts:
        pieces.append(_by_document(documents, _count_chunk(some, analyse, known)))
    words = sorted(known)
    place = np.empty(len(words), dtype=np.int32)
    place[[known[word] for word in words]] = np.arange(len(words), dtype=np.int32)
    for _, counts in pieces:
        counts.indices = place[counts.indices]
    return _stacked(pieces, (num_documents, len(words))), words


def _count_chunk(
    texts: Sequence[Any], analyse: Callable[[Any], Iterable[str]], known: defaultdict[str, int]
) -> csr_matrix:
    numbers, ends = array("i"), [0]
    for text in texts:
        numbers.extend(map(known.__getitem__, analyse(text)))
        ends.append(len(numbers))
    column = np.frombuffer(numbers, dtype=np.int32) if numbers else np.zeros(0, dtype=np.int32)
    once = np.ones(len(column), dtype=np.int32)
    counts = csr_matrix((once, column, ends), shape=(len(texts), len(known)))
    counts.sum_duplicates()
    return counts


def count_hashed_words(texts: Texts, num_documents: int, config: TextConfig) -> csr_matrix:
    """Count words by their hash; no vocabulary is kept, so that words may be without bound.

    Args:
        texts: Chunks of documents, by number, and their texts.
        num_documents: Number of documents.
        config: The analyser and the number of places.

    Returns:
        Documents × places, int32; words that share a place count together.
    """
    from sklearn.feature_extraction.text import HashingVectorizer  # takes half a second

    hasher = HashingVectorizer(
        analyzer=vectoriser(config).build_analyzer(),
        n_features=config.hashed_words,
        alternate_sign=False,
        norm=None,
    )
    pieces = []
    for documents, some in texts:
        if len(some) == 0:  # which scikit-learn's hasher does not take
            continue
        pieces.append(_by_document(documents, hasher.transform(some).astype(np.int32)))
    return _stacked(pieces, (num_documents, config.hashed_words))


def _stacked(pieces: Sequence[tuple[np.ndarray, csr_matrix]], shape: tuple[int, int]) -> csr_matrix:
    """Return the counts of chunks in the order of the documents."""
    if not pieces:
        return csr_matrix(shape, dtype=np.int32)
    wide = [
        csr_matrix((counts.data, counts.indices, counts.indptr), shape=(counts.shape[0], shape[1]))
        for _, counts in pieces
    ]
    row = np.concatenate([documents for documents, _ in pieces])
    matrix = _sums(row, vstack(wide, format="csr"), shape[0])
    matrix.sort_indices()
    return matrix


def _by_document(documents: np.ndarray, counts: csr_matrix) -> tuple[np.ndarray, csr_matrix]:
    distinct, place = np.unique(documents, return_inverse=True)
    if len(distinct) == len(documents):
        return documents, counts
    return distinct, _sums(place, counts, len(distinct))


def _sums(group: np.ndarray, counts: csr_matrix, num_groups: int) -> csr_matrix:
    """Return the sums of rows by their groups."""
    size = len(group)
    ones = np.ones(size, dtype=np.int32)
    return csr_matrix((ones, (group, np.arange(size))), shape=(num_groups, size)) @ counts
