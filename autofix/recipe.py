"""Recipes: ordered sets of remedies, as plain data. `autofix.surgery.architecture` turns a recipe into a model."""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

import numpy as np

from autofix.remedies import RescaleOutputs, SetFitArgument, SetLearningRate
from autofix.remedy import Remedy


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The ordered remedies applied to a program; empty for the program as it is.

    Args:
        remedies: At most one from each strategy.

    Example:

    >>> recipe = Recipe((SetLearningRate("lower_learning_rate", factor=0.01, was=1.0),))
    >>> print(recipe.code())
    optimizer=keras.optimizers.Adam(0.01)   # was 1
    """

    remedies: tuple[Remedy, ...] = ()

    def __iter__(self) -> Iterator[Remedy]:
        return iter(self.remedies)

    def __len__(self) -> int:
        return len(self.remedies)

    @property
    def strategies(self) -> tuple[str, ...]:
        """Names of the strategies in it, in order."""
        return tuple(remedy.strategy for remedy in self.remedies)

    @property
    def needs_surgery(self) -> bool:
        """Whether any remedy goes into the network itself."""
        return any(remedy.needs_surgery for remedy in self.remedies)

    def of(self, kind: type[Remedy]) -> list[Any]:
        """The remedies of one kind."""
        return [remedy for remedy in self.remedies if isinstance(remedy, kind)]

    def without(self, strategies: Iterable[str]) -> Self:
        """The recipe less the remedies of some strategies."""
        dropped = set(strategies)
        kept = tuple(remedy for remedy in self.remedies if remedy.strategy not in dropped)
        return dataclasses.replace(self, remedies=kept)

    @property
    def learning_rate_factor(self) -> float:
        """The product of all factors on the learning rate."""
        factors = [remedy.factor for remedy in self.of(SetLearningRate)]
        factors += [remedy.learning_rate_factor for remedy in self.of(RescaleOutputs)]
        return float(np.prod(factors)) if factors else 1.0

    @property
    def fit_arguments(self) -> dict[str, Any]:
        """The arguments of `fit` that it changes, by name."""
        return {remedy.name: remedy.argument for remedy in self.of(SetFitArgument)}

    @property
    def departures(self) -> tuple[str, ...]:
        """What the user asked for that it overrules, in sentences."""
        return tuple(sentence for remedy in self.remedies if (sentence := remedy.departure()))

    def code(self) -> str:
        """The changes as Keras code to paste, one a line; empty for an empty recipe."""
        return "\n".join(line for remedy in self.remedies for line in remedy.code())

    def apply(self, model: Any) -> Any:
        """A new model with the recipe in it; compiled when `model` is. `fit_arguments` are left to the caller.

        Args:
            model: A built Sequential or functional Keras model. Not changed.

        Returns:
            The new model, with the weights of `model` in every layer that kept its shape.

        Raises:
            ModelError: The recipe cannot be applied to this kind of model, or it is for one with other inputs, outputs
                or names of layers.
        """
        # Imported here because recipes are read in places that must not pay for Keras.
        from autofix.surgery import architecture, transfer

        if architecture.can_edit(model):
            transfer.check_fits(model, self)
        return architecture.build(model, self)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as JSON values."""
        return {"remedies": [remedy.to_dict() for remedy in self.remedies]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The recipe that `to_dict` wrote."""
        return cls(tuple(Remedy.from_dict(remedy) for remedy in values["remedies"]))

    def to_json(self) -> str:
        """The recipe as JSON text."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The recipe that `to_json` wrote."""
        return cls.from_dict(json.loads(text))
