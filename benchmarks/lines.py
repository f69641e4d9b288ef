"""Results as lines of JSON that are appended as they come, so that a benchmark that was stopped goes on.

The runs take place in a worker process of their own, a fresh one now and then: each compiled network leaves some
5 MB in its process for good.
"""

import concurrent.futures
import json
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple

RUNS_A_PROCESS = 40

Record = dict[str, Any]


class Task(NamedTuple):
    """A call for the worker process.

    Args:
        key: What tells its record from others: these fields have these values in it.
        call: A function of a module, called with `arguments`; its record holds the fields of `key`.
        arguments: To pass; must go through pickle.
    """

    key: Record
    call: Callable[..., Record]
    arguments: tuple[Any, ...]


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


def _finished(path: Path | None) -> list[Record]:
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


def is_done(key: Record, records: Iterable[Record]) -> bool:
    """Whether one of the records has the key's fields.

    Example:

    >>> is_done({"seed": 1}, [{"seed": 1, "verdict": "healthy"}]), is_done({"seed": 2}, [{"seed": 1}])
    (True, False)
    """
    return any(all(record.get(name) == value for name, value in key.items()) for record in records)


def run(
    tasks: Sequence[Task],
    path: Path | None = None,
    warm_up: Callable[[], None] | None = None,
    runs_a_process: int = RUNS_A_PROCESS,
) -> Iterator[Record]:
    """Runs what is not in the file yet, or failed when it was run; appends each record and yields it.

    Args:
        tasks: In order.
        path: Of the file; None to keep none.
        warm_up: A function of a module that each new process calls first.
        runs_a_process: Runs after which a fresh process takes over.

    Yields:
        The records of the tasks that were run here. A process that dies leaves a record with its key and an `error`.

    Raises:
        BrokenProcessPool: A process dies while it starts.
    """
    known = _finished(path)
    waiting = [task for task in tasks if not is_done(task.key, known)]
    while waiting:
        # "spawn": a process that was forked after TensorFlow ran hangs.
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context, initializer=warm_up) as worker:
            # A process that cannot even start says so here: that is no result of any task.
            worker.submit(int).result()
            for _ in range(min(runs_a_process, len(waiting))):
                task = waiting.pop(0)
                is_broken = False
                try:
                    record = worker.submit(task.call, *task.arguments).result()
                except BrokenProcessPool:
                    record, is_broken = {**task.key, "error": "the process died"}, True
                append(path, record)
                yield record
                if is_broken:
                    break


def collect(
    tasks: Sequence[Task],
    path: Path | None,
    warm_up: Callable[[], None] | None = None,
    show: Callable[[Record], None] = lambda record: None,
) -> list[Record]:
    """The records of all tasks: those in the file, and those that are run now, which are shown as they come."""
    kept = [record for record in _finished(path) if any(is_done(task.key, [record]) for task in tasks)]
    for record in run(tasks, path, warm_up):
        kept.append(record)
        show(record)
    return kept
