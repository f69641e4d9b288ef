"""Every case: its healthy version ends as under Keras, its collapsed one as expected."""

import pytest

from tests.compatibility import model_kinds
from tests.compatibility.measure import BIT_IDENTICAL, SAVES, measure

CASES = {f"{case.group}: {case.name}": case for case in model_kinds.CASES}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * case.is_slow) for name, case in CASES.items()]
)
def test_what_fit_makes_of_it(name):
    case = CASES[name]
    row = measure(case)
    assert row.healthy == BIT_IDENTICAL
    assert row.verdict == case.expected, row
    assert bool(row.fix) == (row.verdict == "repaired")
    assert not [note for note in row.notes if "failed" in note]
    assert row.saved == SAVES or row.saved.startswith("Keras itself cannot")
