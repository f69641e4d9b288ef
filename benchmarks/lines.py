"""Results as lines of JSON that are appended as they come, so that a benchmark that was stopped goes on.

The runs take place in worker processes, a fresh one now and then: each compiled network leaves some 5 MB in its
process for good.
"""

import collections
import itertools
import json
import multiprocessing
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pebble

RUNS_A_PROCESS = 40
"""Runs after which a fresh process takes over: some 1.5 GB of compiled networks later."""

Record = dict[str, Any]


class Task(NamedTuple):
    """A call for a worker process.

    Args:
        key: What tells its record from others: these fields have these values in it.
        call: A function of a module, called with `arguments`; its record holds the fields of `key`.
        arguments: To pass; must go through pickle.
        group: Neighbours of the same group run in the same process, one after the other; those of `""` need not.
        weight: Runs that it counts for before a fresh process takes over.
        timeout_s: Seconds after which its process is ended; None for no limit.
    """

    key: Record
    call: Callable[..., Record]
    arguments: tuple[Any, ...]
    group: str = ""
    weight: int = 1
    timeout_s: float | None = None


def read(path: Path | None) -> list[Record]:
    """The records in a file; none when there is no file. A last line that was cut off is left out."""
    if path is None or not path.exists():
        return []
    records = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return records


def read_all(folder: Path) -> list[Record]:
    """The records of a folder, those of all shards together."""
    return [record for path in sorted(folder.glob("*.jsonl")) for record in read(path)]


def finished(path: Path | None) -> list[Record]:
    """The records in a file but for those of runs that failed, which are run again."""
    return [record for record in read(path) if not record.get("error")]


def append(path: Path | None, record: Record) -> None:
    """Adds a record to the file, whose folder is made if need be; does nothing without a path."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    is_cut_off = path.exists() and (text := path.read_bytes()) and not text.endswith(b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write(("\n" if is_cut_off else "") + json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")


def _values(names: Iterable[str], record: Record) -> str:
    return json.dumps([record.get(name) for name in names])


def done(tasks: Sequence[Task], records: Sequence[Record]) -> list[bool]:
    """For each task, whether one of the records has the fields of its key.

    Example:

    >>> done([Task({"seed": 1}, dict, ()), Task({"seed": 2}, dict, ())], [{"seed": 1, "verdict": "healthy"}])
    [True, False]
    """
    forms = {tuple(task.key) for task in tasks}
    known = {names: {_values(names, record) for record in records} for names in forms}
    return [_values(task.key, task.key) in known[tuple(task.key)] for task in tasks]


class _Worker(threading.Thread):
    """Takes groups of tasks from the front and runs them in a process of its own.

    Args:
        groups: What is left to do; shared by all workers.
        records: Gets each record, then None; or the error that ended the worker.
        warm_up: A function of a module that each new process calls first.
        runs_a_process: Runs after which a fresh process takes over.
    """

    def __init__(
        self,
        groups: collections.deque[list[Task]],
        records: queue.Queue[Record | BaseException | None],
        warm_up: Callable[[], None] | None,
        runs_a_process: int,
    ) -> None:
        super().__init__(daemon=True)
        self._groups, self._records = groups, records
        self._warm_up, self._runs_a_process = warm_up, runs_a_process
        self._pool: pebble.ProcessPool | None = None
        self._runs = 0

    def run(self) -> None:
        try:
            while True:
                try:
                    group = self._groups.popleft()
                except IndexError:
                    break
                for task in group:
                    self._records.put(self._record_of(task))
                if self._runs >= self._runs_a_process:
                    self.end()
            self.end()
            self._records.put(None)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits for the records
            self._records.put(error)

    def end(self) -> None:
        """Ends the process, whatever it does."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()
            pool.join()

    def _record_of(self, task: Task) -> Record:
        if self._pool is None:
            # "spawn": a process that was forked after TensorFlow ran hangs.
            self._pool = pebble.ProcessPool(max_workers=1, context=multiprocessing.get_context("spawn"))
            self._runs = 0
            # A process that cannot even start says so here: that is no result of any task.
            self._pool.schedule(self._warm_up or int).result()
        self._runs += task.weight
        try:
            record: Record = self._pool.schedule(task.call, args=task.arguments, timeout=task.timeout_s).result()
        except pebble.ProcessExpired:
            record = {**task.key, "error": "the process died"}
        except TimeoutError:
            record = {**task.key, "error": f"not done after {task.timeout_s:.0f} s"}
        else:
            return record
        self.end()
        return record


def run(
    tasks: Sequence[Task],
    path: Path | None = None,
    warm_up: Callable[[], None] | None = None,
    runs_a_process: int = RUNS_A_PROCESS,
    workers: int = 1,
) -> Iterator[Record]:
    """Runs what is not in the file yet, or failed when it was run; appends each record and yields it.

    Args:
        tasks: In order.
        path: Of the file; None to keep none.
        warm_up: A function of a module that each new process calls first.
        runs_a_process: Runs after which a fresh process takes over.
        workers: Processes at a time.

    Yields:
        The records of the tasks that were run here. A process that dies, or takes too long, leaves a record with its
        key and an `error`.

    Raises:
        ProcessExpired: A process dies while it starts.
    """
    waiting = [task for task, is_done in zip(tasks, done(tasks, finished(path)), strict=True) if not is_done]
    grouped = itertools.groupby(enumerate(waiting), key=lambda pair: pair[1].group or pair[0])
    groups = collections.deque([task for _, task in pairs] for _, pairs in grouped)
    records: queue.Queue[Record | BaseException | None] = queue.Queue()
    threads = [_Worker(groups, records, warm_up, runs_a_process) for _ in range(min(workers, len(groups)))]
    for thread in threads:
        thread.start()
    n_running = len(threads)
    try:
        while n_running:
            record = records.get()
            if record is None:
                n_running -= 1
                continue
            if isinstance(record, BaseException):
                raise record
            append(path, record)
            yield record
    finally:
        groups.clear()
        for thread in threads:
            thread.end()
