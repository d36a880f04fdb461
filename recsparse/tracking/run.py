"""A run of MLflow, and what is recorded in it."""

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from mlflow.data.pandas_dataset import from_pandas

from recsparse.digest import folder_digest
from recsparse.files.addresses import absolute
from recsparse.files.filesystems import fetched
from recsparse.tracking.outbox import Kind, Outbox, Record

# Rows that show a schema.
SCHEMA_ROWS = 5
# The longest digest that MLflow takes.
_DIGEST_LENGTH = 36


@dataclass(frozen=True)
class Run:
    """A running MLflow run; what cannot be sent is kept next to the job's output.

    Attributes:
        run_id: MLflow's own id of the run.
        uri: The store that holds it.
        outbox: Sends what is recorded.
        recorded: Epochs whose figures the run has from before, by the figure's name in MLflow;
            these are not recorded again.
    """

    run_id: str
    uri: str
    outbox: Outbox
    recorded: Mapping[str, Set[int]] = field(default_factory=dict)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Record settings, nested ones under dotted names.

        Args:
            params: Names and values.
        """
        values = {name: str(value) for name, value in _flat(params).items()}
        self._post("params", values)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Record figures; `@` becomes `_at_`, since MLflow refuses it in a name.

        Args:
            metrics: Names and values.
            step: The epoch, where there is one.
        """
        values = {name.replace("@", "_at_"): float(value) for name, value in metrics.items()}
        if step is not None:
            values = {
                name: value
                for name, value in values.items()
                if step not in self.recorded.get(name, ())
            }
        if values:
            self._post("metrics", {"metrics": values, "step": step or 0, "time": _now()})

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags in the place of those of the same names.

        Args:
            tags: Names and values; none are no record.
        """
        if tags:
            self._post("tags", tags)

    def log_dataset(self, folder: str | Path, first: pd.DataFrame, rows: int, context: str) -> None:
        """Record which data the run saw: the schema, the size, and a digest of all its bytes.

        Args:
            folder: The dataset folder.
            first: Some of its rows, which show the schema.
            rows: How many there are of what it served for.
            context: What it served for, such as "training".
        """
        digest = folder_digest(folder)[:_DIGEST_LENGTH]
        given = from_pandas(first, source=str(folder), name=Path(folder).name, digest=digest)
        profile = json.dumps({"num_rows": rows})
        self._post("dataset", {**given.to_dict(), "profile": profile, "context": context})

    def log_config(self, config: Mapping[str, Any], name: str = "config.json") -> None:
        """Record the whole configuration as an artifact of that name."""
        with _file_named(name) as path:
            path.write_text(json.dumps(dict(config), indent=2, default=str), encoding="utf-8")
            self._post("file", {}, path)

    def log_figure(self, figure: Figure, name: str) -> None:
        """Record a picture as an artifact whose name ends in .png."""
        with _file_named(name) as path:
            figure.savefig(path)
            self._post("file", {}, path)

    def log_table(self, table: pd.DataFrame, name: str) -> None:
        """Record a table, which MLflow shows, as an artifact whose name ends in .json."""
        with _file_named(name) as path:
            path.write_text(json.dumps(table.to_dict("list"), default=str), encoding="utf-8")
            self._post("table", {}, path)

    def log_file(self, path: str | Path) -> None:
        """Record a file as it is, under its own name."""
        self._post("file", {}, Path(path))

    def log_model(
        self,
        folder: str | Path,
        example: tuple[pd.DataFrame, pd.DataFrame],
        register_as: str | None,
    ) -> str | None:
        """Record a model folder as an MLflow model that loads without pickle.

        Args:
            folder: The model folder, or its address.
            example: Rows to score and their scores; they give the signature.
            register_as: Name in the registry; None registers nothing.

        Returns:
            The model's address, good for `recsparse.load` and `mlflow.pyfunc.load_model`; None
            where it could not be sent.
        """
        values = {"folder": absolute(folder), "digest": folder_digest(fetched(folder))}
        with _file_named("example.parquet") as path:
            pd.concat(example, axis="columns").to_parquet(path)
            address = self._post("model", values, path)
        if register_as is not None:
            self._post("register", {"name": register_as, "address": address})
        return address

    def end(self, status: str) -> None:
        """Record how the run ended: `FINISHED`, `FAILED` or `KILLED`."""
        self._post("end", {"status": status, "time": _now()})

    def _post(self, kind: Kind, values: Mapping[str, Any], file: Path | None = None) -> str | None:
        return self.outbox.post(Record(kind, self.uri, self.run_id, values, file))


@contextmanager
def _file_named(name: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / name


def _now() -> int:
    return time.time_ns() // 1_000_000


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat
