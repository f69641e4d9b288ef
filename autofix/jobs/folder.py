"""Run folders: where the results of jobs lie, and which of them are there.

- `runs/<file>/`: `RunFolder`
  - `run.json`: the jobs of the file, in order
  - `summary.json`, `summary.csv`, `index.html`: all records, written when a run ends
  - `.run/`: locks, and what workers say outside of any job
  - `<job>/`: `JobFolder`
    - `job.json`: the job as it was resolved, and how often it was begun
    - `running.json`: which process works on it; gone when it has ended
    - `log.txt`: everything that was printed
    - `trials/`: the KerasTuner project, with which a killed search resumes
    - `data.json`: names of inputs and classes, which whoever uses the model needs
    - `model.keras`, `history.csv`, `report.json`, `report.html`
    - `record.json`: what became of it; written last
"""

import dataclasses
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autofix import atomic_files
from autofix.errors import RunError
from autofix.jobs import lock
from autofix.jobs.processes import Process
from autofix.jobs.record import JobRecord

HIDDEN = ".run"
"""Folder of what is no result. Names of jobs never begin with a dot."""

RESERVED = frozenset({"run.json", "summary.json", "summary.csv", "index.html"})
"""Files of a run folder, which no job can be named after."""

FORGOTTEN_S = 3600.0
"""Age of half-written files of a run folder at which no other run is still writing them: that takes moments."""

OWNED = ("record.json", "job.json", "log.txt", "data.json", "model.keras", "history.csv", "report.json", "report.html")
"""Files of a job's folder. All else in it, but the trials, is somebody else's and stays. The record comes first: when
clearing is cut short, nothing is left that looks finished."""


