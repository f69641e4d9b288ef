"""What is wrong with a job file, and where."""

import dataclasses
import difflib
import json
from collections.abc import Iterable
from typing import NamedTuple

MOST_SHOWN_CHARACTERS = 80
"""Of a wrong value: enough to find it by, and a message stays readable."""

MOST_NAMED = 40
"""Names that a message lists."""


class Mark(NamedTuple):
    """Where something was written.

    Args:
        source: Name of the file, or the option of the command line.
        line: From 1; 0 where there are no lines.
        column: From 1; 0 where there are no lines.
    """

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@dataclasses.dataclass(frozen=True, order=True)
class Problem:
    """One mistake.

    Args:
        mark: Where it was written.
        place: The keys that lead to it, `jobs.churn.fit.epochs`; empty for the file as a whole.
        message: What is wrong, what was expected, what to do.

    Example:

    >>> print(Problem(Mark("jobs.yaml", 7, 5), "jobs.churn.fit.epochs", "Expected at least 1. Received: 0."))
    jobs.yaml:7:5: jobs.churn.fit.epochs: Expected at least 1. Received: 0.
    """

    mark: Mark
    place: str
    message: str

    def __str__(self) -> str:
        return one_line(": ".join(part for part in (str(self.mark), self.place, self.message) if part))


def one_line(text: object) -> str:
    r"""The text with control characters as their escapes: what a file holds must not steer a terminal.

    Example:

    >>> one_line("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape", "surrogatepass").decode() for one in str(text)
    )


def shown(value: object) -> str:
    """A value as messages show it, cut off where it is long."""
    text = json.dumps(value) if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= MOST_SHOWN_CHARACTERS else f"{text[: MOST_SHOWN_CHARACTERS - 3]}..."


def near_miss(wrong: object, known: Iterable[str]) -> str:
    """`Did you mean 'epochs'?`; empty where nothing is near.

    Example:

    >>> near_miss("epoch", ["epochs", "batch_size"])
    "Did you mean 'epochs'?"
    """
    close = difflib.get_close_matches(str(wrong)[:MOST_SHOWN_CHARACTERS], list(known), n=1)
    return f"Did you mean {close[0]!r}?" if close else ""


def did_you_mean(wrong: object, known: Iterable[str]) -> str:
    """The nearest name as a question, or the list of what there is; empty where there is nothing.

    Example:

    >>> did_you_mean("zzz", ["epochs", "batch_size"])
    'Expected one of: batch_size, epochs.'
    """
    names = sorted(known)
    return near_miss(wrong, names) or (f"Expected one of: {', '.join(names[:MOST_NAMED])}." if names else "")
