"""Runs survive the death of the run and of its workers: the same command again comes to the same results."""

import json
import math
import os
import signal
import time

import pytest

from autofix.jobs.folder import RunFolder
from tests.jobs import kills

N_JOBS = 12

MODELS = """
import keras


def build(rate, n_features):
    layers = [keras.Input((n_features,)), keras.layers.Dense(10, activation="relu"), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="mse")
    return model
"""

ROWS = """
import numpy as np


def plane(seed, noise=0.1):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.0, 1.0, size=(160, 2))
    return x, 2.0 * x[:, 0] + 3.0 * x[:, 1] + rng.normal(0.0, noise, size=160)


def noise(seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(160, 2)), rng.normal(size=160)
"""

# The search is bounded by trials, not by time: how far it gets must not depend on the machine.
DEFAULTS = """
version: 1
defaults:
  model: {function: "models.py:build", arguments: {rate: 0.03}}
  data: {test: 0.2}
  fit: {epochs: 40, batch_size: 16}
  autofix: {strategies: [lower_learning_rate], max_trials: 4, budget_s: 600.0}
"""


def job(name, rate=0.03, rows="plane", seed=0):
    return (
        f"  {name}:\n    seed: {seed}\n"
        f"    model: {{function: 'models.py:build', arguments: {{rate: {rate}}}}}\n"
        f"    data: {{train: {{function: 'rows.py:{rows}'}}}}\n"
    )


def write_jobs(folder, *jobs):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "models.py").write_text(MODELS)
    (folder / "rows.py").write_text(ROWS)
    (folder / "jobs.yaml").write_text(DEFAULTS + "jobs:\n" + "".join(jobs))
    return folder / "jobs.yaml"


def command(path, runs, n_workers):
    options = ["--runs", str(runs), "-j", str(n_workers), "--allow-code", "--format", "json"]
    return kills.python("-m", "autofix", "run", str(path), *options)


def same(first, second):
    """Whether two records tell of the same training, but for the last digits: those depend on the machine's load."""
    assert (first.status, first.cause, first.strategies) == (second.status, second.cause, second.strategies)
    assert first.metrics.keys() == second.metrics.keys()
    for name, value in first.metrics.items():
        assert math.isclose(value, second.metrics[name], rel_tol=1e-3, abs_tol=1e-4), (first.name, name)


MOST_ROUNDS_A_KILL = 10
"""Folders of jobs for each kill: on a fast machine most are through before the moment of theirs comes."""


@pytest.mark.parametrize("n_kills", [4, pytest.param(60, marks=pytest.mark.sweep)])
def test_jobs_of_plain_functions_survive_kills(tmp_path, n_kills):
    killed, log = [], tmp_path / "log"
    # As many runs as it takes: one that is through before its time comes is not killed.
    for seed in range(MOST_ROUNDS_A_KILL * n_kills):
        home = tmp_path / str(seed)
        folder = RunFolder(home / "run")
        run = kills.python("-m", "tests.jobs.plain_run", str(home), str(N_JOBS))
        rest, before = n_kills - len(killed), len(killed)
        found = kills.survive(run, folder, N_JOBS, longest_s=1.5, n_kills=rest, seed=seed, log=log, n_before=before)
        killed += [who for who in found if who != "nobody"]
        for name, content_hash in folder.jobs().items():
            assert folder.job(name).record().content_hash == content_hash
            completions = folder.job(name).path / "completions"  # none of one that was killed after its record
            assert not completions.exists() or len(completions.read_text().split()) == 1
        assert kills.leftovers(folder) == []
        if len(killed) >= n_kills:
            break
    assert {"run", "worker"} <= set(killed)


def test_a_training_that_was_killed_with_its_run_goes_on_and_ends_as_if_nothing_had_been(tmp_path):
    jobs = [job("quick"), job("killed", rate=1.0), job("twin", rate=1.0)]
    path = write_jobs(tmp_path / "home", *jobs)
    run, folder, log = command(path, tmp_path / "runs", 1), RunFolder(tmp_path / "runs" / "jobs"), tmp_path / "log"
    first = kills.start(run, log)
    trials = folder.job("killed").trials
    kills.until(lambda: list(trials.rglob("trial_*1/trial.json")) or first.poll() is not None, 120.0)
    workers = kills.workers_of(first.pid)
    first.kill()
    first.wait()
    kills.until(lambda: not any(one.is_running() and one.status() != "zombie" for one in workers))
    assert [entry.status for entry in folder.entries()] == ["healthy", "interrupted", "waiting"], log.read_text()
    quick = folder.job("quick").record_file.read_text()

    second = kills.start(run, log)
    assert second.wait(timeout=240) == 0, log.read_text()
    assert folder.job("quick").record_file.read_text() == quick
    killed, twin = (folder.job(name).record() for name in ("killed", "twin"))
    assert killed.status == "repaired"
    assert (killed.attempts, twin.attempts) == (2, 1)
    same(killed, twin)
    kills.check_files(folder)
    assert kills.leftovers(folder) == []
    # The first trials were not run again: they lie there as they were, from before the kill.
    assert len(list(trials.rglob("trial.json"))) == len(list(folder.job("twin").trials.rglob("trial.json")))


def twelve_jobs():
    healthy = [job(f"healthy-{seed}", seed=seed) for seed in range(7)]
    broken = [job(f"broken-{seed}", rate=1.0, seed=seed) for seed in range(4)]
    return [*healthy[:4], *broken, *healthy[4:], job("noise", rows="noise")]


@pytest.mark.sweep
def test_twelve_trainings_survive_twenty_kills(tmp_path):
    path = write_jobs(tmp_path / "home", *twelve_jobs())
    whole = RunFolder(tmp_path / "whole" / "jobs")
    log = tmp_path / "log"
    started = time.monotonic()
    kills.start(command(path, tmp_path / "whole", 2), log).wait(timeout=900)
    took = time.monotonic() - started
    expected = {entry.name: entry.record for entry in whole.entries()}
    assert {record.status for record in expected.values()} >= {"healthy", "repaired", "unlearnable"}, log.read_text()
    n_killed, seed = 0, 0
    while n_killed < 20:
        runs = tmp_path / f"runs-{seed}"
        folder = RunFolder(runs / "jobs")
        killed = kills.survive(
            command(path, runs, 2), folder, N_JOBS, longest_s=took, n_kills=20 - n_killed, seed=seed, log=log
        )
        n_killed += sum(who != "nobody" for who in killed)
        print(f"seed {seed}: killed {killed}")
        for name, record in expected.items():
            same(folder.job(name).record(), record)
        assert kills.leftovers(folder) == []
        seed += 1


def test_ctrl_c_ends_a_run_with_130_and_leaves_no_worker(tmp_path):
    path = write_jobs(tmp_path / "home", job("only"))
    run, log = command(path, tmp_path / "runs", 1), tmp_path / "log"
    first = kills.start(run, log)
    kills.until(lambda: kills.workers_of(first.pid), 60.0)
    workers = kills.workers_of(first.pid)
    os.killpg(first.pid, signal.SIGINT)  # as a terminal does: the whole group gets it
    assert first.wait(timeout=30) == 130
    assert "the same command goes on from here" in log.read_text()
    assert not any(one.is_running() and one.status() != "zombie" for one in workers)
    summary = json.loads((tmp_path / "runs" / "jobs" / "summary.json").read_text())
    assert [one["status"] for one in summary] in (["waiting"], ["interrupted"])
