import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.engines import fleet
from benchmarks.engines.cases import (
    CASES,
    SMALL,
    USER_ITEM_100K,
    Case,
    Cells,
    grown_user_item,
    sparse_keys,
    surface_keys,
    user_item_keys,
)
from benchmarks.engines.engines import ENGINES
from benchmarks.engines.fleet import Contender, Measured, measure
from benchmarks.engines.limits import Limit
from benchmarks.engines.problem import draw_problem, milliseconds, peak_growth
from benchmarks.engines.reference import Results, expected_results, find_pairs
from benchmarks.engines.report import Row, correctness_table, step_table, summary
from benchmarks.engines.sweep import growth_table, plot_growth
from benchmarks.layers import types_table
from benchmarks.measuring.tables import markdown

TINY = (
    Cells("tiny log", (13, 17), 90, user_item_keys),
    Cells("tiny catalogue", (40, 50), 60, sparse_keys),
    Cells("tiny scan", (16, 16, 16), 150, surface_keys),
)


@pytest.mark.parametrize("cells", [*TINY, *SMALL, USER_ITEM_100K, grown_user_item(1_000)])
def test_a_case_has_its_number_of_cells_each_once_sorted_and_inside_the_grid(cells):
    coords = cells.coords()
    assert coords.shape == (cells.number, 1 + len(cells.shape))
    assert (coords[:, 0] == 0).all()
    keys = np.ravel_multi_index(tuple(coords[:, 1:].T), cells.shape)  # refuses cells outside
    assert (np.diff(keys) > 0).all()


@pytest.mark.parametrize("cells", TINY)
def test_a_case_is_the_same_each_time_it_is_drawn(cells):
    again = replace(cells, name="again")
    np.testing.assert_array_equal(cells.coords(), again.coords())


def test_the_cases_are_those_of_the_reference_figures():
    sizes = {(case.cells.name, case.cells.shape, case.cells.number) for case in CASES}
    assert sizes == {
        ("user-item 100k", (943, 1_682), 100_000),
        ("user-item 1M", (6_040, 3_706), 1_000_000),
        ("sparse 1M", (100_000, 50_000), 1_000_000),
        ("voxels 150k", (256, 256, 256), 150_000),
    }


def top_shares(numbers):
    counts = np.sort(np.unique(numbers, return_counts=True)[1])[::-1]
    return [counts[: round(len(counts) * part)].sum() / counts.sum() for part in (0.01, 0.1, 0.5)]


def test_user_item_cells_are_as_skewed_as_movielens():
    _, users, items = USER_ITEM_100K.coords().T
    np.testing.assert_allclose(top_shares(users), [0.051, 0.319, 0.830], atol=0.02)
    np.testing.assert_allclose(top_shares(items), [0.076, 0.427, 0.927], atol=0.02)


def problem_of(cells, channels=3):
    pairs = find_pairs(cells.coords(), cells.shape)
    return pairs, draw_problem(cells.coords(), cells.shape, channels, pairs.number, "float32")


def expected(pairs, problem):
    numbers = [x.numpy() for x in (problem.feats, problem.weight, problem.grad_out)]
    return expected_results(pairs, *numbers, np.arange(len(problem.coords)))


@pytest.mark.parametrize("cells", TINY)
def test_the_reference_is_the_dense_convolution_read_at_the_active_cells(cells):
    pairs, problem = problem_of(cells)
    at = (0, slice(None), *problem.coords[:, 1:].T)
    dense = torch.zeros(1, 3, *cells.shape, dtype=torch.float64)
    dense[at] = problem.feats.T.double()
    weight = problem.torch_weight().double().requires_grad_()
    dense.requires_grad_()
    convolve = {2: torch.nn.functional.conv2d, 3: torch.nn.functional.conv3d}[len(cells.shape)]
    out = convolve(dense, weight, padding=1)[at].T
    out.backward(problem.grad_out.double())
    right = expected(pairs, problem)
    grad_weight = weight.grad.flatten(2).permute(2, 1, 0)
    np.testing.assert_allclose(right.out, out.detach(), atol=1e-12)
    np.testing.assert_allclose(right.grad_feats, dense.grad[at].T, atol=1e-12)
    np.testing.assert_allclose(right.grad_weight, grad_weight, atol=1e-12)


