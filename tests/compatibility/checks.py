"""What the tests of all cases ask: that a case ends as expected, and that the document says so."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.compatibility import document
from tests.compatibility.case import Case
from tests.compatibility.measure import BIT_IDENTICAL, SAVES, measure

EACH_OF_ALL = 6
"""Of every list of cases one of so many is trained by `make test`, the others by `make sweep`."""


def each(cases: Sequence[Case]) -> Callable[[Any], Any]:
    """Parametrises a test with cases, most of which are left to the sweep."""
    marked = [
        pytest.param(case, id=case.name, marks=[pytest.mark.slow] * case.is_slow + [pytest.mark.sweep] * bool(place))
        for case, place in zip(cases, itertools.cycle(range(EACH_OF_ALL)), strict=False)
    ]
    return pytest.mark.parametrize("case", marked)


def check(case: Case) -> None:
    """Trains a case, and compares what comes of it with what is expected and documented."""
    # That Keras' own training of the collapsed version collapses is what `make compatibility` sees to.
    row = measure(case, shows_collapse=False)
    assert row.healthy == BIT_IDENTICAL
    assert row.verdict == case.expected, row
    assert bool(row.fix) == (row.verdict == "repaired")
    assert not [note for note in row.notes if "failed" in note]
    assert row.saved == SAVES or row.saved.startswith("Keras itself cannot")
    documented = document.PATH.read_text(encoding="utf-8").splitlines()
    assert document.line(case, row) in documented, "`make compatibility` brings the document up to date"
    assert set(document.reasons([row])) <= set(documented)
