"""What a request to a served model asks for besides its rows, and the histories that it brings."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from recsparse.config.choices import OnUnknown
from recsparse.config.request_params import REQUEST_PARAMS
from recsparse.datasets.data_settings import DataSettings
from recsparse.datasets.history_log import read_history
from recsparse.errors import InputError, nearest

_OF_LISTS = ("k", "filter_seen", "items", "explain")


@dataclass(frozen=True)
class Asked:
    """The parameters of a request.

    Attributes:
        k: Length of each list.
        filter_seen: Leave out the items of the user's history.
        on_unknown: For ids never seen: refuse the request (`error`), answer with null or without a
            list (`null`), or by what is popular of late (`popularity`).
        items: Recommend only these items; empty for all.
        explain: Say which items of the history brought each item its score.
        history: JSON: rows of a log as objects, or item ids alone, the oldest first; empty for
            none.
    """

    k: int
    filter_seen: bool
    on_unknown: OnUnknown
    items: list[int] | list[str]
    explain: bool
    history: str

    @classmethod
    def of(cls, params: Mapping[str, Any] | None) -> "Asked":
        """Return the parameters of a request, each that is not given by its default.

        Args:
            params: Names and values.

        Returns:
            All of them.

        Raises:
            InputError: If there is no such name, or a choice is none of its words.
        """
        given = {name: value for name, value in (params or {}).items() if value is not None}
        for name in given:
            if name not in REQUEST_PARAMS:
                known = nearest(name, REQUEST_PARAMS)
                raise InputError(f"a request has no parameter {name!r}; {known}")
        values, choices = REQUEST_PARAMS | given, get_args(OnUnknown)
        if (word := values["on_unknown"]) not in choices:
            raise InputError(f"on_unknown must be one of {', '.join(choices)}, but got {word!r}")
        return cls(**values)

    def require_pairs(self) -> None:
        """Refuse what only lists have.

        Raises:
            InputError: If a parameter of lists is set.
        """
        for name in _OF_LISTS:
            if getattr(self, name) != REQUEST_PARAMS[name]:
                raise InputError(
                    f"{name} is of lists, but the request has the column 'item_id', so it asks for "
                    f"scores of pairs; leave {name} or that column out"
                )

    def rows(self, users: pa.Array, settings: DataSettings, is_timed: bool) -> pa.Table | None:
        """Return the history that the request brings.

        Args:
            users: The ids that the request is about.
            settings: Of the model's dataset; the log is read by them.
            is_timed: Whether the model uses times.

        Returns:
            Rows as `TrainedModel.with_history` takes them; None where there are none.

        Raises:
            InputError: If it is no JSON list, breaks a rule of logs, or names items alone for
                several users.
        """
        if not self.history:
            return None
        rows = _parsed(self.history)
        if not rows:
            return None
        if not any(isinstance(row, dict) for row in rows):
            return _rows_of_one(users.unique(), rows)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "history.parquet"
            pq.write_table(_log(rows), path)
            return read_history(path, settings, in_order=is_timed)


def _parsed(history: str) -> list[Any]:
    try:
        rows = json.loads(history)
    except ValueError as error:
        raise _no_history(str(error)) from error
    if not isinstance(rows, list):
        raise _no_history(f"it is {history[:80]!r}")
    return rows


def _rows_of_one(users: pa.Array, items: list[Any]) -> pa.Table:
    if len(users) != 1:
        raise InputError(
            "a history of item ids alone must come with one user, whose it is, but the request has "
            f"{len(users)}; give rows with a user each, or one request per user"
        )
    try:
        ids = pa.array(items)
    except pa.ArrowException as error:
        raise _no_history(str(error)) from error
    # Their order is their time, which nobody needs to be warned of here.
    times = pa.array(range(len(ids)), pa.int64())
    user = pa.repeat(users[0], len(ids))
    return pa.table({"user_id": user, "item_id": ids, "timestamp": times})


def _log(rows: list[Any]) -> pa.Table:
    try:
        rows = [dict(row.items()) for row in rows]
        names = dict.fromkeys(name for row in rows for name in row)
        return pa.table({name: [row.get(name) for row in rows] for name in names})
    except (TypeError, AttributeError, pa.ArrowException) as error:
        raise _no_history(str(error)) from error


def _no_history(found: str) -> InputError:
    return InputError(
        "the history must be a JSON list of objects, one per row of the log, or of item ids, but "
        f"{found}"
    )
