"""What a model's output says of classes: the targets that its loss takes, and its predictions as probabilities."""

from typing import Any

import keras
import numpy as np

from autofix.errors import ModelError
from autofix.feeding import as_tensor, forward
from autofix.scoring.alignment import one_hot
from autofix.scoring.loss_specs import LossSpec
from autofix.scoring.losses import head_losses


def n_output_units(model: keras.Model, x: np.ndarray) -> int:
    """Units of a model's one output; builds the model where that is left to its first step.

    Args:
        model: Changed by nothing but that.
        x: At least one row of inputs.

    Raises:
        ModelError: There are several outputs, or rows of it are no vectors.
    """
    shapes = [tuple(output.shape) for output in keras.tree.flatten(forward(model, as_tensor(x[:1])))]
    if len(shapes) != 1 or len(shapes[0]) != 2:
        raise ModelError(
            f"The outputs do not fit an estimator. Expected one output of shape (n_samples, n_units). "
            f"Received: shapes={shapes}. Give the model one output layer, or train it with autofix.fit."
        )
    return int(shapes[0][1])


def class_targets(model: keras.Model, labels: np.ndarray, n_classes: int, n_units: int) -> np.ndarray:
    """Labels in the form that the model's loss takes.

    Args:
        model: Compiled.
        labels: Whole numbers from 0 to `n_classes - 1`, `(n_samples,)`.
        n_classes: At least 2.
        n_units: Of the model's output.

    Returns:
        `(n_samples,)` for one unit and for sparse losses, else one-hot `(n_samples, n_classes)`.

    Raises:
        ModelError: The output has not one unit a class, nor one for two classes.
    """
    name = _loss_name(_loss(model, labels))
    is_one_for_two = n_units == 1 and n_classes == 2 and "categorical" not in name
    if n_units != n_classes and not is_one_for_two:
        needed = f"{n_classes} units" + (" or 1" if n_classes == 2 and "categorical" not in name else "")
        raise ModelError(
            f"The model's output does not fit the {n_classes} classes of y. Expected an output layer of {needed}. "
            f"Received: {n_units} with loss={model.loss!r}. Where the number of classes varies, pass a function that "
            "builds the model: its argument y has one column a class."
        )
    if is_one_for_two or name.startswith("sparse"):
        return labels
    return one_hot(labels, n_classes).astype(np.float32)


def class_scores(model: keras.Model, outputs: np.ndarray) -> np.ndarray:
    """A score of each class, whose order is that of the probabilities.

    Args:
        model: Compiled.
        outputs: What it puts out, `(n_samples, n_units)`.

    Returns:
        `(n_samples, n_classes)`. Probabilities, where the loss or the output layer makes them so.
    """
    loss = _loss(model, outputs)
    scores = outputs if loss is None else loss.to_probabilities(outputs)
    return np.concatenate([1.0 - scores, scores], axis=1) if scores.shape[1] == 1 else scores


def class_probabilities(model: keras.Model, outputs: np.ndarray) -> np.ndarray:
    """Probability of each class, `(n_samples, n_classes)`, rows sum to 1.

    Scores that are none, such as those of a linear layer under the mean squared error or of one sigmoid a class, are
    brought between 0 and 1 and divided by their sum.

    Args:
        model: Compiled.
        outputs: What it puts out, `(n_samples, n_units)`.
    """
    scores = np.clip(class_scores(model, outputs), 0.0, 1.0)
    totals = scores.sum(axis=1, keepdims=True)
    return np.where(totals == 0.0, 1.0 / scores.shape[1], scores / np.where(totals == 0.0, 1.0, totals))


def _loss(model: keras.Model, y: Any) -> LossSpec | None:
    return head_losses(model, y)[0]


def _loss_name(loss: LossSpec | None) -> str:
    return "" if loss is None else loss.name
