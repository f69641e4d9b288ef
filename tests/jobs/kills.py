"""Runs that are killed at random moments, and what must be true of them afterwards."""

import json
import os
import random
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from autofix.atomic_files import TEMPORARY_PREFIX
from autofix.jobs.folder import RunFolder

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}

MOST_STARTS = 200
"""A run that is not through after so many starts makes no progress."""


def start(command: Sequence[str], log: Path) -> subprocess.Popen:
    with log.open("ab") as file:
        return subprocess.Popen(command, env=ENVIRONMENT, stdout=file, stderr=file, start_new_session=True)


def workers_of(pid: int) -> list[psutil.Process]:
    """The worker processes of a run, not the process that multiprocessing starts for itself."""
    try:
        return [one for one in psutil.Process(pid).children() if "spawn_main" in " ".join(one.cmdline())]
    except psutil.Error:
        return []


def kill_one_of(run: subprocess.Popen, victim: str, choice: random.Random) -> str:
    """Kills the run, or one of its workers as soon as there is one; says whom, or nobody when the run is through."""
    while run.poll() is None:
        workers = workers_of(run.pid)
        if victim == "run":
            run.kill()
            return victim
        if workers:
            choice.choice(workers).kill()
            return victim
        time.sleep(0.01)
    return "nobody"


def ended(folder: RunFolder) -> dict[str, str]:
    """The text of the record of each job that is through for good."""
    if not (folder.path / "run.json").exists():
        return {}
    return {
        entry.name: folder.job(entry.name).record_file.read_text()
        for entry in folder.entries()
        if entry.record is not None and entry.record.failure != "crash"
    }


def check_files(folder: RunFolder) -> None:
    """Nothing half-written stands where a whole file is expected."""
    for path in folder.path.rglob("*.json"):
        json.loads(path.read_text())
    for path in folder.path.rglob("model.keras"):
        assert zipfile.ZipFile(path).testzip() is None


def survive(
    command: Sequence[str],
    folder: RunFolder,
    n_jobs: int,
    longest_s: float,
    n_kills: int,
    seed: int,
    log: Path,
    n_before: int = 0,
) -> list[str]:
    """Starts the same command again and again, and kills it or a worker of it, until its jobs are through.

    Args:
        command: The run.
        folder: Where its results go.
        n_jobs: How many it has.
        longest_s: Latest moment of a kill, in seconds after the start.
        n_kills: How many; after that it runs undisturbed.
        seed: Of the moments; run and workers are killed in turn.
        log: Gets what is printed.
        n_before: Kills that hit before: the turn goes on from there.

    Returns:
        Who was killed, in order; nobody where the run was through before.
    """
    choice = random.Random(seed)
    kills: list[str] = []
    known: dict[str, str] = {}
    for _ in range(MOST_STARTS):
        run, victim = start(command, log), "nobody"
        if len(kills) < n_kills:
            time.sleep(choice.uniform(0.0, longest_s))
            n_hits = n_before + sum(who != "nobody" for who in kills)
            victim = kill_one_of(run, ("run", "worker")[n_hits % 2], choice)
            kills.append(victim)
        run.wait(timeout=600)
        check_files(folder)
        now = ended(folder)
        # What was through before was not run again, nor lost.
        assert known.items() <= now.items()
        known = now
        # A run that was killed behind its last job has left its lock: the next one tidies up.
        if len(known) == n_jobs and victim != "run":
            return kills
    raise AssertionError(f"not through after {MOST_STARTS} starts: {sorted(known)}; {log.read_text()[-2000:]}")


def leftovers(folder: RunFolder) -> list[Path]:
    """What should be gone behind a run that came to its end; half-written locks go when they are a minute old."""
    unfinished = [path for path in folder.path.rglob(f"{TEMPORARY_PREFIX}*") if path.parent != folder.locks]
    return [*unfinished, *folder.path.rglob("running.json"), *folder.locks.glob("[0-9]*.json")]


def until(condition: Callable[[], object], patience_s: float = 60.0) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]
