import sys
from pathlib import Path

import numpy as np
import pytest

from recsparse.datasets.building.free_memory import release_unused


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and needs glibc")
def test_freed_memory_goes_back():
    # Too small to be mapped one by one; the last one keeps the heap from shrinking by itself.
    arrays = [np.ones(8_000) for _ in range(4_000)]
    last = arrays[-1]
    del arrays
    before = resident()
    release_unused()
    assert resident() < before - 100_000_000
    assert last.sum() == 8_000
