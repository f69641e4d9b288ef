import pytest

from autofix.evidence import CurveProfile
from tests.strategies.records import case, prescribe, settings


@pytest.mark.parametrize(
    "signs",
    [
        {"finds": ["exploding_gradients"]},
        {"finds": ["nonfinite_training"]},
        {"curve": CurveProfile(losses=(1.0, float("nan")))},
        {"curve": CurveProfile(losses=(float("inf"),))},
        {"curve": CurveProfile(has_nonfinite_weights=True)},
    ],
)
def test_gradients_are_limited_where_something_points_to_an_explosion(signs):
    remedy = prescribe("clip_gradients", case(optimizer="SGD", **signs))
    assert (remedy.global_clipnorm, remedy.optimizer) == (1.0, "SGD")
    assert settings("clip_gradients", case(**signs)) == {"global_clipnorm": [1.0, 0.1]}


def test_gradients_that_are_limited_or_small_are_left_alone():
    assert prescribe("clip_gradients", case(finds=["exploding_gradients"], is_clipped=True)) is None
    assert prescribe("clip_gradients", case(curve=CurveProfile(losses=(1.0, 0.9)))) is None
