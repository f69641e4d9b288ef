"""Training data: what was given to `fit`, as checked arrays with a bounded sample and held-out rows.

Trees of inputs and outputs (lists, dicts, nested) are flattened once, here; everything above works on lists of
arrays. Nothing is ever written to the user's arrays.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autofix.errors import DataError

MAX_SAMPLE_ROWS = 4096
"""Training rows that are looked at and probed on: with that many, the standard error of a skill is about 0.015."""

MAX_HELD_OUT_ROWS = 2048
"""Rows of the user's validation data that proofs are made on."""

MIN_HELD_OUT_ROWS = 64
"""Below this the user's validation data proves too little, and cross-validation on the training rows is used."""

DEFAULT_BATCH_SIZE = 32
"""Keras' own default."""

CROSS_VALIDATION_ROWS = 1024
"""Up to this many sample rows every row is held out once; beyond, one split has held-out rows enough."""

N_FOLDS = 5
"""Folds of the cross-validation (Kohavi 1995 recommends 5 to 10)."""

HELD_OUT_SHARE = 0.25
"""Share of the sample that a single split holds out."""

MIN_ROWS = 10
"""With fewer rows than this no held-out skill can be measured: two in each fold."""

Split = tuple[np.ndarray, np.ndarray]
"""Row numbers to train on, in the user's order, and row numbers held out."""


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """A sample of the rows given to `fit`, flattened, with what is needed to train on it as the user would.

    Args:
        inputs: One array a leaf of `x`, shape `(n_sample, ...)`: training rows first, then held-out rows.
        targets: One array a leaf of `y`.
        sample_weights: One array `(n_sample,)` a target, or None for no weights.
        x_structure: A tree like `x`, to pack `inputs` into.
        y_structure: A tree like `y`, to pack `targets` into.
        n_rows: Rows of the user's whole training set.
        n_training: How many of the sample's rows are training rows.
        batch_size: As `fit` uses it.
        epochs: Epochs of the user's training.
        steps_per_epoch: Steps an epoch.
        shuffle: Whether `fit` shuffles.
    """

    inputs: list[np.ndarray]
    targets: list[np.ndarray]
    sample_weights: list[np.ndarray] | None
    x_structure: Any
    y_structure: Any
    n_rows: int
    n_training: int
    batch_size: int
    epochs: int
    steps_per_epoch: int
    shuffle: bool

    @property
    def n_sample(self) -> int:
        """Rows in the sample, held-out ones included."""
        return len(self.inputs[0])

    @property
    def n_held_out(self) -> int:
        """Rows of the user's validation data in the sample."""
        return self.n_sample - self.n_training

    @property
    def total_steps(self) -> int:
        """The user's horizon in steps."""
        return self.epochs * self.steps_per_epoch

    def constant_targets(self) -> list[str]:
        """Names of the targets that are the same in every row, if all are."""
        is_constant = [bool((array[: self.n_training] == array[0]).all()) for array in self.targets]
        if not all(is_constant) or self.n_training < 2:
            return []
        return ["y"] if len(is_constant) == 1 else [f"y[{index}]" for index in range(len(is_constant))]

    def watch_rows(self, most: int) -> np.ndarray:
        """Rows to judge a running training on: held-out ones where there are enough, else training rows."""
        rows = np.arange(self.n_sample)
        rows = rows[self.n_training :] if self.n_held_out >= MIN_HELD_OUT_ROWS else rows[: self.n_training]
        return rows[_evenly(len(rows), most)]

    def splits(self, seed: int) -> list[Split]:
        """Splits for a proof: the user's validation rows, cross-validation, or one random split.

        Args:
            seed: Of the random part; the user's own validation rows are always the held-out ones.
        """
        if self.n_held_out >= MIN_HELD_OUT_ROWS:
            return [(np.arange(self.n_training), np.arange(self.n_training, self.n_sample))]
        order = np.random.default_rng(seed).permutation(self.n_training)
        order = order[np.argsort(self._strata()[order], kind="stable")]
        if self.n_training <= CROSS_VALIDATION_ROWS:
            held_out = [np.sort(order[fold::N_FOLDS]) for fold in range(N_FOLDS)]
        else:
            held_out = [np.sort(order[:: round(1 / HELD_OUT_SHARE)])]
        return [(np.setdiff1d(np.arange(self.n_training), rows), rows) for rows in held_out]

    def _strata(self) -> np.ndarray:
        """A number a training row such that equal numbers, or near ones, have like targets."""
        if not self.targets:
            return np.zeros(self.n_training)
        target = self.targets[0][: self.n_training]
        values = target.reshape(len(target), -1)
        if values.shape[1] > 1:
            return values.argmax(axis=1)
        column = values[:, 0]
        is_class = np.issubdtype(column.dtype, np.integer) or len(np.unique(column)) <= 2
        # Numbers are left to the permutation: sorting them would pair neighbours across folds.
        return column if is_class else np.zeros(len(column))

    @classmethod
    def from_arrays(
        cls,
        x: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        class_weight: Mapping[int, float] | None = None,
        batch_size: int | None = None,
        epochs: int = 1,
        shuffle: bool = True,
        steps_per_epoch: int | None = None,
        validation_data: Any = None,
        takes_text: bool = False,
        seed: int = 0,
    ) -> "TrainingData":
        """The sample of what `fit` got, after every check that Keras does not make.

        Args:
            x: Array, or tree of arrays, with `n_rows` rows each.
            y: Array, or tree of arrays.
            sample_weight: Array `(n_rows,)`, a tree like `y`, or None.
            class_weight: Weight of each class, by its number, or None.
            batch_size: None for Keras' default.
            epochs: Of the user's training.
            shuffle: As in `fit`.
            steps_per_epoch: None for one pass over the rows.
            validation_data: `(x, y)` or `(x, y, sample_weight)` of arrays, or None.
            takes_text: Whether the model has inputs of text.
            seed: Of the sample.

        Raises:
            DataError: Rows are missing, lengths differ, values are not numbers or not finite.
        """
        training = _flatten(x, y, sample_weight, "")
        n_rows = _check_lengths(training)
        _check_values(training, takes_text)
        if class_weight is not None and training.weights is None and len(training.targets) == 1:
            training = training.weighted(_class_weights(training.targets[0], class_weight))
        leaves = training.take(_sample(n_rows, MAX_SAMPLE_ROWS, seed))
        n_training = len(leaves.inputs[0])
        if validation_data is not None:
            held_out = _flatten(*_unpack(validation_data), "validation ")
            n_held_out = _check_lengths(held_out)
            _check_values(held_out, takes_text)
            leaves = leaves.extend(held_out.take(_sample(n_held_out, MAX_HELD_OUT_ROWS, seed)))
        batch_size = batch_size or (math.ceil(n_rows / steps_per_epoch) if steps_per_epoch else DEFAULT_BATCH_SIZE)
        return cls(
            inputs=leaves.inputs,
            targets=leaves.targets,
            sample_weights=leaves.weights,
            x_structure=leaves.x_structure,
            y_structure=leaves.y_structure,
            n_rows=n_rows,
            n_training=n_training,
            batch_size=batch_size,
            epochs=epochs,
            steps_per_epoch=steps_per_epoch or math.ceil(n_rows / batch_size),
            shuffle=bool(shuffle),
        )


