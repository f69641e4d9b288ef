"""Functions that tests let workers run: plain Python, so that a worker starts in a moment."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from autofix.jobs.folder import JobFolder
from autofix.jobs.record import JobRecord


def act(payload: dict[str, Any]) -> Any:
    """Does what the payload says."""
    if "touch" in payload:
        Path(payload["touch"]).write_text(str(os.getpid()))
    return globals()[payload["do"]](payload)


def echo(payload: dict[str, Any]) -> Any:
    return payload["value"]


def pid(payload: dict[str, Any]) -> int:
    return os.getpid()


def threads(payload: dict[str, Any]) -> str:
    return os.environ["OMP_NUM_THREADS"]


def raise_error(payload: dict[str, Any]) -> None:
    raise ValueError(payload["value"])


def leave(payload: dict[str, Any]) -> None:
    sys.exit(payload["value"])


def vanish(payload: dict[str, Any]) -> None:
    os._exit(payload["value"])


def die(payload: dict[str, Any]) -> None:
    os.kill(os.getpid(), payload["value"])
    time.sleep(60)


def hang(payload: dict[str, Any]) -> None:
    time.sleep(payload["value"] or 600)


def hang_deaf(payload: dict[str, Any]) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


def with_child(payload: dict[str, Any]) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(payload["value"]).write_text(str(child.pid))
    time.sleep(600)


def fill_the_disk(payload: dict[str, Any]) -> None:
    """From now on this process cannot write to files: what would be written is refused by the system."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def grow(payload: dict[str, Any]) -> int:
    kept.append(b"x" * payload["value"])
    return os.getpid()


kept: list[bytes] = []


def fail_to_warm_up() -> None:
    raise ImportError("no such library")


def job(payload: dict[str, Any]) -> str:
    """Stands in for a training: does what the arguments of the job's model say, and leaves a record."""
    folder = JobFolder(Path(payload["folder"]))
    attempt = folder.begin(payload["content_hash"], payload["job"])
    arguments = payload["job"]["model"]["arguments"]
    with folder.log.open("a") as log:
        log.write(f"attempt {attempt}\n")
    if attempt <= arguments.get("times", attempt):
        act(arguments)
    name = payload["job"]["name"]
    status = arguments.get("status", "healthy")
    failure = "error" if status == "failed" else ""
    folder.end(JobRecord(name, payload["content_hash"], status, failure, attempts=attempt))
    # After the record: until that is written, a job that is killed has to be run again.
    with (folder.path / "completions").open("a") as file:
        file.write(f"{attempt}\n")
    return folder.record_file.read_text()
