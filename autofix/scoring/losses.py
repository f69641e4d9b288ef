"""The losses of a compiled Keras model, one `LossSpec` an output.

Keras' own losses become NumPy; every other one is called, unreduced, through Keras.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from scipy import special

from autofix.errors import ModelError
from autofix.scoring.alignment import align_targets
from autofix.scoring.loss_specs import LossSpec, identity
from autofix.scoring.numpy_losses import LOSS_NAMES, LOSS_OPTIONS, loss_spec

MAX_ROW_GROUPS = 64
"""A loss that returns one number for a batch is called for this many parts of the rows: each call costs 0.3 ms."""

DECOMPOSES_WITHIN = 1e-3
"""A batch loss this near, relatively, to the mean or sum of its rows' losses is taken to be made of these."""

REACHABLE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda values: values,
    "softmax": functools.partial(special.softmax, axis=-1),
    "sigmoid": special.expit,
    "tanh": np.tanh,
    "softplus": lambda values: np.logaddexp(values, 0.0),
    "relu": lambda values: np.maximum(values, 0.0),
    "exponential": np.exp,
}
"""What output activations make of any number: the constants that such a model can predict."""


def head_losses(model: keras.Model, y: Any) -> list[LossSpec | None]:
    """The loss of each output, in the order of `keras.tree.flatten` of the model's outputs.

    None for outputs without a loss: all of them if the model is trained with `add_loss` or its own
    `compute_loss` alone. Regularisation and loss weights are no part of it.

    Args:
        model: Compiled.
        y: Targets, a tree like the outputs or its flat list. Tells how many outputs a subclassed model has, and
            which one the loss `"crossentropy"` stands for.

    Example:

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(loss="mse")
    >>> [loss.name for loss in head_losses(model, np.zeros(3))]
    ['mean_squared_error']

    Raises:
        ModelError: The model is not compiled, or there is not one loss for each output.
    """
    return [_spec(*found) for found in _assigned(model, y)]


def loss_forms(model: keras.Model, y: Any) -> list[tuple[str, bool]]:
    """Keras' name of the loss of each output, and whether it takes logits; empty and False without a loss.

    Args:
        model: As for `head_losses`.
        y: As for `head_losses`.

    Example:

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(loss=keras.losses.BinaryCrossentropy(from_logits=True))
    >>> loss_forms(model, np.zeros(3))
    [('binary_crossentropy', True)]

    Raises:
        ModelError: As for `head_losses`.
    """
    return [_form(*found) for found in _assigned(model, y)]


def _assigned(model: keras.Model, y: Any) -> list[tuple[Any, Any, Any]]:
    """For each output the user's loss or None, its targets or None, and its symbolic tensor or None."""
    if not model.compiled:
        raise ModelError(
            f"The model is not compiled. Expected a compiled model. Received: model={model.name!r}. Call "
            "model.compile(...) first."
        )
    tensors = _output_tensors(model)
    structure = y if tensors is None else _output_structure(model)
    n_outputs = len(keras.tree.flatten(structure)) if tensors is None else len(tensors)
    if model.loss is None:
        return [(None, None, None)] * n_outputs
    losses = _flat_losses(_unwrapped(model.loss), structure, getattr(model, "output_names", None))
    losses = [_only_loss(loss, len(losses)) for loss in losses]
    if len(losses) != n_outputs:
        raise ModelError(
            f"The losses do not match the outputs. Expected one loss, or {n_outputs}. Received: loss={model.loss!r} "
            f"with {len(losses)} losses. Compile the model with one loss for each output."
        )
    targets: list[Any] = keras.tree.flatten(y)
    if len(targets) != n_outputs:
        targets = [None] * n_outputs
    return list(zip(losses, targets, [None] * n_outputs if tensors is None else tensors, strict=True))


def _output_tensors(model: keras.Model) -> list[Any] | None:
    """The symbolic outputs; None for subclassed models."""
    try:
        outputs = model.outputs
    except (AttributeError, ValueError):
        return None
    return list(outputs) if outputs else None


def _output_structure(model: keras.Model) -> Any:
    """The tree of a functional or sequential model's outputs."""
    return model.output if hasattr(model, "output") else model.outputs


