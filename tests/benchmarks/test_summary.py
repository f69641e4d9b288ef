import doctest
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autofix.benchmarks import summary

numbers = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20)


@given(numbers)
def test_quartiles_are_those_of_numpy_and_lie_in_order(values):
    result = summary.quartiles(values)
    assert result == pytest.approx(np.quantile(values, [0.25, 0.5, 0.75]))
    assert result.lower <= result.median <= result.upper


def test_quartiles_of_nothing_are_nan():
    assert all(math.isnan(value) for value in summary.quartiles([]))


def test_one_diverged_run_does_not_turn_quartiles_into_nan():
    assert summary.quartiles([-math.inf, 1.0, 1.0, 1.0, 1.0]) == (1.0, 1.0, 1.0)
    assert summary.quartiles([-math.inf] * 4) == (-math.inf,) * 3


@given(numbers)
def test_median_interval_lies_within_the_sample(values):
    lower, upper = summary.median_interval(values)
    slack = 1e-9 * max(map(abs, values))
    assert min(values) - slack <= lower <= upper <= max(values) + slack


def test_median_interval_is_the_same_every_time_and_narrows_with_more_values():
    rng = np.random.default_rng(0)
    few, many = rng.normal(size=10), rng.normal(size=1_000)
    assert summary.median_interval(few) == summary.median_interval(few)
    assert np.ptp(summary.median_interval(many)) < np.ptp(summary.median_interval(few))


def test_median_interval_of_nothing_is_nan():
    assert all(math.isnan(end) for end in summary.median_interval([]))


def test_r_squared_and_spread_of_perfect_constant_and_diverged_predictions():
    targets = np.array([1.0, 2.0, 4.0])
    mean = np.full(3, targets.mean())
    assert (summary.r_squared(targets, targets), summary.spread(targets, targets)) == (1.0, 1.0)
    assert (summary.r_squared(targets, mean), summary.spread(targets, mean)) == (0.0, 0.0)
    broken = np.array([1.0, np.nan, 2.0])
    assert summary.r_squared(targets, broken) == -math.inf
    assert math.isnan(summary.spread(targets, broken))


def test_r_squared_compares_a_column_of_predictions_with_flat_targets():
    targets = np.array([1.0, 2.0, 4.0])
    assert summary.r_squared(targets, targets[:, None]) == 1.0


def test_constant_targets_have_neither_r_squared_nor_spread():
    constant = np.ones(3)
    assert math.isnan(summary.r_squared(constant, np.arange(3.0)))
    assert math.isnan(summary.spread(constant, np.arange(3.0)))


@given(st.sampled_from([0.04, 0.9, 0.95, 1.0]), st.integers(1, 200))
def test_counts_of_a_share_are_the_tightest_that_hold(share, n):
    least, most = summary.at_least(share, n), summary.at_most(share, n)
    assert least / n >= share - 1e-9 > (least - 1) / n - 1e-6
    assert most / n <= share + 1e-9 < (most + 1) / n + 1e-6


def test_a_count_on_its_floor_passes_and_one_beyond_it_does_not():
    assert summary.count_check("", 19, 20, least=19).passed
    assert not summary.count_check("", 18, 20, least=19).passed
    assert summary.count_check("", 2, 50, most=2).passed
    assert not summary.count_check("", 3, 50, most=2).passed


def test_the_exit_code_is_one_when_a_floor_is_missed():
    held = summary.Check("a", "at least 1", "1", True)
    missed = summary.Check("b", "at least 1", "0", False)
    assert summary.print_checks([held]) == 0
    assert summary.print_checks([held, missed]) == 1


def test_timed_returns_the_result_and_a_positive_time():
    result, seconds = summary.timed(lambda: "done")
    assert result == "done"
    assert seconds > 0


def test_json_files_are_strict_json_with_the_place_of_the_measurement(tmp_path):
    path = tmp_path / "deep" / "figures.json"
    check = summary.Check("a", "at least 1", "0", False)
    summary.write_json(path, checks=[check], r2=-math.inf, share=np.float64(0.5), count=np.int64(3))

    def refuse(name):
        raise AssertionError(name)

    written = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    assert written["checks"] == [{"title": "a", "floor": "at least 1", "measured": "0", "passed": False}]
    assert (written["r2"], written["share"], written["count"]) == (None, 0.5, 3)
    assert "tensorflow" in written["measured_on"]


def test_examples_give_what_they_show():
    result = doctest.testmod(summary)
    assert result.attempted > 0
    assert result.failed == 0


def test_no_json_file_without_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    summary.write_json(None, anything=1)
    assert list(tmp_path.iterdir()) == []
