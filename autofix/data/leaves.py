"""Leaves: rows in memory, as flat lists of arrays.

Trees of inputs and outputs (lists, dicts, nested) are flattened once, here; everything above works on lists of arrays.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autofix.errors import DataError

Order = Callable[[Any], Any]
"""Puts a tree that was given by name into the order of the model's inputs or outputs."""


@dataclasses.dataclass(frozen=True)
class Leaves:
    """Rows in memory: flattened inputs, targets and weights, with a name for each to use in messages.

    Args:
        inputs: One array a leaf of `x`, shape `(n_rows, ...)`.
        targets: One array a leaf of `y`; empty for a training without targets.
        weights: One array a target, or None for no weights.
        x_structure: A tree like `x`, to pack `inputs` into.
        y_structure: A tree like `y`, to pack `targets` into.
        names: Of the inputs, the targets and the weights, in this order.
    """

    inputs: list[np.ndarray]
    targets: list[np.ndarray]
    weights: list[np.ndarray] | None
    x_structure: Any
    y_structure: Any
    names: list[str]

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return len(self.inputs[0])

    def all(self) -> list[tuple[str, np.ndarray]]:
        """Every array, with its name."""
        return list(zip(self.names, [*self.inputs, *self.targets, *(self.weights or [])], strict=True))

    def weighted(self, weights: np.ndarray) -> "Leaves":
        """The same with weights."""
        return dataclasses.replace(self, weights=[weights], names=[*self.names, "class_weight"])

    def take(self, rows: np.ndarray) -> "Leaves":
        """Some of the rows."""
        return self.map(lambda array: array[rows])

    def map(self, function: Callable[[np.ndarray], np.ndarray]) -> "Leaves":
        """The same with every array replaced."""
        return dataclasses.replace(
            self,
            inputs=[function(array) for array in self.inputs],
            targets=[function(array) for array in self.targets],
            weights=None if self.weights is None else [function(array) for array in self.weights],
        )

    def extend(self, other: "Leaves") -> "Leaves":
        """These rows followed by the other's; validation rows without weights weigh 1.

        Raises:
            DataError: The other rows are of another structure or shape.
        """
        if len(other.inputs) != len(self.inputs) or len(other.targets) != len(self.targets):
            raise DataError(
                f"Validation data does not match the training data. Expected {len(self.inputs)} inputs and "
                f"{len(self.targets)} targets. Received: {len(other.inputs)} inputs and {len(other.targets)} "
                "targets in validation_data. Pass validation_data with the structure of (x, y)."
            )
        weights = self.weights
        if weights is not None:
            ones = [np.ones((other.n_rows, *array.shape[1:]), dtype=array.dtype) for array in weights]
            weights = _joined(weights, other.weights or ones, ["validation sample_weight"] * len(weights))
        return dataclasses.replace(
            self,
            inputs=_joined(self.inputs, other.inputs, other.names[: len(other.inputs)]),
            targets=_joined(self.targets, other.targets, other.names[len(other.inputs) :][: len(other.targets)]),
            weights=weights,
        )

    def reconstructed(self) -> "Leaves":
        """The same with the inputs as targets, which is what an autoencoder is measured by."""
        names = self.names[: len(self.inputs)]
        return dataclasses.replace(
            self, targets=self.inputs, weights=None, y_structure=self.x_structure, names=[*names, *names]
        )

    def problem(self, takes_text: bool) -> str | None:
        """Why these rows cannot be judged by, or None.

        Args:
            takes_text: Whether the model has inputs of text.
        """
        for index, (name, array) in enumerate(self.all()):
            if not is_trainable(array.dtype, index < len(self.inputs), takes_text):
                return f"{name} does not hold numbers"
            if array.dtype.kind in "fc" and not np.isfinite(array).all():
                return f"{name} holds NaN or infinite values"
        return None


def _joined(first: list[np.ndarray], second: list[np.ndarray], names: list[str]) -> list[np.ndarray]:
    return [np.concatenate([a, _like(b, a, name)]) for a, b, name in zip(first, second, names, strict=True)]


