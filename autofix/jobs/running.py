"""A run: the jobs of a file that have not ended yet, through an engine, into a run folder."""

import contextlib
import dataclasses
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from autofix.jobs import summary
from autofix.jobs.folder import JobFolder, RunFolder, now
from autofix.jobs.local import LocalEngine, threads_each
from autofix.jobs.lock import RunLock, Shard
from autofix.jobs.record import JobRecord
from autofix.jobs.schema import Job, JobFile
from autofix.jobs.tasks import Engine, Failed, Finished, Started, Task
from autofix.jobs.worker import Plan

FUNCTION = "autofix.jobs.training:run"
WARM_UP = "autofix.jobs.training:warm_up"
"""What workers call; imported there only."""

LOOK_S = 0.2
"""How often a run looks whether it was told to stop: soon enough for a person who pressed Ctrl-C."""

STOPPED_BY = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)
"""Signals that end a run in good order: Ctrl-C, what schedulers send before they kill, a terminal that is closed."""


@dataclasses.dataclass(frozen=True)
class Options:
    """How a run goes about its jobs.

    Args:
        n_workers: Jobs at a time, on this machine.
        shard: The share of the jobs that this run takes.
        retries: How often a job whose process died is tried again, unless the job says it itself.
        retry_failed: Whether jobs that failed in an earlier run are tried again.
        fail_fast: Whether the run ends with the first job that fails.
        allow_code: Whether jobs may call the Python functions that they name.
        engine: `"local"` or `"ray"`.
        address: Of a Ray cluster; None for one that Ray finds, or starts on this machine.
    """

    n_workers: int = 1
    shard: Shard = dataclasses.field(default_factory=Shard)
    retries: int = 0
    retry_failed: bool = False
    fail_fast: bool = False
    allow_code: bool = False
    engine: str = "local"
    address: str | None = None


class Listener:
    """Is told what happens in a run. This one says nothing; the command line shows it."""

    def begun(self, n_jobs: int, ended: Sequence[JobRecord]) -> None:
        """A run begins.

        Args:
            n_jobs: Of this run's share.
            ended: Records of those that ended before and need not run again.
        """

    def started(self, name: str) -> None:
        """A worker began a job."""

    def retried(self, name: str, reason: str) -> None:
        """A job's process died, and the job is tried again."""

    def ended(self, record: JobRecord) -> None:
        """A job ended."""

    def unwritten(self, what: str, error: OSError) -> None:
        """Something could not be written: the record of a job, which will run again, or the summary."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Args:
        records: Of the jobs of this run's share that have ended, in the order of the file.
        n_jobs: How many jobs the share has.
        is_interrupted: Whether the run was told to stop.
    """

    records: tuple[JobRecord, ...]
    n_jobs: int
    is_interrupted: bool = False

    @property
    def is_good(self) -> bool:
        """Whether all jobs ended healthy or repaired."""
        return len(self.records) == self.n_jobs and all(record.is_good for record in self.records)


def run(file: JobFile, folder: RunFolder, options: Options, listener: Listener | None = None) -> Outcome:
    """Runs the jobs of a file that have not ended yet.

    Args:
        file: The job file, read.
        folder: Where the results go.
        options: How to go about it.
        listener: Is told what happens.

    Returns:
        What it came to.

    Raises:
        RunError: Another run works on the folder, workers do not start, or the cluster is gone.
        OSError: The folder cannot be written to.
    """
    listener = listener or Listener()
    with RunLock(folder.locks, options.shard):
        hashes = {job.name: job.content_hash() for job in file.jobs}
        folder.begin(file.path, hashes)
        jobs = options.shard.of(list(file.jobs))
        todo = _Todo(jobs, hashes, folder, options)
        listener.begun(len(jobs), list(todo.records.values()))
        is_interrupted = False
        if todo.open:
            with open_engine(options, folder, len(todo.open)) as engine, _stop_signals() as stop:
                is_interrupted = not _work(engine, todo, listener, stop)
        try:
            summary.write(folder)
        except OSError as error:  # the records are there, from which it can be made again
            listener.unwritten("The summary", error)
        in_order = tuple(todo.records[job.name] for job in jobs if job.name in todo.records)
        return Outcome(in_order, len(jobs), is_interrupted)


def open_engine(options: Options, folder: RunFolder, n_tasks: int) -> Engine:
    """The engine that the options ask for.

    Args:
        options: Of the run.
        folder: Of the run.
        n_tasks: No more workers than that are of any use.
    """
    if options.engine == "ray":
        from autofix.jobs.ray_engine import RayEngine

        return RayEngine(Plan(FUNCTION, WARM_UP), options.address)
    n_workers = max(1, min(options.n_workers, n_tasks))
    return LocalEngine(Plan(FUNCTION, WARM_UP, threads_each(n_workers), str(folder.workers_log)), n_workers)


