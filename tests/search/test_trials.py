"""Trials: which rows, weights and steps a recipe is run with, and what is remembered of it."""

import pytest

from autofix.recipe import Recipe
from autofix.remedies import SetFitArgument
from autofix.search.trials import SEEDS_A_REPEAT
from tests.search.canned import GOOD, LESS_NOISE, by_recipe, make_trials

OWN = Recipe()


def test_repeats_have_other_splits_and_other_seeds():
    trials, engine = make_trials(by_recipe(control=None, good=0.5))
    trials.run(GOOD, 0)
    trials.run(GOOD, 1)
    seeds = [seed for _, seed, _, _ in engine.runs]
    assert len(seeds) == len(set(seeds)) == 10


def test_an_outcome_is_remembered():
    trials, engine = make_trials(by_recipe(control=None, good=0.5))
    assert trials.remembered(GOOD) is None
    assert trials.run(GOOD, 0) is trials.run(GOOD, 0) is trials.remembered(GOOD)
    assert trials.outcomes == [trials.run(GOOD, 0)]
    assert len(engine.runs) == 5


def test_a_trial_grows_without_training_on_a_split_twice():
    trials, engine = make_trials(by_recipe(control=None, good=0.5))
    first, whole = trials.growing(GOOD, 1)
    assert first.heads[0].n_samples == 72  # of 24 rows a split: the first 64 or more
    assert whole.heads[0].n_samples == 120
    assert whole is trials.run(GOOD, 1)
    assert [seed for _, seed, _, _ in engine.runs] == [SEEDS_A_REPEAT + fold for fold in range(5)]


def test_what_a_trial_would_grow_by_is_not_run_before_it_is_asked_for():
    trials, engine = make_trials(by_recipe(control=None, good=0.5))
    next(trials.growing(GOOD, 0))
    assert len(engine.runs) == 3


def test_only_the_first_control_starts_from_the_users_own_weights():
    trials, engine = make_trials(by_recipe(control=None, good=0.5))
    trials.run(OWN, 0)
    trials.run(OWN, 1)
    trials.run(GOOD, 0)
    assert [own for *_, own in engine.runs] == [True] * 5 + [False] * 10


@pytest.mark.parametrize("budget_s", [60.0, 1e-9])
def test_a_short_horizon_is_never_cut(budget_s):
    trials, engine = make_trials(by_recipe(good=0.5), budget_s=budget_s)
    trials.run(GOOD, 0)
    assert {run[2] for run in engine.runs} == {40}


def test_long_horizons_are_cut_to_the_budget():
    trials, engine = make_trials(by_recipe(good=0.5), budget_s=1e-3, epochs=1000)
    trials.run(GOOD, 0)
    assert {run[2] for run in engine.runs} == {50}


def test_a_recipe_of_more_epochs_trains_for_longer():
    trials, engine = make_trials(by_recipe(control=None, good=0.5))
    trials.run(Recipe((SetFitArgument("train_longer", name="epochs", value=30),)), 0)
    trials.run(OWN, 0)
    steps = {len(recipe): steps for recipe, _, steps, _ in engine.runs}
    assert steps[1] == 3 * steps[0]


def test_the_control_arm_is_also_looked_at_after_half_of_its_steps():
    trials, engine = make_trials(by_recipe(control=0.5))
    assert trials.control_at_half().skill == pytest.approx(1.0 - (0.5 * LESS_NOISE) ** 2, abs=0.05)
    assert trials.run(OWN, 0).skill == pytest.approx(0.75, abs=0.1)
    assert len(engine.runs) == 5


def test_a_control_arm_that_is_cut_short_has_no_half():
    trials, _ = make_trials(by_recipe(control=0.5), budget_s=1e-3, epochs=1000)
    assert trials.control_at_half() is None


def test_predictions_that_the_loss_cannot_take_have_no_skill():
    trials, _ = make_trials(by_recipe(control=0.1), shapes=[(3,)])
    assert not trials.run(OWN, 0).heads[0].is_finite
