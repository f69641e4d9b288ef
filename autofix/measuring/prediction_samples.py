"""A bounded sample of predictions beside their targets, in the terms of the task, from arrays alone."""

import numpy as np

from autofix.report.traces import Predictions
from autofix.scoring.alignment import align_targets, guess_targets
from autofix.scoring.assess import Assessment
from autofix.scoring.loss_specs import LossSpec
from autofix.scoring.task_kinds import task_kind

MOST_ROWS = 500
"""Points beyond these lie on top of each other in a picture, and would make a report of megabytes."""

MOST_COLUMNS = 4
"""Columns of an output that has many: each is a picture of its own."""

DIGITS = 5
"""Significant digits: a picture is a thousand points wide."""


def sample_predictions(
    targets: np.ndarray, predictions: np.ndarray, loss: LossSpec, assessment: Assessment
) -> Predictions | None:
    """A sample of rows, spread evenly; None where targets and predictions are of no kind that can be drawn.

    Args:
        targets: Shape `(n_samples, ...)`.
        predictions: Shape `(n_samples, *output_shape)`, as the model gives them.
        loss: Of the output; it tells probabilities from logits.
        assessment: Of all rows.

    Example:

    >>> from autofix.scoring.assess import assess
    >>> from autofix.scoring.numpy_losses import loss_spec
    >>> loss, y = loss_spec("binary_crossentropy"), np.array([0, 1, 1])
    >>> p = np.array([[0.25], [0.5], [1.0]])
    >>> sample = sample_predictions(y, p, loss, assess(y, p, loss))
    >>> sample.kind, sample.targets, sample.predictions
    ('binary', ((0.0,), (1.0,), (1.0,)), ((0.25,), (0.5,), (1.0,)))
    """
    rows = np.unique(np.linspace(0, len(targets) - 1, min(len(targets), MOST_ROWS)).astype(int))
    kind = task_kind(loss, targets)
    wanted, given = _comparable(targets[rows], predictions[rows], loss)
    if kind == "multiclass":
        return _classes(wanted, given, assessment)
    wanted, given = wanted.reshape(len(rows), -1), given.reshape(len(rows), -1)
    if kind == "other" or wanted.shape != given.shape or not np.isfinite(wanted).all():
        return None
    n_columns = wanted.shape[1]
    columns = np.unique(np.linspace(0, n_columns - 1, min(n_columns, MOST_COLUMNS)).astype(int))
    wanted, given = wanted[:, columns], given[:, columns]
    if kind in ("binary", "multilabel"):
        if wanted.min() < 0.0:
            # The hinge losses tell -1 from 1; beyond these a prediction is sure.
            wanted, given = 0.5 * (wanted + 1.0), 0.5 * (np.clip(given, -1.0, 1.0) + 1.0)
        if not np.isin(wanted, (0.0, 1.0)).all():
            kind = "regression"
    return Predictions(assessment, kind, _rounded(wanted), _rounded(given), n_columns)


def _comparable(targets: np.ndarray, predictions: np.ndarray, loss: LossSpec) -> tuple[np.ndarray, np.ndarray]:
    """Both in the same terms: probabilities for classes, numbers otherwise."""
    with np.errstate(all="ignore"):
        if loss.comparable is not None:
            return loss.comparable(targets, predictions)
        wanted, given = align_targets(targets, predictions)
        return guess_targets(wanted, given.shape[1:])[0], given


def _classes(wanted: np.ndarray, given: np.ndarray, assessment: Assessment) -> Predictions | None:
    """Class numbers in place of a column a class; None where a row has no class, or many."""
    if wanted.shape != given.shape or wanted.ndim < 2 or not np.isfinite(wanted).all():
        return None
    n_classes = wanted.shape[-1]
    wanted, given = wanted.reshape(-1, n_classes), given.reshape(-1, n_classes)
    # Of a sequence or an image, every step or pixel has a class.
    kept = np.unique(np.linspace(0, len(wanted) - 1, min(len(wanted), MOST_ROWS)).astype(int))
    wanted, given = wanted[kept], given[kept]
    is_known = np.isfinite(given).all(axis=1)
    chosen = np.where(is_known, np.nan_to_num(given).argmax(axis=1), np.nan)
    sure = np.where(is_known, given.max(axis=1), np.nan)
    targets = _rounded(wanted.argmax(axis=1)[:, None].astype(float))
    return Predictions(assessment, "multiclass", targets, _rounded(np.stack([chosen, sure], axis=1)), 1, n_classes)


def _rounded(values: np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(f"{value:.{DIGITS}g}") for value in row) for row in values.tolist())
