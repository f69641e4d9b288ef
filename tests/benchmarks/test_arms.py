"""The arms: what each gets, and what comes out, on programs that train in a second."""

import dataclasses
import inspect
import json
import math

import keras
import numpy as np
import pytest

import autofix
from autofix.benchmarks import arms, autokeras_search, builtin, learners, runs, scenarios, searches
from autofix.benchmarks.arms import Budget
from autofix.benchmarks.faults import skill, trained
from autofix.benchmarks.own_program import OwnProgram
from autofix.benchmarks.scenarios import Scenario
from autofix.report import Report
from autofix.report.records import RunRecord
from autofix.strategy import strategy_names

BUILT_IN = {scenario.name: scenario for scenario in [*builtin.planted(), *builtin.controls()]}
QUICK = [scenario for scenario in BUILT_IN.values() if "quick" in scenario.suites]

LEARNING_RATE = 3.0


def make_model(rate=LEARNING_RATE):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="mse")
    return model


def draw(seed, build=make_model):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(1_100, 2))
    y = 1.5 * x[:, 0] - x[:, 1] + rng.normal(0.0, 0.1, size=1_100)
    rows = x[:100], y[:100], x[100:], y[100:]
    return OwnProgram("regression", *rows, build, {"epochs": 20, "batch_size": 10}, seed, ("a rate of 3",))


def fix(seed):
    return draw(seed, lambda: make_model(0.02))


TINY = Scenario("tiny", "linear regression", "repaired", draw, fix, (("learning_rate_too_high",),), is_searched=True)


@pytest.fixture
def tiny(monkeypatch):
    """A registry with one scenario under two names, and no plain trainings of earlier tests."""
    renamed = dataclasses.replace(TINY, name="high_learning_rate/renamed", family="another", causes=(("dead_units",),))
    own = {one.name: one for one in (TINY, renamed)}
    monkeypatch.setattr(arms, "registered", lambda: own)
    monkeypatch.setattr(arms, "_PLAIN", {})
    return own


