"""The validation or test part of a dataset, refused where there is nobody to rank for."""

from recsparse.datasets.dataset import Dataset, EvaluationPart
from recsparse.errors import InputError


def part_to_rank(data: Dataset, name: str) -> EvaluationPart:
    """Return a part of a dataset.

    Args:
        data: The dataset.
        name: `validation` or `test`.

    Returns:
        At least one user with at least one target.

    Raises:
        InputError: If the part has no user and item that training knows.
    """
    part = data.evaluation_part(name)
    if len(part.user_ids) == 0:
        raise InputError(
            f"the {name} part must have users and items that training knows, but of its "
            f"{data.counts[f'{name}_rows']} rows none has both; prepare the log with another split"
        )
    return part
