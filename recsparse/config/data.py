"""The configuration of data: logs, splits, text, features and orders, with their defaults."""

from datetime import datetime
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    field_validator,
    model_validator,
)

from recsparse.config.plugins import OWN_NAME
from recsparse.config.section import Section, in_utc
from recsparse.config.units import (
    Days,
    Items,
    Number,
    Rating,
    Rows,
    Share,
    Tokens,
    Unit,
    WholeNumber,
    Words,
)
from recsparse.errors import nearest

_FOLDED = ("random", "held_out_users")
# They draw at random: rows of a part may be earlier than what is known of a user.
_DRAWN = (*_FOLDED, "held_out_items")
# In their order.
_TIMES = ("train_from", "validation_from", "known_until", "test_from", "test_until")
_NEEDED = {
    "global_time": ("validation_from", "test_from"),
    "time_window": ("validation_from", "test_from", "test_until"),
}
SPLIT_KINDS = (*_DRAWN, "leave_last_out", *_NEEDED, "given")


class LogConfig(Section):
    """Which columns of the log mean what, and what to do with doubtful rows.

    Attributes:
        user_column: Name of the user id column (integers or strings).
        item_column: Name of the item id column (integers or strings).
        id_type: `string` or `integer`, to read ids so; `auto` takes them as Parquet has them, those
            of partition keys for text, and those of text files for integers if all are written so.
        timestamp_column: Name of the optional time column (Arrow timestamp, or numbers, UTC).
        timestamp_unit: What numbers in the time column count since 1970; with `auto` seconds, which
            must lie in the years 1970 to 2099, or they are dates such as 20260125.
        weight_column: Name of the optional weight column; without it every row weighs 1.
        rating_column: Name of the optional rating column.
        event_column: Name of the column of event types; read where `event_weights` names some.
        event_weights: Weight of each event type, which multiplies the row's own; rows of other
            types are left out, and counted.
        where: Only rows for which this SQL condition holds are read; the time column is a UTC
            timestamp in it. An empty one is none.
        min_rating: Rows with a lower rating are left out, and counted; ratings are compared as
            exactly as the file holds them.
        duplicates: Of rows with the same user and item: keep the last, sum weights, or keep all.
        min_user_rows: Users with fewer rows are left out, together with `min_item_rows` until
            nothing changes (the k-core of the log).
        min_item_rows: Items with fewer rows are left out.
        half_life_days: A row that is older than the last training row by this much weighs half;
            without it age does not matter.
        strict: Refuse a log with bad rows, where otherwise they are set aside and counted.
    """

    user_column: str = "user_id"
    item_column: str = "item_id"
    id_type: Literal["auto", "string", "integer"] = "auto"
    timestamp_column: str = "timestamp"
    timestamp_unit: Literal["auto", "s", "ms", "us", "ns"] = "auto"
    weight_column: str = "weight"
    rating_column: str = "rating"
    event_column: str = "event"
    event_weights: dict[str, Annotated[Number, Field(ge=0, allow_inf_nan=False)]] = Field(
        default_factory=dict
    )
    where: str | None = None
    min_rating: Rating | None = Field(default=None, allow_inf_nan=False)
    duplicates: Literal["last", "sum", "keep"] = "last"
    min_user_rows: Rows = Field(default=1, ge=1)
    min_item_rows: Rows = Field(default=1, ge=1)
    half_life_days: Days | None = Field(default=None, gt=0)
    strict: bool = False

    @field_validator("where")
    @classmethod
    def _blank_is_none(cls, where: str | None) -> str | None:
        return where if where and where.strip() else None


def _split_kind(kind: str) -> str:
    if kind not in SPLIT_KINDS and not OWN_NAME.fullmatch(kind):
        raise ValueError(
            f"it must be one of {', '.join(SPLIT_KINDS)}, or module:Class of your own; "
            f"{nearest(kind, SPLIT_KINDS)}"
        )
    return kind


