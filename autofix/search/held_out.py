"""Held-out rows: which rows a proof trains on and which it judges, and what predictions are worth there."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from autofix.data.training_data import Split, TrainingData
from autofix.measuring.prediction_samples import sample_predictions
from autofix.report.traces import Predictions
from autofix.scoring.alignment import unmasked
from autofix.scoring.assess import Assessment, assess
from autofix.scoring.best_constant import best_constant
from autofix.scoring.loss_specs import LossSpec


@dataclasses.dataclass(frozen=True)
class HeadScore:
    """What one output's predictions are worth on held-out rows.

    Args:
        assessment: Pooled over the splits.
        losses: Of every held-out row, or unmasked step, above the smallest it can have.
        constant_losses: The same for the best constant of the training part.
        weights: The rows' sample weights, or None.
        sample: Some of the predictions beside their targets; None where they are of no kind that can be shown.
    """

    assessment: Assessment
    losses: np.ndarray
    constant_losses: np.ndarray
    weights: np.ndarray | None
    sample: Predictions | None = None


class HeldOut:
    """Scores predictions of held-out rows against the best constant of the rows trained on.

    Args:
        data: The sample.
        losses: The loss of each output, or None for outputs that have none (they are not judged).
        seed: Of splits and bootstrap.
    """

    def __init__(self, data: TrainingData, losses: Sequence[LossSpec | None], seed: int) -> None:
        self.data = data
        self.losses = losses
        self._seed = seed
        self._constants: dict[tuple[int, bytes], np.ndarray] = {}

    @property
    def judged(self) -> list[int]:
        """Numbers of the outputs that have a loss."""
        return [index for index, loss in enumerate(self.losses) if loss is not None]

    def splits(self, repeat: int, *, throughout: bool = False) -> list[Split]:
        """The splits of a repeat, or all of its kind; the same number gives the same ones."""
        return self.data.splits(self._seed + repeat, throughout=throughout)

    def score(self, index: int, splits: Sequence[Split], predictions: np.ndarray) -> HeadScore:
        """What predictions of an output are worth.

        Args:
            index: Of the output; it must have a loss.
            splits: Whose held-out rows are judged.
            predictions: Of these rows, split after split, shape `(n_rows, *output_shape)`.
        """
        loss = self.losses[index]
        assert loss is not None
        rows = np.concatenate([test_rows for _, test_rows in splits])
        mask = self.data.mask(index, rows)
        target, predictions = unmasked(mask, self.data.targets[index][rows]), unmasked(mask, predictions)
        weights = self._unmasked_weights(index, rows)
        constant_losses = loss.per_row(target, self._constant_predictions(index, splits, predictions.shape[1:]))
        with np.errstate(all="ignore"):
            losses = loss.excess(target, predictions)
        assessment = assess(
            target, predictions, loss, constant_losses=constant_losses, sample_weight=weights, seed=self._seed
        )
        return HeadScore(
            assessment,
            losses,
            constant_losses - loss.floor(target, predictions.shape[1:]),
            weights,
            sample_predictions(target, predictions, loss, assessment),
        )

    def weighted_splits(self, index: int, splits: Sequence[Split]) -> list[Split]:
        """The splits without the training rows that weigh nothing."""
        return [(rows[self._positive(index, rows)], test_rows) for rows, test_rows in splits]

    def _positive(self, index: int, rows: np.ndarray) -> np.ndarray:
        weights = self._weights(index, rows)
        return np.ones(len(rows), dtype=bool) if weights is None else weights.reshape(len(rows), -1).max(axis=1) > 0

    def _unmasked_weights(self, index: int, rows: np.ndarray) -> np.ndarray | None:
        weights = self._weights(index, rows)
        return None if weights is None else unmasked(self.data.mask(index, rows), weights)

    def _weights(self, index: int, rows: np.ndarray) -> np.ndarray | None:
        return None if self.data.sample_weights is None else self.data.sample_weights[index][rows]

    def _constant_predictions(self, index: int, splits: Sequence[Split], shape: tuple[int, ...]) -> np.ndarray:
        """The best constant of each split's training part, for its held-out rows."""
        parts = []
        for train_rows, test_rows in splits:
            mask = self.data.mask(index, test_rows)
            n_rows = len(test_rows) if mask is None else int(mask.sum())
            parts.append(np.broadcast_to(self._constant(index, train_rows, shape), (n_rows, *shape)))
        return np.concatenate(parts)

    def _constant(self, index: int, rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """The best constant of some rows, kept: every trial asks for the same few, and a search takes 0.1 s."""
        key = (index, rows.tobytes())
        if key not in self._constants:
            loss = self.losses[index]
            assert loss is not None
            target = unmasked(self.data.mask(index, rows), self.data.targets[index][rows])
            weights = self._unmasked_weights(index, rows)
            self._constants[key] = best_constant(target, loss, shape, weights)
        return self._constants[key]
