from importlib.metadata import version

from recsparse.stages import doctor as module
from recsparse.stages.doctor import doctor


def test_the_installation_is_described(workplace):
    found = doctor()
    assert found["torch"] == version("torch")
    assert found["MLflow store"] == f"sqlite:///{workplace}/mlflow.db"
    assert found["scatter kernels"] in ("torch", "torch_scatter")
    for name in ("free disk", "free memory"):
        number, unit = found[name].split()
        assert float(number) > 0
        assert unit == "GiB"


def test_a_package_that_is_missing_is_told(monkeypatch):
    monkeypatch.setattr(module, "PACKAGES", ("no-such-package",))
    assert doctor()["no-such-package"] == "not installed"
