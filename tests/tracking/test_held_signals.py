import signal
import threading

import pytest

from recsparse.tracking.held_signals import held_signals


@pytest.fixture(autouse=True)
def heard():
    """A shell that starts the tests in the background has SIGINT ignored in them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_signal_waits_until_the_work_is_done():
    done = []
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 — the work is what is tried
        with held_signals():
            signal.raise_signal(signal.SIGINT)
            done.append("all")
        done.append("more")
    assert done == ["all"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_signal_does_not_wait():
    done = []
    with pytest.raises(KeyboardInterrupt), held_signals():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        done.append("all")
    assert done == []


def test_what_is_ignored_stays_so_and_handlers_are_put_back():
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with held_signals():
            signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_other_threads_do_their_work_as_it_is():
    done = []

    def work():
        with held_signals():
            done.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [1]
