"""Pictures of the product: the first hour on a synthetic log, in the terminal and the browser."""

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import pyarrow.parquet as pq
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from docs.browser import Browser, browser
from recsparse.datasets.synthetic import synthetic_log

_BIN = Path(sys.executable).parent
# Columns of the terminal: a phone shows them in letters that can be read.
_COLUMNS = 72
_STEPS = {
    "describe": "describe log.parquet --html log.html --quiet",
    "prepare": "prepare log.parquet --items items.parquet --out dataset --quiet",
    "ease": "train dataset --out ease --set model.kind=ease --quiet",
    "popularity": "train dataset --out popularity --set model.kind=popularity --quiet",
    "train": "train dataset --out vae --set model.kind=mult_vae --set training.epochs=10",
    "evaluate": "evaluate ease popularity dataset --out report --quiet",
}
_THEME = TerminalTheme(
    (255, 255, 255),
    (36, 41, 47),
    [(36, 41, 47), (207, 34, 46), (17, 99, 41), (125, 78, 0)],
    [(87, 96, 106), (164, 14, 38), (26, 127, 55), (154, 103, 0)],
)


def first_hour(folder: Path) -> dict[str, str]:
    """Run the commands of the first hour, with a network as well.

    Args:
        folder: An empty folder.

    Returns:
        What each command shows in the terminal, with the line that starts it.
    """
    log = synthetic_log(num_users=300, num_items=120, num_rows=6000, seed=0)
    pq.write_table(log.table, folder / "log.parquet")
    pq.write_table(log.items, folder / "items.parquet")
    hidden = {"MLFLOW_TRACKING_URI", "FORCE_COLOR"}
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    shown = {}
    for name, step in _STEPS.items():
        done = subprocess.run(
            [_BIN / "recsparse", *shlex.split(step)],
            cwd=folder,
            env=environment | {"COLUMNS": str(_COLUMNS)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        )
        shown[name] = f"$ recsparse {step.removesuffix(' --quiet')}\n{done.stdout.rstrip()}"
    return shown


def terminal_svg(shown: str) -> str:
    """Draw text as a terminal shows it.

    Args:
        shown: Lines.

    Returns:
        A picture as SVG, which loads nothing from elsewhere.
    """
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(file=nowhere, record=True, width=_COLUMNS)
        console.print(Text.from_ansi(shown), highlight=False)
        picture = console.export_svg(title="", theme=_THEME, unique_id="terminal")
    fonts, style = picture.index("@font-face"), picture.index(".terminal-matrix")
    return picture[:fonts] + picture[style:]


@contextmanager
def mlflow_pages(folder: Path) -> Iterator[str]:
    """Serve the runs of a folder in MLflow's own pages.

    Args:
        folder: Holds `mlflow.db`.

    Yields:
        The address of the server.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = f"sqlite:///{folder / 'mlflow.db'}"
    command = [_BIN / "mlflow", "ui", "--backend-store-uri", store, "--port", str(port)]
    # The workers of jobs that nobody asks for take longer to start than the pages.
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    server = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _await(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, 15)  # with the workers that it has started
        server.wait()


def _await(port: int, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(300):
        with socket.socket() as knock:
            knock.settimeout(0.2)
            if knock.connect_ex(("127.0.0.1", port)) == 0:
                return
        if server.poll() is not None:
            break
        try:
            server.wait(0.2)
        except subprocess.TimeoutExpired:
            continue
    raise RuntimeError("mlflow ui must answer within a minute, but does not")


def take_pictures(images: Path, folder: Path) -> None:
    """Take all pictures of the product.

    Args:
        images: Folder of the pictures.
        folder: An empty folder to work in.
    """
    shown = first_hour(folder)
    for name in ("train", "evaluate"):
        (images / f"{name}.svg").write_text(terminal_svg(shown[name]), encoding="utf-8")
    shutil.copy(folder / "report" / "comparison.png", images / "first_hour.png")
    with browser() as page:
        page.resize(1300, 1000)
        page.open((folder / "log.html").as_uri(), shows="long tail")
        page.picture(images / "describe.png")
        page.resize(1150, 1180)
        page.open((folder / "report" / "report.html").as_uri(), shows="Figures")
        page.picture(images / "report.png")
        with mlflow_pages(folder) as address:
            _mlflow(page, address, folder, images)


def _mlflow(page: Browser, address: str, folder: Path, images: Path) -> None:
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("recsparse").experiment_id
    (run,) = client.search_runs([experiment], "tags.kind = 'mult_vae'")
    runs = f"{address}/#/experiments/{experiment}/runs"
    page.resize(1280, 460)
    page.open(f"{address}/health", shows="OK")
    page.run(_settings(experiment))
    page.open(runs, shows="mult_vae")
    page.picture(images / "mlflow_runs.png")
    page.resize(1900, 380)
    page.open(f"{address}/#/experiments/{experiment}/models", shows="test_ndcg_at_10")
    page.picture(images / "mlflow_models.png")
    page.resize(1100, 620)
    page.open(f"{runs}/{run.info.run_id}/model-metrics", shows="fit_seconds")
    page.write("input[placeholder='Search metric charts']", "train_loss|validation_ndcg")
    page.run("document.head.insertAdjacentHTML('beforeend', '<style>.modebar{display:none}')")
    page.picture(images / "mlflow_run.png")


def _settings(experiment: str) -> str:
    """Return JavaScript: what MLflow's pages keep in the browser, as after some clicks."""
    table = {
        "selectedColumns": [
            "metrics.`validation_ndcg_at_10`",
            "metrics.`test_ndcg_at_10`",
        ]
    }
    kept = {
        f'MLflowLocalStorage-1.1-ExperimentPage-["{experiment}"]-ReactComponentState': table,
        "mlflow.workflowType_v1": "machine_learning",
        "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": True,
        "mlflow.assistant.panelOpen_v1": False,
    }
    return ";".join(
        f"localStorage.setItem({json.dumps(key)}, {json.dumps(json.dumps(value))})"
        for key, value in kept.items()
    )
