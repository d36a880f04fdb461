"""The models of the accuracy benchmark and what is tried of each on validation."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from recsparse.models.blend.default_parts import default_parts

Space = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Contender:
    """A model and its search.

    Attributes:
        model: The section `model` to start from.
        space: Values to try for keys of it, every combination; a dotted key names one of a part.
    """

    model: Mapping[str, Any]
    space: Space = field(default_factory=dict)


_EASE = Contender(
    {"kind": "ease"},
    {"regularisation": (100.0, 200.0, 400.0, 800.0), "popularity_exponent": (0.0, 0.5)},
)
_IALS = Contender(
    {"kind": "ials", "factors": 128},
    {"unobserved_weight": (0.1, 0.3, 1.0), "regularisation": (0.002, 0.005, 0.01)},
)
_SMALL_IALS = Contender(
    {"kind": "ials", "factors": 32},
    {"factors": (16, 32, 64), "unobserved_weight": (0.3, 1.0), "regularisation": (0.01, 0.03)},
)
_KNN = Contender(
    {"kind": "item_knn"},
    {"neighbours": (100, 400), "asymmetry": (0.2, 0.4), "user_exponent": (0.0, 0.25)},
)
_GFCF = Contender({"kind": "gf_cf"}, {"low_pass_weight": (0.1, 0.3, 0.6)})
_VAE = Contender(
    {"kind": "mult_vae", "training": {"epochs": 60, "batch_users": 256, "patience": 8}},
    {"kl_weight": (0.0, 0.1, 0.2)},
)
# Large batches make few steps and rank worse; the penalty changes nothing.
_GRAPH_TRAINING = {"epochs": 100, "batch_users": 64, "learning_rate": 1e-2, "patience": 10}
_LIGHT_GCN = Contender(
    {"kind": "light_gcn", "training": _GRAPH_TRAINING},
    {"layers": (2, 3), "fold_in_regularisation": (0.1, 0.3, 1.0)},
)
_BPR = Contender(
    {"kind": "bpr"}, {"regularisation": (1e-3, 3e-3), "fold_in_regularisation": (0.01, 0.03)}
)
_RECENT_EASE = Contender(
    {"kind": "ease"},
    {"regularisation": (100.0, 300.0, 600.0), "recency_decay": (0.95, 0.9, 0.8, 0.7, 0.6)},
)
_EASE_OF_WINDOWS = Contender(
    {"kind": "ease"},
    {
        "window_events": (8, 32),
        "regularisation": (60.0, 120.0),
        "recency_decay": (1.0, 0.9, 0.8, 0.7, 0.6),
    },
)
_RIDGE = Contender(
    {"kind": "next_item_ridge"},
    {
        "decays": ([0.8], [0.5, 0.9]),
        "regularisation": (250.0, 750.0),
        "popularity_discount": (0.0, 0.2, 0.4),
    },
)


def _in_time(batch_users: int, epochs: int, weight_decay: float = 0.0) -> dict[str, Any]:
    return {
        "epochs": epochs,
        "batch_users": batch_users,
        "learning_rate": 2e-3,
        "weight_decay": weight_decay,
        "patience": 4,
        "precision": "auto",
    }


def _last_out(
    training: Mapping[str, Any],
    dropouts: tuple[float, ...],
    channels: tuple[int, ...],
    has_text: bool = False,
    has_gaps: bool = True,
    has_ridge: bool = True,
) -> dict[str, Contender]:
    sasrec = {"kind": "sasrec", "training": training}
    timeline = {
        **sasrec,
        "kind": "timeline",
        "features": "all" if has_text else (),
        "use_gaps": has_gaps,
    }
    parts = [
        *({"kind": "ease", "recency_decay": decay} for decay in (1.0, 0.8, 0.6)),
        {"kind": "popularity"},
    ]
    if has_text:
        parts += [{"kind": "content_knn", "word_exponent": 0.5}, {"kind": "text_tower"}]
    space = {"dropout": dropouts, "channels": channels}
    timelines = [
        {**timeline, "dropout": dropout, "channels": width}
        for dropout, width in itertools.product(dropouts, channels)
    ]
    contenders = {
        "popularity": Contender({"kind": "popularity"}),
        "ease": _EASE,
        "recency ease": _RECENT_EASE,
        "ease of windows": _EASE_OF_WINDOWS,
        "sasrec": Contender(sasrec, space),
        "timeline": Contender(timeline, space),
        "recsparse": Contender({"kind": "blend"}, {"parts": [[own, *parts] for own in timelines]}),
        "recsparse as it comes": Contender({"kind": "blend"}),
    }
    if has_ridge:
        contenders["next item ridge"] = _RIDGE
    if has_gaps:
        contenders["sasrec with gaps"] = Contender({**sasrec, "use_gaps": True}, space)
    if has_text:
        contenders["sasrec with text"] = Contender({**sasrec, "features": "all"}, space)
    return contenders


def _without_time(ials: Contender) -> dict[str, Contender]:
    linear = {"kind": "ease", "regularisation": 400.0}
    both = [[linear, {**ials.model, "regularisation": ridge}] for ridge in (0.005, 0.01, 0.02)]
    return {
        "popularity": Contender({"kind": "popularity"}),
        "item_knn": _KNN,
        "ease": _EASE,
        "ials": ials,
        "ease + ials": Contender({"kind": "blend"}, {"parts": both}),
        "gf_cf": _GFCF,
        "mult_vae": _VAE,
        "bpr": _BPR,
        "light_gcn": _LIGHT_GCN,
        "recsparse": Contender({"kind": "blend"}),
    }


def _with_times(ials: Contender) -> dict[str, Contender]:
    space = {"window_events": (8, 32), "regularisation": (60.0, 120.0, 240.0)}
    return {**_without_time(ials), "ease of windows": Contender({"kind": "ease"}, space)}


_WITHOUT_TEXT = [
    part.model_dump() for part in default_parts(20_000, has_times=False, has_features=False)
]

CONTENDERS: Mapping[str, Mapping[str, Contender]] = {
    "ml1m-held-out-users": _without_time(_IALS),
    "ml1m-random": _without_time(_IALS),
    "ml1m-held-out-users-timed": _with_times(_IALS),
    "ml1m-random-timed": _with_times(_IALS),
    "ml100k-random": _without_time(_SMALL_IALS),
    "ml100k-random-timed": _with_times(_SMALL_IALS),
    "ml1m-last-out": _last_out(_in_time(64, 20), (0.2,), (128,)),
    "ml100k-last-out": _last_out(_in_time(32, 30), (0.2, 0.4), (64,)),
    # Its events have positions, and no time between them; its items are many for the ridge. The
    # weight decay ranks better on validation than none, for SASRec and the timeline alike.
    "beauty-last-out": _last_out(
        _in_time(256, 16, weight_decay=0.3),
        (0.5,),
        (128,),
        has_text=True,
        has_gaps=False,
        has_ridge=False,
    ),
    "gowalla": {
        "popularity": Contender({"kind": "popularity"}),
        "gf_cf": _GFCF,
        "ials": _IALS,
        "recsparse": Contender({"kind": "blend"}),
    },
    "citeulike-t-random": {
        "gf_cf": _GFCF,
        "content_knn": Contender({"kind": "content_knn"}, {"word_exponent": (0.5, 1.0)}),
        "recsparse without text": Contender({"kind": "blend", "parts": _WITHOUT_TEXT}),
        "recsparse": Contender({"kind": "blend"}),
    },
    "musical-instruments-global-time": {
        "popularity": Contender({"kind": "popularity"}),
        "recent popularity": Contender(
            {"kind": "popularity"}, {"recent_days": (30.0, 90.0, 180.0, 360.0)}
        ),
        "ease": _EASE,
        "recency ease": _RECENT_EASE,
        "content_knn": Contender({"kind": "content_knn"}, {"word_exponent": (0.5, 1.0)}),
        "recsparse": Contender({"kind": "blend"}),
    },
}
