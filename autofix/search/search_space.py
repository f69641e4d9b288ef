"""The search space: which strategies apply to a case, what they can be set to, and in which order they are tried."""

import dataclasses
import graphlib
from collections.abc import Sequence
from typing import Any

import keras_tuner
import numpy as np

from autofix.causes import CONFIDENT
from autofix.errors import StrategyError
from autofix.recipe import Recipe
from autofix.strategy import LADDER, Case, Strategy

NEAR_THE_LIKELIEST = 0.02
"""Causes whose confidence is this near to the likeliest one's are as likely, and treated with it."""

LIKELY = 0.5
"""Confidence from which a cause is rather the one than not."""

NOT_REGROUPED = "the data comes in batches of its own, whose rows cannot be regrouped"
"""Why strategies that regroup rows are left out."""

Values = dict[str, Any]
"""Settings by their names, `strategy/setting`."""


class SearchSpace:
    """The strategies in play, their settings, and the recipes these stand for.

    Args:
        strategies: In any order.
        case: What they are asked about.

    Attributes:
        strategies: Those that apply, by name, in the order of the ladder.
        left_out: Why the others do not, by name.
        settings: The values of each setting, its default first.
        overruling: Names of those that overrule what the user asked for.
    """

    def __init__(self, strategies: Sequence[Strategy], case: Case) -> None:
        order = {name: index for index, name in enumerate(LADDER)}
        self._case = case
        self.left_out: dict[str, str] = {}
        self.strategies: dict[str, Strategy] = {}
        self.overruling: set[str] = set()
        self.settings: dict[str, list[Any]] = {}
        self.hyperparameters = keras_tuner.HyperParameters()
        ladder = sorted(strategies, key=lambda one: (order.get(one.name, len(order)), one.name))
        self._sequence = _in_sequence(ladder)
        for strategy in self._sequence:
            self._add(strategy)
        self.strategies = {one.name: one for one in ladder if one.name in self.strategies}

    def _add(self, strategy: Strategy) -> None:
        if strategy.needs_surgery and not self._case.evidence.model.can_edit:
            self.left_out[strategy.name] = self._case.evidence.model.why_no_edit
            return
        if strategy.regroups and not self._case.evidence.fit.can_regroup:
            self.left_out[strategy.name] = NOT_REGROUPED
            return
        declared = keras_tuner.HyperParameters()
        remedy = self._prescribe(strategy, declared, self._case)
        if remedy is None:
            # It may apply to what those that come before it leave.
            remedy = self._prescribe(strategy, declared, self._after(strategy))
        if remedy is None:
            self.left_out[strategy.name] = strategy.when_left_out
            return
        if remedy.departure() and not self._confidence(strategy):
            self.left_out[strategy.name] = "nothing points to what it treats, and it would overrule what was asked for"
            return
        self.strategies[strategy.name] = strategy
        if remedy.departure():
            self.overruling.add(strategy.name)
        for setting in declared.space:
            self.settings[setting.name] = choices(setting)
        self.hyperparameters.merge(declared)

    def _after(self, strategy: Strategy) -> Case:
        """The case as the strategies leave it whose remedies one looks at."""
        before = [name for name in strategy.after if name in self.strategies]
        return dataclasses.replace(self._case, recipe=self.recipe(before, self.defaults(before)))

    @staticmethod
    def _prescribe(strategy: Strategy, hp: keras_tuner.HyperParameters, case: Case) -> Any:
        try:
            with hp.name_scope(strategy.name):
                return strategy.prescribe(hp, case)
        except Exception as error:
            raise StrategyError(
                f"A strategy failed. Expected a remedy or None from {strategy.name!r}. Received: {error!r}. "
                "Leave it out with strategies=[...]."
            ) from error

    def settings_of(self, strategy: str) -> list[str]:
        """Names of the settings of a strategy."""
        return [name for name in self.settings if name.split("/")[0] == strategy]

    def defaults(self, strategies: Sequence[str]) -> Values:
        """The first choice of every setting of some strategies."""
        return {name: values[0] for name, values in self.settings.items() if name.split("/")[0] in strategies}

    def recipe(self, strategies: Sequence[str], values: Values) -> Recipe:
        """The recipe that strategies with these settings prescribe: each after those whose remedies it looks at."""
        recipe = Recipe()
        for strategy in self._sequence:
            if strategy.name in strategies:
                hp = keras_tuner.HyperParameters()
                hp.values = dict(values)
                remedy = self._prescribe(strategy, hp, dataclasses.replace(self._case, recipe=recipe))
                recipe = Recipe((*recipe.remedies, remedy)) if remedy is not None else recipe
        return recipe

    def rungs(self, order: str, seed: int = 0) -> list[tuple[str, ...]]:
        """The strategies that each rung adds.

        Args:
            order: `"ladder"` for the fixed order; `"random"` for a random one; `"evidence"` to begin with what treats
                the likeliest cause, go on with all that treat a confident finding, then with what needs no new
                compilation, unless it overrules the user for an unlikely cause, and end with the others, each by
                confidence.
            seed: Of the random order.
        """
        if order == "ladder":
            return [(name,) for name in self.strategies]
        if order == "random":
            return [(str(name),) for name in np.random.default_rng(seed).permutation(list(self.strategies))]
        confidence = {name: self._confidence(strategy) for name, strategy in self.strategies.items()}
        ranked = sorted(self.strategies, key=lambda name: (-confidence[name], self.strategies[name].recompiles))
        likeliest = confidence[ranked[0]] if ranked else 0.0
        first = [name for name in ranked if confidence[name] >= max(CONFIDENT, likeliest - NEAR_THE_LIKELIEST)]
        second = [name for name in ranked if confidence[name] >= CONFIDENT and name not in first]
        rest = [name for name in ranked if name not in first + second]
        # A trial that needs no new compilation takes a twentieth of the time of one that does.
        rest.sort(key=lambda name: self.strategies[name].recompiles or self._is_presumptuous(name))
        others = [(name,) for name in rest]
        return [group for group in (tuple(first), tuple(second), *others) if group]

    def _is_presumptuous(self, name: str) -> bool:
        """Whether a strategy would overrule the user though what it treats is rather not the cause."""
        return name in self.overruling and self._confidence(self.strategies[name]) < LIKELY

    def hopeless_rungs(self, order: str, seed: int = 0) -> list[tuple[str, ...]]:
        """The two rungs for data that no reference learner finds anything in: what is likely, then what is cheap."""
        first, *others = self.rungs(order, seed) or [()]
        rest = self.without_compilation([name for group in others for name in group])
        return [group for group in (first, rest) if group]

    def without_compilation(self, names: Sequence[str]) -> tuple[str, ...]:
        """Those of some strategies that need no new compilation."""
        return tuple(name for name in names if not self.strategies[name].recompiles)

    def n_likely(self, order: str) -> int:
        """How many of the first rungs of an order treat confident findings; none where the order is not by evidence."""
        if order != "evidence":
            return 0
        return sum(
            all(self._confidence(self.strategies[name]) >= CONFIDENT for name in rung) for rung in self.rungs(order)
        )

    def treated(self, recipe: Recipe) -> tuple[str, ...]:
        """Names of the causes found that the strategies of a recipe treat."""
        treats = {cause for name in recipe.strategies for cause in self.strategies[name].treats}
        return tuple(finding.cause for finding in self._case.findings if finding.cause in treats)

    def confidence(self, recipe: Recipe) -> float:
        """How likely the causes are that a recipe treats: the sum over its strategies."""
        return sum(self._confidence(self.strategies[name]) for name in recipe.strategies)

    def _confidence(self, strategy: Strategy) -> float:
        return max((f.confidence for f in self._case.findings if f.cause in strategy.treats), default=0.0)


def _in_sequence(strategies: Sequence[Strategy]) -> list[Strategy]:
    """The strategies, each after those whose remedies it looks at, otherwise in their order."""
    by_name = {strategy.name: strategy for strategy in strategies}
    graph = {name: [other for other in by_name if other in strategy.after] for name, strategy in by_name.items()}
    try:
        return [by_name[name] for name in graphlib.TopologicalSorter(graph).static_order()]
    except graphlib.CycleError as error:
        raise StrategyError(
            f"Strategies wait for each other. Expected `after` without circles. Received: {error.args[1]}. "
            "Leave one of them out with strategies=[...]."
        ) from error


def choices(setting: Any) -> list[Any]:
    """The values of a KerasTuner hyperparameter that a sweep tries, its default first."""
    if setting.conditions:
        raise StrategyError(
            f"A setting is conditional. Expected settings that are always active. Received: {setting.name!r}. "
            "Choose between settings in prescribe() instead."
        )
    values = list(getattr(setting, "values", None) or [])
    if not values and isinstance(setting, keras_tuner.engine.hyperparameters.HyperParameter):
        values = [setting.prob_to_value(probability) for probability in (0.1, 0.3, 0.5, 0.7, 0.9)]
    return list(dict.fromkeys([setting.default, *values]))