def texts_in(value):
    """All text in a tree of values."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for one in pair for text in texts_in(one)]
    if isinstance(value, list | tuple):
        return [text for one in value for text in texts_in(one)]
    return []


# One of each kind of data; the faults differ too.
@pytest.mark.parametrize("scenario", {one.family: one for one in QUICK}.values(), ids=lambda scenario: scenario.name)
def test_autofix_gets_a_model_data_and_arguments_of_fit_and_no_name(scenario, monkeypatch):
    got = {}

    def recording_fit(model, **arguments):
        got.update(model=model, arguments=arguments)
        history = keras.callbacks.History()
        history.report = Report(RunRecord("healthy"))
        return history

    monkeypatch.setattr(autofix, "fit", recording_fit)
    monkeypatch.setattr(keras.Sequential, "predict", lambda self, x, verbose: np.zeros((len(x), 1)))
    monkeypatch.setattr(keras.Model, "predict", lambda self, x, verbose: [np.zeros((len(x), 1))] * 2)
    program = scenario.draw(0)
    trained.train(program, "evidence")
    known = set(inspect.signature(keras.Model.fit).parameters)
    assert set(got["arguments"]) - known == {"order"}
    assert got["arguments"]["x"] is program.x
    told = texts_in({name: value for name, value in got["arguments"].items() if name != "order"})
    told.append(json.dumps(got["model"].get_config(), default=str))
    told += [json.dumps(got["model"].get_compile_config(), default=str), got["model"].name]
    names = {scenario.name, scenario.name.split("/")[0], scenario.cause}
    for text in told:
        # A layer may be called what the fault is called that is planted with it: Dropout, dropout.
        assert not [name for name in names - {"dropout"} if name in text], text
    assert scenario.name not in " ".join(told)


def test_renaming_a_scenario_changes_nothing(tiny):
    records = [arms.run(name, "autofix", 0, Budget(), 1) for name in tiny]
    for record in records:
        assert record["error"] == ""
    first, second = records
    same = ("planted", "verdict", "findings", "strategies", "fix")
    assert {name: first[name] for name in same} == {name: second[name] for name in same}
    # XLA or not is decided by measured times; the two differ in the last digits, which trainings amplify.
    assert first["skill"] == pytest.approx(second["skill"], abs=0.02)
    assert [trial[1] for trial in first["trials"]] == [trial[1] for trial in second["trials"]]
    assert first["family"] != second["family"]
    assert first["verdict"] == "repaired"
    assert first["drop"][1] < 0.0


def test_plain_arms_are_compared_with_the_plain_training(tiny):
    nothing, again = (arms.run("tiny", arm, 0, Budget(), 1) for arm in ("nothing", "again"))
    assert nothing["drop"] == [0.0, 0.0, 0.0]
    assert nothing["is_identical"]
    assert not again["is_identical"]
    assert nothing["seconds"] > 0.0
    assert nothing["peak_mb"] > 100.0
    json.dumps(nothing, allow_nan=False)


def test_a_fix_by_hand_that_scenarios_share_is_judged_once_and_timed_each_time(tiny, monkeypatch):
    monkeypatch.setattr(arms, "_BY_HAND", {})
    monkeypatch.setattr(
        arms, "registered", lambda: {one.name: dataclasses.replace(one, fixed_as="line") for one in tiny.values()}
    )
    starts = []
    monkeypatch.setattr(trained, "from_starts", lambda program: starts.append(program) or trained.train(program))
    first, second = (arms.run(name, "hand", 0, Budget(), 1) for name in tiny)
    assert len(starts) == 1
    assert first["skill"] == second["skill"]
    assert first["seconds"] != second["seconds"]
    arms.run("tiny", "hand", 1, Budget(), 1)
    assert len(starts) == 2


def test_a_fix_by_hand_is_judged_on_its_own_rows_and_compared_with_none(tiny, monkeypatch):
    monkeypatch.setattr(trained, "HEALTHY_STARTS", 1)
    by_hand = arms.run("tiny", "hand", 0, Budget(), 1)
    assert by_hand["skill"] > 0.9
    assert "drop" not in by_hand


def test_an_arm_that_fails_leaves_its_error(tiny, monkeypatch):
    broken = arms.Arm("broken", lambda scenario, program, budget: 1 / 0)
    monkeypatch.setitem(arms.BY_NAME, "broken", broken)
    assert "ZeroDivisionError" in arms.run("tiny", "broken", 0, Budget(), 1)["error"]


def test_scikit_learn_fits_what_a_network_could(tiny):
    done, figures = learners.train(draw(0))
    assert done.skill > 0.95
    assert figures["learners"] == ["Ridge"]
    both = builtin.BY_NAME["pair"].draw(0)
    done, figures = learners.train(dataclasses.replace(both, x=both.x[:80], y=tuple(one[:80] for one in both.y)))
    assert len(done.outputs) == len(figures["learners"]) == 2
    assert done.skill > 0.0


def test_searches_have_the_space_of_the_strategies():
    space = searches.search_space(draw(0))
    hp = searches.hyperparameters(space)
    assert "lower_learning_rate" in space.strategies
    assert {f"use/{name}" for name in space.strategies} | set(space.settings) == set(hp.values)


@pytest.mark.sweep
def test_searches_use_the_strategies_and_keep_to_the_budget(tiny):
    record = arms.run("tiny", "random_search", 0, Budget(n_trials=2), 1)
    assert record["error"] == ""
    assert record["n_trials"] == 2
    skills = [point["skill"] for point in record["curve"]]
    assert record["skill"] == skills[-1]
    assert record["curve"][-1]["seconds"] <= record["seconds"]
    assert set(record["strategies"]) <= set(strategy_names())


@pytest.mark.sweep
def test_hyperband_goes_on_with_the_best_and_counts_epochs(tiny):
    record = arms.run("tiny", "hyperband", 0, Budget(n_trials=1), 1)
    assert record["error"] == ""
    # Of 27 trials, each a 27th of a training, the best go on: one whole training is used up by the first 27.
    assert record["n_trials"] >= 27
    assert arms.run("tiny", "hyperband", 0, Budget(n_trials=60, limit_s=0.0), 1)["n_trials"] <= 1


def test_autokeras_is_left_out_where_it_is_not_installed(tiny, monkeypatch):
    monkeypatch.setattr(autokeras_search.importlib.util, "find_spec", lambda name: None)
    record = arms.run("tiny", "autokeras", 0, Budget(), 1)
    assert "not installed" in record["not_run"]
    assert record["error"] == ""


@pytest.mark.sweep
def test_autokeras_is_judged_as_the_others_are(tiny):
    if autokeras_search.importlib.util.find_spec("autokeras") is None:
        pytest.skip("AutoKeras is not installed")
    record = arms.run("tiny", "autokeras", 0, Budget(n_trials=1), 1)
    assert record["error"] == ""
    assert math.isfinite(record["skill"])


def test_every_arm_has_a_title_and_runs_where_it_says():
    assert [arm.name for arm in arms.ARMS] == list(arms.BY_NAME)
    every = runs.tasks(QUICK, arms.ARMS, range(2), n_trials=9, workers=1)
    keys = [task.key for task in every]
    assert len({json.dumps(key) for key in keys}) == len(keys)
    by_hand = {key["scenario"] for key in keys if key["arm"] == "hand"}
    assert by_hand == {scenario.name for scenario in QUICK if scenario.verdict == "repaired"}
    searched = {(key["scenario"], key["seed"]) for key in keys if key["arm"] == "hyperband"}
    assert searched == {(scenario.name, 0) for scenario in QUICK if scenario.is_searched}
    parts = [runs.tasks(QUICK, arms.ARMS, range(2), n_trials=9, workers=1, shard=(part, 3)) for part in (1, 2, 3)]
    assert sorted(json.dumps(task.key) for part in parts for task in part) == sorted(map(json.dumps, keys))
    groups = [{task.group for task in part} for part in parts]
    assert not groups[0] & groups[1]


def test_a_drop_is_judged_on_the_rows_that_both_see():
    rng = np.random.default_rng(0)
    y = rng.normal(size=1_000)
    good, worse = (y + noise * rng.normal(size=1_000) for noise in (0.3, 0.5))
    found = skill.drop("regression", y, good[:, None], worse[:, None])
    assert found.value == pytest.approx(0.16, abs=0.03)
    assert 0.0 < found.lower < found.value < found.upper
    assert skill.drop("regression", y, good[:, None], good[:, None]) == (0.0, 0.0, 0.0)
    nothing = np.full((1_000, 1), np.nan)
    assert skill.drop("regression", y, nothing, good[:, None]).value == -math.inf
    assert skill.drop("regression", y, good[:, None], nothing).lower == math.inf
    assert skill.drop("regression", y, nothing, nothing).value == 0.0
    assert skill.drop("regression", np.full(1_000, 3.0), good[:, None], worse[:, None]) == (0.0, 0.0, 0.0)


def test_skill_of_several_outputs_is_their_mean():
    y = np.random.default_rng(0).normal(size=500), np.arange(500) % 2
    perfect, constant = y[1][:, None].astype(float), np.full((500, 1), 0.5)
    assert skill.measure(("regression", "binary"), y, [y[0][:, None], constant]).value == pytest.approx(0.5)
    assert skill.measure(("regression", "binary"), y, [y[0][:, None], perfect]).value == pytest.approx(1.0)


def test_the_registry_of_the_arms_is_that_of_the_scenarios():
    assert arms.registered is scenarios.registered
