import numpy as np
import pyarrow as pa
import pytest

from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.sources import Sources
from recsparse.datasets.features.side_folder import load_side, save_side
from recsparse.errors import InputError, SchemaError
from recsparse.stages.prepare import prepare
from tests.side_tables import fit_table

IDS = [7, 0, 9, 2, 1]
VECTORS = [[0.0, 8.0], [3.0, 4.0], [5.0, 5.0], None, [0.0, -5.0]]
LISTS = [
    pa.list_(pa.float32()), pa.list_(pa.float64(), 2), pa.large_list(pa.float16()),
    pa.list_(pa.int8()), pa.list_(pa.float32(), 2),
]  # fmt: skip


def fit(folder, vectors=VECTORS, kind=LISTS[0], train=(0, 1, 2), **more):
    table = {"item_id": IDS, "v": pa.array(vectors, kind), **more}
    return fit_table(folder, table, train, (7,), vectors=["v", *more]).vectors


@pytest.mark.parametrize("kind", [LISTS[1], LISTS[4]], ids=str)
def test_vectors_of_a_fixed_size_are_read_and_nulls_among_them_said(tmp_path, kind):
    some = [vector or [1.0, 1.0] for vector in VECTORS]
    assert fit(tmp_path, some, kind).sizes == (2,)
    if int(pa.__version__.partition(".")[0]) >= 26:
        assert fit(tmp_path, VECTORS, kind).sizes == (2,)
        return
    with pytest.raises(InputError, match=r"lists of any size .* write that column as"):
        fit(tmp_path, VECTORS, kind)


@pytest.mark.parametrize("kind", [LISTS[0], LISTS[2], LISTS[3]], ids=str)
def test_vectors_of_training_ids_have_length_1_on_average(tmp_path, kind):
    """Those of 0 and 1 have length 5; 7 is not in training, and 9 in the table alone."""
    found = fit(tmp_path, kind=kind)
    assert (found.names, found.sizes) == (("v",), (2,))
    assert found.scale.tolist() == [5.0]
    expected = np.array([[3, 4], [0, -5], [0, 0], [0, 8], [5, 5]], dtype=np.float32) / 5
    np.testing.assert_array_equal(found.values, expected, strict=True)


def test_columns_lie_next_to_each_other_each_on_its_own_scale(tmp_path):
    others = pa.array([[1.0], [2.0], [3.0], [4.0], None], pa.list_(pa.float32()))
    found = fit(tmp_path, image=others)
    assert (found.names, found.sizes) == (("v", "image"), (2, 1))
    alone = fit(tmp_path)
    np.testing.assert_array_equal(found.values[:, :2], alone.values)
    scale = np.sqrt((2**2 + 4**2) / 2)
    assert found.scale.tolist() == pytest.approx([5.0, scale])
    np.testing.assert_allclose(found.values[:, 2], np.array([2, 0, 4, 1, 3]) / scale, rtol=1e-6)


def test_many_chunks_are_as_one(tmp_path, monkeypatch):
    whole = fit(tmp_path)
    monkeypatch.setattr("recsparse.datasets.features.side_rows._CHUNK_ROWS", 1)
    np.testing.assert_array_equal(fit(tmp_path).values, whole.values)


def test_vectors_of_zeros_stay_so(tmp_path):
    found = fit(tmp_path, [[0.0, 0.0]] * 5)
    assert found.scale.tolist() == [1.0]
    assert not found.values.any()


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (
            [None, [1.0], [2.0], [1.0, 2.0], None],
            r"'v' must have one length, .* 1, but .* 2 in .* has 2",
        ),
        ([None, [], None, None, None], r"at least one number, but that of 0 in .* has 0; mend it"),
        ([None, [1.0, None], None, None, None], r"finite numbers .* that of 0 in .* has nan; mend"),
        ([None, [np.nan, 1.0], None, None, None], r"finite numbers .* that of 0 in .* has nan"),
        ([None, [1.0, -np.inf], None, None, None], r"finite numbers .* that of 0 in .* has -inf"),
        ([[1.0], None, [1.0], None, None], None),
        ([None] * 5, r"'v' of .* must hold a vector, but has none; leave it"),
    ],
)
def test_what_is_no_vector_is_refused_with_its_id(tmp_path, vectors, message):
    if message is None:
        assert fit(tmp_path, vectors).values[3].tolist() == [1.0]
        return
    with pytest.raises(InputError, match=message):
        fit(tmp_path, vectors)


def test_a_number_that_single_precision_does_not_hold_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"single precision, but that of 0 in .* has inf"):
        fit(tmp_path, [None, [1e39, 0.0], None, None, None], pa.list_(pa.float64()))


@pytest.mark.parametrize("kind", [pa.float32(), pa.string(), pa.list_(pa.string())], ids=str)
def test_a_column_of_something_else_is_refused(tmp_path, kind):
    with pytest.raises(SchemaError, match=r"'v' of .* must hold vectors, lists of numbers of one"):
        fit(tmp_path, pa.nulls(5, kind), kind)


def test_vectors_are_the_same_after_saving(tmp_path):
    others = pa.array([[1.0], [2.0], [3.0], [4.0], None], pa.list_(pa.float32()))
    table = {"item_id": IDS, "v": pa.array(VECTORS, LISTS[0]), "image": others}
    side = fit_table(tmp_path, table, (0, 1, 2), (7,), vectors=["v", "image"])
    save_side(side, tmp_path, "item")
    loaded = load_side(tmp_path, "item", 5).vectors
    assert (loaded.names, loaded.sizes) == (side.vectors.names, side.vectors.sizes)
    np.testing.assert_array_equal(loaded.scale, side.vectors.scale, strict=True)
    np.testing.assert_array_equal(loaded.values, side.vectors.values, strict=True)
    with pytest.raises(InputError, match=r"item_vectors.* row for each of 6 ids, but has 5; make"):
        load_side(tmp_path, "item", 6)


@pytest.mark.parametrize("kind", [pa.list_(pa.float64()), pa.list_(pa.float32(), 2)], ids=str)
def test_vectors_of_new_items_are_laid_over_those_of_a_dataset(tmp_path, kind):
    def items(ids, vectors):
        return pa.table({"item_id": ids, "v": pa.array(vectors, kind)})

    def log(items):
        users = range(20)
        return pa.table({"user_id": [*users] * len(items), "item_id": sorted(items * len(users))})

    vectors = np.random.default_rng(0).normal(size=(6, 2)).round(2).tolist()
    shares = ["split.validation=0.2", "split.test=0.2"]
    config = load_config(None, ["features.vectors=['v']", *shares])
    old, few = tmp_path / "old", [0, 1, 2, 3, 4]
    prepare(Sources(log(few), items=items(few, [*vectors[:4], [9, 9]])), old, config=config)
    newer = items([4, 5], vectors[4:])
    data = prepare(Sources(log([5]), items=newer, append_to=old), tmp_path / "new")
    whole = Sources(log([*few, 5]), items=items([*few, 5], vectors))
    direct = prepare(whole, tmp_path / "direct", config=config)
    assert data.items.ids.to_pylist() == direct.items.ids.to_pylist() == [*few, 5]
    found, expected = data.item_side.vectors, direct.item_side.vectors
    np.testing.assert_allclose(found.values * found.scale, vectors, rtol=1e-5)
    np.testing.assert_array_equal(found.values, expected.values)
