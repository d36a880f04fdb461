"""A digest of ids by their values, however they lie in memory."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsparse.digest import digest


def digest_of_ids(ids: pa.Array | pa.ChunkedArray) -> str:
    """Return a SHA-256 of ids in their order.

    Chunks, offsets, dictionaries and the width of types make no difference; integers are told from
    text, and nulls from both.

    Args:
        ids: Integers or strings.

    Returns:
        64 hexadecimal digits.

    Example:
        >>> digest_of_ids(pa.chunked_array([["a"], ["b"]])) == digest_of_ids(pa.array(["a", "b"]))
        True
        >>> digest_of_ids(pa.array([1, 2])) == digest_of_ids(pa.array(["1", "2"]))
        False
    """
    if isinstance(ids, pa.ChunkedArray):
        ids = ids.combine_chunks()
    if pa.types.is_dictionary(ids.type):
        ids = ids.dictionary_decode()
    known = ids.is_valid().to_numpy(zero_copy_only=False)
    if pa.types.is_integer(ids.type):
        return digest(known, ids.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64))
    text = ids.cast(pa.large_string()).fill_null("")
    lengths = pc.binary_length(text).to_numpy(zero_copy_only=False)
    _, offsets, characters = text.buffers()
    if characters is None or not len(text):
        return digest(known, lengths, "")
    first, last = np.frombuffer(offsets, np.int64)[[text.offset, text.offset + len(text)]]
    return digest(known, lengths, np.frombuffer(characters, np.uint8)[first:last])
