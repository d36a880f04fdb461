"""Public data sets that tests read where they are: in the folder that `RECSPARSE_DATA` names."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

VARIABLE = "RECSPARSE_DATA"


@dataclass(frozen=True)
class PublicData:
    """The folder of all sets; `data / "gowalla"` skips the test where there is no such set."""

    folder: Path

    @classmethod
    def of_environment(cls) -> "PublicData":
        """Return the folder that the environment names, or skip the test."""
        named = os.environ.get(VARIABLE)
        if not named:
            pytest.skip(f"no public data: set {VARIABLE} to a folder of the sets")
        return cls(Path(named))

    def __truediv__(self, path: str) -> Path:
        found = self.folder / path
        if not found.exists():
            pytest.skip(f"no {path} in {self.folder}, which {VARIABLE} names")
        return found
