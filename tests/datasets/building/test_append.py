import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recsparse.config.toml_reader import load_config
from recsparse.datasets.building.log_store import LogStore
from recsparse.datasets.building.sources import Sources
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.errors import InputError, MissingFileError, SchemaError
from recsparse.stages.prepare import prepare
from tests.logs import DUPLICATES, SPLIT_SETTINGS, log_of, logs
from tests.prepared import contents, log_table, prepared, prepared_files
from tests.row_frames import all_rows

DAY = 86_400


def with_a_bad_row(table):
    """Return a log with a row more, to be rejected, unless it has none."""
    weight = table.column_names.index("weight")
    first = table.slice(0, 1)
    bad = first.set_column(weight, "weight", pa.array([-1.0] * len(first), pa.float32()))
    return pa.concat_tables([table, bad])


def assert_appended_as_at_once(folder, old, new, overrides):
    """Append, and compare with preparing everything with the ids of the old dataset."""
    pq.write_table(with_a_bad_row(old), folder / "old.parquet")
    pq.write_table(with_a_bad_row(new), folder / "new.parquet")
    try:
        prepared_files(folder / "old.parquet", folder / "before", overrides)
    except InputError:
        assume(False)
    new_log, both = folder / "new.parquet", [folder / "old.parquet", folder / "new.parquet"]
    try:
        prepared_files(both, folder / "at once", overrides, ids_from=folder / "before")
    except InputError as error:
        with pytest.raises(InputError, match=str(error)[:30]):
            prepared_files(new_log, folder / "appended", append_to=folder / "before")
        return
    prepared_files(new_log, folder / "appended", append_to=folder / "before")
    assert contents(folder / "appended") == contents(folder / "at once")


@pytest.mark.parametrize("kind", SPLIT_SETTINGS)
@settings(max_examples=3)
@given(logs(25, 50), logs(0, 30), st.sampled_from(list(DUPLICATES)), st.booleans())
def test_appending_equals_preparing_all_at_once(tmp_path_factory, kind, old, new, keep, later):
    if not len(new) or isinstance(new["user"][0], str) != isinstance(old["user"][0], str):
        # Ids must be of one type.
        new = old.iloc[: len(new)].assign(rating=pd.array([5] * len(old[: len(new)]), "Float64"))
    old_log, new_log = log_of(old), log_of(new.assign(time=new["time"] + later * 41 * DAY))
    new_log = new_log.cast(old_log.schema)
    overrides = [*SPLIT_SETTINGS[kind], *DUPLICATES[keep], "log.min_item_rows=2"]
    folder = tmp_path_factory.mktemp("append")
    assert_appended_as_at_once(folder, old_log, new_log, overrides)


OLD = [(user, item) for user in (2, 5, 7) for item in (20, 30, 40, 50, 60, 70)]
NEW = [(user, item) for user in (1, 5, 9) for item in (10, 30, 65, 75, 80, 90)]
LATER = range(1000, 1018)


@pytest.fixture
def old(tmp_path):
    prepared(tmp_path, OLD)
    return tmp_path / "dataset"


def append(folder, old, rows=NEW, name="new", overrides=(), times=LATER, **columns):
    pq.write_table(log_table(rows, times, **columns), folder / f"{name}.parquet")
    return prepared_files(folder / f"{name}.parquet", folder / name, overrides, append_to=old)


def test_old_ids_keep_their_indices_and_new_ones_follow(tmp_path, old):
    data = append(tmp_path, old)
    assert data.users.ids.to_pylist()[:3] == [2, 5, 7]
    assert data.users.ids.to_pylist()[3:] == [1, 9]
    assert data.items.ids.to_pylist()[:6] == [20, 30, 40, 50, 60, 70]
    later = data.items.ids.to_pylist()[6:] + data.unseen_items.ids.to_pylist()
    assert sorted(later) == [10, 65, 75, 80, 90]
    assert data.counts["log_rows"] == len(OLD) + len(NEW)


def test_the_old_dataset_stands(tmp_path, old):
    before = contents(old)
    append(tmp_path, old)
    assert contents(old) == before


def test_appending_twice_equals_appending_once_with_the_same_ids(tmp_path, old):
    first = append(tmp_path, old, NEW[:5], "first", times=LATER[:5])
    second = append(tmp_path, tmp_path / "first", NEW[5:], "second", times=LATER[5:])
    known = first.users.ids.to_pylist()
    assert second.users.ids.to_pylist()[: len(known)] == known
    logs = [tmp_path / f"{name}.parquet" for name in ("log", "first", "second")]
    prepared_files(logs, tmp_path / "at once", ids_from=tmp_path / "first")
    assert contents(tmp_path / "second") == contents(tmp_path / "at once")


