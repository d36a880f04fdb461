#!/usr/bin/env bash
# duckdb 2.0.1 in a Jupyter kernel without ipywidgets: SET enable_progress_bar = false is an error.
#
# The bar is off there to begin with, yet turning it off fails with "required package 'ipywidgets'
# is missing, which is needed to render progress bars in Jupyter". The same line works in a script.
# So a library that silences DuckDB works everywhere but in notebooks.
#
# What helps: ask current_setting('enable_progress_bar') first, and leave a bar alone that is off.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet duckdb==2.0.1 ipykernel==7.1.0 nbclient==0.10.2
cd "$folder"
"$folder/venv/bin/python" - 2>/dev/null <<'PY'
import sys

import duckdb
import nbformat
from nbclient import NotebookClient

ASKED, SET = "SELECT current_setting('enable_progress_bar')", "SET enable_progress_bar = false"
CELL = """
import duckdb
try:
    print(duckdb.connect().execute({sql!r}).fetchall())
except duckdb.Error as error:
    print(error)
"""


def in_notebook(sql):
    notebook = nbformat.v4.new_notebook()
    notebook.cells.append(nbformat.v4.new_code_cell(CELL.format(sql=sql)))
    NotebookClient(notebook, kernel_name="python3").execute()
    return notebook.cells[0].outputs[0].text.strip()


is_on, answer = in_notebook(ASKED), in_notebook(SET)
in_script = duckdb.connect().execute(SET).fetchall()
print(f"duckdb {duckdb.__version__} in a notebook: the bar is {is_on}; {SET}: {answer}")
print(f"in a script: {SET}: {in_script}")
sys.exit(not (is_on == "[(False,)]" and "ipywidgets" in answer and in_script == []))
PY
