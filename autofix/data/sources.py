"""Sources: what `fit` was given, as the arguments of a training, once or again, and as a sample of its rows."""

import abc
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from autofix.data.array_stream import streamed
from autofix.data.leaves import Leaves, Order, joined_batches
from autofix.data.profiles import order_drift
from autofix.data.rows import Table, by_position, is_array_tree, sampled
from autofix.data.streams import Stream
from autofix.data.training_data import MAX_SAMPLE_ROWS, TrainingData, held_out_sample_of, sample_of
from autofix.errors import DataError
from autofix.evidence import STRONG_DRIFT
from autofix.feeding import has_own_code

Arguments = dict[str, Any]
"""Arguments of `fit`, by name."""


class Unwatchable(Exception):  # noqa: N818 - no error: the training goes on as Keras does it
    """Why there is nothing to look at."""


class Source(abc.ABC):
    """What `fit` was given.

    Args:
        model: The user's model.
        arguments: All arguments of `fit`. Not changed.
        seed: Of samples and shuffles.
    """

    def __init__(self, model: keras.Model, arguments: Arguments, seed: int) -> None:
        self._model = model
        self._arguments = arguments
        self._seed = seed

    @abc.abstractmethod
    def first(self) -> Arguments:
        """The arguments of the user's training, as it is watched."""

    @abc.abstractmethod
    def plain(self) -> Arguments:
        """The arguments of the user's training, from its beginning again."""

    @abc.abstractmethod
    def repaired(self, changes: Mapping[str, Any]) -> Arguments:
        """The arguments of the training of the repaired model.

        Args:
            changes: `shuffle` and `batch_size`, where the recipe changes them.
        """

    @abc.abstractmethod
    def sample(self, steps: int | None = None) -> TrainingData:
        """The sample; of a stream, of what has been read of it.

        Args:
            steps: Of an epoch, where Keras knows it.

        Raises:
            Unwatchable: There is none, or nothing in it to judge by.
        """

    def example(self) -> Any:
        """Inputs to build the model with, before any step of the training; None where their form is not known."""
        return None

    @property
    def is_ready(self) -> bool:
        """Whether there is a sample, or the certainty that there is none, before the training."""
        return True

    def constant_targets(self) -> list[str]:
        """Names of the targets that are the same in every row, if all are and that is known before the training."""
        return []

    def feature_names(self) -> list[Sequence[Any]]:
        """Of each input, the names of its columns; empty where the data has none."""
        return []


class Unwatched(Source):
    """What cannot be looked at, with the reason."""

    def __init__(self, model: keras.Model, arguments: Arguments, seed: int, reason: str) -> None:
        super().__init__(model, arguments, seed)
        self._reason = reason

    def first(self) -> Arguments:
        return self._arguments

    def plain(self) -> Arguments:
        return self._arguments

    def repaired(self, changes: Mapping[str, Any]) -> Arguments:
        return {**self._arguments, **changes}

    def sample(self, steps: int | None = None) -> TrainingData:
        raise Unwatchable(self._reason)


