import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.datasets.building.prefetch import prefetched


@given(st.lists(st.integers()))
def test_blocks_come_in_their_order(blocks):
    assert list(prefetched(blocks)) == blocks


def test_the_next_block_is_made_while_one_is_used():
    started = [threading.Event() for _ in range(3)]

    def blocks():
        for number in range(2):
            started[number].set()
            yield number

    found = prefetched(blocks())
    assert next(found) == 0
    assert started[1].wait(timeout=10)
    assert not started[2].is_set()


def test_an_error_comes_after_the_blocks_before_it():
    def blocks():
        yield 1
        raise RuntimeError("damaged")

    found = prefetched(blocks())
    assert next(found) == 1
    with pytest.raises(RuntimeError, match="damaged"):
        next(found)


def test_no_thread_stays_when_nobody_reads_on():
    before = threading.active_count()
    found = prefetched(range(5))
    next(found)
    found.close()
    assert threading.active_count() == before