@pytest.mark.parametrize("cells", TINY)
@pytest.mark.parametrize("name", ["recsparse", "index_add"])
def test_engines_compute_what_the_reference_says_with_a_map_cold_or_kept(name, cells):
    pairs, problem = problem_of(cells)
    engine = ENGINES[name](problem)
    for _ in range(2):
        engine.step()
        found = Results(*(x.double().numpy() for x in engine.results()))
        assert found.error(expected(pairs, problem)) < 1e-5
        engine.build_map()


@pytest.mark.parametrize(
    ("name", "package", "product"), [("limit", torch, "mm"), ("blas_limit", np, "matmul")]
)
def test_a_limit_multiplies_one_row_a_pair_forward_and_twice_backward(
    name, package, product, monkeypatch
):
    pairs, problem = problem_of(TINY[0])
    monkeypatch.setattr(Limit, "ROWS", 50)
    limit = ENGINES[name](problem)
    shapes, multiply = [], getattr(package, product)

    def counted(a, b, out):
        shapes.append(tuple(a.shape))
        return multiply(a, b, out=out)

    monkeypatch.setattr(package, product, counted)
    limit.step()
    assert len(shapes) == 3 * math.ceil(pairs.number / 50)
    assert sum(shape[0] for shape in shapes[::3]) == pairs.number
    assert sum(shape[0] for shape in shapes[1::3]) == pairs.number
    assert sum(shape[1] for shape in shapes[2::3]) == pairs.number


def test_an_error_is_measured_in_units_of_the_largest_value():
    right = Results(np.array([2.0, -4.0]), np.ones(3), np.ones(3))
    wrong = replace(right, out=np.array([2.0, -3.0]))
    assert right.error(right) == 0
    assert wrong.error(right) == 1 / 4


def test_work_is_timed_once_at_least_and_memory_is_seen_to_grow():
    assert len(milliseconds(lambda: None, 0)) == 1
    kept = []
    grown = peak_growth(lambda: kept.append(np.ones(4_000_000)))
    assert math.isnan(grown) or 25 < grown < 60


def test_a_tiny_case_from_end_to_end_without_peers(monkeypatch, tmp_path):
    monkeypatch.setattr(fleet, "PEERS_PYTHON", tmp_path / "python")
    who = [Contender("recsparse", 1), Contender("spconv", 1), Contender("unknown", 1)]
    row = Row(Case(TINY[0], 4), *measure(Case(TINY[0], 4), who, rounds=1, seconds=0))
    ours, peer, unknown = row.found
    assert ours.error < 1e-5
    assert len(ours.step_ms) == len(ours.map_ms) == len(ours.unsorted_ms) == 1
    assert "is missing: build it with make bench-peers" in peer.skipped
    assert unknown.skipped == "KeyError: 'unknown'"
    assert "skipped" in markdown("errors", correctness_table([row]))


def measured(engine, threads, *step_ms, error=0.0):
    return Measured(Contender(engine, threads), list(step_ms), error=error, version=engine)


def test_tables_take_each_engine_at_its_fastest_number_of_threads():
    found = [
        measured("recsparse", 1, 9.0, 10.0, 30.0),
        measured("recsparse", 2, 5.0),
        measured("limit", 2, 4.0),
        measured("spconv", 1, 20.0),
        measured("spconv", 2, 25.0, error=0.3),
    ]
    row = Row(Case(TINY[0], 32), find_pairs(TINY[0].coords(), TINY[0].shape), found)
    (line,) = step_table([row], [1, 2]).to_dict("records")
    assert line["recsparse"] == 5
    assert line["peer ÷ ours"] == 20 / 5
    assert line["ours ÷ limit, torch"] == 5 / 4
    assert line["2 threads over 1"] == 10 / 5
    assert summary([row])[0].startswith("forward + backward, fastest peer ÷ ours: geometric mean 4")
    assert "**wrong**, 3.0e-01" in markdown("errors", correctness_table([row]))


def test_growth_is_drawn(tmp_path):
    found = [measured("recsparse", 2, 5.0), measured("blas_limit", 2, 4.0)]
    row = Row(Case(TINY[0], 32), find_pairs(TINY[0].coords(), TINY[0].shape), found)
    table = growth_table([row])
    assert table["recsparse, ns per pair"][0] == 5e6 / row.pairs.number
    plot_growth(table, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_every_type_takes_its_turns_on_layers_of_few_channels():
    table = types_table(TINY[2], rounds=2, threads=1)
    assert table["like"].tolist() == ["1 to 16", "3 to 32", "16 to 16", "16 to 16 in 16 groups"]
    assert (table[["float32", "bfloat16", "float16", "float64"]] > 0).all(axis=None)
    assert (table["float16 ÷ float32"] > 0).all()
