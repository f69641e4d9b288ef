"""What a file holds, as a hash; and where the code of a named Python function lies."""

import functools
import hashlib
import os
import re
import sys
from pathlib import Path

FUNCTION = re.compile(r"(?P<module>[^:]*\.py|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):(?P<name>[A-Za-z_]\w*)")
"""`train.py:build_model` or `package.module:function`."""

MISSING = "missing"
"""Hash of a file that is not there: the job that names it changes when it comes."""


def is_function(text: str) -> bool:
    """Whether a text names a Python function, not a file.

    Example:

    >>> is_function("train.py:build_model"), is_function("models.churn:build"), is_function("churn.keras")
    (True, True, False)
    """
    return FUNCTION.fullmatch(text) is not None


def code_file(function: str, folder: Path) -> Path | None:
    """The file that holds a function, found without running any code; None where there is none to be found.

    Args:
        function: As `is_function` knows them.
        folder: Where paths begin, and where modules are looked for first.
    """
    match = FUNCTION.fullmatch(function)
    if match is None:
        return None
    if match["module"].endswith(".py"):
        return folder / match["module"]
    # importlib.util.find_spec would run the packages above the module.
    parts = match["module"].split(".")
    for root in (folder, *map(Path, sys.path)):
        for path in (root.joinpath(*parts).with_suffix(".py"), root.joinpath(*parts, "__init__.py")):
            if path.is_file():
                return path
    return None


@functools.lru_cache(maxsize=4096)
def _hash(path: str, size: int, modified_ns: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_hash(path: Path) -> str:
    """The SHA-256 of a file's content; `MISSING` where there is no such file.

    A file is read again only when its size or its time of change differ: a run asks for the same data for many jobs.
    """
    try:
        facts = os.stat(path)
        return _hash(os.fspath(path), facts.st_size, facts.st_mtime_ns)
    except OSError:
        return MISSING
