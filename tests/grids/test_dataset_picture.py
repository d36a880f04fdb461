import numpy as np

from recsparse.grids.dataset_picture import grid_picture
from recsparse.grids.interaction_grid import interactions_to_grid, locality
from tests.prepared import prepared

ROWS = [(user, item) for user in range(12) for item in range(user, user + 10)]


def titles(figure):
    return [axes.get_title() for axes in figure.axes[:2]]


def test_the_grid_is_drawn_by_id_and_in_order_with_the_locality_of_both(tmp_path):
    data = prepared(tmp_path, ROWS, ["order.kind=random"])
    matrix = data.train_matrix()
    ordered = interactions_to_grid(matrix, data.user_order, data.item_order)
    assert titles(grid_picture(data)) == [
        f"by id\nlocality {locality(interactions_to_grid(matrix)):.3f}",
        f"in order\nlocality {locality(ordered):.3f}",
    ]


def test_of_a_large_dataset_the_users_of_the_first_places_are_drawn(tmp_path):
    data = prepared(tmp_path, ROWS, ["order.kind=random"])
    users = data.user_order.index[:3]
    rows = data.train_matrix()[users]
    first, second = titles(grid_picture(data, most_rows=rows.nnz))
    assert first.startswith("by id, 3 users\n")
    # In order, the users drawn keep the places that they have among themselves.
    items = np.argsort(data.item_order.rank)
    expected = locality(interactions_to_grid(rows[:, items]))
    assert second == f"in order, 3 users\nlocality {expected:.3f}"


def test_one_user_is_drawn_whatever_its_number_of_rows(tmp_path):
    assert titles(grid_picture(prepared(tmp_path, ROWS), most_rows=1))[0].startswith(
        "by id, 1 user"
    )
