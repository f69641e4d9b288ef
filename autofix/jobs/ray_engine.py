"""The engine on a Ray cluster: each job is a task, and what it leaves comes back to the run folder.

A task runs its job in a warm worker process of its own, through the engine for one machine: a crash, a lack of memory
or a time limit is told in the same words. Where the machine of the task sees the run folder, the job works in it;
elsewhere it works in a temporary folder, which goes there and back as bytes.
"""

import atexit
import contextlib
import dataclasses
import io
import logging
import os
import shutil
import tempfile
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from autofix import atomic_files
from autofix.errors import RunError
from autofix.jobs.local import LocalEngine
from autofix.jobs.tasks import Engine, Event, Failed, Finished, Started, Task
from autofix.jobs.worker import Plan

LOGGER = logging.getLogger(__name__)

LAST = "record.json"
"""Is written last, here as there: a folder that holds it is whole."""

PATIENCE_S = 0.5
"""How long a task waits for its worker before it looks again whether Ray wants it to end."""


class RayEngine(Engine):
    """Runs a function on tasks as Ray tasks.

    The payload of a task is a dictionary; the path at `folder` is that of its folder on this machine.

    Args:
        plan: What workers do. Threads are as many as a task asks for cores.
        address: Of the cluster; None for the one that RAY_ADDRESS names, else for a new one on this machine.
        sees_disk: Whether the machines of the tasks see the folders of this one; None to let them look.

    Raises:
        RunError: Ray is not installed, or there is no such cluster.
    """

    def __init__(self, plan: Plan, address: str | None = None, sees_disk: bool | None = None) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a run tells nobody about itself
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # as later versions do, says Ray 2.60
        try:
            import ray
        except ImportError as error:
            raise RunError(
                "Ray is not installed. Expected it for --engine ray. Received: no module named ray. "
                "Install autofix-keras[ray]."
            ) from error
        self._ray = ray
        self._plan = plan
        self._sees_disk = sees_disk
        self._streams: dict[Any, Task] = {}
        try:
            # Not with log_to_driver: what jobs print belongs into their logs.
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, ignore_reinit_error=True)
        except Exception as error:
            raise RunError(
                f"The Ray cluster cannot be reached. Expected one at the address. Received: address={address!r}: "
                f"{type(error).__name__}: {error}. Start it, or correct --address."
            ) from error

    def submit(self, task: Task) -> None:
        total = self._ray.cluster_resources()
        for kind, wanted in (("CPU", task.cpus), ("GPU", task.gpus)):
            has = total.get(kind, 0.0)
            if wanted > has:
                LOGGER.warning("%s asks for %g %s; the cluster has %g: it waits for more", task.name, wanted, kind, has)
        remote = self._ray.remote(_run)
        options = {"num_cpus": task.cpus, "num_gpus": task.gpus, "max_retries": 0, "num_returns": "streaming"}
        stream = remote.options(name=task.name, **options).remote(_request(task, self._plan, self._sees_disk))
        self._streams[stream] = task

    def wait(self, timeout_s: float) -> Sequence[Event]:
        if not self._streams:
            return []
        ready, _ = self._ray.wait(list(self._streams), num_returns=1, timeout=timeout_s, fetch_local=False)
        return [event for stream in ready for event in self._hear(stream)]

    def close(self) -> None:
        for stream in self._streams:
            with contextlib.suppress(Exception):  # a task that has just ended cannot be cancelled
                self._ray.cancel(stream, force=True)
        self._streams.clear()
        self._ray.shutdown()

    def _hear(self, stream: Any) -> list[Event]:
        """The next word of a task."""
        task = self._streams[stream]
        try:
            word = self._ray.get(next(stream))
        except self._ray.exceptions.RayTaskError as error:
            event: Event = Failed(task, "error", _first_line(error.cause or error))
        except (self._ray.exceptions.RayError, StopIteration) as error:
            event = Failed(task, "crash", f"was lost on the cluster: {_first_line(error)}")
        else:
            if word.failure == "started":
                return [Started(task)]
            event = self._told(task, word)
        del self._streams[stream]
        _witness(task).unlink(missing_ok=True)
        return [event]

    def _told(self, task: Task, word: "_Word") -> Event:
        """The end of a task, after what it left is in its folder here."""
        try:
            if word.folder is not None:
                unpack(word.folder, Path(task.payload["folder"]))
        except OSError as error:
            return Failed(task, "error", f"its results cannot be written: {error}")
        return Failed(task, word.failure, word.reason) if word.failure else Finished(task, word.value)