def _like(array: np.ndarray, model: np.ndarray, name: str) -> np.ndarray:
    """A validation array in the shape and type of its training array; the type only where no value suffers."""
    if array.shape[1:] != model.shape[1:]:
        if array[0].size != model[0].size or array[0].size != 1:
            raise DataError(
                f"Validation data does not match the training data. Expected {name} of shape "
                f"{('n_rows', *model.shape[1:])}. Received: {name}.shape={array.shape}. Pass validation_data with "
                "the columns of (x, y)."
            )
        array = array.reshape(len(array), *model.shape[1:])
    if array.dtype.kind not in "fiub" or model.dtype.kind not in "fiub":
        return array
    cast = array.astype(model.dtype)
    return cast if model.dtype.kind == "f" or np.array_equal(cast, array) else array


def is_trainable(dtype: np.dtype, is_input: bool, takes_text: bool) -> bool:
    """Whether Keras trains on such values: numbers, and inputs of text."""
    return dtype.kind not in "OSUM" or (is_input and (dtype.kind in "SU" or (takes_text and dtype.kind == "O")))


def named_leaves(tree: Any, name: str) -> list[tuple[str, Any]]:
    """The leaves of a tree that are not None, each with its name, such as `"x['age']"`."""
    import keras

    leaves = [(path, leaf) for path, leaf in keras.tree.flatten_with_path(tree) if leaf is not None]
    return [(name + "".join(f"[{part!r}]" for part in path), leaf) for path, leaf in leaves]


def as_dense(leaf: Any) -> np.ndarray:
    """A leaf of a batch as an array; sparse and ragged ones filled up with zeros."""
    if hasattr(leaf, "iloc"):
        return np.asarray(leaf.to_numpy())
    if hasattr(leaf, "tocsr"):
        return np.asarray(leaf.toarray())
    if type(leaf).__name__ == "RaggedTensor":
        return np.asarray(leaf.to_tensor())
    if type(leaf).__name__ == "SparseTensor":
        import tensorflow as tf

        return np.asarray(tf.sparse.to_dense(tf.sparse.reorder(leaf)))
    return np.asarray(leaf)


def joined_batches(batches: Sequence[Any], inputs: Order, outputs: Order, prefix: str = "") -> Leaves:
    """Recorded batches, one after the other, as rows; axes that differ between batches are filled up with zeros.

    Args:
        batches: Each as `fit` gets it: `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`. At least one.
        inputs: Orders a tree of inputs as the model does.
        outputs: Orders a tree of outputs, or of their weights.
        prefix: Of the names in messages.
    """
    import keras

    parts = []
    for batch in batches:
        x, y, weights = keras.utils.unpack_x_y_sample_weight(tuple(batch) if isinstance(batch, list) else batch)
        parts.append((inputs(x), outputs(y), outputs(weights)))
    x, y, weights = parts[0]
    trees = {f"{prefix}x": x, f"{prefix}y": y, f"{prefix}sample_weight": weights}
    names = [[full_name for full_name, _ in named_leaves(tree, name)] for name, tree in trees.items()]
    columns = [[leaf for _, leaf in named_leaves(part, "")] for part in parts]
    arrays = iter([_stacked([as_dense(leaf) for leaf in pieces]) for pieces in zip(*columns, strict=True)])
    inputs_, targets, weights_ = ([next(arrays) for _ in group] for group in names)
    return Leaves(
        inputs_,
        targets,
        for_each_target(weights_, targets) or None,
        x_structure=keras.tree.map_structure(lambda _: 0, x),
        y_structure=keras.tree.map_structure(lambda _: 0, y),
        names=[*names[0], *names[1], *for_each_target(names[2], targets)],
    )


def for_each_target(weights: list[Any], targets: Sequence[Any]) -> list[Any]:
    """One item a target, where a single one stands for all."""
    return weights * len(targets) if len(weights) == 1 else weights


def _stacked(pieces: Sequence[np.ndarray]) -> np.ndarray:
    if len({piece.shape[1:] for piece in pieces}) > 1:
        shape = np.max([piece.shape[1:] for piece in pieces], axis=0)
        pieces = [
            np.pad(piece, [(0, 0), *((0, most - size) for most, size in zip(shape, piece.shape[1:], strict=True))])
            for piece in pieces
        ]
    return np.concatenate(pieces)
