"""What a report shows of a run beside its verdict, gathered from the live run into records of bounded size."""

import functools
import inspect
import itertools
import platform
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

import keras
import numpy as np
import tensorflow as tf

from autofix.data.sources import Source
from autofix.data.training_data import TrainingData
from autofix.measuring.inspection import layers_now
from autofix.monitoring.monitor import Look
from autofix.report.traces import Circumstances, LayerHealth, LookTrace, LossCurve, Trace
from autofix.settings import Settings

MOST_EPOCHS = 200
"""Epochs of a curve of losses: about as many as a picture can tell apart."""

MOST_FEATURE_NAMES = 200
"""Names of columns of an input: of a table that is wider none is kept."""

MOST_CHARACTERS = 120
"""Of an argument in words."""

NO_LAYERS: tuple[LayerHealth, ...] = ()

P = ParamSpec("P")
T = TypeVar("T")


def attempt(gather: Callable[[], tuple[T, ...]]) -> tuple[T, ...]:
    """What is gathered, or nothing where that fails."""
    try:
        return gather()
    except Exception:  # noqa: BLE001 - as below
        return ()


def _or_else(default: T) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Makes a function give a default where it fails: nothing that is there to be shown may cost a training."""

    def decorate(gather: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(gather)
        def safe(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return gather(*args, **kwargs)
            except Exception:  # noqa: BLE001 - such as a `fit` of the user's own that returns another history
                return default

        return safe

    return decorate


@_or_else(Trace())
def trace(
    looks: Sequence[Look],
    history: keras.callbacks.History,
    first_epoch: int,
    layers: tuple[LayerHealth, ...] = (),
) -> Trace:
    """What was seen of one training.

    Args:
        looks: In order.
        history: What `fit` returned.
        first_epoch: The `initial_epoch` of the training.
        layers: As `layer_health` gives them.
    """
    return Trace(
        looks=tuple(LookTrace(look.epoch, look.heads) for look in looks),
        losses=_curve(history.history, first_epoch),
        layers=layers,
    )


def _curve(history: Mapping[str, Sequence[float]], first_epoch: int) -> LossCurve:
    loss, val_loss = ([float(value) for value in history.get(name, ())] for name in ("loss", "val_loss"))
    kept = np.unique(np.linspace(0, len(loss) - 1, min(len(loss), MOST_EPOCHS)).astype(int)).tolist()
    has_validation = len(val_loss) == len(loss)  # with `validation_freq` there are fewer, of unknown epochs
    return LossCurve(
        tuple(first_epoch + index + 1 for index in kept),
        tuple(loss[index] for index in kept),
        tuple(val_loss[index] for index in kept) if has_validation else (),
    )


@_or_else(NO_LAYERS)
def layer_health(model: keras.Model, data: TrainingData) -> tuple[LayerHealth, ...]:
    """The layers with weights as they are now. Costs a pass over at most 256 rows; the model ends as it was.

    Args:
        model: Built and compiled.
        data: The sample.
    """
    return tuple(
        LayerHealth(
            name=layer.name,
            kind=layer.kind,
            activation=layer.activation,
            units=layer.units,
            dead_share=layer.dead_share,
            saturated_share=layer.saturated_share,
            gradient=layer.gradient,
        )
        for layer in layers_now(model, data)
        if layer.has_weights
    )


@_or_else(Circumstances())
def circumstances(
    function: Callable[..., Any],
    arguments: Mapping[str, Any],
    settings: Settings,
    source: Source,
    data: TrainingData | None,
) -> Circumstances:
    """How the run was made.

    Args:
        function: `fit`, whose defaults go without saying.
        arguments: Of Keras' `fit`, by name.
        settings: Those of autofix.
        source: What `fit` was given.
        data: The sample; None where there was none to look at.
    """
    given = {**arguments, **{name: getattr(settings, name) for name in vars(settings)}}
    defaults = {name: one.default for name, one in inspect.signature(function).parameters.items()}
    names = source.feature_names()
    is_wide = any(len(columns) > MOST_FEATURE_NAMES for columns in names)
    rows = "" if data is None else "validation" if data.has_held_out else "training"
    return Circumstances(
        versions=versions(),
        seed=settings.base_seed,
        fit_arguments={
            name: _in_words(value) for name, value in given.items() if not _is_default(value, defaults.get(name))
        },
        feature_names=() if is_wide or not any(map(len, names)) else tuple(tuple(map(str, one)) for one in names),
        look_rows=rows,
    )


def versions() -> dict[str, str]:
    """Of what a run depends on, by name.

    Example:

    >>> sorted(versions())
    ['Keras', 'NumPy', 'Python', 'TensorFlow', 'autofix']
    """
    return {
        "autofix": sys.modules["autofix"].__version__,
        "Python": platform.python_version(),
        "Keras": keras.__version__,
        "TensorFlow": tf.__version__,
        "NumPy": np.__version__,
    }


def _is_default(value: Any, default: Any) -> bool:
    # Compared by identity first: arrays and tensors have no single answer to `==`.
    is_plain = isinstance(value, str | int | float) and type(value) is type(default)
    return value is default or (is_plain and value == default)


def _in_words(value: Any) -> str:
    """An argument as it would be typed, or what it is: never its data."""
    if isinstance(value, str | int | float) or value is None:
        return repr(value)[:MOST_CHARACTERS]
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{type(value).__name__} of shape {tuple(value.shape)}"
    if isinstance(value, Mapping):
        return _joined("{", (f"{key!r}: {_in_words(one)}" for key, one in _first(value.items())), "}")
    if isinstance(value, list | tuple):
        return _joined("(", (_in_words(one) for one in _first(value)), ")")
    return type(value).__name__


def _first(values: Iterable[T]) -> Iterable[T]:
    """The first few: a list may hold all the data."""
    return itertools.islice(values, MOST_CHARACTERS)


def _joined(left: str, parts: Any, right: str) -> str:
    text = f"{left}{', '.join(parts)}{right}"
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 4]}...{right}"
