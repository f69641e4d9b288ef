"""Optimizers like the user's, at another learning rate or with limits on gradients."""

from collections.abc import Callable
from typing import Any

import keras

from autofix.errors import ModelError
from autofix.recipe import Recipe
from autofix.remedies import ClipGradients, RescaleOutputs

RATE_KEYS = ("initial_learning_rate", "end_learning_rate", "warmup_target", "values")
"""The entries of Keras' schedule configurations that are learning rates."""


def changed_optimizer(optimizer: Any, recipe: Recipe, wrap_rate: Callable[[Any], Any] | None = None) -> Any:
    """A new, unbuilt optimizer like the given one, with a recipe's learning rate, epsilon and limits on gradients.

    Args:
        optimizer: Not changed. One that wraps another (`LossScaleOptimizer`) is copied with it.
        recipe: What to change.
        wrap_rate: What to make of the rate or schedule before it is handed to the new optimizer.

    Raises:
        ModelError: The factor is not 1 and the schedule is not one of Keras'.
    """
    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None:
        config = {key: value for key, value in optimizer.get_config().items() if key != "inner_optimizer"}
        return type(optimizer)(changed_optimizer(inner, recipe, wrap_rate), **_own_arguments(config))
    config = optimizer.get_config()
    for remedy in recipe.of(ClipGradients):
        # Keras takes one limit only.
        config.update(clipnorm=None, clipvalue=None, global_clipnorm=remedy.global_clipnorm)
    for remedy in recipe.of(RescaleOutputs):
        if "epsilon" in config:
            config["epsilon"] *= remedy.epsilon_factor
    schedule, factor = schedule_of(optimizer), recipe.learning_rate_factor
    rate = rescaled(constant_rate(optimizer), factor) if schedule is None else rescaled_schedule(schedule, factor)
    config["learning_rate"] = rate if wrap_rate is None else wrap_rate(rate)
    return type(optimizer)(**config) if schedule is not None or wrap_rate else type(optimizer).from_config(config)


def takes_rate(optimizer: Any, recipe: Recipe) -> bool:
    """Whether another constant rate is all that a recipe asks of an optimizer, which has taken no step yet."""
    is_constant = isinstance(getattr(optimizer, "_learning_rate", None), keras.Variable)
    is_plain = is_constant and getattr(optimizer, "inner_optimizer", None) is None
    return is_plain and not recipe.of(ClipGradients) and not int(optimizer.iterations.numpy())


def _own_arguments(config: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a wrapping optimizer that are its own, not repeated from the one inside."""
    return {key: config[key] for key in ("initial_scale", "dynamic_growth_steps", "name") if key in config}


def schedule_of(optimizer: Any) -> keras.optimizers.schedules.LearningRateSchedule | None:
    """The learning-rate schedule of an optimizer, if it has one."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    rate = getattr(optimizer, "_learning_rate", None)
    return rate if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule) else None


def rescaled(rate: float, factor: float) -> float:
    """A rate times a factor; where it is 0, the factor is the rate itself, and 1 leaves it at 0."""
    return rate * factor if rate else factor * (factor != 1.0)


def constant_rate(optimizer: Any) -> float:
    """The learning rate of an optimizer without a schedule, as it was written: 0.001 and not 0.0010000000474974513."""
    rate = optimizer.learning_rate.numpy()  # of a variable, which `float` refuses when it is mirrored
    return float(str(rate))


def rescaled_schedule(schedule: Any, factor: float) -> Any:
    """A schedule with every rate multiplied.

    Raises:
        ModelError: The schedule is not one of Keras', so it is not known which of its numbers are rates.
    """
    if factor == 1.0:
        return schedule
    config = schedule.get_config()
    rates = {key: config[key] for key in RATE_KEYS if config.get(key) is not None}
    if not rates or not type(schedule).__module__.startswith("keras."):
        raise ModelError(
            "The learning-rate schedule cannot be rescaled. Expected one of keras.optimizers.schedules. "
            f"Received: {type(schedule).__name__}. Multiply its rates yourself."
        )
    for key, value in rates.items():
        config[key] = [rate * factor for rate in value] if isinstance(value, list | tuple) else value * factor
    return type(schedule).from_config(config)
