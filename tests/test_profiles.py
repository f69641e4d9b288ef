import dataclasses
import json

import numpy as np
import pytest

from autofix.profiles import profile_input, profile_target


def draws(*shape):
    return np.random.default_rng(0).normal(size=shape)


@pytest.mark.parametrize("shape", [(500, 2), (50, 10, 2), (10, 5, 10, 2)])
def test_inputs_are_profiled_over_their_last_axis(shape):
    x = draws(*shape) * [1.0, 100.0] + [5.0, 0.0]
    profile = profile_input(x)
    rows = x.reshape(-1, 2)
    np.testing.assert_allclose(profile.mean, rows.mean(axis=0))
    np.testing.assert_allclose(profile.std, rows.std(axis=0))
    np.testing.assert_allclose(profile.median, np.median(rows, axis=0))
    assert profile.minimum == tuple(rows.min(axis=0))
    assert profile.maximum == tuple(rows.max(axis=0))
    assert profile.iqr == pytest.approx(tuple(1.35 * rows.std(axis=0)), rel=0.15)
    assert not profile.is_integer


def test_an_input_of_one_axis_is_one_feature():
    profile = profile_input(np.array([1, 2, 3, 4]))
    assert profile.mean == (2.5,)
    assert profile.is_integer


def test_statistics_of_half_precision_do_not_overflow():
    profile = profile_input(np.full((1000, 1), 6e4, dtype=np.float16))
    assert profile.mean[0] == pytest.approx(6e4, rel=1e-3)
    assert profile.std == (0.0,)


@pytest.mark.parametrize(
    ("y", "kind", "low", "high"),
    [
        (np.arange(100.0), "regression", 0.99, 1.0),
        (-(np.arange(100.0) ** 3), "regression", 0.99, 1.0),
        (draws(1000), "regression", 0.0, 0.1),
        (np.full(100, 2.0), "regression", 0.0, 0.0),
        (np.eye(300)[0], "regression", 0.0, 0.15),
        (np.repeat([0, 1], 50), "binary", 0.97, 1.0),
        (np.repeat([0, 1, 2], 50)[:, None], "multiclass", 0.97, 1.0),
        (np.eye(3)[np.repeat([0, 1, 2], 50)], "multiclass", 0.97, 1.0),
        (np.random.default_rng(0).integers(0, 3, 1000), "multiclass", 0.0, 0.1),
        (np.tile([0, 1], 50), "binary", 0.0, 0.0),
        (np.zeros(100), "binary", 0.0, 0.0),
        ((np.random.default_rng(0).random(1000) < 0.02).astype(int), "binary", 0.0, 0.1),
    ],
)
def test_order_drift_tells_sorted_rows_from_shuffled_ones(y, kind, low, high):
    assert low <= profile_target(y, kind).order_drift <= high


def test_many_equal_targets_are_no_drift():
    y = np.zeros(200)
    y[np.random.default_rng(0).permutation(200)[:10]] = 1.0
    assert profile_target(y, "regression").order_drift < 0.2


@pytest.mark.parametrize(
    ("y", "is_constant"),
    [(np.ones(5), True), (np.tile([1.0, 2.0], (5, 1)), True), (np.array([1.0, 1.0, 2.0]), False), (np.ones(1), True)],
)
def test_a_target_that_is_the_same_in_every_row_is_constant(y, is_constant):
    assert profile_target(y, "regression").is_constant == is_constant


def test_targets_are_profiled_over_all_values():
    profile = profile_target(np.array([[0, 10], [0, 10]]), "other")
    assert (profile.kind, profile.mean, profile.std) == ("other", 5.0, 5.0)


@pytest.mark.parametrize("profile", [profile_input(draws(10, 2)), profile_target(draws(10), "regression")])
def test_profiles_are_json_values(profile):
    assert json.loads(json.dumps(dataclasses.asdict(profile)))
