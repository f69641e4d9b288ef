"""Profiles of outputs: what each can say, and what it says on a few rows."""

from collections.abc import Sequence

import keras
import numpy as np

from autofix.evidence import OutputProfile
from autofix.measuring.layer_facts import Head, head_of
from autofix.measuring.layer_profiles import is_same
from autofix.measuring.measured_pass import Pass
from autofix.scoring.losses import loss_forms
from autofix.surgery import architecture


def outputs_of(model: keras.Model, y: object) -> tuple[OutputProfile, ...]:
    """One profile an output of what can be told without predictions; none for models that cannot be edited.

    Args:
        model: Built and compiled. Not changed.
        y: Targets, a tree like the outputs.
    """
    return profile_outputs(model, Pass(), y) if architecture.can_edit(model) else ()


def profile_outputs(model: keras.Model, measured: Pass, y: object) -> tuple[OutputProfile, ...]:
    """One profile an output; none where the outputs, or their losses, cannot be told apart.

    Args:
        model: Built and compiled. Not changed.
        measured: A pass with the weights of now.
        y: Targets, a tree like the outputs.
    """
    can_edit = architecture.can_edit(model)
    shapes = _shapes(model) if can_edit else [array.shape[1:] for array in measured.predictions]
    forms = loss_forms(model, y)
    if len(forms) != len(shapes):
        return ()
    can_replace = can_edit and not architecture.why_not_rebuilt(model)
    profiles = []
    for index, (shape, (loss, from_logits)) in enumerate(zip(shapes, forms, strict=True)):
        head = head_of(model, index) if can_edit else Head(None, "unknown", is_top_level=False)
        prediction = measured.predictions[index] if index < len(measured.predictions) else np.empty(0)
        low, high = _range(prediction)
        profiles.append(
            OutputProfile(
                layer=head.layer.name if head.layer is not None else "",
                units=int(shape[-1] or 1) if shape else 1,
                activation=head.activation,
                loss=loss,
                from_logits=from_logits,
                minimum=low,
                maximum=high,
                is_flat=_is_flat(head, prediction, measured),
                shape=tuple(int(size or 1) for size in shape),
                can_replace=can_replace and head.is_top_level and type(head.layer) is keras.layers.Dense,
            )
        )
    return tuple(profiles)


def _shapes(model: keras.Model) -> list[Sequence[int | None]]:
    return [tuple(tensor.shape[1:]) for tensor in keras.tree.flatten(model.outputs)]


def _range(prediction: np.ndarray) -> tuple[float, float]:
    """Smallest and largest finite prediction; 0 without any."""
    finite = prediction[np.isfinite(prediction)] if prediction.dtype.kind == "f" else prediction.ravel()
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def _is_flat(head: Head, prediction: np.ndarray, measured: Pass) -> bool:
    """Whether the predictions are the same for every row though what they are computed from is not."""
    activity = measured.activities.get(id(head.layer))
    if activity is None or len(prediction) < 2 or not is_same(prediction).all():
        return False
    return not is_same(activity.given).all()
