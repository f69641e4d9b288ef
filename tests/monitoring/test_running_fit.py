import threading
import time

import keras
import numpy as np
import tensorflow as tf

from autofix.monitoring.running_fit import SpentIterators, running_fit

ROWS = np.arange(8.0)[:, None]


class Keeper(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.spent = SpentIterators()
        self.x = None

    def on_epoch_end(self, epoch, logs=None):
        self.x = running_fit()["x"]
        self.spent.keep()


def kept(x, y=None):
    """The callback after a training in which it kept what it could."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    keeper = Keeper()
    model.fit(x, y, epochs=2, shuffle=False, verbose=0, callbacks=[keeper])
    return keeper


def test_outside_of_fit_nothing_is_held():
    assert running_fit() == {}
    spent = SpentIterators()
    spent.keep()
    assert not spent._kept


def test_iterators_over_arrays_are_kept_until_they_are_let_go():
    keeper = kept(ROWS, ROWS)
    assert keeper.x is ROWS
    assert len(keeper.spent._kept) == 2
    keeper.spent.let_go()
    deadline = time.monotonic() + 60.0
    while keeper.spent._kept:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_iterators_over_datasets_of_the_user_are_left_to_keras():
    assert not kept(tf.data.Dataset.from_tensor_slices((ROWS, ROWS)).batch(4)).spent._kept


class Tracked:
    """Notes which thread deletes it."""

    def __init__(self, log):
        self.log = log

    def __del__(self):
        self.log.append(threading.current_thread())


class ArrayDataAdapter:
    """As Keras names it."""


class Held:
    data_adapter = ArrayDataAdapter()


def test_another_thread_deletes_what_was_kept():
    log: list[threading.Thread] = []

    def fit(spent):
        epoch_iterator, iterator = Held(), Tracked(log)
        spent.keep()
        return epoch_iterator is iterator

    spent = SpentIterators()
    fit(spent)
    assert not log
    spent.let_go()
    deadline = time.monotonic() + 60.0
    while not log:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert log[0] is not threading.main_thread()
