"""The guides to new items and to embeddings run from top to bottom: commands and Python."""

import json
import re
import shlex
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

GUIDES = Path(__file__).parents[2] / "docs" / "how-to"
SMALL = "model.parts=[{kind='content_knn'}, {kind='ials', factors=4}, {kind='popularity'}]"


@pytest.fixture
def place(small_log, tmp_path, monkeypatch):
    """A folder with the files that the guides speak of."""
    monkeypatch.chdir(tmp_path)
    Path("logs").mkdir()
    log = pq.read_table(small_log / "log.parquet")
    pq.write_table(log, "logs/log.parquet")
    ids = log["item_id"].unique().sort()
    titles = [f"word{place % 5} other" for place in range(len(ids))]
    pq.write_table(pa.table({"item_id": ids, "title": titles}), "items.parquet")
    new = {"item_id": [9001, 9002], "title": ["word1 other", "word2"]}
    pq.write_table(pa.table(new), "new_items.parquet")
    return tmp_path


def run_guide(name, recsparse):
    """Run the blocks in their order, the default model with few small parts; return all names."""
    names: dict = {}
    text = (GUIDES / name).read_text(encoding="utf-8")
    for language, block in re.findall(r"```(\w*)\n(.*?)```", text, re.DOTALL):
        if language == "python":
            exec(compile(block, name, "exec"), names)
            continue
        for line in block.strip().splitlines():
            words = shlex.split(line)[1:]
            if words[0] == "train" and "--set" not in words:
                words += ["--set", SMALL]
            done = recsparse(*words)
            assert done.status == 0, (line, done.err)
    return names


def test_the_guide_to_new_items_runs_from_top_to_bottom(place, recsparse):
    names = run_guide("new-items.md", recsparse)
    for lists in (names["lists"], pq.read_table("later.parquet").to_pandas()):
        assert 9002 in {*lists["item_id"]}
    assert 9002 not in pq.read_table("lists.parquet")["item_id"].to_pylist()
    assert Path("report-new").is_dir()


def test_the_guide_to_embeddings_runs_from_top_to_bottom(place, recsparse):
    names = run_guide("embeddings.md", recsparse)
    assert {9001, 9002} & {*names["lists"]["item_id"]}
    assert pq.read_table("embedded.parquet")["embedding"].null_count == 0


def test_train_says_what_new_items_are_ranked_by_and_what_they_gain(place, recsparse):
    recsparse("prepare", "logs", "--out", "dataset", "--items", "items.parquet")
    done = recsparse("train", "dataset", "--out", "model", "--set", "model.kind=content_knn")
    assert re.search(r"\d+ ranked by words", done.out)
    assert re.search(r"ndcg@10 of known items [\d.]+ → [\d.]+", done.out)
    assert "behind all known items" not in done.out
    again = recsparse("train", "dataset", "--out", "model", "--set", "model.kind=content_knn")
    assert re.search(r"\d+ ranked by words", again.out)
    shown = recsparse(
        "train", "dataset", "--out", "model", "--set", "model.kind=content_knn", "--json"
    )
    assert json.loads(shown.out)["new items"]["features"] == ["words"]


def test_train_says_where_no_place_of_new_items_is_better_than_none(place, recsparse):
    items = pq.read_table("items.parquet")
    alike = items.set_column(1, "title", pa.array(["the same"] * len(items)))
    pq.write_table(alike, "items.parquet")
    recsparse("prepare", "logs", "--out", "dataset", "--items", "items.parquet")
    parts = "model.parts=[{kind='content_knn'},{kind='popularity'}]"
    first = "evaluation.select_by=ndcg@1"
    done = recsparse("train", "dataset", "--out", "model", "--set", parts, "--set", first)
    assert "behind all known items" in done.out
