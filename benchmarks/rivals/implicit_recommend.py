"""Lists by implicit's own `recommend`, from Parquet to Parquet.

`python -m benchmarks.rivals.implicit_recommend HISTORY VECTORS OUT K RECALCULATE`: the library
folds the users in again (`yes`), or takes the vectors of users that it has stored (`no`).
"""

import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix

# Users whose lists are asked for at a time; larger numbers were no faster.
USERS_AT_ONCE = 4_096


def run(history: str, vectors: str, out: str, k: str, recalculate: str) -> None:
    """Write the k best unseen items of each user.

    Args:
        history: A Parquet file of the users' rows, with `user_id` and `item_id` as places.
        vectors: An archive of NumPy with the arrays `users` and `items`.
        out: The Parquet file to write.
        k: Length of the lists.
        recalculate: `yes` or `no`.
    """
    stored, rows = np.load(vectors), pq.read_table(history)
    places = rows["user_id"].to_numpy(), rows["item_id"].to_numpy()
    shape = len(stored["users"]), len(stored["items"])
    seen = csr_matrix((np.ones(len(rows), dtype=np.float32), places), shape=shape)
    model = AlternatingLeastSquares(
        factors=stored["items"].shape[1], regularization=float(stored["ridge"]), num_threads=1
    )
    model.user_factors, model.item_factors = stored["users"], stored["items"]
    tables = []
    for start in range(0, shape[0], USERS_AT_ONCE):
        users = np.arange(start, min(start + USERS_AT_ONCE, shape[0]))
        best, scores = model.recommend(
            users, seen[users], N=int(k), recalculate_user=recalculate == "yes"
        )
        rank = np.tile(np.arange(1, best.shape[1] + 1, dtype=np.int32), len(users))
        columns = {"item_id": best.ravel().astype(np.int64), "rank": rank, "score": scores.ravel()}
        tables.append(pa.table({"user_id": np.repeat(users, best.shape[1]), **columns}))
    pq.write_table(pa.concat_tables(tables), out, compression="zstd")


if __name__ == "__main__":
    run(*sys.argv[1:])
