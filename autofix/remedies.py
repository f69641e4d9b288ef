"""The remedies that the engine can put into a program; `autofix.surgery.architecture` turns them into a model."""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import numpy as np

from autofix.remedy import Remedy, literal, number, numbers

SHUFFLE_BUFFER_ROWS = 10_000
"""Rows that a `tf.data.Dataset` is shuffled within: more than the sample that the trials shuffle."""


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
                arguments = f"mean={numbers(mean)}, variance={numbers(variance or ())}"
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
        epsilon_factor: What the `epsilon` of such an optimizer is multiplied with, because it would outweigh the
            gradients of a loss in small units: 1 for all others.
    """

    scale: tuple[float | None, ...]
    offset: tuple[float | None, ...]
    learning_rate_factor: float = 1.0
    epsilon_factor: float = 1.0

    kind: ClassVar[str] = "rescale_outputs"
    needs_surgery: ClassVar[bool] = True

    def code(self) -> list[str]:
        lines = []
        for index, (scale, offset) in enumerate(zip(self.scale, self.offset, strict=True)):
            if scale is not None and offset is not None:
                where = "as the last layer" if len(self.scale) == 1 else f"after output {index}"
                lines.append(f"keras.layers.Rescaling(scale={number(scale)}, offset={number(offset)})   # {where}")
        if self.learning_rate_factor != 1.0:
            lines.append(f"optimizer.learning_rate *= {number(self.learning_rate_factor)}")
        if self.epsilon_factor != 1.0:
            lines.append(f"optimizer.epsilon *= {number(self.epsilon_factor)}")
        return lines


@dataclasses.dataclass(frozen=True)
class SetLearningRate(Remedy):
    """Multiplies the learning rate, or every rate of a schedule.

    Args:
        strategy: Name of the strategy that prescribed it.
        factor: What the rate is multiplied with, above 0; of a rate of 0 the new rate itself.
        optimizer: Class name of the user's optimizer, for the code.
        was: The rate before, or the class name of the schedule.
    """

    factor: float
    optimizer: str = "Adam"
    was: float | str = 0.001

    kind: ClassVar[str] = "set_learning_rate"

    def code(self) -> list[str]:
        if isinstance(self.was, str):
            return [f"optimizer: every rate of its {self.was} schedule times {number(self.factor)}"]
        rate, was = number((self.was or 1.0) * self.factor), number(self.was)
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
    is_compiled: ClassVar[bool] = True

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
        name: `"shuffle"`, `"batch_size"`, `"epochs"` or `"class_weight"`.
        value: The new value; of `class_weight` pairs of a class number and its weight.
        was: The value before.
        rebatches: Rows in a batch of the dataset to change; None where `fit` makes the batches.
    """

    name: str
    value: bool | int | tuple[tuple[int, float], ...]
    was: bool | int | str | None = None
    rebatches: int | None = None

    kind: ClassVar[str] = "set_fit_argument"

    @property
    def argument(self) -> Any:
        """The value as `fit` takes it."""
        return dict(self.value) if isinstance(self.value, tuple) else self.value

    def departure(self) -> str:
        if self.name == "epochs":
            return f"It trains for {self.value} epochs in place of {self.was}."
        if self.name == "class_weight":
            return "It weighs the classes, so predicted probabilities are those of balanced classes."
        return ""

    def code(self) -> list[str]:
        if self.name == "class_weight":
            weights = ", ".join(f"{label}: {number(weight)}" for label, weight in self.argument.items())
            return [f"model.fit(..., class_weight={{{weights}}})   # was {self.was!r}"]
        if self.rebatches is None:
            return [f"model.fit(..., {self.name}={self.value!r})   # was {self.was!r}"]
        if self.name == "batch_size":
            return [f"dataset = dataset.rebatch({self.value!r})   # was {self.was!r}"]
        return [f"dataset = dataset.unbatch().shuffle({SHUFFLE_BUFFER_ROWS}).batch({self.rebatches})"]


_RATES = ("rate", "dropout", "recurrent_dropout", "stddev")
"""Arguments that say how much a layer drops, or how much noise it adds."""


class LayerChange(NamedTuple):
    """Another value for one argument of a layer's constructor.

    Args:
        layer: The layer's name; in models inside the model too.
        kind: Its class name, for the code.
        argument: Name of the argument, such as `"activation"`, `"kernel_initializer"`, `"rate"` or `"trainable"`.
        value: A JSON value that the constructor takes: a number, a bool, None, or the name of a Keras object.
        was: The value before, for the code.
    """

    layer: str
    kind: str
    argument: str
    value: str | float | int | bool | None
    was: str | float | int | bool | None


@dataclasses.dataclass(frozen=True)
class ChangeLayers(Remedy):
    """Changes arguments of the user's layers. Layers whose initialisers change start from new weights.

    Args:
        strategy: Name of the strategy that prescribed it.
        changes: In the order of the network.
    """

    changes: tuple[LayerChange, ...]

    kind: ClassVar[str] = "change_layers"
    needs_surgery: ClassVar[bool] = True
    is_compiled: ClassVar[bool] = True

    def __post_init__(self) -> None:
        # From JSON they come as plain tuples.
        object.__setattr__(self, "changes", tuple(LayerChange(*change) for change in self.changes))

    def compiled_part(self) -> "ChangeLayers | None":
        # Initial weights are values of the network's variables, whatever draws them.
        changes = tuple(change for change in self.changes if not change.argument.endswith("_initializer"))
        return dataclasses.replace(self, changes=changes) if changes else None

    def departure(self) -> str:
        unfrozen = [change.layer for change in self.changes if change.argument == "trainable" and change.value]
        relaxed = [c.layer for c in self.changes if c.argument.endswith("_regularizer") or c.argument in _RATES]
        parts = []
        if unfrozen:
            parts.append(f"It trains layers that were frozen: {', '.join(unfrozen)}.")
        if relaxed:
            parts.append(f"It weakens the regularisation of {', '.join(dict.fromkeys(relaxed))}.")
        return " ".join(parts)

    def code(self) -> list[str]:
        return [
            f"keras.layers.{change.kind}(..., {change.argument}={literal(change.value)})   "
            f"# {change.layer!r}, was {literal(change.was)}"
            for change in self.changes
        ]


