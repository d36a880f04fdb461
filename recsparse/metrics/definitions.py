"""What every metric is: its formula, where it is from, and which of two values is the better."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from recsparse.metrics.rating_metrics import RATING_FORMULAS

Better = Literal["higher", "lower", "neither"]


@dataclass(frozen=True)
class Definition:
    """A metric in words.

    Attributes:
        formula: For one user or list; where it says so, of all lists together.
        source: Who defined it, or measures it so.
        better: Which of two values is the better one.
    """

    formula: str
    source: str
    better: Better = "higher"


_TREC = "trec_eval (Buckley & Voorhees, NIST)"

DEFINITIONS: Mapping[str, Definition] = {
    "ndcg@k": Definition(
        "sum over hits of 1 / log2(rank + 1), divided by that of an ideal list: "
        "min(k, targets) hits at the top",
        "Järvelin & Kekäläinen 2002, ACM TOIS 20(4), with the discount of Burges et al. 2005",
    ),
    "ndcg_linear@k": Definition(
        "sum over hits of weight / log2(rank + 1), divided by that of an ideal list: the k "
        "heaviest targets in falling order; weights below 0 count as 0",
        "Järvelin & Kekäläinen 2002; trec_eval's ndcg_cut",
    ),
    "ndcg_exp@k": Definition(
        "as ndcg_linear@k, of 2^weight − 1 instead of the weight",
        "Burges et al. 2005, Learning to rank using gradient descent, ICML",
    ),
    "recall@k": Definition("hits in the first k, divided by targets", _TREC),
    "capped_recall@k": Definition(
        "hits in the first k, divided by min(k, targets)",
        "Liang et al. 2018, Variational autoencoders for collaborative filtering, WWW",
    ),
    "precision@k": Definition("hits in the first k, divided by k", _TREC),
    "map@k": Definition(
        "sum over hits of the precision at their rank, divided by targets", f"{_TREC}, map_cut"
    ),
    "mrr@k": Definition(
        "1 / rank of the first hit, 0 without a hit", "Voorhees 1999, The TREC-8 QA track"
    ),
    "hit_rate@k": Definition(
        "1 if there is a hit in the first k, else 0",
        "Deshpande & Karypis 2004, ACM TOIS 22(1)",
    ),
    "auc": Definition(
        "share of the pairs of a target and another ranked item in which the target scores higher; "
        "of equal scores half; a target that cannot be ranked loses all pairs",
        "Rendle et al. 2009, BPR, UAI; ties as Hanley & McNeil 1982, Radiology 143(1)",
    ),
    "novelty@k": Definition(
        "mean over the first k of −log2(training rows of the item / all training rows), in bits; "
        "an item without training rows counts as one with one row",
        "Vargas & Castells 2011, Rank and relevance in novelty and diversity metrics, RecSys",
    ),
    "arp@k": Definition(
        "average recommendation popularity: mean over the first k of the item's training rows",
        "Yin et al. 2012, Challenging the long tail recommendation, VLDB 5(9)",
        "neither",
    ),
    "aplt@k": Definition(
        "average percentage of long-tail items: share of the first k outside of the short head, "
        "the fewest items that hold 80 % of the training rows",
        "Abdollahpouri et al. 2019, Managing popularity bias with personalized re-ranking, FLAIRS",
        "neither",
    ),
    "popularity_lift@k": Definition(
        "mean training rows of the first k, divided by those of the user's history, less 1; "
        "undefined without a history",
        "Abdollahpouri et al. 2020, The connection between popularity bias, calibration, and "
        "fairness in recommendation, RecSys",
        "neither",
    ),
    "new_items@k": Definition(
        "share of the first k that has no training row", "of this package", "neither"
    ),
    "ild@k": Definition(
        "intra-list diversity: mean over the pairs of the first k of 1 − cosine of their features; "
        "items without features are left out, a list of fewer than two others is undefined",
        "Smyth & McClave 2001, Similarity vs. diversity, ICCBR; Ziegler et al. 2005, WWW",
    ),
    "unexpectedness@k": Definition(
        "mean over the first k, and over the items of the user's history, of 1 − cosine of their "
        "features; items without features are left out",
        "Vargas & Castells 2011, distance-based, with the user's profile as context",
        "neither",
    ),
    "serendipity@k": Definition(
        "as unexpectedness@k, summed over the hits alone and divided by k",
        "Vargas & Castells 2011, with relevance; Ge et al. 2010, Beyond accuracy, RecSys",
    ),
    "calibration@k": Definition(
        "Kullback-Leibler divergence, in nats, of the categories of the first k from those of the "
        "user's history, 0 where both are alike: sum over categories of p ln(p / (.99 q + .01 p)); "
        "an item of several categories counts for each in part",
        "Steck 2018, Calibrated recommendations, RecSys",
        "lower",
    ),
    "coverage@k": Definition(
        "of all lists: items in anyone's first k, divided by all items that may be ranked",
        "Herlocker et al. 2004, ACM TOIS 22(1)",
    ),
    "user_coverage@k": Definition(
        "of all lists: share of the lists that hold an item",
        "Gunawardana & Shani 2015, Recommender systems handbook, 8.3.2",
    ),
    "gini@k": Definition(
        "of all lists: Gini index of how often each item that may be ranked is in the first k; 0 "
        "where all are equally often, towards 1 where few items fill all lists",
        "Gini 1912; Fleder & Hosanagar 2009, Management Science 55(5)",
        "lower",
    ),
    "entropy@k": Definition(
        "of all lists: entropy, in bits, of which item a place of the first k holds",
        "Shannon 1948; Gunawardana & Shani 2015, 8.3.2",
    ),
    **{
        name: Definition(formula, "Herlocker et al. 2004, ACM TOIS 22(1)", "lower")
        for name, formula in RATING_FORMULAS.items()
    },
}  # fmt: skip


def definition(metric: str) -> Definition | None:
    """Return what a metric is.

    Args:
        metric: As in results, such as `ndcg@10`.

    Returns:
        The definition; None for a function of users' own.

    Example:
        >>> definition("calibration@10").better
        'lower'
    """
    name, _, length = metric.partition("@")
    return DEFINITIONS.get(f"{name}@k" if length else name)


def better_of(figure: str) -> Better:
    """Return which of two values of a figure is the better one.

    Args:
        figure: As in results or in MLflow, with what it is of before its metric:
            `new_items_recall@20`, `test_gini_at_10`.

    Returns:
        That of the longest metric that the name ends with; `higher` where it ends with none.

    Example:
        >>> better_of("test_tail_items_calibration_at_10")
        'lower'
    """
    name = figure.rpartition("/")[2].replace("_at_", "@").partition("@")[0]
    stems = {key.removesuffix("@k"): each for key, each in DEFINITIONS.items()}
    parts = name.split("_")
    ends = ("_".join(parts[start:]) for start in range(len(parts)))
    return next((stems[end].better for end in ends if end in stems), "higher")
