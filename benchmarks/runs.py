"""The runs of `autofix bench`: which arm is run on which scenario from which seed. Imports Keras."""

from collections.abc import Sequence

from autofix.benchmarks import arms as all_arms
from autofix.benchmarks import lines
from autofix.benchmarks import scenarios as registry
from autofix.benchmarks.arms import Arm, Budget
from autofix.benchmarks.scenarios import Scenario
from autofix.errors import ArgumentError

SEARCH_WEIGHT = 30
"""A search compiles as many networks as this many ordinary runs."""


def scenarios(suite: str, names: Sequence[str]) -> list[Scenario]:
    """The scenarios of a suite, or those that are named."""
    return registry.chosen(suite, names)


def arms(names: Sequence[str]) -> list[Arm]:
    """The arms of these names, `nothing` first, which others are compared with.

    Raises:
        ArgumentError: There is no arm of a name.
    """
    if unknown := [name for name in names if name not in all_arms.BY_NAME]:
        raise ArgumentError(
            f"Unknown arm. Expected some of {list(all_arms.BY_NAME)}. Received: {', '.join(unknown)}. Correct it."
        )
    return [arm for arm in all_arms.ARMS if arm.name in names]


def tasks(
    scenarios: Sequence[Scenario],
    arms: Sequence[Arm],
    seeds: Sequence[int],
    *,
    n_trials: int,
    workers: int,
    shard: tuple[int, int] = (1, 1),
    in_turns: bool = False,
) -> list[lines.Task]:
    """Every arm on every scenario from every seed, seed by seed, so that what has run first covers all of them.

    Searches are run from the first seed only.

    Args:
        scenarios: To run on.
        arms: To run.
        seeds: To draw programs from.
        n_trials: Of the searches of others.
        workers: Processes at a time, for the records.
        shard: Which part, from 1, of how many.
        in_turns: Whether each seed draws only one of the scenarios with the same cause and kind of data.
    """
    part, whole = shard
    # Neighbours share a process, and with it what a fix by hand that they have in common is worth.
    ordered = sorted(scenarios, key=lambda scenario: scenario.fixed_as)
    drawn = [
        (scenario, seed) for seed in seeds for scenario in (registry.in_turns(ordered, seed) if in_turns else ordered)
    ]
    budget = Budget(n_trials)
    return [
        lines.Task(
            {"kind": "bench", "scenario": scenario.name, "seed": seed, "arm": arm.name},
            all_arms.run,
            (scenario.name, arm.name, seed, budget, workers),
            group=f"{scenario.name} {seed}",
            weight=SEARCH_WEIGHT if arm.is_search else 1,
            timeout_s=all_arms.DIED_S,
        )
        for scenario, seed in drawn[part - 1 :: whole]
        for arm in arms
        if arm.applies_to(scenario) and (seed == seeds[0] or not arm.is_search)
    ]
