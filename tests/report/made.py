"""Records made by hand, for tests that need no training."""

import dataclasses
import math
from typing import Any

from autofix.evidence import (
    Evidence,
    FitProfile,
    InputProfile,
    LayerProfile,
    ModelProfile,
)
from autofix.recipe import Recipe
from autofix.remedies import SetLearningRate
from autofix.report.records import Finding, Reference, RunRecord, TrialRecord
from autofix.report.traces import Circumstances, LayerHealth, LookTrace, LossCurve, Predictions, Trace
from autofix.scoring.assess import Assessment

RECIPE = Recipe((SetLearningRate("lower_learning_rate", factor=0.01, was=1.0),))


def assessment(**changes: Any) -> Assessment:
    """Of a constant output."""
    values: dict[str, Any] = {
        "n_samples": 6,
        "spread": 0.0,
        "skill": -0.01,
        "skill_lower": -0.05,
        "skill_upper": 0.02,
        "loss": 1.0,
        "constant_loss": 0.99,
        "is_finite": True,
        "is_target_constant": False,
        "output_name": "output",
    }
    return Assessment(**{**values, **changes})


GOOD = {"spread": 0.98, "skill": 0.97, "skill_lower": 0.95, "skill_upper": 0.98}


def look(epoch: int, **changes: Any) -> LookTrace:
    """A look at one output."""
    return LookTrace(epoch, (assessment(**changes),))


def layer(name: str = "dense", **changes: Any) -> LayerProfile:
    """A layer whose units are all dead."""
    values = {"name": name, "kind": "Dense", "activation": "relu", "units": 4, "dead_share": 1.0, "gradient": 2.0}
    return LayerProfile(**{**values, **changes})


def evidence(*layers: LayerProfile, means: tuple[float, ...] = (0.0, 500.0)) -> dict[str, Any]:
    """What was measured of a network with these layers."""
    n_features = len(means)
    profile = InputProfile(
        mean=means,
        std=tuple(1.0 + abs(mean) for mean in means),
        minimum=(0.0,) * n_features,
        maximum=(1.0,) * n_features,
        median=(0.0,) * n_features,
        iqr=(1.0,) * n_features,
        is_integer=False,
    )
    model = ModelProfile("Adam", 1.0, None, 0.001, True, 1, ("Dense",), True, True, True, ("linear",), layers=layers)
    return Evidence((profile,), (), model, FitProfile(100, 32, 100, 400, True)).to_dict()


def numbers(source: str, targets: tuple[float, ...], given: tuple[float, ...], **changes: Any) -> Predictions:
    """Predictions of a regression."""
    wanted, predicted = (tuple((value,) for value in column) for column in (targets, given))
    seen = assessment(n_samples=len(targets), **changes)
    return Predictions(seen, "regression", wanted, predicted, source=source)


def repaired(**changes: Any) -> RunRecord:
    """A run with something to show in every figure but that of classes."""
    values: dict[str, Any] = {
        "verdict": "repaired",
        "before": (assessment(),),
        "before_epoch": 2,
        "after": (assessment(**GOOD),),
        "findings": (
            Finding("learning_rate_too_high", 0.9, "The rate is 1."),
            Finding("dead_units", 0.4, "All are dead."),
        ),
        "mattering": ("learning_rate_too_high",),
        "references": (Reference("linear", 0.98, 0.97, 0.99), Reference("extra_trees", 0.9, 0.88, 0.92)),
        "trials": (
            TrialRecord(0, Recipe(), {}, -3.5, -4.0, -3.0, 0.01, 0.3, "control"),
            TrialRecord(1, RECIPE, {"factor": 0.1}, math.nan, math.nan, math.nan, math.nan, 0.1, "failed", "It broke."),
            TrialRecord(1, RECIPE, {"factor": 0.01}, 0.9625, 0.95, 0.978, 0.98, 0.2, "accepted"),
        ),
        "recipe": RECIPE,
        "left_out": {"add_hidden_layers": "The model is subclassed."},
        "notes": ("The data was read once.",),
        "evidence": evidence(layer(), layer("dense_1", dead_share=0.0, gradient=0.5)),
        "seconds": {"watch": 0.1, "trials": 0.75, "total": 1.5},
        "own": Trace((look(1, spread=0.2), look(2)), LossCurve((1, 2), (9.0, 2.0))),
        "repaired": Trace(
            (look(1, skill=-4.5, skill_lower=-5.0, skill_upper=-4.0), look(100, **GOOD)),
            LossCurve((1, 2, 3), (8.0, 1.0, 0.125)),
            (LayerHealth("dense", "Dense", "relu", 4, 0.25, 0.0, 0.125),),
        ),
        "predictions": (
            numbers("control", (0.0, 1.0, 2.0, 3.0, 4.0, 5.0), (2.5,) * 6),
            numbers("fix", (0.0, 1.0, 2.0, 3.0, 4.0, 5.0), (0.1, 0.9, 2.1, 2.9, 4.1, 5.5), **GOOD),
        ),
        "circumstances": Circumstances(
            {"Keras": "3.15.1", "Python": "3.11.7"}, 7, {"epochs": "100"}, (("age", "income"),), (), "training"
        ),
    }
    return RunRecord(**{**values, **changes})


