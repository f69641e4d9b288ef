import dataclasses
import json
import math
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from autofix.errors import DataError
from autofix.scoring import assess as module
from autofix.scoring.assess import Assessment, assess, bootstrap_bounds, improvement_bounds, skill_score, spread
from autofix.scoring.best_constant import best_constant
from autofix.scoring.loss_specs import LossSpec
from autofix.scoring.numpy_losses import LOSS_NAMES, loss_spec

steady = settings(deadline=None, derandomize=True, max_examples=40, database=None)

numbers = st.integers(-1000, 1000).map(lambda n: n / 8)
columns = arrays.arrays(np.float64, st.integers(2, 30).map(lambda n: (n, 1)), elements=numbers)
scales = st.sampled_from([1e-3, 0.5, 3.0, 1e4])
shifts = st.sampled_from([-100.0, 0.0, 7.5])
names = st.sampled_from(["mean_squared_error", "mean_absolute_error"])

MSE = loss_spec("mean_squared_error")


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def labels_of(n, k, seed=0):
    return np.random.default_rng(seed).integers(0, k, n)


def test_importing_it_imports_neither_keras_nor_tensorflow():
    code = "import sys; import autofix.scoring.assess; "
    code += "sys.exit(bool({'keras', 'tensorflow'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Spread


@steady
@given(y=columns, scale=scales, shift=shifts, seed=st.integers(0, 9))
def test_spread_does_not_change_with_scale_and_shift(y, scale, shift, seed):
    p = y + noise(*y.shape, seed=seed)
    expected = spread(y, p, MSE)
    assert spread(scale * y, scale * p, MSE) == pytest.approx(expected, rel=1e-6)
    assert spread(y + shift, p + 2.0 * shift, MSE) == pytest.approx(expected, rel=1e-6)


@steady
@given(y=columns, factor=st.sampled_from([0.0, 0.25, 1.0, 4.0]))
def test_spread_is_the_factor_of_the_predictions(y, factor):
    expected = factor if np.ptp(y) > 0.0 else 0.0
    assert spread(y, 5.0 + factor * y, MSE) == pytest.approx(expected)


def test_spread_of_constant_predictions_is_exactly_zero():
    assert spread(noise(50), np.full((50, 1), 0.1, dtype=np.float32), MSE) == 0.0


def test_spread_of_constant_targets_is_zero_or_infinite():
    assert spread(np.ones(5), np.full((5, 1), 3.0), MSE) == 0.0
    assert spread(np.ones(5), np.arange(5.0), MSE) == math.inf


def test_an_output_with_constant_targets_does_not_hide_the_others():
    y = np.stack([np.arange(5.0), np.ones(5)], axis=1)
    p = np.stack([np.full(5, 2.0), np.linspace(0.0, 1e-3, 5)], axis=1)
    assert spread(y, p, MSE) == 0.0
    assert spread(y, y * 0.5, MSE) == 0.5


def test_spread_of_predictions_that_are_not_finite_is_nan():
    for value in (math.nan, math.inf):
        assert math.isnan(spread(np.arange(3.0), np.array([0.0, 1.0, value]), MSE))


def test_spread_compares_classes_as_probabilities():
    y = labels_of(200, 3)
    certain = np.where(np.eye(3)[y] > 0, 30.0, -30.0)
    assert spread(y, certain, loss_spec("sparse_categorical_crossentropy", from_logits=True)) == pytest.approx(1.0)
    assert spread(y > 0, certain[:, 0], loss_spec("binary_crossentropy", from_logits=True)) == pytest.approx(1.0)
    assert spread(np.eye(3)[y], np.eye(3)[y], loss_spec("categorical_crossentropy")) == pytest.approx(1.0)
    assert spread(y > 0, np.sign(y - 0.5), loss_spec("hinge")) == pytest.approx(1.0)
    assert spread(y, np.eye(3)[y], LossSpec("mine", lambda y, p: y)) == pytest.approx(1.0)


# Skill


