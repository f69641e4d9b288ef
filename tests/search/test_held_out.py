import dataclasses

import numpy as np
import pytest

from autofix.data.training_data import TrainingData
from autofix.scoring.numpy_losses import loss_spec
from autofix.search.held_out import HeldOut

N_ROWS, N_STEPS = 40, 3
RNG = np.random.default_rng(0)
MASK = np.arange(N_STEPS) < RNG.integers(1, N_STEPS + 1, size=(N_ROWS, 1))
TARGETS = RNG.normal(size=(N_ROWS, N_STEPS, 1)).astype("float32")


def held_out(targets, weights=None, mask=MASK):
    data = TrainingData.from_arrays(np.zeros((N_ROWS, 2), "float32"), targets, weights)
    return HeldOut(dataclasses.replace(data, masks=[mask]), [loss_spec("mean_squared_error")], seed=0)


SPLITS = held_out(TARGETS).splits(0)


def score(judged, predictions, splits=SPLITS):
    rows = np.concatenate([test_rows for _, test_rows in splits])
    return judged.score(0, splits, predictions[rows])


def test_masked_steps_count_neither_for_the_model_nor_for_the_constant():
    garbage = np.where(MASK[..., None], TARGETS, 1e6)
    predictions = 0.9 * TARGETS
    one, other = score(held_out(TARGETS), predictions), score(held_out(garbage), predictions)
    assert one.assessment.skill == other.assessment.skill == pytest.approx(0.99, abs=0.001)
    assert one.assessment.constant_loss == other.assessment.constant_loss
    assert len(one.losses) == len(one.constant_losses) == MASK.sum()


def test_a_mask_that_leaves_everything_in_gives_the_skill_of_all_steps():
    everything = np.ones((N_ROWS, N_STEPS), bool)
    one = score(held_out(TARGETS, mask=everything), 0.9 * TARGETS)
    flat = score(held_out(TARGETS, mask=None), 0.9 * TARGETS)
    assert one.assessment.loss == pytest.approx(flat.assessment.loss)


@pytest.mark.parametrize("per_step", [False, True])
def test_weights_of_rows_and_of_steps_count_for_the_steps_that_are_left(per_step):
    shape = (N_ROWS, N_STEPS) if per_step else (N_ROWS,)
    weights = np.ones(shape, "float32")
    weights[::2] = 0.0
    predictions = np.where((np.arange(N_ROWS) % 2 == 0)[:, None, None], 50.0, TARGETS)
    assert score(held_out(TARGETS, weights), predictions).assessment.skill == pytest.approx(1.0)
