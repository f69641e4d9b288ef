import math

import pytest

from autofix.scoring.assess import Assessment
from autofix.search.memory import TELLING_ROWS, is_memory, too_few_to_tell


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


def test_few_rows_are_said_to_tell_little():
    (finding,) = too_few_to_tell(TELLING_ROWS - 1)
    assert finding.cause == "too_few_rows"
    assert "27 training rows" in finding.evidence
    assert too_few_to_tell(TELLING_ROWS) == ()