class _Sampled(Source):
    """A source with rows to look at, and perhaps validation rows."""

    def __init__(self, model: keras.Model, arguments: Arguments, seed: int) -> None:
        super().__init__(model, arguments, seed)
        self._inputs, self._outputs = _orders(model)
        self._takes_text = any(tensor.dtype == "string" for tensor in getattr(model, "inputs", None) or [])
        self._validation_table: Table | None = None
        self._validation_stream: Stream | None = None
        if arguments["validation_data"] is not None:
            self._take_validation(*keras.utils.unpack_x_y_sample_weight(arguments["validation_data"]))

    def _take_validation(self, x: Any, y: Any, weights: Any) -> None:
        given = self._arguments
        if x is not None and is_array_tree(x, y, weights):
            self._validation_table = self._table(x, y, weights, "validation ")
            return
        self._validation_stream = Stream(
            x,
            self._seed,
            y=y,
            sample_weight=weights,
            batch_size=given["validation_batch_size"] or given["batch_size"],
            steps_per_epoch=given["validation_steps"],
        )

    def _table(self, x: Any, y: Any, weights: Any, prefix: str = "") -> Table:
        """Checked, unless the user's program knows what to do with NaN: Keras' own layers and losses do not."""
        table = Table(self._inputs(x), self._outputs(y), self._outputs(weights), prefix)
        if not (has_own_code(self._model) or _stops_at_nan(self._arguments["callbacks"])):
            table.check(self._takes_text)
        return table

    def _validation_first(self) -> Arguments:
        return {} if self._validation_stream is None else {"validation_data": self._validation_stream.first()}

    def _validation_again(self) -> Arguments:
        return {} if self._validation_stream is None else {"validation_data": self._validation_stream.again({})}

    def _held_out(self) -> Leaves | None:
        if self._validation_table is not None:
            return held_out_sample_of(self._validation_table, self._seed)
        stream = self._validation_stream
        batches = [] if stream is None else stream.close(self._arguments["validation_steps"])
        return joined_batches(batches, self._inputs, self._outputs, "validation ") if batches else None

    def _data(self, training: Leaves, held_out: Leaves | None, **how: Any) -> TrainingData:
        """The training data of samples; without targets, an autoencoder's are its inputs."""
        for leaves in (training, held_out):
            problem = None if leaves is None else leaves.problem(self._takes_text)
            if problem is not None:
                raise Unwatchable(problem)
        if len(training.inputs) < len(keras.tree.flatten(training.x_structure)):
            raise Unwatchable("an optional input is None")
        has_targets = bool(training.targets)
        if not has_targets:
            training, held_out = training.reconstructed(), held_out and held_out.reconstructed()
        epochs = min(self._arguments["epochs"], keras.config.max_epochs() or math.inf)
        how["epochs"] = max(1, int(epochs) - (self._arguments["initial_epoch"] or 0))
        try:
            return TrainingData.from_leaves(training, held_out, trains_on_targets=has_targets, **how)
        except DataError:
            # Axes of any length, such as time, may differ; then proofs are made on training rows.
            if not _has_free_axes(self._model):
                raise
            return TrainingData.from_leaves(training, None, trains_on_targets=has_targets, **how)


class ArraySource(_Sampled):
    """Arrays, tensors, DataFrames, sparse matrices, and trees of them.

    Raises:
        DataError: There are no rows, or lengths differ; or, in a model of Keras' own parts without a callback that
            ends the training at NaN, values are not finite numbers.
        Unwatchable: `validation_split` leaves no rows.
    """

    def __init__(self, model: keras.Model, arguments: Arguments, seed: int) -> None:
        super().__init__(model, arguments, seed)
        self._rows = self._table(*(arguments[name] for name in ("x", "y", "sample_weight")))
        self._n_rows = self._rows.n_rows
        if arguments["validation_split"] and arguments["validation_data"] is None:
            # As in Keras: the last rows are held out.
            self._n_rows = math.floor(self._n_rows * (1.0 - arguments["validation_split"]))
            if not 0 < self._n_rows < self._rows.n_rows:
                raise Unwatchable("validation_split leaves no rows")
        self._sample: TrainingData | None = None
        if self._validation_stream is None:
            # What does not fit together is refused before the training.
            self._sample = self.sample()

    def first(self) -> Arguments:
        return {**self._arguments, **self._validation_first()}

    def plain(self) -> Arguments:
        return {**self._arguments, **self._validation_again()}

    def repaired(self, changes: Mapping[str, Any]) -> Arguments:
        return streamed({**self.plain(), **changes}, self._seed)

    def sample(self, steps: int | None = None) -> TrainingData:
        if self._sample is not None:
            return self._sample
        given = self._arguments
        held_out = self._held_out()
        if self._n_rows < self._rows.n_rows:
            held_out = held_out_sample_of(self._rows, self._seed, start=self._n_rows)
        return self._data(
            sample_of(self._rows, given["class_weight"], self._seed, stop=self._n_rows),
            held_out,
            n_rows=self._n_rows,
            batch_size=given["batch_size"],
            steps_per_epoch=given["steps_per_epoch"],
            shuffle=bool(given["shuffle"]),
        )

    def example(self) -> Any:
        first = self._rows.take(np.arange(1))
        return keras.tree.pack_sequence_as(first.x_structure, first.inputs)

    @property
    def is_ready(self) -> bool:
        return self._sample is not None

    def feature_names(self) -> list[Sequence[Any]]:
        return [() if column.labels is None else column.labels for column in self._rows.inputs]

    def constant_targets(self) -> list[str]:
        has_targets = self._sample is not None and self._sample.trains_on_targets
        return self._sample.constant_targets() if self._sample is not None and has_targets else []