@dataclasses.dataclass(frozen=True)
class JobFolder:
    """The folder of one job.

    Args:
        path: Where it is, or will be.
    """

    path: Path

    @property
    def record_file(self) -> Path:
        """What became of the job."""
        return self.path / "record.json"

    @property
    def job_file(self) -> Path:
        """The job as it was resolved."""
        return self.path / "job.json"

    @property
    def log(self) -> Path:
        """What was printed."""
        return self.path / "log.txt"

    @property
    def trials(self) -> Path:
        """The KerasTuner project."""
        return self.path / "trials"

    @property
    def data(self) -> Path:
        """What is to be known of the rows to use the model."""
        return self.path / "data.json"

    @property
    def model(self) -> Path:
        """The trained model."""
        return self.path / "model.keras"

    @property
    def history(self) -> Path:
        """Loss and metrics by epoch."""
        return self.path / "history.csv"

    @property
    def report(self) -> Path:
        """The report as data."""
        return self.path / "report.json"

    @property
    def page(self) -> Path:
        """The report as a page."""
        return self.path / "report.html"

    @property
    def running_file(self) -> Path:
        """Which process works on the job."""
        return self.path / "running.json"

    def record(self) -> JobRecord | None:
        """What became of the job; None while it has not ended, or when the record is no record."""
        try:
            return JobRecord.from_json(self.record_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def worker(self) -> Process | None:
        """The process that works on the job, dead or alive; None where there is none."""
        try:
            return Process.from_dict(json.loads(self.running_file.read_text(encoding="utf-8"))["process"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @property
    def attempts(self) -> int:
        """How often the job was begun, as it is now."""
        return int(self._begun().get("attempts", 0))

    def begin(self, content_hash: str, job: Any) -> int:
        """Makes the folder ready for an attempt: what an earlier attempt at the same job found stays, all else goes.

        Args:
            content_hash: Of the job.
            job: The job as JSON values.

        Returns:
            The number of this attempt, from 1.

        Raises:
            OSError: The folder cannot be written to.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        atomic_files.clear_unfinished(self.path)
        self.record_file.unlink(missing_ok=True)
        if self._begun().get("content_hash") != content_hash:
            self.clear()
        attempt = self.attempts + 1
        begun = {"content_hash": content_hash, "attempts": attempt, "job": job}
        atomic_files.write(self.job_file, json.dumps(begun, indent=2, ensure_ascii=False))
        running = {"process": Process.current().to_dict(), "since": now(), "attempt": attempt}
        atomic_files.write(self.running_file, json.dumps(running, indent=2))
        return attempt

    def end(self, record: JobRecord) -> None:
        """Writes the record, which ends the job.

        Raises:
            OSError: The folder cannot be written to.
        """
        atomic_files.write(self.record_file, record.to_json())
        self.running_file.unlink(missing_ok=True)

    def clear(self) -> None:
        """Deletes what an earlier job left."""
        for name in OWNED:
            (self.path / name).unlink(missing_ok=True)
        self.running_file.unlink(missing_ok=True)
        shutil.rmtree(self.trials, ignore_errors=True)

    def end_orphan(self) -> None:
        """Ends a process that still works on the job though the run that started it is gone."""
        worker = self.worker()
        if worker is not None:
            worker.end()

    def _begun(self) -> dict[str, Any]:
        try:
            begun = json.loads(self.job_file.read_text(encoding="utf-8"))
            return begun if isinstance(begun, dict) else {}
        except (OSError, ValueError):
            return {}


@dataclasses.dataclass(frozen=True)
class Entry:
    """One job of a run, as its run folder knows it.

    Args:
        name: Of the job.
        status: That of its record; without one `"running"`, `"interrupted"` or `"waiting"`.
        record: What became of it, None when it has not ended.
        seconds: How long it took, or has been running; None when it has not begun.
    """

    name: str
    status: str
    record: JobRecord | None
    seconds: float | None


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """The folder of the runs of a job file.

    Args:
        path: Where it is, or will be.
    """

    path: Path

    @property
    def locks(self) -> Path:
        """Where the locks lie."""
        return self.path / HIDDEN / "locks"

    @property
    def workers_log(self) -> Path:
        """What workers say outside of any job, such as why they do not start."""
        return self.path / HIDDEN / "workers.log"

    def job(self, name: str) -> JobFolder:
        """The folder of a job.

        Args:
            name: Of the job.

        Raises:
            RunError: The folder would be none of this run: the name leads out of it, or belongs to something else.
        """
        path = self.path / name
        parts = Path(name).parts
        if parts != (name,) or name in (".", "..", HIDDEN, *RESERVED) or path.resolve().parent != self.path.resolve():
            raise RunError(
                f"A job cannot have this name. Expected the name of a folder inside the run folder {self.path}. "
                f"Received: name={name!r}. Rename the job, or remove what stands there."
            )
        return JobFolder(path)

    def begin(self, source: str, jobs: dict[str, str]) -> None:
        """Notes which jobs there are, for the run that holds the lock.

        Args:
            source: Path of the job file.
            jobs: Hash of each job by its name, in the order of the file.

        Raises:
            RunError: A job has a name that it cannot have here.
            OSError: The folder cannot be written to.
        """
        for name in jobs:
            self.job(name)
        (self.path / HIDDEN).mkdir(parents=True, exist_ok=True)
        is_alone = len(lock.holders(self.locks)) <= 1
        atomic_files.clear_unfinished(self.path, 0.0 if is_alone else FORGOTTEN_S)
        content = {"version": 1, "file": source, "jobs": jobs}
        atomic_files.write(self.path / "run.json", json.dumps(content, indent=2, ensure_ascii=False))

    def jobs(self) -> dict[str, str]:
        """Hash of each job by its name, in the order of the file.

        Raises:
            RunError: This is no run folder.
        """
        try:
            return dict(json.loads((self.path / "run.json").read_text(encoding="utf-8"))["jobs"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"This is no run folder. Expected a folder with the run.json that `autofix run` writes. "
                f"Received: folder={self.path}. Name the folder of a run, such as runs/jobs."
            ) from error

    def entries(self) -> list[Entry]:
        """All jobs, ended or not, in the order of the file.

        Raises:
            RunError: This is no run folder.
        """
        is_worked_on = bool(lock.holders(self.locks))
        return [_entry(name, self.job(name), content_hash, is_worked_on) for name, content_hash in self.jobs().items()]


def records(run: str | Path) -> list[JobRecord]:
    """The records of all jobs of a run that have ended, in the order of the job file.

    Args:
        run: Path of the run folder.

    Raises:
        RunError: It is no run folder.
    """
    return [entry.record for entry in RunFolder(Path(run)).entries() if entry.record is not None]


def now() -> str:
    """The time, as an ISO time in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _entry(name: str, folder: JobFolder, content_hash: str, is_worked_on: bool) -> Entry:
    record = folder.record()
    if record is not None and record.content_hash == content_hash:
        return Entry(name, record.status, record, record.seconds)
    worker = folder.worker()
    if worker is None:
        return Entry(name, "waiting", None, None)
    if is_worked_on and worker.is_alive:
        since = json.loads(folder.running_file.read_text(encoding="utf-8"))["since"]
        return Entry(name, "running", None, (datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds())
    return Entry(name, "interrupted", None, None)
