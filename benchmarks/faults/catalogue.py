"""All faults, alone and in pairs, and the programs they are planted into."""

from collections.abc import Sequence
from typing import NamedTuple

from autofix.benchmarks.faults import data_faults, network_faults, training_faults
from autofix.benchmarks.faults.fault import Double, Fault

FAULTS = (*data_faults.FAULTS, *training_faults.FAULTS, *network_faults.FAULTS)

_FAULT = {fault.name: fault for fault in FAULTS}

DOUBLES = tuple(
    Double((_FAULT[first], _FAULT[second]), bases)
    for first, second, bases in (
        ("unscaled_inputs", "learning_rate_too_high", ("regression", "images")),
        ("linear_network", "unscaled_targets", ("regression",)),
        ("frozen_weights", "softmax_over_one", ("binary",)),
        ("unshuffled_data", "unscaled_inputs", ("multiclass",)),
        ("unscaled_inputs", "unscaled_targets", ("regression", "series")),
        ("unscaled_targets", "zero_weights", ("regression",)),
        ("learning_rate_too_high", "linear_network", ("binary",)),
        ("learning_rate_too_low", "stacked_sigmoids", ("multiclass",)),
        ("dead_units", "unscaled_inputs", ("images",)),
        ("unencoded_categories", "unscaled_targets", ("codes",)),
        ("l2_penalty", "unshuffled_data", ("regression",)),
        ("dropout", "learning_rate_too_high", ("multiclass",)),
        ("frozen_weights", "unscaled_targets", ("series",)),
        ("softmax_over_one", "learning_rate_too_low", ("tokens",)),
    )
)

BY_FAULT: dict[str, Fault | Double] = {**_FAULT, **{double.name: double for double in DOUBLES}}


class Case(NamedTuple):
    """A fault in a program with the rows, the initial weights and the strength of one seed."""

    fault: str
    base: str
    seed: int


def true_causes(fault: str) -> tuple[tuple[str, ...], ...]:
    """For each fault that was planted, the causes any of which is a right answer."""
    found = BY_FAULT[fault]
    parts = found.faults if isinstance(found, Double) else (found,)
    return tuple(part.causes for part in parts)


def right_fixes(fault: str) -> tuple[frozenset[str], ...]:
    """The sets of strategies that undo exactly what was planted; of a pair, one set for each of the two together."""
    found = BY_FAULT[fault]
    if isinstance(found, Fault):
        return found.fixes
    first, second = found.faults
    return tuple(dict.fromkeys(one | other for one in first.fixes for other in second.fixes))


def cases(
    seeds: Sequence[int], faults: Sequence[str] = (), bases: Sequence[str] = (), *, doubles: bool = False
) -> list[Case]:
    """Every fault in every program it breaks, seed by seed, so that what has run first covers all of them.

    Args:
        seeds: Of rows, weights and strengths.
        faults: Names of those to plant; all when empty.
        bases: Names of the programs to plant them into; all that they break when empty.
        doubles: Whether to plant pairs instead of single faults.
    """
    chosen: Sequence[Fault | Double] = DOUBLES if doubles else FAULTS
    return [
        Case(fault.name, base, seed)
        for seed in seeds
        for fault in chosen
        for base in fault.bases
        if (not faults or fault.name in faults) and (not bases or base in bases)
    ]