def _flat_losses(loss: Any, structure: Any, names: Sequence[str] | None) -> list[Any]:
    """The user's losses for each leaf of the tree of outputs, as `Model.compile` assigns them."""
    is_leaf = not keras.tree.is_nested(structure)
    if not keras.tree.is_nested(loss):
        return [loss] * (1 if is_leaf else len(keras.tree.flatten(structure)))
    if isinstance(loss, dict):
        if not is_leaf and isinstance(structure, dict):
            # Sorted as keras.tree.flatten sorts.
            keys = keras.tree.flatten({key: key for key in structure})
            return [one for key in keys for one in _flat_losses(loss.get(key), structure[key], None)]
        if names is not None and set(loss) <= set(names):
            return [loss.get(name) for name in names]
        return keras.tree.flatten(loss)
    if is_leaf:
        return [loss]
    if any(keras.tree.is_nested(part) for part in loss) and not isinstance(structure, type(loss)):
        # To Keras 3.15 each part is a loss of the whole tree of outputs; the training minimises their sum.
        raise _not_one_by_one(loss)
    if isinstance(structure, list | tuple) and len(loss) == len(structure):
        pairs = zip(loss, structure, strict=True)
        return [one for part, below in pairs for one in _flat_losses(part, below, None)]
    return keras.tree.flatten(loss)


def _unwrapped(loss: Any) -> Any:
    """The containers that the user compiled with: a model keeps them in TensorFlow's wrappers, which are no trees."""
    if isinstance(loss, dict):
        return {key: _unwrapped(part) for key, part in loss.items()}
    if isinstance(loss, list | tuple):
        parts = [_unwrapped(part) for part in loss]
        return parts if isinstance(loss, list) else tuple(parts)
    return loss


def _only_loss(losses: Any, n_outputs: int) -> Any:
    """The loss of one output."""
    given = [loss for loss in keras.tree.flatten(losses) if loss is not None]
    if len(given) > 1 and n_outputs > 1:
        raise _not_one_by_one(losses)
    # Of several losses for a single output Keras 3.15 uses the first.
    return given[0] if given else None


def _not_one_by_one(loss: Any) -> ModelError:
    return ModelError(
        "The outputs cannot be judged one by one. Expected one loss for each output. Received: loss="
        f"{loss!r}, losses of several outputs at once or several of one output. Compile the model with one for each."
    )


def _spec(loss: Any, target: Any, tensor: Any) -> LossSpec | None:
    resolved = _resolved(loss, target, tensor)
    if resolved is None:
        return None
    function, options = _keras_function(resolved)
    name = _KERAS_FUNCTIONS.get(function)
    if name is not None:
        # An axis other than the last, or an ignored class, is left to Keras.
        used = {key: value for key, value in options.items() if value is not None and (key, value) != ("axis", -1)}
        if used.keys() <= LOSS_OPTIONS[name]:
            return loss_spec(name, **used)
    from_logits = _takes_logits(resolved, tensor)
    to_output = REACHABLE.get(_activation(tensor))
    return _keras_spec(resolved, to_output, _probabilities if from_logits else identity)


def _form(loss: Any, target: Any, tensor: Any) -> tuple[str, bool]:
    resolved = _resolved(loss, target, tensor)
    if resolved is None:
        return "", False
    function, options = _keras_function(resolved)
    name = _KERAS_FUNCTIONS.get(function) or getattr(function, "__name__", None) or _name(resolved)
    return name, bool(options.get("from_logits", getattr(resolved, "from_logits", False)))


def _resolved(loss: Any, target: Any, tensor: Any) -> Any:
    """The loss as Keras would call it; None where there is none, or only the first batch will tell."""
    if isinstance(loss, str) and loss.lower() in ("crossentropy", "ce"):
        loss = _crossentropy(target, tensor)
    return None if loss is None else keras.losses.get(loss)


def _takes_logits(loss: Any, tensor: Any) -> bool:
    """Of a loss that does not say whether it takes logits, the output layer tells."""
    guess = getattr(loss, "from_logits", _activation(tensor) == "linear")
    return bool(_keras_function(loss)[1].get("from_logits", guess))


def _probabilities(logits: np.ndarray) -> np.ndarray:
    """Of two classes from one logit, of each class from several."""
    return np.asarray(special.expit(logits) if logits.shape[-1] == 1 else special.softmax(logits, axis=-1))


def _crossentropy(target: Any, tensor: Any) -> str | None:
    """The loss that Keras picks for `"crossentropy"`; None where only the first batch will tell."""
    if tensor is None or target is None:
        return None
    shape, target_shape = tuple(tensor.shape), np.shape(target)
    if shape[-1] == 1:
        return "binary_crossentropy"
    is_sparse = len(target_shape) < len(shape) or target_shape[-1] == 1
    return "sparse_categorical_crossentropy" if is_sparse else "categorical_crossentropy"


_KERAS_FUNCTIONS: dict[Any, str] = {getattr(keras.losses, name): name for name in LOSS_NAMES}


