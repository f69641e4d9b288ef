"""Inspection: what is read off a live Keras model, as `Evidence`."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from autofix import architecture, optimizers
from autofix.data import TrainingData
from autofix.evidence import Evidence, FitProfile, ModelProfile
from autofix.profiles import profile_input, profile_target

SCALE_FREE = ("Adam", "AdamW", "Nadam", "Adamax", "RMSprop", "Adadelta", "Lion", "Adafactor", "Muon")
"""Optimizers that divide the scale of the gradient out (Kingma & Ba 2015, section 2, and kin)."""

DEAD_ROWS = 256
"""Rows that a unit must be zero for to be called dead."""


def collect(model: keras.Model, data: TrainingData, kinds: Sequence[str]) -> Evidence:
    """The evidence of a model in the middle of its training.

    Args:
        model: Built and compiled. Not changed.
        data: The sample.
        kinds: The kind of task of each output, as in `TargetProfile`.

    Returns:
        Everything but the reference learners.
    """
    training = slice(0, data.n_training)
    return Evidence(
        inputs=tuple(profile_input(array[training]) for array in data.inputs),
        targets=tuple(profile_target(array[training], kind) for array, kind in zip(data.targets, kinds, strict=False)),
        model=profile_model(model, data),
        fit=FitProfile(
            data.n_rows,
            data.batch_size,
            data.epochs,
            data.total_steps,
            data.shuffle,
            data.source,
            data.can_regroup,
            data.sample_weights is not None,
        ),
    )


def profile_model(model: keras.Model, data: TrainingData) -> ModelProfile:
    """Facts about the network and its optimizer."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    schedule = optimizers.schedule_of(optimizer)
    layers = model._flatten_layers(include_self=False)
    why_no_edit = architecture.why_not_rebuilt(model)
    return ModelProfile(
        optimizer=type(optimizer).__name__,
        learning_rate=_initial_rate(optimizer, schedule),
        schedule=None if schedule is None else type(schedule).__name__,
        default_learning_rate=_default_rate(optimizer),
        is_scale_free=type(optimizer).__name__ in SCALE_FREE,
        nonlinear_layers=_count_nonlinear(model),
        layer_types=tuple(sorted({type(layer).__name__ for layer in layers})),
        can_rescale_rate=_can_rescale(schedule),
        can_edit=not why_no_edit,
        why_no_edit=why_no_edit,
        can_insert=architecture.can_insert(model),
        output_activations=_output_activations(model),
        dead_share=_dead_share(model, data),
    )


def _initial_rate(optimizer: Any, schedule: Any) -> float | None:
    try:
        return float(schedule(0)) if schedule is not None else optimizers.constant_rate(optimizer)
    except (TypeError, ValueError, AttributeError):
        return None


def _default_rate(optimizer: Any) -> float | None:
    """The learning rate that Keras gives an optimizer of this class when none is asked for."""
    if not type(optimizer).__module__.startswith("keras."):
        return None
    return optimizers.constant_rate(type(optimizer)())


def _can_rescale(schedule: Any) -> bool:
    if schedule is None:
        return True
    try:
        optimizers.rescaled_schedule(schedule, 0.5)
    except (ValueError, NotImplementedError):
        return False
    return True


def _activation_name(layer: Any) -> str | None:
    """Name of a layer's activation, or None when it has none."""
    if isinstance(layer, keras.layers.ReLU | keras.layers.LeakyReLU | keras.layers.Softmax | keras.layers.ELU):
        return type(layer).__name__.lower()
    activation = getattr(layer, "activation", None)
    return getattr(activation, "__name__", None) if activation is not None else None


def _count_nonlinear(model: keras.Model) -> int:
    """Hidden layers with a non-linear activation; a model whose layers cannot be listed counts as non-linear."""
    layers = list(model._flatten_layers(include_self=False, recursive=True))
    hidden = [layer for layer in layers if layer not in _last_layers(model)]
    names = [_activation_name(layer) for layer in hidden]
    return sum(1 for name in names if name not in (None, "linear")) if architecture.can_edit(model) else len(layers)


def _last_layers(model: keras.Model) -> list[Any]:
    if not architecture.can_edit(model):
        return []
    last = [tensor._keras_history.operation for tensor in keras.tree.flatten(model.outputs)]
    return [*last, *architecture.output_layers(model)]


def _output_activations(model: keras.Model) -> tuple[str, ...]:
    if not architecture.can_edit(model):
        return ()
    last = [tensor._keras_history.operation for tensor in keras.tree.flatten(model.outputs)]
    return tuple(_activation_name(layer) or ("linear" if layer.weights else "unknown") for layer in last)


def _dead_share(model: keras.Model, data: TrainingData) -> float:
    """The largest share of always-zero units over the hidden ReLU layers."""
    if not architecture.can_edit(model) or len(data.inputs) != 1:
        return 0.0
    hidden = [layer for layer in model.layers if _activation_name(layer) == "relu" and layer not in _last_layers(model)]
    if not hidden:
        return 0.0
    rows = data.watch_rows(DEAD_ROWS)
    outputs = keras.Model(model.inputs, [layer.output for layer in hidden])([data.inputs[0][rows]], training=False)
    arrays = [np.asarray(array).reshape(-1, array.shape[-1]) for array in keras.tree.flatten(outputs)]
    return max(float((array == 0).all(axis=0).mean()) for array in arrays)
