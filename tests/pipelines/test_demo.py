import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from pipelines import demo
from pipelines.demo import app
from recsparse.cli.exit import exit_on_error
from recsparse.config.model_section import known_sections
from recsparse.config.models import BlendConfig
from recsparse.config.toml_reader import load_config
from recsparse.config.toml_writer import write_toml
from recsparse.scoring.model_folder import load_model
from recsparse.stages import fitted
from recsparse.stages.tuning import trial_fits as tuning
from recsparse.tracking.run import Run
from recsparse.training.fit_progress import Progress

GRID = {"kind": "sparse_grid", "factors": 4, "hidden": 8, "item_iterations": 1}
KINDS = ["blend", "popularity", "item_knn", "ease", "ials"]
MADE = [
    "dataset", *(f"{kind}{end}" for kind in KINDS for end in (".toml", "")), "report",
    "candidates.parquet", "scores.parquet", "recommendations.parquet",
]  # fmt: skip


@pytest.fixture
def small_search(workplace, monkeypatch):
    """Searches of one or two trials and a network of moments."""
    spaces = {
        "popularity": {},
        "item_knn": {"neighbours": (5, 10)},
        "ease": {"regularisation": (10.0,)},
        "ials": {"factors": (4,), "iterations": (2,)},
        "blend": {"parts": ([GRID, {"kind": "ease"}],)},
    }

    def search(kind, space):
        monkeypatch.setattr(known_sections()[kind], "search_space", space)

    for kind, space in spaces.items():
        search(kind, space)
    write_toml("demo.toml", {"training": {"epochs": 2}, "evaluation": {"k": [10, 20]}})
    monkeypatch.setattr(demo, "CONFIG", workplace / "demo.toml")
    return search


@pytest.fixture
def run_demo(capfd):
    def run(*words):
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            exit_on_error(lambda: app([str(word) for word in words]))
        return ended.value.code or 0, *capfd.readouterr()

    return run


@pytest.fixture
def fits(monkeypatch):
    """The kind of each model that is fitted by a search or a training."""
    seen = []
    for module in (fitted, tuning):

        def counting(rows, config, context, fit_on=module.fit_on):
            seen.append(config.model.kind)
            return fit_on(rows, config, context)

        monkeypatch.setattr(module, "fit_on", counting)
    return seen


def steps(said):
    """What the demo says of its own steps, without the clock and what the stages say."""
    own = r"(?:\d\d:\d\d:\d\d )?(making \S+|\S+ is up to date|done in .*)"
    return [found[1] for found in map(re.compile(own).fullmatch, said.splitlines()) if found]


def demo_words(small_log):
    items = small_log / "items.parquet"
    return ["--out", "out", "--log", small_log / "log.parquet", "--items", items]


def test_a_model_without_settings_to_search_is_fitted_once(small_search, run_demo, small_log, fits):
    small_search("blend", {})
    status, _, said = run_demo(*demo_words(small_log))
    assert status == 0, said
    assert [fits.count(kind) for kind in ("blend", "popularity")] == [1, 1]
    assert fits.count("item_knn") >= 2
    assert load_config("out/blend.toml").model == BlendConfig()


def test_a_killed_demo_goes_on_where_its_training_stopped(
    small_search, run_demo, small_log, fits, monkeypatch
):
    # One network alone, so that its epochs can be counted.
    small_search("blend", {})
    blend = {"kind": "blend", "parts": [GRID, {"kind": "ease"}]}
    write_toml("demo.toml", {"training": {"epochs": 4}, "model": blend})
    epochs, log_metrics, saved = [], Run.log_metrics, Progress.on_train_epoch_end

    def killed(run, metrics, step=None):
        if step == 1:
            raise KeyboardInterrupt
        log_metrics(run, metrics, step)

    def counting(progress, trainer, module):
        epochs.append(trainer.current_epoch)
        saved(progress, trainer, module)

    monkeypatch.setattr(Progress, "on_train_epoch_end", counting)
    monkeypatch.setattr(Run, "log_metrics", killed)
    status, _, _ = run_demo(*demo_words(small_log))
    assert status != 0
    assert Path("out/blend.checkpoints").is_dir()
    monkeypatch.setattr(Run, "log_metrics", log_metrics)
    status, _, said = run_demo(*demo_words(small_log))
    assert status == 0, said
    assert steps(said)[:3] == [
        "dataset is up to date", "blend.toml is up to date", "making blend",
    ]  # fmt: skip
    assert epochs == [0, 1, 2, 3]
    assert not Path("out/blend.checkpoints").exists()


