import json
import math
from collections import Counter

import pandas as pd
import pytest

from benchmarks import text
from benchmarks.measuring.measured_process import Run
from benchmarks.rivals.text_contenders import CONTENDERS, WEIGHTINGS, measure
from benchmarks.text import comparison, write_texts


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "_DISTINCT_WORDS", 300)
    monkeypatch.setattr(text, "_CHUNK_TEXTS", 300)
    write_texts(tmp_path / "items.parquet", 1_000, 50)
    return tmp_path / "items.parquet"


def test_texts_are_of_zipf_words(table):
    frame = pd.read_parquet(table)
    assert frame["item_id"].is_unique
    assert not frame["item_id"].is_monotonic_increasing
    words = frame["text"].str.lower().str.rstrip(".").str.split()
    assert (words.str.len() == 50).all()
    counts = Counter(words.explode())
    frequent = [count for _, count in counts.most_common(3)]
    assert len(counts) <= 300
    assert frequent[0] / frequent[1] == pytest.approx(math.log(2) / math.log(1.5), abs=0.1)


def test_the_same_seed_gives_the_same_texts(table, tmp_path):
    write_texts(tmp_path / "again.parquet", 1_000, 50)
    write_texts(tmp_path / "other.parquet", 1_000, 50, seed=1)
    assert (tmp_path / "again.parquet").read_bytes() == table.read_bytes()
    assert (tmp_path / "other.parquet").read_bytes() != table.read_bytes()


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_all_contenders_find_the_same_cells(weighting, table, capsys):
    found = []
    for name in CONTENDERS:
        measure(name, weighting, table)
        found.append(json.loads(capsys.readouterr().out))
    assert found[0]["cells"] == found[1]["cells"] > 10_000
    assert all(each["seconds"] > 0 for each in found)


def said(seconds, peak):
    return Run(99.0, 9.0, peak, json.dumps({"seconds": seconds, "cells": 1}), False)


def test_ratios_are_those_of_one_round():
    rounds = {
        "scikit-learn": [said(10.0, 2_000), said(40.0, 2_500), said(20.0, 1)],
        "recsparse": [said(20.0, 1_000), said(20.0, 900), said(20.0, 800)],
    }
    frame = comparison({("tfidf", name): rounds[name] for name in CONTENDERS})
    assert frame.values.tolist() == [
        ["tfidf", "scikit-learn", "20.0", "1.00", "2,500"],
        ["tfidf", "recsparse", "20.0", "1.00", "1,000"],
    ]


def test_a_contender_that_fails_is_told():
    runs = {("tfidf", name): [Run(1.0, 1.0, 1.0, "no room", True)] for name in CONTENDERS}
    with pytest.raises(RuntimeError, match="every contender must end well, but one said: no room"):
        comparison(runs)
