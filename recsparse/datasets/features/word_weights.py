"""How much a word counts in a document: counts, binary, tf-idf, BM25."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from recsparse.config.data import TextConfig


@dataclass(frozen=True, eq=False)
class WordWeights:
    """What weighting has to know of the documents that it was fitted on.

    Attributes:
        idf: float64, the inverse document frequency of each word; None where it is not used.
        mean_length: Mean number of words of a document that has any.
    """

    idf: np.ndarray | None
    mean_length: float

    @classmethod
    def fit(cls, counts: csr_matrix, config: TextConfig) -> "WordWeights":
        """Fit the weights on documents.

        - `tfidf`: `idf = ln((1 + n) / (1 + df)) + 1`, as scikit-learn has it.
        - `bm25`: `idf = ln(1 + (n − df + 0.5) / (df + 0.5))` (Robertson and Zaragoza 2009,
          https://doi.org/10.1561/1500000019, section 3.4, kept above 0 by the 1).

        Args:
            counts: Documents × words.
            config: The weighting.

        Returns:
            The weights.
        """
        num_documents = counts.shape[0]
        frequency = np.bincount(counts.indices, minlength=counts.shape[1])
        num_with_words = int(np.count_nonzero(np.diff(counts.indptr)))
        mean_length = float(counts.data.sum(dtype=np.float64)) / max(num_with_words, 1)
        idf = None
        if config.weighting == "tfidf":
            idf = np.log((1 + num_documents) / (1 + frequency)) + 1
        elif config.weighting == "bm25":
            idf = np.log1p((num_documents - frequency + 0.5) / (frequency + 0.5))
        return cls(idf, mean_length)

    def apply(self, counts: csr_matrix, config: TextConfig) -> csr_matrix:
        """Weigh the words of documents.

        - `counts`: as they are; `binary`: 1 for each word.
        - `tfidf`: count times idf, each document divided by its length (L2).
        - `bm25`: `idf · count (k1 + 1) / (count + k1 (1 − b + b · length / mean length))`.

        Args:
            counts: Documents × words.
            config: The weighting.

        Returns:
            The same cells, float32.
        """
        value = counts.data.astype(np.float64)
        if config.weighting == "binary":
            value[:] = 1.0
        elif config.weighting == "bm25":
            length = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
            relative = length / (self.mean_length or 1.0)
            damped = config.bm25_k1 * (1 - config.bm25_b + config.bm25_b * relative)
            value *= (config.bm25_k1 + 1) / (value + np.repeat(damped, np.diff(counts.indptr)))
        if self.idf is not None:
            value *= self.idf[counts.indices]
        weighted = csr_matrix((value, counts.indices, counts.indptr), shape=counts.shape)
        if config.weighting == "tfidf" and len(value):
            from sklearn.preprocessing import normalize  # takes half a second

            weighted = normalize(weighted, copy=False)
        return weighted.astype(np.float32)
