"""The page of a report: read as a browser reads it, without a file but its own."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from recsparse.config.evaluation import EvaluationConfig
from recsparse.evaluation.comparison import compare
from recsparse.evaluation.examples import Example
from recsparse.evaluation.report_page import report_page
from recsparse.evaluation.slices import Slice, slice_tables
from recsparse.reporting.value_text import value_text
from tests.evaluation.results import METRIC, PART, result, three_models


class Read(HTMLParser):
    """What stands in the rows of the tables, and every address of the page."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.addresses, self.stack = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.addresses += [given[name] for name in ("src", "href") if name in given]
        if tag == "tr":
            self.rows.append((given.get("class"), []))
        if tag in ("td", "th"):
            self.rows[-1][1].append("")
        self.stack.append(tag)

    def handle_endtag(self, tag):
        while self.stack and self.stack.pop() != tag:
            pass

    def handle_data(self, data):
        if {"td", "th"} & {*self.stack}:
            self.rows[-1][1][-1] += data

    def row(self, name):
        return next(cells for _, cells in self.rows if cells[0] == name)


def page_of(compared, title="test part"):
    return report_page(compared, EvaluationConfig(), title).html()


def test_a_page_asks_for_no_other_file():
    text = page_of(compare(three_models()))
    addresses = Read(text).addresses
    assert len(addresses) >= 2
    assert all(address.startswith("data:image/svg+xml;base64,") for address in addresses)
    assert "://" not in re.sub(r"data:[^\"]*", "", text)


def test_the_verdict_stands_above_and_figures_and_tests_below():
    compared = compare(three_models(), {"best": 1.5, "near": np.nan, "far": 20.0})
    text = page_of(compared)
    for sentence in compared.verdict:
        assert sentence in text
    assert text.index(compared.verdict[0]) < text.index("<figure>") < text.index("<thead>")
    row = Read(text).row("best")
    mean = three_models()["best"].mean()[METRIC]
    assert f"{mean:.3f} ± 0.0" in row[1]
    tested = compared.significance[METRIC].loc["near"]
    bounds = f"({value_text(tested['low'])} to {value_text(tested['high'])})"
    cells = [cells[1] for _, cells in Read(text).rows if cells[0] == "near"]
    assert f"{value_text(tested['difference'])} {bounds}" in cells
    assert page_of(compared) == text


def test_small_slices_are_grey():
    results = three_models()
    compared = compare(results)
    some = [Slice(f"size {n}", "size", users=np.arange(31) < n) for n in (29, 30)]
    compared = replace(compared, slices=slice_tables(results, some))
    rows = {cells[0]: kind for kind, cells in Read(page_of(compared)).rows}
    assert (rows["29"], rows["30"]) == ("grey", None)


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a & b", '"quoted"'])
def test_names_and_titles_are_text_whatever_they_hold(name):
    results = {name: result([0.5, 0.1]), "b": result([0.2, 0.3])}
    example = Example(name, [name], 1, [name], 1, {name: [(name, True)]})
    text = page_of(replace(compare(results), examples=[example]), title=name)
    assert name in Read(text).row(name)[0]
    assert text.count("<script>") == 1


def test_example_lists_mark_their_hits():
    example = Example("7", ["Alien"], 12, ["Brazil"], 3, {"a": [("Brazil", True), ("Cats", False)]})
    text = page_of(replace(compare({"a": result([0.5, 0.1])}), examples=[example]))
    assert '<li class="hit">Brazil</li><li>Cats</li>' in text
    assert "Known: the latest of 12 items: Alien." in text


def test_what_a_reader_must_know_stands_in_the_lead():
    few = {"a": replace(result([0.5, 0.1]), part=PART, rows_of_unknown_items=2)}
    text = page_of(compare(few))
    assert "2 users are few: intervals and tests say little." in text
    assert "2 of 5 evaluated rows are of items that a does not know: misses." in text
    both = few | {"b": replace(few["a"], rows_of_unknown_items=4)}
    assert "4 of 5 evaluated rows are of items that b does not know" in page_of(compare(both))
    alike = dict.fromkeys(("a", "b", "c"), few["a"]) | {
        "d": replace(few["a"], rows_of_unknown_items=0)
    }
    assert "items that a, b and c do not know: misses." in page_of(compare(alike))


def test_users_without_targets_give_a_page():
    text = page_of(compare({"a": result([np.nan]), "b": result([np.nan])}))
    assert "too few users in common" in text
