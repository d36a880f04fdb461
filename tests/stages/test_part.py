import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.config_file import load_config
from recsparse.errors import InputError
from recsparse.stages.part import part_to_rank
from recsparse.stages.prepare import prepare


@pytest.fixture
def data(tmp_path):
    """Users 1 and 2 are in training, 1 is in validation, and only the new user 3 in the test."""
    table = pa.table(
        {
            "user_id": [1, 1, 2, 2, 1, 1, 3, 3],
            "item_id": [1, 2, 1, 3, 3, 4, 1, 2],
            "timestamp": [1, 2, 3, 4, 5, 6, 7, 8],
        }
    )
    pq.write_table(table, tmp_path / "log.parquet")
    shares = ["split.kind=global_time", "split.validation=0.25", "split.test=0.25"]
    config = load_config(overrides=shares)
    return prepare(tmp_path / "log.parquet", tmp_path / "dataset", config=config)


def test_a_part_with_known_users_and_items_is_given(data):
    part = part_to_rank(data, "validation")
    assert part.user_ids.to_pylist() == [1]
    assert part.targets.toarray().tolist() == [[0, 0, 1]]


def test_a_part_of_new_users_alone_is_refused(data):
    message = "the test part must have users and items that training knows, but of its 2 rows none"
    with pytest.raises(InputError, match=message):
        part_to_rank(data, "test")
