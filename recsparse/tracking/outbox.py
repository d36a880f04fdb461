"""What a run is to hold, and what of it could not be sent yet."""

import json
import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Any, Literal

from recsparse.errors import InputError, reason
from recsparse.files.atomic import atomic_file, make_folder
from recsparse.tracking.held_signals import held_signals
from recsparse.tracking.root_cause import root_cause
from recsparse.tracking.store import without_password

logger = logging.getLogger(__name__)

RECORDS = "records.jsonl"
_ASK_AGAIN_SECONDS = 60.0
# In the place of a model's id: that of the model that the run has logged, whichever it is.
ITS_MODEL = "of the run"

Kind = Literal[
    "params", "metrics", "tags", "dataset", "inputs", "model_params", "model_tags", "file", "table",
    "model", "register", "end",
]  # fmt: skip


@dataclass(frozen=True)
class Record:
    """One thing that a run is to hold.

    Attributes:
        kind: What it is.
        uri: The store.
        run_id: The run.
        values: Of this kind.
        file: The file that goes with it.
    """

    kind: Kind
    uri: str
    run_id: str
    values: Mapping[str, Any]
    file: Path | None = None

    def file_there(self) -> Path:
        """Return the file.

        Returns:
            Its path.

        Raises:
            InputError: If there is none.
        """
        if self.file is None or not self.file.is_file():
            raise InputError(f"{self.file} must be there, but is not")
        return self.file


# Sends a record and returns what the store calls it; raises `Refused` where asking again is vain.
Deliver = Callable[[Record], str | None]


class Refused(Exception):  # noqa: N818 — no fault of the job
    """A store has answered that it will not take a record."""


class Outbox:
    """Sends records, and keeps in a folder what cannot be sent.

    After a first failure records are kept at once, since each attempt may take long. Once a minute,
    and before a model is sent, the store is asked whether it is back; then, and when the box is
    closed, all that was kept is tried again.

    Args:
        folder: Where to keep; it is made when the first record is kept.
        deliver: Sends one.
        error: Why nothing can be sent, where that is known already.
        is_back: Says soon whether the store answers.
    """

    def __init__(
        self,
        folder: Path,
        deliver: Deliver,
        error: str = "",
        is_back: Callable[[], bool] = lambda: False,
    ) -> None:
        self.folder, self._deliver, self._error = folder, deliver, error
        self._is_back, self._asked = is_back, time.monotonic()
        self._kept, self._is_down = 0, bool(error)

    def post(self, record: Record) -> str | None:
        """Send a record, or keep it.

        Args:
            record: The record.

        Returns:
            What the store calls it; None for a kept one.
        """
        if self._is_down and not self._has_caught_up(record.kind):
            self._keep(record)
            return None
        try:
            # Models are large, and other records soon sent.
            with nullcontext() if record.kind == "model" else held_signals():
                return self._deliver(record)
        except Exception as error:
            # A store may fail in any way that its plug-ins have; the model must not be lost to it.
            self._is_down = not isinstance(error, Refused)
            self._error = self._error or root_cause(error)
            self._keep(record)
            return None
        except BaseException:
            self._keep(record)
            raise

    def close(self, retry: bool = True) -> None:
        """Try once more what was kept, and warn of what is left.

        Args:
            retry: Whether to try.
        """
        if not self._kept or not self.folder.is_dir():
            return
        left = send_kept(self.folder, self._deliver) if retry else self._kept
        if left:
            uri = read_records(self.folder)[0].uri
            logger.warning(
                "%d records of this run could not be sent to %s (%s); they are kept in %s; send "
                "them with: recsparse runs %s --sync",
                left, without_password(uri), self._error, self.folder,
                quote(str(self.folder.parent.parent)),
            )  # fmt: skip

    def _has_caught_up(self, kind: Kind) -> bool:
        now = time.monotonic()
        if kind != "model" and now < self._asked + _ASK_AGAIN_SECONDS:
            return False
        self._asked = now
        if not self._is_back():
            return False
        self._kept = send_kept(self.folder, self._deliver) if self.folder.is_dir() else 0
        self._is_down = self._kept > 0
        return not self._is_down

    def _keep(self, record: Record) -> None:
        try:
            make_folder(self.folder)
            number = len(list(self.folder.iterdir()))
            if record.file is not None and record.file.is_file():
                copy = self.folder / f"{number:04d}" / record.file.name
                make_folder(copy.parent)
                record = replace(record, file=Path(shutil.copyfile(record.file, copy)))
            with (self.folder / RECORDS).open("a", encoding="utf-8") as lines:
                lines.write(_to_line(self.folder, record))
            self._kept += 1
        except OSError as error:
            logger.warning("%s of this run could be neither sent nor kept: %s", record.kind, error)


def send_kept(folder: Path, deliver: Deliver) -> int:
    """Send what an outbox has kept; what is sent is removed, and the folder when nothing is left.

    Args:
        folder: Folder of an outbox.
        deliver: Sends one record.

    Returns:
        How many records are left.
    """
    left = read_records(folder)
    try:
        for record in [*left]:
            try:
                deliver(record)
            except Refused as error:
                logger.warning(
                    "%s of the run %s was refused: %s", record.kind, record.run_id, error
                )
                continue
            except Exception as error:
                logger.info("%s cannot be sent: %s", record.kind, error)
                break
            left.remove(record)
    finally:
        _write(folder, left)
    return len(left)


def read_records(folder: Path) -> list[Record]:
    """Return what an outbox has kept.

    Args:
        folder: Folder of an outbox.

    Returns:
        The records, in the order in which they were posted.

    Raises:
        InputError: If the file is damaged.
    """
    text = (folder / RECORDS).read_text(encoding="utf-8")
    # A process that was killed may have left half a line.
    lines = text.splitlines() if text.endswith("\n") else text.splitlines()[:-1]
    try:
        return [_from_line(folder, line) for line in lines]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder / RECORDS} must hold one record per line, but {reason(error)}; remove the "
            "folder if nothing of it is needed"
        ) from error


def _to_line(folder: Path, record: Record) -> str:
    values = {
        "kind": record.kind,
        "uri": record.uri,
        "run_id": record.run_id,
        "values": dict(record.values),
        "file": None if record.file is None else str(record.file.relative_to(folder)),
    }
    return json.dumps(values, ensure_ascii=False) + "\n"


def _from_line(folder: Path, line: str) -> Record:
    values = json.loads(line)
    name = values.pop("file")
    if name is not None and (Path(name).is_absolute() or ".." in Path(name).parts):
        raise ValueError(f"{name} is not in the folder")
    return Record(**values, file=None if name is None else folder / name)


def _write(folder: Path, records: Sequence[Record]) -> None:
    if not records:
        shutil.rmtree(folder)
        return
    with atomic_file(folder / RECORDS) as aside:
        lines = [_to_line(folder, record) for record in records]
        aside.write_text("".join(lines), encoding="utf-8")
