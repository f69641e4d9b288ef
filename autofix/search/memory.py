"""Whether the skill that a network has on the rows it was trained on can be anything but memory."""

from collections.abc import Iterable, Sequence

from autofix.report.numbers import count
from autofix.report.records import Finding, Reference
from autofix.scoring.assess import Assessment
from autofix.search.expectations import WEAK_SHARE
from autofix.search.trials import Outcome

RULED_OUT = 0.1
"""Skill that is ruled out where a finished training is said to have had nothing to learn."""

TELLING_ROWS = 28
"""In fewer rows even a strong dependence, a correlation of 0.5, is missed more often than one time in five. Source:
Cohen, Statistical Power Analysis for the Behavioral Sciences (1988), table 3.4.1."""


def is_ruled_out(references: Sequence[Reference]) -> bool:
    """Whether no reference learner can have more than little skill."""
    return all(reference.skill_upper <= RULED_OUT for reference in references)


def is_memory(seen: Sequence[Assessment], held_out: Sequence[Assessment]) -> bool:
    """Whether less than half of the skill that was seen on training rows can be there on others, of any output."""
    pairs = zip(seen, held_out, strict=True)
    return any(other.is_finite and other.skill_upper < WEAK_SHARE * own.skill for own, other in pairs)


def compare(seen: Sequence[Assessment], controls: Iterable[Outcome]) -> tuple[Outcome, bool]:
    """The control arm on as many held-out rows as it takes, and whether the skill that was seen is memory beside it.

    Args:
        seen: On training rows, output by output.
        controls: On more and more rows, run as they are asked for; at least one.
    """
    for control in controls:
        if is_memory(seen, control.heads):
            return control, True
    return control, False


def too_few_to_tell(n_training: int) -> tuple[Finding, ...]:
    """The finding that a dependence may be missed in so few training rows; none where there are enough."""
    if n_training >= TELLING_ROWS:
        return ()
    rows = count(n_training, "training row")
    return (
        Finding("too_few_rows", 1.0, f"There are {rows}; a dependence may be missed in fewer than {TELLING_ROWS}."),
    )
