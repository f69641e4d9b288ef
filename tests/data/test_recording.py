import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from autofix.data import recording
from autofix.data.recording import DatasetRecorder, FirstReadings, Recorder, Replay


def numbered(n_batches, rows=2):
    """Batches of (x, y) in which every value is the number of its batch."""
    return ((np.full((rows, 1), i, np.float32), np.full(rows, i)) for i in range(n_batches))


def numbers_of(batches):
    return [int(np.asarray(batch[1])[0]) for batch in batches]


def dataset_of(n_batches, rows=2):
    values = tf.repeat(tf.range(n_batches, dtype=tf.int64), rows)
    return tf.data.Dataset.from_tensor_slices((tf.cast(values, tf.float32)[:, None], values)).batch(rows)


def recorded(kind, n_batches, seed=0, rows=2):
    """The batches that came through a recorder, and those that it kept."""
    if kind == "python":
        recorder = Recorder(seed)
        passed = list(recorder.passing(numbered(n_batches, rows)))
    else:
        recorder = DatasetRecorder(dataset_of(n_batches, rows), seed)
        passed = list(recorder.dataset)
    assert recorder.n_seen == n_batches
    return passed, recorder.close()


KINDS = pytest.mark.parametrize("kind", ["python", "dataset"])


@KINDS
def test_everything_passes_in_order_and_few_batches_are_kept_all(kind):
    passed, kept = recorded(kind, 5)
    assert numbers_of(passed) == numbers_of(kept) == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(kept[3][0], [[3.0], [3.0]])


@KINDS
def test_a_bounded_sample_is_kept_in_the_order_it_came(kind, monkeypatch):
    monkeypatch.setattr(recording, "MAX_SAMPLE_ROWS", 20)
    passed, kept = recorded(kind, 200)
    assert len(passed) == 200
    numbers = numbers_of(kept)
    assert len(set(numbers)) == 10  # batches of two rows
    assert numbers == sorted(numbers)
    assert max(numbers) >= 20, "not the first ones alone"


@KINDS
def test_a_sample_is_bounded_by_bytes(kind, monkeypatch):
    monkeypatch.setattr(recording, "MAX_SAMPLE_BYTES", 3 * 2 * (4 + 8))
    assert len(recorded(kind, 50)[1]) == 3


# Of 10 batches 2 are kept: each is expected in a fifth of the runs, here within four standard deviations.
@pytest.mark.parametrize(("kind", "runs", "least", "most"), [("python", 400, 48, 112), ("dataset", 60, 1, 24)])
def test_every_batch_is_as_likely_to_be_kept(kind, runs, least, most, monkeypatch):
    monkeypatch.setattr(recording, "MAX_SAMPLE_ROWS", 4)
    counts = np.zeros(10)
    for seed in range(runs):
        counts[numbers_of(recorded(kind, 10, seed)[1])] += 1
    assert counts.sum() == 2 * runs
    assert counts.min() >= least
    assert counts.max() <= most


@KINDS
def test_the_seed_decides_the_sample(kind, monkeypatch):
    monkeypatch.setattr(recording, "MAX_SAMPLE_ROWS", 6)
    first, again, other = (numbers_of(recorded(kind, 60, seed)[1]) for seed in (1, 1, 2))
    assert first == again != other


def test_batches_written_into_the_same_arrays_are_kept_apart():
    buffer = np.zeros(2)

    def batches():
        for number in range(4):
            buffer[:] = number
            yield buffer

    recorder = Recorder(0)
    for _ in recorder.passing(batches()):
        pass
    assert [batch[0] for batch in recorder.close()] == [0, 1, 2, 3]


def test_a_batch_that_is_read_twice_counts_once():
    recorder = Recorder(0)
    next(recorder.passing(numbered(3)))  # to build the model
    list(recorder.passing(numbered(3)))
    assert numbers_of(recorder.close()) == [0, 1, 2]
    dataset = DatasetRecorder(dataset_of(3), 0)
    next(iter(dataset.dataset))
    list(dataset.dataset)
    assert numbers_of(dataset.close()) == [0, 1, 2]


def test_sparse_and_ragged_datasets_are_recorded():
    sparse = tf.data.Dataset.from_tensor_slices(tf.sparse.from_dense(tf.eye(4))).batch(2)
    recorder = DatasetRecorder(sparse, 0)
    assert all(isinstance(batch, tf.SparseTensor) for batch in recorder.dataset)
    np.testing.assert_array_equal(np.concatenate(recorder.close()), np.eye(4))
    ragged = tf.data.Dataset.from_tensors(tf.ragged.constant([[1], [2, 3]]))
    recorder = DatasetRecorder(ragged, 0)
    list(recorder.dataset)
    np.testing.assert_array_equal(recorder.close()[0], [[1, 0], [2, 3]])


def test_a_shuffled_dataset_gives_the_orders_that_it_gives_unrecorded():
    def shuffled():
        return tf.data.Dataset.range(30).shuffle(30, seed=5).batch(10)

    plain = shuffled()
    expected = [[list(map(int, batch)) for batch in plain] for _ in range(3)]
    dataset = shuffled()
    recorder = DatasetRecorder(dataset, 0)
    readings = FirstReadings(dataset, recorder)
    orders = []
    for epoch in range(3):
        orders.append([list(map(int, batch)) for batch in readings])
        if epoch == 0:
            recorder.close()
    assert orders == expected


def test_a_replay_reads_from_the_beginning_as_often_as_asked():
    replay = Replay(numbered(4))
    assert numbers_of(itertools.islice(replay.read(), 2)) == [0, 1]
    assert numbers_of(replay.read()) == [0, 1, 2, 3]
    assert numbers_of(replay.read()) == [0, 1, 2, 3]
    assert replay.is_complete


def test_a_generator_is_read_only_as_far_as_its_readings():
    generator = numbered(10)
    replay = Replay(generator)
    list(itertools.islice(replay.read(), 3))
    assert numbers_of(generator) == [3, 4, 5, 6, 7, 8, 9]


def test_an_earlier_reading_ends_where_a_later_one_begins():
    replay = Replay(numbered(4))
    first = replay.read()
    next(first)
    second = replay.read()
    assert list(first) == []
    assert numbers_of(second) == [0, 1, 2, 3]


def test_beyond_its_bound_a_replay_goes_on_with_what_comes_then(monkeypatch):
    monkeypatch.setattr(recording, "MAX_REPLAY_BYTES", 3 * 2 * (4 + 8))
    replay = Replay(numbered(8))
    assert numbers_of(itertools.islice(replay.read(), 5)) == [0, 1, 2, 3, 4]
    assert not replay.is_complete
    assert numbers_of(replay.read()) == [0, 1, 2, 5, 6, 7]


def test_a_replay_keeps_batches_apart_that_come_in_the_same_arrays():
    buffer = np.zeros(1)

    def batches():
        for number in range(3):
            buffer[:] = number
            yield buffer

    replay = Replay(batches())
    assert [float(batch[0]) for batch in replay.read()] == [0, 1, 2]
    assert [float(batch[0]) for batch in replay.read()] == [0, 1, 2]


def test_a_recorded_training_is_bit_identical(make_model):
    expected, model = make_model(n_features=1), make_model(n_features=1)
    expected.fit(dataset_of(6), epochs=3, shuffle=False, verbose=0)
    recorder = DatasetRecorder(dataset_of(6), 0)
    model.fit(recorder.dataset, epochs=3, shuffle=False, verbose=0)
    for one, other in zip(expected.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert isinstance(keras.tree.flatten(recorder.close())[0], np.ndarray)
