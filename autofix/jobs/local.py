"""The engine on this machine: a few warm worker processes, each with its own pipe.

Built on `multiprocessing` alone. Pools of processes were tried: in `concurrent.futures` one dead worker loses every
task, and pebble 5.2.3 waits for ever for the result of a worker that left with exit code 0.
"""

import collections
import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import wait
from typing import Any

from autofix.errors import RunError
from autofix.jobs.processes import cores, kill_tree
from autofix.jobs.tasks import Engine, Event, Failed, Finished, Started, Task
from autofix.jobs.worker import BEGUN, READY, Plan, Reply, serve

MOST_FAILED_STARTS = 3
"""Workers in a row that die before they begin a task, until the run gives up: a machine that is short of memory may
kill one or two, an installation that is broken kills all."""

RECYCLED_AFTER_BYTES = 1 << 30
"""A worker is replaced when it holds so much more memory than when it was ready: each compiled model leaves some behind
that is never given back (seen with TensorFlow 2.21: 1 MiB a small healthy job, 5 to 60 MiB one with a search), and
a new worker costs seconds."""

OUT_OF_MEMORY = "probably because the machine was out of memory, or somebody killed it"


class _Worker:
    """One worker process and what it is doing."""

    def __init__(self, plan: Plan) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        # Not a daemon: daemons may start no processes, and a user's code may want to.
        self.process = context.Process(target=serve, args=(theirs, plan), name="autofix-worker", daemon=False)
        with _undisturbed():
            self.process.start()
        theirs.close()
        self.is_ready = False
        self.memory = 0
        self.task: Task | None = None
        self.has_begun = False
        self.deadline: float | None = None

    def give(self, task: Task) -> None:
        """Hands over a task. Whether the process took it up is known when it says so: a dying one takes letters still.

        Raises:
            OSError: The process is dead.
        """
        self.connection.send(task.payload)
        self.task, self.has_begun = task, False
        self.deadline = None if task.timeout_s is None else time.monotonic() + task.timeout_s

    def end(self) -> None:
        """Kills the process with all that it started."""
        if self.process.pid is not None and self.process.is_alive():
            kill_tree(self.process.pid)
        self.process.join()
        self.connection.close()
        self.process.close()


