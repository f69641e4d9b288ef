"""Summaries: the same figures as table, data and page, whatever jobs are called and however they ended."""

import csv
import json
import math

import pytest

from autofix.jobs import summary
from autofix.jobs.folder import Entry, RunFolder, records
from autofix.jobs.record import JobRecord, tally
from autofix.report import Report
from autofix.report.records import RunRecord

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def folder(tmp_path):
    """A run of four jobs: healthy, diverged, failed, and one that has not begun."""
    folder = RunFolder(tmp_path / "runs" / "jobs")
    ended = [
        JobRecord("fine & well", "1", "healthy", skill=0.9, spread=0.95, metrics={"loss": 0.1}, seconds=1.25),
        JobRecord("diverged", "2", "unrepaired", reason="unrepaired: nothing helped. More.", skill=math.nan),
        JobRecord("lost", "3", "failed", "crash", HOSTILE),
    ]
    folder.begin("jobs.yaml", {**{record.name: record.content_hash for record in ended}, "later": "4"})
    for record in ended:
        folder.job(record.name).path.mkdir()
        folder.job(record.name).end(record)
    folder.job("fine & well").report.write_text(Report(RunRecord("healthy")).to_json())
    folder.job("fine & well").page.write_text("<!DOCTYPE html>")
    return folder


def test_records_are_those_of_jobs_that_ended(folder):
    found = records(folder.path)
    assert [record.name for record in found] == ["fine & well", "diverged", "lost"]
    assert math.isnan(found[1].skill)
    assert tally(entry.status for entry in folder.entries()) == "4 jobs: 1 healthy, 1 unrepaired, 1 failed, 1 waiting"


def test_data_and_tables_show_the_same(folder):
    summary.write(folder)
    data = json.loads((folder.path / "summary.json").read_text(), parse_constant=pytest.fail)
    with (folder.path / "summary.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert tuple(table[0]) == summary.COLUMNS
    for one, row in zip(data, table, strict=True):
        assert (one["job"], one["status"]) == (row["job"], row["status"])
    assert (data[0]["skill"], table[0]["skill"]) == (0.9, "0.9")
    assert (data[1]["skill"], table[1]["skill"]) == ("NaN", "nan")
    assert table[1]["note"] == "nothing helped"
    assert table[2]["note"] == f"crash: {HOSTILE}"


def test_the_text_has_every_job(folder):
    assert summary.as_text(folder.entries()).split("\n\n") == [
        "fine & well: healthy",
        "diverged: unrepaired: nothing helped. More.",
        f"lost: failed, crash: {HOSTILE}",
        "later: waiting\n",
    ]


def test_what_jobs_say_does_not_steer_a_terminal():
    record = JobRecord("a", "", "failed", "error", "no \x1b[31mcolumn\n\x1b[2J")
    text = summary.as_text([Entry("a", "failed", record, 1.0)])
    assert text == "a: failed, error: no \\x1b[31mcolumn\\n\\x1b[2J\n"


def test_the_page_links_to_reports_and_escapes_what_jobs_say(folder, tmp_path):
    summary.save(folder, tmp_path / "index.html")
    page = (tmp_path / "index.html").read_text()
    assert "fine &amp; well" in page
    assert "runs/jobs/fine%20%26%20well/report.html" in page
    assert "<img" not in page
    assert "&lt;img" in page
    assert all(entry.status in page for entry in folder.entries())


def test_an_entry_that_never_began_has_no_figures():
    row = summary.short_row(Entry("later", "waiting", None, None))
    assert {key for key, value in row.items() if value is not None} == {"job", "status"}


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"name": "a"}', '{"name": "a", "metrics": 3}'])
def test_what_is_no_record_is_told_apart(text, tmp_path):
    with pytest.raises(ValueError, match=r"Expecting value|Not the record of a job"):
        JobRecord.from_json(text)
    folder = RunFolder(tmp_path)
    folder.job("a").path.mkdir()
    folder.job("a").record_file.write_text(text)
    assert folder.job("a").record() is None
