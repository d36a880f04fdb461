"""Metrics of what is in a list: how popular, how alike, how new to the user its items are."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsparse.metrics.judged_lists import JudgedLists, ratio
from recsparse.metrics.ranking_metrics import Metric

# So much of the history's categories is mixed into those of the list, against infinity.
_STECK_ALPHA = 0.01


def _novelty(lists: JudgedLists, k: int) -> NDArray[np.float64]:
    return lists.mean_of(lists.context.bits, k)


def _arp(lists: JudgedLists, k: int) -> NDArray[np.float64]:
    return lists.mean_of(lists.context.rows, k)


def _aplt(lists: JudgedLists, k: int) -> NDArray[np.float64]:
    return lists.mean_of(lists.context.is_tail.astype(np.float64), k)


def _new_items(lists: JudgedLists, k: int) -> NDArray[np.float64]:
    return lists.mean_of((lists.context.rows == 0).astype(np.float64), k)


def _popularity_lift(lists: JudgedLists, k: int) -> NDArray[np.float64]:
    past = lists.past
    consumed = ratio(past @ lists.context.rows, np.diff(past.indptr))
    return ratio(lists.mean_of(lists.context.rows, k), np.nan_to_num(consumed)) - 1


def _ild(lists: JudgedLists, k: int) -> NDArray[np.float64]:
    units = lists.context.unit_vectors
    places = lists.places(k)
    total = places @ units
    squared = np.asarray(total.multiply(total).sum(axis=1)).ravel()
    known = places @ _are_known(units)
    # The square of a sum holds each pair twice, and each item with itself.
    alike = ratio(squared - known, known * (known - 1))
    return np.clip(1 - alike, 0.0, 2.0)


def _unexpectedness(lists: JudgedLists, k: int) -> NDArray[np.float64]:
    far, known = _distances(lists, lists.places(k))
    return ratio(far, known)


def _serendipity(lists: JudgedLists, k: int) -> NDArray[np.float64]:
    far, _ = _distances(lists, lists.hit_places(k))
    return far / k


def _distances(
    lists: JudgedLists, places: csr_matrix
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sum of the distances of items from their users' histories, and their number."""
    units, past = lists.context.unit_vectors, lists.past
    are_known = _are_known(units)
    history = past @ units
    alike = np.asarray((places @ units).multiply(history).sum(axis=1)).ravel()
    known = places @ are_known
    return known - ratio(alike, past @ are_known), known


def _calibration(lists: JudgedLists, k: int) -> NDArray[np.float64]:
    shares = lists.context.category_shares
    past, listed = (_profile(rows @ shares) for rows in (lists.past, lists.places(k)))
    row = np.repeat(np.arange(past.shape[0]), np.diff(past.indptr))
    p = past.data
    q = np.asarray(listed[row, past.indices]).ravel() if len(p) else p
    mixed = (1 - _STECK_ALPHA) * q + _STECK_ALPHA * p
    divergence = np.bincount(row, p * np.log(p / mixed), past.shape[0])
    is_known = (np.diff(past.indptr) > 0) & (np.diff(listed.indptr) > 0)
    return np.where(is_known, np.maximum(divergence, 0.0), np.nan)


def _profile(totals: csr_matrix) -> csr_matrix:
    """Return rows that sum to 1; empty ones stay empty."""
    rows = csr_matrix(totals)
    rows.eliminate_zeros()
    sums = np.asarray(rows.sum(axis=1)).ravel()
    scaled = rows.data / np.repeat(sums, np.diff(rows.indptr))
    return csr_matrix((scaled, rows.indices, rows.indptr), shape=rows.shape)


def _are_known(units: csr_matrix) -> NDArray[np.float64]:
    return (np.diff(units.indptr) > 0).astype(np.float64)


OF_ITEMS: Mapping[str, Metric] = {
    "novelty": _novelty,
    "arp": _arp,
    "aplt": _aplt,
    "popularity_lift": _popularity_lift,
    "new_items": _new_items,
    "ild": _ild,
    "unexpectedness": _unexpectedness,
    "serendipity": _serendipity,
    "calibration": _calibration,
}
