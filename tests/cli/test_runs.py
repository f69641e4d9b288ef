"""`autofix run`, `status` and `report`: what goes where, and what is returned. Jobs are plain functions here."""

import csv
import io
import json

import pytest

from autofix.cli import main
from autofix.jobs import running

DOES = {
    "fine": {"do": "echo", "value": 0},
    "fixed": {"do": "echo", "value": 0, "status": "repaired"},
    "bad\u202e": {"do": "raise_error", "value": "no \x1b[31mcolumn"},
}


@pytest.fixture
def job_file(tmp_path, monkeypatch):
    """Writes a job file whose jobs do what is said."""
    monkeypatch.setattr(running, "FUNCTION", "tests.jobs.plain:job")
    monkeypatch.setattr(running, "WARM_UP", "")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "code.py").write_text("def model(**arguments): pass\ndef rows(): pass\n")

    def write(**jobs):
        values = {
            name: {"model": {"function": "code.py:model", "arguments": does}, "data": {"train": "code.py:rows"}}
            for name, does in jobs.items()
        }
        path = tmp_path / "jobs.yaml"
        path.write_text(json.dumps({"version": 1, "jobs": values}))
        return path

    return write


def run(*arguments):
    return main(["run", "jobs.yaml", "--allow-code", *arguments])


def test_results_go_to_stdout_and_all_else_to_stderr(job_file, capsys):
    job_file(fine=DOES["fine"], fixed=DOES["fixed"])
    assert run("--format", "json") == 0
    out, err = capsys.readouterr()
    assert [(one["job"], one["status"]) for one in json.loads(out)] == [("fine", "healthy"), ("fixed", "repaired")]
    lines = err.splitlines()
    assert lines[0].startswith("fine: healthy")
    assert lines[1].startswith("fixed: repaired")
    assert lines[2] == "2 jobs: 1 healthy, 1 repaired"

    assert run("--format", "csv") == 0
    out, err = capsys.readouterr()
    assert [row["status"] for row in csv.DictReader(io.StringIO(out))] == ["healthy", "repaired"]
    assert err.splitlines() == ["2 of 2 jobs have ended before", "2 jobs: 1 healthy, 1 repaired"]

    assert run("-q") == 0
    out, err = capsys.readouterr()
    assert "fixed   repaired" in out
    assert err == ""


def test_one_failure_is_exit_code_1(job_file, capsys):
    job_file(fine=DOES["fine"], bad={"do": "raise_error", "value": "no \x1b[31mcolumn"})
    assert run("--format", "jsonl") == 1
    out, err = capsys.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]
    assert (rows[1]["failure"], rows[1]["reason"]) == ("error", "ValueError: no \x1b[31mcolumn")
    assert "\x1b" not in err
    assert "bad: failed" in err
    assert err.splitlines()[-1] == "2 jobs: 1 healthy, 1 failed"


def test_status_and_report_read_what_a_run_left(job_file, capsys):
    job_file(fine=DOES["fine"], fixed=DOES["fixed"])
    assert run("-q", "--shard", "1/2") == 0
    capsys.readouterr()
    assert main(["status", "runs/jobs", "--format", "json"]) == 0
    out, err = capsys.readouterr()
    assert [(one["job"], one["status"]) for one in json.loads(out)] == [("fine", "healthy"), ("fixed", "waiting")]
    assert err == "2 jobs: 1 healthy, 1 waiting\n"
    assert main(["report", "runs/jobs", "-q"]) == 1
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()[2:]] == [
        ["fine", "healthy"],
        ["fixed", "waiting"],
    ]
    for suffix in ("json", "csv", "txt"):
        assert main(["report", "runs/jobs", "-o", f"all.{suffix}"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    with open("all.json") as file:
        assert [one["status"] for one in json.load(file)] == ["healthy", "waiting"]
    with open("all.csv") as file:
        assert [one["status"] for one in csv.DictReader(file)] == ["healthy", "waiting"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "jobs.yaml"], "--allow-code"),
        (["run", "jobs.yaml", "--shard", "3/2"], "such as 2/8"),
        (["run", "jobs.yaml", "--shard", "0/2"], "such as 2/8"),
        (["run", "jobs.yaml", "--address", "auto"], "--engine ray"),
        (["run", "nowhere.yaml"], "nowhere.yaml"),
        (["run", "jobs.yaml", "-j", "0"], "-j"),
        (["status", "nowhere"], "This is no run folder"),
        (["report", "nowhere"], "This is no run folder"),
        (["report", "runs/jobs", "-o", "all.docx"], "all.docx"),
    ],
)
def test_mistakes_are_exit_code_2_and_start_nothing(job_file, capsys, arguments, words):
    job_file(fine=DOES["fine"])
    if "runs/jobs" in arguments:
        run("-q")
    capsys.readouterr()
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err


def test_a_folder_in_use_is_told_in_a_line(job_file, capsys, tmp_path):
    from autofix.jobs.folder import RunFolder
    from autofix.jobs.lock import RunLock

    job_file(fine=DOES["fine"])
    with RunLock(RunFolder(tmp_path / "runs" / "jobs").locks):
        assert run() == 2
    assert "Another run works on these jobs" in capsys.readouterr().err


def test_fail_fast_leaves_the_rest(job_file, capsys):
    job_file(bad={"do": "raise_error", "value": "x"}, fine=DOES["fine"])
    assert run("--fail-fast") == 1
    assert capsys.readouterr().err.splitlines()[-1] == "2 jobs: 1 failed, 1 waiting"
    assert run("--retry-failed", "--retries", "1") == 1
    assert capsys.readouterr().err.splitlines()[-1] == "2 jobs: 1 healthy, 1 failed"


def test_a_terminal_gets_a_bar_and_a_line_a_job(job_file, tmp_path):
    import os
    import pty
    import sys

    from tests.jobs import kills

    job_file(fine=DOES["fine"], bad={"do": "raise_error", "value": "x"})
    program = (
        "from autofix.jobs import running\nfrom autofix.cli import main\nimport sys\n"
        "running.FUNCTION, running.WARM_UP = 'tests.jobs.plain:job', ''\n"
        "if __name__ == '__main__': sys.exit(main(sys.argv[1:]))\n"
    )
    script = tmp_path / "script.py"
    script.write_text(program)
    ours, theirs = pty.openpty()
    command = [sys.executable, str(script), "run", "jobs.yaml", "--allow-code", "--format", "json"]
    import subprocess

    environment = {**kills.ENVIRONMENT, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    seen = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        seen += part
        if not part:
            break
    os.close(ours)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert len(json.loads(out)) == 2
    text = seen.decode()
    assert "0/2" in text
    assert "fine: healthy" in text
    assert "bad: failed" in text
    assert "2 jobs: 1 healthy, 1 failed" in text
