"""Jobs an hour: warm workers against each other, and against a shell loop that pays the import of Keras each time."""

import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from autofix.benchmarks import summary
from autofix.jobs.folder import records

SPEEDUP = 1.6
"""Of two workers over one, at least, on two cores."""

CODE = """
import keras
import numpy as np


def rows(seed):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.0, 1.0, size=(400, 4))
    return x, x @ np.array([2.0, 3.0, -1.0, 0.5]) + rng.normal(0.0, 0.1, size=400)


def build():
    layers = [keras.Input((4,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")
    return model


if __name__ == "__main__":
    import sys

    import autofix

    keras.utils.set_random_seed(int(sys.argv[1]))
    model = build()
    history = autofix.fit(model, *rows(int(sys.argv[1])), epochs=20, verbose=0)
    model.save(sys.argv[2])
    print(history.report.verdict)
"""
"""A small healthy training, as a module for jobs and as a script."""

JOBS = """
version: 1
defaults:
  model: {function: "train.py:build"}
  fit: {epochs: 20}
jobs:
"""


@dataclasses.dataclass(frozen=True)
class Arm:
    """One way to train them all.

    Args:
        name: As the table shows it.
        n_jobs: How many were trained.
        seconds: Wall time, the start of all processes included.
        verdicts: Of the trainings.
    """

    name: str
    n_jobs: int
    seconds: float
    verdicts: str

    @property
    def jobs_a_minute(self) -> float:
        """Throughput."""
        return 60.0 * self.n_jobs / self.seconds


def write_jobs(folder: Path, n_jobs: int) -> Path:
    """The job file and its code; returns its path."""
    (folder / "train.py").write_text(CODE)
    each = "  small-{0}: {{seed: {0}, data: {{train: {{function: 'train.py:rows', arguments: {{seed: {0}}}}}}}}}\n"
    path = folder / "jobs.yaml"
    path.write_text(JOBS + "".join(each.format(seed) for seed in range(n_jobs)))
    return path


def run_jobs(path: Path, runs: Path, n_jobs: int, n_workers: int) -> Arm:
    """All of them through `autofix run`."""
    options = ["--runs", str(runs), "-j", str(n_workers), "--allow-code", "--quiet", "--format", "csv"]
    started = time.perf_counter()
    _call([sys.executable, "-m", "autofix", "run", str(path), *options])
    seconds = time.perf_counter() - started
    verdicts = summary.counted(record.status for record in records(runs / path.stem))
    return Arm(f"autofix run -j {n_workers}", n_jobs, seconds, verdicts)


def run_scripts(path: Path, n_jobs: int) -> Arm:
    """The first of them as scripts, one after the other."""
    script, started = path.parent / "train.py", time.perf_counter()
    words = [
        _call([sys.executable, str(script), str(seed), str(path.parent / f"{seed}.keras")]).split()[-1]
        for seed in range(n_jobs)
    ]
    return Arm("python train.py, in a loop", n_jobs, time.perf_counter() - started, summary.counted(words))


def _call(command: list[str]) -> str:
    # The scripts lie elsewhere, and must find the autofix that is measured.
    found = os.pathsep.join([entry for entry in sys.path if entry] + [os.getcwd()])
    environment = {**os.environ, "PYTHONPATH": found, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def checks(arms: Sequence[Arm]) -> list[summary.Check]:
    """The requirement beside the measured figure."""
    one, two = arms[0], arms[1]
    speedup = two.jobs_a_minute / one.jobs_a_minute
    return [summary.Check("-j 2 over -j 1", f"at least {SPEEDUP}", f"{speedup:.2f}", speedup >= SPEEDUP)]


def main(jobs: int, scripts: int, json: Path | None) -> int:
    """Trains the jobs in each way and prints the throughput.

    Args:
        jobs: How many.
        scripts: How many of them as scripts too, which take long.
        json: Where to write every figure; nowhere when None.

    Returns:
        The exit code: 1 when the requirement is missed.
    """
    with tempfile.TemporaryDirectory(prefix="autofix-jobs-") as name:
        folder = Path(name)
        path = write_jobs(folder, jobs)
        arms = [run_jobs(path, folder / f"runs-{n_workers}", jobs, n_workers) for n_workers in (1, 2)]
        arms.append(run_scripts(path, scripts))
    rows = [(arm.name, str(arm.n_jobs), f"{arm.seconds:.1f}", f"{arm.jobs_a_minute:.1f}", arm.verdicts) for arm in arms]
    columns = ("way", "jobs", "seconds", "jobs a minute", "verdicts")
    summary.print_table("Small trainings, the start of all processes included", columns, rows)
    found = checks(arms)
    summary.write_json(json, arms=arms, checks=found)
    return summary.print_checks(found)
