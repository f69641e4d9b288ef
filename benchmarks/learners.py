"""The opponent without a network: scikit-learn's learners on standardised inputs, the best by cross-validation."""

import warnings
from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, cross_val_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from autofix.benchmarks import summary
from autofix.benchmarks.faults import skill
from autofix.benchmarks.faults.trained import Trainable, Trained
from autofix.benchmarks.usage import Usage

FOLDS = 3

LAYERS = (32, 32)
"""Of the network among the learners: as large as those of most programs."""

ITERATIONS = 200
"""scikit-learn's default; networks that have not converged by then are taken as they are."""


def _candidates(task: str, seed: int) -> list[Any]:
    if task == "regression":
        regressors = (
            Ridge(),
            MLPRegressor(hidden_layer_sizes=LAYERS, max_iter=ITERATIONS, random_state=seed),
            ExtraTreesRegressor(random_state=seed),
        )
        return [TransformedTargetRegressor(one, transformer=StandardScaler()) for one in regressors]
    return [
        LogisticRegression(),
        MLPClassifier(hidden_layer_sizes=LAYERS, max_iter=ITERATIONS, random_state=seed),
        ExtraTreesClassifier(random_state=seed),
    ]


def _fitted(task: str, x: np.ndarray, y: np.ndarray, seed: int) -> Any:
    """The best of the learners, fitted on all rows."""
    scoring = "r2" if task == "regression" else "neg_log_loss"
    pipelines = [make_pipeline(StandardScaler(), one) for one in _candidates(task, seed)]
    folds = KFold(min(FOLDS, len(x)), shuffle=True, random_state=seed)
    scores = [
        np.nan_to_num(cross_val_score(one, x, y, cv=folds, scoring=scoring).mean(), nan=-np.inf) for one in pipelines
    ]
    return pipelines[int(np.argmax(scores))].fit(x, y)


def _outputs(task: str, fitted: Any, x: np.ndarray) -> np.ndarray:
    """Predictions as a network gives them: numbers, or a probability for each class number."""
    if task == "regression":
        return np.asarray(fitted.predict(x)).reshape(len(x), 1)
    found = np.zeros((len(x), int(max(fitted.classes_)) + 1))
    found[:, fitted.classes_.astype(int)] = fitted.predict_proba(x)
    return found if found.shape[1] > 1 else np.column_stack([found, np.zeros(len(x))])


def train(program: Trainable) -> tuple[Trained, dict[str, Any]]:
    """Fits one learner an output and judges them.

    Args:
        program: Of which only rows and task are looked at.
    """
    tasks = (program.task,) if isinstance(program.task, str) else program.task
    targets = (program.y,) if isinstance(program.task, str) else program.y
    x, x_fresh = (np.asarray(rows, np.float64).reshape(len(rows), -1) for rows in (program.x, program.x_fresh))
    with Usage() as usage, warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted, seconds = summary.timed(
            lambda: [_fitted(task, x, np.ravel(y), program.seed) for task, y in zip(tasks, targets, strict=True)]
        )
    outputs = [_outputs(task, one, x_fresh) for task, one in zip(tasks, fitted, strict=True)]
    given = outputs[0] if isinstance(program.task, str) else outputs
    found = skill.measure(program.task, program.y_fresh, given)
    learners = [_name(one) for one in fitted]
    return Trained(found.value, found.lower, seconds, usage, [], given), {"learners": learners}


def _name(fitted: Any) -> str:
    last = fitted[-1]
    return type(getattr(last, "regressor", last)).__name__
