"""Options and arguments of the commands, declared once.

Paths are texts here: pathlib would take a slash from the addresses among them.
"""

from typing import Annotated

import typer

from recsparse.config.choices import Catalogue, IncludeUsers, OnUnknown, Sampler

ConfigPath = Annotated[str | None, typer.Option("--config", help="TOML configuration.")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="One setting, as in training.epochs=20.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
DatasetPath = Annotated[str, typer.Argument(help="Dataset folder.")]
ModelAddress = Annotated[str, typer.Argument(help="Model folder or MLflow address.")]
OutPath = Annotated[str, typer.Option(help="Where to write.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace what recsparse wrote there in another job.")
]
HistoryOf = Annotated[
    str | None, typer.Option("--dataset", help="Start from the rows of this dataset.")
]
HistoryLog = Annotated[
    list[str] | None, typer.Option(help="Log of the users' rows, in place of known ones.")
]
HistoryParts = Annotated[
    str | None,
    typer.Option(help="Parts of --dataset to start from, as in train,validation; all without it."),
]
NewItemsTable = Annotated[
    list[str] | None,
    typer.Option("--new-items", help="Table of items since the training, ranked by features."),
]
UnknownIds = Annotated[OnUnknown, typer.Option(help="What to do with unknown ids.")]
Memory = Annotated[
    str | None, typer.Option(help="Memory to use before spilling to disk, as in 4GB.")
]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads; all cores by default.")]
SpillFolder = Annotated[
    str | None,
    typer.Option("--spill", help="Folder for temporary files; by default next to --out."),
]
Logs = Annotated[
    list[str],
    typer.Argument(help="Parquet or CSV files, folders, globs, or addresses such as s3://…"),
]
ItemTable = Annotated[str | None, typer.Option(help="Table of items: text, features.")]
UserTable = Annotated[str | None, typer.Option(help="Table of users: text, features.")]
ValidationLogs = Annotated[list[str] | None, typer.Option(help="Logs that are all for validation.")]
TestLogs = Annotated[list[str] | None, typer.Option(help="Logs that are all for the test.")]
AppendTo = Annotated[
    str | None, typer.Option(help="Dataset to extend; its ids keep their indices.")
]
IdsFrom = Annotated[str | None, typer.Option(help="Dataset whose ids keep their indices here.")]
Again = Annotated[bool, typer.Option("--again", help="Take files again that were taken before.")]
OnlyNew = Annotated[
    bool, typer.Option("--only-new", help="Leave out files that were taken before.")
]
Where = Annotated[
    str | None, typer.Option(help="SQL condition on the rows, as in event = 'purchase'.")
]
Strict = Annotated[bool, typer.Option(help="Refuse a log with bad rows.")]
ContinueFrom = Annotated[
    str | None, typer.Option("--from", help="Model to continue from, where rows came since.")
]
Tries = Annotated[
    list[str] | None,
    typer.Option(
        "--try",
        help="Values of one setting of the model, as in factors=[32, 64], or their range, as in "
        "regularisation=1..1000 log.",
    ),
]
SamplerName = Annotated[
    Sampler | None, typer.Option("--sampler", help="How trials are drawn.", show_default=False)
]
MostTrials = Annotated[int | None, typer.Option("--trials", min=1, help="Most trials.")]
MostSeconds = Annotated[float | None, typer.Option("--seconds", help="Most seconds of trials.")]
Jobs = Annotated[int | None, typer.Option("--jobs", min=1, help="Processes that share the trials.")]
TestItems = Annotated[
    Catalogue | None,
    typer.Option(
        "--catalogue",
        help="Items that count: those of training, all, those that every model knows, or new ones "
        "among themselves; not given, those of training where they hold every test item, else all.",
    ),
]
TestUsers = Annotated[
    IncludeUsers | None,
    typer.Option(
        "--include-users", help="Users that count: all, those with training rows, or those without."
    ),
]
