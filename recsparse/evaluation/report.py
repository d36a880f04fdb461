"""The folder of a report: one page, its figures as JSON, and its tables in Parquet."""

from pathlib import Path

import pandas as pd

from recsparse.config.evaluation import EvaluationConfig
from recsparse.evaluation.comparison import Comparison
from recsparse.evaluation.comparison_tables import per_user_table
from recsparse.evaluation.pictures import plot_comparison
from recsparse.evaluation.report_json import report_json
from recsparse.evaluation.report_page import report_page
from recsparse.outputs.claim import Output, filled_folder
from recsparse.outputs.kinds import FolderKind

COMPARISON = "comparison.parquet"
PAGE, JSON = "report.html", "report.json"
_PER_USER, _GROUPS, _PICTURE = "metrics.parquet", "groups.parquet", "comparison.png"
_SLICES, _SIGNIFICANCE = "slices.parquet", "significance.parquet"
# A folder of these names is known as ours without a manifest, too.
_NAMES = (COMPARISON, _PER_USER, _PICTURE)
_OLDER_PAGE = "report.md"

REPORT = FolderKind(
    "report",
    "a report",
    lambda folder: all((folder / name).is_file() for name in _NAMES),
    (*_NAMES, _GROUPS, PAGE, JSON, _SIGNIFICANCE, _SLICES, _OLDER_PAGE),
)


def write_report(
    folder: str | Path | Output,
    compared: Comparison,
    options: EvaluationConfig | None = None,
    title: str = "test part",
) -> None:
    """Write a comparison: a page, its figures as JSON, its tables in Parquet, and a picture.

    | file | what |
    | --- | --- |
    | `report.html` | everything for people, in one file that needs no other |
    | `report.json` | everything for machines |
    | `comparison.parquet` | one row per model |
    | `groups.parquet` | the same of known and of new users, where there are both |
    | `slices.parquet` | one row per model, slice and metric, where there are slices |
    | `significance.parquet` | one row per metric and other model |
    | `metrics.parquet` | one row per model and user, with the user's id |
    | `comparison.png` | the first metric of each model |

    Args:
        folder: Where to write: a path, or a claimed output, whose older report is replaced in one
            step.
        compared: What to tell.
        options: Which users and items count; None where that was not chosen.
        title: What the models were compared on.

    Raises:
        OutputError: If it cannot be written.
    """
    tables = {
        COMPARISON: compared.table.reset_index(),
        _PER_USER: per_user_table(compared.results),
        _SLICES: compared.slices,
        _SIGNIFICANCE: _stacked("metric", compared.significance, "model"),
        _GROUPS: _stacked("group", compared.groups, "model"),
    }
    with filled_folder(folder, REPORT) as aside:
        for name, table in tables.items():
            if len(table):
                table.to_parquet(aside / name, index=False)
        plot_comparison(compared.results, compared.metric).savefig(aside / _PICTURE, dpi=120)
        told = report_json(compared, options, title)
        (aside / JSON).write_text(told, encoding="utf-8")
        page = report_page(compared, options, title).html()
        # Names of files may hold bytes that are no UTF-8.
        (aside / PAGE).write_text(page, encoding="utf-8", errors="replace")


def _stacked(key: str, tables: dict[str, pd.DataFrame], index: str) -> pd.DataFrame:
    named = {name: table.rename_axis(index) for name, table in tables.items()}
    return pd.concat(named, names=[key]).reset_index() if named else pd.DataFrame()
