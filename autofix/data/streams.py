"""Streams: data that comes in batches of its own, recorded in its first reading, and read again."""

from collections.abc import Mapping
from types import GeneratorType
from typing import Any

import tensorflow as tf
from keras.src.trainers import data_adapters  # what `fit` makes of its arguments; without public names up to Keras 3.15
from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

from autofix.data.recording import DatasetRecorder, FirstReadings, Recorder, Replay
from autofix.remedies import SHUFFLE_BUFFER_ROWS


class Stream:
    """One argument of `fit` that is no array.

    Args:
        value: A `tf.data.Dataset`, a `PyDataset`, a generator, or anything else that Keras has an adapter for.
        seed: Of the sample, and of the shuffles of a dataset that is to be shuffled.
        strategy: The model's distribution strategy, None for the default one.
        adapter_arguments: The other arguments of `fit` that Keras' adapter takes.

    Attributes:
        kind: `"dataset"`, `"pydataset"`, `"generator"` or `"other"`.
    """

    def __init__(self, value: Any, seed: int, strategy: Any = None, **adapter_arguments: Any) -> None:
        self._value = value
        self._seed = seed
        self._is_distributed = strategy is not None and _is_distributed(strategy)
        self._adapter_arguments = adapter_arguments
        self._recorder: Recorder | DatasetRecorder | None = None
        self._spec: Any = ()
        self._replay = Replay(value) if isinstance(value, GeneratorType) else None
        self.kind = "generator" if self._replay else "dataset" if isinstance(value, tf.data.Dataset) else "other"

    def first(self) -> Any:
        """What to hand to `fit` for the training that is recorded."""
        recorder = self._recorder = Recorder(self._seed)
        value = self._value if self._replay is None else recorder.passing(self._replay.read())
        adapter = data_adapters.get_data_adapter(value, **self._adapter_arguments)
        make = adapter.get_tf_dataset
        if isinstance(adapter, PyDatasetAdapter):
            self.kind = "pydataset"
            read = adapter._get_iterator
            adapter._get_iterator = lambda: recorder.passing(read())
        is_recorded = self.kind in ("pydataset", "generator")
        adapter.get_tf_dataset = lambda: self._opened(make(), is_recorded)
        return adapter

    def _opened(self, dataset: Any, is_recorded: bool) -> Any:
        """The dataset that Keras is about to read."""
        if not isinstance(dataset, tf.data.Dataset):
            return dataset  # already distributed: it cannot be recorded
        self._spec = dataset.element_spec
        if is_recorded:
            return dataset
        recorder = self._recorder = DatasetRecorder(dataset, self._seed)
        return recorder.dataset if self._is_distributed else FirstReadings(dataset, recorder)

    def example(self) -> Any:
        """A batch of nothing but zeros and empty texts, in the form of those to come, before any was read.

        Returns:
            A batch as `fit` gets it; None where its form is not known.
        """
        leaves = tf.nest.flatten(self._spec)
        if not leaves or not all(isinstance(leaf, tf.TensorSpec) and leaf.shape.rank for leaf in leaves):
            return None
        return tf.nest.map_structure(lambda leaf: tf.zeros([size or 1 for size in leaf.shape], leaf.dtype), self._spec)

    @property
    def n_seen(self) -> int:
        """Batches of the longest reading so far."""
        return 0 if self._recorder is None else self._recorder.n_seen

    def close(self, steps: int | None = None) -> list[Any]:
        """Ends the recording.

        Args:
            steps: Of an epoch; what was fetched ahead of the next one is left out. None where an epoch ends by itself.

        Returns:
            The batches recorded, in order.
        """
        return [] if self._recorder is None else self._recorder.close(steps)

    def again(self, changes: Mapping[str, Any]) -> Any:
        """What to hand to `fit` for another training from the beginning.

        Args:
            changes: `shuffle` and `batch_size`, where a recipe changes them; a dataset only.
        """
        if self._replay is not None:
            return self._replay.read()
        if self.kind != "dataset" or not changes:
            return self._value
        batch_size = changes.get("batch_size") or _batch_size(self._value)
        if not changes.get("shuffle"):
            return self._value.rebatch(batch_size)
        rows = self._value.unbatch().shuffle(SHUFFLE_BUFFER_ROWS, seed=self._seed)
        return rows.batch(batch_size)


def _batch_size(dataset: tf.data.Dataset) -> int:
    first = next(iter(dataset.take(1)))
    return int(tf.shape(tf.nest.flatten(first)[0])[0])


def _is_distributed(strategy: tf.distribute.Strategy) -> bool:
    return tf.distribute.has_strategy() or strategy is not tf.distribute.get_strategy()
