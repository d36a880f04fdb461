"""What every model and every sparse layer must do, as tests that classes of yours inherit."""

import pytest

# So that a failed assertion shows its values, as in tests of one's own.
pytest.register_assert_rewrite("recsparse.testing.layers", "recsparse.testing.recommenders")

from recsparse.testing.layers import DenseTwinConformance, LayerConformance  # noqa: E402
from recsparse.testing.recommenders import (  # noqa: E402
    PersonalConformance,
    RecommenderConformance,
)
from recsparse.testing.small_fits import (  # noqa: E402
    NUM_ITEMS,
    NUM_USERS,
    TRAINING,
    checkerboard,
    fit,
    fitted,
    log_of,
    raw_parts,
    score,
    times_of,
    words_of,
)

__all__ = [
    "NUM_ITEMS",
    "NUM_USERS",
    "TRAINING",
    "DenseTwinConformance",
    "LayerConformance",
    "PersonalConformance",
    "RecommenderConformance",
    "checkerboard",
    "fit",
    "fitted",
    "log_of",
    "raw_parts",
    "score",
    "times_of",
    "words_of",
]
