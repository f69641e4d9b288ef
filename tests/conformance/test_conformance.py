"""Keras' own tests pass with `Model.fit` routed through `autofix.fit`: a quick part of `make conformance`."""

import keras
import numpy as np
import pytest
from keras.src.backend.tensorflow.trainer import TensorFlowTrainer

import autofix
from tests.conformance.comparison import (
    MISSING,
    PLAIN,
    ROUTED,
    UNREPAIRED,
    Comparison,
    Outcome,
    compare,
    differences,
    keras_folder,
    problems,
    table,
)
from tests.conformance.routing import Routing

CALLBACKS = ("backup_and_restore", "callback", "csv_logger", "terminate_on_nan")
"""Files that train, stop, fail and begin anew in callbacks, and finish within seconds."""

TRAINER = (
    "callback_methods_keys",
    "callbacks_can_update_state_at_batch_boundary",
    "fit_flow_graph_fn",
    "fit_flow_steps_per_epoch_eager",
    "fit_with_custom_train_step",
    "fit_with_data_adapter_generator_infinite",
    "fit_with_data_adapter_py_dataset_multithreading_cw",
    "fit_with_data_adapter_tf_dataset",
    "fit_with_val_split_graph_fn",
    "for_eval_epoch_iterator",
    "max_epochs_and_steps",
    "recompile",
    "stop_loop_fit",
    "validation_data_infinite_generator",
)
"""Tests of the trainer itself: one for each kind of data, and each of the arguments that cut a training short."""

QUICK = (
    *(f"keras/src/callbacks/{name}_test.py" for name in CALLBACKS),
    *(f"keras/src/trainers/trainer_test.py::TestTrainer::test_{name}" for name in TRAINER),
)

MOST_TRAINED = 30
"""Trainings that these run at least: 40 under Keras 3.15."""


@pytest.mark.sweep
def test_what_passes_with_keras_passes_with_autofix():
    comparison = compare(QUICK)
    assert problems(comparison) == [], table(comparison)
    assert comparison.n_fits >= MOST_TRAINED
    assert sum(outcome.is_passed for outcome in comparison.plain.values()) >= len(TRAINER)


def test_keras_has_the_files():
    for name in QUICK:
        assert (keras_folder() / name.partition("::")[0]).is_file()


# The routing


@pytest.fixture
def routing(monkeypatch):
    """Whatever is trained in this test goes through `autofix.fit`."""
    for name in ("fit", "__init_subclass__"):
        monkeypatch.setattr(TensorFlowTrainer, name, getattr(TensorFlowTrainer, name))  # put back at the end
    routing = Routing()
    routing.install()
    return routing


