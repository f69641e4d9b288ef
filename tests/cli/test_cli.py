"""The command line: what it imports when, where it writes, and what it returns."""

import csv
import io
import json
import os
import subprocess
import sys
import time
import warnings
import zipfile

import pytest

from autofix.cli import COMMANDS, conventions, main
from autofix.errors import JobFileError

HEAVY = ("keras", "tensorflow", "pydantic", "pyarrow", "rich", "numpy", "sklearn")

LIMIT_S = 0.5
"""In which help and the refusal of a file that is no YAML are to answer."""

PATIENCE = 6
"""Times that limit for this test, which shares its machine with others; the best of three counts."""


def in_a_new_process(arguments, cwd):
    """What `python -m autofix` gives, and the modules that it imported."""
    program = (
        "import sys\nfrom autofix.cli import main\ncode = main(sys.argv[1:])\n"
        f"print('imported:', *[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\nsys.exit(code)"
    )
    return subprocess.run([sys.executable, "-c", program, *arguments], cwd=cwd, capture_output=True, text=True)


@pytest.fixture(autouse=True)
def found_from_anywhere(monkeypatch):
    """The package is that of this checkout in new processes too."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"], ["check", "--help"], ["nonsense"]])
def test_help_imports_nothing_heavy(arguments, tmp_path):
    found = in_a_new_process(arguments, tmp_path)
    assert found.returncode == (2 if arguments == ["nonsense"] else 0)
    assert found.stderr.splitlines()[-1] == "imported:"


def test_a_file_with_errors_is_refused_without_keras(tmp_path):
    (tmp_path / "syntax.yaml").write_text("jobs: [")
    (tmp_path / "keys.yaml").write_text("version: 1\njobs: {a: {modle: m.keras}}")
    for name in ("syntax", "keys"):
        found = in_a_new_process(["check", f"{name}.yaml"], tmp_path)
        assert found.returncode == 2
        assert found.stdout == ""
        assert found.stderr.startswith(f"{name}.yaml:")
        assert not {"keras", "tensorflow", "numpy", "pyarrow"} & set(found.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [["--help"], ["check", "syntax.yaml"]])
def test_help_and_a_syntax_error_answer_at_once(arguments, tmp_path):
    (tmp_path / "syntax.yaml").write_text("jobs: [")
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        command = [sys.executable, "-m", "autofix", *arguments]
        found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        seconds.append(time.perf_counter() - started)
        assert (found.stdout or found.stderr).startswith(("Usage: autofix", "syntax.yaml:1:8: This is no YAML"))
    assert min(seconds) < PATIENCE * LIMIT_S


def test_every_command_is_in_the_help_and_can_be_loaded(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name in COMMANDS:
        assert f"  {name} " in shown


def test_a_mistyped_command_or_option_is_told_on_stderr_with_code_2(capsys):
    assert main(["chek"]) == 2
    assert main(["check", "--formt", "csv"]) == 2
    assert main([]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "Did you mean 'check'?" in told.err
    assert "--format" in told.err


@pytest.fixture
def job_folder(tmp_path, monkeypatch):
    """Two jobs that are right as far as is known without Keras."""
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as file:
        file.writestr("config.json", "{}")
    (tmp_path / "a.csv").write_text("size,t\n1,2\n")
    (tmp_path / "jobs.yaml").write_text(
        "version: 1\ndefaults: {model: m.keras, data: {train: a.csv, target: t}}\njobs: {a: {}, b: {seed: 3}}\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


CHECK = ["check", "jobs.yaml", "--without-keras"]


def test_results_go_to_stdout_in_each_form_and_the_rest_to_stderr(job_folder, capsys):
    told = {}
    for form in conventions.FORMATS:
        assert main([*CHECK, "--format", form]) == 0
        told[form] = capsys.readouterr()
    assert [row["job"] for row in json.loads(told["json"].out)] == ["a", "b"]
    assert [json.loads(line)["job"] for line in told["jsonl"].out.splitlines()] == ["a", "b"]
    assert [row["job"] for row in csv.DictReader(io.StringIO(told["csv"].out))] == ["a", "b"]
    assert told["table"].out.split()[:2] == ["job", "model"]
    assert all(one.err == "2 jobs, no problems found\n" for one in told.values())


def test_a_table_in_a_pipe_is_as_wide_as_it_needs_to_be_and_has_no_colours(capsys):
    conventions.emit([{"job": "x" * 300, "verdict": "\x1b[31mred", "skill": 0.123456}], "table")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "x" * 300 in lines[2]
    assert "\\x1b[31mred" in lines[2]
    assert "0.123" in lines[2]


def test_quiet_says_problems_only_and_the_log_has_all(job_folder, capsys):
    assert main([*CHECK, "-q", "--log-file", "log.txt"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["check", "absent.yaml", "-q", "--log-file", "log.txt"]) == 2
    assert "absent.yaml" in capsys.readouterr().err
    logged = (job_folder / "log.txt").read_text().splitlines()
    assert logged[0].endswith("INFO 2 jobs, no problems found")
    assert "ERROR" in logged[-1]
    assert main([*CHECK, "--log-file", "absent/log.txt"]) == 2


def test_problems_are_told_a_line_each_with_their_count(job_folder, capsys):
    assert main([*CHECK, "--set", "jobs.a.fit.epoch=1", "--set", "jobs.b.fit.epochs=0"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[-1] == "error: 2 problems in the job file"


def test_a_run_folder_that_cannot_be_made_is_told(job_folder, capsys):
    assert main([*CHECK, "--runs", "a.csv/runs"]) == 2
    assert "--runs a.csv/runs: Expected a folder" in capsys.readouterr().err


def failing(error):
    def read(*args, **kwargs):
        raise error

    return read


def test_an_error_of_autofix_itself_is_one_line_and_its_traceback_comes_with_debug(job_folder, capsys, monkeypatch):
    monkeypatch.setattr("autofix.jobs.reading.read", failing(ZeroDivisionError("first\nsecond")))
    assert main(CHECK) == 1
    assert capsys.readouterr().err == "error: ZeroDivisionError: first (--debug shows where)\n"
    assert main([*CHECK, "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_warning_is_one_line_on_stderr(job_folder, capsys, monkeypatch):
    def read(*args):
        warnings.warn("look\nout", UserWarning, stacklevel=1)
        raise JobFileError

    monkeypatch.setattr("autofix.jobs.reading.read", read)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert main(CHECK) == 2
    assert capsys.readouterr().err.splitlines()[0] == r"warning: look\nout"


def test_an_interrupt_is_told_with_code_130(job_folder, capsys, monkeypatch):
    monkeypatch.setattr("autofix.jobs.reading.read", failing(KeyboardInterrupt()))
    assert main(CHECK) == 130
    assert capsys.readouterr().err.strip() == "interrupted"


def test_a_reader_that_has_enough_is_no_error(job_folder):
    rows = "\n".join(f"  j{i}: {{}}" for i in range(3000))
    (job_folder / "many.yaml").write_text(
        f"version: 1\ndefaults: {{model: m.keras, data: {{train: a.csv, target: t}}}}\njobs:\n{rows}\n"
    )
    command = f"{sys.executable} -m autofix check many.yaml --without-keras --format csv | head -1"
    found = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert found.stdout.startswith("job,model")
    assert "Traceback" not in found.stderr
    assert "Broken" not in found.stderr


def test_the_schema_is_printed_without_a_file(capsys):
    assert main(["check", "--schema"]) == 0
    assert "jobs" in json.loads(capsys.readouterr().out)["properties"]
