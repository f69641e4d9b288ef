import keras
import numpy as np

from autofix.data.training_data import TrainingData
from autofix.search.identity import fingerprint, identity_of


def test_fingerprints_tell_problems_apart():
    assert fingerprint(b"data", {"a": 1}) == fingerprint(b"data", {"a": 1})
    assert len({fingerprint(b"data"), fingerprint(b"other"), fingerprint(b"data", 1), fingerprint({"a": 1})}) == 4


def test_the_same_program_built_again_is_the_same_problem_and_other_rows_are_not():
    def identity(rate=0.1, x=None):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(rate), "mse")
        rows = np.ones((20, 2)) if x is None else x
        return identity_of(model, TrainingData.from_arrays(rows, np.arange(20.0)), ["mean_squared_error"])

    assert identity() == identity()
    assert len({identity(), identity(0.2), identity(x=np.zeros((20, 2)))}) == 3