class _Todo:
    """Which jobs have ended, and which have not."""

    def __init__(self, jobs: Sequence[Job], hashes: dict[str, str], folder: RunFolder, options: Options) -> None:
        self._hashes = hashes
        self._folder = folder
        self.options = options
        self.records: dict[str, JobRecord] = {}
        self.open: dict[str, Job] = {}
        self.retries: dict[str, int] = {}
        self._former: dict[str, JobRecord | None] = {}
        for job in jobs:
            record = folder.job(job.name).record()
            if record is not None and record.is_final(hashes[job.name], options.retry_failed):
                self.records[job.name] = record
            else:
                self.open[job.name] = job
                self._former[job.name] = record
                self.retries[job.name] = options.retries if job.retries is None else job.retries

    def task(self, name: str) -> Task:
        job = self.open[name]
        payload = {
            "job": job.model_dump(mode="json"),
            "content_hash": self._hashes[name],
            "folder": str(self._folder.job(name).path.absolute()),
            "allow_code": self.options.allow_code,
        }
        return Task(name, payload, job.timeout_s, job.resources.cpus, job.resources.gpus)

    def folder(self, name: str) -> JobFolder:
        return self._folder.job(name)

    def written(self, name: str) -> JobRecord | None:
        """The record that a worker of this run wrote, however it went on from there."""
        record = self._folder.job(name).record()
        is_new = record is not None and record != self._former.get(name)
        return record if record is not None and is_new and record.content_hash == self._hashes[name] else None

    def tries_again(self, event: Failed) -> bool:
        """Whether a job that was lost is to be tried again, which counts as one of its retries."""
        name = event.task.name
        if event.failure != "crash" or self.retries[name] < 1 or self.written(name) is not None:
            return False
        self.retries[name] -= 1
        return True

    def lost(self, event: Failed) -> JobRecord:
        """The record of a job whose worker wrote none."""
        name = event.task.name
        return JobRecord(
            name,
            self._hashes[name],
            "failed",
            failure=event.failure,
            reason=f"its process {event.reason}" if event.failure == "crash" else event.reason,
            attempts=max(1, self._folder.job(name).attempts),
            started=now(),
            host=socket.gethostname(),
        )


def _work(engine: Engine, todo: _Todo, listener: Listener, stop: threading.Event) -> bool:
    """Runs the open jobs; returns whether it came to an end, that is, was not told to stop."""
    for name in todo.open:
        todo.folder(name).end_orphan()
        engine.submit(todo.task(name))
    unended = set(todo.open)
    while unended:
        if stop.is_set():
            return False
        for event in engine.wait(LOOK_S):
            name = event.task.name
            if isinstance(event, Started):
                listener.started(name)
            elif isinstance(event, Failed) and todo.tries_again(event):
                listener.retried(name, event.reason)
                engine.submit(todo.task(name))
            else:
                record = todo.records[name] = _ended(event, todo, listener)
                unended.discard(name)
                listener.ended(record)
                if record.status == "failed" and todo.options.fail_fast:
                    return True
    return True


def _ended(event: Finished | Failed, todo: _Todo, listener: Listener) -> JobRecord:
    """The record of a job that came to an end, which is in its folder from now on."""
    if isinstance(event, Finished):
        return JobRecord.from_json(event.value)
    # It may have ended in the moment before its worker died.
    if (written := todo.written(event.task.name)) is not None:
        return written
    record = todo.lost(event)
    folder = todo.folder(record.name)
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        with folder.log.open("a", encoding="utf-8") as log:
            log.write(f"--- {now()}: {record.status}, {record.failure}: {record.reason}\n")
        folder.end(record)
    except OSError as error:
        listener.unwritten(f"The record of {record.name}", error)
    return record


@contextlib.contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that is set by what should end the run in good order; outside of the main thread, by nothing."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def note(*_: Any) -> None:
        stop.set()

    # A signal that is ignored stays ignored: nohup has its reasons.
    kept = {one: signal.signal(one, note) for one in STOPPED_BY if signal.getsignal(one) is not signal.SIG_IGN}
    try:
        yield stop
    finally:
        for one, handler in kept.items():
            signal.signal(one, handler)


def default_folder(file: JobFile, root: Path) -> RunFolder:
    """Where the results of a job file go, `runs/<file>/`."""
    return RunFolder(root / file.name)
