import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from autofix.evidence import TargetProfile
from tests.strategies.records import TARGET, case, prescribe, settings


def labels(shares, kind="multiclass"):
    return TargetProfile(kind, 0.0, 1.0, False, 0.0, class_shares=tuple(shares.items()))


RARE = labels({0: 0.9, 1: 0.1}, "binary")


@given(st.lists(st.integers(1, 500), min_size=2, max_size=6).filter(lambda counts: max(counts) > 3 * min(counts)))
def test_weights_are_those_of_scikit_learn(counts):
    y = np.repeat(np.arange(len(counts)), counts)
    target = labels({label: count / len(y) for label, count in enumerate(counts)})
    remedy = prescribe("balance_classes", case(targets=(target,)))
    expected = compute_class_weight("balanced", classes=np.arange(len(counts)), y=y)
    np.testing.assert_allclose([remedy.argument[label] for label in range(len(counts))], expected)


def test_milder_weights_go_with_the_root_and_are_1_on_average():
    remedy = prescribe("balance_classes", case(targets=(RARE,)), power=0.5)
    assert remedy.argument[1] / remedy.argument[0] == pytest.approx(3.0)
    assert 0.9 * remedy.argument[0] + 0.1 * remedy.argument[1] == pytest.approx(1.0)
    assert settings("balance_classes", case(targets=(RARE,))) == {"power": [1.0, 0.5]}


def test_classes_without_rows_weigh_1_since_keras_wants_every_number():
    remedy = prescribe("balance_classes", case(targets=(labels({1: 0.9, 3: 0.1}),)))
    assert sorted(remedy.argument) == [0, 1, 2, 3]
    assert remedy.argument[0] == remedy.argument[2] == 1.0


def test_it_says_that_probabilities_change():
    assert "probabilities" in prescribe("balance_classes", case(targets=(RARE,))).departure()


@pytest.mark.parametrize(
    "arguments",
    [
        {"targets": (labels({0: 0.6, 1: 0.4}),)},
        {"targets": (RARE, RARE)},
        {"targets": (RARE,), "fit": {"has_sample_weights": True}},
        {"targets": (TARGET,)},
        {"targets": (labels({0: 0.9, 1: 0.1}, "multilabel"),)},
        {"targets": (labels({-1: 0.9, 1: 0.1}),)},
        {"targets": (labels({0: 1.0}),)},
    ],
)
def test_even_classes_several_outputs_and_weighted_rows_are_left_alone(arguments):
    assert prescribe("balance_classes", case(**arguments)) is None
