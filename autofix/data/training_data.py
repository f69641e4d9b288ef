"""Training data: a bounded sample of what was given to `fit`, with held-out rows, and how `fit` trains on it."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from autofix.data.leaves import Leaves
from autofix.data.rows import Table

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

MIN_TRAINING_STEPS = 10
"""A training of fewer steps than this has hardly begun, whatever it predicts: at its default rate Adam moves each
weight by at most a hundredth in ten steps."""

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
        shuffle: Whether each epoch has a new order of the rows.
        source: What the rows came as: `"arrays"`, `"dataset"` (`tf.data`), `"pydataset"`, `"generator"` or `"other"`.
        can_regroup: Whether `fit` could be given the rows in another order, or in other batches.
        trains_on_targets: Whether `fit` was given targets. Otherwise the targets are the inputs, which an autoencoder
            with a loss of its own is judged by.
        masks: For each target, the steps that the loss counts, `(n_sample, n_steps)`, or None for all; None where no
            target has any.
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
    source: str = "arrays"
    can_regroup: bool = True
    trains_on_targets: bool = True
    masks: list[np.ndarray | None] | None = None

    @property
    def n_sample(self) -> int:
        """Rows in the sample, held-out ones included."""
        return len(self.inputs[0])

    @property
    def n_held_out(self) -> int:
        """Rows of the user's validation data in the sample."""
        return self.n_sample - self.n_training

    @property
    def has_held_out(self) -> bool:
        """Whether the user's validation rows are enough to judge by."""
        return self.n_held_out >= MIN_HELD_OUT_ROWS

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

    def mask(self, index: int, rows: np.ndarray) -> np.ndarray | None:
        """The steps of a target's rows that the loss counts, or None for all."""
        mask = None if self.masks is None else self.masks[index]
        return None if mask is None else mask[rows]

    def watch_rows(self, most: int) -> np.ndarray:
        """Rows to judge a running training on: held-out ones where there are enough, else training rows."""
        rows = np.arange(self.n_sample)
        rows = rows[self.n_training :] if self.has_held_out else rows[: self.n_training]
        return rows[_evenly(len(rows), most)]

    def splits(self, seed: int, *, throughout: bool = False) -> list[Split]:
        """Splits for a proof: the user's validation rows, cross-validation, or one random split.

        Args:
            seed: Of the random part; the user's own validation rows are always the held-out ones.
            throughout: Whether, instead of one random split, all that hold out as many rows are wanted, so that each
                training row is held out once. The first is the one.
        """
        if self.has_held_out:
            return [(np.arange(self.n_training), np.arange(self.n_training, self.n_sample))]
        order = np.random.default_rng(seed).permutation(self.n_training)
        order = order[np.argsort(self._strata()[order], kind="stable")]
        if self.n_training <= CROSS_VALIDATION_ROWS:
            held_out = [np.sort(order[fold::N_FOLDS]) for fold in range(N_FOLDS)]
        else:
            n_parts = round(1 / HELD_OUT_SHARE)
            held_out = [np.sort(order[part::n_parts]) for part in range(n_parts if throughout else 1)]
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
        validation_data: Any = None,
        takes_text: bool = False,
        seed: int = 0,
        **training: Any,
    ) -> "TrainingData":
        """The sample of what `fit` got, after every check that Keras does not make.

        Args:
            x: Array, or tree of arrays, with `n_rows` rows each.
            y: Array, or tree of arrays.
            sample_weight: Array `(n_rows,)`, a tree like `y`, or None.
            class_weight: Weight of each class, by its number, or None.
            validation_data: `(x, y)` or `(x, y, sample_weight)` of arrays, or None.
            takes_text: Whether the model has inputs of text.
            seed: Of the sample.
            training: How `fit` trains, as in `from_leaves`.

        Raises:
            DataError: Rows are missing, lengths differ, values are not numbers or not finite.
        """
        tables = [Table(x, y, sample_weight)]
        if validation_data is not None:
            validation_x, validation_y, *weights = validation_data
            tables.append(Table(validation_x, validation_y, weights[0] if weights else None, "validation "))
        for table in tables:
            table.check(takes_text)
        rows = sample_of(tables[0], class_weight, seed)
        held_out = held_out_sample_of(tables[1], seed) if len(tables) > 1 else None
        return cls.from_leaves(rows, held_out, n_rows=tables[0].n_rows, **training)

    @classmethod
    def from_leaves(
        cls,
        training: Leaves,
        held_out: Leaves | None,
        *,
        n_rows: int,
        batch_size: int | None = None,
        epochs: int = 1,
        shuffle: bool = True,
        steps_per_epoch: int | None = None,
        source: str = "arrays",
        can_regroup: bool = True,
        trains_on_targets: bool = True,
    ) -> "TrainingData":
        """The training data of a sample in memory.

        Args:
            training: The sample of the training rows.
            held_out: The sample of the validation rows, or None.
            n_rows: Rows of the user's whole training set.
            batch_size: None for Keras' default.
            epochs: Of the user's training.
            shuffle: Whether each epoch has a new order.
            steps_per_epoch: None for one pass over the rows.
            source: As in the class.
            can_regroup: As in the class.
            trains_on_targets: As in the class.

        Raises:
            DataError: The validation rows do not match the training rows.
        """
        leaves = training if held_out is None else training.extend(held_out)
        batch_size = batch_size or (math.ceil(n_rows / steps_per_epoch) if steps_per_epoch else DEFAULT_BATCH_SIZE)
        return cls(
            inputs=leaves.inputs,
            targets=leaves.targets,
            sample_weights=leaves.weights,
            x_structure=leaves.x_structure,
            y_structure=leaves.y_structure,
            n_rows=n_rows,
            n_training=training.n_rows,
            batch_size=batch_size,
            epochs=epochs,
            steps_per_epoch=steps_per_epoch or math.ceil(n_rows / batch_size),
            shuffle=bool(shuffle),
            source=source,
            can_regroup=can_regroup,
            trains_on_targets=trains_on_targets,
        )


