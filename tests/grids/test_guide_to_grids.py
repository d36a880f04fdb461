import re
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "grids.md"


def test_the_python_of_the_guide_runs_from_top_to_bottom(small_dataset, tmp_path, monkeypatch):
    (tmp_path / "dataset").symlink_to(small_dataset)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    exec(compile("\n".join(blocks), GUIDE.name, "exec"), names)
    assert (tmp_path / "orders.png").stat().st_size > 0
    assert names["block"].tensor.spatial_shape == (1024, len(names["dataset"].items))
