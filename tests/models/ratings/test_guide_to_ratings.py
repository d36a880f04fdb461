import re
from pathlib import Path

from recsparse.config.model_section import known_sections
from recsparse.metrics.rating_metrics import RATING_FORMULAS
from recsparse.models.registry import model_class

GUIDE = Path(__file__).parents[3] / "docs" / "how-to" / "ratings.md"


def test_the_python_of_the_guide_runs_and_predicts_better_than_the_mean():
    (example,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    exec(compile(example, GUIDE.name, "exec"), names)
    assert names["result"].overall["rmse"] < 0.6 * names["targets"].data.std()


def test_every_model_and_every_figure_of_ratings_is_in_the_guide():
    text = GUIDE.read_text(encoding="utf-8")
    kinds = {kind for kind in known_sections() if model_class(kind).predicts_ratings}
    assert kinds == {"rating_bias", "rating_factors", "rating_bayes", "rating_grid"}
    assert all(f"`{name}`" in text for name in {*kinds, *RATING_FORMULAS})
