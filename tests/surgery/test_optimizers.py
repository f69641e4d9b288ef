import keras
import pytest

from autofix.errors import ModelError
from autofix.recipe import Recipe
from autofix.remedies import ClipGradients, RescaleOutputs, SetLearningRate
from autofix.surgery import optimizers


def at(factor):
    return Recipe((SetLearningRate("lower_learning_rate", factor=factor),))


schedules = keras.optimizers.schedules


@pytest.mark.parametrize(
    "schedule",
    [
        schedules.CosineDecay(0.1, 50, alpha=0.1, warmup_target=0.5, warmup_steps=10),
        schedules.CosineDecay(0.1, 50),
        schedules.ExponentialDecay(0.1, 20, 0.5),
        schedules.PiecewiseConstantDecay([10, 20], [0.3, 0.2, 0.1]),
        schedules.PolynomialDecay(0.1, 50, 0.01),
        schedules.InverseTimeDecay(0.1, 10, 0.5),
        schedules.CosineDecayRestarts(0.1, 20),
    ],
)
def test_every_rate_of_a_schedule_is_rescaled(schedule):
    rescaled = optimizers.rescaled_schedule(schedule, 0.01)
    assert type(rescaled) is type(schedule)
    for step in (0, 5, 10, 15, 30, 60):
        assert float(rescaled(step)) == pytest.approx(0.01 * float(schedule(step)), rel=1e-5)
    optimizer = optimizers.changed_optimizer(keras.optimizers.SGD(schedule), at(0.01))
    found = optimizers.schedule_of(optimizer)
    assert found is not None
    assert float(found(5)) == pytest.approx(0.01 * float(schedule(5)), rel=1e-5)


class OwnSchedule(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.1

    def get_config(self):
        return {"initial_learning_rate": 0.1}


def test_a_schedule_of_the_users_own_is_refused_where_it_would_have_to_change():
    optimizer = keras.optimizers.Adam(OwnSchedule())
    with pytest.raises(ModelError, match="Received: OwnSchedule"):
        optimizers.changed_optimizer(optimizer, at(0.5))
    assert isinstance(optimizers.schedule_of(optimizers.changed_optimizer(optimizer, at(1.0))), OwnSchedule)


@pytest.mark.parametrize(
    "optimizer",
    [
        keras.optimizers.SGD(0.5, momentum=0.9, nesterov=True, clipnorm=1.0),
        keras.optimizers.AdamW(0.5, beta_1=0.8, weight_decay=0.01, use_ema=True),
        keras.optimizers.RMSprop(0.5, rho=0.7, gradient_accumulation_steps=2),
    ],
)
def test_all_other_settings_of_an_optimizer_are_kept(optimizer):
    before = optimizer.get_config()
    rescaled = optimizers.changed_optimizer(optimizer, at(0.1))
    after = rescaled.get_config()
    assert type(rescaled) is type(optimizer)
    assert float(after.pop("learning_rate")) == pytest.approx(0.05)
    assert float(before.pop("learning_rate")) == 0.5
    assert after == before


def test_an_optimizer_that_wraps_another_is_copied_with_it():
    wrapped = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5, momentum=0.9), initial_scale=64.0)
    rescaled = optimizers.changed_optimizer(wrapped, at(0.1))
    assert isinstance(rescaled, keras.optimizers.LossScaleOptimizer)
    assert rescaled.initial_scale == 64.0
    assert rescaled.inner_optimizer is not wrapped.inner_optimizer
    assert rescaled.inner_optimizer.momentum == 0.9
    assert float(rescaled.inner_optimizer.learning_rate) == pytest.approx(0.05)


def test_a_rate_of_0_becomes_the_factor_itself():
    optimizer = keras.optimizers.Adam(0.0)
    assert optimizers.constant_rate(optimizers.changed_optimizer(optimizer, at(0.01))) == pytest.approx(0.01)
    assert optimizers.constant_rate(optimizers.changed_optimizer(optimizer, Recipe())) == 0.0


@pytest.mark.parametrize("kind", [keras.optimizers.Adam, keras.optimizers.RMSprop])
def test_small_units_shrink_the_epsilon_that_the_user_gave(kind):
    rescaled = Recipe((RescaleOutputs("standardize_targets", scale=(1e-3,), offset=(0.0,), epsilon_factor=1e-6),))
    changed = optimizers.changed_optimizer(kind(0.5, epsilon=1e-4), rescaled)
    assert (changed.epsilon, float(changed.learning_rate)) == (pytest.approx(1e-10), 0.5)
    assert optimizers.changed_optimizer(keras.optimizers.SGD(0.5), rescaled).get_config()["learning_rate"] == 0.5


def test_clipping_takes_the_place_of_the_limits_that_were_there():
    optimizer = keras.optimizers.SGD(0.5, momentum=0.9, clipvalue=3.0)
    clipped = optimizers.changed_optimizer(optimizer, Recipe((ClipGradients("clip_gradients", 0.1),)))
    assert (clipped.global_clipnorm, clipped.clipvalue, clipped.momentum) == (0.1, None, 0.9)
