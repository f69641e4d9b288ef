"""The rows of each step of a trial, in the order in which `fit` would take them."""

import numpy as np


def batches(
    rows: np.ndarray, batch_size: int, steps: int, *, shuffle: bool, seed: int, epoch_rows: int | None = None
) -> np.ndarray:
    """Row numbers of each step's batch, epoch after epoch.

    An epoch's last, partial batch is filled up with its own rows again, so that all have one shape: the mean over it
    stays the mean over few rows, whose noise is part of a training.

    Args:
        rows: Row numbers to train on, shape `(n_rows,)`.
        batch_size: Rows a step.
        steps: How many steps.
        shuffle: Whether each pass over the rows has a new order.
        seed: Of the orders.
        epoch_rows: Rows of an epoch, after which a partial batch comes; None for as many as there are. Where rows are
            held out there are more: the epoch goes on with the next pass.

    Returns:
        Shape `(steps, batch_size)`, int32.
    """
    rng = np.random.default_rng(seed)
    n_rows = len(rows) if epoch_rows is None else epoch_rows
    per_epoch = -(-n_rows // batch_size)
    sizes = np.full(steps, batch_size)
    sizes[per_epoch - 1 :: per_epoch] = n_rows - (per_epoch - 1) * batch_size
    n_passes = -(-int(sizes.sum()) // len(rows))
    order = np.concatenate([rng.permutation(rows) if shuffle else rows for _ in range(n_passes)] or [rows])
    starts = np.cumsum(sizes) - sizes
    index: np.ndarray = order[starts[:, None] + np.arange(batch_size) % sizes[:, None]].astype(np.int32)
    return index
