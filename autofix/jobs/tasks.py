"""What an engine is given and what it tells: plain values that go into another process or to another machine."""

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any, Self

LOST = ("crash", "timeout")
"""How a task can be lost without a word of its own: its process died, or was ended because it took too long."""


@dataclasses.dataclass(frozen=True)
class Task:
    """One call of the function that an engine runs.

    Args:
        name: Tells the task from others.
        payload: What the function gets: JSON values.
        timeout_s: Seconds after which it is ended; None for no limit.
        cpus: Processor cores it asks of a cluster.
        gpus: Graphics processors it asks of a cluster.
    """

    name: str
    payload: dict[str, Any]
    timeout_s: float | None = None
    cpus: float = 1.0
    gpus: float = 0.0


@dataclasses.dataclass(frozen=True)
class Started:
    """A worker began a task.

    Args:
        task: The task.
    """

    task: Task


@dataclasses.dataclass(frozen=True)
class Finished:
    """The function returned.

    Args:
        task: The task.
        value: What it returned.
    """

    task: Task
    value: Any


@dataclasses.dataclass(frozen=True)
class Failed:
    """The function raised an error, or its process was lost.

    Args:
        task: The task.
        failure: `"error"`, `"crash"` or `"timeout"`.
        reason: Why, in a sentence.
    """

    task: Task
    failure: str
    reason: str


Event = Started | Finished | Failed


class Engine(abc.ABC):
    """Runs one function on many tasks, in other processes. Use it as a context manager: leaving it ends what runs.

    Events of a task come in order, those of different tasks in any.
    """

    @abc.abstractmethod
    def submit(self, task: Task) -> None:
        """Takes a task. It runs when there is room for it."""

    @abc.abstractmethod
    def wait(self, timeout_s: float) -> Sequence[Event]:
        """What happened; waits for something to happen, but not longer than `timeout_s` seconds.

        Raises:
            RunError: Workers do not start, or the cluster is gone.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Ends all workers at once, with what they are doing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
