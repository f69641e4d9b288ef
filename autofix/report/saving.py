"""Writes text to a file whole or not at all."""

import contextlib
import os
import pathlib
import tempfile


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a text file so that a reader never sees half of it, and an old one stays if writing fails.

    Args:
        path: Of the file. Its folder must exist.
        text: Written as UTF-8.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


def _umask() -> int:
    """The process' mask of permissions, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
