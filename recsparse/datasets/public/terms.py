"""The terms of a public data set: what its owners ask of its users."""

from dataclasses import dataclass
from pathlib import Path

from recsparse.files.atomic import atomic_file

LICENCE, CITATION = "LICENCE.txt", "CITATION"


@dataclass(frozen=True)
class Terms:
    """The terms of a data set.

    Attributes:
        licence: What is allowed, in our words, and where the owners' own text is.
        citation: What a publication that uses the set has to cite.
    """

    licence: str
    citation: str

    def write(self, folder: Path) -> None:
        """Write both as text files into a folder; files that are there stay.

        Args:
            folder: An existing folder.

        Raises:
            OutputError: If the folder cannot be written.
        """
        for name, text in ((LICENCE, self.licence), (CITATION, self.citation)):
            if not (folder / name).exists():
                with atomic_file(folder / name) as aside:
                    aside.write_text(f"{text}\n", encoding="utf-8")
