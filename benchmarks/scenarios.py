"""Scenarios: training programs with what is known of them, and the registry that finds them.

A scenario says how to draw a program from a seed, what an expert would make of it, and what an honest tool says of it.
Those of this package register exactly as a third party's do: by an entry point of the group `autofix.scenarios`, which
names a `Scenario`, several, or a function that returns several.
"""

import dataclasses
import difflib
import fnmatch
import functools
import importlib.metadata
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from autofix.errors import ArgumentError

if TYPE_CHECKING:
    from autofix.benchmarks.faults.trained import Trainable

ENTRY_POINT_GROUP = "autofix.scenarios"

SUITES = ("quick", "full", "planted", "healthy", "unlearnable")

VERDICTS = ("repaired", "healthy", "unlearnable")


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A training program with what is known of it. autofix, and every other arm, gets nothing of this but the program.

    Args:
        name: Unique; for the command line and the results.
        family: Kind of data, for the tables of results.
        verdict: What an honest tool says: `"repaired"` of a broken program, `"healthy"`, or `"unlearnable"`.
        draw: The program of a seed.
        fix: The program of a seed as an expert would change it by hand; None where there is nothing to change.
        causes: For each fault, the causes any of which is a right answer; empty where there is none.
        fixes: The sets of strategies that undo exactly what is wrong.
        strength: Where in its range the strength of the fault lies, from 0 to 1; None where each seed draws it.
        difficulty: Share of the targets that is noise, from 0 to 1.
        suites: Names of the suites that it is part of.
        is_searched: Whether the searches that take minutes a run are run on it as well.
        fixed_as: Names the program that `fix` leads to, where other scenarios lead to the same one: the skill that it
            reaches is then measured once for all of them. Empty where it is this scenario's own.
    """

    name: str
    family: str
    verdict: str
    draw: "Callable[[int], Trainable]"
    fix: "Callable[[int], Trainable] | None" = None
    causes: tuple[tuple[str, ...], ...] = ()
    fixes: tuple[frozenset[str], ...] = ()
    strength: float | None = None
    difficulty: float = 0.0
    suites: frozenset[str] = frozenset({"full"})
    is_searched: bool = False
    fixed_as: str = ""

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise ArgumentError(
                f"Unknown verdict. Expected one of {list(VERDICTS)}. Received: verdict={self.verdict!r}. "
                "Pass one of them."
            )
        if self.verdict == "repaired" and (self.fix is None or not self.causes):
            raise ArgumentError(
                "A broken scenario says what is wrong and how to fix it. Expected fix and causes. "
                f"Received: fix={self.fix!r}, causes={self.causes!r}, name={self.name!r}. Pass both."
            )

    @property
    def cause(self) -> str:
        """The group of the tables that it belongs to: its first cause, or the first of each of a pair."""
        return " + ".join(causes[0] for causes in self.causes) or self.verdict


def _scenarios_of(loaded: Any) -> Iterable[Scenario]:
    """What an entry point names, as scenarios."""
    if isinstance(loaded, Scenario):
        return (loaded,)
    return tuple(loaded() if callable(loaded) else loaded)


@functools.cache
def registered() -> dict[str, Scenario]:
    """All installed scenarios by name, loaded from the entry points.

    Raises:
        ArgumentError: An entry point cannot be loaded, names something else, or a name is used twice.
    """
    found: dict[str, Scenario] = {}
    for point in sorted(importlib.metadata.entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name):
        try:
            scenarios = tuple(_scenarios_of(point.load()))
        except Exception as error:
            raise ArgumentError(
                f"Scenarios cannot be loaded. Expected them at entry point {point.name!r}. "
                f"Received: {point.value!r}, which raised {error!r}. Update or uninstall {point.dist}."
            ) from error
        for scenario in scenarios:
            if not isinstance(scenario, Scenario) or scenario.name in found:
                raise ArgumentError(
                    "An entry point is not what it should be. Expected scenarios with names of their own. "
                    f"Received: {scenario!r} at entry point {point.name!r}. Update or uninstall {point.dist}."
                )
            found[scenario.name] = scenario
    return found


def chosen(suite: str, names: Sequence[str] = ()) -> list[Scenario]:
    """The scenarios of a suite, or those that are named.

    Args:
        suite: One of `SUITES`.
        names: Of scenarios, whatever suite they are part of; `dead_units/*` stands for all whose names begin so, and
            `*/images` for all that end so. All of the suite when empty.

    Raises:
        ArgumentError: There is no scenario of a name.
    """
    every = registered()
    if not names:
        return [scenario for scenario in every.values() if suite in scenario.suites]
    found: dict[str, Scenario] = {}
    for name in names:
        matching = [one for one in every.values() if one.name == name or fnmatch.fnmatchcase(one.name, name)]
        if not matching:
            close = difflib.get_close_matches(name, every, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else "`autofix bench --list` shows them."
            raise ArgumentError(f"Unknown scenario. Expected the name of one. Received: {name!r}. {hint}")
        found.update({one.name: one for one in matching})
    return list(found.values())


def in_turns(scenarios: Sequence[Scenario], seed: int) -> list[Scenario]:
    """Of the scenarios with the same cause and kind of data only one, another one with the next seed.

    Args:
        scenarios: To choose from.
        seed: Whose turn it is.
    """
    groups: dict[tuple[str, str], list[Scenario]] = {}
    for scenario in scenarios:
        groups.setdefault((scenario.cause, scenario.family), []).append(scenario)
    return [group[seed % len(group)] for group in groups.values()]
