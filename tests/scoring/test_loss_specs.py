import numpy as np

from autofix.scoring.loss_specs import LossSpec


def losses_of(y_true, y_pred):
    return np.abs(y_true - y_pred)[:, 0]


def test_the_excess_is_the_loss_above_its_floor():
    y, p = np.array([[1.0], [2.0]]), np.array([[2.0], [5.0]])
    spec = LossSpec("mine", losses_of, floor=lambda y_true, output_shape: np.full(len(y_true), 0.5))
    assert spec.excess(y, p).tolist() == [0.5, 2.5]


def test_a_name_and_the_losses_of_rows_are_enough():
    y, p = np.array([[1.0], [2.0]]), np.array([[2.0], [5.0]])
    assert LossSpec("mine", losses_of).excess(y, p).tolist() == [1.0, 3.0]
