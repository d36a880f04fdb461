"""A dataset and a model folder of the build before the package was laid out in rooms."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from recsparse.datasets.dataset_folder import load_dataset
from recsparse.stages.evaluate import evaluate
from recsparse.stages.load import load

FOLDERS = Path(__file__).parent / "older_build"
# What that build scored.
PAIRS = pd.DataFrame({"user_id": ["u1", "u2", "u7", "u7"], "item_id": ["i0", "i1", "i2", "i3"]})
SCORES = [0.6163060665130615, 0.8185600638389587, 0.7015717625617981, 0.18780912458896637]


@pytest.fixture
def older(tmp_path):
    return Path(shutil.copytree(FOLDERS, tmp_path / "older"))


def test_a_model_folder_of_the_build_before_gives_the_same_scores(older):
    assert load(older / "model").score(PAIRS).tolist() == pytest.approx(SCORES, rel=1e-6)


def test_a_dataset_folder_of_the_build_before_keeps_its_settings_and_parts(older):
    data = load_dataset(older / "dataset")
    assert data.config.split.kind == "leave_last_out"
    # The log: of 8 users, the last row of each for test, the one before for validation.
    rows = sum((u * i + u + i) % 3 > 0 for u in range(8) for i in range(6))
    parts = data.split.train, data.split.validation, data.split.test
    assert [part.num_rows for part in parts] == [rows - 16, 8, 8]


def test_a_model_and_a_dataset_of_the_build_before_are_evaluated(older):
    compared = evaluate([older / "model"], older / "dataset")
    assert compared.part is not None
    assert (compared.part.users, compared.part.evaluated_users) == (8, 8)
