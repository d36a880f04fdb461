"""Items that came after a training are ranked by their features, without another training."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.sources import Sources
from recsparse.datasets.features.fitted_features import FITTED_FILES
from recsparse.errors import InputError, SchemaError
from recsparse.models.content.new_items import base_of
from recsparse.scoring.item_table import FILES
from recsparse.scoring.model_folder import load_model, save_model
from recsparse.scoring.more_new_items import with_table_of_items
from recsparse.stages.prepare import prepare
from recsparse.stages.score import RecommendOptions, recommend, score
from recsparse.stages.similar import similar
from recsparse.stages.start_of_scores import HistoryOptions
from recsparse.stages.train import train

TEXT = pa.string()
SETTINGS = [f"features.{kind}" for kind in ("categories=['genre']", "vectors=['embedding']")]
SETTINGS += ["text.columns=['title']", "features.numbers=['price']"]


@pytest.fixture(scope="module")
def folder(small_log, tmp_path_factory):
    """A dataset whose table has all items of the log, and a model of it."""
    folder, rng = tmp_path_factory.mktemp("came-after"), np.random.default_rng(0)
    ids = pq.read_table(small_log / "log.parquet")["item_id"].unique().sort()
    table = items(ids.to_pylist(), [f"word{place % 5} other" for place in range(len(ids))], rng)
    pq.write_table(table, folder / "items.parquet")
    sources = Sources(small_log / "log.parquet", items=folder / "items.parquet")
    prepare(sources, folder / "data", config=load_config(None, SETTINGS))
    train(folder / "data", folder / "knn", load_config(None, ["model.kind=content_knn"]))
    return folder


def items(ids, titles, rng):
    return pa.table(
        {
            "item_id": ids,
            "title": titles,
            "genre": pa.array(
                [f"genre{each % 3}" if each else None for each in range(len(ids))], TEXT
            ),
            "price": rng.random(len(ids)),
            "embedding": pa.array(rng.normal(size=(len(ids), 4)).tolist(), pa.list_(pa.float32())),
        }
    )


@pytest.fixture
def later():
    return items([9001, 9002], ["word1 other unheard", "word2"], np.random.default_rng(1))


def test_new_items_have_the_features_that_the_table_of_the_dataset_gives_them(
    small_log, folder, later, tmp_path
):
    both = pa.concat_tables([pq.read_table(folder / "items.parquet"), later])
    pq.write_table(both, tmp_path / "items.parquet")
    sources = Sources(small_log / "log.parquet", items=tmp_path / "items.parquet")
    prepare(sources, tmp_path / "data", config=load_config(None, SETTINGS))
    train(tmp_path / "data", tmp_path / "knn", load_config(None, ["model.kind=content_knn"]))
    expected = load_model(tmp_path / "knn")
    found, count = with_table_of_items(load_model(folder / "knn"), later)
    assert (count.ranked, count.known, count.last) == (2, 0, 0)
    for ours, theirs in zip(
        found.model.new_items.groups, expected.model.new_items.groups, strict=True
    ):
        assert ours.name == theirs.name
        rows = [
            each.items.index_of(later["item_id"]) - base_of(each.model).num_items
            for each in (found, expected)
        ]
        values = [dense(group.values[row]) for group, row in zip((ours, theirs), rows, strict=True)]
        np.testing.assert_array_equal(values[0], values[1])
        assert values[0].any()


def test_the_score_of_a_new_item_depends_on_no_other_one(folder, later):
    both, alone = (
        with_table_of_items(load_model(folder / "knn"), table)[0]
        for table in (later, later.slice(1))
    )
    scores = [each.model.score_batch(each.history, each.times)[:, -1] for each in (both, alone)]
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-5, atol=1e-6)


def dense(values):
    return values.toarray() if hasattr(values, "toarray") else values


def test_an_item_with_the_features_of_a_known_one_has_its_score_by_features(folder):
    trained = load_model(folder / "knn")
    table = pq.read_table(folder / "items.parquet").slice(0, 3)
    twins = table.set_column(0, "item_id", pa.array([9001, 9002, 9003]))
    more, _ = with_table_of_items(trained, twins)
    known = trained.items.index_of(table["item_id"])
    base = base_of(more.model)
    history = trained.history[:, : base.num_items]
    by_rows = base.score_batch(history)
    centre, spread = by_rows.mean(dim=1, keepdim=True), by_rows.std(dim=1, correction=0)
    z = (by_rows[:, known] - centre) / spread[:, None]
    placement = more.model.placement
    expected = centre + spread[:, None] * (placement.shift + placement.slope * z)
    found = more.model.score_batch(more.history, more.times)[:, -3:]
    some = (spread > 1e-3).numpy()
    np.testing.assert_allclose(found[some], expected[some], rtol=1e-3, atol=1e-3)


def test_newer_features_take_the_place_of_older_ones_and_known_items_are_left_out(folder, later):
    trained = load_model(folder / "knn")
    first, _ = with_table_of_items(trained, later)
    known = trained.items.ids[:1].to_pylist()
    again = items([9002, *known], ["word1 other", "word3"], np.random.default_rng(2))
    second, count = with_table_of_items(first, again)
    assert (count.ranked, count.known) == (1, 1)
    assert "1 left out, known by rows of the log" in str(count)
    assert second.items.ids.equals(first.items.ids)
    before, after = (each.model.score_batch(each.history)[:, -2:] for each in (first, second))
    np.testing.assert_array_equal(before[:, 0], after[:, 0])
    assert not np.allclose(before[:, 1], after[:, 1])


def test_a_model_with_more_new_items_is_saved_and_read(folder, later, tmp_path):
    more, _ = with_table_of_items(load_model(folder / "knn"), later)
    save_model(more, tmp_path / "copy")
    again = load_model(tmp_path / "copy")
    assert again.items.ids.equals(more.items.ids)
    assert again.model.digest() == more.model.digest()
    assert with_table_of_items(again, later)[1].ranked == 2
    assert tuple(f"item{name}" for name in FITTED_FILES) == FILES


def test_recommend_and_score_take_a_table_of_new_items(folder, later, tmp_path):
    pq.write_table(later, tmp_path / "later.parquet")
    trained = load_model(folder / "knn")
    users = trained.users.ids[:4].to_pylist()
    options = RecommendOptions(k=len(trained.items) + 2, new_items=tmp_path / "later.parquet")
    lists = recommend(folder / "knn", options=options, users=users)
    assert {9001, 9002} <= {*lists["item_id"]}
    pairs = pa.table({"user_id": users, "item_id": [9001, 9002, 9001, 9002]})
    start = HistoryOptions(new_items=later)
    scores = score(folder / "knn", pairs, start=start)
    merged = scores.to_pandas().merge(lists, on=["user_id", "item_id"])
    np.testing.assert_allclose(merged["score_x"], merged["score_y"], rtol=1e-6)
    assert len(merged) == 4


def test_the_command_says_how_many_are_ranked_by_what(folder, later, tmp_path):
    known = load_model(folder / "knn").items.ids[:1].to_pylist()
    table = pa.concat_tables([later, items(known, ["word1"], np.random.default_rng(3))])
    pq.write_table(table, tmp_path / "later.parquet")
    command = [
        sys.executable, "-m", "recsparse", "recommend", folder / "knn", "-k", "500",
        "--out", tmp_path / "lists.parquet", "--new-items", tmp_path / "later.parquet",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "2 ranked by their words, genre, embedding; 1 left out, known by rows" in done.stderr
    assert {9001, 9002} <= {*pq.read_table(tmp_path / "lists.parquet")["item_id"].to_pylist()}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda table: table.drop_columns("embedding"), SchemaError, "embedding"),
        (lambda table: table.set_column(0, "item_id", pa.array([9001, 9001])), InputError, "9001"),
        (
            lambda table: table.set_column(
                4, "embedding", pa.array([[1.0], [2.0]], pa.list_(pa.float32()))
            ),
            InputError,
            "4",
        ),
    ],
)
def test_a_table_that_breaks_a_rule_is_refused(folder, later, change, error, message):
    with pytest.raises(error, match=message):
        with_table_of_items(load_model(folder / "knn"), change(later))


def without_features(ids):
    nothing = pa.array([None] * len(ids), pa.list_(pa.float32()))
    return pa.table(
        {
            "item_id": ids,
            "title": ["unheard"] * len(ids),
            "genre": ["nothing"] * len(ids),
            "price": [1.0] * len(ids),
            "embedding": nothing,
        }
    )


def test_items_without_a_feature_that_the_model_reads_are_last_and_counted(folder, later):
    """They stand with the user's last known item, behind it."""
    trained = load_model(folder / "knn")
    more, count = with_table_of_items(trained, without_features([9003, 9004]))
    assert (count.ranked, count.known, count.last) == (0, 0, 2)
    assert "0 ranked by their words, genre, embedding; 2 ranked last, without such" in str(count)
    assert "are the columns of the table those" in str(count)
    scores = more.model.score_batch(more.history, more.times)
    known = scores[:, : base_of(more.model).num_items]
    assert (scores[:, -2:] == known.amin(dim=1, keepdim=True)).all()
    listed = torch.full((scores.shape[0], 1), scores.shape[1] - 1)
    reasons = more.model.contributions(more.history, more.times, listed)
    assert not reasons.cells.any()
    assert torch.equal(reasons.rest, scores[:, -1:])
    both = pa.concat_tables(
        [later.drop_columns("price"), without_features([9003]).drop_columns("price")]
    )
    both = both.append_column("price", pa.array([1.0] * 3))
    among, count = with_table_of_items(trained, both)
    assert (count.ranked, count.last) == (2, 1)
    assert "are the columns" not in str(count)
    alone, _ = with_table_of_items(trained, later)
    found, expected = (each.model.score_batch(each.history) for each in (among, alone))
    assert torch.equal(found[:, -3:-1], expected[:, -2:])
    with_scores = score(
        folder / "knn",
        pa.table({"user_id": more.users.ids[:1], "item_id": [9003]}),
        start=HistoryOptions(new_items=both),
    )
    assert with_scores["score"].to_pylist() == [
        pytest.approx(found[0, : known.shape[1]].min().item())
    ]


