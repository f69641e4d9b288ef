"""What came out of an attempt at a repair, as a record."""

import dataclasses
from collections.abc import Sequence

from autofix.data.training_data import MIN_ROWS, MIN_TRAINING_STEPS, TrainingData
from autofix.evidence import Evidence
from autofix.recipe import Recipe
from autofix.report.numbers import count
from autofix.report.records import Finding, Reference, TrialRecord
from autofix.report.text import best_of
from autofix.report.traces import Predictions
from autofix.search.judge import Judge
from autofix.search.search_space import Values
from autofix.search.trials import Outcome

LEAK = Finding(
    "leaky_split",
    1.0,
    "A repaired network has skill in permuted targets too, where nothing can be learned: held-out rows are among the "
    "training rows. Keep copies of a row together, or remove them.",
)
"""Says that a repair proves nothing."""


@dataclasses.dataclass(frozen=True)
class Repair:
    """What came out of an attempt.

    Args:
        outcome: Of the smallest proven recipe; None when there is none.
        is_false_alarm: Whether the user's own recipe gets there by itself.
        is_learnable: Whether a reference learner or any trial has skill.
        trials: In the order they ran.
        references: Best first.
        findings: Likeliest first.
        mattering: Names of the findings' causes that the recipe treats.
        left_out: Strategies not used, with the reason.
        excused: Numbers of the judged outputs that need not have skill: nothing was found to learn for them.
        seconds: Wall time by part.
        evidence: What the findings rest on; None where none was collected.
        predictions: Samples of held-out predictions, of the control arm and of the recipe or the best one tried.
    """

    outcome: Outcome | None = None
    is_false_alarm: bool = False
    is_learnable: bool = False
    trials: tuple[TrialRecord, ...] = ()
    references: tuple[Reference, ...] = ()
    findings: tuple[Finding, ...] = ()
    mattering: tuple[str, ...] = ()
    left_out: dict[str, str] = dataclasses.field(default_factory=dict)
    excused: tuple[int, ...] = ()
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    evidence: Evidence | None = None
    predictions: tuple[Predictions, ...] = ()

    @property
    def found_nothing(self) -> bool:
        """Whether it was looked for something to learn, with reference learners and a test, and nothing was found."""
        return not self.is_learnable and any(finding.cause == "no_signal" for finding in self.findings)

    def describe(self) -> str:
        """How the attempt ended, as a sentence."""
        if self.outcome is not None:
            return f"Repair found: {' + '.join(self.outcome.recipe.strategies)}. The repaired network is trained now."
        if self.is_false_alarm:
            return "False alarm: the network gets there by itself; its training goes on."
        return "No repair is proven; the training goes on as it is."


def too_few(data: TrainingData, *, is_finite: bool = True) -> Repair | None:
    """What ends an attempt at once: too few rows or steps to tell anything; None where there are enough.

    Args:
        data: The sample.
        is_finite: Whether the predictions are finite. Others are wrong after any step.
    """
    if data.n_training < MIN_ROWS:
        evidence = f"There are {data.n_training} rows; nothing can be proven with fewer than {MIN_ROWS}."
        return Repair(findings=(Finding("too_few_rows", 1.0, evidence),))
    if data.total_steps < MIN_TRAINING_STEPS and is_finite:
        steps = count(data.total_steps, "step")
        evidence = f"The training takes {steps}, too few to tell what it would come to: train for more epochs."
        return Repair(is_learnable=True, findings=(Finding("insufficient_training", 1.0, evidence),))
    return None


def nothing_first(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings, what says that there is nothing to learn before everything else that is wrong."""
    return tuple(sorted(findings, key=lambda finding: finding.cause != "no_signal"))


def samples_of(
    judge: Judge, records: Sequence[TrialRecord], chosen: Outcome | None, names: Sequence[str]
) -> tuple[Predictions, ...]:
    """Held-out predictions for the report: of the control arm, and of what was chosen or else came closest.

    Args:
        judge: Remembers what was run.
        records: The trials.
        chosen: The outcome of the smallest proven recipe, or None.
        names: Of the judged outputs.
    """
    control, source = judge.remembered(Recipe()), "fix"
    if chosen is None:
        best = best_of(record for record in records if record.rung > 0)
        chosen, source = (None if best is None else judge.remembered(best.recipe)), "best"
    shown = [(control, "control"), (chosen, source)]
    return tuple(sample for outcome, name in shown if outcome for sample in outcome.samples(name, names))


def trial_record(outcome: Outcome, rung: int, values: Values, status: str, seconds: float, note: str) -> TrialRecord:
    """The record of a trial with this outcome."""
    return TrialRecord(
        rung=rung,
        recipe=outcome.recipe,
        values=dict(values),
        skill=outcome.skill,
        skill_lower=outcome.skill_lower,
        skill_upper=outcome.skill_upper,
        spread=outcome.spread,
        seconds=seconds,
        status=status,
        note=note,
    )
