"""Small data that the cases train on."""

from typing import Any

import numpy as np

N_ROWS = 128
EPOCHS = 24
N_WORDS = 12
LENGTH = 6

WORDS = np.array(["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "haven", "inlet", "jetty", "knoll"])


def numbers() -> np.ndarray:
    """Four features from 0 to 1."""
    return np.random.default_rng(0).uniform(size=(N_ROWS, 4)).astype("float32")


def score(x: np.ndarray) -> np.ndarray:
    return np.asarray(3.0 * (x[:, 0] - x[:, 1] + 0.5 * x[:, 2] - 0.25))


def target(x: np.ndarray) -> np.ndarray:
    return (score(x) + 0.05 * np.random.default_rng(1).normal(size=N_ROWS)).astype("float32")[:, None]


def label(x: np.ndarray) -> np.ndarray:
    return (score(x) > 0.0).astype("float32")[:, None]


def classes(x: np.ndarray) -> np.ndarray:
    return np.digitize(score(x), [-0.5, 0.5])


def tokens() -> np.ndarray:
    """Word numbers from 1; 0 fills the sentences up."""
    rng = np.random.default_rng(0)
    words = rng.integers(1, N_WORDS, size=(N_ROWS, LENGTH))
    words[np.arange(LENGTH) >= rng.integers(3, LENGTH + 1, size=(N_ROWS, 1))] = 0
    return words.astype("int32")


def value_of_tokens(words: np.ndarray) -> np.ndarray:
    """The mean of the words' values, filling left out."""
    values = np.r_[0.0, np.linspace(-1.5, 1.5, N_WORDS - 1)]
    return (values[words].sum(axis=1) / (words > 0).sum(axis=1)).astype("float32")[:, None]


def sentences() -> np.ndarray:
    """The same as text."""
    return np.array([" ".join(WORDS[word - 1] for word in row if word) for row in tokens()], dtype=object)


def images() -> np.ndarray:
    """6 by 6 pixels with one bright row or column each."""
    rng = np.random.default_rng(0)
    pixels = rng.uniform(0.0, 0.3, size=(N_ROWS, 6, 6, 1))
    pixels *= rng.uniform(0.2, 2.0, size=(N_ROWS, 1, 1, 1))
    return pixels.astype("float32")


def brightness(pixels: np.ndarray) -> np.ndarray:
    return (8.0 * pixels.mean(axis=(1, 2)) - 1.0).astype("float32")


def series() -> np.ndarray:
    """Five steps of two features."""
    return np.random.default_rng(0).uniform(size=(N_ROWS, 5, 2)).astype("float32")


def last_steps(steps: np.ndarray) -> np.ndarray:
    return (3.0 * (steps[:, -1, :1] - steps[:, -2, 1:])).astype("float32")


def rank_two() -> np.ndarray:
    """Six features that depend on two, from 0 to 1."""
    rng = np.random.default_rng(0)
    hidden, mixing = rng.uniform(size=(N_ROWS, 2)), rng.uniform(size=(2, 6))
    return (hidden @ mixing / mixing.sum(axis=0)).astype("float32")


def arguments(x: Any, y: Any = None, **others: Any) -> dict[str, Any]:
    return {"x": x, "y": y, "epochs": EPOCHS, **others}
