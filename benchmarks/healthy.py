"""Healthy programs: does autofix leave them alone, to the last bit of the weights?"""

import dataclasses

import numpy as np

from autofix.benchmarks.faults import data
from autofix.benchmarks.faults.bases import BINARY, BY_NAME
from autofix.benchmarks.faults.programs import Base, Options

RARE_LOGIT = -3.2
"""Log odds of a rare event at the middle of the features: with the slopes below, 1 row in 17."""

NOISY_SHARE = 0.06
"""Of a noisy target's variance, what the features explain: held-out skill of a network ends between 0.02 and it."""


def rare_events(n_rows: int, rng: np.random.Generator) -> data.Rows:
    """Four features, and events whose log odds are a weighted sum of them: few, and never certain."""
    x = rng.normal(size=(n_rows, 4))
    odds = RARE_LOGIT + x @ np.array([1.0, -0.7, 0.5, 0.0])
    return x, (rng.random(n_rows) < 1.0 / (1.0 + np.exp(-odds))).astype(np.int64)


def noisy_line(n_rows: int, rng: np.random.Generator) -> data.Rows:
    """Four features and a target of unit variance that they explain 6 % of."""
    x = rng.normal(size=(n_rows, 4))
    signal = x @ np.array([0.8, -0.6, 0.0, 0.0])
    return x, np.sqrt(NOISY_SHARE) * signal + np.sqrt(1.0 - NOISY_SHARE) * rng.normal(size=n_rows)


PROGRAMS = (
    dataclasses.replace(BY_NAME["regression"], name="tabular", epochs=20),
    dataclasses.replace(BY_NAME["images"], name="image", epochs=12),
    dataclasses.replace(BY_NAME["series"], name="sequence", epochs=15),
    Base("imbalanced", "binary", rare_events, Options(units=8, depth=1, **BINARY), 1_500, epochs=12, batch_size=32),
    Base("noisy", "regression", noisy_line, Options(units=8, depth=1, learning_rate=0.001), 2_000, 12, 32),
)
