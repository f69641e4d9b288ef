"""Remedies and recipes: what is changed in a training program, as plain data.

A `Remedy` is one change; a `Recipe` is an ordered set of them. Both are immutable, go through JSON and print
themselves as Keras code. Nothing here imports Keras: `autofix.architecture` turns a recipe into a model.
"""

import abc
import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Self

import numpy as np

from autofix.errors import ArgumentError

CODE_DIGITS = 6
"""Significant digits of a number in code to paste: float32 holds no more than about seven."""

CODE_LIST_LENGTH = 8
"""Longer statistics are abbreviated in code; `Recipe.to_json` keeps every value."""

SHUFFLE_BUFFER_ROWS = 10_000
"""Rows that a `tf.data.Dataset` is shuffled within: more than the sample that the trials shuffle."""


def _number(value: float) -> str:
    return f"{value:.{CODE_DIGITS}g}"


def _numbers(values: Iterable[float]) -> str:
    shown = [_number(value) for value in values]
    if len(shown) > CODE_LIST_LENGTH:
        shown = [*shown[: CODE_LIST_LENGTH - 1], "...", shown[-1]]
    return f"[{', '.join(shown)}]"


@dataclasses.dataclass(frozen=True)
class Remedy(abc.ABC):
    """One change to a training program. Subclasses are frozen dataclasses of JSON values.

    Args:
        strategy: Name of the strategy that prescribed it.
    """

    strategy: str

    kind: ClassVar[str]
    """Name of the subclass in JSON."""

    needs_surgery: ClassVar[bool] = False
    """Whether the change goes into the network itself, which only Sequential and functional models allow."""

    kinds: ClassVar[dict[str, type["Remedy"]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Remedy.kinds[cls.kind] = cls

    @abc.abstractmethod
    def code(self) -> list[str]:
        """The change as lines of Keras code to paste."""

    def to_dict(self) -> dict[str, Any]:
        """The remedy as JSON values, `kind` included."""
        return {"kind": self.kind, **dataclasses.asdict(self)}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "Remedy":
        """The remedy that `to_dict` wrote.

        Raises:
            ArgumentError: `kind` is unknown.
        """
        fields = dict(values)
        kind = fields.pop("kind", None)
        if kind not in Remedy.kinds:
            raise ArgumentError(
                f"Unknown remedy. Expected one of {sorted(Remedy.kinds)}. Received: kind={kind!r}. "
                "Load the recipe with the version of autofix that wrote it."
            )
        return Remedy.kinds[kind](**{name: _frozen(value) for name, value in fields.items()})


def _frozen(value: Any) -> Any:
    """JSON lists as tuples, at every depth."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value


@dataclasses.dataclass(frozen=True)
class NormalizeInputs(Remedy):
    """Standardises the inputs with `keras.layers.Normalization` layers inside the model.

    Args:
        strategy: Name of the strategy that prescribed it.
        mean: For each input of the model, the means over its last axis, or None to leave that input alone.
        variance: The variances, shaped like `mean`.
    """

    mean: tuple[tuple[float, ...] | None, ...]
    variance: tuple[tuple[float, ...] | None, ...]

    kind: ClassVar[str] = "normalize_inputs"
    needs_surgery: ClassVar[bool] = True

    def transform(self, inputs: list[np.ndarray]) -> list[np.ndarray]:
        """The inputs as the layers inside the model would hand them on, in float32.

        Args:
            inputs: One array a model input, shape `(n_samples, ...)`. Not changed.
        """
        return [
            array if mean is None else self._standardize(array, mean, variance)
            for array, mean, variance in zip(inputs, self.mean, self.variance, strict=True)
        ]

    @staticmethod
    def _standardize(array: np.ndarray, mean: Any, variance: Any) -> np.ndarray:
        values = array[:, None] if array.ndim == 1 else array
        scaled = (values.astype(np.float32) - np.float32(mean)) / np.sqrt(np.float32(variance))
        return scaled.reshape(array.shape)

    def code(self) -> list[str]:
        lines = []
        for index, (mean, variance) in enumerate(zip(self.mean, self.variance, strict=True)):
            if mean is not None:
                where = "after the input" if len(self.mean) == 1 else f"after input {index}"
                arguments = f"mean={_numbers(mean)}, variance={_numbers(variance or ())}"
                lines.append(f"keras.layers.Normalization({arguments})   # {where}")
        return lines


@dataclasses.dataclass(frozen=True)
class RescaleOutputs(Remedy):
    """Lets the network work in standard units and puts its outputs back into the units of the targets.

    Args:
        strategy: Name of the strategy that prescribed it.
        scale: For each output, the factor of its `keras.layers.Rescaling` layer, or None to leave it alone.
        offset: What the layer adds afterwards, shaped like `scale`.
        learning_rate_factor: What the learning rate is multiplied with, because the gradients of a loss in raw
            units grow with the scale: 1 for optimizers that divide it out.
    """

    scale: tuple[float | None, ...]
    offset: tuple[float | None, ...]
    learning_rate_factor: float = 1.0

    kind: ClassVar[str] = "rescale_outputs"
    needs_surgery: ClassVar[bool] = True

    def code(self) -> list[str]:
        lines = []
        for index, (scale, offset) in enumerate(zip(self.scale, self.offset, strict=True)):
            if scale is not None and offset is not None:
                where = "as the last layer" if len(self.scale) == 1 else f"after output {index}"
                lines.append(f"keras.layers.Rescaling(scale={_number(scale)}, offset={_number(offset)})   # {where}")
        if self.learning_rate_factor != 1.0:
            lines.append(f"optimizer.learning_rate *= {_number(self.learning_rate_factor)}")
        return lines


@dataclasses.dataclass(frozen=True)
class SetLearningRate(Remedy):
    """Multiplies the learning rate, or every rate of a schedule.

    Args:
        strategy: Name of the strategy that prescribed it.
        factor: What the rate is multiplied with, above 0.
        optimizer: Class name of the user's optimizer, for the code.
        was: The rate before, or the class name of the schedule.
    """

    factor: float
    optimizer: str = "Adam"
    was: float | str = 0.001

    kind: ClassVar[str] = "set_learning_rate"

    def code(self) -> list[str]:
        if isinstance(self.was, str):
            return [f"optimizer: every rate of its {self.was} schedule times {_number(self.factor)}"]
        rate, was = _number(self.was * self.factor), _number(self.was)
        return [f"optimizer=keras.optimizers.{self.optimizer}({rate})   # was {was}"]


@dataclasses.dataclass(frozen=True)
class InsertHiddenLayers(Remedy):
    """Inserts non-linear Dense layers before the last layer with weights; every layer of the user stays.

    Args:
        strategy: Name of the strategy that prescribed it.
        units: Width of each new layer, at least 1.
        depth: How many layers, at least 1.
        activation: Name of the Keras activation.
        kernel_initializer: Name of the Keras initializer of their kernels.
    """

    units: int
    depth: int
    activation: str = "relu"
    kernel_initializer: str = "glorot_uniform"

    kind: ClassVar[str] = "insert_hidden_layers"
    needs_surgery: ClassVar[bool] = True

    def code(self) -> list[str]:
        initializer = "" if self.kernel_initializer == "glorot_uniform" else self.kernel_initializer
        extra = f', kernel_initializer="{initializer}"' if initializer else ""
        layer = f'keras.layers.Dense({self.units}, activation="{self.activation}"{extra})'
        return [f"{layer}   # before the output layer"] * self.depth


@dataclasses.dataclass(frozen=True)
class SetFitArgument(Remedy):
    """Changes one argument of `fit`, or what stands for it in a `tf.data.Dataset`.

    Args:
        strategy: Name of the strategy that prescribed it.
        name: `"shuffle"` or `"batch_size"`.
        value: The new value.
        was: The value before.
        rebatches: Rows in a batch of the dataset to change; None where `fit` makes the batches.
    """

    name: str
    value: bool | int
    was: bool | int | str | None = None
    rebatches: int | None = None

    kind: ClassVar[str] = "set_fit_argument"

    def code(self) -> list[str]:
        if self.rebatches is None:
            return [f"model.fit(..., {self.name}={self.value!r})   # was {self.was!r}"]
        if self.name == "batch_size":
            return [f"dataset = dataset.rebatch({self.value!r})   # was {self.was!r}"]
        return [f"dataset = dataset.unbatch().shuffle({SHUFFLE_BUFFER_ROWS}).batch({self.rebatches})"]


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
    def fit_arguments(self) -> dict[str, bool | int]:
        """The arguments of `fit` that it changes, by name."""
        return {remedy.name: remedy.value for remedy in self.of(SetFitArgument)}

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
            ModelError: The recipe cannot be applied to this kind of model.
        """
        # Imported here because recipes are read in places that must not pay for Keras.
        from autofix import architecture

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
