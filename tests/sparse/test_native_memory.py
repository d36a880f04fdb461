import gc

import pytest
import torch

from recsparse.sparse import native

LARGE_ROWS = 1 << 17  # with 16 float32 channels 8 MB


@pytest.fixture(autouse=True)
def nothing_kept():
    if native.kernels().library is None:
        pytest.skip(f"no compiled kernels: {native.kernels().reason}")
    gc.collect()
    native.release_memory()


def large(dtype=torch.float32, rows=LARGE_ROWS):
    return native.empty(torch.ones(1, 1, dtype=dtype), rows, 16)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_large_memory_is_an_ordinary_tensor(dtype):
    x = large(dtype)
    assert (x.shape, x.dtype, x.is_contiguous()) == ((LARGE_ROWS, 16), dtype, True)
    x.fill_(2.0)
    assert x.sum(dtype=torch.float64).item() == 2 * x.numel()
    copied = x.clone().requires_grad_()
    copied.sum().backward()
    assert copied.grad.shape == x.shape


def test_what_a_tensor_frees_is_given_to_the_next_of_its_size():
    x = large()
    address = x.data_ptr()
    del x
    assert large().data_ptr() == address


def test_memory_in_use_is_never_given_twice():
    tensors = [large() for _ in range(4)]
    assert len({x.data_ptr() for x in tensors}) == 4
    for number, x in enumerate(tensors):
        x.fill_(number)
    view = tensors[3][5:]  # keeps the memory of its base
    del x, tensors[3]
    large().fill_(9.0)
    assert [float(x[0, 0]) for x in tensors] == [0.0, 1.0, 2.0]
    assert bool((view == 3).all())


def test_no_more_is_kept_than_was_in_use_at_once():
    first = large()
    del first
    second = large(rows=2 * LARGE_ROWS)
    assert native.release_memory() == 0  # the first gave way to the second
    del second
    assert native.release_memory() == 2 * LARGE_ROWS * 16 * 4
    assert native.release_memory() == 0


def test_little_memory_is_torchs_own():
    small = large(rows=10)
    del small
    assert native.release_memory() == 0


def test_too_much_memory_is_an_error():
    with pytest.raises(MemoryError, match="no memory for 1152921504606846976 rows of 1 channels"):
        native.empty(torch.ones(1, 1, dtype=torch.bfloat16), 2**60, 1)


def test_without_kernels_nothing_is_kept(monkeypatch):
    monkeypatch.setattr(native, "kernels", lambda: native.Kernels(None, "none", "for a test"))
    assert native.release_memory() == 0
    assert large().shape == (LARGE_ROWS, 16)
