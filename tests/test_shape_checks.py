"""What the tests rely on: a wrong type or shape of an argument or a result is an error."""

import dataclasses
from collections.abc import Iterator

import jaxtyping
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from recsparse.sparse.coords import ravel_coords
from tests.shape_checks import checked


@checked
def product(x: Float[Tensor, "n c"], y: Float[Tensor, "c m"]) -> Float[Tensor, "n m"]:
    return x @ y


@checked
def transposed(x: Float[Tensor, "n c"]) -> Float[Tensor, "n c"]:
    return x.T


def test_sizes_of_one_call_agree():
    assert product(torch.ones(2, 3), torch.ones(3, 4)).shape == (2, 4)
    assert product(torch.ones(3, 2), torch.ones(2, 2)).shape == (3, 2)
    with pytest.raises(jaxtyping.TypeCheckError, match="y="):
        product(torch.ones(2, 3), torch.ones(2, 4))
    with pytest.raises(TypeError):
        product(torch.ones(2, 3), torch.ones(3, 4, dtype=torch.int64))


def test_results_are_looked_at():
    assert transposed(torch.ones(2, 2)).shape == (2, 2)
    with pytest.raises(jaxtyping.TypeCheckError, match="return"):
        transposed(torch.ones(2, 3))


@checked
@dataclasses.dataclass(frozen=True)
class Pair:
    first: Float[Tensor, "n"]
    second: Float[Tensor, "n"]

    @classmethod
    @checked
    def of_one(cls, one: Float[Tensor, "n"]) -> "Pair":
        return cls(one, one)

    @property
    @checked
    def total(self) -> int:
        return self.first.sum()


def test_constructors_methods_and_properties_are_looked_at():
    assert torch.equal(Pair.of_one(torch.ones(2)).second, torch.ones(2))
    for wrong in (
        lambda: Pair(torch.ones(2), torch.ones(3)),
        lambda: Pair.of_one(torch.ones(2, 2)),
        lambda: Pair(torch.ones(1), torch.ones(1)).total,
    ):
        with pytest.raises(jaxtyping.TypeCheckError):
            wrong()


@checked
def numbers(count: int, unknown: "nowhere.Kind" = None, *, known: "int" = 0) -> Iterator[int]:
    yield from range(known, count)


def test_annotations_in_quotes_count_where_there_is_what_they_name():
    assert list(numbers(3, object(), known=1)) == [1, 2]
    with pytest.raises(jaxtyping.TypeCheckError):
        numbers(3, known="1")


def test_the_package_is_looked_at_unless_that_is_switched_off(unchecked_types):
    wrong = torch.zeros(2, 2), (3, 3)
    with pytest.raises(Exception) as plain:  # noqa: PT011
        ravel_coords(*wrong)
    assert not isinstance(plain.value, jaxtyping.TypeCheckError)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jaxtyping.config, "jaxtyping_disable", False)
        with pytest.raises(jaxtyping.TypeCheckError):
            ravel_coords(*wrong)
