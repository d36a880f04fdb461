from contextlib import contextmanager
from pathlib import Path

import pytest

from recsparse.stages import fetch as module
from recsparse.stages.fetch import fetch


class Listener:
    shows_progress = False

    def __init__(self):
        self.tasks, self.done = [], []

    @contextmanager
    def task(self, description, total=None):
        self.tasks.append((description, total))
        yield self.done.append


@pytest.mark.parametrize(
    ("total", "percents"),
    [(200, [100 * 0 // 200, 100 * 50 // 200, 100]), (0, [0, 0, 0])],
)
def test_the_progress_is_told_in_percent(monkeypatch, total, percents):
    def public(name, out, on_bytes):
        for done in (0, 50, 200):
            on_bytes(done, total)
        return Path("cache") / name

    monkeypatch.setattr(module, "fetch_public", public)
    listener = Listener()
    assert fetch("movielens-100k", reporter=listener) == Path("cache/movielens-100k")
    assert listener.tasks == [("fetching movielens-100k", 100)]
    assert listener.done == percents
