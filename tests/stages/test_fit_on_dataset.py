import pytest

from recsparse.config.toml_reader import load_config
from recsparse.stages import fit_on_dataset as fit
from recsparse.training.plan import FitPlan
from tests.prepared import prepared

ROWS = [(f"u{number % 5}", f"i{number * number % 11}") for number in range(40)]


@pytest.mark.parametrize(
    ("split", "looks_ahead"),
    [
        (["split.kind=random", "split.validation=0.2"], False),
        (["split.kind=held_out_users", "split.validation=0.3", "split.test=0.3"], False),
        (["split.kind=leave_last_out"], True),
        (["split.kind=global_time", "split.validation=0.2"], True),
    ],
)
def test_the_split_says_whether_the_validation_looks_ahead(
    tmp_path, monkeypatch, split, looks_ahead
):
    validations = []

    def fit_model(model, *_, validation, **__):
        validations.append(validation)
        return model

    monkeypatch.setattr(fit, "fit_model", fit_model)
    data = prepared(tmp_path, ROWS, split, times=[*range(40)])
    config = load_config(overrides=["model.kind=popularity"])
    fit.fit_on(data, config, FitPlan(config.training))
    assert [validation.looks_ahead for validation in validations] == [looks_ahead]
