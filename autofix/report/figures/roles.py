"""What marks stand for, which decides their colour and their words."""

from autofix.report.records import RunRecord

TITLES = {
    "control": "Your program, unchanged",
    "fix": "With the fix",
    "best": "Best trial, not proven",
    "look": "As it was trained",
}
"""What predictions are called, by their source."""


def own_role(record: RunRecord) -> str:
    """The role of the user's own training: where it is healthy it has the colour of what works."""
    return "after" if record.verdict == "healthy" else "before"


def role_of(record: RunRecord, source: str) -> str:
    """The role of predictions, by their source."""
    return {"fix": "after", "best": "other"}.get(source) or own_role(record)
