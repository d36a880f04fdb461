"""Options that several commands share, declared once."""

from pathlib import Path
from typing import Annotated

import typer

from recsparse.config import OnUnknown

ConfigPath = Annotated[Path | None, typer.Option("--config", help="TOML configuration.")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="One setting, as in training.epochs=20.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
DatasetPath = Annotated[Path, typer.Argument(help="Dataset folder.")]
ModelAddress = Annotated[str, typer.Argument(help="Model folder or MLflow address.")]
OutPath = Annotated[Path, typer.Option(help="Where to write.")]
HistoryOf = Annotated[
    Path | None, typer.Option("--dataset", help="Start from all rows of this dataset.")
]
UnknownIds = Annotated[OnUnknown, typer.Option(help="What to do with ids never seen.")]
Memory = Annotated[
    str | None, typer.Option(help="What to hold before spilling to disk, as in 4GB.")
]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads; all cores by default.")]
SpillFolder = Annotated[
    Path | None, typer.Option("--spill", help="Folder for temporary files; beside --out.")
]
