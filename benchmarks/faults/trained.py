"""One training of a program, timed and judged on fresh rows; and what a worker process does with a case."""

import contextlib
import dataclasses
import math
import traceback
import warnings
from collections.abc import Iterator
from typing import Any

import keras

import autofix
from autofix.benchmarks import summary
from autofix.benchmarks.faults import skill
from autofix.benchmarks.faults.catalogue import Case
from autofix.benchmarks.faults.programs import Program

SHORT_OF_HEALTHY = 0.3
"""A program counts as broken for a seed when its skill is below this share of the healthy program's."""


@dataclasses.dataclass(frozen=True)
class Trained:
    """What a training led to.

    Args:
        skill: On fresh rows.
        skill_lower: Lower bound of its 95 % interval.
        seconds: Wall time of the call.
        report: Of `autofix.fit`; None of `model.fit`.
    """

    skill: float
    skill_lower: float
    seconds: float
    report: autofix.Report | None = None


@contextlib.contextmanager
def _cleared() -> Iterator[None]:
    """Frees afterwards what Keras keeps of the models that were built inside."""
    try:
        with warnings.catch_warnings():
            # Programs that are broken on purpose make Keras, TensorFlow and autofix say so.
            warnings.simplefilter("ignore")
            yield
    finally:
        keras.backend.clear_session()


def train(program: Program, order: str | None = None) -> Trained:
    """Trains the program and judges it.

    Args:
        program: What to train.
        order: Of the strategies of `autofix.fit`; None for plain `model.fit`.
    """
    with _cleared():
        model = program.build()
        if order is None:
            history, seconds = summary.timed(lambda: model.fit(**program.fit_arguments))
        else:
            history, seconds = summary.timed(lambda: autofix.fit(model, **program.fit_arguments, order=order))
        outputs = model.predict(program.x_fresh, verbose=0)
        found = skill.measure(program.base.task, program.y_fresh, outputs)
        return Trained(found.value, found.lower, seconds, getattr(history, "report", None))


def warm_up(case: Case) -> None:
    """Trains the healthy program for an epoch both ways, so that no measured call pays what a process pays once."""
    program = dataclasses.replace(case.healthy(), epochs=1)
    train(program)
    train(program, "evidence")


def check_case(case: Case) -> dict[str, Any]:
    """Plain `model.fit` on the healthy and on the broken program, as a record of JSON values."""
    healthy, program = train(case.healthy()), case.broken()
    record = {"kind": "check", **case._asdict(), "planted": program.planted, "healthy_skill": healthy.skill}
    try:
        broken = train(program)
    except Exception as error:  # noqa: BLE001 - what Keras refuses to train is no collapse; the table shows it
        return summary.json_safe({**record, "error": repr(error)})
    return summary.json_safe({**record, "plain_skill": broken.skill, "plain_seconds": broken.seconds, "error": ""})


def diagnose_case(case: Case, order: str, healthy_skill: float | None) -> dict[str, Any]:
    """`model.fit` and `autofix.fit` on the broken program, as a record of JSON values.

    Args:
        case: What to plant, into which program, from which seed.
        order: Of the strategies.
        healthy_skill: Of the healthy program under plain `model.fit`; None to train it here.
    """
    program = case.broken()
    record: dict[str, Any] = {"kind": "diagnosis", **case._asdict(), "order": order, "planted": program.planted}
    try:
        if healthy_skill is None:
            healthy_skill = train(case.healthy()).skill
        plain, fixed = train(program), train(program, order)
    except Exception:  # noqa: BLE001 - one run that fails is a result; it must not end the others
        return summary.json_safe({**record, "error": traceback.format_exc(limit=-6)})
    return summary.json_safe({**record, "error": "", "healthy_skill": healthy_skill, **_figures(plain, fixed)})


def _figures(plain: Trained, fixed: Trained) -> dict[str, Any]:
    report = fixed.report
    assert report is not None
    return {
        "plain_skill": plain.skill,
        "plain_seconds": plain.seconds,
        "skill": fixed.skill if math.isfinite(fixed.skill) else None,
        "skill_lower": fixed.skill_lower,
        "seconds": fixed.seconds,
        "verdict": report.verdict,
        "findings": [(finding.cause, finding.confidence, finding.evidence) for finding in report.findings],
        "strategies": report.recipe.strategies,
        "fix": report.fix,
        "n_trials": len(report.trials),
        "trials": [(trial.status, trial.recipe.strategies, trial.skill, trial.note) for trial in report.trials],
        "references": [(one.name, one.skill, one.skill_lower) for one in report.references],
        "left_out": report.left_out,
        "notes": report.notes,
        "parts": report.seconds,
        "evidence": getattr(report, "evidence", None),
    }
