"""The page about a batch: a table of jobs with verdicts, causes and small pictures, linking to each report."""

import collections
import dataclasses
import math
import urllib.parse
from collections.abc import Sequence

from autofix.report import svg
from autofix.report.html import environment
from autofix.report.numbers import count
from autofix.report.records import VERDICTS, RunRecord

LOWEST_SKILL, HIGHEST_SKILL = -1.0, 1.0
"""Ends of the small pictures; skill below is drawn at the lower end."""

MOST_CAUSES = 3
"""Causes named in the table."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One job of a batch.

    Args:
        name: Of the job.
        verdict: As in `RunRecord`, or what has become of a job that left none, such as `"failed"`.
        link: To its report, relative to the page; empty for none.
        causes: Likeliest first; of a repaired one, those that the fix treats.
        fix: Names of the strategies in the fix.
        skill: Of the user's own training, at its last look; NaN where there was none.
        skill_after: With the fix; NaN unless repaired.
        seconds: Wall time; NaN where it is not known.
        skills: At the looks at the user's own training.
        skills_after: At those at the training with the fix.
        note: What else there is to say, such as an error.
    """

    name: str
    verdict: str
    link: str = ""
    causes: tuple[str, ...] = ()
    fix: tuple[str, ...] = ()
    skill: float = math.nan
    skill_after: float = math.nan
    seconds: float = math.nan
    skills: tuple[float, ...] = ()
    skills_after: tuple[float, ...] = ()
    note: str = ""

    @classmethod
    def of(cls, name: str, record: RunRecord, link: str = "", note: str = "") -> "Entry":
        """The entry of a job with a report.

        Args:
            name: Of the job.
            record: Of its run.
            link: As in the class.
            note: As in the class.
        """
        named = record.mattering or tuple(finding.cause for finding in record.findings)
        return cls(
            name,
            record.verdict,
            link,
            causes=() if record.verdict == "healthy" else named,
            fix=record.recipe.strategies,
            skill=_mean([head.skill for head in record.own.looks[-1].heads]) if record.own.looks else math.nan,
            skill_after=_mean([one.skill for one in record.after or ()]),
            seconds=record.seconds.get("total", math.nan),
            skills=tuple(_mean([head.skill for head in look.heads]) for look in record.own.looks),
            skills_after=tuple(
                _mean([head.skill for head in look.heads])
                for look in (record.repaired.looks if record.repaired is not None else ())
            ),
            note=note,
        )


def render(entries: Sequence[Entry], title: str = "autofix: batch") -> str:
    """The page. Reading it needs neither network nor script; a script of a few lines sorts the table.

    Args:
        entries: In the order of the table.
        title: Of the page.

    Example:

    >>> render([Entry("a", "healthy", skill=0.9)]).splitlines()[0]
    '<!DOCTYPE html>'
    """
    counts = collections.Counter(entry.verdict for entry in entries)
    known = [verdict for verdict in VERDICTS if verdict in counts]
    others = sorted(set(counts) - set(known))
    rows = [
        {
            "entry": entry,
            "href": f"./{urllib.parse.quote(entry.link)}",  # whatever it holds, it leads to a file beside the page
            "causes": entry.causes[:MOST_CAUSES],
            "n_more": len(entry.causes[MOST_CAUSES:]),
            "curves": _curves(entry),
        }
        for entry in entries
    ]
    return (
        environment()
        .get_template("index.html")
        .render(title=title, rows=rows, counts=[(one, counts[one]) for one in (*known, *others)], compact=False)
    )


def _curves(entry: Entry) -> str:
    """The skill while training, as a small picture; empty where there was no look."""
    own = "after" if entry.verdict == "healthy" else "before"
    curves = [(values, role) for values, role in ((entry.skills, own), (entry.skills_after, "after")) if values]
    words = f"skill at {count(len(entry.skills), 'look')} at the training"
    words += f", and at {count(len(entry.skills_after), 'look')} at that with the fix" if entry.skills_after else ""
    return svg.sparkline(curves, words, LOWEST_SKILL, HIGHEST_SKILL) if curves else ""


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
