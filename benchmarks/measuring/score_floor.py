"""The least that scoring pairs costs: their Parquet read and written, and the bare products.

`python -m benchmarks.measuring.score_floor PAIRS VECTORS OUT`: ids are the places of the vectors,
so that nothing is looked up, checked or resumed.
"""

import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

# As fast as any number that was tried: the vectors of so many pairs stay in the nearest cache.
PAIRS_AT_ONCE = 512


def run(pairs: str, vectors: str, out: str) -> None:
    """Write pairs with the products of their vectors.

    Args:
        pairs: A Parquet file with `user_id` and `item_id`.
        vectors: An archive of NumPy with the arrays `users` and `items`.
        out: The Parquet file to write.
    """
    stored = np.load(vectors)
    users, items = stored["users"], stored["items"]
    file, writer = pq.ParquetFile(pairs), None
    for batch in file.iter_batches(500_000):
        first, second = (batch[name].to_numpy() for name in ("user_id", "item_id"))
        scores = np.empty(len(first), dtype=np.float32)
        for start in range(0, len(first), PAIRS_AT_ONCE):
            some = slice(start, start + PAIRS_AT_ONCE)
            np.einsum("nd,nd->n", users[first[some]], items[second[some]], out=scores[some])
        table = pa.Table.from_batches([batch]).append_column("score", pa.array(scores))
        writer = writer or pq.ParquetWriter(out, table.schema, compression="zstd")
        writer.write_table(table)
    if writer is not None:
        writer.close()


if __name__ == "__main__":
    run(*sys.argv[1:])
