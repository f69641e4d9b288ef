"""What marks stand for, which decides their colour and their words."""

from autofix.report.records import RunRecord


def own_role(record: RunRecord) -> str:
    """The role of the user's own training: where it is healthy it has the colour of what works."""
    return "after" if record.verdict == "healthy" else "before"


def role_of(record: RunRecord, source: str) -> str:
    """The role of predictions, by their source."""
    if source in ("fix", "best"):
        return "after" if record.verdict == "repaired" else "other"
    return own_role(record)


def title_of(record: RunRecord, source: str) -> str:
    """What predictions are called, by their source."""
    if source == "fix":
        return "With the fix" if record.verdict == "repaired" else "Fix that did not hold"
    return {"control": "Your program, unchanged", "best": "Best trial", "look": "As it was trained"}[source]


def legend_of(record: RunRecord) -> tuple[tuple[str, str], ...]:
    """The roles of the predictions that are drawn, with what they are called."""
    sources = dict.fromkeys(sample.source for sample in record.predictions)
    return tuple((role_of(record, source), title_of(record, source)) for source in sources)