SplitKind = Annotated[str, AfterValidator(_split_kind)]


class SplitConfig(Section):
    """How rows are parted into training, validation and test.

    Attributes:
        kind: `random` rows of each user, `leave_last_out` by time, `global_time`, a `time_window`,
            `held_out_users` (Liang et al. 2018), `held_out_items`, which have no training row, or
            `given` by a column or by files; or `module:Class`, a class of your own.
        validation: Share of rows for validation; of users or items, where these are held out.
        test: Share of rows for the test; of users or items, where these are held out.
        last: For `leave_last_out`: how many last rows of each user are for the test; as many
            before them for validation.
        validation_from: For `global_time` and `time_window`: validation starts at this time (UTC);
            the former without it takes a share.
        test_from: For both: the test starts at this time (UTC).
        test_until: For `time_window`: rows from this time on are left out.
        known_until: For `time_window`: rows from this time until `test_from` are left out, as if
            they were not known yet; without it there is no such gap.
        train_from: For `time_window`: rows before this time are left out; without it there are none
            of these.
        column: For `given`: the column that says `train`, `validation` or `test`; where no row is
            for validation, its share is drawn at random from each user's training rows.
        folds: For `random` and `held_out_users`: the number of folds of a cross-validation, whose
            test parts are disjoint and together everything; it takes the place of `test`.
        fold: Which of the folds is the test, from 0.
        fold_in: Share of a held-out user's rows that the model may see.
        known_targets: For `held_out_items`: share of each user's rows of the other items that is
            for the test, and as much for validation, where users have `min_rows` of them; training
            needs some for validation.
        min_rows: Users with fewer rows stay in training as a whole, and are counted.
        own_looks_ahead: Of a kind of your own: whether what it evaluates comes after what a model
            may see.
    """

    kind: SplitKind = "random"
    validation: Share = Field(default=0.1, gt=0, lt=1)
    test: Share = Field(default=0.1, gt=0, lt=1)
    last: Rows = Field(default=1, ge=1)
    validation_from: datetime | None = None
    test_from: datetime | None = None
    test_until: datetime | None = None
    known_until: datetime | None = None
    train_from: datetime | None = None
    column: str = "part"
    folds: Annotated[int, Unit("folds")] | None = Field(default=None, ge=2)
    fold: WholeNumber = Field(default=0, ge=0)
    fold_in: Share = Field(default=0.8, gt=0, lt=1)
    known_targets: Share = Field(default=0.1, ge=0, lt=0.5)
    min_rows: Rows = Field(default=3, ge=3)
    own_looks_ahead: bool = False

    @property
    def looks_ahead(self) -> bool:
        """Whether what is evaluated comes after what a model may see.

        Where it does not, models of the next event are of no use.
        """
        return self.own_looks_ahead if ":" in self.kind else self.kind not in _DRAWN

    @model_validator(mode="after")
    def _leave_rows_to_train_on(self) -> "SplitConfig":
        test = self.test if self.folds is None else 1 / self.folds
        if self.validation + test >= 1:
            raise ValueError(
                "validation and test must leave something to train on, but take "
                f"{self.validation} + {test} of everything"
            )
        return self

    @model_validator(mode="after")
    def _settings_fit_the_kind(self) -> "SplitConfig":
        if self.folds is not None and self.kind not in _FOLDED:
            raise ValueError(f"folds need kind random or held_out_users, but it is {self.kind}")
        if self.fold >= (self.folds or 1):
            raise ValueError(f"fold must be below folds = {self.folds}, but is {self.fold}")
        return self

    @model_validator(mode="after")
    def _times_go_together(self) -> "SplitConfig":
        times = {name: getattr(self, name) for name in _TIMES}
        given = {name: in_utc(time) for name, time in times.items() if time is not None}
        needed, is_window = {*_NEEDED.get(self.kind, ())}, self.kind == "time_window"
        are_allowed = given.keys() <= ({*_TIMES} if is_window else needed)
        are_all = given.keys() >= needed or not (given or is_window)
        if not (are_allowed and are_all):
            raise ValueError(
                "validation_from and test_from go together and need kind global_time, or "
                "time_window, which needs test_until and may have train_from and known_until, too; "
                f"but got {', '.join(given) or 'none'} with {self.kind}"
            )
        # The end of what is known may be the start of the test.
        for (first, start), (second, end) in pairwise(given.items()):
            if start > end or (start == end and first != "known_until"):
                raise ValueError(
                    f"{first} must be before {second}, but got {times[first]} and {times[second]}"
                )
        return self


