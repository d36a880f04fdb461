import subprocess
import sys
import textwrap

import pytest
from mlflow.tracking import MlflowClient

from recsparse.errors import InputError
from recsparse.tracking.registry import Registry, alias_of
from recsparse.tracking.store import local_uri

JOB = textwrap.dedent("""
    import sys
    from recsparse.tracking.registry import Registry

    uri, version = sys.argv[1:]
    registry = Registry(uri, "shelf", "champion")
    print("ready", flush=True)
    sys.stdin.readline()
    print(registry.move_alias("1", version))
""")


@pytest.fixture
def client(workplace):
    """A registry with five versions, the first of them the champion."""
    client = MlflowClient(local_uri(workplace))
    client.create_registered_model("shelf")
    for _ in range(5):
        client.create_model_version("shelf", (workplace / "nothing").as_uri())
    client.set_registered_model_alias("shelf", "champion", "1")
    return client


def test_an_alias_moves_only_from_where_it_is_expected(client, workplace):
    registry = Registry(local_uri(workplace), "shelf", "champion")
    assert registry.champion() == "1"
    assert registry.move_alias("2", "3") == "1"
    assert registry.move_alias(None, "3") == "1"
    assert registry.move_alias("1", "3") == "3"
    assert registry.champion() == "3"
    assert Registry(local_uri(workplace), "shelf", "best").champion() is None
    assert Registry(local_uri(workplace), "window", "champion").champion() is None


def test_tags_are_set_on_one_version(client, workplace):
    Registry(local_uri(workplace), "shelf", "champion").tag("2", {"promotion": "promoted"})
    assert client.get_model_version("shelf", "2").tags == {"promotion": "promoted"}
    assert client.get_model_version("shelf", "1").tags == {}


@pytest.mark.slow
def test_of_several_at_once_one_moves_the_alias_and_all_others_see_it(client, workplace):
    jobs = [
        subprocess.Popen(
            [sys.executable, "-c", JOB, local_uri(workplace), version],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for version in "2345"
    ]  # fmt: skip
    for job in jobs:
        assert job.stdout.readline() == "ready\n"
    for job in jobs:
        job.stdin.write("go\n")
        job.stdin.flush()
    seen = [job.communicate(timeout=300)[0].strip() for job in jobs]
    assert [job.returncode for job in jobs] == [0] * 4
    (winner,) = {*seen}
    assert str(client.get_registered_model("shelf").aliases["champion"]) == winner
    assert winner in "2345"


@pytest.mark.parametrize(
    "over", ["models:/new@v1", "models:/new@Latest", "models:/new@the best", "models:/a:b@champion"]
)
def test_names_that_mlflow_would_refuse_once_a_version_is_made_are_no_addresses(over):
    with pytest.raises(InputError, match=rf"neither latest nor like a version.* but got {over}"):
        alias_of(over)


@pytest.mark.parametrize("alias", ["champion", "v1a", "latest_one", "ok-1"])
def test_names_that_mlflow_takes_are_taken(alias):
    assert alias_of(f"models:/my model@{alias}") == ("my model", alias)
