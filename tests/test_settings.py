import math

import pytest

import autofix
from autofix.settings import DEFAULT_MAX_TRIALS, ON_UNREPAIRED, ORDERS, Settings


def test_the_defaults_are_valid():
    settings = Settings()
    assert settings.order == "evidence"
    assert settings.max_trials == DEFAULT_MAX_TRIALS
    assert settings.on_unrepaired == "warn"
    assert (settings.strategies, settings.budget_s, settings.directory) == (None, None, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("order", order) for order in ORDERS],
        *[("on_unrepaired", choice) for choice in ON_UNREPAIRED],
        ("max_trials", 1),
        ("accept", 1),
        ("accept", 1.0),
        ("accept", 1e-6),
        ("budget_s", 1),
        ("budget_s", 0.5),
        ("budget_s", None),
        ("seed", 0),
        ("seed", None),
        ("directory", "somewhere"),
    ],
)
def test_values_in_range_are_taken(name, value):
    assert getattr(Settings(**{name: value}), name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("order", "evidense"),
        ("on_unrepaired", None),
        ("max_trials", 0),
        ("max_trials", 2.5),
        ("max_trials", True),
        ("accept", 0),
        ("accept", 1.01),
        ("accept", -1.0),
        ("accept", math.nan),
        ("accept", "all"),
        ("budget_s", 0),
        ("budget_s", -1.0),
        ("budget_s", math.nan),
        ("seed", -1),
        ("seed", 1.5),
    ],
)
def test_values_out_of_range_are_refused_by_name(name, value):
    with pytest.raises(autofix.ArgumentError, match=rf"Received: {name}="):
        Settings(**{name: value})


def test_argument_errors_are_value_errors():
    with pytest.raises(ValueError, match="max_trials"):
        Settings(max_trials=-1)


def test_a_mistyped_choice_gets_a_suggestion():
    with pytest.raises(autofix.ArgumentError, match="Did you mean 'evidence'"):
        Settings(order="evidense")


def test_runs_without_a_seed_use_a_fixed_one():
    assert Settings().base_seed == Settings().base_seed == 0
    assert Settings(seed=7).base_seed == 7
