"""The command: what it runs, resumes, summarises and refuses. The runs themselves are stand-ins."""

import json
import pathlib
import subprocess
import sys

import click
import pytest

from autofix.benchmarks import bench as command
from autofix.benchmarks import lines, measures, pictures, runs
from autofix.benchmarks.__main__ import main
from autofix.errors import ArgumentError

ROOT = pathlib.Path(__file__).parents[2]

FIGURES = {
    "kind": "bench",
    "family": "tabular",
    "expected": "repaired",
    "cause": "dead_units",
    "causes": [["dead_units"]],
    "fixes": [["revive_units"]],
    "planted": ["a bias"],
    "measured_on": {"python": "3.11"},
    "error": "",
    "skill": 0.9,
    "skill_lower": 0.8,
    "seconds": 2.0,
    "peak_mb": 900.0,
    "added_mb": 90.0,
    "cpu_s": 2.5,
    "drop": [0.0, 0.0, 0.0],
    "is_identical": False,
}
REPORTED = {
    "verdict": "repaired",
    "findings": [["dead_units", 0.9, ""]],
    "strategies": ["revive_units"],
    "n_trials": 3,
    "trials": [],
    "parts": {"final": 1.0},
}


def stand_ins(scenarios, arms, seeds, *, n_trials, workers, shard, in_turns):
    """In place of `runs.tasks`: calls that give back records made by hand."""
    found = []
    for number in range(4)[shard[0] - 1 :: shard[1]]:
        for arm, own in (("nothing", {"skill": 0.0}), ("hand", {}), ("autofix", REPORTED)):
            key = {"kind": "bench", "scenario": f"dead_units/{number}", "seed": 0, "arm": arm}
            found.append(lines.Task(key, dict, ({**FIGURES, **key, **own},)))
    return found


@pytest.fixture
def invoke(monkeypatch):
    """Calls the command with stand-ins for its runs; gives back its exit code."""
    monkeypatch.setattr(runs, "scenarios", lambda suite, names: [])
    monkeypatch.setattr(runs, "tasks", stand_ins)
    monkeypatch.setattr(command, "warm_up", int)
    return lambda *arguments: main(["bench", *(str(one) for one in arguments)])


def test_results_are_written_and_a_second_call_runs_nothing_again(invoke, tmp_path, capsys):
    assert invoke("--out", tmp_path) == 1  # of 4 runs the lower bound is below 93 %
    told = capsys.readouterr().err
    assert "[12/12, 0 min left]" in told
    assert "repaired by revive_units" in told
    records = lines.read(tmp_path / "records.jsonl")
    assert len(records) == 12
    assert "100 % [51, 100]" in (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert (tmp_path / "pictures" / "repaired.svg").exists()
    invoke("--out", tmp_path)
    assert "12 runs, 0 of them to do" in capsys.readouterr().err
    assert lines.read(tmp_path / "records.jsonl") == records


def test_shards_are_summarised_together(invoke, tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "draw", lambda results, folder: [])
    for part in (1, 2):
        invoke("--out", tmp_path, "--shard", f"{part}/2")
    assert sorted(path.name for path in tmp_path.glob("*.jsonl")) == ["records-1-of-2.jsonl", "records-2-of-2.jsonl"]
    page = tmp_path / "elsewhere" / "PAGE.md"
    invoke("--summarise", tmp_path, "--markdown", page)
    assert page.read_text(encoding="utf-8").splitlines()[2].startswith("12 runs on 4 scenarios")


def test_the_page_names_the_commands_that_made_it(invoke, tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "draw", lambda results, folder: [])
    monkeypatch.setattr(sys, "argv", ["autofix", "bench", "--out", "here", "--scenario", "dead units"])
    invoke("--out", tmp_path)
    invoke("--out", tmp_path)
    text = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert text.count("autofix bench --out here --scenario 'dead units'") == 1


@pytest.mark.parametrize("shard", ["0/2", "3/2", "2", "a/b", "1/0", "-1/2"])
def test_a_shard_that_is_none_is_refused(shard):
    with pytest.raises(click.BadParameter, match="i from 1 to n"):
        command.shard_of(None, None, shard)


def test_wrong_names_end_the_command_before_anything_runs(tmp_path, capsys):
    assert main(["bench", "--arms", "nothing,autofixx", "--out", str(tmp_path)]) == 2
    assert "Unknown arm" in capsys.readouterr().err
    with pytest.raises(ArgumentError, match="autofixx"):
        runs.arms(["autofixx"])


def test_a_folder_without_records_is_refused(tmp_path, capsys):
    assert main(["bench", "--summarise", str(tmp_path)]) == 2
    assert "nothing to summarise" in capsys.readouterr().err


def test_help_loads_neither_keras_nor_scipy():
    code = (
        "import sys; from autofix.benchmarks.bench import bench; bench.main(['--help'], standalone_mode=False); "
        "sys.exit(any(name in sys.modules for name in ('keras', 'tensorflow', 'scipy', 'sklearn', 'matplotlib')))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "--shard" in run.stdout


def test_the_documentation_names_every_arm_and_option():
    text = (ROOT / "docs" / "benchmark.md").read_text(encoding="utf-8")
    for arm in measures.TITLES:
        assert f"| `{arm}` |" in text
    for option in ("--suite", "--scenario", "--summarise", "--shard", "--markdown", "--out", "--list"):
        assert f"`{option}" in text or f" {option} " in text
        assert option in [name for one in command.bench.params for name in one.opts]


@pytest.mark.sweep
def test_a_real_run_ends_with_every_figure(tmp_path):
    arguments = ["--scenario", "frozen_weights/line,healthy/digits", "--out", str(tmp_path)]
    call = [sys.executable, "-m", "autofix.benchmarks", "bench", *arguments]
    run = subprocess.run(call, capture_output=True, text=True, check=False)
    assert run.returncode in (0, 1), run.stderr
    records = lines.read(tmp_path / "records.jsonl")
    assert {record["arm"] for record in records} == set(command.CHEAP_ARMS)
    assert not [record["error"] for record in records if record["error"]]
    json.dumps(records, allow_nan=False)
    assert "frozen_weights" in (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
