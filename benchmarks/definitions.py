"""How other libraries define the metrics of the same name, and how far figures part on real data.

`python -m benchmarks.definitions [--folder .definitions] [--out FILE]`

EASE on MovieLens-100K, a fifth of whose rows, drawn at random, are the test. Every library gets the
same lists and targets, in a virtual environment of its own, which is made in the folder where it is
not there; `benchmarks/rivals/definitions` has their requirements and what is called of each. Then
the same figures of ours where equal scores are put in other orders.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
import typer
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from benchmarks.measuring.public_data import public_path
from benchmarks.measuring.tables import markdown
from recsparse.cli.exit import exit_on_error
from recsparse.config.linear_models import EASEConfig
from recsparse.errors import InputError
from recsparse.metrics.ranking_metrics import BY_TARGETS, ranking_metrics
from recsparse.metrics.top_k import top_k_unseen
from recsparse.models.registry import build_model

SCRIPTS = Path(__file__).parent / "rivals" / "definitions"
LIBRARIES = ("lenskit", "rectools", "recbole", "mlflow", "ir_measures")
K, ORDERS = 10, 20


@dataclass(frozen=True, eq=False)
class Case:
    """What is ranked.

    Attributes:
        scores: Users × items.
        history: Users × items that are not recommended.
        targets: Users × items that should be, with ratings.
    """

    scores: torch.Tensor
    history: csr_matrix
    targets: csr_matrix

    @classmethod
    def of_rows(cls, user: NDArray[np.int64], item: NDArray[np.int64], rating: Any) -> "Case":
        """Fit EASE on four fifths of some rows.

        Args:
            user: Of each row, from 0 on.
            item: Of each row, from 0 on.
            rating: Of each row.

        Returns:
            The users with rows in both parts.
        """
        is_test = np.random.default_rng(0).random(len(user)) < 0.2
        shape = int(user.max()) + 1, int(item.max()) + 1
        history, targets = (
            csr_matrix((np.asarray(rating[some], float), (user[some], item[some])), shape=shape)
            for some in (~is_test, is_test)
        )
        seen = csr_matrix((history > 0).astype(np.float32))
        scores = build_model(EASEConfig(regularisation=200.0)).fit(seen).score_batch(seen)
        both = np.flatnonzero((np.diff(history.indptr) > 0) & (np.diff(targets.indptr) > 0))
        return cls(scores[torch.from_numpy(both)], history[both], targets[both])

    def lists(self, short: bool) -> torch.Tensor:
        """Return the best items of each user.

        Args:
            short: Whether the lists are of 1 to 10 items, as those of a system that has no more to
                say; else all are of 10.

        Returns:
            Users × 10, -1 for no item.
        """
        best = top_k_unseen(self.scores, self.history, K)
        length = torch.arange(len(best)) % K + 1
        return best.where(torch.arange(K) < length[:, None], -1) if short else best

    def given(self, short: bool) -> dict[str, Any]:
        """Return lists and targets as every library can read them.

        Args:
            short: As in `lists`.

        Returns:
            `lists`: of each user the best items with their scores; `targets`: the rating of each.
        """
        lists = {
            str(user): [[str(item), float(self.scores[user, item])] for item in items if item >= 0]
            for user, items in enumerate(self.lists(short).tolist())
        }
        targets = {
            str(user): dict(zip(map(str, row.indices.tolist()), row.data.tolist(), strict=True))
            for user, row in enumerate(self.targets)
        }
        return {"k": K, "lists": lists, "targets": targets}

    def figures(self, short: bool) -> dict[str, float]:
        """Evaluate with recsparse.

        Args:
            short: As in `lists`.

        Returns:
            Mean of each metric.
        """
        found = ranking_metrics(self.lists(short), self.targets, [K], [*BY_TARGETS])
        return {name: float(values.mean()) for name, values in found.items()}

    def ndcg(self, order: NDArray[np.int64]) -> float:
        """Evaluate with recsparse.

        Args:
            order: Of the catalogue, by which equal scores are ranked.

        Returns:
            Mean nDCG.
        """
        scores = self.scores[:, torch.from_numpy(order)]
        best = top_k_unseen(scores, self.history[:, order], K)
        return float(ranking_metrics(best, self.targets[:, order], [K])[f"ndcg@{K}"].mean())


def movielens() -> Case:
    """Read MovieLens-100K.

    Returns:
        The case.

    Raises:
        MissingFileError: If it is not there.
    """
    rows = pd.read_parquet(public_path("movielens-100k/interactions.parquet"))
    user, item = (rows[name].to_numpy(np.int64) - 1 for name in ("user_id", "item_id"))
    return Case.of_rows(user, item, rows["rating"].to_numpy())


def asked(library: str, python: str | Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Have a library compute its figures.

    Args:
        library: The name of its script.
        python: The interpreter that has it.
        given: Lists and targets.

    Returns:
        `version`, and by the name of our metric the `call` of the library and its `value`.

    Raises:
        InputError: If it fails.
    """
    done = subprocess.run(
        [str(python), str(SCRIPTS / f"{library}_figures.py")],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.splitlines() or ["nothing"])[-1]
        raise InputError(f"{library} must give its figures, but ended with {last}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def environment(library: str, folder: Path) -> Path:
    """Return the interpreter of a library's environment, which is made where it is not there.

    Args:
        library: The name of its requirements.
        folder: Of the environments.

    Returns:
        The interpreter.
    """
    python = folder / library / "bin" / "python"
    ready = folder / library / "ready"
    if not ready.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder / library], check=True)
        wanted = SCRIPTS / f"{library}.txt"
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", wanted], check=True)
        ready.touch()
    return python


