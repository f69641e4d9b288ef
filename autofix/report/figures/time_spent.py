"""Where the time went."""

from autofix.report.figures.marks import Axis, Mark, Picture, Row, Rows
from autofix.report.records import RunRecord

PARTS = {
    "looks": "looking at your training",
    "watch": "your training, until it looked wrong",
    "references": "reference learners",
    "evidence": "measuring the network",
    "trials": "trials",
    "minimize": "finding the smallest fix",
    "final": "the training with the fix",
}
"""What the parts of `RunRecord.seconds` are."""


def draw(record: RunRecord) -> Picture | None:
    """The figure, or None where nothing but the total is known."""
    parts = {name: value for name, value in record.seconds.items() if name != "total" and value > 0.0}
    if not parts or "total" not in record.seconds:
        return None
    total = record.seconds["total"]
    rows = [
        Row(PARTS.get(name, name), f"{seconds:.2f} s", (Mark(seconds, _role(name), 0.0, is_bar=True),))
        for name, seconds in parts.items()
    ]
    title = f"{total:.2f} s in all"
    axis = Axis("seconds", 0.0, max(parts.values()))
    caption = "What takes no part of its own, such as Keras' work before the first step, is in the total alone."
    return Picture("time", "Time spent", caption, (Rows(title, "", axis, tuple(rows)),))


def _role(name: str) -> str:
    return {"watch": "before", "looks": "before", "final": "after"}.get(name, "other")