def _keras_function(loss: Any) -> tuple[Any, dict[str, Any]]:
    """Keras' function behind a loss, with its options; (None, {}) for a loss of the user's own."""
    if isinstance(loss, functools.partial):
        return (loss.func, dict(loss.keywords)) if not loss.args else (None, {})
    if isinstance(loss, keras.losses.Loss):
        if not type(loss).__module__.startswith("keras."):
            return None, {}
        # Keras 3.15 tells the delta of a Huber loss nowhere else.
        return getattr(loss, "fn", None), dict(getattr(loss, "_fn_kwargs", {}))
    return loss, {}


def _activation(tensor: Any) -> str:
    """Name of the activation that makes an output, empty where there is none to be seen."""
    layer: Any = getattr(getattr(tensor, "_keras_history", None), "operation", None)
    while getattr(layer, "layers", None):
        layer = layer.layers[-1]
    if isinstance(layer, keras.layers.Softmax):
        return "softmax"
    return str(getattr(getattr(layer, "activation", None), "__name__", ""))


def _keras_spec(
    loss: Any,
    to_output: Callable[[np.ndarray], np.ndarray] | None,
    to_probabilities: Callable[[np.ndarray], np.ndarray],
) -> LossSpec:
    """The form of a loss that only Keras can compute."""
    dtype = getattr(loss, "dtype", None) or keras.config.floatx()
    unreduced = loss
    if isinstance(loss, keras.losses.Loss) and type(loss).call is not keras.losses.Loss.call:
        unreduced = loss.call

    row_by_row = _row_by_row(unreduced, dtype)

    def values(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        tensors = (keras.ops.convert_to_tensor(array, dtype=dtype) for array in align_targets(y_true, y_pred))
        return np.asarray(keras.ops.convert_to_numpy(unreduced(*tensors)), dtype=np.float64)

    def per_row(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        y_true, y_pred = align_targets(y_true, y_pred)
        losses = values(y_true, y_pred)
        if losses.ndim and len(losses) == len(y_pred):
            return losses.reshape(len(losses), -1).mean(axis=1)
        overall = float(losses.mean())
        rows = row_by_row(y_true, y_pred)
        if rows is not None and np.isclose(overall, [rows.mean(), rows.sum()], rtol=DECOMPOSES_WITHIN).any():
            return rows
        return _grouped(values, y_true, y_pred, overall)

    def mean(y_true: np.ndarray, y_pred: np.ndarray) -> float:
        return float(values(y_true, y_pred).mean())

    return LossSpec(_name(loss), per_row, mean=mean, to_output=to_output, to_probabilities=to_probabilities)


def _name(loss: Any) -> str:
    return str(getattr(loss, "name", None) or getattr(loss, "__name__", None) or type(loss).__name__)


def _row_by_row(loss: Any, dtype: Any) -> Callable[[np.ndarray, np.ndarray], np.ndarray | None]:
    """Makes of a batch loss the loss of each row by itself, in one vectorised call; None where that fails."""
    import tensorflow as tf

    @tf.function(reduce_retracing=True)
    def rows(y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        return tf.vectorized_map(lambda pair: tf.reduce_mean(loss(*pair)), (y_true, y_pred))

    def losses(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray | None:
        tensors = [keras.ops.convert_to_tensor(array[:, None], dtype=dtype) for array in (y_true, y_pred)]
        try:
            values = np.asarray(rows(*tensors), dtype=np.float64)
        except (tf.errors.OpError, ValueError, TypeError, NotImplementedError):
            return None
        return values if values.shape == (len(y_pred),) and np.isfinite(values).all() else None

    return losses


def _grouped(
    values: Callable[[np.ndarray, np.ndarray], np.ndarray],
    y_true: np.ndarray,
    y_pred: np.ndarray,
    overall: float,
) -> np.ndarray:
    """Stand-ins for the rows' losses, from a loss that returns one number for a batch, `(n_samples,)`.

    The number of each group of rows is repeated over its rows. Their distances from the mean are stretched by the
    square root of the group's size: the mean of the rows then keeps the uncertainty it has for independent rows,
    which repetition alone would understate. Losses that need more rows than a group has, such as correlations,
    get larger groups.
    """
    n_samples = len(y_pred)
    for n_groups in (MAX_ROW_GROUPS, MAX_ROW_GROUPS // 8):
        groups = np.array_split(np.arange(n_samples), min(n_groups, n_samples))
        losses = np.array([values(y_true[rows], y_pred[rows]).mean() for rows in groups])
        if np.isfinite(losses).all():
            sizes = np.array([len(rows) for rows in groups])
            center = np.average(losses, weights=sizes)
            stretched = np.repeat(np.sqrt(sizes) * (losses - center), sizes)
            # Sizes differ by one at most, which moves the mean a little.
            return center + stretched - stretched.mean()
    return np.full(n_samples, overall)