class StreamSource(_Sampled):
    """A `tf.data.Dataset`, a `PyDataset`, a generator, or whatever else Keras makes batches of.

    Raises:
        Unwatchable: Keras does not know it, or it cannot be recorded.
    """

    def __init__(self, model: keras.Model, arguments: Arguments, seed: int) -> None:
        if _has_own_fit(model):
            raise Unwatchable("the model has a `fit` of its own, and x is not made of arrays")
        super().__init__(model, arguments, seed)
        names = ("y", "sample_weight", "batch_size", "steps_per_epoch", "shuffle", "class_weight")
        self._stream = Stream(
            arguments["x"], seed, model.distribute_strategy, **{name: arguments[name] for name in names}
        )

    def first(self) -> Arguments:
        return {**self._arguments, "x": self._stream.first(), **self._validation_first()}

    def plain(self) -> Arguments:
        return self.repaired({})

    def repaired(self, changes: Mapping[str, Any]) -> Arguments:
        # Keras warned of `shuffle=True` for what it cannot shuffle when the first training began.
        shuffle = self._arguments["shuffle"] if self._stream.kind == "pydataset" else False
        stream = self._stream.again(changes)
        others = {name: value for name, value in changes.items() if name not in ("shuffle", "batch_size")}
        return {**self._arguments, **others, "x": stream, "shuffle": shuffle, **self._validation_again()}

    def sample(self, steps: int | None = None) -> TrainingData:
        batches = self._stream.close(steps)
        if not batches:
            raise Unwatchable("no batch was seen")
        leaves = joined_batches(batches, self._inputs, self._outputs)
        steps = steps or self._stream.n_seen
        batch_size = -(-leaves.n_rows // len(batches))
        leaves = leaves.take(sampled(leaves.n_rows, MAX_SAMPLE_ROWS, self._seed))
        return self._data(
            leaves,
            self._held_out(),
            n_rows=max(leaves.n_rows, steps * batch_size) if steps > len(batches) else leaves.n_rows,
            batch_size=batch_size,
            steps_per_epoch=steps,
            shuffle=not any(drifts(target) for target in leaves.targets),
            source=self._stream.kind,
            can_regroup=self._stream.kind == "dataset" and not self._arguments["steps_per_epoch"],
        )

    def example(self) -> Any:
        batch = self._stream.example()
        return None if batch is None else self._inputs(keras.utils.unpack_x_y_sample_weight(batch)[0])

    @property
    def is_ready(self) -> bool:
        return False


def open_source(model: keras.Model, arguments: Arguments, seed: int) -> Source:
    """The source of what `fit` was given.

    Args:
        model: The user's model.
        arguments: All arguments of `fit`, by name. Not changed.
        seed: Of samples and shuffles.

    Raises:
        DataError: As for `ArraySource`.
    """
    x, y, weights = (arguments[name] for name in ("x", "y", "sample_weight"))
    try:
        if all(leaf is None for leaf in keras.tree.flatten(x)):
            # Keras knows whether the model needs inputs, and what to say.
            raise Unwatchable("there are no inputs")
        if is_array_tree(x, y, weights):
            return ArraySource(model, arguments, seed)
        return StreamSource(model, arguments, seed)
    except Unwatchable as reason:
        return Unwatched(model, arguments, seed, str(reason))


def drifts(target: np.ndarray) -> bool:
    """Whether rows that follow each other have like targets, as they would in a stream that nobody shuffled."""
    is_class = target.dtype.kind in "iub" or (target.ndim > 1 and target.shape[-1] > 1)
    return order_drift(target.reshape(len(target), -1), is_class=is_class) >= STRONG_DRIFT


def _orders(model: keras.Model) -> tuple[Order, Order]:
    """What puts trees given by name into the order of the model's inputs, and of its outputs."""

    def inputs(tree: Any) -> Any:
        names = [tensor.name for tensor in getattr(model, "inputs", None) or []]
        return by_position(tree, names, getattr(model, "_inputs_struct", tree))

    def outputs(tree: Any) -> Any:
        return by_position(tree, getattr(model, "output_names", None), getattr(model, "_outputs_struct", tree))

    return inputs, outputs


def _has_own_fit(model: keras.Model) -> bool:
    """Whether the user's class overrides `fit`, and so might look at what it is given."""
    home = next(kind for kind in type(model).__mro__ if "fit" in vars(kind))
    return not home.__module__.startswith("keras.")


def _stops_at_nan(callbacks: Any) -> bool:
    """Whether the user has said what is to happen when a loss is not finite."""
    listed = keras.tree.flatten(getattr(callbacks, "callbacks", callbacks))
    return any(isinstance(callback, keras.callbacks.TerminateOnNaN) for callback in listed)


def _has_free_axes(model: keras.Model) -> bool:
    inputs = getattr(model, "inputs", None)
    return not inputs or any(None in tensor.shape[1:] for tensor in inputs)
