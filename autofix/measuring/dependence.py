"""Whether the targets depend on the inputs at all: a permutation test that needs no model."""

from collections.abc import Sequence

import numpy as np

from autofix.evidence import CHANCE
from autofix.measuring.references import flatten_inputs

BLOCK_ROWS = 256
"""More rows are dealt into blocks, whose statistics are added: the cost grows with the square of a block's rows."""

MAX_BLOCKS = 4
"""Of more rows than these hold a random sample is used: a test takes 0.06 s a block."""

N_PERMUTATIONS = 199
"""Smallest p-value 0.005, and 5 % is met exactly (Davison & Hinkley 1997, section 4.2.5)."""

QUICK_PERMUTATIONS = 39
"""Of a test that every healthy training may have to pay: a block and a smallest p-value of 0.025 take 0.01 s."""

QUICK_COLUMNS = 1024
"""Of wider tables and targets evenly spread columns are tested."""


def shows_dependence(inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray], seed: int = 0) -> bool:
    """Whether a quick test finds that the targets depend on the inputs.

    Args:
        inputs: Arrays of shape `(n_rows, ...)`. Not changed.
        targets: The same. Class numbers are taken as numbers.
        seed: Of the sample of rows and the permutations.

    Example:

    >>> x = np.random.default_rng(0).normal(size=(100, 1))
    >>> shows_dependence([x], [np.abs(x)])
    True
    """
    rows = np.random.default_rng(seed).permutation(len(inputs[0]))[:BLOCK_ROWS]
    table = flatten_inputs([_thinned(array[rows]) if array.ndim == 2 else array[rows] for array in inputs])
    columns = np.concatenate([_thinned(target[rows].reshape(len(rows), -1)) for target in targets], axis=1)
    return dependence_p_value(table, columns, seed, QUICK_PERMUTATIONS) <= CHANCE


def _thinned(columns: np.ndarray) -> np.ndarray:
    """Evenly spread columns, at most `QUICK_COLUMNS`."""
    return columns[:, :: max(1, -(-columns.shape[1] // QUICK_COLUMNS))]


def dependence_p_value(
    x_table: np.ndarray, y: np.ndarray, seed: int = 0, n_permutations: int = N_PERMUTATIONS
) -> float:
    """p-value of a distance-covariance test of the targets against the inputs.

    Distance covariance is 0 only for independent variables, whatever the form of the dependence. It is strongest
    against dependence that shows over the whole range; a fast oscillation takes more rows than a trend.

    Args:
        x_table: Finite features, `(n_rows, n_features)`; see `references.flatten_inputs`. Not changed.
        y: Finite targets, `(n_rows,)` or `(n_rows, n_columns)`: numbers, or one-hot classes. Not changed.
        seed: Of the sample of rows and the permutations.
        n_permutations: The smallest p-value is one over one more than these.

    Returns:
        From 0.005 to 1; 1 where either does not vary or there are fewer than four rows.

    Example:

    >>> x = np.random.default_rng(0).normal(size=(100, 1))
    >>> dependence_p_value(x, np.abs(x[:, 0]))
    0.005

    Source: Szekely, Rizzo & Bakirov, "Measuring and testing dependence by correlation of distances", Annals of
    Statistics 35 (2007).
    """
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(x_table))[: MAX_BLOCKS * BLOCK_ROWS]
    x, targets = _standardized(x_table[rows]), _standardized(y[rows])
    if len(rows) < 4 or not x.shape[1] or not targets.shape[1]:
        return 1.0
    blocks = np.array_split(np.arange(len(rows)), -(-len(rows) // BLOCK_ROWS))
    distances = [(_centred_distances(x[block]), _centred_distances(targets[block])) for block in blocks]
    observed = sum(float(np.vdot(of_x, of_y)) for of_x, of_y in distances)
    at_least = 0
    for _ in range(n_permutations):
        # Within each block: under independence all of these orders are equally likely.
        permuted = sum(_permuted(of_x, of_y, rng) for of_x, of_y in distances)
        # Not below by more than rounding: permutations of equal rows give the same sum.
        at_least += permuted >= observed * (1.0 - 1e-9)
    return float((1 + at_least) / (1 + n_permutations))


def _permuted(of_x: np.ndarray, of_y: np.ndarray, rng: np.random.Generator) -> float:
    order = rng.permutation(len(of_x))
    return float(np.vdot(of_x, of_y[order][:, order]))


def _standardized(values: np.ndarray) -> np.ndarray:
    """Columns with mean 0 and deviation 1, without constant ones, `(n_rows, n_columns)`."""
    columns = values.reshape(len(values), -1).astype(np.float64)
    if not len(columns):
        return columns[:, :0]
    columns = columns[:, np.ptp(columns, axis=0) > 0.0]
    return (columns - columns.mean(axis=0)) / np.maximum(columns.std(axis=0), np.finfo(np.float64).tiny)


def _centred_distances(columns: np.ndarray) -> np.ndarray:
    """Distances of all pairs of rows, less the means of their rows and columns."""
    squares = (columns**2).sum(axis=1)
    squared = squares[:, None] + squares[None, :] - 2.0 * columns @ columns.T
    np.fill_diagonal(squared, 0.0)
    distances = np.sqrt(np.maximum(squared, 0.0))
    centred: np.ndarray = distances - distances.mean(axis=0) - distances.mean(axis=1)[:, None] + distances.mean()
    return centred.astype(np.float32)
