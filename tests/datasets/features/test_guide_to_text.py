import re
from pathlib import Path

import pytest

from recsparse.config.data import FeaturesConfig, TextConfig

GUIDE = Path(__file__).parents[3] / "docs" / "how-to" / "text.md"


def test_the_python_of_the_guide_runs_from_top_to_bottom(small_dataset, tmp_path, monkeypatch):
    (tmp_path / "dataset").symlink_to(small_dataset)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    exec(compile("\n".join(blocks), GUIDE.name, "exec"), names)
    items = len(names["dataset"].items)
    assert names["batch"].batch_size == min(items, 32)
    assert names["bags"].toarray()[1, names["words"].words.index("東京")] > 0


@pytest.mark.parametrize("setting", [*TextConfig.model_fields, *FeaturesConfig.model_fields])
def test_every_setting_of_text_and_features_is_in_the_guide(setting):
    assert re.search(rf"\b{setting}\b", GUIDE.read_text(encoding="utf-8"))
