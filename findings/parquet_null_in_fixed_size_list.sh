#!/usr/bin/env bash
# pyarrow 25.0.1, duckdb 2.0.1, polars 2.1.0: a Parquet file with a null among vectors of a fixed
# size can be written by PyArrow, but not read by it. pyarrow 26.0.1 reads it.
#
# Embeddings are lists of a fixed size, and an item without one is null. PyArrow writes such a
# column without a word; reading it fails with "Expected all lists to be of size=2 but index 2 had
# size=0", by read_table and by datasets alike, and also where a schema of lists of any size is
# given. DuckDB, Polars and PyArrow 26 read the very same file.
#
# What helps: PyArrow 26, or `column.cast(pa.list_(pa.float32()))` before writing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pyarrow==25.0.1 duckdb==2.0.1 polars==2.1.0
"$folder/venv/bin/pip" install --quiet --target "$folder/newer" pyarrow==26.0.1
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import sys

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

rows = [[1.0, 2.0], None, [3.0, 4.0]]
free = pa.list_(pa.float32())
pq.write_table(pa.table({"v": pa.array(rows, pa.list_(pa.float32(), 2))}), "fixed.parquet")
pq.write_table(pa.table({"v": pa.array(rows, free)}), "free.parquet")


def read(name, function):
    try:
        found = function()
    except pa.ArrowInvalid as error:
        found = str(error)
    print(f"{name}: {found}")
    return found


wrong = [
    read("read_table", lambda: pq.read_table("fixed.parquet")["v"].to_pylist()),
    read("dataset", lambda: ds.dataset("fixed.parquet").to_table()["v"].to_pylist()),
    read(
        "dataset of free lists",
        lambda: ds.dataset("fixed.parquet", schema=pa.schema({"v": free})).to_table()["v"].to_pylist(),
    ),
]
right = [
    read("free lists", lambda: pq.read_table("free.parquet")["v"].to_pylist()),
    read("DuckDB", lambda: [v and [*v] for (v,) in duckdb.sql("FROM 'fixed.parquet'").fetchall()]),
    read("Polars", lambda: [v and [*v] for v in pl.read_parquet("fixed.parquet")["v"].to_list()]),
]
print("pyarrow", pa.__version__, "duckdb", duckdb.__version__, "polars", pl.__version__)
seen = all("Expected all lists to be of size=2" in str(each) for each in wrong)
seen = seen and all(each == rows for each in right)
print("as described" if seen else "CHANGED")
sys.exit(not seen)
PY
PYTHONPATH="$folder/newer" "$folder/venv/bin/python" - <<'PY'
import sys

import pyarrow as pa
import pyarrow.parquet as pq

found = pq.read_table("fixed.parquet")["v"].to_pylist()
print("pyarrow", pa.__version__, found)
seen = found == [[1.0, 2.0], None, [3.0, 4.0]]
print("as described" if seen else "CHANGED")
sys.exit(not seen)
PY
