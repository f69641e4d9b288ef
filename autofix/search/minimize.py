"""The smallest sufficient recipe: remedies are dropped while the proven skill stays."""

import itertools
import time
from collections.abc import Callable, Iterator

from autofix.recipe import Recipe
from autofix.search.judge import Judge
from autofix.search.trials import Outcome


def minimize(
    judge: Judge,
    outcome: Outcome,
    on_trial: Callable[[Outcome, bool, float], None],
    likelihood: Callable[[Recipe], float] = len,
) -> Outcome:
    """Drops remedies one at a time, then in pairs, for as long as what is left is proven and as good.

    As good as the best so far: a recipe with one remedy fewer may have more skill than the accepted one.

    This is the greedy half of delta debugging (Zeller & Hildebrandt 2002): the result has no single remedy, and no
    pair, that could still go - unless the budget runs out first.

    Args:
        judge: Runs and compares the recipes.
        outcome: Of the accepted recipe, repeat 0.
        on_trial: Called with each smaller recipe's outcome, whether it was kept, and its seconds.
        likelihood: How likely what a recipe treats is the cause: decides between recipes that are practically as good.

    Returns:
        The outcome of the smallest recipe.
    """
    smallest, best = outcome, outcome.recipe
    while (smaller := _best_smaller(judge, smallest, best, on_trial, likelihood)) is not None:
        smallest = smaller
        best = max(best, smaller.recipe, key=judge.mean_skill)
    return smallest


def _best_smaller(
    judge: Judge,
    current: Outcome,
    best: Recipe,
    on_trial: Callable[[Outcome, bool, float], None],
    likelihood: Callable[[Recipe], float],
) -> Outcome | None:
    for n_dropped in (1, 2):
        kept = []
        for recipe in _subsets(current.recipe, n_dropped):
            if judge.is_out_of_time:
                return None
            started = time.perf_counter()
            candidate = judge.run(recipe)
            keeps = judge.is_proven(candidate) and judge.confirms(recipe) and judge.keeps_skill(recipe, best)
            on_trial(candidate, keeps, time.perf_counter() - started)
            if keeps:
                kept.append(candidate)
        if kept:
            most = max((candidate.recipe for candidate in kept), key=judge.mean_skill)
            as_good = [candidate for candidate in kept if judge.keeps_skill(candidate.recipe, most)]
            return max(as_good, key=lambda candidate: (likelihood(candidate.recipe), candidate.skill))
    return None


def _subsets(recipe: Recipe, n_dropped: int) -> Iterator[Recipe]:
    """The recipes with some remedies fewer; never the empty one, which is the control arm."""
    if len(recipe) > n_dropped:
        for dropped in itertools.combinations(recipe.strategies, n_dropped):
            yield recipe.without(dropped)
