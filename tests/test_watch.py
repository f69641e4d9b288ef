import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autofix
from autofix import watch
from autofix.watch import projected_s

seconds = st.floats(1e-3, 1e3)


@given(first=seconds, later=seconds, n_seen=st.integers(2, 20), n_to_come=st.integers(0, 1000))
def test_an_epoch_that_compiles_counts_once(first, later, n_seen, n_to_come):
    epoch_s = [first] + (n_seen - 1) * [later]
    projected = projected_s(epoch_s, n_seen + n_to_come)
    assert projected == pytest.approx(sum(epoch_s) + n_to_come * later)


def test_a_single_epoch_stands_for_all():
    assert projected_s([0.5], 10) == 5.0


def test_the_search_is_told_of_every_epoch_and_of_all_that_the_user_asked_for(monkeypatch):
    asked = []

    def projection(epoch_s, epochs):
        asked.append((list(epoch_s), epochs))
        return projected_s(epoch_s, epochs)

    monkeypatch.setattr(watch, "projected_s", projection)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(4, activation="relu", kernel_initializer="zeros"),
            keras.layers.Dense(1, kernel_initializer="zeros"),
        ]
    )
    model.compile("sgd", "mse")
    with pytest.warns(autofix.CollapseWarning):  # a single trial finds nothing here
        report = autofix.fit(model, x, x[:, :1], initial_epoch=3, epochs=23, verbose=0, max_trials=1).report
    [(epoch_s, epochs)] = asked
    assert epochs == 20
    assert len(epoch_s) == 2, "constant at two looks in a row"
    assert all(0.0 < one < report.seconds["total"] for one in epoch_s)