class TextConfig(Section):
    """How text becomes a bag of words.

    Attributes:
        columns: Text columns of the items table, strings or lists of strings or integers, as tags
            are; none named means every string column.
        user_columns: Text columns of the users table; none named means every string column.
        log_columns: Text columns of the log, such as reviews; an item and a user get the text of
            their training rows alone.
        analyzer: `word`, or n-grams of characters: `char`, or `char_wb` within words.
        ngrams: Shortest and longest n-gram.
        weighting: `tfidf`, `bm25`, plain `counts`, or `binary`.
        max_words: Upper bound of the word vocabulary.
        min_documents: A word must occur in at least this many training items.
        hashed_words: Words are hashed to this many places and no vocabulary is kept; 0 for none.
        strip_html: Drop tags and resolve entities such as `&amp;`.
        bag_columns: Columns of precomputed bags: lists of word ids, and of their counts.
        bm25_k1: Saturation of counts in BM25.
        bm25_b: Weight of the text's length in BM25.
    """

    columns: tuple[str, ...] = ()
    user_columns: tuple[str, ...] = ()
    log_columns: tuple[str, ...] = ()
    analyzer: Literal["word", "char", "char_wb"] = "word"
    ngrams: tuple[Annotated[Tokens, Field(ge=1)], Annotated[Tokens, Field(ge=1)]] = (1, 1)
    weighting: Literal["tfidf", "bm25", "counts", "binary"] = "tfidf"
    max_words: Words = Field(default=20_000, ge=1)
    min_documents: Items = Field(default=1, ge=1)
    hashed_words: Words = Field(default=0, ge=0, le=2**22)
    strip_html: bool = True
    bag_columns: tuple[str, str] | None = None
    bm25_k1: Number = Field(default=1.2, ge=0)
    bm25_b: Share = Field(default=0.75, ge=0, le=1)

    @model_validator(mode="after")
    def _rising_ngrams(self) -> "TextConfig":
        if self.ngrams[0] > self.ngrams[1]:
            raise ValueError(f"ngrams must be shortest and longest, but are {self.ngrams}")
        return self


class FeaturesConfig(Section):
    """Which columns of the items and users tables become features besides text.

    Attributes:
        categories: Columns of the items table that hold one category, or a list of them.
        numbers: Columns of the items table that hold a number.
        vectors: Columns of the items table that hold a vector, a list of numbers of one length,
            such as an embedding of text or of an image that was made elsewhere.
        user_categories: Columns of the users table that hold one category, or a list of them.
        user_numbers: Columns of the users table that hold a number.
        user_vectors: Columns of the users table that hold a vector.
        duplicates: What to do with an id that a table has more than once: refuse the table, or take
            the last row.
    """

    categories: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    vectors: tuple[str, ...] = ()
    user_categories: tuple[str, ...] = ()
    user_numbers: tuple[str, ...] = ()
    user_vectors: tuple[str, ...] = ()
    duplicates: Literal["error", "last"] = "error"


class OrderConfig(Section):
    """Which users and which items become neighbours on the grid.

    Attributes:
        kind: `popularity`, `spectral` (Fiedler vector), `bisection` (recursive, by co-occurrence),
            `time` of first event, `text` similarity (of items; users by popularity), or `random`.
    """

    kind: Literal["popularity", "spectral", "bisection", "time", "text", "random"] = "popularity"
