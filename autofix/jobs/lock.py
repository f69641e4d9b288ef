"""The lock on a run folder: two runs must not work on the same jobs."""

import contextlib
import dataclasses
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from autofix import atomic_files
from autofix.errors import RunError
from autofix.jobs.processes import Process

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


FORGOTTEN_S = 60.0
"""Age of half-written locks at which nobody, on no machine, is still writing them: that takes moments."""


@dataclasses.dataclass(frozen=True)
class Shard:
    """One of several runs that share the jobs of a file.

    Args:
        index: From 1.
        count: How many there are.

    Example:

    >>> Shard(2, 3).of(["a", "b", "c", "d", "e"])
    ['b', 'e']
    """

    index: int = 1
    count: int = 1

    def of(self, items: list[Any]) -> list[Any]:
        """Every `count`-th item, from the `index`-th on: the same for all runs, without a word between them."""
        return items[self.index - 1 :: self.count]

    def is_apart_from(self, other: "Shard") -> bool:
        """Whether the two have no job in common, whatever the jobs are."""
        return self.count == other.count and self.index != other.index


@dataclasses.dataclass(frozen=True)
class Holder:
    """Who holds a lock.

    Args:
        process: The process.
        shard: Its share of the jobs.
        since: When it took the lock, as an ISO time.
        token: Tells this holding from every other.
    """

    process: Process
    shard: Shard
    since: str
    token: str

    def to_json(self) -> str:
        """The holder as JSON, for people to read as well."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The holder that `to_json` wrote."""
        values = json.loads(text)
        return cls(Process.from_dict(values["process"]), Shard(**values["shard"]), values["since"], values["token"])


class RunLock:
    """Keeps other runs away from the jobs of this one, as a context manager.

    The lock is a file with host and process id. One whose process is dead on this machine is taken over. Of another
    machine's process nothing can be known: its lock stays until it is deleted.

    Args:
        folder: Where the locks of a run folder lie. Is made when it is missing.
        shard: The share of the jobs that this run works on. Other shares of the same division are free.

    Raises:
        RunError: Another run holds the lock.
        OSError: The folder cannot be written to.

    Example:

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with RunLock(folder):
    ...     [holder.shard for holder in holders(folder)]
    [Shard(index=1, count=1)]
    >>> holders(folder)
    []
    """

    def __init__(self, folder: Path, shard: Shard | None = None) -> None:
        shard = shard or Shard()
        self._folder = folder
        self._path = folder / f"{shard.index}-of-{shard.count}.json"
        self._mine = Holder(Process.current(), shard, datetime.now(UTC).isoformat(timespec="seconds"), uuid.uuid4().hex)

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        with _guard(self._folder):
            atomic_files.clear_unfinished(self._folder, FORGOTTEN_S)
            for path in _paths(self._folder):
                self._check(path)
            atomic_files.write(self._path, self._mine.to_json())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What cannot be deleted is recognised as stale by the next run.
        with contextlib.suppress(OSError), _guard(self._folder):
            holder = _read(self._path)
            if holder is not None and holder.token == self._mine.token:
                self._path.unlink()

    def _check(self, path: Path) -> None:
        """Raises when the lock bars this run; deletes one that is stale."""
        holder = _read(path)
        if holder is None:
            return
        if not holder.process.is_alive:
            path.unlink(missing_ok=True)
        elif not holder.shard.is_apart_from(self._mine.shard):
            raise RunError(_bars(holder, path))


def holders(folder: Path) -> list[Holder]:
    """Who works on a run folder right now, as far as can be known.

    Args:
        folder: Where its locks lie; need not exist.
    """
    found = [_read(path) for path in _paths(folder)]
    return [holder for holder in found if holder is not None and holder.process.is_alive]


def _paths(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9]*-of-*.json"))


def _read(path: Path) -> Holder | None:
    """The holder; None where there is no lock."""
    try:
        return Holder.from_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"The lock of the run folder cannot be read. Expected the JSON that a run writes. Received: file={path}. "
            "If no run works on this folder, delete the file."
        ) from error


def _bars(holder: Holder, path: Path) -> str:
    process = holder.process
    where = "on this machine" if process.is_here else f"on {process.host!r}"
    advice = (
        f"Wait for it, or stop it: kill {process.pid}."
        if process.is_here
        else f"Whether it still runs cannot be seen from here: if it does not, delete {path}."
    )
    return (
        "Another run works on these jobs. Expected a run folder that is free. "
        f"Received: process={process.pid} {where}, since {holder.since}. {advice}"
    )


@contextlib.contextmanager
def _guard(folder: Path) -> Iterator[None]:
    """One process of this machine at a time looks at the locks and changes them; the system lets go when it dies."""
    if fcntl is None:
        yield
        return
    with (folder / "guard").open("w") as file:
        # Some network file systems know no such lock: there, the moment of taking over is unguarded.
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
