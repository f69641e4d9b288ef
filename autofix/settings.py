"""The arguments of `autofix.fit` that Keras does not have, checked."""

import dataclasses
import difflib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autofix.errors import ArgumentError
from autofix.strategy import Strategy

ORDERS = ("evidence", "ladder", "random")

ON_UNREPAIRED = ("warn", "raise")

ON_NONFINITE = ("raise", "drop")

DEFAULT_MAX_TRIALS = 60
"""A ladder of six rungs at ten trials each."""

DEFAULT_ACCEPT = 0.98
"""Share of the reference learners' skill that ends the search. Above it, more trials gain less than their noise."""

MIN_BUDGET_S = 20.0
"""The default budget is the projected time of the user's own run, but never less than a few compilations take, even
on a busy machine."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """How autofix works; every field is an argument of `autofix.fit`, described there."""

    strategies: Sequence[str | Strategy] | None = None
    order: str = "evidence"
    max_trials: int = DEFAULT_MAX_TRIALS
    budget_s: float | None = None
    accept: float = DEFAULT_ACCEPT
    seed: int | None = None
    on_unrepaired: str = "warn"
    directory: str | Path | None = None
    on_nonfinite: str = "raise"
    log_dir: str | Path | None = None

    def __post_init__(self) -> None:
        _one_of("order", self.order, ORDERS)
        _one_of("on_unrepaired", self.on_unrepaired, ON_UNREPAIRED)
        _one_of("on_nonfinite", self.on_nonfinite, ON_NONFINITE)
        _number("max_trials", self.max_trials, "a whole number of at least 1", int, 1)
        _number("accept", self.accept, "a share above 0 and at most 1", (int, float), 0, 1)
        if self.budget_s is not None:
            _number("budget_s", self.budget_s, "a number of seconds above 0, or None", (int, float), 0)
        if self.log_dir is not None and not isinstance(self.log_dir, str | os.PathLike):
            raise ArgumentError(
                f"log_dir is no path. Expected the path of a folder, or None. Received: log_dir={self.log_dir!r}. "
                'Pass one such as "logs".'
            )
        if self.seed is not None:
            _number("seed", self.seed, "a whole number from 0, or None", int, 0)

    @property
    def base_seed(self) -> int:
        """The seed in force: a fixed one when none was given, so that a run can be repeated."""
        return self.seed or 0

    @property
    def parameters(self) -> dict[str, Any]:
        """What decides how a search goes, by name, as numbers and text."""
        names = (getattr(one, "name", str(one)) for one in self.strategies or ())
        return {
            "strategies": "all" if self.strategies is None else ", ".join(names),
            "order": self.order,
            "max_trials": self.max_trials,
            "budget_s": "of the training" if self.budget_s is None else self.budget_s,
            "accept": self.accept,
            "seed": self.base_seed,
        }


def _one_of(name: str, value: Any, allowed: Sequence[str]) -> None:
    if value not in allowed:
        close = difflib.get_close_matches(str(value), allowed, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else "Pass one of them."
        raise ArgumentError(f"Unknown {name}. Expected one of {list(allowed)}. Received: {name}={value!r}. {hint}")


def _number(name: str, value: Any, expected: str, kinds: Any, least: float, most: float | None = None) -> None:
    is_number = isinstance(value, kinds) and not isinstance(value, bool)
    is_share_or_seconds = kinds is not int
    if (
        not is_number
        or value != value
        or value < least
        or (is_share_or_seconds and value == least)
        or (most is not None and value > most)
    ):
        raise ArgumentError(f"{name} is out of range. Expected {expected}. Received: {name}={value!r}. Correct it.")
