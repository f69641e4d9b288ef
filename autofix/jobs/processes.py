"""Processes told apart for good: a process id alone is given to another process later."""

import dataclasses
import os
import socket
import time
from typing import Any, Self

import psutil

SAME_START_S = 2.0
"""Start times of one process may differ by this when they are read at different times: psutil reckons from the start of
the machine, which moves when the clock is set. Nobody runs through all process ids in that time."""


LOOK_S = 0.02
"""How often it is looked whether a process that was killed is gone, which takes a moment."""


@dataclasses.dataclass(frozen=True)
class Process:
    """One process on one machine.

    Args:
        host: Name of the machine.
        pid: Its process id there.
        started: When it started, in seconds since 1970.

    Example:

    >>> here = Process.current()
    >>> here.is_here, here.is_alive
    (True, True)
    >>> Process.from_dict(here.to_dict()) == here
    True
    """

    host: str
    pid: int
    started: float

    @classmethod
    def current(cls) -> Self:
        """The process that asks."""
        return cls(socket.gethostname(), os.getpid(), psutil.Process().create_time())

    @property
    def is_here(self) -> bool:
        """Whether it is one of this machine's, dead or alive."""
        return self.host == socket.gethostname()

    @property
    def is_alive(self) -> bool:
        """Whether it still runs; of another machine's process nothing is known, which counts as alive."""
        try:
            return not self.is_here or self._find() is not None
        except psutil.AccessDenied:  # somebody else's, so it is there
            return True

    def end(self, timeout_s: float = 10.0) -> None:
        """Kills it and what it started, where it runs on this machine, and waits until it is gone.

        Args:
            timeout_s: Seconds to wait at most.
        """
        if not self.is_here or not self.is_alive or self.pid == os.getpid():
            return
        kill_tree(self.pid)
        deadline = time.monotonic() + timeout_s
        while self.is_alive and time.monotonic() < deadline:
            time.sleep(LOOK_S)

    def _find(self) -> psutil.Process | None:
        try:
            found = psutil.Process(self.pid)
            is_same = abs(found.create_time() - self.started) < SAME_START_S
            return found if is_same and found.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None

    def to_dict(self) -> dict[str, Any]:
        """The process as JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The process that `to_dict` wrote; further values are left aside."""
        return cls(str(values["host"]), int(values["pid"]), float(values["started"]))


def kill_tree(pid: int, with_root: bool = True) -> None:
    """Kills a process and all that it started, at once.

    Args:
        pid: Of the process.
        with_root: False to leave the process itself.
    """
    try:
        root = psutil.Process(pid)
        # Listed before the root dies: its children lose their parent then.
        victims = [*([root] if with_root else []), *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for victim in victims:
        try:
            victim.kill()
        except psutil.Error:  # gone, or not ours to kill
            continue


def memory() -> int:
    """Bytes of memory that this process holds."""
    return int(psutil.Process().memory_info().rss)


def cores() -> int:
    """Processor cores that this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