def binary(**changes: Any) -> RunRecord:
    """A run with an output of two classes."""
    samples = tuple(
        Predictions(
            assessment(), "binary", ((0.0,), (0.0,), (1.0,), (1.0,)), tuple((one,) for one in given), source=source
        )
        for source, given in (("control", (0.9, 0.2, 0.6, 0.1)), ("fix", (0.1, 0.2, 0.8, 0.5)))
    )
    return repaired(**{"predictions": samples, **changes})


def classes(n_classes: int = 3, **changes: Any) -> RunRecord:
    """A run with an output of many classes: row i is of class i, and class i + 1 was predicted."""
    rows = range(n_classes)
    sample = Predictions(
        assessment(),
        "multiclass",
        tuple((float(row),) for row in rows),
        tuple((float((row + 1) % n_classes), 0.75) for row in rows),
        n_classes=n_classes,
        source="control",
    )
    return repaired(**{"predictions": (sample, dataclasses.replace(sample, source="fix")), **changes})


def overflowing() -> RunRecord:
    """More of everything than a page has room for."""
    long = "very " * 400
    names = tuple(f"feature with a long name {index}" for index in range(150))
    trials = tuple(
        TrialRecord(
            rung, RECIPE, {f"value_{index}": 0.5 for index in range(9)}, 0.5, 0.4, 0.6, 0.9, 0.2, "rejected", long
        )
        for rung in range(15)
        for _ in range(20)
    )
    rows = tuple((0.123456 * index, -0.5, 3.25, 7.5) for index in range(500))
    sample = Predictions(assessment(n_samples=4096), "regression", rows, rows, 784)
    looks = tuple(
        LookTrace(2**power, tuple(assessment(output_name=f"output_{i}") for i in range(8))) for power in range(20)
    )
    curve = LossCurve(tuple(range(1, 201)), (0.123456789,) * 200, (0.987654321,) * 200)
    layers = tuple(layer(f"layer_{index}", dead_share=0.001 * index) for index in range(300))
    health = tuple(LayerHealth(f"layer_{index}", "Dense", "relu", 8, 0.5, 0.25, 1e-9) for index in range(300))
    return repaired(
        before=tuple(assessment(output_name=f"output_{index}") for index in range(8)),
        after=tuple(assessment(output_name=f"output_{index}") for index in range(8)),
        findings=tuple(Finding(f"cause_{index}", 0.5, long) for index in range(25)),
        trials=trials,
        left_out={f"strategy_{index}": long for index in range(17)},
        notes=(long,) * 5,
        evidence=evidence(*layers, means=tuple(10.0**power for power in range(-75, 75))),
        own=Trace(looks, curve),
        repaired=Trace(looks, curve, health),
        predictions=tuple(
            dataclasses.replace(sample.labelled(source, f"output_{index}"))
            for index in range(8)
            for source in ("control", "fix")
        ),
        circumstances=Circumstances({}, 0, {}, (names,), (), "training"),
    )
