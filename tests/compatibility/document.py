"""Makes `docs/compatibility.md` of the cases: `python -m tests.compatibility.document`, or `make compatibility`."""

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

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
cases by a learning rate that is far too high; the verdict of `autofix.fit` on it, with the strategies that it left
out. A repaired model also saves, loads and predicts the same as before, where Keras can save such a model at all.
"""

REASONS = """\
## Why strategies are left out

The report of each run says it, in `report.left_out`.
"""


def line(case: Case, row: Row) -> str:
    """The case as a line of its table."""
    verdict = f"{row.verdict}: {case.why}" if case.why else row.verdict
    left_out = ", ".join(f"`{name}`" for name in sorted(row.left_out)) or "none"
    return f"| {case.name} | {row.healthy} | {verdict} | {left_out} |"


def reasons(rows: Iterable[Row]) -> list[str]:
    """A line for every strategy that was left out, and every reason."""
    return sorted({f"- `{name}`: {reason}" for row in rows for name, reason in row.left_out.items()})


def page(measured: Sequence[tuple[Case, Row]]) -> str:
    """The document."""
    parts = [INTRODUCTION]
    for group, heading in HEADINGS.items():
        lines = [line(case, row) for case, row in measured if case.group == group]
        table = ["| case | healthy | collapsed | strategies left out |", "| --- | --- | --- | --- |", *lines]
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
