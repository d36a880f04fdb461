import ir_measures
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import AP, RR, P, R, Success, nDCG
from sklearn.metrics import roc_auc_score

from recsparse.config.ranker import RankerConfig
from recsparse.errors import ConfigError, InputError, SchemaError
from recsparse.evaluation.candidates import Candidates
from recsparse.evaluation.ranked_frame import ranked_frame

METRICS = {
    "ndcg": nDCG, "recall": R, "precision": P, "map": AP, "mrr": RR, "hit_rate": Success,
}  # fmt: skip


def candidates(frame):
    return Candidates.of_frame(frame, frame["score"], frame["target"], RankerConfig())


@st.composite
def frames(draw):
    """Some users and items, each pair at most once, scores without ties or with many."""
    pairs = draw(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 8)), min_size=1, unique=True))
    size = len(pairs)
    scores = draw(st.permutations(range(size)))
    targets = draw(st.lists(st.sampled_from([0, 0, 1]), min_size=size, max_size=size))
    frame = pd.DataFrame(pairs, columns=["user_id", "item_id"])
    return frame.assign(score=np.array(scores, dtype=float), target=targets)


def by_ir_measures(frame, k):
    """The figures of each user with targets, by a library that shares no code with ours."""
    qrels = [
        ir_measures.Qrel(str(row.user_id), str(row.item_id), int(row.target))
        for row in frame.itertuples()
    ]
    run = [
        ir_measures.ScoredDoc(str(row.user_id), str(row.item_id), row.score)
        for row in frame.itertuples()
    ]
    named = {metric @ k: f"{name}@{k}" for name, metric in METRICS.items()}
    found = {}
    for each in ir_measures.iter_calc([*named], qrels, run):
        found.setdefault(named[each.measure], {})[each.query_id] = each.value
    return found


@given(frames(), st.integers(1, 10))
def test_the_figures_are_those_of_ir_measures(frame, k):
    result = candidates(frame).result([f"all@{k}"])
    wanted = frame.groupby("user_id")["target"].sum() > 0
    users = result.user_ids.to_pylist()
    assert users == sorted(set(frame["user_id"]))
    expected = by_ir_measures(frame, k) if wanted.any() else {}
    for name, values in result.per_user.items():
        for user, value in zip(users, values, strict=True):
            if wanted[user]:
                assert value == pytest.approx(expected[name][str(user)], abs=1e-9), name
            else:
                assert np.isnan(value)
    assert result.num_users == wanted.sum()


@given(frames())
def test_auc_is_that_of_scikit_learn(frame):
    frame["score"] = frame["score"] // 3  # with ties
    result = candidates(frame).result(["auc", "ndcg@1"])
    for user, value in zip(result.user_ids.to_pylist(), result.per_user["auc"], strict=True):
        rows = frame[frame["user_id"] == user]
        if rows["target"].nunique() < 2:
            assert np.isnan(value)
        else:
            assert value == pytest.approx(roc_auc_score(rows["target"], rows["score"]))


def test_a_target_without_a_score_is_a_miss_and_loses_its_pairs():
    frame = pd.DataFrame(
        {"user_id": 1, "item_id": [1, 2, 3], "score": [2.0, np.nan, 1.0], "target": [1, 1, 0]}
    )
    found = candidates(frame)
    assert found.lists(3).tolist() == [[0, 2, -1]]
    result = found.result(["recall@3", "auc"])
    assert result.per_user["recall@3"].tolist() == [1 / 2]
    # Of two pairs, 1 over 3 is right; 2 over 3 is lost.
    assert result.per_user["auc"].tolist() == [1 / 2]


def test_equal_scores_rank_by_id_and_figures_are_by_hand():
    frame = pd.DataFrame(
        {
            "user_id": ["u"] * 3 + ["v"] * 2,
            "item_id": ["c", "a", "b", "a", "z"],
            "score": [1.0, 1.0, 2.0, 0.0, 0.5],
            "target": [1, 0, 0, 0, 1],
        }
    )
    result = candidates(frame).result(["mrr@3", "coverage@1"])
    # u: b, a, c; v: z, a.
    assert result.per_user["mrr@3"].tolist() == [1 / 3, 1 / 1]
    assert result.coverage == {"coverage@1": 2 / 4}


