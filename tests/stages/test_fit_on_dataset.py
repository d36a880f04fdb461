import pytest

from recsparse.config.toml_reader import load_config
from recsparse.datasets.fit_rows import rows_to_fit
from recsparse.stages import fit_on_dataset as fit
from recsparse.stages.rank_part import part_to_rank
from tests.prepared import prepared

ROWS = [(f"u{number % 5}", f"i{number * number % 11}") for number in range(40)]


def context_of(folder, split=("split.validation=0.2",), settings=()):
    data = prepared(folder, ROWS, [*split], times=[*range(40)])
    config = load_config(overrides=["model.kind=popularity", *settings])
    part = part_to_rank(data, "validation")
    return fit.fit_context(data, rows_to_fit(data), part, config), part


@pytest.mark.parametrize(
    ("split", "looks_ahead"),
    [
        (["split.kind=random", "split.validation=0.2"], False),
        (["split.kind=held_out_users", "split.validation=0.3", "split.test=0.3"], False),
        (["split.kind=leave_last_out"], True),
        (["split.kind=global_time", "split.validation=0.2"], True),
    ],
)
def test_the_split_says_whether_the_validation_looks_ahead(tmp_path, split, looks_ahead):
    context, _ = context_of(tmp_path, split)
    assert context.validation.looks_ahead is looks_ahead


def test_the_validation_judges_by_the_configured_metric(tmp_path):
    settings = ["evaluation.select_by=recall@3", "evaluation.batch_users=2", "seed=4"]
    context, _ = context_of(tmp_path, settings=settings)
    assert context.validation.metric == "recall@3"
    assert context.validation.batch_users == 2
    assert context.seed == 4


def test_of_many_users_some_judge(tmp_path, monkeypatch):
    whole, part = context_of(tmp_path)
    assert (whole.validation.history != part.history).nnz == 0
    monkeypatch.setattr(fit, "MOST_VALIDATION_SCORES", 2 * part.history.shape[1])
    some, _ = context_of(tmp_path)
    assert some.validation.history.shape[0] == some.validation.targets.shape[0] == 2
