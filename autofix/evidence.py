"""Evidence: the measured facts a diagnosis rests on, as frozen records of JSON values.

The profiles are computed from arrays alone; what is read off a live Keras model is in `autofix.inspection`.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

STRONG_DRIFT = 0.5
"""Order drift above this means that neighbouring rows share their targets."""


@dataclasses.dataclass(frozen=True)
class InputProfile:
    """Statistics of one input over the last axis, NaN-free.

    Args:
        mean: One value a feature (or channel), as are the others.
        std: Standard deviation.
        minimum: Smallest value.
        maximum: Largest value.
        median: Median.
        iqr: Distance between the quartiles.
        is_integer: Whether the array holds integers, such as token ids.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    minimum: tuple[float, ...]
    maximum: tuple[float, ...]
    median: tuple[float, ...]
    iqr: tuple[float, ...]
    is_integer: bool


@dataclasses.dataclass(frozen=True)
class TargetProfile:
    """Statistics of the targets of one output.

    Args:
        kind: `"regression"`, `"binary"`, `"multiclass"`, `"multilabel"`, or `"other"` where no loss is known.
        mean: Over all values.
        std: Over all values.
        is_constant: Whether every row has the same target.
        order_drift: How much the row number says about the target, 0 to 1: for numbers the absolute rank
            correlation, for classes the share of neighbours with equal labels beyond what chance gives.
    """

    kind: str
    mean: float
    std: float
    is_constant: bool
    order_drift: float


@dataclasses.dataclass(frozen=True)
class ModelProfile:
    """Facts about the network and its optimizer.

    Args:
        optimizer: Class name.
        learning_rate: When training began; of a schedule, its rate at step 0. None when it cannot be read.
        schedule: Class name of the learning-rate schedule, or None.
        default_learning_rate: What Keras gives this optimizer by default, or None for a custom optimizer.
        is_scale_free: Whether the optimizer's steps do not grow with the scale of the loss (Adam and kin).
        nonlinear_layers: How many hidden layers have a non-linear activation (recurrent ones count).
        layer_types: Class names of all layers.
        can_rescale_rate: Whether the rate, or the schedule's rates, can be multiplied.
        can_edit: Whether layers can be put into the network.
        can_insert: Whether hidden Dense layers can be put before its last layer.
        output_activations: Activation of each output's last layer, `"linear"` when none, `"unknown"` when not found.
        dead_share: Largest share, over the hidden ReLU-like layers, of units that are 0 for every row; 0 without.
        why_no_edit: Why no layer can be put into the network; empty where one can.
    """

    optimizer: str
    learning_rate: float | None
    schedule: str | None
    default_learning_rate: float | None
    is_scale_free: bool
    nonlinear_layers: int
    layer_types: tuple[str, ...]
    can_rescale_rate: bool
    can_edit: bool
    can_insert: bool
    output_activations: tuple[str, ...]
    dead_share: float = 0.0
    why_no_edit: str = ""


@dataclasses.dataclass(frozen=True)
class FitProfile:
    """How the user trains.

    Args:
        n_rows: Rows of the training set.
        batch_size: Rows a step.
        epochs: The user's horizon in epochs.
        total_steps: The user's horizon in steps.
        shuffle: Whether each epoch has a new order of the rows.
        source: What the rows came as, as in `TrainingData`.
        can_regroup: Whether the order of the rows and the size of the batches can be changed.
    """

    n_rows: int
    batch_size: int
    epochs: int
    total_steps: int
    shuffle: bool
    source: str = "arrays"
    can_regroup: bool = True

    @property
    def dataset_batch_size(self) -> int | None:
        """Rows in a batch of the `tf.data.Dataset` that is trained on; None for anything else."""
        return self.batch_size if self.source == "dataset" else None


@dataclasses.dataclass(frozen=True)
class ReferenceProfile:
    """Held-out skill of reference learners: what there is to be had.

    Args:
        linear: Of the best linear learner, or None when none ran.
        nonlinear: Of the best non-linear learner, or None.
        best_lower: Lower confidence bound of the best of all, or None.
    """

    linear: float | None = None
    nonlinear: float | None = None
    best_lower: float | None = None


@dataclasses.dataclass(frozen=True)
class Evidence:
    """All that was measured.

    Args:
        inputs: One profile an input.
        targets: One profile an output.
        model: The network.
        fit: The training arguments.
        references: The reference learners.
    """

    inputs: tuple[InputProfile, ...]
    targets: tuple[TargetProfile, ...]
    model: ModelProfile
    fit: FitProfile
    references: ReferenceProfile = ReferenceProfile()


def profile_input(array: np.ndarray) -> InputProfile:
    """Statistics of one input.

    Args:
        array: Shape `(n_samples, ...)`; computed in float64. Text has no statistics.
    """
    if array.dtype.kind not in "fiub":
        return InputProfile((), (), (), (), (), (), is_integer=False)
    values = array.astype(np.float64).reshape(-1, array.shape[-1] if array.ndim > 1 else 1)
    low, median, high = np.percentile(values, (25, 50, 75), axis=0)
    return InputProfile(
        mean=_floats(values.mean(axis=0)),
        std=_floats(values.std(axis=0)),
        minimum=_floats(values.min(axis=0)),
        maximum=_floats(values.max(axis=0)),
        median=_floats(median),
        iqr=_floats(high - low),
        is_integer=bool(np.issubdtype(array.dtype, np.integer)),
    )


def profile_target(array: np.ndarray, kind: str) -> TargetProfile:
    """Statistics of the targets of one output, in the order of the rows.

    Args:
        array: Shape `(n_samples, ...)`, numeric.
        kind: As in `TargetProfile`.
    """
    values = array.astype(np.float64).reshape(len(array), -1)
    return TargetProfile(
        kind=kind,
        mean=float(values.mean()),
        std=float(values.std()),
        is_constant=bool((values == values[0]).all()),
        order_drift=order_drift(values, is_class=kind in ("binary", "multiclass")),
    )


def order_drift(values: np.ndarray, *, is_class: bool) -> float:
    """How much the row number says about the target, as in `TargetProfile`.

    Args:
        values: Shape `(n_samples, n_columns)`.
        is_class: Whether they are class numbers, or one-hot classes.
    """
    if is_class:
        labels = values.argmax(axis=1) if values.shape[1] > 1 else values[:, 0]
        shares = np.unique(labels, return_counts=True)[1] / len(labels)
        expected = float((shares**2).sum())
        observed = float((labels[1:] == labels[:-1]).mean()) if len(labels) > 1 else expected
        return max(0.0, (observed - expected) / (1.0 - expected)) if expected < 1.0 else 0.0
    column = values[:, 0]
    if len(column) < 3 or np.ptp(column) == 0.0:
        return 0.0
    # Equal values share their middle rank: ranked by row, ties alone would look like drift.
    _, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - counts / 2)[inverse]
    return float(abs(np.corrcoef(np.arange(len(column)), ranks)[0, 1]))


def _floats(values: Sequence[float] | np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
