"""Inspection: what is read off a live Keras model, as `Evidence`. The model ends as it was."""

import contextlib
import dataclasses
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import keras
import numpy as np

from autofix.data.profiles import profile_input, profile_target
from autofix.data.training_data import TrainingData
from autofix.evidence import CurveProfile, Evidence, FitProfile, LayerProfile, ModelProfile
from autofix.measuring.layer_facts import ACTIVATION_LAYERS
from autofix.measuring.layer_profiles import Weights, profile_layers, weights_of
from autofix.measuring.measured_pass import Measurement, Pass
from autofix.measuring.output_profiles import profile_outputs
from autofix.state import Snapshot, preserved_randomness
from autofix.surgery import architecture, optimizers

SCALE_FREE = ("Adam", "AdamW", "Nadam", "Adamax", "RMSprop", "Adadelta", "Lion", "Adafactor", "Muon")
"""Optimizers that divide the scale of the gradient out (Kingma & Ba 2015, section 2, and kin)."""

LIMITS = ("clipnorm", "clipvalue", "global_clipnorm")

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class _Moments:
    """What was measured when the training began, and now."""

    start: Pass
    now: Pass
    before: Weights
    after: Weights


def collect(
    model: keras.Model,
    data: TrainingData,
    kinds: Sequence[str],
    initial: Snapshot | None = None,
    losses: Sequence[float] = (),
) -> Evidence:
    """The evidence of a model in the middle of its training.

    Args:
        model: Built and compiled. Put back exactly as it was, with its optimizer and all random generators.
        data: The sample.
        kinds: The kind of task of each output, as in `TargetProfile`.
        initial: The model's values when its training began; None where these are its values now.
        losses: Mean training loss of each epoch so far.

    Returns:
        Everything but the reference learners. What cannot be measured is left at its default.
    """
    training = slice(0, data.n_training)
    first_target = data.targets[0][training] if data.targets else None
    with _undisturbed(model):
        moments = _measured(model, data, initial)
        profile = _profile_model(model, data, moments)
    return Evidence(
        inputs=tuple(profile_input(array[training], first_target) for array in data.inputs),
        targets=tuple(profile_target(array[training], kind) for array, kind in zip(data.targets, kinds, strict=False)),
        model=profile,
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
        curve=_profile_curve(moments, losses),
    )


def profile_model(model: keras.Model, data: TrainingData) -> ModelProfile:
    """Facts about the network and its optimizer, as at the beginning of a training.

    Args:
        model: As for `collect`.
        data: The sample.
    """
    with _undisturbed(model):
        return _profile_model(model, data, _measured(model, data, None))


def layers_now(model: keras.Model, data: TrainingData) -> tuple[LayerProfile, ...]:
    """The layers as they are; a pass over at most 256 rows. What cannot be measured is left at its default.

    Args:
        model: As for `collect`.
        data: The sample.
    """
    with _undisturbed(model):
        moments = _measured(model, data, None)
        return _profile_layers(model, moments)


def _profile_layers(model: keras.Model, moments: _Moments) -> tuple[LayerProfile, ...]:
    start, now, before, after = moments.start, moments.now, moments.before, moments.after
    return _attempt(lambda: profile_layers(model, start, now, before, after), ())


def _measured(model: keras.Model, data: TrainingData, initial: Snapshot | None) -> _Moments:
    """What there is to measure. Leaves the model at the values of `initial`."""
    measurement = _attempt(lambda: Measurement(model, data), None)
    no_weights: Weights = {}

    def take() -> Pass:
        return measurement.take() if measurement is not None else Pass()

    now, after = take(), _attempt(lambda: weights_of(model), no_weights)
    if initial is None:
        return _Moments(now, now, after, after)
    initial.restore()
    return _Moments(take(), now, _attempt(lambda: weights_of(model), no_weights), after)


@contextlib.contextmanager
def _undisturbed(model: keras.Model) -> Iterator[None]:
    """Puts the model, its optimizer and the random generators back; copies of layers draw seeds too."""
    current = Snapshot(model)
    try:
        with preserved_randomness(), warnings.catch_warnings():
            # Keras has warned in the training of whatever there is to warn of.
            warnings.simplefilter("ignore")
            yield
    finally:
        current.restore()


def _attempt(measure: Callable[[], T], otherwise: T) -> T:
    """A measurement, or its default where it fails: no fact about a network is worth the training."""
    try:
        return measure()
    except Exception:  # noqa: BLE001 - Keras trains networks of forms that nobody foresees
        return otherwise


def _profile_curve(moments: _Moments, losses: Sequence[float]) -> CurveProfile:
    start, now = moments.start, moments.now
    return CurveProfile(
        losses=tuple(float(loss) if math.isfinite(loss) else math.nan for loss in losses),
        data_loss=now.data_loss,
        penalty=now.penalty,
        start_data_loss=start.data_loss,
        start_penalty=start.penalty,
        has_nonfinite_weights=not all(np.isfinite(values).all() for values in moments.after.values()),
    )


def _profile_model(model: keras.Model, data: TrainingData, moments: _Moments) -> ModelProfile:
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    schedule = optimizers.schedule_of(optimizer)
    layers = model._flatten_layers(include_self=False)
    why_no_edit = architecture.why_not_rebuilt(model)
    y = keras.tree.pack_sequence_as(data.y_structure, data.targets)
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
        outputs=_attempt(lambda: profile_outputs(model, moments.now, y), ()),
        layers=_profile_layers(model, moments),
        is_clipped=any(getattr(optimizer, limit, None) for limit in LIMITS),
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
    for kind, name in ACTIVATION_LAYERS.items():
        if isinstance(layer, kind):
            return name
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