@steady
@given(y=columns, scale=scales, shift=shifts, name=names, seed=st.integers(0, 9))
def test_skill_and_bounds_do_not_change_with_scale_and_shift(y, scale, shift, name, seed):
    p = y + 10.0 * noise(*y.shape, seed=seed)
    loss = loss_spec(name)
    one, other = assess(y, p, loss), assess(scale * y + shift, scale * p + shift, loss)
    if not one.is_target_constant:
        for field in ("skill", "skill_lower", "skill_upper", "spread"):
            assert getattr(other, field) == pytest.approx(getattr(one, field), rel=1e-5, abs=1e-5)


@steady
@given(y=columns, name=st.sampled_from(LOSS_NAMES[:6]))
def test_a_perfect_prediction_has_skill_one_and_the_best_constant_skill_zero(y, name):
    loss = loss_spec(name)
    y = np.abs(y) if "logarithmic" in name else y
    constant = best_constant(y, loss, (1,))
    zero = assess(y, np.broadcast_to(constant, y.shape), loss)
    assert (zero.skill, zero.spread) == (0.0, 0.0)
    if np.ptp(loss.per_row(y, np.broadcast_to(constant, y.shape))) > 0.0:
        assert assess(y, y, loss).skill == pytest.approx(1.0)


def test_skill_of_a_constant_without_loss_is_zero_or_minus_infinity():
    zeros, ones = np.zeros(4), np.ones(4)
    assert skill_score(zeros, zeros) == 0.0
    assert skill_score(ones, zeros) == -math.inf
    assert bootstrap_bounds(zeros, zeros) == (0.0, 0.0)
    assert bootstrap_bounds(ones, zeros) == (-math.inf, -math.inf)


def test_weights_move_the_skill():
    losses, constant = np.array([0.0, 1.0]), np.array([1.0, 1.0])
    assert skill_score(losses, constant, np.array([3.0, 1.0])) == 0.75


# Bounds


@steady
@given(
    losses=arrays.arrays(np.float64, 25, elements=numbers.map(abs)),
    constant=arrays.arrays(np.float64, 25, elements=numbers.map(abs)),
    seed=st.integers(0, 3),
)
def test_bounds_are_ordered_and_hold_the_skill(losses, constant, seed):
    lower, upper = bootstrap_bounds(losses, constant, seed=seed)
    assert lower <= upper
    skill = skill_score(losses, constant)
    assert lower <= skill <= upper or skill == pytest.approx(lower) or skill == pytest.approx(upper)


def test_bounds_cover_the_truth_about_as_often_as_they_say():
    rng, covered = np.random.default_rng(0), 0
    for _ in range(200):
        losses, constant = rng.chisquare(1, 80) * 0.6, rng.chisquare(1, 80)
        lower, upper = bootstrap_bounds(losses, constant)
        covered += lower <= 0.4 <= upper
    assert 0.89 <= covered / 200 <= 0.99


def test_bounds_narrow_with_the_rows():
    losses, constant = np.abs(noise(400)), np.ones(400)
    width = np.ptp(bootstrap_bounds(losses, constant))
    assert np.ptp(bootstrap_bounds(losses[:100], constant[:100])) > 1.5 * width


def test_losses_of_other_rows_are_a_data_error():
    with pytest.raises(DataError, match="Losses cannot be compared"):
        bootstrap_bounds(np.ones(3), np.ones(4))


def test_blocks_of_many_rows_give_the_bounds_of_the_rows(monkeypatch):
    losses, constant = noise(4001) ** 2, noise(4001, seed=1) ** 2
    by_rows = bootstrap_bounds(losses, constant)
    monkeypatch.setattr(module, "MAX_BOOTSTRAP_BLOCKS", 1000)
    assert bootstrap_bounds(losses, constant) == pytest.approx(by_rows, abs=0.02)
    assert np.ptp(bootstrap_bounds(losses, constant)) == pytest.approx(np.ptp(by_rows), rel=0.2)


def test_losses_that_are_not_finite_and_single_rows_have_no_bounds():
    assert np.isnan(bootstrap_bounds(np.array([1.0, math.nan]), np.ones(2))).all()
    assert bootstrap_bounds(np.zeros(1), np.ones(1)) == (-math.inf, math.inf)