@dataclasses.dataclass(frozen=True)
class _Leaves:
    """Flattened inputs, targets and weights, with a name for each to use in messages."""

    inputs: list[np.ndarray]
    targets: list[np.ndarray]
    weights: list[np.ndarray] | None
    x_structure: Any
    y_structure: Any
    names: list[str]

    def all(self) -> list[tuple[str, np.ndarray]]:
        return list(zip(self.names, [*self.inputs, *self.targets, *(self.weights or [])], strict=True))

    def weighted(self, weights: np.ndarray) -> "_Leaves":
        """The same with weights."""
        return dataclasses.replace(self, weights=[weights], names=[*self.names, "class_weight"])

    def take(self, rows: np.ndarray) -> "_Leaves":
        weights = None if self.weights is None else [array[rows] for array in self.weights]
        return dataclasses.replace(
            self,
            inputs=[array[rows] for array in self.inputs],
            targets=[array[rows] for array in self.targets],
            weights=weights,
        )

    def extend(self, other: "_Leaves") -> "_Leaves":
        """These rows followed by the other's; validation rows without weights weigh 1."""
        if len(other.inputs) != len(self.inputs) or len(other.targets) != len(self.targets):
            raise DataError(
                f"Validation data does not match the training data. Expected {len(self.inputs)} inputs and "
                f"{len(self.targets)} targets. Received: {len(other.inputs)} inputs and {len(other.targets)} "
                "targets in validation_data. Pass validation_data with the structure of (x, y)."
            )
        weights = self.weights
        if weights is not None:
            ones = [np.ones(len(other.inputs[0]), dtype=array.dtype) for array in weights]
            weights = _joined(weights, other.weights or ones, ["validation sample_weight"] * len(weights))
        return dataclasses.replace(
            self,
            inputs=_joined(self.inputs, other.inputs, other.names[: len(other.inputs)]),
            targets=_joined(self.targets, other.targets, other.names[len(other.inputs) :][: len(other.targets)]),
            weights=weights,
        )


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


