import sys

import numpy as np

from benchmarks import bootstrap


def test_both_ways_draw_the_same_means(monkeypatch):
    table = np.random.default_rng(0).random((3000, 2))
    for draw in (bootstrap._drawn_by_numpy, bootstrap._drawn_by_table):
        sums = draw(table, 200)
        assert sums.shape == (200, 2)
        error = np.sqrt((table**2).sum(axis=0) / 200)
        assert (np.abs(sums.mean(axis=0) - table.sum(axis=0)) < 5 * error).all()


def test_the_benchmark_prints_its_ratios(monkeypatch, capsys):
    words = ["--users", "1200", "--models", "2", "--draws", "200"]
    monkeypatch.setattr(sys, "argv", ["bootstrap", *words])
    bootstrap.main()
    printed = capsys.readouterr().out
    assert printed.startswith("1,200 users, 2 models, 3 metrics, 200 draws")
    assert printed.count("ratio to the") == 2
