"""Whatever `recsparse/datasets` has in public, a command reaches: the rest would be dead."""

from pathlib import Path

import pytest

import recsparse
from tests.reachable import Name, package, public_names, reached

STAGES = {
    "train": "train", "evaluate": "evaluate", "score": "score", "recommend": "score",
    "describe": "describe", "prepare": "prepare",
}  # fmt: skip
DATASETS = "recsparse.datasets"
# What stands here for other reasons.
EXEMPT = {
    "recsparse.datasets.orders": "orders are asked for by their own functions, too",
    "recsparse.datasets.public": "of the command fetch",
    "recsparse.datasets.synthetic": "the log of the tutorial",
}


@pytest.fixture(scope="module")
def modules():
    return package(Path(recsparse.__file__).parent)


def stages(names):
    return [Name(f"recsparse.stages.{module}", name) for name, module in names.items()]


def is_exempt(name):
    return any((name.module + ".").startswith(f"{each}.") for each in EXEMPT)


def test_a_command_reaches_every_public_file_class_and_function_of_the_datasets(modules):
    public = public_names(modules, DATASETS)
    lost = public - reached(modules, stages(STAGES), DATASETS)
    assert sorted(str(n) for n in lost if not is_exempt(n)) == []
    # An exemption that nothing needs is one too many.
    assert {each for each in EXEMPT if not any(is_exempt(name) for name in lost)} == set()


def test_the_command_fetch_reaches_what_is_exempt_for_it(modules):
    public = public_names(modules, "recsparse.datasets.public")
    assert public - reached(modules, stages({"fetch": "fetch"}), DATASETS) == set()


SMALL = {
    "__init__": "from small.log import Log as PublicLog",
    "stage": """
from small import PublicLog, side
from small.kinds import SPLITS
def run():
    from small.late import opened as stage
    return PublicLog(SPLITS["one"]).rows, side.read(), stage(), "small.model:Fitted", helper
def helper():
    return _inner()
def _inner():
    return Later.of(1)
class Later:
    @classmethod
    def of(cls, one):
        return cls()
    def forward(self):
        from small.deep import deep
        return deep
""",
    "log": """
class Log:
    def __init__(self, split):
        self.split = made(split)
    @property
    def rows(self):
        return [self._cell]
    @property
    def _cell(self):
        return self.found()
    def found(self):
        return 1
    def forgotten(self):
        return never()
def made(split):
    return split
def never():
    return 0
""",
    "side": """
def read():
    return 1
def write():
    return 1
""",
    "kinds": """
from small.log import Log
try:
    import numpy
except ImportError:
    def fallback():
        return 1
class One:
    pass
class Two:
    pass
SPLITS = {"one": One}
OTHERS = {"two": Two}
""",
    "late": "def opened(): pass",
    "deep": "deep: int = 1",
    "model": """
class Fitted:
    def score(self): pass
""",
    "dead": """
from small.stage import run
def unused(): return run
""",
}


@pytest.fixture
def small(tmp_path):
    (tmp_path / "small").mkdir()
    for name, text in SMALL.items():
        (tmp_path / "small" / f"{name}.py").write_text(text)
    return package(tmp_path / "small")


def test_what_nothing_mentions_is_found(small):
    lost = public_names(small, "small") - reached(small, [Name("small.stage", "run")], "small")
    assert {str(name) for name in lost} == {
        "small.dead:", "small.dead:unused", "small.kinds:Two", "small.kinds:fallback",
        "small.log:Log.forgotten", "small.log:never", "small.model:Fitted.score",
        "small.side:write", "small.stage:Later.forward", "small.deep:",
    }  # fmt: skip


def test_outside_of_the_part_methods_are_reached_with_their_class(small):
    found = reached(small, [Name("small.stage", "run")], "small.log")
    assert Name("small.deep", "deep") in found
    assert Name("small.log", "Log.forgotten") not in found


def test_a_root_that_is_not_there_is_told(small):
    with pytest.raises(AssertionError, match=r"small\.stage:walk must be there"):
        reached(small, [Name("small.stage", "walk")])
