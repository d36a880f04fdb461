import ctypes

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError
from recsparse.sparse import native, native_conv
from recsparse.sparse.kernel_map import KernelMap
from recsparse.sparse.native import Kernels
from recsparse.sparse.tiled import tiled_conv, tiled_conv_weight
from tests.random_grids import random_tensor

VARIANTS = ["avx512bf16", "avx512", "avx2", "base"]
TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-10, torch.bfloat16: 0.1}


@pytest.fixture(params=VARIANTS)
def variant(request, monkeypatch):
    """Each instruction set that this processor has."""
    found = native.kernels()
    if found.library is None:
        pytest.skip(f"no compiled kernels: {found.reason}")
    if request.param not in native.variants(found.library):
        pytest.skip(f"this processor has no {request.param}")
    monkeypatch.setattr(native, "kernels", lambda: Kernels(found.library, request.param, ""))
    return request.param


def problem(channels, groups, dtype, pairs=None):
    """Return features, taps, a bias, an upstream gradient and a kernel map."""
    c_in, c_out = channels
    x = random_tensor((30, 21), 2, c_in, density=0.3, dtype=dtype)
    pairs = x.grid.submanifold_map((3, 3), (1, 2)) if pairs is None else pairs
    generator = torch.Generator().manual_seed(1)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    taps = draw(pairs.num_taps, groups, c_in // groups, c_out // groups)
    return x.feats, taps, draw(c_out), draw(pairs.num_out, c_out), pairs


def map_of_table(table, num_in):
    """Return the map under whose tap t output row o reads input row `table[o, t]`, -1 for none."""
    tap, out = (table.T >= 0).nonzero(as_tuple=True)
    ends = torch.bincount(tap, minlength=table.shape[1]).cumsum(0)
    tap_ptr = torch.cat([ends.new_zeros(1), ends])
    into = table.T[tap, out]
    return KernelMap(into.int(), out.int(), tap_ptr, num_in, len(table), monotone=False)


# Channels below, at and above the vectors of each instruction set, and odd ones.
CHANNELS = [(1, 1, 1), (2, 3, 1), (4, 7, 1), (16, 16, 1), (20, 100, 1), (48, 40, 1), (64, 70, 2)]
GROUPS = [(6, 6, 6), (12, 24, 3), (32, 64, 4)]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("sizes", [*CHANNELS, *GROUPS], ids=str)
def test_every_instruction_set_gives_what_torch_operations_give(variant, sizes, dtype):
    *channels, groups = sizes
    feats, taps, bias, grad, pairs = problem(channels, groups, dtype)
    if not native.can_run(feats, *taps.shape[2:]):
        assert dtype == torch.bfloat16
        assert variant != "avx512bf16"
        return
    exact = [part.double() for part in (feats, taps, bias, grad)]
    out = native_conv.conv(feats, taps, bias, pairs)
    assert out.dtype == dtype
    tolerance = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype] * 3}
    torch.testing.assert_close(out.double(), tiled_conv(*exact[:3], pairs), **tolerance)
    weight = native_conv.conv_weight(feats, grad, pairs, groups)
    expected = tiled_conv_weight(exact[0], exact[3], pairs, groups)
    torch.testing.assert_close(weight.double(), expected, **tolerance)


@given(data=st.data())
def test_an_output_may_occur_often_under_one_tap(data):
    if native.kernels().library is None:
        pytest.skip("no compiled kernels")
    rows, columns = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 3))
    entries = st.lists(st.integers(-1, 4), min_size=rows * columns, max_size=rows * columns)
    table = torch.tensor(data.draw(entries)).reshape(rows, columns)
    # From five inputs to many outputs, and back: each input then gets the sum of many.
    for pairs in (map_of_table(table, 5), map_of_table(table, 5).transpose()):
        generator = torch.Generator().manual_seed(0)
        feats = torch.randn(pairs.num_in, 3, generator=generator, dtype=torch.float64)
        taps = torch.randn(columns, 1, 3, 18, generator=generator, dtype=torch.float64)
        expected = torch.zeros(pairs.num_out, 18, dtype=torch.float64)
        for tap in range(columns):
            for into, out in zip(*(ends.tolist() for ends in pairs.tap(tap)), strict=True):
                expected[out] += feats[into] @ taps[tap, 0]
        torch.testing.assert_close(native_conv.conv(feats, taps, None, pairs), expected)


