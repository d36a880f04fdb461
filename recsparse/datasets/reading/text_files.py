"""Files of text, whose columns are of a type only once every value is known."""

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from recsparse.datasets.reading.find_files import NULL_TEXTS, Files
from recsparse.datasets.reading.fragments import READ_ERRORS, unreadable

NULLS = pa.array(NULL_TEXTS)
# Without leading zeros or a plus, so that the number is written as the text was.
_INTEGER = r"^(0|-?[1-9][0-9]*)$"


def is_text(files: Files) -> bool:
    """Tell whether files are of text.

    Args:
        files: Files of one format.

    Returns:
        False for Parquet.
    """
    return isinstance(files.format, ds.CsvFileFormat)


def are_integers(texts: pa.Array) -> bool:
    """Tell whether texts are what integers of 63 bits are written as.

    Args:
        texts: Texts; those that stand for null, as the empty one does, do not matter.

    Returns:
        False where one has a leading zero, a plus, a fraction or anything else.

    Example:
        >>> [are_integers(pa.array([text])) for text in ("7", "-7", "", "07", "+7", "7.0", "A7")]
        [True, True, True, False, False, False, False]
    """
    if not len(texts) or _all_match(texts):
        return _casts(texts, pa.int64())
    known = _known(texts)
    return _all_match(known) and _casts(known, pa.int64())


def are_numbers(texts: pa.Array) -> bool:
    """Tell whether texts are numbers.

    Args:
        texts: Texts; those that stand for null, as the empty one does, do not matter.

    Returns:
        Whether all are.
    """
    return _casts(_known(texts), pa.float64())


def column_types(
    found: Sequence[Files], schemas: Mapping[str, pa.Schema], names: Sequence[str]
) -> dict[str, pa.DataType]:
    """Read some columns of files of text and return the types that all their values have.

    Args:
        found: Files, of which those of text are read.
        schemas: The columns of each file.
        names: The columns.

    Returns:
        int64, float64 or string for each column that a file of text has; int64 where there is no
        value.

    Raises:
        InputError: If a file cannot be read.
    """
    types: dict[str, pa.DataType] = {}
    for files in filter(is_text, found):
        for file in files.names:
            there = [name for name in names if name in schemas[file].names]
            for name in there:
                types.setdefault(name, pa.int64())
            if any(types[name] != pa.string() for name in there):
                _look_into(files, file, there, types)
    return types


def _look_into(
    files: Files, file: str, names: Sequence[str], types: dict[str, pa.DataType]
) -> None:
    for batch in _batches(files, file, names):
        for name in names:
            types[name] = _widened(types[name], batch.column(name))
        if all(types[name] == pa.string() for name in names):
            return


def _widened(known: pa.DataType, texts: pa.Array) -> pa.DataType:
    if known == pa.int64() and are_integers(texts):
        return known
    is_number = known != pa.string() and are_numbers(texts)
    return pa.float64() if is_number else pa.string()


def _batches(files: Files, file: str, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    fragment = files.format.make_fragment(file, files.filesystem)
    schema = pa.schema([(name, pa.string()) for name in names])
    try:
        yield from fragment.to_batches(schema=schema, columns=list(names), batch_readahead=2)
    except READ_ERRORS as error:
        raise unreadable(file, files.format, error) from error


def _known(texts: pa.Array) -> pa.Array:
    known = texts.filter(pc.invert(pc.is_in(texts, NULLS))).drop_null()
    return pc.utf8_trim_whitespace(known)


def _all_match(texts: pa.Array) -> bool:
    return pc.all(pc.match_substring_regex(texts, _INTEGER)).as_py() is not False


def _casts(texts: pa.Array, kind: pa.DataType) -> bool:
    try:
        texts.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True
