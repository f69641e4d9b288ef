"""Makes `docs/compatibility.md` of the cases: `python -m tests.compatibility.document`, or `make compatibility`."""

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from autofix.search.search_space import NOT_REGROUPED
from autofix.strategy import resolve_strategies
from tests.compatibility.case import Case
from tests.compatibility.measure import Row

PATH = Path(__file__).parents[2] / "docs" / "compatibility.md"

HEADINGS = {"input": "Inputs", "argument": "Arguments of fit", "model": "Models"}

INTRODUCTION = """\
# Compatibility

Made by `make compatibility`; the tests measure each row again, and fail where this page says something else.

Each program is trained in two versions. **Healthy**: at a good learning rate, by `model.fit` and by `autofix.fit`
under the same seed; "bit-identical" means the same weights, optimizer state, history and epochs, bit by bit.
**Collapsed**: changed so that `model.fit` ends with an output that is the same for every row or has no skill, in most
cases by a learning rate that is far too high; the verdict of `autofix.fit` on it, with the kinds of strategies that
cannot be used with such a program. A repaired model also saves, loads and predicts the same as before, where Keras can
save such a model at all.
"""

REASONS = """\
## Why strategies cannot be used

The report of each run says it, in `report.left_out`, and also which of the others found nothing to change.
"""

SURGERY, REGROUPING = "those that change layers", "those that regroup rows"


def line(case: Case, row: Row) -> str:
    """The case as a line of its table."""
    verdict = f"{row.verdict}: {case.why}" if case.why else row.verdict
    unused = " and ".join(sorted(kind for kind, _ in unusable(row))) or "none"
    return f"| {case.name} | {row.healthy} | {verdict} | {unused} |"


def unusable(row: Row) -> set[tuple[str, str]]:
    """The kinds of strategies that this kind of program rules out, whatever the evidence says, with the reasons."""
    strategies = {strategy.name: strategy for strategy in resolve_strategies(None)}
    found = set()
    for name, reason in row.left_out.items():
        if reason == NOT_REGROUPED:
            found.add((REGROUPING, reason))
        elif strategies[name].needs_surgery and "no layer can be put in" in reason:
            found.add((SURGERY, reason))
    return found


def reasons(rows: Iterable[Row]) -> list[str]:
    """A line for every kind of strategy that cannot be used, and every reason."""
    return sorted({f"- {kind}: {reason}" for row in rows for kind, reason in unusable(row)})


def page(measured: Sequence[tuple[Case, Row]]) -> str:
    """The document."""
    parts = [INTRODUCTION]
    for group, heading in HEADINGS.items():
        lines = [line(case, row) for case, row in measured if case.group == group]
        table = ["| case | healthy | collapsed | strategies that cannot be used |", "| --- | --- | --- | --- |", *lines]
        parts.append(f"## {heading}\n\n" + "\n".join(table) + "\n")
    parts.append(REASONS + "\n" + "\n".join(reasons(row for _, row in measured)) + "\n")
    return "\n".join(parts)


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from tests.compatibility.cases import CASES
    from tests.compatibility.measure import measure

    measured = []
    for case in CASES:
        row = measure(case)
        measured.append((case, row))
        print(line(case, row), file=sys.stderr, flush=True)
    PATH.write_text(page(measured), encoding="utf-8")


if __name__ == "__main__":
    main()