def test_a_dataset_is_extended_in_its_place(tmp_path, old):
    append(tmp_path, old)
    prepared_files(tmp_path / "new.parquet", old, append_to=old)
    assert contents(old) == contents(tmp_path / "new")


def test_rows_that_repeat_old_ones_are_duplicates(tmp_path, old):
    data = append(tmp_path, old, OLD, times=range(len(OLD)))
    again = prepared(tmp_path, OLD, ids_from=old)
    assert data.counts["duplicate_rows"] == len(OLD)
    for one, other in zip(data.split.all, again.split.all, strict=True):
        assert one.equals(other)


def test_no_new_rows_change_nothing(tmp_path, old):
    before = contents(old)
    append(tmp_path, old, [], times=[])
    after = contents(tmp_path / "new")
    # The ids of training come first among all ids of the log, where they were sorted before.
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"log/users.parquet", "log/items.parquet", "log/rows.arrow"}


def test_rejected_rows_of_both_logs_are_kept(tmp_path):
    prepared(tmp_path, OLD, weight=[-1.0] + [1.0] * 17)
    data = append(tmp_path, tmp_path / "dataset", weight=[-2.0] + [1.0] * 17)
    rejected = pq.read_table(tmp_path / "new" / "rejected.parquet")
    assert sorted(rejected["weight"].to_pylist()) == [-2.0, -1.0]
    assert data.counts["rejected_rows"] == 2


def test_a_given_split_is_appended_to_by_files(tmp_path):
    for name, rows in (("test", [(2, 60)]), ("new test", [(5, 60)]), ("new", NEW), ("log", OLD)):
        pq.write_table(log_table(rows), tmp_path / f"{name}.parquet")
    old, test = tmp_path / "old", tmp_path / "test.parquet"
    share = ["split.validation=0.3"]
    prepared_files(tmp_path / "log.parquet", old, share, test=test)
    new_test = tmp_path / "new test.parquet"
    data = prepared_files(tmp_path / "new.parquet", tmp_path / "all", append_to=old, test=new_test)
    both = [tmp_path / "log.parquet", tmp_path / "new.parquet"]
    prepared_files(both, tmp_path / "at once", share, test=[test, new_test], ids_from=old)
    assert data.counts["test_rows"] == 2
    assert contents(tmp_path / "all") == contents(tmp_path / "at once")


def test_texts_of_logs_and_items_are_fitted_anew_on_all_training_rows(tmp_path):
    texts = [f"word{place % 5} old{place}" for place in range(18)]
    pq.write_table(log_table(OLD, review=texts), tmp_path / "log.parquet")
    pq.write_table(
        log_table(NEW, LATER, review=[f"new {text}" for text in texts]), tmp_path / "new.parquet"
    )
    items = tmp_path / "items.parquet"
    pq.write_table(pa.table({"item_id": [20, 30, 65], "title": ["a red fox", "hen", "owl"]}), items)
    overrides = ["text.log_columns=['review']", "text.columns=['title']"]
    old, both = tmp_path / "old", [tmp_path / "log.parquet", tmp_path / "new.parquet"]
    prepared_files(tmp_path / "log.parquet", old, overrides, items=items)
    data = prepared_files(tmp_path / "new.parquet", tmp_path / "all", append_to=old, items=items)
    prepared_files(both, tmp_path / "at once", overrides, items=items, ids_from=old)
    assert "new" in data.item_reviews.words.words
    assert contents(tmp_path / "all") == contents(tmp_path / "at once")


def test_files_for_the_test_are_not_appended_to_another_split(tmp_path, old):
    pq.write_table(log_table(NEW), tmp_path / "new.parquet")
    message = "a dataset is appended to with its own settings, but split.kind differ from those of "
    with pytest.raises(InputError, match=message):
        prepared_files(
            tmp_path / "new.parquet", tmp_path / "all", append_to=old, test=tmp_path / "new.parquet"
        )


def test_other_settings_are_refused_and_the_same_ones_are_not(tmp_path, old):
    message = (
        "a dataset is appended to with its own settings, but log.duplicates, order.kind differ "
        "from those of .*dataset; leave them out, or prepare everything anew"
    )
    with pytest.raises(InputError, match=message):
        append(tmp_path, old, overrides=["log.duplicates=sum", "order.kind=random"])
    assert append(tmp_path, old, overrides=["log.duplicates=last"]).counts["train_rows"]


def test_settings_come_from_the_old_dataset(tmp_path):
    prepared(tmp_path, OLD, ["order.kind=random", "seed=5"])
    data = append(tmp_path, tmp_path / "dataset")
    assert data.config.order.kind == "random"
    assert data.config.seed == 5


@pytest.mark.parametrize("how", ["append_to", "ids_from"])
def test_ids_of_another_type_are_refused(tmp_path, old, how):
    named = [(str(user), item) for user, item in NEW]
    pq.write_table(log_table(named), tmp_path / "new.parquet")
    with pytest.raises(SchemaError, match=r"int64 .* in .*dataset.* string .*; cast"):
        prepared_files(tmp_path / "new.parquet", tmp_path / "all", **{how: old})


