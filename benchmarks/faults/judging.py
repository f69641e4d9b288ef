"""One run of a planted fault, judged. Pure functions of records as JSON knows them, free of Keras."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

Record = dict[str, Any]

SHORT_OF_HEALTHY = 0.3
"""A program counts as broken for a seed when its skill is below this share of the healthy program's."""

AS_GOOD_AS_HEALTHY = 0.9
"""A repair counts when it reaches this share of the healthy program's skill."""

FIRST_OF_SINGLE, FIRST_OF_PAIR = 1, 4
"""Places among which the cause of a single fault, or both causes of a pair, must be."""

FIRST_THREE = 3


class Judged(NamedTuple):
    """One run, judged.

    Args:
        found: The verdict is anything but healthy.
        first: A true cause is ranked first; of a pair one of either, with both among the first four.
        three: A true cause is among the first three; of a pair, as `first`.
        repaired: The verdict is repaired, and fresh rows confirm a skill near that of the healthy program.
        said_repaired: The verdict is repaired.
        right: The fix undoes exactly what was planted.
    """

    found: bool
    first: bool
    three: bool
    repaired: bool
    said_repaired: bool
    right: bool


def number(value: float | None) -> float:
    """A number as JSON knows it; those that are not finite are written as None: NaN."""
    return math.nan if value is None else value


def is_broken(record: Record) -> bool:
    """Whether plain `model.fit` fell far short of the healthy program from this seed.

    Example:

    >>> is_broken({"plain_skill": 0.1, "healthy_skill": 0.9}), is_broken({"plain_skill": 0.8, "healthy_skill": 0.9})
    (True, False)
    """
    return not number(record["plain_skill"]) >= SHORT_OF_HEALTHY * number(record["healthy_skill"])


def ranks(causes: Sequence[Sequence[str]], ranking: Sequence[str]) -> tuple[bool, bool]:
    """Whether the true causes come first, and whether they are among the first three.

    Args:
        causes: For each planted fault, the causes any of which is a right answer.
        ranking: What was found, likeliest first.

    Example:

    >>> ranks([["dead_units"]], ["unscaled_inputs", "dead_units"])
    (False, True)
    >>> ranks([["dead_units"], ["unscaled_inputs"]], ["unscaled_inputs", "frozen_weights", "dead_units"])
    (True, True)
    """
    places = [min((ranking.index(cause) for cause in one if cause in ranking), default=len(ranking)) for one in causes]
    missing = len(ranking)
    if len(places) == 1:
        return places[0] < min(FIRST_OF_SINGLE, missing), places[0] < min(FIRST_THREE, missing)
    both = min(places) == 0 and max(places) < min(FIRST_OF_PAIR, missing)
    return both, both


def is_right(strategies: Iterable[str], fixes: Iterable[frozenset[str]], *, is_pair: bool) -> bool:
    """Whether a fix is one of the right ones; of a pair also a part of one, where that suffices.

    Example:

    >>> is_right(["reshuffle"], [frozenset({"reshuffle"})], is_pair=False)
    True
    """
    chosen = frozenset(strategies)
    return bool(chosen) and any(chosen == one or (is_pair and chosen < one) for one in fixes)


def judge(record: Record, causes: Sequence[Sequence[str]], fixes: Iterable[frozenset[str]]) -> Judged:
    """Judges the record of one run; one that ended in an error has nothing right.

    Args:
        record: With `verdict`, `findings`, `strategies`, `skill`, `skill_lower` and `healthy_skill`.
        causes: For each planted fault, the causes any of which is a right answer.
        fixes: The sets of strategies that undo exactly what was planted.
    """
    if record["error"]:
        return Judged(*[False] * len(Judged._fields))
    first, three = ranks(causes, [finding[0] for finding in record["findings"]])
    said = record["verdict"] == "repaired"
    right = is_right(record["strategies"], fixes, is_pair=len(causes) > 1)
    return Judged(record["verdict"] != "healthy", first, three, said and is_confirmed(record), said, said and right)


def is_confirmed(record: Record) -> bool:
    """Whether fresh rows show a skill near that of the healthy program, and above 0 for certain."""
    near = number(record["skill"]) >= AS_GOOD_AS_HEALTHY * number(record["healthy_skill"])
    return near and number(record["skill_lower"]) > 0.0
