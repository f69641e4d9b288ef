"""The records of a run: plain, frozen, JSON-safe. Reports read these, never live models."""

import dataclasses
from typing import Any

from autofix.recipe import Recipe
from autofix.report.traces import (
    Circumstances,
    Predictions,
    Trace,
    read_circumstances,
    read_predictions,
    read_trace,
)
from autofix.scoring.assess import Assessment

VERDICTS = ("healthy", "repaired", "unlearnable", "unrepaired", "not_assessed")
"""What a run can end with."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """A cause with its evidence.

    Args:
        cause: Name of the fault, such as `"learning_rate_too_high"`.
        confidence: Between 0 and 1.
        evidence: The sentence a user reads.
    """

    cause: str
    confidence: float
    evidence: str


@dataclasses.dataclass(frozen=True)
class Reference:
    """How well a learner that is not the user's network does on the same held-out rows.

    Args:
        name: Of the learner, such as `"extra_trees"`.
        skill: Of its out-of-fold predictions, under the user's loss.
        skill_lower: Lower confidence bound.
        skill_upper: Upper confidence bound.
    """

    name: str
    skill: float
    skill_lower: float
    skill_upper: float


@dataclasses.dataclass(frozen=True)
class TrialRecord:
    """One trial: a recipe and what it reached on held-out rows.

    Args:
        rung: Step of the escalation, 0 for the control arm.
        recipe: What was tried.
        values: The hyperparameters KerasTuner proposed, by name.
        skill: Held-out skill, the mean over outputs; NaN when predictions were not finite.
        skill_lower: Lower confidence bound.
        skill_upper: Upper confidence bound.
        spread: Of the held-out predictions, the largest over outputs.
        seconds: Wall time of the trial.
        status: `"control"`, `"rejected"`, `"proven"` (better than control and floor), `"sufficient"` (proven, and
            as good as the references let expect), `"accepted"` (as good as the best of them) or `"failed"`; while
            dropping remedies `"minimal"` (it keeps the proven skill) or `"not minimal"`.
        note: Why it failed or was rejected, empty otherwise.
    """

    rung: int
    recipe: Recipe
    values: dict[str, Any]
    skill: float
    skill_lower: float
    skill_upper: float
    spread: float
    seconds: float
    status: str
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON values."""
        return {**_shallow(self), "recipe": self.recipe.to_dict()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrialRecord":
        """The record that `to_dict` wrote."""
        return cls(**{**values, "recipe": Recipe.from_dict(values["recipe"])})


@dataclasses.dataclass(frozen=True)
class Script:
    """The repaired training as a program of plain Keras.

    Args:
        code: Of the program; empty where there is none.
        reason: Why there is none, in words that follow "because".
    """

    code: str = ""
    reason: str = "nothing was repaired"


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """Everything a report says about one call of `autofix.fit`.

    Args:
        verdict: One of `VERDICTS`.
        before: What was seen of the user's own training, one assessment an output, when it was last looked at.
        before_epoch: The epoch of that look, counted from 1; 0 when nothing was looked at.
        after: The final model, one assessment an output; None unless repaired.
        findings: The causes, likeliest first.
        mattering: Names of the causes that the smallest fix treats; empty unless repaired.
        references: The learners it was compared with, best first.
        trials: In the order they ran.
        recipe: The smallest fix; empty unless repaired.
        left_out: Strategies that could not be used, with the reason, by name.
        notes: Sentences on what else happened, such as an error inside autofix.
        evidence: The measured facts that the findings rest on, as JSON values; None where none were collected.
        seconds: Wall time by part: `"looks"` (the forward passes and assessments of the watch), `"watch"` (the training
            until it was suspected), `"references"`, `"evidence"`, `"trials"`, `"minimize"`, `"final"`, `"total"`.
        own: What was seen of the user's own training.
        repaired: What was seen of the training with the fix; None unless repaired.
        predictions: Samples of held-out predictions: of the user's own program and of the smallest fix, or of the last
            look where nothing was tried.
        circumstances: How the run was made.
        script: The repaired training as a program.
    """

    verdict: str
    before: tuple[Assessment, ...] = ()
    before_epoch: int = 0
    after: tuple[Assessment, ...] | None = None
    findings: tuple[Finding, ...] = ()
    mattering: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    trials: tuple[TrialRecord, ...] = ()
    recipe: Recipe = Recipe()
    left_out: dict[str, str] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    evidence: dict[str, Any] | None = None
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    own: Trace = dataclasses.field(default_factory=Trace)
    repaired: Trace | None = None
    predictions: tuple[Predictions, ...] = ()
    circumstances: Circumstances = dataclasses.field(default_factory=Circumstances)
    script: Script = Script()

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON values."""
        return {
            **_shallow(self),
            "before": [assessment.to_dict() for assessment in self.before],
            "after": None if self.after is None else [assessment.to_dict() for assessment in self.after],
            "findings": [dataclasses.asdict(finding) for finding in self.findings],
            "references": [dataclasses.asdict(reference) for reference in self.references],
            "trials": [trial.to_dict() for trial in self.trials],
            "recipe": self.recipe.to_dict(),
            "notes": list(self.notes),
            "mattering": list(self.mattering),
            "own": dataclasses.asdict(self.own),
            "repaired": None if self.repaired is None else dataclasses.asdict(self.repaired),
            "predictions": [dataclasses.asdict(sample) for sample in self.predictions],
            "circumstances": dataclasses.asdict(self.circumstances),
            "script": dataclasses.asdict(self.script),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "RunRecord":
        """The record that `to_dict` wrote."""
        after = values["after"]
        return cls(
            **{
                **values,
                "before": tuple(Assessment.from_dict(one) for one in values["before"]),
                "after": None if after is None else tuple(Assessment.from_dict(one) for one in after),
                "findings": tuple(Finding(**one) for one in values["findings"]),
                "references": tuple(Reference(**one) for one in values["references"]),
                "trials": tuple(TrialRecord.from_dict(one) for one in values["trials"]),
                "recipe": Recipe.from_dict(values["recipe"]),
                "notes": tuple(values["notes"]),
                "mattering": tuple(values["mattering"]),
                "own": read_trace(values["own"]),
                "repaired": None if values["repaired"] is None else read_trace(values["repaired"]),
                "predictions": tuple(read_predictions(one) for one in values["predictions"]),
                "circumstances": read_circumstances(values["circumstances"]),
                "script": Script(**values["script"]),
            }
        )


def _shallow(record: Any) -> dict[str, Any]:
    """The fields of a dataclass, nested ones as they are."""
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