@dataclasses.dataclass(frozen=True)
class _Request:
    """What a Ray task gets: the task, and its folder in case the other machine does not see it."""

    task: Task
    plan: Plan
    witness: tuple[str, str]
    sees_disk: bool | None
    folder: bytes


@dataclasses.dataclass(frozen=True)
class _Word:
    """What a Ray task says; `failure` is `"started"` for the first word, empty for success."""

    failure: str
    reason: str = ""
    value: Any = None
    folder: bytes | None = None


def _request(task: Task, plan: Plan, sees_disk: bool | None) -> _Request:
    folder = Path(task.payload["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    # A file that holds what only this run knows: who reads it sees this disk, and not one of its own at the same path.
    witness, secret = _witness(task), uuid.uuid4().hex
    atomic_files.write(witness, secret)
    plan = dataclasses.replace(plan, threads=max(1, int(task.cpus)), log="")
    return _Request(task, plan, (str(witness), secret), sees_disk, pack(folder))


def _witness(task: Task) -> Path:
    return Path(task.payload["folder"]) / ".witness"


def _run(request: _Request) -> Iterator[_Word]:
    """The Ray task."""
    yield _Word("started")
    here = request.sees_disk
    if here is None:
        witness, secret = request.witness
        try:
            here = Path(witness).read_text(encoding="utf-8") == secret
        except OSError:
            here = False
    if here:
        yield _through_worker(request, request.task.payload)
        return
    home = Path(tempfile.mkdtemp(prefix="autofix-job-"))
    try:
        unpack(request.folder, home)
        word = _through_worker(request, {**request.task.payload, "folder": str(home)})
        yield dataclasses.replace(word, folder=pack(home))
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _through_worker(request: _Request, payload: dict[str, Any]) -> _Word:
    # The processors that Ray lends this task are known to new processes only.
    engine = _engine(request.plan, os.environ.get("CUDA_VISIBLE_DEVICES"))
    engine.submit(dataclasses.replace(request.task, payload=payload))
    while True:
        for event in engine.wait(PATIENCE_S):
            if isinstance(event, Finished):
                return _Word("", value=event.value)
            if isinstance(event, Failed):
                return _Word(event.failure, event.reason)


_KEPT: dict[tuple[Plan, str | None], LocalEngine] = {}
"""The warm worker of this Ray process, for further tasks that ask for the same."""


def _engine(plan: Plan, devices: str | None) -> LocalEngine:
    if (plan, devices) not in _KEPT:
        if not _KEPT:
            atexit.register(_end_kept)  # or Python would wait for the worker for ever
        _end_kept()
        _KEPT[plan, devices] = LocalEngine(plan, 1)
    return _KEPT[plan, devices]


def _end_kept() -> None:
    while _KEPT:
        _KEPT.popitem()[1].close()


def pack(folder: Path) -> bytes:
    """All files of a folder as one archive, the half-written ones left out."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                file.write(path, path.relative_to(folder).as_posix())
    return archive.getvalue()


def unpack(archive: bytes, folder: Path) -> None:
    """Writes the files of an archive into a folder, each whole or not at all, the record last.

    Args:
        archive: From `pack`.
        folder: Is made when it is missing. Files of other names in it stay.

    Raises:
        RunError: The archive holds a path that leads out of the folder.
        OSError: The folder cannot be written to.

    Example:

    >>> home, there = Path(tempfile.mkdtemp()), Path(tempfile.mkdtemp())
    >>> (home / "log.txt").write_text("hello")
    5
    >>> unpack(pack(home), there)
    >>> (there / "log.txt").read_text()
    'hello'
    """
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        for name in sorted(file.namelist(), key=lambda name: name == LAST):
            parts = PurePosixPath(name).parts
            if not parts or ".." in parts or PurePosixPath(name).is_absolute() or "\\" in name or ":" in name:
                raise RunError(
                    f"What came back from the cluster does not belong into the folder of the job. "
                    f"Expected paths inside {folder}. Received: {name!r}. Look at the machine that it came from."
                )
            path = folder.joinpath(*parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_files.write(path, file.read(name))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
