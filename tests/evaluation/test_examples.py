import numpy as np
import pyarrow as pa

from recsparse.datasets.evaluated.whole_part import whole_part
from recsparse.evaluation.examples import examples
from recsparse.evaluation.ranking_result import RankingResult
from tests.prepared import prepared

ROWS = [(user, (user + step) % 12) for user in range(8) for step in range(10)]


def titles(ids):
    return [f"item {each}" for each in ids.to_pylist()]


def test_examples_are_the_lists_of_some_users_with_titles_and_hits(tmp_path):
    data = prepared(tmp_path, ROWS, ["split.kind=leave_last_out", "split.last=2"])
    part = whole_part(data, "test")
    lists = np.array([np.random.default_rng(0).permutation(12)] * 8)
    lists[:, -1] = -1
    result = RankingResult({}, {}, 8, recommended=lists, item_ids=part.items.ids)
    found = examples({"a": result}, part, titles)
    before = pa.concat_tables([data.split.train, data.split.validation])
    known, test = (data.with_ids(each).to_pandas() for each in (before, data.split.test))
    assert len(found) == 5
    assert len({each.user for each in found}) == 5
    for each in found:
        user = int(each.user)
        wanted = {f"item {item}" for item in test[test["user_id"] == user]["item_id"]}
        mine = known[known["user_id"] == user].sort_values("timestamp", ascending=False)
        assert each.known == [f"item {item}" for item in mine["item_id"][:5]]
        assert (each.num_known, each.num_wanted) == (len(mine), 2)
        assert {*each.wanted} == wanted
        best = titles(part.items.id_of(lists[0][:10]))
        assert each.lists == {"a": [(title, title in wanted) for title in best]}
    assert found == examples({"a": result}, part, titles)


def test_without_lists_there_are_no_examples(tmp_path):
    part = whole_part(prepared(tmp_path, ROWS), "test")
    assert examples({"a": RankingResult({}, {}, 0)}, part, titles) == []
