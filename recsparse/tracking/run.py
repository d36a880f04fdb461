"""A run of MLflow, and what is recorded in it."""

import json
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from recsparse.digest import folder_digest
from recsparse.files.addresses import absolute
from recsparse.files.filesystems import fetched
from recsparse.tracking.data_input import (
    CONTEXTS,
    DataInput,
    data_digest,
    data_input,
    part_of_metric,
)
from recsparse.tracking.outbox import Kind, Outbox, Record

# Rows that show a schema.
SCHEMA_ROWS = 5


@dataclass(frozen=True)
class Run:
    """A running MLflow run; what cannot be sent is kept next to the job's output.

    Attributes:
        run_id: MLflow's own id of the run.
        uri: The store that holds it.
        outbox: Sends what is recorded.
        recorded: Epochs whose figures the run has from before, by the figure's name in MLflow;
            these are not recorded again.
        model_id: The logged model that the run makes, which gets its parameters, tags and figures
            as well; None where it makes none.
        data: Name and digest of the data that the figures of a part are of; `log_inputs` fills it.
    """

    run_id: str
    uri: str
    outbox: Outbox
    recorded: Mapping[str, Set[int]] = field(default_factory=dict)
    model_id: str | None = None
    data: dict[str, tuple[str, str]] = field(default_factory=dict)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Record settings, nested ones under dotted names.

        Args:
            params: Names and values.
        """
        values = {name: str(value) for name, value in _flat(params).items()}
        self._post("params", values)
        if self.model_id is not None:
            self._post("model_params", {"model_id": self.model_id, "params": values})

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Record figures; `@` becomes `_at_`, since MLflow refuses it in a name.

        Those whose name starts with a part of the data, as in `test_ndcg@10`, are of the data that
        `log_inputs` has recorded for it.

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
            told = {"metrics": values, "step": step or 0, "time": _now()}
            parts = {part_of_metric(name) for name in values}
            data = {part: named for part, named in self.data.items() if part in parts}
            self._post("metrics", {**told, "model_id": self.model_id, "data": data})

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags in the place of those of the same names.

        Args:
            tags: Names and values; none are no record.
        """
        if not tags:
            return
        self._post("tags", tags)
        if self.model_id is not None:
            self._post("model_tags", {"model_id": self.model_id, "tags": dict(tags)})

    def log_inputs(self, data: Sequence[DataInput], model_runs: Sequence[str] = ()) -> None:
        """Record what the run reads; the figures that follow are of these data.

        Args:
            data: Parts of datasets.
            model_runs: Runs of the same store whose models are read.
        """
        self.data.update({each.part: (each.name, each.digest) for each in data})
        told = {"datasets": [each.record() for each in data], "model_runs": [*model_runs]}
        if data or model_runs:
            self._post("inputs", told)

    def log_dataset(self, folder: str | Path, first: pd.DataFrame, rows: int, context: str) -> None:
        """Record which data the run saw: the schema, the size, and a digest of all its bytes.

        Args:
            folder: The dataset folder.
            first: Some of its rows, which show the schema.
            rows: How many there are of what it served for.
            context: What it served for, such as "training".
        """
        part = next((part for part, each in CONTEXTS.items() if each == context), context)
        sizes = {"num_rows": rows}
        self.log_inputs([data_input(folder, part, data_digest(folder), first, sizes)])

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
        instead: Mapping[str, str] | None = None,
        modules: Collection[str] = (),
    ) -> str | None:
        """Record a model folder as an MLflow model that loads without pickle.

        Args:
            folder: The model folder, or its address.
            example: Rows to score and their scores; they give the signature.
            register_as: Name in the registry; None registers nothing.
            instead: Contents of TOML files, by name, that the logged model holds in the place of
                the files of the folder that are named alike but for their ending.
            modules: Names of the user's own modules that the model is of; their code goes with it.

        Returns:
            The model's address, good for `recsparse.load` and `mlflow.pyfunc.load_model`; None
            where it could not be sent.
        """
        digest = folder_digest(fetched(folder))
        values: dict[str, Any] = {"folder": absolute(folder), "digest": digest}
        values |= {"model_id": self.model_id, "instead": dict(instead or {})}
        values["modules"] = [*modules]
        with _file_named("example.parquet") as path:
            pd.concat(example, axis="columns").to_parquet(path)
            address = self._post("model", values, path)
        if register_as is not None:
            self._post("register", {"name": register_as, "address": address})
        return address

    def end(self, status: str, time: int | None = None) -> None:
        """Record how the run ended.

        Args:
            status: `FINISHED`, `FAILED` or `KILLED`.
            time: When, in milliseconds since 1970, UTC; None for now.
        """
        ended = _now() if time is None else time
        self._post("end", {"status": status, "time": ended, "model_id": self.model_id})

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