class HeadChange(NamedTuple):
    """What becomes of one output; None for what stays.

    Args:
        layer: Name of the last layer with weights before the output.
        units: How many outputs a row.
        activation: Name of the output's activation. Any that stands behind the layer on its own becomes linear.
        loss: Name of the output's loss.
        was: Units, activation and loss before.
    """

    layer: str
    units: int | None
    activation: str | None
    loss: str | None
    was: tuple[int | None, str, str]


@dataclasses.dataclass(frozen=True)
class ReplaceHeads(Remedy):
    """Changes the output layers, and their losses, so that the outputs can reach the targets.

    Args:
        strategy: Name of the strategy that prescribed it.
        heads: One an output, None for those that stay.
    """

    heads: tuple[HeadChange | None, ...]

    kind: ClassVar[str] = "replace_heads"
    needs_surgery: ClassVar[bool] = True
    is_compiled: ClassVar[bool] = True

    def __post_init__(self) -> None:
        heads = tuple(None if head is None else HeadChange(*head) for head in self.heads)
        object.__setattr__(self, "heads", heads)

    def departure(self) -> str:
        parts = []
        for head in self.heads:
            if head is not None and head.loss is not None:
                parts.append(f"It trains with another loss: {head.loss} in place of {head.was[2]}.")
            if head is not None and head.units is not None:
                parts.append(f"It predicts {head.units} values a row in place of {head.was[0]}.")
        return " ".join(parts)

    def code(self) -> list[str]:
        lines = []
        for head in self.heads:
            if head is None:
                continue
            units, activation, loss = head.was
            if head.units is not None or head.activation is not None:
                new = f'{head.units or units}, activation="{head.activation or activation}"'
                lines.append(f'keras.layers.Dense({new})   # {head.layer!r}, was {units}, "{activation}"')
            if head.loss is not None:
                lines.append(f'model.compile(..., loss="{head.loss}")   # was "{loss}"')
        return lines


@dataclasses.dataclass(frozen=True)
class NormalizeLayers(Remedy):
    """Inserts normalisation layers behind layers of the user.

    Args:
        strategy: Name of the strategy that prescribed it.
        layer: `"BatchNormalization"` or `"LayerNormalization"`.
        after: Names of the layers that get one.
    """

    layer: str
    after: tuple[str, ...]

    kind: ClassVar[str] = "normalize_layers"
    needs_surgery: ClassVar[bool] = True
    is_compiled: ClassVar[bool] = True

    def code(self) -> list[str]:
        return [f"keras.layers.{self.layer}()   # after {name!r}" for name in self.after]


@dataclasses.dataclass(frozen=True)
class ClipGradients(Remedy):
    """Limits the norm of all gradients together.

    Args:
        strategy: Name of the strategy that prescribed it.
        global_clipnorm: The largest norm, above 0.
        optimizer: Class name of the user's optimizer, for the code.
        was: The limits before, for the code; empty for none.
    """

    global_clipnorm: float
    optimizer: str = "Adam"
    was: str = ""

    kind: ClassVar[str] = "clip_gradients"
    is_compiled: ClassVar[bool] = True

    def code(self) -> list[str]:
        was = self.was or "not clipped"
        return [f"keras.optimizers.{self.optimizer}(..., global_clipnorm={number(self.global_clipnorm)})   # was {was}"]


class CodeColumn(NamedTuple):
    """A feature that holds codes of categories.

    Args:
        column: Its number on the last axis.
        minimum: The smallest code.
        n_codes: How many codes there can be, from the smallest to the largest.
    """

    column: int
    minimum: int
    n_codes: int


@dataclasses.dataclass(frozen=True)
class EncodeCategories(Remedy):
    """One-hot encodes columns of codes inside the model; codes that were not seen become all zeros.

    Args:
        strategy: Name of the strategy that prescribed it.
        columns: For each input of the model its columns of codes; empty to leave that input alone.
    """

    columns: tuple[tuple[CodeColumn, ...], ...]

    kind: ClassVar[str] = "encode_categories"
    needs_surgery: ClassVar[bool] = True
    is_compiled: ClassVar[bool] = True

    def __post_init__(self) -> None:
        columns = tuple(tuple(CodeColumn(*column) for column in one) for one in self.columns)
        object.__setattr__(self, "columns", columns)

    def code(self) -> list[str]:
        lines = []
        for index, columns in enumerate(self.columns):
            of = "" if len(self.columns) == 1 else f" of input {index}"
            for column, minimum, n_codes in columns:
                less = f" less {minimum}" if minimum else ""
                layer = f'keras.layers.CategoryEncoding({n_codes}, output_mode="one_hot")'
                lines.append(f"{layer}   # for column {column}{of}{less}")
        return lines
