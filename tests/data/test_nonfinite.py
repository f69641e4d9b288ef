import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import tensorflow as tf

import autofix
from autofix.data.nonfinite import without_nonfinite_rows
from autofix.errors import ArgumentError, DataError

X = np.array([[1.0, 2.0], [np.nan, 2.0], [3.0, 4.0], [5.0, np.inf]])
Y = np.array([1.0, 2.0, np.nan, 4.0])
WHOLE = np.arange(8.0).reshape(4, 2)


def arguments(x=X, y=Y, sample_weight=None, validation_data=None):
    return {"x": x, "y": y, "sample_weight": sample_weight, "validation_data": validation_data, "epochs": 1}


def test_rows_go_with_all_they_have():
    given = arguments(sample_weight=np.arange(4.0))
    kept, notes = without_nonfinite_rows(given)
    np.testing.assert_array_equal(kept["x"], [[1.0, 2.0]])
    assert (list(kept["y"]), list(kept["sample_weight"]), kept["epochs"]) == ([1.0], [0.0], 1)
    assert "3 of 4 rows" in notes[0]
    assert "row 1, 2, 3." in notes[0]
    assert given["x"] is X


def test_finite_data_is_handed_on_as_it_is():
    given = arguments(x=WHOLE, y=np.arange(4))
    kept, notes = without_nonfinite_rows(given)
    assert kept["x"] is WHOLE
    assert not notes


@pytest.mark.parametrize("kind", [tf.constant, lambda x: pd.DataFrame(x, columns=["a", "b"]), scipy.sparse.csr_matrix])
def test_every_kind_of_array_loses_the_same_rows(kind):
    kept, _ = without_nonfinite_rows(arguments(x={"a": kind(WHOLE), "b": WHOLE}, y=np.array([0.0, np.nan, 1.0, 2.0])))
    first = kept["x"]["a"]
    dense = first.toarray() if hasattr(first, "toarray") else np.asarray(first)
    np.testing.assert_array_equal(dense, WHOLE[[0, 2, 3]])
    np.testing.assert_array_equal(kept["x"]["b"], WHOLE[[0, 2, 3]])


def test_validation_rows_go_too():
    kept, notes = without_nonfinite_rows(arguments(x=WHOLE, y=np.arange(4.0), validation_data=(X, Y)))
    assert [len(part) for part in kept["validation_data"]] == [1, 1]
    assert "validation rows" in notes[0]


def test_no_rows_at_all_are_refused():
    with pytest.raises(DataError, match="No row is left"):
        without_nonfinite_rows(arguments(x=np.full((4, 2), np.nan)))


def test_streams_are_refused():
    with pytest.raises(ArgumentError, match=r"of arrays only.*Received: x=_BatchDataset"):
        without_nonfinite_rows(arguments(x=tf.data.Dataset.from_tensor_slices((X, Y)).batch(2), y=None))


def test_fit_trains_on_the_other_rows_when_it_may():
    import keras

    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 2))
    y = x[:, 0] + 0.0
    x[3, 1], y[7] = np.nan, np.inf
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    with pytest.raises(DataError, match="on_nonfinite='drop'"):
        autofix.fit(model, x, y, epochs=10, verbose=0)
    report = autofix.fit(model, x, y, epochs=10, verbose=0, on_nonfinite="drop").report
    assert report.verdict == "healthy"
    assert "2 of 80 rows" in report.notes[0]
    assert np.isfinite(model.predict(x[:3], verbose=0)).all()