def differences(case: Case, library: str, python: str | Path) -> list[dict[str, object]]:
    """Put a library's figures beside ours.

    Args:
        case: What is ranked.
        library: The name of its script.
        python: The interpreter that has it.

    Returns:
        A row for each of their figures, of lists of 10 and of short ones.
    """
    rows: dict[str, dict[str, object]] = {}
    for short, kind in ((False, "lists of 10"), (True, "lists of 1 to 10")):
        own, found = case.figures(short), asked(library, python, case.given(short))
        name = f"{found['library']} {found['version']}"
        for figure in found["figures"]:
            call, ours = figure["call"], f"`{figure['metric']}@{K}`"
            row = rows.setdefault(call, {"library": name, "its metric": f"`{call}`", "ours": ours})
            ratio = figure["value"] / own[f"{figure['metric']}@{K}"] - 1
            row[kind] = f"{figure['value']:.5f}"
            row[f"{kind}, against ours"] = _parted(ratio)
    return [*rows.values()]


def _parted(ratio: float) -> str:
    return "the same" if abs(ratio) < 1e-6 else f"{ratio:+.2%}"


def ties(case: Case) -> list[dict[str, object]]:
    """Measure what the order of equal scores does.

    Args:
        case: What is ranked.

    Returns:
        A row for each kind of scores: nDCG with the lower and the higher item first, and the least
        and the largest of several random orders.
    """
    items = np.arange(case.scores.shape[1])
    rng = np.random.default_rng(0)
    rows_of = torch.from_numpy(np.asarray(case.history.getnnz(axis=0), dtype=np.float32))
    kinds = {
        "EASE": case.scores,
        "EASE, scores rounded to two decimals": case.scores.round(decimals=2),
        "EASE, scores rounded to one decimal": case.scores.round(decimals=1),
        "training rows of the item": rows_of.expand(case.scores.shape),
    }
    rows: list[dict[str, object]] = []
    for kind, scores in kinds.items():
        ndcg = replace(case, scores=scores).ndcg
        others = [ndcg(rng.permutation(items)) for _ in range(ORDERS)]
        rows.append(
            {
                "scores": kind,
                "lower item first": f"{ndcg(items):.5f}",
                "higher item first": f"{ndcg(items[::-1].copy()):.5f}",
                f"as they come, {ORDERS} orders": f"{min(others):.5f} to {max(others):.5f}",
            }
        )
    return rows


def run(
    folder: Annotated[Path, typer.Option(help="For the environments.")] = Path(".definitions"),
    out: Annotated[Path | None, typer.Option(help="File of the tables, as markdown.")] = None,
) -> None:
    """Show what other libraries make of the same lists."""
    case = movielens()
    rows: list[dict[str, object]] = []
    for library in LIBRARIES:
        rows += differences(case, library, environment(library, folder))
    tables = markdown("The same lists, by other libraries", pd.DataFrame(rows))
    tables += markdown(f"ndcg@{K} by the order of equal scores", pd.DataFrame(ties(case)))
    typer.echo(tables)
    if out:
        out.write_text(tables, encoding="utf-8")


if __name__ == "__main__":
    exit_on_error(partial(typer.run, run))
