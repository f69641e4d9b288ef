"""The summary of a run: one row a job, as data, as a table, as a page."""

import contextlib
import csv
import io
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autofix import atomic_files
from autofix.jobs.folder import Entry, RunFolder
from autofix.jobs.problems import one_line
from autofix.jobs.record import JobRecord, summary_row

if TYPE_CHECKING:
    from autofix.report import index

COLUMNS = ("job", "status", "cause", "fix", "skill", "spread", "seconds", "note")
"""Of a table, for people."""


def row(entry: Entry) -> dict[str, Any]:
    """All that is known of a job, as JSON values.

    Args:
        entry: The job as its run folder knows it.

    Example:

    >>> row(Entry("churn", "waiting", None, None))
    {'job': 'churn', 'status': 'waiting', 'seconds': None}
    """
    if entry.record is None:
        return {"job": entry.name, "status": entry.status, "seconds": entry.seconds}
    values = summary_row(entry.record)
    return {"job": values.pop("name"), **values}


def short_row(entry: Entry) -> dict[str, Any]:
    """What a table shows of a job: the columns are `COLUMNS`.

    Args:
        entry: The job as its run folder knows it.

    Example:

    >>> short_row(Entry("churn", "failed", JobRecord("churn", "", "failed", "crash", "it died"), 2.0))["note"]
    'crash: it died'
    """
    record = entry.record
    if record is None:
        return {**dict.fromkeys(COLUMNS), "job": entry.name, "status": entry.status, "seconds": _rounded(entry.seconds)}
    return {
        "job": record.name,
        "status": record.status,
        "cause": record.cause,
        "fix": " + ".join(record.strategies) or None,
        "skill": _rounded(record.skill, 3),
        "spread": _rounded(record.spread, 3),
        "seconds": _rounded(record.seconds),
        "note": note(record) or None,
    }


def note(record: JobRecord) -> str:
    """Why a job needs attention, or how its fix overrules what was asked for; empty where there is nothing to say."""
    if record.failure:
        return f"{record.failure}: {record.reason}"
    if not record.is_good:
        # The verdict stands beside it, and the report has the whole story.
        return record.reason.removeprefix(f"{record.status}: ").split(". ")[0].removesuffix(".")
    return " ".join(record.departures)


def as_csv(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    r"""Rows as CSV, what is None as nothing.

    Example:

    >>> as_csv([{"job": "churn", "skill": None}], ["job", "skill"])
    'job,skill\nchurn,\n'
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for one in rows:
        writer.writerow([one.get(name) for name in columns])
    return text.getvalue()


def as_json(rows: Sequence[dict[str, Any]]) -> str:
    """Rows as a JSON list."""
    return json.dumps(list(rows), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def is_worth_telling(entry: Entry) -> bool:
    """Whether there is more to say of a job than its row does: a fix as code, or the reason why it is not good."""
    return entry.record is not None and entry.record.status != "healthy"


def as_text(entries: Sequence[Entry]) -> str:
    """What each job came to, in paragraphs: the verdict, and the fix as code.

    Args:
        entries: The jobs as their run folder knows them.

    Example:

    >>> print(as_text([Entry("churn", "failed", JobRecord("churn", "", "failed", "crash", "it died"), 2.0)]))
    churn: failed, crash: it died
    <BLANKLINE>
    """
    stories = [[f"{entry.name}: {_verdict(entry)}", *_fix(entry)] for entry in entries]
    # Line by line: what jobs and their errors are called must not steer a terminal.
    return "\n\n".join("\n".join(map(one_line, story)) for story in stories) + "\n"


def _verdict(entry: Entry) -> str:
    record = entry.record
    if record is None or not record.reason:
        return entry.status
    # The headline of a report begins with the verdict.
    return f"{record.status}, {record.failure}: {record.reason}" if record.failure else record.reason


def _fix(entry: Entry) -> list[str]:
    return [] if entry.record is None else [f"    {line}" for line in entry.record.fix.splitlines()]


def write(folder: RunFolder) -> None:
    """Writes the summary of a run into its folder, as far as its jobs have ended.

    Args:
        folder: Of the run.

    Raises:
        OSError: The folder cannot be written to.
    """
    for name in ("summary.json", "summary.csv", "index.html"):
        save(folder, folder.path / name)


def save(folder: RunFolder, path: Path) -> None:
    """Writes the summary of a run to a file, whole or not at all.

    Args:
        folder: Of the run.
        path: Its suffix says the form: .json, .csv, .txt, or .html for the page.

    Raises:
        RunError: It is no run folder.
        OSError: The file cannot be written.
    """
    entries = folder.entries()
    if path.suffix == ".json":
        content = as_json([row(one) for one in entries])
    elif path.suffix == ".csv":
        content = as_csv([short_row(one) for one in entries], COLUMNS)
    elif path.suffix == ".txt":
        content = as_text(entries)
    else:
        content = as_page(folder, entries, path.parent)
    atomic_files.write(path, content)


def as_page(folder: RunFolder, entries: Sequence[Entry], home: Path) -> str:
    """All jobs on one page that links to their reports.

    Args:
        folder: Of the run.
        entries: The jobs.
        home: The folder that the page will lie in: links are relative to it.
    """
    from autofix.report import index  # only the page needs it, and it takes a while

    return index.render([_page_entry(folder, one, home) for one in entries], f"autofix: {folder.path.name}")


def _page_entry(folder: RunFolder, entry: Entry, home: Path) -> "index.Entry":
    """The job for the page: from its report, where it has one, else from what its record says."""
    from autofix.report import Report, index

    files = folder.job(entry.name)
    link = Path(os.path.relpath(files.page, home)).as_posix() if files.page.is_file() else ""
    record = entry.record
    if record is not None and record.status != "failed":
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            report = Report.from_json(files.report.read_text(encoding="utf-8"))
            return index.Entry.of(entry.name, report.record, link, note(record))
    seconds = math.nan if entry.seconds is None else entry.seconds
    return index.Entry(entry.name, entry.status, link, seconds=seconds, note=note(record) if record else "")


def _rounded(value: float | None, digits: int = 1) -> float | str | None:
    """A number for people. NaN has no place in JSON, but may stand in a table."""
    return value if value is None else round(value, digits)
