"""What `autofix.fit` makes of a case: the same as Keras of its healthy version, a repair of its collapsed one."""

import dataclasses
import tempfile
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import autofix
from autofix.scoring.assess import assess
from autofix.scoring.losses import head_losses
from autofix.scoring.numpy_losses import loss_spec
from tests.compatibility.case import Case

SEED = 3

BIT_IDENTICAL = "bit-identical"

SAVES = "loads with equal predictions"

NO_SPREAD = 1e-3
"""Predictions that vary less than this share of the targets' deviation over rows are the same for every row."""

NO_SKILL = 0.02


@dataclasses.dataclass(frozen=True)
class Row:
    """What was measured of a case.

    Args:
        name: Of the case.
        group: Of the case.
        healthy: `"bit-identical"`, or what differs from `model.fit`.
        verdict: On the collapsed version.
        fix: Names of the strategies in the repair.
        left_out: Strategies that were not used, with the reason.
        saved: What came of saving and loading the trained model of the collapsed version.
        notes: Of the report.
    """

    name: str
    group: str
    healthy: str
    verdict: str
    fix: tuple[str, ...]
    left_out: dict[str, str]
    saved: str
    notes: tuple[str, ...] = ()


class NotCollapsedError(AssertionError):
    """The collapsed version of a case does not collapse under Keras: it shows nothing."""


def measure(case: Case, *, shows_collapse: bool = True) -> Row:
    """Trains both versions of a case with Keras and with autofix.

    Args:
        case: What to train.
        shows_collapse: Whether the collapsed version is trained with Keras too, to see that it collapses.

    Raises:
        NotCollapsedError: The case's collapsed version does not end collapsed under Keras.
    """
    healthy = _difference(case)
    x, y = case.judged_rows()
    plain = case.build(case.collapsed_rate)
    if shows_collapse:
        plain, _ = _train(keras.Model.fit, case, case.collapsed_rate)
        if not is_collapsed(plain, x, y):
            raise NotCollapsedError(f"{case.name}: at {case.collapsed_rate} it does not collapse under Keras")
    model, history = _train(autofix.fit, case, case.collapsed_rate)
    report = history.report
    if report.verdict == "repaired" and is_collapsed(model, x, y):
        raise AssertionError(f"{case.name}: called repaired, and collapsed")
    return Row(
        case.name,
        case.group,
        healthy,
        report.verdict,
        report.recipe.strategies,
        dict(report.left_out),
        _saved(model, plain, x),
        tuple(report.notes),
    )


def _train(fit: Any, case: Case, rate: float) -> tuple[keras.Model, keras.callbacks.History]:
    keras.utils.set_random_seed(SEED)
    model = case.build(rate)
    with warnings.catch_warnings():
        # That a training stays collapsed is in the verdict.
        warnings.simplefilter("ignore", autofix.CollapseWarning)
        return model, fit(model, **{"verbose": 0, **case.arguments()})


def _difference(case: Case) -> str:
    """How the healthy version ends differently than with Keras."""
    plain, expected = _train(keras.Model.fit, case, case.healthy_rate)
    model, history = _train(autofix.fit, case, case.healthy_rate)
    if differences := differing(plain, expected, model, history):
        return ", ".join(differences)
    verdict = history.report.verdict
    return (
        BIT_IDENTICAL if verdict == "healthy" else f"called {verdict}: {history.report.headline} {history.report.notes}"
    )


def differing(
    plain: keras.Model, expected: keras.callbacks.History, model: keras.Model, history: keras.callbacks.History
) -> list[str]:
    """What differs, bit by bit, between a model that Keras trained and one that autofix did."""
    states = {
        "weights": (plain.variables, model.variables),
        "optimizer": (plain.optimizer.variables, model.optimizer.variables),
    }
    found = [name for name, (one, other) in states.items() if not _same(one, other)]
    if repr(history.history) != repr(expected.history):  # as text: NaN is not equal to itself
        found.append("history")
    return found if history.epoch == expected.epoch else [*found, "epochs"]


def _same(variables: list[Any], others: list[Any]) -> bool:
    arrays = [[keras.ops.convert_to_numpy(variable) for variable in group] for group in (variables, others)]
    return len(variables) == len(others) and all(
        one.shape == other.shape and one.tobytes() == other.tobytes() for one, other in zip(*arrays, strict=True)
    )


def is_collapsed(model: keras.Model, x: Any, y: Any) -> bool:
    """Whether any output is the same for every row, not finite, or no better than the best constant.

    Args:
        model: Trained.
        x: Inputs, as `predict` takes them.
        y: Targets, a tree like the outputs; None to compare outputs with the inputs.
    """
    leaves = keras.tree.flatten(predict(model, x))
    outputs = [np.asarray(leaf, np.float64) for leaf in leaves]
    targets = [np.asarray(leaf) for leaf in keras.tree.flatten(x if y is None else y)]
    if isinstance(y, dict) and hasattr(model, "output_names") and set(y) == set(model.output_names):
        targets = [np.asarray(y[name]) for name in model.output_names]
    losses = [loss_spec("mean_squared_error")] * len(outputs) if y is None else head_losses(model, y)
    for leaf, output, target, loss in zip(leaves, outputs, targets, losses, strict=True):
        mask = getattr(leaf, "_keras_mask", None)
        if mask is not None and output.ndim > 2:  # steps that Keras' losses leave out
            output, target = output[np.asarray(mask)], target[np.asarray(mask)]
        if not np.isfinite(output).all() or output.std(axis=0).max() <= NO_SPREAD * (float(np.std(target)) or 1.0):
            return True
        head = assess(target, output, loss or loss_spec("mean_squared_error"))
        if head.skill < NO_SKILL:
            return True
    return False


def predict(model: keras.Model, x: Any) -> Any:
    """Predictions for raw inputs, without the tracing that `model.predict` begins with."""
    return model(keras.tree.map_structure(tf.convert_to_tensor, x), training=False)


def _saved(model: keras.Model, plain: keras.Model, x: Any) -> str:
    """What came of saving and loading, where Keras can save such a model at all."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on lambdas, and on a compile of the user's own
        try:
            _loaded(plain, folder)
        except (NotImplementedError, TypeError, ValueError) as error:
            return f"Keras itself cannot: {str(error).splitlines()[0]:.80}"
        loaded = _loaded(model, folder)
    pairs = zip(keras.tree.flatten(predict(model, x)), keras.tree.flatten(predict(loaded, x)), strict=True)
    return SAVES if all(np.allclose(one, other, rtol=1e-4, atol=1e-5) for one, other in pairs) else "predicts otherwise"


def _loaded(model: keras.Model, folder: str) -> keras.Model:
    path = Path(folder) / "model.keras"
    model.save(path)
    return keras.saving.load_model(path)
