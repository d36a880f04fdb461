import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.stages.item_titles import item_titles
from tests.prepared import prepared

ROWS = [(user, item) for user in range(5) for item in range(6)]


@pytest.mark.parametrize(
    ("columns", "titles"),
    [
        ({"plot": ["pp"] * 6, "Title": [*["aa", "bb"] * 2, "cc", None]}, ["aa", "bb", "5", "9"]),
        (
            {"plot": ["  much\n text ", *["bb", "cc", "dd", "ee", "ff"]], "x": ["xx"] * 6},
            ["much text", "bb", "ff", "9"],
        ),
        ({"title": ["long " * 20, *["bb"] * 5]}, [("long " * 12)[:59] + "…", "bb", "bb", "9"]),
        (None, ["0", "1", "5", "9"]),
    ],
)
def test_items_have_the_titles_of_their_table_or_their_ids(tmp_path, columns, titles):
    sources = {}
    if columns is not None:
        pq.write_table(pa.table({"item_id": range(6), **columns}), tmp_path / "items.parquet")
        sources["items"] = tmp_path / "items.parquet"
    prepared(tmp_path, ROWS, **sources)
    assert item_titles(tmp_path / "dataset")(pa.array([0, 1, 5, 9])) == titles
