"""The data of the healthy programs. Each generator draws `n_rows` rows: `(n_rows, rng) -> (x, y)`.

None has a relation that a straight line, or the mean, could follow far: a network that does not work cannot hide.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

Rows = tuple[np.ndarray, Any]
"""Inputs and targets; of several outputs, the targets are a tuple."""

MakeData = Callable[[int, np.random.Generator], Rows]

WAVES_MEAN = 0.3

IMAGE_SIZE = 12
SHAPES = ("square", "cross", "bars", "diagonal")
SHAPE_SIZE = 7

VOCABULARY = 20
TOKENS = 12
UP_TOKENS, DOWN_TOKENS = 5, 10
"""Token ids below the first count up, those from there to the second count down, the others say nothing."""

SERIES_STEPS = 12
SERIES_MEMORY = 0.8

LINE_SLOPES = (0.8, -0.6, 0.4, 0.0)

TAIL_FREEDOM = 3.0
"""Degrees of freedom of the heavy-tailed features: variance exists, the fourth moment does not."""

RARE_SHARE = 0.12
"""Of the positives among the rows of a program with few of them that a training gets to all the same."""

CODE_COLUMNS = 2
N_CODES = 24


def waves(n_rows: int, rng: np.random.Generator) -> Rows:
    """Four features and a smooth, non-linear target of about unit variance with 10 % noise."""
    x = rng.uniform(-1.0, 1.0, size=(n_rows, 4))
    y = np.cos(3.0 * x[:, 0]) + 1.5 * x[:, 1] * x[:, 2] + 0.5 * np.abs(x[:, 3])
    return x, 1.5 * (y - WAVES_MEAN) + rng.normal(0.0, 0.1, size=n_rows)


def line(n_rows: int, rng: np.random.Generator) -> Rows:
    """Four features and a weighted sum of them of about unit variance with 10 % noise."""
    x = rng.normal(size=(n_rows, 4))
    return x, x @ np.array(LINE_SLOPES) + rng.normal(0.0, 0.1, size=n_rows)


def sides(n_rows: int, rng: np.random.Generator) -> Rows:
    """Four features and the side of a plane that they lie on, blurred a little."""
    x = rng.normal(size=(n_rows, 4))
    return x, (x @ np.array(LINE_SLOPES) + rng.normal(0.0, 0.1, size=n_rows) > 0.0).astype(np.int64)


def tails(n_rows: int, rng: np.random.Generator) -> Rows:
    """Five features with heavy tails, and a smooth, bounded target of about unit variance."""
    x = rng.standard_t(TAIL_FREEDOM, size=(n_rows, 5))
    y = np.tanh(x[:, 0]) * np.sign(x[:, 1]) + np.tanh(1.5 * x[:, 2]) + 0.5 * np.tanh(x[:, 3])
    return x, y + rng.normal(0.0, 0.1, size=n_rows)


def rare(n_rows: int, rng: np.random.Generator) -> Rows:
    """Four features, two of which tell the positives, 12 % of the rows, by a large distance from the origin."""
    x = rng.normal(size=(n_rows, 4))
    radius = np.hypot(x[:, 0], x[:, 1]) + rng.normal(0.0, 0.05, size=n_rows)
    return x, (radius > np.sqrt(-2.0 * np.log(RARE_SHARE))).astype(np.int64)


def pair(n_rows: int, rng: np.random.Generator) -> tuple[np.ndarray, Any]:
    """The features of `waves`, with its target and a class of their own: whether two have the same sign."""
    x, y = waves(n_rows, rng)
    return x, (y, (x[:, 1] * x[:, 2] > 0.0).astype(np.int64))


def ring(n_rows: int, rng: np.random.Generator) -> Rows:
    """Four features, two of which tell the classes 0 and 1 by the distance from the origin."""
    x = rng.normal(size=(n_rows, 4))
    radius = np.hypot(x[:, 0], x[:, 1]) + rng.normal(0.0, 0.05, size=n_rows)
    return x, (radius > np.sqrt(2.0 * np.log(2.0))).astype(np.int64)


def quadrants(n_rows: int, rng: np.random.Generator) -> Rows:
    """Four features and four classes: whether two have the same sign, and whether a third is far from 0."""
    x = rng.normal(size=(n_rows, 4))
    same_sign, is_far = x[:, 0] * x[:, 1] > 0.0, np.abs(x[:, 2]) > 0.67
    return x, 2 * same_sign.astype(np.int64) + is_far


def digits(n_rows: int, rng: np.random.Generator) -> Rows:
    """Scanned digits of shape `(n_rows, 8, 8, 1)` with values from 0 to 1, none of them twice, and their numbers.

    Source: the test part of Alpaydin and Kaynak, Optical recognition of handwritten digits (1998), 1,797 rows, which
    scikit-learn brings.
    """
    stock = load_digits()
    order = rng.permutation(len(stock.target))[:n_rows]
    return stock.images[order][..., None] / stock.images.max(), stock.target[order].astype(np.int64)


def _shape(kind: str) -> np.ndarray:
    shape = np.zeros((SHAPE_SIZE, SHAPE_SIZE))
    middle = SHAPE_SIZE // 2
    if kind == "square":
        shape[[0, -1], :] = shape[:, [0, -1]] = 1.0
    elif kind == "cross":
        shape[middle, :] = shape[:, middle] = 1.0
    elif kind == "bars":
        shape[::3, :] = 1.0
    else:
        np.fill_diagonal(shape, 1.0)
        np.fill_diagonal(shape[:, 1:], 1.0)
    return shape


def shapes(n_rows: int, rng: np.random.Generator) -> Rows:
    """Images of shape `(n_rows, 12, 12, 1)`: one of four shapes at a random place, with noise; and its number."""
    drawn = np.stack([_shape(kind) for kind in SHAPES])
    y = rng.integers(len(SHAPES), size=n_rows)
    x = rng.normal(0.0, 0.2, size=(n_rows, IMAGE_SIZE, IMAGE_SIZE))
    for image, label in zip(x, y, strict=True):
        row, column = rng.integers(IMAGE_SIZE - SHAPE_SIZE + 1, size=2)
        image[row : row + SHAPE_SIZE, column : column + SHAPE_SIZE] += drawn[label]
    return x[..., None], y


def tokens(n_rows: int, rng: np.random.Generator) -> Rows:
    """Token ids of shape `(n_rows, 12)`, and whether those that count up outnumber those that count down."""
    x = rng.integers(VOCABULARY, size=(n_rows, TOKENS))
    score = np.where(x < UP_TOKENS, 1, np.where(x < DOWN_TOKENS, -1, 0)).sum(axis=1)
    # A tie is decided by the last token, so that both classes are equally frequent.
    return x, np.where(score == 0, x[:, -1] < VOCABULARY // 2, score > 0).astype(np.int64)


def series(n_rows: int, rng: np.random.Generator) -> Rows:
    """Sequences of shape `(n_rows, 12, 2)`, and the sum of their steps' products with a fading memory."""
    x = rng.normal(size=(n_rows, SERIES_STEPS, 2))
    weights = SERIES_MEMORY ** np.arange(SERIES_STEPS)[::-1]
    y = np.tanh(x[:, :, 0] + 0.5 * x[:, :, 1]) @ (weights / np.linalg.norm(weights))
    return x, 1.5 * y


