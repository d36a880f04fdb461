import duckdb
import pytest

from recsparse.datasets.reading.sql import sql_name, sql_text

HARD = ["plain", "it's", 'the "best"', "a; DROP TABLE b", "\\", "ä b", "''", '""']


@pytest.mark.parametrize("given", HARD)
def test_duckdb_reads_a_text_as_it_was_given(given):
    assert duckdb.sql(f"SELECT {sql_text(given)}").fetchall() == [(given,)]


@pytest.mark.parametrize("given", HARD)
def test_duckdb_reads_a_name_as_it_was_given(given):
    assert duckdb.sql(f"SELECT 1 AS {sql_name(given)}").columns == [given]
