import dataclasses
import json

import hypothesis
import hypothesis.extra.numpy
import numpy as np
import pytest
from hypothesis import strategies as st

from autofix.data.profiles import profile_input, profile_target


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


columns = hypothesis.extra.numpy.arrays(
    np.float64, (60, 3), elements=st.floats(-1e3, 1e3, allow_subnormal=False, width=32)
)


@hypothesis.given(columns, st.floats(0.01, 100.0), st.floats(-100.0, 100.0))
def test_statistics_move_and_stretch_with_the_values(values, scale, shift):
    profile, other = profile_input(values), profile_input(scale * values + shift)
    for name in ("mean", "minimum", "maximum", "median"):
        expected = scale * np.array(getattr(profile, name)) + shift
        np.testing.assert_allclose(getattr(other, name), expected, rtol=1e-6, atol=1e-6)
    for name in ("std", "iqr"):
        expected = scale * np.array(getattr(profile, name))
        np.testing.assert_allclose(getattr(other, name), expected, rtol=1e-6, atol=1e-6)


@hypothesis.given(columns, st.integers(0, 59))
def test_values_that_are_not_finite_are_counted_and_left_out(values, row):
    broken = values.copy()
    broken[row, 0], broken[row, 1] = np.nan, np.inf
    profile, without = profile_input(broken), profile_input(np.delete(values, row, axis=0))
    assert profile.n_nonfinite == 2
    assert profile.mean[:2] == pytest.approx(without.mean[:2], abs=1e-9)
    assert profile.minimum[:2] == without.minimum[:2]
    assert profile.median[:2] == pytest.approx(without.median[:2])
    assert profile.mean[2] == pytest.approx(values[:, 2].mean(), abs=1e-9)


@pytest.mark.parametrize("x", [np.full((5, 2), np.nan), np.zeros((1, 2)), np.zeros((5, 2, 2, 1)), np.array([["a"]])])
def test_inputs_without_anything_to_measure_have_a_profile(x):
    profile = profile_input(x, np.zeros(len(x)))
    assert profile.shape == x.shape[1:]
    assert json.loads(json.dumps(dataclasses.asdict(profile), allow_nan=False))


def test_constant_features_outliers_and_duplicates_are_counted():
    x = np.column_stack([draws(400), np.full(400, 7.0)])
    x[:4, 0] = 100.0
    x[200:300] = x[100:200]
    profile = profile_input(x)
    assert profile.constant_features == (1,)
    assert profile.std[1] == 0.0
    assert profile.outlier_share == pytest.approx(4 / 800)
    assert profile.duplicate_share == pytest.approx(103 / 400)


def test_large_images_are_profiled_on_some_of_their_pixels():
    x = np.random.default_rng(0).integers(0, 256, (2000, 64, 64, 3)).astype(np.uint8)
    profile = profile_input(x)
    assert profile.mean == pytest.approx((127.5,) * 3, rel=0.01)
    assert profile.codes == ()


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (np.array([2, 0, 2, 2]), {"n_distinct": 2, "is_whole": True, "class_shares": ((0, 0.25), (2, 0.75))}),
        (np.array([[0.5], [1.5], [0.5]]), {"n_distinct": 2, "is_whole": False, "class_shares": (), "maximum": 1.5}),
        (
            np.eye(4)[[0, 1, 1, 0]],
            {"width": 4, "is_one_hot": True, "n_distinct": 2, "class_shares": ((0, 0.5), (1, 0.5))},
        ),
        (np.array([[1, 1], [0, 1]]), {"width": 2, "is_one_hot": False, "has_several": True, "class_shares": ()}),
        (np.array([[0, 0], [0, 1]]), {"width": 2, "is_one_hot": False, "has_several": False}),
        (np.array([[2, 0], [1, 1]]), {"width": 2, "is_one_hot": False, "has_several": False}),
        (np.eye(3)[np.zeros((5, 2), dtype=int)], {"width": 6, "is_one_hot": True, "has_several": False}),
        (np.arange(1000), {"n_distinct": 1000, "is_whole": True, "class_shares": ()}),
        (np.array([np.nan, 1.0, 2.0]), {"n_nonfinite": 1, "mean": 1.5, "is_constant": False}),
        (np.array([np.nan, np.nan]), {"n_nonfinite": 2, "mean": 0.0, "is_constant": False}),
    ],
)
def test_targets_tell_classes_from_numbers(y, expected):
    profile = profile_target(y, "other")
    assert {name: getattr(profile, name) for name in expected} == expected
