import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_matrix, csr_matrix

from recsparse.scoring.user_histories import merged_rows

CELLS = st.dictionaries(
    st.tuples(st.integers(0, 3), st.integers(0, 2)), st.sampled_from([0.0, 1.0, 2.5]), max_size=8
)


def matrix(kind, cells, shape):
    row, column = (np.array([cell[axis] for cell in cells], dtype=int) for axis in (0, 1))
    return kind((np.array([*cells.values()], dtype=np.float32), (row, column)), shape=shape)


def cells_of(rows):
    found = rows.tocoo()
    return dict(zip(zip(found.row, found.col, strict=True), found.data, strict=True))


@given(CELLS, CELLS, st.permutations(range(6)))
def test_rows_of_users_are_replaced_whole_and_cells_of_weight_0_stay(old, new, places):
    """Four known users take any of six places; those with new cells lose their old ones."""
    place = np.array(places[:4])
    new = {(places[user + 2], item): weight for (user, item), weight in new.items()}
    replaced = np.array(sorted({user for user, _ in new}), dtype=int)
    found = merged_rows(
        matrix(csr_matrix, old, (4, 3)), place, matrix(coo_matrix, new, (6, 3)), replaced
    )
    moved = {(int(place[user]), item): weight for (user, item), weight in old.items()}
    kept = {cell: weight for cell, weight in moved.items() if cell[0] not in replaced}
    assert found.shape == (6, 3)
    assert cells_of(found) == {**kept, **new}