class LocalEngine(Engine):
    """Runs a function on tasks in worker processes on this machine.

    A worker is started when there is a task for it, and is kept for further tasks. One that dies or takes too long
    loses its own task only, and is replaced.

    Args:
        plan: What workers do.
        n_workers: How many at most.
        recycled_after: Bytes of memory by which a worker may grow before it is replaced.

    Example:

    >>> with LocalEngine(Plan("os:getcwd"), 1) as engine:
    ...     engine.wait(0.0)  # nothing to do
    []
    """

    def __init__(self, plan: Plan, n_workers: int, recycled_after: int = RECYCLED_AFTER_BYTES) -> None:
        self._plan = plan
        self._n_workers = n_workers
        self._recycled_after = recycled_after
        self._pending: collections.deque[Task] = collections.deque()
        self._workers: list[_Worker] = []
        self._failed_starts = 0
        self._events: list[Event] = []

    def submit(self, task: Task) -> None:
        self._pending.append(task)

    def wait(self, timeout_s: float) -> Sequence[Event]:
        deadline = time.monotonic() + timeout_s
        self._assign()
        while self._workers and not self._events and time.monotonic() < deadline:
            self._look(self._next_stop(deadline))
            if not self._events:  # whether anything starts after an event is for the caller, who hears of it first
                self._assign()
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        self._pending.clear()
        # All are killed before any is waited for.
        for worker in self._workers:
            if worker.process.pid is not None and worker.process.is_alive():
                kill_tree(worker.process.pid)
        while self._workers:
            self._workers.pop().end()

    def _assign(self) -> None:
        """Gives tasks to workers that have none, and starts workers for those that are left."""
        for worker in [one for one in self._workers if one.is_ready and one.task is None]:
            if not self._pending:
                return
            task = self._pending.popleft()
            try:
                worker.give(task)
            except OSError:  # it died while it was idle
                self._pending.appendleft(task)
                self._drop(worker)
        n_coming = sum(1 for one in self._workers if not one.is_ready)
        n_wanted = min(self._n_workers - len(self._workers), len(self._pending) - n_coming)
        for _ in range(max(0, n_wanted)):
            try:
                self._workers.append(_Worker(self._plan))
            except OSError as error:
                raise RunError(
                    f"A worker process cannot be started. Expected room for {self._n_workers}. Received: "
                    f"error={error}. Use fewer workers (-j)."
                ) from error

    def _next_stop(self, deadline: float) -> float:
        """Seconds until something is due: a task's time is up, or the caller wants to be told."""
        due = min([deadline, *(one.deadline for one in self._workers if one.deadline is not None)])
        return max(0.0, due - time.monotonic())

    def _look(self, timeout_s: float) -> None:
        """Waits for messages, deaths and time limits, and turns them into events."""
        watched: dict[Any, _Worker] = {}
        for worker in self._workers:
            watched[worker.connection] = worker
            watched[worker.process.sentinel] = worker
        # A dead worker is ready twice, by its pipe and by its process: it is looked at once.
        for worker in dict.fromkeys(watched[one] for one in wait(list(watched), timeout_s)):
            self._hear(worker)
        now = time.monotonic()
        for worker in [one for one in self._workers if one.deadline is not None and one.deadline <= now]:
            task = worker.task
            assert task is not None
            self._drop(worker)
            self._events.append(Failed(task, "timeout", f"it took longer than its timeout_s of {task.timeout_s:g} s"))

    def _hear(self, worker: _Worker) -> None:
        """Takes what a worker has to say; one that is dead has nothing to say."""
        try:
            # The last words of a worker that died after its task still count.
            message = worker.connection.recv() if worker.connection.poll() else None
        except (EOFError, OSError):
            message = None
        if message is None:
            worker.process.join()
            self._bury(worker)
        elif isinstance(message, Reply):
            self._take(worker, message)
        elif message == BEGUN:
            assert worker.task is not None
            worker.has_begun = True
            self._failed_starts = 0
            self._events.append(Started(worker.task))
        else:
            assert message[0] == READY
            worker.is_ready, worker.memory = True, message[1]

    def _take(self, worker: _Worker, reply: Reply) -> None:
        task, worker.task, worker.deadline = worker.task, None, None
        assert task is not None
        self._events.append(Failed(task, "error", reply.error) if reply.error else Finished(task, reply.value))
        if reply.memory - worker.memory > self._recycled_after:
            self._drop(worker)

    def _bury(self, worker: _Worker) -> None:
        """Tells of a worker's death, and forgets it; a task that it had not begun goes to another one."""
        task, code = worker.task, worker.process.exitcode
        was_idle = worker.is_ready and task is None
        self._drop(worker)
        if task is not None and worker.has_begun:
            self._events.append(Failed(task, "crash", how_it_died(code)))
            return
        if task is not None:
            self._pending.appendleft(task)
        if not was_idle:
            self._failed_starts += 1
            if self._failed_starts >= MOST_FAILED_STARTS:
                where = f" What they said is in {self._plan.log}." if self._plan.log else ""
                raise RunError(
                    f"Workers do not start. Expected a process that imports what jobs need. Received: "
                    f"{self._failed_starts} in a row, of which the last {how_it_died(code)}.{where}"
                )

    def _drop(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.end()


def how_it_died(code: int | None) -> str:
    """Why a process is no more, from its exit code.

    Args:
        code: As `multiprocessing` has it: minus the signal where a signal ended it.

    Example:

    >>> how_it_died(-11)
    'was ended by signal 11 (SIGSEGV)'
    >>> how_it_died(3)
    'ended on its own with exit code 3'
    """
    if code is None or code >= 0:
        return f"ended on its own with exit code {code}"
    with contextlib.suppress(ValueError):
        name = signal.Signals(-code).name
        why = f", {OUT_OF_MEMORY}" if name == "SIGKILL" else ""
        return f"was ended by signal {-code} ({name}){why}"
    return f"was ended by signal {-code}"


def threads_each(n_workers: int) -> int:
    """Threads for each of several workers, so that together they use the cores that there are."""
    return max(1, cores() // n_workers)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Keeps Ctrl-C from a process that is being started, until it has left the terminal; it inherits the mask."""
    if os.name != "posix":
        yield
        return
    kept = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, kept)
