import keras
import numpy as np
import pytest
import tensorflow as tf

from autofix.data.streams import Stream

N_ROWS, BATCH = 60, 10
X = np.random.default_rng(0).normal(size=(N_ROWS, 2)).astype("float32")
Y = (X[:, :1] - 0.5 * X[:, 1:]).astype("float32")


class Batches(keras.utils.PyDataset):
    """Batches of rows, and a count of the epochs that Keras told of."""

    def __init__(self, **workers):
        super().__init__(**workers)
        self.ended = 0

    def __len__(self):
        return N_ROWS // BATCH

    def __getitem__(self, index):
        rows = slice(index * BATCH, (index + 1) * BATCH)
        return X[rows], Y[rows]

    def on_epoch_end(self):
        self.ended += 1


def dataset():
    return tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(N_ROWS, seed=3).batch(BATCH)


def generator():
    while True:
        for start in range(0, N_ROWS, BATCH):
            yield X[start : start + BATCH], Y[start : start + BATCH]


KINDS = {
    "dataset": (dataset, {}),
    "endless dataset": (lambda: dataset().repeat(), {"steps_per_epoch": 4}),
    "pydataset": (Batches, {}),
    "pydataset with workers": (lambda: Batches(workers=2), {}),
    "generator": (generator, {"steps_per_epoch": 6}),
}


def fitted(make_model, x, **arguments):
    model = make_model(optimizer=keras.optimizers.Adam(0.05))
    keras.utils.set_random_seed(2)
    history = model.fit(x, epochs=3, verbose=0, shuffle=False, **arguments)
    return model.get_weights(), history.history


def assert_same(one, other):
    for a, b in zip(one[0], other[0], strict=True):
        np.testing.assert_array_equal(a, b)
    assert one[1] == other[1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_recorded_training_is_bit_identical(make_model, kind):
    make, arguments = KINDS[kind]
    stream = Stream(make(), 0, shuffle=False, **arguments)
    assert_same(fitted(make_model, make(), **arguments), fitted(make_model, stream.first(), **arguments))
    assert stream.kind == kind.split()[-1 if kind.startswith("endless") else 0]
    rows = np.concatenate([batch[0] for batch in stream.close()])
    assert len(rows) >= 40
    assert {tuple(row) for row in rows} <= {tuple(row) for row in X}


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_can_be_trained_on_again_from_its_beginning(make_model, kind):
    make, arguments = KINDS[kind]
    stream = Stream(make(), 0, shuffle=False, **arguments)
    fitted(make_model, stream.first(), **arguments)
    stream.close()
    _, history = fitted(make_model, stream.again({}), **arguments)
    assert len(history["loss"]) == 3
    assert np.isfinite(history["loss"]).all()


def test_a_generator_gives_the_same_batches_again(make_model):
    x = generator()
    stream = Stream(x, 0, shuffle=False, steps_per_epoch=6)
    first = fitted(make_model, stream.first(), steps_per_epoch=6)
    assert_same(first, fitted(make_model, stream.again({}), steps_per_epoch=6))


def test_keras_tells_a_pydataset_of_its_epochs(make_model):
    expected, batches = Batches(), Batches()
    fitted(make_model, expected)
    fitted(make_model, Stream(batches, 0, shuffle=False).first())
    assert batches.ended == expected.ended > 0


def test_a_dataset_is_put_into_other_batches_and_shuffled():
    ordered = tf.data.Dataset.from_tensor_slices((X, Y)).batch(BATCH)
    stream = Stream(ordered, 4)
    assert [len(y) for _, y in stream.again({"batch_size": 25})] == [25, 25, 10]
    shuffled = stream.again({"shuffle": True})
    orders = [np.concatenate([np.asarray(y) for _, y in shuffled]) for _ in range(2)]
    assert [len(y) for _, y in shuffled] == [BATCH] * 6
    for order in orders:
        np.testing.assert_array_equal(np.sort(order, axis=0), np.sort(Y, axis=0))
    assert not np.array_equal(*orders)
    assert {len(y) for _, y in stream.again({"shuffle": True, "batch_size": 5})} == {5}


@pytest.mark.parametrize("make", [Batches, generator])
def test_other_streams_come_as_they_are_whatever_is_asked(make):
    value = make()
    stream = Stream(value, 0)
    first = next(iter(stream.again({"shuffle": True, "batch_size": 3})))
    np.testing.assert_array_equal(first[0] if not isinstance(value, Batches) else value[0][0], X[:BATCH])


def test_what_keras_has_no_adapter_for_is_refused_in_its_words():
    with pytest.raises(ValueError, match="Unrecognized data type"):
        Stream("text", 0).first()
