import numpy as np
import pytest

from autofix.data.training_data import TrainingData
from autofix.report.records import Reference
from autofix.scoring.assess import assess
from autofix.scoring.numpy_losses import loss_spec
from autofix.search.expectations import Expectations, learnable_kinds, measure
from autofix.search.held_out import HeldOut

N_ROWS = 160
MSE = loss_spec("mean_squared_error")


def reference(skill, name="forest", margin=0.01):
    return Reference(name, skill, skill - margin, skill + margin)


def head(skill, n_rows=N_ROWS):
    """The assessment of predictions that leave this share of the variance."""
    y = np.random.default_rng(0).normal(size=(n_rows, 1))
    noise = np.random.default_rng(1).normal(size=(n_rows, 1))
    return assess(y, y + noise / noise.std() * y.std() * np.sqrt(1.0 - skill), MSE)


def measured(targets, kinds, shapes=None, x=None):
    x = np.random.default_rng(0).normal(size=(N_ROWS, 2)) if x is None else x
    data = TrainingData.from_arrays(x, targets)
    held_out = HeldOut(data, [MSE] * len(targets), 0)
    shapes = shapes or [target.shape[1:] for target in targets]
    return measure(held_out, range(len(targets)), kinds, shapes, 0)


def test_each_output_has_references_of_its_own():
    x = np.random.default_rng(0).normal(size=(N_ROWS, 2))
    noise = np.random.default_rng(1).normal(size=(N_ROWS, 1))
    found = measured([x[:, :1], noise], ["regression", "regression"])
    assert found.has_skill(0)
    assert not found.has_skill(1)
    assert found.is_hopeless(1)
    assert found.of(0).skill > 0.9 > 0.1 > found.of(1).skill
    linear = next(one for one in found.references if one.name == "linear")
    assert linear.skill == pytest.approx(0.5, abs=0.1)  # the mean of the two


@pytest.mark.parametrize(
    ("kind", "shape", "target"),
    [
        ("other", (1,), np.zeros((N_ROWS, 1))),
        ("multiclass", (3, 4), np.zeros((N_ROWS, 3))),
        ("multiclass", (3,), np.full((N_ROWS, 1), 7)),  # more classes than outputs
        ("regression", (2,), np.zeros((N_ROWS, 1))),
    ],
)
def test_what_the_learners_cannot_learn_is_no_hopeless_output(kind, shape, target):
    found = measured([target], [kind], [shape])
    assert found.of(0) is None
    assert not found.is_hopeless(0)
    assert found.references == ()


def test_what_is_asked_to_come_out_as_it_went_in_is_not_learned():
    x = np.random.default_rng(0).normal(size=(N_ROWS, 2))
    data = TrainingData.from_arrays(x, [x, 2.0 * x])
    assert learnable_kinds(["regression", "regression"], data) == ["other", "regression"]


def test_text_has_no_references():
    found = measured([np.zeros((N_ROWS, 1))], ["regression"], x=np.array(["a", "b"] * (N_ROWS // 2)))
    assert found.references == ()


def test_the_mean_is_over_the_outputs_that_have_references():
    found = Expectations([[reference(0.4), reference(0.2, "linear")], [], [reference(0.8), reference(0.6, "linear")]])
    assert [(one.name, one.skill) for one in found.references] == [("forest", pytest.approx(0.6)), ("linear", 0.4)]
    assert found.profile.linear == pytest.approx(0.4)
    assert found.profile.best_lower == pytest.approx(0.59)


def test_an_output_is_measured_by_its_middle_reference():
    found = Expectations([[reference(0.1), reference(0.9), reference(0.6)]])
    assert found.of(0) == reference(0.6)
    assert found.is_reached(0, head(0.85), accept=0.98)
    assert not found.is_reached(0, head(0.7), accept=0.98)  # the best one lets expect more
    assert found.is_reached(0, head(0.7), accept=0.8)


def test_the_network_raises_what_can_be_had_but_not_what_suffices():
    found = Expectations([[reference(0.95, "network"), reference(0.6), reference(0.5, "linear")]])
    assert found.of(0) == reference(0.5, "linear")
    assert found.is_reached(0, head(0.65), accept=0.98)
    assert not found.leaves_nothing(0, head(0.65), accept=0.98)
    assert found.leaves_nothing(0, head(0.9), accept=0.98)
    assert found.far_exceeds(0, head(0.2))
    assert Expectations([[]]).leaves_nothing(0, head(0.1), accept=0.98)


def test_far_exceeded_is_an_output_with_less_than_half_of_what_is_to_be_had():
    found = Expectations([[reference(0.9)], [reference(0.0)], []])
    assert found.far_exceeds(0, head(0.1))
    assert not found.far_exceeds(0, head(0.6))
    assert not found.far_exceeds(1, head(0.0))
    assert not found.far_exceeds(2, head(0.0))
    assert Expectations([[reference(0.1), reference(0.2), reference(0.9)]]).far_exceeds(0, head(0.2))


@pytest.mark.parametrize(
    ("to_be_had", "skill", "is_short"),
    [(0.8, 0.4, False), (0.95, 0.4, True), (0.9, 0.2, True), (1.0, 0.6, False)],
)
def test_short_is_what_leaves_many_times_the_loss(to_be_had, skill, is_short):
    assert Expectations([[reference(to_be_had)]]).is_short(0, head(skill)) is is_short
    assert not Expectations([[]]).is_short(0, head(skill))
