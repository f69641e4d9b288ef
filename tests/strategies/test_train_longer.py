from autofix.evidence import CurveProfile
from tests.strategies.records import case, prescribe, settings

RISING = CurveProfile(half_skill=0.1, end_skill=0.4)


def test_a_training_that_still_gets_better_is_made_longer():
    assert settings("train_longer", case(curve=RISING)) == {"epochs": [100, 300, 30]}
    remedy = prescribe("train_longer", case(curve=RISING))
    assert (remedy.name, remedy.value, remedy.was) == ("epochs", 100, 10)
    assert remedy.departure() == "It trains for 100 epochs in place of 10."
    assert prescribe("train_longer", case(finds=["insufficient_training"])) == remedy


def test_a_training_that_has_arrived_is_not():
    assert prescribe("train_longer", case(curve=CurveProfile(half_skill=0.4, end_skill=0.41))) is None
    assert prescribe("train_longer", case()) is None


def test_it_stays_affordable():
    assert settings("train_longer", case(curve=RISING, fit={"total_steps": 5_000})) == {"epochs": [30]}
    assert prescribe("train_longer", case(curve=RISING, fit={"total_steps": 50_000})) is None
