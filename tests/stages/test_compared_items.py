import pytest

from recsparse.datasets.vocabulary import Vocabulary
from recsparse.stages.compared_items import ComparedItems

TRAINED = Vocabulary.fit(["a", "b", "c"])
MODELS = [Vocabulary.fit(["a", "b", "d", "e"]), Vocabulary.fit(["b", "c", "d", "f"])]


@pytest.mark.parametrize(
    ("catalogue", "wanted", "ranked"),
    [
        ("all", "abcdx", "abde"),
        ("known", "abc", "ab"),
        ("common", "bd", "bd"),
        ("new", "dx", "abde"),
    ],
)
def test_each_catalogue_has_its_targets_and_its_candidates(catalogue, wanted, ranked):
    compared = ComparedItems(catalogue, TRAINED, MODELS)
    dataset = ["a", "b", "c", "d", "x"]
    of_dataset = compared.wanted(Vocabulary.fit(dataset)).tolist()
    assert of_dataset == [item in wanted for item in dataset]
    of_model = compared.ranked(MODELS[0]).tolist()
    assert of_model == [item in ranked for item in ["a", "b", "d", "e"]]


@pytest.mark.parametrize("catalogue", ["all", "known", "common", "new"])
def test_no_items_are_none(catalogue):
    compared = ComparedItems(catalogue, TRAINED, MODELS)
    nothing = Vocabulary(TRAINED.ids[:0])
    assert len(compared.wanted(nothing)) == len(compared.ranked(nothing)) == 0