def _unpack(validation_data: Any) -> tuple[Any, Any, Any]:
    x, y, *rest = validation_data
    return x, y, rest[0] if rest else None


def _class_weights(target: np.ndarray, class_weight: Mapping[int, float]) -> np.ndarray:
    """The weight of each row's class; classes that are not listed weigh 1, as in Keras."""
    flat = target.reshape(len(target), -1)
    labels = flat.argmax(axis=1) if flat.shape[1] > 1 else np.round(flat[:, 0]).astype(np.int64)
    return np.array([class_weight.get(int(label), 1.0) for label in labels], dtype=np.float32)


def split_validation(x: Any, y: Any, sample_weight: Any, share: float) -> tuple[tuple[Any, Any, Any], Any]:
    """The training part and the validation data that `validation_split` makes: the last rows, as in Keras."""
    import keras

    rows = (x, y, sample_weight)
    leaves = [leaf for leaf in keras.tree.flatten(rows) if leaf is not None]
    n_training = math.floor(len(leaves[0]) * (1.0 - share))

    def cut(part: slice) -> Any:
        return keras.tree.map_structure(lambda leaf: None if leaf is None else leaf[part], rows)

    training, validation = cut(slice(n_training)), cut(slice(n_training, None))
    return training, validation if sample_weight is not None else validation[:2]


def by_position(tree: Any, names: Sequence[str] | None, structure: Any) -> Any:
    """Data given by name as a list in the order of the model's inputs or outputs, where these are a list.

    A tree of names flattens in alphabetical order, a list in its own: layers and statistics would be mixed up.

    Args:
        tree: Of arrays.
        names: The model's names of its inputs or outputs; None when it has none.
        structure: How the model itself holds them.
    """
    is_named = isinstance(tree, Mapping) and not isinstance(structure, Mapping)
    return [tree[name] for name in names] if is_named and names and set(tree) == set(names) else tree


def is_array_tree(*trees: Any) -> bool:
    """Whether every leaf is an array or a tensor: what this module can sample."""
    import keras

    leaves = [leaf for tree in trees for leaf in keras.tree.flatten(tree)]
    return all(leaf is None or isinstance(leaf, np.ndarray) or keras.ops.is_tensor(leaf) for leaf in leaves)


