"""BagOfWords: texts as sparse rows over a vocabulary of words."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.sparse import csr_matrix

from recsparse.config.data import TextConfig
from recsparse.datasets.features.precomputed_bags import bag_matrix
from recsparse.datasets.features.tokens import vectoriser
from recsparse.datasets.features.word_counts import Texts, count_hashed_words, count_words
from recsparse.datasets.features.word_weights import WordWeights
from recsparse.errors import InputError, MissingFileError, SchemaError
from recsparse.files.atomic import atomic_file

_SETTINGS = b"recsparse.text"
# What is read and what a text becomes; the others only decide which words are kept.
_KEPT = (
    "columns", "bag_columns", "analyzer", "ngrams", "weighting", "hashed_words", "strip_html",
    "bm25_k1", "bm25_b",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class BagOfWords:
    """The words that count, and how much.

    Attributes:
        words: The vocabulary in alphabetical order; where words are hashed, the numbers of places.
        weights: What the weighting has to know.
        config: How texts become words and words get weights.

    Example:
        >>> bag = BagOfWords.fit(["red fox", "red red hen"], TextConfig(weighting="counts"))
        >>> bag.words
        ('fox', 'hen', 'red')
        >>> bag.transform(["Red hen, red fox", "blue"]).toarray().tolist()
        [[1.0, 1.0, 2.0], [0.0, 0.0, 0.0]]
    """

    words: Sequence[str]
    weights: WordWeights
    config: TextConfig

    def __len__(self) -> int:
        return len(self.words)

    @property
    def weighting(self) -> str:
        """What the features are."""
        return self.config.weighting

    @property
    def idf(self) -> np.ndarray | None:
        """The inverse document frequency of each word, where it is used."""
        return self.weights.idf

    @classmethod
    def fit(cls, texts: Sequence[str], config: TextConfig) -> "BagOfWords":
        """Return the vocabulary of some texts, those of training items alone.

        Args:
            texts: One text a document.
            config: The analyser, the weighting and the bounds of the vocabulary.

        Returns:
            The vocabulary.

        Raises:
            InputError: If no word occurs in enough documents.
        """
        documents = np.arange(len(texts))
        return cls.fit_chunks([(documents, texts)], len(texts), len(texts), config)[0]

    @classmethod
    def fit_chunks(
        cls, texts: Texts, num_train: int, num_documents: int, config: TextConfig
    ) -> tuple["BagOfWords", csr_matrix]:
        """Return the vocabulary of the first documents, and the bags of all.

        Where there are more than `max_words` words, those with the most occurrences stay, of
        equally many the first by the alphabet.

        Args:
            texts: Chunks of documents, by number, and their texts; a document may have several.
            num_train: The documents below this number are those to fit on.
            num_documents: Number of all documents.
            config: The analyser, the weighting and the bounds of the vocabulary.

        Returns:
            The vocabulary, and documents × words.

        Raises:
            InputError: If no word occurs in enough documents.
        """
        if config.hashed_words:
            counts = count_hashed_words(texts, num_documents, config)
            return cls.of_counts(counts, range(config.hashed_words), num_train, config)
        counts, words = count_words(texts, num_documents, vectoriser(config).build_analyzer())
        kept = _kept_words(_first(counts, num_train), config)
        if len(kept) == 0:
            raise InputError(
                f"a word must occur in {config.min_documents} of {num_train} texts, but none "
                "does; lower text.min_documents, name other text.columns, or leave the text out"
            )
        counts = counts[:, kept]
        return cls.of_counts(counts, [words[place] for place in kept], num_train, config)

    @classmethod
    def of_counts(
        cls, counts: csr_matrix, words: Sequence[object], num_train: int, config: TextConfig
    ) -> tuple["BagOfWords", csr_matrix]:
        """Fit the weights on the first documents, and weigh the words of all.

        Args:
            counts: Documents × words.
            words: A name for each word.
            num_train: The documents below this number are those to fit on.
            config: The weighting.

        Returns:
            The vocabulary, and documents × words.
        """
        weights = WordWeights.fit(_first(counts, num_train), config)
        bag = cls(tuple(map(str, words)), weights, config)
        return bag, weights.apply(counts, config)

    def transform(self, texts: Sequence[str]) -> csr_matrix:
        """Return the weight of each word in each text; `bags_to_tensor` makes a tensor of them.

        Args:
            texts: One text a document; a text without known words is an empty row.

        Returns:
            Texts × words, float32.

        Raises:
            InputError: If the bags were precomputed, so that there is no rule to make one.
        """
        if self.config.bag_columns is not None:
            raise InputError(
                "texts need a vocabulary of words, but these bags were precomputed, by number; "
                "give bags of the same numbers"
            )
        return self.weights.apply(self._counts(texts), self.config)

    def transform_bags(
        self, cells: tuple[np.ndarray, np.ndarray, np.ndarray], num_documents: int
    ) -> csr_matrix:
        """Return the weight of each word in precomputed bags.

        Args:
            cells: The document, the word and the count of each entry; unknown words are left out.
            num_documents: Number of documents.

        Returns:
            Documents × words, float32.
        """
        counts = bag_matrix(cells, (num_documents, len(self)))
        return self.weights.apply(counts, self.config)

    def _counts(self, texts: Sequence[str]) -> csr_matrix:
        if self.config.hashed_words:
            return count_hashed_words([(np.arange(len(texts)), texts)], len(texts), self.config)
        counter = vectoriser(self.config)
        counter.set_params(vocabulary=list(self.words))
        counts = counter.transform(texts) if len(texts) else csr_matrix((0, len(self)))
        return counts.astype(np.int32)

    def save(self, path: str | Path) -> None:
        """Write the words to Parquet: `word`, and where it is used `idf`.

        Args:
            path: The file; an older one is replaced.

        Raises:
            OutputError: If it cannot be written.
        """
        columns = {"word": pa.array(self.words, pa.string())}
        if self.idf is not None:
            columns["idf"] = pa.array(self.idf, pa.float64())
        settings = self.config.model_dump(mode="json", include={*_KEPT})
        known = {"config": settings, "mean_length": self.weights.mean_length}
        table = pa.table(columns).replace_schema_metadata({_SETTINGS: json.dumps(known)})
        with atomic_file(path) as aside:
            pq.write_table(table, aside, compression="zstd")

    @classmethod
    def load(cls, path: str | Path) -> "BagOfWords":
        """Read what `save` wrote.

        Args:
            path: The file.

        Returns:
            The vocabulary.

        Raises:
            MissingFileError: If there is no such file.
            SchemaError: If it is damaged or holds something else.
        """
        if not Path(path).exists():
            raise MissingFileError(f"{path} must hold the words of a dataset, but is not there")
        try:
            table = pq.read_table(path, partitioning=None)
        except (OSError, pa.ArrowInvalid) as error:
            raise SchemaError(f"{path} must be a whole Parquet file, but {error}") from error
        metadata = table.schema.metadata or {}
        if table.column_names not in (["word"], ["word", "idf"]) or _SETTINGS not in metadata:
            raise SchemaError(
                f"{path} must have the columns word and idf and their settings, but has "
                f"{table.column_names}; prepare the dataset anew"
            )
        known = json.loads(metadata[_SETTINGS])
        idf = table["idf"].to_numpy() if "idf" in table.column_names else None
        weights = WordWeights(idf, known["mean_length"])
        return cls(tuple(table["word"].to_pylist()), weights, TextConfig(**known["config"]))


def _kept_words(counts: csr_matrix, config: TextConfig) -> np.ndarray:
    """Return the places of the words that stay, rising."""
    frequency = np.bincount(counts.indices, minlength=counts.shape[1])
    kept = np.flatnonzero(frequency >= config.min_documents)
    if len(kept) > config.max_words:
        total = np.bincount(counts.indices, weights=counts.data, minlength=counts.shape[1])
        most = np.argsort(-total[kept], kind="stable")[: config.max_words]
        kept = np.sort(kept[most])
    return kept


def _first(counts: csr_matrix, number: int) -> csr_matrix:
    """Return the first rows, whose cells are not copied."""
    end = counts.indptr[number]
    cells = counts.data[:end], counts.indices[:end], counts.indptr[: number + 1]
    return csr_matrix(cells, shape=(number, counts.shape[1]))