def test_a_dataset_is_not_both_appended_to_and_named_for_its_ids(tmp_path, old):
    message = r"--append and --ids-from must not be given both, since .* but got .* and "
    with pytest.raises(InputError, match=message):
        prepared_files(tmp_path / "log.parquet", tmp_path / "all", append_to=old, ids_from=old)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("append_to", r"dataset to append to must .* none at .*nowhere; leave --append out"),
        ("ids_from", r"dataset to take ids from must .* none at .*nowhere; leave --ids-from out"),
    ],
)
def test_a_dataset_that_is_not_there_is_named(tmp_path, how, message):
    pq.write_table(log_table(NEW), tmp_path / "new.parquet")
    with pytest.raises(MissingFileError, match=message):
        prepared_files(tmp_path / "new.parquet", tmp_path / "all", **{how: tmp_path / "nowhere"})


@pytest.mark.parametrize("name", ["rows.arrow", "users.parquet", "items.parquet"])
@pytest.mark.parametrize("harm", ["missing", "truncated"])
def test_a_damaged_store_of_rows_is_named_and_the_output_stands(tmp_path, old, name, harm):
    before = contents(append(tmp_path, old) and tmp_path / "new")
    path = old / "log" / name
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InputError, match=rf"log/{name} must be the .* that was written there"):
        append(tmp_path, old)
    assert contents(tmp_path / "new") == before


def test_the_store_holds_all_good_rows_before_duplicates_are_dropped(tmp_path):
    prepared(tmp_path, [*OLD, *OLD], weight=[1.0] * 35 + [-1.0])
    store = LogStore.open(tmp_path / "dataset")
    assert store.users.ids.to_pylist() == [2, 5, 7]
    assert store.counts["duplicate_rows"] == 17
    with pa.memory_map(str(store.path)) as source:
        assert pa.ipc.open_file(source).read_all().num_rows == 35


def test_the_configuration_may_be_given_whole(tmp_path, old):
    pq.write_table(log_table(NEW), tmp_path / "new.parquet")
    sources = Sources(logs=tmp_path / "new.parquet", append_to=old)
    config = load_config(overrides=["training.epochs=3"])
    assert prepare(sources, tmp_path / "all", config=config).counts["log_rows"] == 36


def test_each_intake_has_a_condition_of_its_own(tmp_path, caplog):
    prepared(
        tmp_path,
        [*OLD, *NEW],
        ["log.where=timestamp < '1970-01-01 00:00:18'"],
        [*range(18), *LATER],
    )
    log, old = tmp_path / "log.parquet", tmp_path / "dataset"
    rest = ["log.where=timestamp >= '1970-01-01 00:00:18'"]
    later = prepared_files(log, tmp_path / "later", rest, append_to=old)
    assert later.counts["log_rows"] == len(OLD) + len(NEW)
    assert not caplog.records
    # Without a condition all rows of the new log are taken, of which there is a warning.
    everything = append(tmp_path, old)
    assert everything.counts["log_rows"] == len(OLD) + len(NEW)
    assert "all rows are now" in caplog.text
    for name in ("later", "new"):
        rows = all_rows(load_dataset(tmp_path / name))
        found = zip(rows["user_id"].to_pylist(), rows["item_id"].to_pylist(), strict=True)
        assert set(found) == {*OLD, *NEW}


def test_the_columns_of_new_days_may_have_other_names(tmp_path, old):
    names = {"user_id": "customer", "timestamp": "at"}
    table = log_table(NEW, LATER)
    named = table.rename_columns([names.get(name, name) for name in table.column_names])
    pq.write_table(named, tmp_path / "named.parquet")
    settings = ["log.user_column=customer", "log.timestamp_column=at"]
    found = prepared_files(tmp_path / "named.parquet", tmp_path / "out", settings, append_to=old)
    assert all_rows(found).equals(all_rows(append(tmp_path, old)))


def test_further_types_of_events_get_weights_and_those_of_old_ones_stay(tmp_path):
    weights = "log.event_weights={view=1}"
    prepared(tmp_path, OLD, [weights], event=["view"] * len(OLD))
    more = ["log.event_weights={view=1, wish=4}"]
    kinds = ["wish", "view"] * (len(NEW) // 2)
    data = append(tmp_path, tmp_path / "dataset", overrides=more, event=kinds)
    weighed = all_rows(data).to_pandas()["weight"]
    assert sorted(weighed.unique()) == [1, 4]
    other = ["log.event_weights={view=2, wish=4}"]
    with pytest.raises(InputError, match=r"log\.event_weights differ"):
        append(tmp_path, tmp_path / "dataset", name="other", overrides=other, event=kinds)
