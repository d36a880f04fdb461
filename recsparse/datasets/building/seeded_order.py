"""Random orders that depend on ids and a seed alone, not on the order of rows."""

from dataclasses import dataclass

import numpy as np

from recsparse.datasets.indexed_rows import Rows, first_of_user

# Bits of a random number that decide the order of a user's rows; the users and rows of a usual
# block take the other 42.
_KEY_BITS = 22


@dataclass(frozen=True, eq=False)
class Keys:
    """What random choices depend on: the seed and the ids, so that no order of rows matters.

    Attributes:
        users: uint64, one random number per user.
        items: uint64, one random number per item.
    """

    users: np.ndarray
    items: np.ndarray

    @classmethod
    def of(cls, user_hashes: np.ndarray, item_hashes: np.ndarray, seed: int) -> "Keys":
        """Mix a seed into the hashes of ids.

        Args:
            user_hashes: uint64, one hash per user.
            item_hashes: uint64, one hash per item.
            seed: Another seed gives other choices.

        Returns:
            The keys.
        """
        start = mixed(np.uint64(seed % 2**64) + np.arange(1, 3, dtype=np.uint64))
        return cls(mixed(user_hashes ^ start[0]), mixed(item_hashes ^ start[1]))

    def of_rows(self, rows: Rows) -> np.ndarray:
        """Return a random number for each row.

        Args:
            rows: Any rows.

        Returns:
            uint64; equal for rows of the same user and item.
        """
        return mixed(self.users[rows.user] ^ self.items[rows.item])


def mixed(numbers: np.ndarray) -> np.ndarray:
    """Scramble numbers one to one, by the finaliser of SplitMix64.

    Steele, Lea and Flood 2014 (https://doi.org/10.1145/2660193.2660195, figure 17).

    Args:
        numbers: uint64.

    Returns:
        uint64, hardly distinguishable from random.

    Example:
        >>> mixed(np.array([0, 1, 2], dtype=np.uint64)) % np.uint64(10)
        array([0, 9, 0], dtype=uint64)
    """
    # The shifts and factors are those of the paper.
    z = numbers ^ (numbers >> np.uint64(30))
    z = z * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def place_of_user(rows: Rows, key: np.ndarray) -> np.ndarray:
    """Return the place of each row among those of its user, by key, then in their order.

    Args:
        rows: Rows sorted by user.
        key: uint64, one number per row, of which the upper bits count.

    Returns:
        int64, from 0 for each user.
    """
    first = first_of_user(rows.user)
    size = np.diff([*first, len(rows)])
    user = np.repeat(np.arange(len(first), dtype=np.uint64), size)
    # As many bits of the key in every block, so that no other user's rows change the order.
    key = key >> np.uint64(64 - _KEY_BITS)
    user_bits, row_bits = len(first).bit_length(), len(rows).bit_length()
    if user_bits + _KEY_BITS + row_bits > 64:
        order: np.ndarray = np.lexsort([key, user])
    else:
        # One number per row, all different, sorts faster than several keys: the number of the user
        # within the block, the key, and where the row is.
        row = np.arange(len(rows), dtype=np.uint64)
        number = (user << np.uint64(_KEY_BITS) | key) << np.uint64(row_bits) | row
        order = np.sort(number) & np.uint64((1 << row_bits) - 1)
    place = np.empty(len(rows), dtype=np.int64)
    place[order] = np.arange(len(rows)) - np.repeat(first, size)
    return place
