import math
from typing import Any

import numpy as np
import pytest

from autofix.data.training_data import TrainingData
from autofix.report.records import Reference
from autofix.scoring.numpy_losses import loss_spec
from autofix.search.expectations import FLOOR, Expectations
from autofix.search.judge import Judge
from autofix.search.trials import SEEDS_A_REPEAT
from tests.search.canned import BETTER, GOOD, N_ROWS, CannedEngine, by_recipe, make_judge


def reference(skill, margin=0.02):
    return Reference("extra_trees", skill, skill - margin, skill + margin)


def test_skill_is_what_is_left_of_the_constants_loss():
    judge, _ = make_judge(by_recipe(control=None, good=0.5))
    assert judge.run(GOOD).skill == pytest.approx(0.75, abs=0.1)
    assert judge.control().skill == pytest.approx(0.0, abs=0.05)
    outcome = judge.run(GOOD)
    assert outcome.skill_lower < outcome.skill < outcome.skill_upper


def test_what_beats_the_floor_and_the_control_is_proven():
    judge, _ = make_judge(by_recipe(control=None, good=0.5))
    assert judge.is_proven(judge.run(GOOD))


@pytest.mark.parametrize("amount", [None, 1.0, 3.0])
def test_what_is_no_better_than_a_constant_is_not_proven(amount):
    judge, _ = make_judge(by_recipe(control=5.0, good=amount))
    assert not judge.is_proven(judge.run(GOOD))


@pytest.mark.parametrize("control", [0.3, 0.5])
def test_what_is_no_better_than_the_control_is_not_proven(control):
    judge, _ = make_judge(by_recipe(control=control, good=0.5))
    outcome = judge.run(GOOD)
    assert outcome.skill_lower > FLOOR
    assert not judge.is_proven(outcome)


def test_what_clearly_improves_on_a_control_with_skill_is_proven():
    judge, _ = make_judge(by_recipe(control=0.7, good=0.2))
    assert judge.is_proven(judge.run(GOOD))


@pytest.mark.parametrize(
    ("amount", "n_runs", "suffices"),
    [
        (0.965, 5, True),  # skill 0.07: too little to be told from none on the first quarter of the rows
        (0.5, 1, True),
        (1.0, 5, False),
        (1.5, 1, False),
        (math.inf, 1, False),
    ],
)
def test_little_skill_of_the_control_is_looked_for_on_all_rows(amount, n_runs, suffices):
    judge, engine = make_judge(lambda recipe, repeat: amount, n_rows=2_000)
    assert judge.control_suffices() == suffices
    assert len(engine.runs) == n_runs


def test_where_every_row_is_held_out_already_the_control_is_run_once():
    judge, engine = make_judge(lambda recipe, repeat: 1.0)
    assert not judge.control_suffices()
    assert len(engine.runs) == 5


def test_the_control_arm_never_proves_itself():
    judge, _ = make_judge(by_recipe(control=0.2))
    assert not judge.is_proven(judge.control())


def test_nan_predictions_are_never_proven():
    judge, _ = make_judge(by_recipe(control=None, good=math.inf))
    outcome = judge.run(GOOD)
    assert math.isnan(outcome.skill)
    assert not judge.is_proven(outcome)


def test_skill_is_proven_against_a_control_that_is_nan():
    judge, _ = make_judge(by_recipe(control=math.inf, good=0.5, better=None))
    assert judge.is_proven(judge.run(GOOD))
    assert not judge.is_proven(judge.run(BETTER))


def test_confirmation_needs_every_repeat():
    judge, _ = make_judge(lambda recipe, repeat: 0.3 if recipe else None)
    assert judge.confirms(GOOD)
    for lucky_repeats in ({0}, {0, 1}, {0, 2}):
        judge, _ = make_judge(lambda recipe, repeat, lucky=lucky_repeats: 0.3 if recipe and repeat in lucky else None)
        assert judge.is_proven(judge.run(GOOD))
        assert not judge.confirms(GOOD)


