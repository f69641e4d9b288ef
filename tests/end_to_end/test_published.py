"""The three published failing programs, from `autofix.fit` to a model that is trained on."""

import json

import keras
import numpy as np
import pytest

import autofix
from autofix.benchmarks.published import PROGRAMS

N_ROWS = 100
N_FRESH_ROWS = 1000
EPOCHS = 100


def r_squared(y, predictions):
    return float(1.0 - np.mean(np.square(predictions.reshape(-1) - y)) / np.var(y))


class Repaired:
    """A program after `autofix.fit`, with fresh rows of its generator."""

    def __init__(self, program):
        self.program = program
        rng = np.random.default_rng(0)
        self.x, self.y = program.make_data(N_ROWS, rng)
        self.fresh_x, self.fresh_y = program.make_data(N_FRESH_ROWS, rng)
        keras.utils.set_random_seed(0)
        self.plain = program.build()
        self.plain.fit(self.x, self.y, epochs=EPOCHS, verbose=0)
        keras.utils.set_random_seed(0)
        self.model = self.given = program.build()
        self.history = autofix.fit(self.model, self.x, self.y, epochs=EPOCHS, verbose=0)
        self.report = self.history.report

    def score(self, model):
        return r_squared(self.fresh_y, model.predict(self.fresh_x, verbose=0))


@pytest.fixture(scope="module", params=PROGRAMS, ids=lambda program: program.name)
def repaired(request):
    return Repaired(request.param)


def test_it_is_repaired(repaired):
    assert repaired.report.verdict == "repaired"
    assert repaired.score(repaired.plain) < 0.5
    assert repaired.score(repaired.model) >= repaired.program.r2_floor


def test_the_history_is_that_of_the_training_that_counts(repaired):
    losses = repaired.history.history["loss"]
    assert len(losses) == EPOCHS
    assert losses[-1] == min(losses[0], losses[-1])
    assert repaired.history.model is repaired.model
    assert repaired.history.epoch == list(range(EPOCHS))


def test_the_users_object_takes_raw_inputs_and_gives_raw_units(repaired):
    assert repaired.model is repaired.given
    assert repaired.model.input_shape == repaired.plain.input_shape
    assert repaired.model.output_shape == repaired.plain.output_shape
    predictions = repaired.model.predict(repaired.fresh_x, verbose=0)
    assert predictions.mean() == pytest.approx(repaired.fresh_y.mean(), abs=0.2 * repaired.fresh_y.std())
    error = float(np.mean(np.square(predictions[:, 0] - repaired.fresh_y)))
    assert repaired.model.evaluate(repaired.fresh_x, repaired.fresh_y, verbose=0) == pytest.approx(error, rel=1e-3)


def test_the_report_tells_the_fix_as_code_to_paste(repaired):
    text = str(repaired.report)
    assert "repaired" in text
    for line in repaired.report.fix.splitlines():
        assert line.split("#")[0].strip()[:30] in text
    assert json.loads(repaired.report.to_json())["verdict"] == "repaired"
    assert repaired.report.recipe.code() == repaired.report.fix != ""
    assert repaired.report.cause is not None


NEEDED = {
    "linear_model": {"add_hidden_layers"},
    "high_learning_rate": {"lower_learning_rate"},
    "unscaled_inputs": {"standardize_inputs", "standardize_targets", "lower_learning_rate"},
}
"""Without one of these no program gets there."""


def test_the_fix_names_what_is_needed(repaired):
    assert NEEDED[repaired.program.name] & set(repaired.report.recipe.strategies)
    if repaired.program.name == "high_learning_rate":
        assert repaired.report.recipe.strategies == ("lower_learning_rate",)
        assert repaired.report.fix.startswith("optimizer=keras.optimizers.Adam(0.")
        assert repaired.report.fix.endswith("# was 1")
        assert "\n" not in repaired.report.fix


def test_rung_0_is_the_control_arm_and_nothing_accepted_is_worse(repaired):
    control, *others = repaired.report.trials
    assert control.status == "control"
    assert control.rung == 0
    assert len(control.recipe) == 0
    accepted = [trial for trial in others if trial.status in ("accepted", "proven")]
    assert accepted
    assert all(trial.skill > control.skill for trial in accepted)


def test_before_and_after_are_assessed(repaired):
    assert repaired.report.before[0].skill < 0.5
    assert repaired.report.after[0].skill > repaired.report.before[0].skill
    assert repaired.report.seconds["total"] > 0


def test_the_recipe_applies_to_another_model(repaired):
    other = repaired.program.build()
    rebuilt = repaired.report.recipe.apply(other)
    assert rebuilt is not other
    rebuilt.fit(repaired.x, repaired.y, epochs=EPOCHS, verbose=0, **repaired.report.recipe.fit_arguments)
    assert repaired.score(rebuilt) > repaired.score(repaired.plain) + 0.3


def test_training_goes_on_from_where_it_is(repaired):
    # Last, because it changes the model that the other tests look at.
    before = repaired.score(repaired.model)
    history = repaired.model.fit(repaired.x, repaired.y, epochs=2, verbose=0)
    assert len(history.history["loss"]) == 2
    assert repaired.score(repaired.model) > before - 0.1