def _flatten(x: Any, y: Any, sample_weight: Any, prefix: str) -> _Leaves:
    import keras

    inputs, input_names = _arrays(x, f"{prefix}x")
    targets, target_names = _arrays(y, f"{prefix}y")
    weights, weight_names = _arrays(sample_weight, f"{prefix}sample_weight")
    if len(weights) == 1 and len(targets) > 1:
        weights, weight_names = weights * len(targets), weight_names * len(targets)
    return _Leaves(
        inputs,
        targets,
        weights or None,
        keras.tree.map_structure(lambda _: 0, x),
        keras.tree.map_structure(lambda _: 0, y),
        [*input_names, *target_names, *weight_names],
    )


def _arrays(tree: Any, name: str) -> tuple[list[np.ndarray], list[str]]:
    """The leaves of a tree as NumPy arrays, without a copy where possible, and their names."""
    import keras

    leaves = [(path, leaf) for path, leaf in keras.tree.flatten_with_path(tree) if leaf is not None]
    names = [name + "".join(f"[{part!r}]" for part in path) for path, _ in leaves]
    return [np.asarray(leaf) for _, leaf in leaves], names


def _check_lengths(leaves: _Leaves) -> int:
    lengths = {name: (array.shape[0] if array.ndim else 0) for name, array in leaves.all()}
    if not leaves.inputs or min(lengths.values()) == 0:
        shapes = ", ".join(f"{name}.shape={array.shape}" for name, array in leaves.all()) or "x=None"
        raise DataError(f"There are no rows to train on. Expected at least 1 row. Received: {shapes}. Pass data.")
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{name} with {length} rows" for name, length in lengths.items())
        raise DataError(
            f"Arrays differ in length. Expected the same number of rows in each. Received: {counts}. "
            "Pass one target for each row of x."
        )
    return next(iter(lengths.values()))


def _check_values(leaves: _Leaves, takes_text: bool) -> None:
    n_inputs = len(leaves.inputs)
    for index, (name, array) in enumerate(leaves.all()):
        is_text_input = index < n_inputs and (array.dtype.kind in "SU" or (takes_text and array.dtype.kind == "O"))
        if array.dtype.kind in "OSUM" and not is_text_input:
            raise DataError(
                f"{name} does not hold numbers. Expected a numeric array. Received: {name}.dtype={array.dtype}"
                f"{_first_text(array)}. Convert or encode that column before training."
            )
        if array.dtype.kind in "fc" and not np.isfinite(array).all():
            raise DataError(_nonfinite_message(name, array))


def _first_text(array: np.ndarray) -> str:
    """Where the first value that is not a number stands, if there is one."""
    for position, value in np.ndenumerate(array):
        if isinstance(value, str | bytes) or not np.isscalar(value):
            column = f", column {position[1]}" if len(position) > 1 else ""
            return f", first at row {position[0]}{column}: {value!r}"
    return ""


def _nonfinite_message(name: str, array: np.ndarray) -> str:
    bad = ~np.isfinite(array)
    first = tuple(int(index) for index in np.argwhere(bad)[0])
    column = f", column {first[1]}" if len(first) > 1 else ""
    return (
        f"{name} holds values that are not finite. Expected numbers only. Received: {int(bad.sum())} NaN or infinite "
        f"values in {name}, the first at row {first[0]}{column}: {array[first]!r}. Drop those rows or fill them in."
    )


def _sample(n_rows: int, most: int, seed: int) -> np.ndarray:
    """Row numbers of a random sample, in the user's order."""
    if n_rows <= most:
        return np.arange(n_rows)
    return np.sort(np.random.default_rng(seed).choice(n_rows, most, replace=False))


def _evenly(n_rows: int, most: int) -> np.ndarray:
    """Positions of at most `most` rows, spread evenly."""
    return np.arange(n_rows) if n_rows <= most else np.linspace(0, n_rows - 1, most).astype(int)