def test_a_checkpoint_of_other_settings_does_not_count(
    small_search, run_demo, small_log, monkeypatch
):
    words, asked = demo_words(small_log), []

    def killed(dataset, out, config, resume, reporter, overwrite):
        asked.append(resume)
        out.with_name(f"{out.name}.checkpoints").mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "train", killed)
    run_demo(*words)
    run_demo(*words, "--seed", "1")
    assert asked == [False, False]


def times(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_the_whole_job_and_its_repetition(small_search, run_demo, small_log, workplace):
    words = ["--out", "out", "--log", small_log / "log.parquet"]
    words += ["--items", small_log / "items.parquet"]
    (workplace / "out").mkdir()
    (workplace / "mlflow.db").rename(workplace / "out" / "mlflow.db")
    status, table, said = run_demo(*words)
    assert status == 0, said
    assert steps(said)[:-1] == [f"making {name}" for name in MADE]
    assert steps(said)[-1].startswith("done in ")
    assert [kind for kind in KINDS if kind not in table] == []
    for shown in ("nDCG@10", "Recall@20", "coverage@20", "fit seconds", "make ui OUT=out"):
        assert shown in table

    before = times(workplace / "out")
    status, again, said = run_demo(*words)
    assert status == 0, said
    assert steps(said)[:-1] == [f"{name} is up to date" for name in MADE]
    assert again == table
    assert times(workplace / "out") == before

    log = pd.read_parquet(small_log / "log.parquet")
    lists = pd.read_parquet("out/recommendations.parquet")
    assert lists["user_id"].nunique() == log["user_id"].nunique()
    seen = set(zip(log["user_id"], log["item_id"], strict=True))
    assert not seen & set(zip(lists["user_id"], lists["item_id"], strict=True))
    scores = pd.read_parquet("out/scores.parquet")
    assert list(scores) == ["user_id", "item_id", "score"]
    history = log[["user_id", "item_id"]]
    expected = load_model("out/blend").with_history(history).score(scores)
    assert scores["score"].tolist() == expected.tolist()

    small_search("ease", {"regularisation": (20.0,)})
    _, _, said = run_demo(*words)
    made = [line.removeprefix("making ") for line in steps(said) if "making" in line]
    assert made == ["ease.toml", "ease", "report"]


def test_no_log_leaves_nothing(run_demo, workplace):
    status, out, said = run_demo("--log", "no.parquet")
    assert (status, out) == (2, "")
    assert said == "error: LOG must be a Parquet file or folder, but there is none at no.parquet\n"
    assert [path.name for path in workplace.iterdir()] == ["mlflow.db"]


def test_without_a_log_the_public_set_is_fetched_and_its_terms_are_said(
    small_search, run_demo, small_log, monkeypatch
):
    asked = []
    folder = shutil.copytree(small_log, "fetched")
    Path("fetched/log.parquet").rename("fetched/interactions.parquet")

    def fetch(name, reporter):
        asked.append(name)
        return Path(folder)

    def prepare(log, out, items, config, reporter, overwrite):
        asked.extend([log.name, items.name])
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "fetch", fetch)
    monkeypatch.setattr(demo, "prepare", prepare)
    status, _, said = run_demo("--out", "out")
    assert status != 0
    assert "may not be passed on" in said
    assert asked == ["movielens-100k", "interactions.parquet", "items.parquet"]


def test_the_demo_s_own_configuration_is_in_order():
    config = demo.load_config(demo.CONFIG, ["seed=3"])
    assert (config.seed, config.model.kind) == (3, demo.OURS)
    for kind in demo.BASELINES:
        other = demo._config_of(config, kind)
        assert other.model.kind == kind
        assert other.training == config.training
    assert demo._config_of(config, demo.OURS) is config
