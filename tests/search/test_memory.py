import math

import numpy as np
import pytest

from autofix.recipe import Recipe
from autofix.scoring.assess import Assessment
from autofix.search.held_out import HeadScore
from autofix.search.memory import TELLING_ROWS, compare, is_memory, too_few_to_tell
from autofix.search.trials import Outcome


def head(skill, upper):
    is_finite = math.isfinite(skill)
    return Assessment(100, 0.5, skill, skill - 0.1, upper, 1.0, 1.0, is_finite, False, "output")


@pytest.mark.parametrize(
    ("seen", "held_out", "expected"),
    [
        ([head(0.9, 0.95)], [head(-0.3, 0.1)], True),
        ([head(0.9, 0.95)], [head(-0.3, 0.6)], False),  # more than half of it may be there
        ([head(0.1, 0.2)], [head(0.0, 0.06)], False),
        ([head(0.9, 0.95)], [head(math.nan, math.nan)], False),  # says nothing
        ([head(0.9, 0.95), head(0.9, 0.95)], [head(0.8, 0.9), head(-0.3, 0.1)], True),
    ],
)
def test_memory_is_skill_that_cannot_be_there_on_other_rows(seen, held_out, expected):
    assert is_memory(seen, held_out) is expected


def control(skill, upper):
    nothing = np.zeros(0)
    return Outcome(Recipe(), (HeadScore(head(skill, upper), nothing, nothing, None),), 0.1)


@pytest.mark.parametrize(
    ("uppers", "n_asked", "expected"),
    [([0.1, 0.05], 1, True), ([0.6, 0.1], 2, True), ([0.6, 0.5], 2, False), ([0.6], 1, False)],
)
def test_the_control_arm_is_run_on_more_rows_until_it_shows_memory(uppers, n_asked, expected):
    asked = []

    def controls():
        for upper in uppers:
            asked.append(control(-0.1, upper))
            yield asked[-1]

    found, is_found = compare([head(0.9, 0.95)], controls())
    assert len(asked) == n_asked
    assert found is asked[-1]
    assert is_found is expected


def test_few_rows_are_said_to_tell_little():
    (finding,) = too_few_to_tell(TELLING_ROWS - 1)
    assert finding.cause == "too_few_rows"
    assert "27 training rows" in finding.evidence
    assert too_few_to_tell(TELLING_ROWS) == ()