@pytest.mark.parametrize(
    ("n_rows", "amount", "n_runs", "is_confirmed"),
    [
        (120, 0.3, 3, True),  # 24 rows are held out by each of five splits: 64 by three
        (400, 0.3, 1, True),
        (400, 1.0, 5, False),
        (400, math.inf, 5, False),
        (50, 0.3, 5, True),
    ],
)
def test_a_repeat_ends_with_the_splits_that_show_it(n_rows, amount, n_runs, is_confirmed):
    judge, engine = make_judge(lambda recipe, repeat: amount if recipe else None, n_rows=n_rows)
    judge.control()
    del engine.runs[:]
    assert judge.confirms(GOOD) == is_confirmed
    of_first_repeat = [run for run in engine.runs if run[1] // SEEDS_A_REPEAT == 1]
    assert [run[0] for run in of_first_repeat].count(GOOD) == n_runs
    assert len(of_first_repeat) == 2 * n_runs
    judge.run(GOOD, 1)
    seeds = [seed for recipe, seed, _, _ in engine.runs if recipe == GOOD and seed // SEEDS_A_REPEAT == 1]
    assert sorted(seeds) == [SEEDS_A_REPEAT + fold for fold in range(5)], "none is trained on twice"


def test_the_time_is_up_when_the_budget_is_used():
    assert make_judge(by_recipe(), budget_s=1e-9)[0].is_out_of_time
    assert not make_judge(by_recipe(), budget_s=60.0)[0].is_out_of_time


def test_a_smaller_recipe_keeps_skill_when_it_is_practically_as_good():
    judge, _ = make_judge(by_recipe(control=None, good=0.21, better=0.2))
    assert judge.keeps_skill(GOOD, BETTER)


@pytest.mark.parametrize(("good", "better"), [(0.5, 0.2), (0.9, 0.7), (None, 0.2), (math.inf, 0.2)])
def test_a_smaller_recipe_that_leaves_more_loss_does_not_keep_skill(good, better):
    judge, _ = make_judge(by_recipe(control=None, good=good, better=better))
    assert not judge.keeps_skill(GOOD, BETTER)


def test_a_better_smaller_recipe_keeps_skill():
    judge, _ = make_judge(by_recipe(control=None, good=0.1, better=0.5))
    assert judge.keeps_skill(GOOD, BETTER)


def test_skill_must_be_kept_on_every_output():
    judge, _ = make_judge(by_recipe(control=None, good=[0.1, 0.6], better=[0.3, 0.3]), n_heads=2)
    assert judge.run(GOOD).skill == pytest.approx(judge.run(BETTER).skill, abs=0.15)
    assert not judge.keeps_skill(GOOD, BETTER)


def test_without_references_any_skill_suffices():
    judge, _ = make_judge(by_recipe(control=0.8, good=None))
    assert judge.is_sufficient(judge.control())
    assert not judge.is_sufficient(judge.run(GOOD))
    assert judge.reaches_references(judge.run(GOOD))


@pytest.mark.parametrize(
    ("noise", "skill_to_be_had", "suffices"),
    [
        (0.2, 0.97, True),
        (0.6, 0.98, True),  # more than half of the constant's loss is gone
        (0.85, 0.98, False),  # leaves many times the loss that the reference leaves
        (0.93, 0.8, False),  # has less than half of the skill that the reference has
        (0.6, 0.6, True),
        (0.1, 0.999, True),  # as good as perfect, whatever the reference reaches
        (None, 0.5, False),
        (math.inf, 0.5, False),
    ],
)
def test_sufficient_means_not_far_short_of_the_reference(noise, skill_to_be_had, suffices):
    judge, _ = make_judge(by_recipe(control=noise))
    judge.expectations = Expectations([[reference(skill_to_be_had, 0.001)]])
    assert judge.is_sufficient(judge.control()) is suffices


def test_the_search_ends_at_the_share_of_the_reference_that_was_asked_for():
    for accept, reaches in ((0.98, False), (0.5, True)):
        judge, _ = make_judge(by_recipe(control=None, good=0.5), accept=accept)
        judge.expectations = Expectations([[reference(0.98)]])
        assert judge.reaches_references(judge.run(GOOD)) is reaches


def test_a_network_is_measured_by_the_middle_reference():
    judge, _ = make_judge(by_recipe(control=None, good=0.5))
    judge.expectations = Expectations([[reference(skill) for skill in (0.1, 0.8, 0.6)]])
    assert judge.expectations.of(0) == reference(0.6)
    assert judge.reaches_references(judge.run(GOOD))
    judge.expectations = Expectations([[reference(skill) for skill in (0.1, 0.99, 0.6)]])
    assert not judge.reaches_references(judge.run(GOOD))


# Two outputs


def test_one_collapsed_output_is_repaired_while_the_other_stays():
    judge, _ = make_judge(by_recipe(control=[0.4, None], good=[0.4, 0.4]), n_heads=2)
    assert judge.is_proven(judge.run(GOOD))


def test_a_repair_at_the_price_of_the_other_output_is_not_proven():
    judge, _ = make_judge(by_recipe(control=[0.1, None], good=[0.7, 0.1]), n_heads=2)
    assert judge.run(GOOD).skill > judge.control().skill
    assert not judge.is_proven(judge.run(GOOD))


def test_an_output_that_is_nearly_perfect_need_not_get_better():
    judge, _ = make_judge(by_recipe(control=[1e-4, None], good=[0.01, 0.4]), n_heads=2)
    assert judge.to_repair() == [1]
    assert judge.is_proven(judge.run(GOOD))


def test_an_output_without_anything_to_learn_does_not_stand_in_the_way():
    judge, _ = make_judge(by_recipe(control=[None, None], good=[0.4, 2.0]), n_heads=2)
    judge.expectations = Expectations([[reference(0.9)], [reference(0.0)]])
    assert judge.to_repair() == [0]
    assert judge.excused() == (1,)
    assert judge.is_proven(judge.run(GOOD))
    assert judge.keeps_skill(GOOD, GOOD)
    assert judge.is_learnable()
    assert not judge.is_hopeless()


def test_the_only_output_to_repair_may_have_nothing_to_learn():
    judge, _ = make_judge(by_recipe(control=[0.1, None]), n_heads=2)
    judge.expectations = Expectations([[reference(0.95)], [reference(0.0)]])
    assert judge.to_repair() == [1]
    assert judge.excused() == ()
    assert judge.is_hopeless()
    assert not judge.is_learnable()


def test_what_is_expected_of_one_output_says_nothing_of_the_other():
    judge, _ = make_judge(by_recipe(control=[0.01, 0.9]), n_heads=2)
    judge.expectations = Expectations([[reference(0.99)], [reference(0.9)]])
    assert judge.to_repair() == [1]
    assert not judge.is_sufficient(judge.control())


def test_every_output_needs_skill():
    judge, _ = make_judge(by_recipe(control=[None, None], good=[0.1, None]), n_heads=2)
    assert not judge.is_proven(judge.run(GOOD))
    judge, _ = make_judge(by_recipe(control=[None, None], good=[0.1, math.inf]), n_heads=2)
    assert not judge.is_proven(judge.run(GOOD))


def test_one_output_without_skill_does_not_suffice():
    judge, _ = make_judge(by_recipe(control=[0.1, None]), n_heads=2)
    assert not judge.is_sufficient(judge.control())


def test_outputs_without_a_loss_are_not_judged():
    judge, _ = make_judge(by_recipe(control=[None, None], good=[0.3, None]), n_heads=2, n_losses=1)
    outcome = judge.run(GOOD)
    assert len(outcome.heads) == 1
    assert judge.is_proven(outcome)


def test_rows_without_weight_prove_nothing():
    weights = np.ones(N_ROWS)
    weights[: N_ROWS // 2] = 0.0

    class OnlyUnweightedRows(CannedEngine):
        def run(self, *arguments, **options):
            found = super().run(*arguments, **options)
            found.predictions[0][N_ROWS // 2 :] = 0.0
            return found

    for sample_weight, is_proven in ((None, True), (weights, False)):
        noise = by_recipe(control=None, good=0.1)
        judge, _ = make_judge(noise, sample_weight=sample_weight, engine_class=OnlyUnweightedRows)
        assert judge.is_proven(judge.run(GOOD)) is is_proven


# References


def test_references_are_ranked_by_their_held_out_skill():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N_ROWS, 2))
    y = x[:, :1] - x[:, 1:]
    data = TrainingData.from_arrays(x, y, epochs=10)
    engine: Any = CannedEngine([y], by_recipe(control=None))
    judge = Judge(
        engine,
        data,
        [loss_spec("mean_squared_error")],
        seed=0,
        accept=0.98,
        budget_s=60.0,
    )
    judge.expect(judge.learn_references(["regression"]))
    references, profile = judge.expectations.references, judge.expectations.profile
    skills = [one.skill for one in references]
    assert skills == sorted(skills, reverse=True)
    assert references[0].name == "linear"
    assert profile.linear == pytest.approx(1.0, abs=1e-3)
    assert profile.best_lower == references[0].skill_lower


def test_unknown_tasks_have_no_reference():
    judge, _ = make_judge(by_recipe(control=None))
    judge.expect(judge.learn_references(["other"]))
    profile = judge.expectations.profile
    assert judge.expectations.references == ()
    assert (profile.linear, profile.nonlinear, profile.best_lower) == (None, None, None)


def memory_of(data, knows_all):
    """Predicts the targets it was trained on where inputs are the same, and 0 elsewhere."""

    def predict(targets, rows):
        known = {data.inputs[0][row].tobytes(): targets[0][row] for row in rows}
        rows = data.inputs[0] if knows_all else data.inputs[0][:0]
        values = [known.get(row.tobytes(), np.zeros(1)) for row in rows]
        return [np.array(values) if knows_all else np.zeros_like(targets[0])]

    return predict


def test_a_recipe_that_learns_permuted_targets_knows_copies_of_the_rows():
    judge, engine = make_judge(by_recipe(control=None, good=0.1))
    engine.predict = memory_of(judge._data, knows_all=True)
    assert not judge.learns_permuted(GOOD)
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=(30, 2)), 6, axis=0)
    y = np.repeat(rng.normal(size=(30, 1)), 6, axis=0)
    data = TrainingData.from_arrays(x, y, epochs=10)
    copies = CannedEngine(data.targets, by_recipe(control=None, good=0.1))
    copies.predict = memory_of(data, knows_all=True)
    judge = Judge(copies, data, [loss_spec("mean_squared_error")], seed=0, accept=0.98, budget_s=60.0)
    assert judge.learns_permuted(GOOD)