def test_rows_that_do_not_lie_together_are_read_rightly(variant):
    feats, taps, bias, grad, pairs = problem((8, 16), 1, torch.float64)
    wide = torch.cat([feats, feats], dim=1)[:, ::2]
    backwards = taps.flip(0).flip(0).transpose(2, 3).contiguous().transpose(2, 3)
    expected = tiled_conv(wide, taps, bias, pairs)
    torch.testing.assert_close(native_conv.conv(wide, backwards, bias, pairs), expected)
    skewed = torch.stack([grad, grad], dim=2)[..., 0]
    expected = tiled_conv_weight(wide, grad, pairs, 1)
    torch.testing.assert_close(native_conv.conv_weight(wide, skewed, pairs, 1), expected)


def test_many_tiles_and_strips_give_what_torch_operations_give(variant):
    x = random_tensor((400, 300), 1, 64, density=0.4, dtype=torch.float32)
    pairs = x.grid.submanifold_map((3, 3), (1, 1))
    taps = torch.randn(9, 1, 64, 32, generator=torch.Generator().manual_seed(0))
    out = native_conv.conv(x.feats, taps, None, pairs)
    torch.testing.assert_close(out, tiled_conv(x.feats, taps, None, pairs), rtol=1e-4, atol=1e-3)
    weight = native_conv.conv_weight(x.feats, out, pairs, 1)
    expected = tiled_conv_weight(x.feats.double(), out.double(), pairs, 1)
    torch.testing.assert_close(weight.double(), expected, rtol=1e-4, atol=1e-2)


def test_pairs_of_rising_keys_are_those_that_sets_find():
    if native.kernels().library is None:
        pytest.skip("no compiled kernels")
    generator = torch.Generator().manual_seed(0)
    # More keys than a unit of work, so that pairs of several are put together.
    into = torch.randperm(30_000, generator=generator)[:13_000].sort().values
    out = torch.randperm(30_000, generator=generator)[:9_000].sort().values
    offsets = [-4000, -1, 0, 1, 29_999, 50_000]
    in_index, out_index, tap_ptr = native.merged_pairs(into, out, offsets)
    row = {key: number for number, key in enumerate(into.tolist())}
    expected = [
        [
            (row[key + offset], number)
            for number, key in enumerate(out.tolist())
            if key + offset in row
        ]
        for offset in offsets
    ]
    assert tap_ptr.diff().tolist() == [len(pairs) for pairs in expected]
    found = list(zip(in_index.tolist(), out_index.tolist(), strict=True))
    assert found == [pair for pairs in expected for pair in pairs]


@pytest.mark.parametrize(
    ("wanted", "variant", "reason"),
    [
        ("off", "none", "switched off by RECSPARSE_KERNELS=off"),
        ("OFF", "none", "switched off by RECSPARSE_KERNELS=off"),
        ("base", "base", ""),
        ("Base", "base", ""),
    ],
)
def test_the_variable_picks_an_instruction_set_or_none(wanted, variant, reason, monkeypatch):
    if native.kernels().library is None:
        pytest.skip("no compiled kernels")
    monkeypatch.setenv("RECSPARSE_KERNELS", wanted)
    found = native.kernels.__wrapped__()
    assert (found.variant, found.reason) == (variant, reason)
    assert (found.library is None) == (variant == "none")


@pytest.mark.parametrize("content", [None, b"no library"])
def test_without_a_library_the_reason_is_said_and_torch_operations_run(
    content, tmp_path, monkeypatch
):
    library = tmp_path / "kernels.so"
    if content is not None:
        library.write_bytes(content)
    monkeypatch.setattr(native, "_LIBRARY", library)
    monkeypatch.delenv("RECSPARSE_KERNELS", raising=False)
    found = native.kernels.__wrapped__()
    assert found.library is None
    assert found.reason.startswith("not compiled" if content is None else "cannot be loaded")
    monkeypatch.setattr(native, "kernels", lambda: found)
    assert not native.can_run(torch.ones(1, 2), 2, 2)
    with pytest.raises(RuntimeError, match="there are no compiled kernels: "):
        native.merged_pairs(torch.arange(3), torch.arange(3), [0])