def test_similar_takes_a_table_of_new_items(folder, tmp_path):
    table = pq.read_table(folder / "items.parquet").slice(3, 2)
    twins = table.set_column(0, "item_id", pa.array([9001, 9002]))
    known = [*map(int, table["item_id"].to_pylist())]
    lists = similar(folder / "knn", items=[9002, known[0]], k=500, new_items=twins)
    by_item = lists.groupby("item_id")["similar_item_id"].agg(list)
    assert by_item[9002][0] == known[1]
    assert by_item[known[0]][0] == 9001
    pq.write_table(twins, tmp_path / "twins.parquet")
    command = [
        sys.executable, "-m", "recsparse", "similar", folder / "knn", "-k", "500",
        "--out", tmp_path / "lists.parquet", "--new-items", tmp_path / "twins.parquet",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "2 ranked by their words, genre, embedding" in done.stderr
    written = pq.read_table(tmp_path / "lists.parquet").to_pandas()
    assert {9001, 9002} <= {*written["item_id"]} & {*written["similar_item_id"]}


def test_a_day_without_new_items_leaves_the_lists_as_they_are(folder, later):
    options = RecommendOptions(k=5, new_items=later.slice(0, 0))
    assert recommend(folder / "knn", options=options).equals(recommend(folder / "knn", k=5))


def test_who_has_rows_of_new_items_alone_gets_what_is_popular_but_not_these(folder, later):
    more, _ = with_table_of_items(load_model(folder / "knn"), later)
    rows = pa.table({"user_id": [777_777], "item_id": [9001], "timestamp": [1]})
    lists = more.recommend(history=rows, k=len(more.items))
    shares = more.with_history(rows).popularity()
    popularity = dict(zip(more.items.ids.to_pylist(), shares, strict=True))
    assert lists["score"].tolist() == [popularity[each] for each in lists["item_id"]]
    assert lists["score"].is_monotonic_decreasing
    assert lists["score"].nunique() > 1
    assert 9001 not in {*lists["item_id"]}


def test_a_model_that_ranks_no_new_items_says_so_with_the_cure(folder, later, tmp_path):
    train(folder / "data", tmp_path / "ease", load_config(None, ["model.kind=ease"]))
    with pytest.raises(InputError, match=r"but the model is ease; prepare .* --items"):
        with_table_of_items(load_model(tmp_path / "ease"), later)
    config = load_config(None, ["model.kind=content_knn", "new_items.rank=false"])
    train(folder / "data", tmp_path / "known", config)
    with pytest.raises(InputError, match=r"new_items\.rank"):
        with_table_of_items(load_model(tmp_path / "known"), later)


def test_a_new_item_is_most_like_the_known_items_of_its_features(folder):
    trained = load_model(folder / "knn")
    table = pq.read_table(folder / "items.parquet").slice(3, 2)
    more, _ = with_table_of_items(trained, table.set_column(0, "item_id", pa.array([9001, 9002])))
    known = [*map(int, table["item_id"].to_pylist())]
    lists = more.similar_items([9002, known[0], 9001], k=5)
    assert lists["item_id"].unique().tolist() == [9002, known[0], 9001]
    first = lists[lists["rank"] == 1].set_index("item_id")["similar_item_id"]
    assert first[9001] == known[0]
    assert first[9002] == known[1]
    assert first[known[0]] == 9001
    assert not {9001, 9002} & {*lists[lists["item_id"] > 9000]["similar_item_id"]}
    before = trained.similar_items([known[0]], k=5)
    after = lists[(lists["item_id"] == known[0]) & (lists["similar_item_id"] < 9000)]
    scores = after.set_index("similar_item_id")["score"]
    assert before.set_index("similar_item_id")["score"][: len(after)].equals(scores)