def test_grades_count_for_metrics_of_grades_alone():
    frame = pd.DataFrame(
        {"user_id": 1, "item_id": [1, 2], "score": [2.0, 1.0], "target": [1.0, 3.0]}
    )
    result = candidates(frame).result(["ndcg@2", "ndcg_linear@2"])
    discount = 1 / np.log2(3)
    assert result.per_user["ndcg@2"].tolist() == [1]
    expected = (1 + 3 * discount) / (3 + 1 * discount)
    assert result.per_user["ndcg_linear@2"].tolist() == pytest.approx([expected])


def frame_of(**columns):
    return pd.DataFrame(
        {"user_id": [1, 1, 2], "item_id": [1, 2, 1], "score": [1.0, 2, 3], "target": [0, 1, 1]}
        | columns
    )


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ({"user_id": [1, None, 2]}, InputError, "user_id must not be missing, but that of row 1"),
        ({"item_id": [1, 1, 1]}, InputError, "but user_id 1 has item_id 1 again in row 1; leave"),
        ({"target": [0, -1, 1]}, InputError, "of at least 0, but that of row 1 is -1"),
        ({"target": [0, np.nan, 1]}, InputError, "of at least 0, but that of row 1 is nan"),
        ({"score": ["a", "b", "c"]}, SchemaError, "scores must be numbers, but could not"),
        ({"target": [0, 0, 0]}, InputError, "of 2 users none has a target above 0"),
        ({"user_id": [1, "a", "a"]}, InputError, "user_id must hold ids of one type"),
        ({"item_id": [1, 2, "a"]}, InputError, "item_id must hold ids of one type"),
    ],
)
def test_rows_that_cannot_be_judged_are_named(columns, error, message):
    with pytest.raises(error, match=message):
        ranked_frame(frame_of(**columns), {})


def test_a_column_that_is_not_there_names_the_nearest():
    with pytest.raises(SchemaError, match="'user'; the nearest known is 'user_id'; name it in"):
        ranked_frame(frame_of(), {"user": "user"})
    with pytest.raises(SchemaError, match="the column 'scores'; the nearest known is 'score'"):
        ranked_frame(frame_of(), {"score": "scores"})


@pytest.mark.parametrize("config", [{"metric": ["ndcg@1"]}, {"metrics": ["ndgc@1"]}])
def test_a_configuration_with_a_slip_is_refused(config):
    with pytest.raises(ConfigError, match="evaluator_config is wrong at 'metric"):
        ranked_frame(frame_of(), config)


def test_figures_of_all_lists_alone_are_no_judgement_of_users():
    with pytest.raises(
        ConfigError, match=r"must have one of each user, such as ndcg@10, but has c"
    ):
        ranked_frame(frame_of(), {"metrics": ["coverage@10"]})


def test_what_needs_more_than_lists_says_what_it_needs():
    with pytest.raises(InputError, match="novelty"):
        ranked_frame(frame_of(), {"metrics": ["novelty@10"]})


def test_slices_are_by_columns_of_users_or_of_items():
    frame = frame_of(age=[30, 30, 50], genre=["x", "y", "x"])
    ranked = ranked_frame(frame, {"metrics": ["recall@1"], "slices": ["age", "genre"]})
    table = ranked.slices.set_index("slice")
    # 1: item 2 is first, and wanted; 2: item 1, likewise.
    assert table["users"].to_dict() == {"age=30": 1, "age=50": 1, "genre=x": 1, "genre=y": 1}
    assert table["mean"].tolist() == [1, 1, 1, 1]
    figures = ranked.figures()
    assert figures["age_30_recall_at_1"] == figures["genre_x_recall_at_1"] == 1
    assert figures["users"] == 2
    assert [*ranked.pictures()] == ["metrics", "slices_of_metric"]
    with pytest.raises(InputError, match="must have one value for all rows of a user, or of an"):
        ranked_frame(frame_of(genre=["x", "y", "z"]), {"slices": ["genre"]})
    with pytest.raises(SchemaError, match="'gender' is none; the nearest known is 'genre'"):
        ranked_frame(frame, {"slices": ["gender"]})


def test_many_numbers_are_cut_into_quarters():
    users = np.arange(40)
    frame = pd.DataFrame(
        {"user_id": users, "item_id": 1, "score": 1.0, "target": 1, "age": users * 1.5}
    )
    table = ranked_frame(frame, {"metrics": ["recall@1"], "slices": ["age"]}).slices
    assert table["users"].tolist() == [10, 10, 10, 10]
    # By the ages that are in them, in their order.
    names = ["age=0 to 13.5", "age=15 to 28.5", "age=30 to 43.5", "age=45 to 58.5"]
    assert table["slice"].tolist() == names
