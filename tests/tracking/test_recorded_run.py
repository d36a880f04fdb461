import re

import pandas as pd
import pytest

from recsparse.config.config import TrackingConfig
from recsparse.errors import InputError, MissingFileError
from recsparse.tracking.data_input import DataInput
from recsparse.tracking.open_run import start_run
from recsparse.tracking.recorded_run import recorded_runs
from recsparse.tracking.store import local_uri


@pytest.fixture
def ids(workplace):
    """The ids of three runs by their names."""
    ids = {}
    for name in ("ease-20261201-070000", "ease-20261202-070000", "it's ials"):
        with start_run(TrackingConfig(experiment=name.partition("-")[0]), workplace, name) as run:
            run.log_params({"seed": 1})
            run.log_metrics({"loss": 2.0}, step=0)
            run.log_metrics({"loss": 1.0}, step=1)
            data = pd.DataFrame({"user_id": [1]})
            run.log_inputs([DataInput("test", "d/test", "abc", "/d", data, {"num_rows": 1})])
        ids[name] = run.run_id
    return ids


def found(folder, *named):
    return [each.run_id for each in recorded_runs(local_uri(folder), named)]


def test_a_run_is_found_by_its_id_its_name_and_the_beginning_of_either(workplace, ids):
    first, second, third = ids.values()
    assert found(workplace, first, second) == [first, second]
    assert found(workplace, third[:12], "ease-20261202") == [third, second]
    assert found(workplace, "ease-20261201-070000", "it's ials") == [first, third]


def test_what_a_run_holds_comes_back(workplace, ids):
    (run,) = recorded_runs(local_uri(workplace), ["it's"])
    assert (run.name, run.params, run.metrics) == ("it's ials", {"seed": "1"}, {"loss": 1.0})
    assert run.data == {"testing": ("d/test", "abc")}
    assert run.tags["mlflow.runName"] == "it's ials"


def test_the_beginning_of_several_runs_is_refused_with_their_ids(workplace, ids):
    first, second, _ = ids.values()
    with pytest.raises(InputError, match="'ease-2026120' must name one run of") as error:
        found(workplace, "ease-2026120")
    assert first[:8] in str(error.value)
    assert second[:8] in str(error.value)


@pytest.mark.parametrize("named", ["aese", "ease_20261201", "0" * 32, "", "%"])
def test_a_run_that_is_not_there_is_told(workplace, ids, named):
    with pytest.raises(MissingFileError, match=re.escape(f"{named!r} must be the id or the name")):
        found(workplace, named)


def test_the_nearest_name_is_told(workplace, ids):
    with pytest.raises(MissingFileError, match='the nearest is "it\'s ials"'):
        found(workplace, "its iasl")
