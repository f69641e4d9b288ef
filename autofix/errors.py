"""The errors and warnings of autofix. Each error is also the built-in one that it refines."""

from collections.abc import Sequence
from typing import Any


class AutofixError(Exception):
    """Base of every error that autofix raises itself; what the user's own code raises passes through as it is."""


class DataError(AutofixError, ValueError):
    """The inputs, targets or weights cannot be trained on or compared."""


class ArgumentError(AutofixError, ValueError):
    """An argument has a value that autofix does not know."""


class ModelError(AutofixError, ValueError):
    """The model is not compiled, not built, or of a form that cannot be handled."""


class StrategyError(AutofixError, ValueError):
    """A strategy breaks its contract, or there is none of that name."""


class ScriptError(AutofixError, ValueError):
    """The repaired training cannot be written as a program."""


class UnrepairedError(AutofixError, RuntimeError):
    """The model fails and no repair was proven. Raised with `on_unrepaired="raise"` only.

    Args:
        message: What was found and tried.
        report: The report of the run, None when there is none.
    """

    def __init__(self, message: str = "", report: Any = None) -> None:
        super().__init__(message, report)
        self.report = report

    def __str__(self) -> str:
        return str(self.args[0])


class CodeError(AutofixError, RuntimeError):
    """A Python function that a job names may not run, is not there, or raises."""


class JobFileError(AutofixError, ValueError):
    """A job file cannot be read, or does not say what a job file says.

    Args:
        problems: All of them, each with its place; the message has a line for each.
    """

    def __init__(self, problems: Sequence[Any] = ()) -> None:
        super().__init__(problems)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


class RunError(AutofixError, RuntimeError):
    """A run of jobs cannot start or go on: its folder is in use, or its workers do not start."""


class AutofixWarning(UserWarning):
    """Base of every warning that autofix gives."""


class CollapseWarning(AutofixWarning):
    """The model predicts the same thing for every input, or nothing better than a constant."""