def compiled(kind=keras.Sequential):
    keras.utils.set_random_seed(0)
    model = kind([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    return model


def test_a_training_goes_through_autofix(routing, plane):
    history = compiled().fit(*plane, epochs=4, verbose=0)
    assert history.report.verdict == "healthy"
    assert (routing.n_fits, dict(routing.verdicts), routing.failures) == (1, {"healthy": 1}, [])


def test_what_breaks_down_inside_of_autofix_is_noted(routing, plane, monkeypatch):
    monkeypatch.setattr(autofix.CollapseMonitor, "_look", lambda *_, **__: 1 / 0)
    with pytest.warns(autofix.CollapseWarning):
        compiled().fit(*plane, epochs=4, verbose=0)
    (failure,) = routing.failures
    assert "ZeroDivisionError" in failure


def test_a_fit_of_a_class_of_ones_own_runs_once_inside_autofix(routing, plane):
    class Model(keras.Sequential):
        def fit(self, *arguments, **named):
            log.append((arguments, named))
            return super().fit(*arguments, **named)

    log = []
    x, y = plane
    history = compiled(Model).fit(x, y, 16, epochs=4, verbose=0)
    assert history.report.verdict == "healthy"
    assert (len(log), routing.n_fits, dict(routing.verdicts)) == (1, 1, {"healthy": 1})
    _, named = log[0]
    assert named["x"] is x
    assert (named["batch_size"], named["epochs"]) == (16, 4)


def test_a_training_inside_of_another_is_left_to_keras(routing, plane):
    inner = compiled()
    nested = keras.callbacks.LambdaCallback(on_train_end=lambda logs: inner.fit(*plane, verbose=0))
    compiled().fit(*plane, epochs=4, verbose=0, callbacks=[nested])
    assert routing.n_fits == 1


def test_errors_pass_through_and_are_counted(routing, plane):
    model = compiled()
    with pytest.raises(TypeError, match="no_such_argument"):
        model.fit(*plane, no_such_argument=1)
    with pytest.raises(ValueError, match="incompatible"):
        model.fit(np.ones((4, 3)), np.arange(4.0), verbose=0)
    assert dict(routing.verdicts) == {"raised": 2}
    assert model.fit(*plane, epochs=4, verbose=0).report.verdict == "healthy"


# The comparison

PASSED, FAILED, SKIPPED = Outcome("passed"), Outcome("failed", why="1 != 2"), Outcome("skipped")
REPAIRED = Outcome("failed", verdicts={"repaired": 1})


def compared(first, *, alone, plain=PASSED):
    """The kinds of difference of one test that ended so among others, and so when it ran alone."""
    return [one.kind for one in differences({"a": plain}, {"a": first}, lambda _, options: {"a": alone[options]})]


@pytest.mark.parametrize(
    ("alone", "kind"),
    [
        ({PLAIN: PASSED, ROUTED: FAILED}, "regression"),
        ({PLAIN: PASSED, ROUTED: SKIPPED}, "regression"),
        ({PLAIN: PASSED, ROUTED: MISSING}, "regression"),
        ({PLAIN: PASSED, ROUTED: PASSED}, "unstable"),
        ({PLAIN: FAILED, ROUTED: FAILED}, "unstable"),
        ({PLAIN: PASSED, ROUTED: REPAIRED, UNREPAIRED: PASSED}, "repaired"),
        ({PLAIN: PASSED, ROUTED: REPAIRED, UNREPAIRED: FAILED}, "regression"),
    ],
)
def test_a_failure_is_judged_by_how_the_test_ends_alone(alone, kind):
    assert compared(FAILED, alone=alone) == [kind]
    assert compared(MISSING, alone=alone) == [kind]


@pytest.mark.parametrize("first", [FAILED, SKIPPED, PASSED])
def test_what_fails_as_it_is_tells_nothing(first):
    assert compared(first, alone={}, plain=FAILED) == []
    assert compared(first, alone={}, plain=SKIPPED) == []
    assert compared(PASSED, alone={}) == []


def test_a_test_that_never_ran_routed_is_a_difference():
    found = differences({"a": PASSED}, {}, lambda _, options: {"a": FAILED if options == ROUTED else PASSED})
    assert [(one.kind, one.first) for one in found] == [("regression", MISSING)]


def comparison_of(routed, alone=None):
    plain = {"f.py::a": PASSED}
    return Comparison(plain, routed, differences(plain, routed, lambda _, options: {"f.py::a": alone[options]}))


def test_a_regression_a_breakdown_and_no_training_at_all_are_problems():
    assert problems(comparison_of({"f.py::a": Outcome("passed", n_fits=1)})) == []
    assert problems(comparison_of({"f.py::a": PASSED})) == ["No training went through autofix.fit."]
    broken = Outcome("passed", n_fits=1, failures=["autofix failed: KeyError"])
    assert problems(comparison_of({"f.py::a": broken})) == ["f.py::a: autofix failed: KeyError"]
    failed = Outcome("failed", n_fits=1, why="1 != 2")
    (problem,) = problems(comparison_of({"f.py::a": failed}, {PLAIN: PASSED, ROUTED: failed}))
    assert problem == "f.py::a: passed as it is, failed routed.\n1 != 2"


def test_the_table_has_a_line_a_file_and_one_for_all():
    comparison = comparison_of({"f.py::a": Outcome("failed", n_fits=3)}, {PLAIN: PASSED, ROUTED: FAILED})
    _, line, total = table(comparison).splitlines()
    assert line.split() == ["f.py", "1", "0", "0", "0", "1", "0", "3", "0/0", "0", "0", "0", "1"]
    assert total.split()[1:] == line.split()[1:]
