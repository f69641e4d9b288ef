import numpy as np
import pytest

from autofix.errors import DataError
from autofix.scoring.alignment import align_targets, as_targets, as_weights, guess_targets, median_over_rows, same_shape


@pytest.mark.parametrize(
    ("y", "p"),
    [(np.zeros((0, 1)), np.zeros((0, 1))), (np.zeros(3), np.zeros((4, 1))), (np.zeros(3), np.zeros((3, 2)))],
)
def test_empty_and_mismatched_arrays_are_data_errors(y, p):
    with pytest.raises(DataError, match=r"Expected .* Received: "):
        same_shape(y, p)


def test_text_is_a_data_error():
    with pytest.raises(DataError, match="y_true does not hold numbers"):
        align_targets(np.array(["a", "b"]), np.zeros((2, 1)))


@pytest.mark.parametrize("weights", [np.zeros(4), np.ones(3), np.array([1.0, 1.0, 1.0, -1.0]), np.full(4, np.nan)])
def test_unusable_weights_are_data_errors(weights):
    with pytest.raises(DataError, match="Weights"):
        as_weights(weights, 4)


def test_weights_of_time_steps_are_averaged():
    np.testing.assert_array_equal(as_weights(np.array([[1.0, 3.0], [0.0, 0.0]]), 2), [2.0, 0.0])


def test_targets_are_stretched_to_the_output_and_never_beyond():
    assert as_targets(np.arange(3.0), (1,)).shape == (3, 1)
    assert as_targets(np.arange(3.0)[:, None], (2,)).shape == (3, 2)
    with pytest.raises(DataError, match="no wider than the predictions"):
        as_targets(np.zeros((3, 2)), (1,))


def test_whole_numbers_for_several_scores_are_guessed_to_be_classes():
    columns, is_classes = guess_targets(np.array([0.0, 2.0]), (3,))
    assert is_classes
    assert columns.tolist() == [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    columns, is_classes = guess_targets(np.array([0.5, 2.0]), (3,))
    assert not is_classes
    assert columns.tolist() == [[0.5] * 3, [2.0] * 3]


def test_a_weighted_median_counts_rows_by_their_weights():
    assert median_over_rows(np.array([1.0, 2.0, 9.0]), np.array([1.0, 1.0, 3.0])) == 9.0
