"""Files that are there whole or not at all, whenever the process or the machine dies."""

import contextlib
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

TEMPORARY_PREFIX = ".unfinished-"
"""Begins the names of files that are still being written; what a killed process leaves of them is cleared away."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of `path` when the block ends without an error.

    Until then, and after an error, whatever `path` held stays as it was.

    Args:
        path: Of the file to be. Its folder has to exist.

    Yields:
        A path in the same folder, with the same suffix, because Keras goes by it.

    Raises:
        OSError: The disk is full, or the folder cannot be written to.

    Example:

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "answer.txt"
    >>> with replacing(target) as temporary:
    ...     length = temporary.write_text("42")
    >>> target.read_text()
    '42'
    """
    # No process id: two machines that share a disk may use the same one.
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}-{path.name}")
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(path)
    except BaseException:
        # A second error here, of a disk that went away, must not hide the first.
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def write(path: Path, content: str | bytes) -> None:
    """Writes a small file, whole or not at all.

    Args:
        path: Of the file; its folder has to exist.
        content: Text is written as UTF-8, as it is.

    Raises:
        OSError: As `replacing`.

    Example:

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "answer.txt"
    >>> write(target, "42")
    >>> target.read_bytes()
    b'42'
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def clear_unfinished(folder: Path, older_than_s: float = 0.0) -> None:
    """Deletes what killed processes left half-written in a folder.

    Args:
        folder: Where to look; not in folders below it.
        older_than_s: Age in seconds of what goes, for folders that other processes may be writing to.
    """
    latest = time.time() - older_than_s
    for path in folder.glob(f"{TEMPORARY_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime <= latest:
                path.unlink()


def _flush(path: Path) -> None:
    """Waits until a file is on the disk: a rename may get there before the content does."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Waits until the rename is on the disk, where folders can be opened for that (not on Windows)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
