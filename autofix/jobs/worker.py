"""A worker process: imports what it needs once, then runs one task after the other until it is told to end.

It is a process of its own session: Ctrl-C in the terminal reaches the run alone, which then ends its workers. When the
run dies, so do its workers, at once and with all that they started.
"""

import contextlib
import dataclasses
import faulthandler
import importlib
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from autofix.jobs.processes import kill_tree, memory

READY = "ready"
"""What a worker says when it has imported everything."""

BEGUN = "begun"
"""What it says of a task before it calls the function: a task of which nothing was said is as good as new."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What every worker of an engine does.

    Args:
        function: Address of the function, as `"module:name"`. It takes the payload of a task and returns a value that
            can be pickled. It is imported in the worker only, after the number of threads is set.
        warm_up: Address of a function without arguments that imports what is slow; empty for none.
        threads: Of each worker, for linear algebra.
        log: Path of the file that gets what workers print outside of tasks; empty for nowhere.
    """

    function: str
    warm_up: str = ""
    threads: int = 1
    log: str = ""


@dataclasses.dataclass(frozen=True)
class Reply:
    """What a worker says of a task.

    Args:
        value: What the function returned; None when it raised.
        error: What it raised, in a line; empty when it returned.
        memory: Bytes of memory that the worker holds now.
    """

    value: Any
    error: str
    memory: int


def serve(connection: Connection, plan: Plan) -> None:
    """The main function of a worker process.

    Args:
        connection: Gives payloads, takes `READY`, then `BEGUN` and a `Reply` a payload.
        plan: What to do.
    """
    _leave_terminal()
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()
    _write_to(plan.log or os.devnull)
    faulthandler.enable()  # where a segmentation fault happened, in the log
    _limit_threads(plan.threads)
    if plan.warm_up:
        resolve(plan.warm_up)()
    function = resolve(plan.function)
    connection.send((READY, memory()))
    while True:
        try:
            payload = connection.recv()
        except EOFError:  # the run has no more tasks for this worker
            return
        connection.send(BEGUN)
        value, error = _call(function, payload)
        connection.send(Reply(value, error, memory()))


def resolve(address: str) -> Callable[..., Any]:
    """The function at an address.

    Args:
        address: As `"module:name"`.

    Example:

    >>> resolve("os.path:basename")("a/b")
    'b'
    """
    module, _, name = address.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def _call(function: Callable[..., Any], payload: Any) -> tuple[Any, str]:
    try:
        return function(payload), ""
    except BaseException as error:  # noqa: BLE001 - SystemExit of a user's code must not take the worker along
        with contextlib.suppress(OSError):  # a disk that is full takes no traceback either
            traceback.print_exc()
        return None, describe(error)


def describe(error: BaseException) -> str:
    r"""An error in one line.

    Example:

    >>> describe(ValueError("no such\n  column"))
    'ValueError: no such column'
    """
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _leave_terminal() -> None:
    """Out of the reach of Ctrl-C, which was blocked while this process started, so that none came too early."""
    if hasattr(os, "setsid"):
        os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})


def _end_with_parent() -> None:
    """Waits for the death of the process that started this one, then ends this one and all that it started.

    The parent holds the other end of a pipe, which the system closes however the parent dies.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        kill_tree(os.getpid(), with_root=False)
        os._exit(1)


def _write_to(path: str) -> None:
    """Sends what is printed to a file, at the level of file descriptors: C++ code prints as well."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
    for text_stream in (sys.stdout, sys.stderr):
        if hasattr(text_stream, "reconfigure"):
            text_stream.reconfigure(line_buffering=True, encoding="utf-8", errors="backslashreplace")


def _limit_threads(threads: int) -> None:
    """Read by NumPy's linear algebra and by TensorFlow when they are imported, so this comes first."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        os.environ[name] = str(threads)
    # One more operation at a time than there are threads for brings nothing.
    os.environ["TF_NUM_INTEROP_THREADS"] = str(threads)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Or the first worker takes all memory of a graphics processor, and leaves none to the others.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
