"""Calls the Python functions that jobs name, where the user allows it."""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from autofix.errors import CodeError
from autofix.jobs.content import FUNCTION


def call(
    function: str,
    folder: Path,
    arguments: Mapping[str, Any],
    allow_code: bool,
    offered: Mapping[str, Any] | None = None,
) -> Any:
    """What a named function returns.

    Args:
        function: `train.py:build_model` or `package.module:function`.
        folder: Where the path begins; modules are looked for there first.
        arguments: By keyword.
        allow_code: Whether the user allows code of job files to run.
        offered: Further keyword arguments, passed where the function has parameters of these names.

    Raises:
        CodeError: Code is not allowed, the function is not there, or it raised.
    """
    if not allow_code:
        raise CodeError(
            f"Code may not run. Expected --allow-code for jobs with Python functions. Received: function={function!r}. "
            "Give that option if you trust the job file and the code."
        )
    found = _load(function, folder)
    taken = _parameters(found)
    extra = {name: value for name, value in (offered or {}).items() if name in taken and name not in arguments}
    try:
        return found(**arguments, **extra)
    except Exception as error:
        raise CodeError(
            f"A function of the job failed. Expected {function} to return. Received: {type(error).__name__}: {error}, "
            f"with arguments={dict(arguments)!r}. Correct the function or its arguments."
        ) from error


def _parameters(function: Callable[..., Any]) -> set[str]:
    try:
        return set(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # of some built-in callables there is no signature
        return set()


def _load(function: str, folder: Path) -> Callable[..., Any]:
    match = FUNCTION.fullmatch(function)
    if match is None:
        raise CodeError(
            f"This names no function. Expected `train.py:function` or `package.module:function`. "
            f"Received: function={function!r}. Correct it."
        )
    try:
        module = _module(match["module"], folder)
    except Exception as error:
        raise CodeError(
            f"The code of a job cannot be loaded. Expected a module {match['module']!r} in {folder} or installed. "
            f"Received: {type(error).__name__}: {error}. Correct the name or the module."
        ) from error
    found = getattr(module, match["name"], None)
    if not callable(found):
        raise CodeError(
            f"There is no such function. Expected a function in {match['module']}. "
            f"Received: function={function!r}. Correct the name."
        )
    return found


def _module(name: str, folder: Path) -> ModuleType:
    if not name.endswith(".py"):
        _search(folder)
        return importlib.import_module(name)
    path = (folder / name).resolve()
    _search(path.parent)  # what the script imports lies beside it, as when Python runs it
    key = f"autofix_job_code:{path}"
    if key not in sys.modules:
        spec = importlib.util.spec_from_file_location(key, path)
        if spec is None or spec.loader is None:
            raise FileNotFoundError(path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[key] = module  # before it runs: what it defines may be pickled or registered
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[key]
            raise
    return sys.modules[key]


def _search(folder: Path) -> None:
    """Makes Python look in a folder first."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