def permuted(data: TrainingData, seed: int) -> TrainingData:
    """The same rows with their targets dealt out anew, so that there is nothing to learn.

    Where inputs hold fractions, rows with equal inputs keep equal targets: they are copies of each other, and
    a network that has seen one knows the other. Whole numbers repeat by nature, as categories do.

    Args:
        data: Not changed.
        seed: Of the permutation.
    """
    groups = np.arange(data.n_sample)
    if any(array.dtype.kind == "f" and (array != np.round(array)).any() for array in data.inputs):
        rows = [b"".join(np.ascontiguousarray(array[row]).tobytes() for array in data.inputs) for row in groups]
        groups = np.unique(np.array(rows, dtype=object), return_inverse=True)[1]
    _, first = np.unique(groups, return_index=True)
    dealt = first[np.random.default_rng(seed).permutation(len(first))][groups]
    return dataclasses.replace(data, targets=[array[dealt] for array in data.targets])


def sample_of(table: Table, class_weight: Mapping[int, float] | None, seed: int, stop: int | None = None) -> Leaves:
    """The sample of the training rows, weighted by class where that is asked for."""
    leaves = table.sample(MAX_SAMPLE_ROWS, seed, stop=stop)
    if class_weight is not None and leaves.weights is None and len(leaves.targets) == 1:
        return leaves.weighted(class_weights(leaves.targets[0], class_weight))
    return leaves


def held_out_sample_of(table: Table, seed: int, start: int = 0) -> Leaves:
    """The sample of the validation rows."""
    return table.sample(MAX_HELD_OUT_ROWS, seed, start)


def class_weights(target: np.ndarray, class_weight: Mapping[int, float]) -> np.ndarray:
    """The weight of each row's class, `(n_rows,)`; classes that are not listed weigh 1, as in Keras.

    Args:
        target: Class numbers, or one-hot classes.
        class_weight: By class number.
    """
    flat = target.reshape(len(target), -1)
    labels = flat.argmax(axis=1) if flat.shape[1] > 1 else np.round(flat[:, 0]).astype(np.int64)
    return np.array([class_weight.get(int(label), 1.0) for label in labels], dtype=np.float32)


def _evenly(n_rows: int, most: int) -> np.ndarray:
    """Positions of at most `most` rows, spread evenly."""
    return np.arange(n_rows) if n_rows <= most else np.linspace(0, n_rows - 1, most).astype(int)
