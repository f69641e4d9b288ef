"""The opponent that throws the program away: AutoKeras, which searches for a network of its own. Optional."""

import contextlib
import importlib.util
import io
import tempfile
from typing import Any

import numpy as np

from autofix.benchmarks import summary
from autofix.benchmarks.faults import skill
from autofix.benchmarks.faults.trained import Trainable, Trained, cleared
from autofix.benchmarks.usage import Usage

MOST_TRIALS = 5
"""Each trains until it stops improving, ten times as long as the programs do: with more, a run takes an hour."""

IMAGE_AXES = 4
"""Axes of a batch of images."""


def why_not(program: Trainable) -> str:
    """Why the search cannot be run on a program here; empty where it can."""
    if importlib.util.find_spec("autokeras") is None:
        return "AutoKeras is not installed: pip install 'autofix-keras[autokeras]'"
    if not isinstance(program.task, str):
        return "several outputs"
    return ""


def _with_plain_shape(head: type) -> Any:
    """A head whose shape is of Python's integers.

    AutoKeras 3.0 hands NumPy's to `Dense(units)`, which Keras 3.15 refuses; this can go with a version that does not.
    """

    def build(self: Any, hp: Any, inputs: Any = None) -> Any:
        self.shape = [int(length) for length in self.shape]
        return head.build(self, hp, inputs)  # type: ignore[attr-defined]

    return type(head.__name__, (head,), {"build": build})()


def train(program: Trainable, n_trials: int, limit_s: float) -> tuple[Trained, dict[str, Any]]:
    """Lets AutoKeras search on the rows, and judges what it exports.

    Args:
        program: Of which only rows and task are looked at.
        n_trials: Most trials, if fewer than `MOST_TRIALS`.
        limit_s: Not kept: AutoKeras has no limit of time.
    """
    import autokeras

    is_regression = program.task == "regression"
    x, y = np.asarray(program.x, np.float32), np.ravel(program.y)
    with (
        tempfile.TemporaryDirectory(prefix="autofix-bench-") as directory,
        cleared(),
        Usage() as usage,
        contextlib.redirect_stdout(io.StringIO()),  # KerasTuner, which it searches with, prints on its own
    ):
        model = autokeras.AutoModel(
            inputs=autokeras.ImageInput() if x.ndim == IMAGE_AXES else autokeras.Input(),
            outputs=_with_plain_shape(autokeras.RegressionHead if is_regression else autokeras.ClassificationHead),
            max_trials=min(n_trials, MOST_TRIALS),
            directory=directory,
            seed=program.seed,
            overwrite=True,
        )
        _, seconds = summary.timed(lambda: model.fit(x, y[:, None], verbose=0))
        outputs = model.export_model().predict(np.asarray(program.x_fresh, np.float32), verbose=0)
    found = skill.measure(program.task, program.y_fresh, outputs)
    return Trained(found.value, found.lower, seconds, usage, [], outputs), {"n_trials": min(n_trials, MOST_TRIALS)}