def codes(n_rows: int, rng: np.random.Generator) -> Rows:
    """Categories without order in two columns, one-hot, beside a number; each category has an effect of its own.

    Shape of the inputs: `(n_rows, 2 * 24 + 1)`.
    """
    effects = np.random.default_rng(0).permutation(np.linspace(-1.7, 1.7, N_CODES * CODE_COLUMNS))
    effects = effects.reshape(CODE_COLUMNS, N_CODES)
    drawn = rng.integers(N_CODES, size=(n_rows, CODE_COLUMNS))
    value = rng.normal(size=n_rows)
    y = effects[np.arange(CODE_COLUMNS), drawn].sum(axis=1) + 0.3 * value
    one_hot = np.eye(N_CODES)[drawn].reshape(n_rows, -1)
    return np.column_stack([one_hot, value]), y + rng.normal(0.0, 0.1, size=n_rows)


def decoded(x: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """The inputs of `codes` with whole numbers instead of one-hot columns: shape `(n_rows, 3)`.

    Args:
        x: As `codes` makes it.
        numbers: What to call each category of each column, shape `(2, 24)`.
    """
    n_columns, n_codes = numbers.shape
    places = x[:, : numbers.size].reshape(len(x), n_columns, n_codes).argmax(axis=2)
    return np.column_stack([numbers[np.arange(n_columns), places], x[:, numbers.size :]]).astype(np.float64)