def test_a_library_of_other_sources_is_not_used(monkeypatch):
    if native.kernels().library is None:
        pytest.skip("no compiled kernels")
    monkeypatch.setattr(native, "_VERSION", -1)
    found = native.kernels.__wrapped__()
    assert (found.library, found.variant) == (None, "none")
    assert "install the package again" in found.reason


def test_an_instruction_set_that_is_misspelt_or_lacking_is_refused(monkeypatch):
    if not native._LIBRARY.exists():
        pytest.skip("no compiled kernels")
    monkeypatch.setenv("RECSPARSE_KERNELS", "avx51")
    with pytest.raises(InputError, match="must be one of auto, avx512bf16, "):
        native.kernels.__wrapped__()
    monkeypatch.setenv("RECSPARSE_KERNELS", "avx512bf16")
    monkeypatch.setattr(native, "variants", lambda library: ["avx2", "base"])
    with pytest.raises(InputError, match=r"this processor has \(avx2, base\), auto or off, but is"):
        native.kernels.__wrapped__()


def test_types_devices_and_channels_that_the_kernels_do_not_take_are_left_to_torch(monkeypatch):
    library = ctypes.CDLL(None)
    monkeypatch.setattr(native, "kernels", lambda: Kernels(library, "avx512bf16", ""))
    assert native.can_run(torch.ones(1, 2), 2, 2)
    assert not native.can_run(torch.ones(1, 2, dtype=torch.float16), 2, 2)
    assert not native.can_run(torch.ones(1, 2, device="meta"), 2, 2)
    assert not native.can_run(torch.ones(1, 0), 0, 2)
    bfloat16 = torch.ones(1, 2, dtype=torch.bfloat16)
    assert native.can_run(bfloat16, 2, 1)
    assert native.can_run(bfloat16, 1, 2)
    monkeypatch.setattr(native, "kernels", lambda: Kernels(library, "avx512", ""))
    assert not native.can_run(bfloat16, 2, 1)


def test_keys_of_places_read_fit_or_are_refused():
    assert native.padded_sizes([5, 7], [-1, 0], [5, 8], 2) == [7, 9]
    assert native.padded_sizes([2**31 - 1, 2**31 - 1], [-1, -1], [2**31, 2**31], 1) is None


def test_a_map_of_no_pairs_gives_the_bias_and_no_gradient(variant):
    nothing = torch.zeros(0, dtype=torch.int32)
    pairs = KernelMap(nothing, nothing, torch.zeros(3, dtype=torch.int64), 4, 3)
    feats, taps = torch.ones(4, 2), torch.ones(2, 1, 2, 5)
    bias = torch.arange(5.0)
    assert torch.equal(native_conv.conv(feats, taps, bias, pairs), bias.expand(3, 5))
    assert native_conv.conv_weight(feats, torch.ones(3, 5), pairs, 1).count_nonzero() == 0


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("c_out", [1, 2, 17])
@pytest.mark.parametrize("c_in", [1, 2, 3, 5])
def test_bfloat16_of_any_number_of_channels_reads_those_of_its_own_group(c_in, c_out, groups):
    if native.kernels().variant != "avx512bf16":
        pytest.skip("this processor does not multiply bfloat16")
    low = problem((c_in * groups, c_out * groups), groups, torch.bfloat16)
    feats, taps, bias, grad, pairs = low
    # Every second cell is NaN in the last group, whose numbers follow those of the one before.
    feats = feats.clone()
    if groups > 1:
        feats[::2, -c_in:] = torch.nan
    out = native_conv.conv(feats, taps, bias, pairs).float()
    into = native_conv.conv_weight(feats, grad, pairs, groups).float()
    wide = (part.double() for part in (feats, taps, bias))
    expected = tiled_conv(*wide, pairs).float()
    expected_into = tiled_conv_weight(feats.double(), grad.double(), pairs, groups).float()
    # A product with NaN is NaN, and nothing else is.
    torch.testing.assert_close(out, expected, rtol=8e-3, atol=0.02, equal_nan=True)
    torch.testing.assert_close(into, expected_into, rtol=8e-3, atol=0.2, equal_nan=True)
