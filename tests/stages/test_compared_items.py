import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_matrix

from recsparse.datasets.evaluated.lists import Lists
from recsparse.datasets.evaluated.whole_part import WholePart
from recsparse.datasets.parts import EvaluationPart
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.stages.compared_items import ComparedItems

MODELS = [Vocabulary.fit(["a", "b", "d", "e"]), Vocabulary.fit(["b", "c", "d", "f"])]
# Training knows a, b and c; nobody takes y, which only a table of items has.
ITEMS = ["a", "b", "c", "d", "x", "y"]


def part_of(targets, num_known=3, items=ITEMS):
    """One user with these targets."""
    rows = csr_matrix([[int(item in targets) for item in items]])
    nothing, ids = csr_matrix(rows.shape), pa.array(items, pa.string())
    return WholePart(
        pa.array([1]), np.array([False]), Vocabulary(ids), num_known, rows,
        Lists.of_part(EvaluationPart(pa.array([1]), nothing, rows)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("catalogue", "of_dataset", "of_model"),
    [
        ("all", "abcdxy", "abde"),
        ("known", "abc", "ab"),
        ("common", "bd", "bd"),
        ("new", "dx", "d"),
    ],
)
def test_each_catalogue_has_its_items_of_the_dataset_and_of_a_model(
    catalogue, of_dataset, of_model
):
    compared = ComparedItems.of_part(catalogue, part_of("adx"), MODELS)
    assert compared.catalogue == catalogue
    chosen = compared.chosen(Vocabulary.fit(ITEMS)).tolist()
    assert chosen == [item in of_dataset for item in ITEMS]
    chosen = compared.chosen(MODELS[0]).tolist()
    assert chosen == [item in of_model for item in ["a", "b", "d", "e"]]


@pytest.mark.parametrize(
    ("targets", "catalogue"), [("a", "known"), ("abc", "known"), ("ad", "all"), ("x", "all")]
)
def test_left_open_the_catalogue_is_known_where_training_knows_every_target(targets, catalogue):
    assert ComparedItems.of_part(None, part_of(targets), MODELS).catalogue == catalogue


@pytest.mark.parametrize("catalogue", ["all", "known", "common", "new", None])
def test_no_items_are_none(catalogue):
    part = part_of("", num_known=0, items=[])
    compared = ComparedItems.of_part(catalogue, part, MODELS)
    assert len(compared.new) == len(compared.chosen(part.items)) == 0
