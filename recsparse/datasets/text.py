"""BagOfWords: texts as sparse tensors over a vocabulary of words."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from recsparse.atomic import atomic_file
from recsparse.data_config import TextConfig
from recsparse.errors import InputError, MissingFileError, SchemaError
from recsparse.sparse.tensor import SparseTensor, sparse_tensor


@dataclass(frozen=True, eq=False)
class BagOfWords:
    """The words that count, and how much.

    A word is a run of two or more letters, digits or underscores, in lower case.

    Attributes:
        words: The vocabulary in alphabetical order.
        idf: For tf-idf the inverse document frequency of each word, float64; None for counts.

    Example:
        >>> bag = BagOfWords.fit(["red fox", "red red hen"], TextConfig(weighting="counts"))
        >>> bag.words
        ('fox', 'hen', 'red')
        >>> bag.transform(["Red hen, red fox", "blue"]).to_dense().tolist()
        [[[1.0, 1.0, 2.0]], [[0.0, 0.0, 0.0]]]
    """

    words: tuple[str, ...]
    idf: np.ndarray | None

    def __len__(self) -> int:
        return len(self.words)

    @property
    def weighting(self) -> Literal["tfidf", "counts"]:
        """What the features are."""
        return "counts" if self.idf is None else "tfidf"

    @classmethod
    def fit(cls, texts: Sequence[str], config: TextConfig) -> "BagOfWords":
        """Return the vocabulary of some texts, those of training items alone.

        Where there are more than `max_words` words, those with the most occurrences stay.

        Args:
            texts: One text a document.
            config: The weighting and the bounds of the vocabulary; the columns are not read here.

        Returns:
            The vocabulary.

        Raises:
            InputError: If no word occurs in enough documents.
        """
        kind = TfidfVectorizer if config.weighting == "tfidf" else CountVectorizer
        vectoriser = kind(min_df=config.min_documents, max_features=config.max_words)
        try:
            vectoriser.fit(texts)
        except ValueError as error:
            raise InputError(
                f"a word must occur in {config.min_documents} of {len(texts)} texts, but none "
                "does; lower text.min_documents, name other text.columns, or leave the items' "
                "text out"
            ) from error
        return cls(tuple(vectoriser.get_feature_names_out()), getattr(vectoriser, "idf_", None))

    def transform(self, texts: Sequence[str]) -> SparseTensor:
        """Return one sample a text, one axis of words, and one channel.

        The channel is the number of occurrences, or for tf-idf that number times the word's idf,
        divided by the length (L2) of the text's vector, as in scikit-learn.

        Args:
            texts: One text a document; a text without known words is an empty sample.

        Returns:
            A float32 tensor of spatial shape (words,).
        """
        matrix = self._matrix(texts).tocoo()
        coords = torch.from_numpy(np.stack([matrix.row, matrix.col], axis=1).astype(np.int64))
        feats = torch.from_numpy(matrix.data.astype(np.float32)).unsqueeze(1)
        return sparse_tensor(coords, feats, (len(self.words),), len(texts))

    def save(self, path: str | Path) -> None:
        """Write the words to Parquet: `word`, and for tf-idf `idf`.

        Args:
            path: The file; an older one is replaced.

        Raises:
            OutputError: If it cannot be written.
        """
        columns = {"word": pa.array(self.words, pa.string())}
        if self.idf is not None:
            columns["idf"] = pa.array(self.idf, pa.float64())
        with atomic_file(path) as aside:
            pq.write_table(pa.table(columns), aside)

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
        if table.column_names not in (["word"], ["word", "idf"]):
            raise SchemaError(
                f"{path} must have the columns word and idf, but has {table.column_names}"
            )
        idf = table["idf"].to_numpy() if "idf" in table.column_names else None
        return cls(tuple(table["word"].to_pylist()), idf)

    def _matrix(self, texts: Sequence[str]) -> csr_matrix:
        if self.idf is None:
            return CountVectorizer(vocabulary=self.words).transform(texts)
        if not texts:  # scikit-learn refuses to weight nothing
            return csr_matrix((0, len(self.words)))
        vectoriser = TfidfVectorizer(vocabulary=self.words)
        vectoriser.idf_ = self.idf
        return vectoriser.transform(texts)
