"""ItemTable: how a table of new items is read, kept as the files that say so."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recsparse.datasets.features.fitted_features import FittedFeatures

_PREFIX = "item"
# What `FittedFeatures.save` writes; the second one where there is text.
FILES = ("item_features.json", "item_words.parquet")


@dataclass(frozen=True, eq=False)
class ItemTable:
    """What was fitted of the features of items, not yet parsed: most jobs never read a table.

    Attributes:
        files: The content of each file, by its name.
    """

    files: Mapping[str, bytes]

    @classmethod
    def of(cls, fitted: "FittedFeatures") -> "ItemTable":
        """Keep what was fitted.

        Args:
            fitted: Vocabulary, categories and scales.

        Returns:
            The files that say so.
        """
        with tempfile.TemporaryDirectory() as folder:
            fitted.save(Path(folder), _PREFIX)
            return cls.found_in(Path(folder), FILES)

    @classmethod
    def found_in(cls, folder: Path, names: tuple[str, ...]) -> "ItemTable":
        """Read the files of a folder.

        Args:
            folder: Where they are.
            names: Those that may be there.

        Returns:
            Their content.
        """
        paths = [folder / name for name in names]
        return cls({path.name: path.read_bytes() for path in paths if path.is_file()})

    def write(self, folder: Path) -> None:
        """Write the files.

        Args:
            folder: Where to.
        """
        for name, content in self.files.items():
            (folder / name).write_bytes(content)

    def fitted(self) -> "FittedFeatures":
        """Parse the files.

        Returns:
            What was fitted.

        Raises:
            InputError: If a file is damaged.
            MissingFileError: If one is missing.
        """
        # Imported here, with all that reads tables: most jobs need nothing of it.
        from recsparse.datasets.features.fitted_features import FittedFeatures

        with tempfile.TemporaryDirectory() as folder:
            self.write(Path(folder))
            return FittedFeatures.load(Path(folder), _PREFIX)