def test_paired_bounds_show_an_improvement_that_separate_bounds_hide():
    old = noise(60) ** 2
    new, constant = 0.9 * old, noise(60, seed=1) ** 2
    assert bootstrap_bounds(new, constant)[0] < bootstrap_bounds(old, constant)[1]
    lower, upper = improvement_bounds(new, old, constant)
    assert 0.0 < lower <= skill_score(new, constant) - skill_score(old, constant) <= upper
    assert improvement_bounds(old, old, constant) == (0.0, 0.0)


def test_bounds_of_512_rows_take_less_than_a_millisecond_once_cached():
    losses, constant = noise(512) ** 2, noise(512, seed=1) ** 2
    bootstrap_bounds(losses, constant)

    def seconds():
        started = time.perf_counter()
        bootstrap_bounds(losses, constant)
        return time.perf_counter() - started

    assert min(seconds() for _ in range(20)) < 1e-3


def test_the_cached_resamples_cannot_be_overwritten():
    weights = module._resample_weights(10, 0)
    assert not weights.flags.writeable
    assert (weights.sum(axis=1) == 10).all()


# The assessment


def test_the_states_of_a_model():
    y = noise(300, 1)
    half = 0.5 * (y + noise(300, 1, seed=1))
    assert assess(y, half, MSE).state == "skilled"
    assert assess(y, np.full_like(y, 0.3), MSE).state == "constant"
    assert assess(y, 1e-4 * y, MSE).state == "constant"
    assert assess(y, noise(300, 1, seed=1), MSE).state == "no_skill"
    assert assess(y, np.where(y > 1, math.nan, y), MSE).state == "non_finite"
    assert assess(y, 0.05 * noise(300, 1, seed=1), MSE).state in ("uncertain", "no_skill")


def test_small_but_proven_skill_is_not_collapsed():
    seen = Assessment(100_000, 0.0005, 0.004, 0.002, 0.006, 1.0, 1.0, True, False, "output")
    assert seen.state == "uncertain"
    assert not seen.is_collapsed
    skilled = Assessment(1000, 0.0005, 0.2, 0.1, 0.3, 0.8, 1.0, True, False, "output")
    assert skilled.state == "skilled"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_predictions_that_are_not_finite_have_no_skill_to_speak_of(value):
    seen = assess(np.arange(4.0), np.array([0.0, 1.0, value, 3.0]), MSE)
    assert not seen.is_finite
    assert seen.is_collapsed
    assert all(math.isnan(one) for one in (seen.skill, seen.skill_lower, seen.skill_upper, seen.spread))
    assert seen.constant_loss == 1.25


def test_constant_targets_are_marked():
    y = np.full((20, 1), 3.0)
    assert assess(y, y, MSE).is_target_constant
    assert assess(y, y + noise(20, 1), MSE).skill == -math.inf
    assert not assess(noise(20), y, MSE).is_target_constant


def test_another_constant_is_an_easier_yardstick_than_the_best_one():
    y, p = noise(50, 1), noise(50, 1, seed=1)
    other = assess(y, p, MSE, constant_losses=MSE.per_row(y, np.full_like(y, 2.0)))
    best = assess(y, p, MSE)
    assert other.loss == best.loss
    assert other.constant_loss > best.constant_loss
    assert other.skill > best.skill


@steady
@given(
    values=st.tuples(*[st.floats(width=64)] * 6),
    flags=st.tuples(st.booleans(), st.booleans()),
    name=st.text(max_size=5),
)
def test_an_assessment_survives_strict_json(values, flags, name):
    fields = dict(
        zip((field.name for field in dataclasses.fields(Assessment)), (3, *values, *flags, name), strict=True)
    )
    seen = Assessment.from_dict(fields)
    text = json.dumps(seen.to_dict(), allow_nan=False)
    assert repr(Assessment.from_dict(json.loads(text))) == repr(seen)


def test_nothing_is_written_to_the_arrays():
    y, p = noise(30, 2), noise(30, 2, seed=1)
    copies = y.copy(), p.copy()
    assess(y, p, loss_spec("huber"))
    np.testing.assert_array_equal((y, p), copies)
