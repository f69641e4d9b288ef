"""What has to be known of the loss of one output, in NumPy."""

import dataclasses
from collections.abc import Callable

import numpy as np


def identity(values: np.ndarray) -> np.ndarray:
    """The values themselves."""
    return values


def zeros(y_true: np.ndarray, output_shape: tuple[int, ...]) -> np.ndarray:
    """The smallest loss of each row, `(n_samples,)`, for losses that a perfect prediction makes 0."""
    return np.zeros(len(y_true))


@dataclasses.dataclass(frozen=True)
class LossSpec:
    """What has to be known of the loss of one output, in NumPy. The name and the losses of rows are enough.

    Args:
        name: Keras' name of it, such as `"mean_squared_error"`; for reports, if it is not one of Keras'.
        per_row: `(y_true, y_pred) -> (n_samples,)`: the unreduced loss, averaged over all other dimensions.
        constant: `(y_true, sample_weight or None, output_shape) -> (*output_shape)`: the best constant, in the
            space of the model's output; None to search for it with `per_row`.
        comparable: `(y_true, y_pred) -> (targets, predictions)` of one shape, so that their dispersions can be
            compared: one-hot labels and probabilities for classes. None for a guess from the shapes.
        from_target_space: Maps predictions in the space of the targets (numbers or probabilities) to what a model
            under this loss puts out, such as logits.
        to_probabilities: Where the targets are classes: maps what a model under this loss puts out to their
            probabilities, the way back from logits.
        to_output: Maps unconstrained numbers to what the output layer can produce; the search for the best
            constant runs over those numbers. None for no constraint but that constants for classes are
            probabilities. A hand-written cross-entropy needs it: its best constant is only sensible among these.
        floor: `(y_true, output_shape) -> (n_samples,)`: the smallest loss that any prediction has for each row.
            It is not 0 for Poisson and for smoothed or soft labels.
        mean: `(y_true, y_pred) -> float`: the mean loss, where it is cheaper than `per_row`.
    """

    name: str
    per_row: Callable[[np.ndarray, np.ndarray], np.ndarray]
    constant: Callable[[np.ndarray, np.ndarray | None, tuple[int, ...]], np.ndarray] | None = None
    comparable: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]] | None = None
    from_target_space: Callable[[np.ndarray], np.ndarray] = identity
    to_output: Callable[[np.ndarray], np.ndarray] | None = None
    floor: Callable[[np.ndarray, tuple[int, ...]], np.ndarray] = zeros
    mean: Callable[[np.ndarray, np.ndarray], float] | None = None
    to_probabilities: Callable[[np.ndarray], np.ndarray] = identity

    def excess(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        """The loss of each row above the smallest one it can have: 0 for a perfect prediction.

        Skill is measured on these. They equal `per_row` for every loss whose smallest value is 0.

        Args:
            y_true: Targets, `(n_samples, ...)`.
            y_pred: Predictions, `(n_samples, *output_shape)`.
        """
        return self.per_row(y_true, y_pred) - self.floor(y_true, np.shape(y_pred)[1:])
