"""Recording a stream as Keras reads it: a sample of the batches of its first epoch, and generators read again.

Nothing is read ahead. A dataset that shuffles would shuffle otherwise after one more reading, and a generator can be
read once only; a sample of what passes by anyway leaves both as they are.
"""

import threading
from collections.abc import Generator, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from autofix.data.leaves import as_dense
from autofix.data.rows import MAX_SAMPLE_BYTES
from autofix.data.training_data import MAX_SAMPLE_ROWS

MAX_REPLAY_BYTES = 2**28
"""What is kept of a generator to read it again (256 MB); of a longer one, only what comes after can be read."""


class Recorder:
    """A random sample of the batches that pass by: about `MAX_SAMPLE_ROWS` rows, at most `MAX_SAMPLE_BYTES`.

    Args:
        seed: Of the sample.

    Attributes:
        is_open: Whether it still records.
        n_seen: Batches of the longest reading so far.

    Source: reservoir sampling, Vitter (1985), algorithm R.
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._kept: list[tuple[int, Any]] = []
        self._most = 0
        self.is_open = True
        self.n_seen = 0

    def passing(self, batches: Iterator[Any]) -> Iterator[Any]:
        """The same batches, recorded."""
        for number, batch in enumerate(batches):
            if self.is_open:
                self._offer(number, batch)
            yield batch

    def _offer(self, number: int, batch: Any) -> None:
        self.n_seen = max(self.n_seen, number + 1)
        self._most = self._most or _most_batches(batch)
        place = len(self._kept) if len(self._kept) < self._most else int(self._rng.integers(number + 1))
        if place < self._most:
            # A copy: generators may write the next batch into the same arrays.
            self._kept[place : place + 1] = [(number, copied_batch(batch))]

    def close(self, steps: int | None = None) -> list[Any]:
        """Ends the recording.

        Args:
            steps: Batches to be taken into account, from the first on; None for all.

        Returns:
            The batches, in the order they came. One that was read twice, as the first is to build a model, counts once.
        """
        self.is_open = False
        kept, self._kept = dict(self._kept), []
        return [kept[number] for number in sorted(kept) if steps is None or number < steps]


def _most_batches(batch: Any) -> int:
    leaves = [as_dense(leaf) for leaf in keras.tree.flatten(batch) if leaf is not None]
    n_rows = max(len(leaf) for leaf in leaves)
    return max(1, min(-(-MAX_SAMPLE_ROWS // n_rows), MAX_SAMPLE_BYTES // sum(leaf.nbytes for leaf in leaves)))


def copied_batch(batch: Any) -> Any:
    """The batch in dense arrays of its own."""
    return keras.tree.map_structure(lambda leaf: leaf if leaf is None else np.array(as_dense(leaf)), batch)


class DatasetRecorder:
    """The same for a `tf.data.Dataset`, inside its pipeline: no Python runs for a batch.

    Args:
        dataset: Of batches.
        seed: Of the sample.

    Attributes:
        dataset: The same batches, recorded.
        is_open: Whether it still records.
    """

    def __init__(self, dataset: tf.data.Dataset, seed: int) -> None:
        self.is_open = True
        self._spec = dataset.element_spec
        self._seed = seed
        types = [leaf.dtype for leaf in tf.nest.flatten(self._spec, expand_composites=True)]
        with tf.device("CPU:0"):
            # Gives out a random one of its batches: the one to be replaced.
            self._queue = tf.queue.RandomShuffleQueue(MAX_SAMPLE_ROWS, 0, [tf.int64, *types], seed=seed)
            self._is_recording = tf.Variable(True, trainable=False)
            self._n_seen = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.dataset = dataset.enumerate().map(self._pass)

    def _pass(self, number: tf.Tensor, batch: Any) -> Any:
        leaves = tf.nest.flatten(batch, expand_composites=True)
        recorded = tf.cond(self._is_recording, lambda: self._offer(number, leaves), lambda: False)
        with tf.control_dependencies([recorded]):
            leaves = [tf.identity(leaf) for leaf in leaves]
        return tf.nest.pack_sequence_as(batch, leaves, expand_composites=True)

    def _offer(self, number: tf.Tensor, leaves: list[tf.Tensor]) -> tf.Tensor:
        def put() -> bool:
            self._queue.enqueue([number, *leaves])
            return True

        def replace() -> bool:
            self._queue.dequeue()
            return put()

        self._n_seen.assign(tf.maximum(self._n_seen, number + 1))
        most = _most_batches_of(leaves)
        seeds = [self._seed, tf.cast(number, tf.int32)]
        place = tf.random.stateless_uniform((), seeds, 0, number + 1, dtype=tf.int64)
        is_full = tf.cast(self._queue.size(), tf.int64) >= most
        return tf.cond(is_full, lambda: tf.cond(place < most, replace, lambda: False), put)

    @property
    def n_seen(self) -> int:
        """Batches of the longest reading so far."""
        return int(self._n_seen)

    def close(self, steps: int | None = None) -> list[Any]:
        """As for `Recorder`."""
        self.is_open = False
        self._is_recording.assign(False)
        kept = {}
        while int(self._queue.size()):
            number, *leaves = self._queue.dequeue()
            kept[int(number)] = tf.nest.pack_sequence_as(self._spec, leaves, expand_composites=True)
        return [copied_batch(kept[number]) for number in sorted(kept) if steps is None or number < steps]


def _most_batches_of(leaves: list[tf.Tensor]) -> tf.Tensor:
    n_rows = tf.maximum(1, tf.shape(leaves[0])[0]) if leaves[0].shape.rank else 1
    # A pointer (16 bytes) stands for a text.
    n_bytes = tf.add_n([tf.size(leaf, tf.int64) * (leaf.dtype.size or 16) for leaf in leaves])
    by_rows = tf.cast(-(-MAX_SAMPLE_ROWS // n_rows), tf.int64)
    return tf.maximum(tf.minimum(by_rows, MAX_SAMPLE_BYTES // tf.maximum(n_bytes, 1)), 1)


class FirstReadings:
    """A dataset whose readings are recorded until the recording is closed; later ones cost nothing.

    Keras asks a dataset for a new iterator each epoch. This is no `tf.data.Dataset`, so it must not be distributed.

    Args:
        dataset: Of batches.
        recorder: Of them.
    """

    def __init__(self, dataset: tf.data.Dataset, recorder: DatasetRecorder) -> None:
        self._dataset = dataset
        self._recorder = recorder

    def __iter__(self) -> Iterator[Any]:
        return iter(self._recorder.dataset if self._recorder.is_open else self._dataset)


class Replay:
    """A Python generator that can be read again from its beginning.

    Args:
        generator: Of batches. It is read only as far as its readings are.

    Attributes:
        is_complete: Whether everything read so far is kept. Beyond `MAX_REPLAY_BYTES`, a later reading has what was
            kept first, and goes on with what the generator gives then.
    """

    def __init__(self, generator: Iterator[Any]) -> None:
        self._generator = generator
        self._kept: list[Any] = []
        self._n_bytes = 0
        self._reading = 0
        self._lock = threading.Lock()
        self.is_complete = True

    def read(self) -> Generator[Any, None, None]:
        """All batches from the first on. An earlier reading ends: a pipeline may still be fetching for it."""
        self._reading += 1
        return self._batches(self._reading)

    def _batches(self, reading: int) -> Generator[Any, None, None]:
        position = 0
        while True:
            with self._lock:
                if reading != self._reading:
                    return
                if position < len(self._kept):
                    batch = self._kept[position]
                else:
                    try:
                        batch = next(self._generator)
                    except StopIteration:
                        return
                    self._keep(batch)
            position += 1
            yield batch

    def _keep(self, batch: Any) -> None:
        if not self.is_complete:
            return
        # Generators may write the next batch into the same arrays.
        copy = keras.tree.map_structure(lambda leaf: leaf.copy() if isinstance(leaf, np.ndarray) else leaf, batch)
        self._n_bytes += sum(as_dense(leaf).nbytes for leaf in keras.tree.flatten(copy) if leaf is not None)
        self.is_complete = self._n_bytes <= MAX_REPLAY_BYTES
        if self.is_complete:
            self._kept.append(copy)
