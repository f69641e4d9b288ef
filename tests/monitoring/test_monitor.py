import math
import warnings

import keras
import numpy as np
import pytest

import autofix
from autofix.monitoring.monitor import Look, describe, is_due, is_suspicious
from autofix.scoring.assess import Assessment

MANY_EPOCHS = 100


def head(state, name="output_0"):
    """An assessment in the state that is asked for."""
    skill, lower, upper, spread = {
        "skilled": (0.8, 0.7, 0.9, 0.9),
        "uncertain": (0.02, -0.1, 0.1, 0.5),
        "constant": (-0.1, -0.3, 0.0, 0.0),
        "no_skill": (-0.1, -0.3, 0.0, 0.5),
        "non_finite": (math.nan, math.nan, math.nan, math.nan),
    }[state]
    found = Assessment(
        n_samples=100,
        spread=spread,
        skill=skill,
        skill_lower=lower,
        skill_upper=upper,
        loss=1.0,
        constant_loss=1.0,
        is_finite=state != "non_finite",
        is_target_constant=False,
        output_name=name,
    )
    assert found.state == state
    return found


def looks_of(*states, epochs=None):
    epochs = epochs or [2**index for index in range(len(states))]
    return [
        Look(epoch, tuple(head(one, f"output_{i}") for i, one in enumerate(state.split())))
        for epoch, state in zip(epochs, states, strict=True)
    ]


# When to look


@pytest.mark.parametrize(
    ("epochs", "looked_at"),
    [(1, [1]), (2, [1, 2]), (5, [1, 2, 4, 5]), (8, [1, 2, 4, 8]), (20, [1, 2, 4, 8, 16, 20])],
)
def test_looks_are_at_geometrically_spaced_epochs_and_at_the_end(make_model, plane, epochs, looked_at):
    monitor = autofix.CollapseMonitor()
    model = make_model(optimizer=keras.optimizers.SGD(0.1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", autofix.CollapseWarning)  # after an epoch or two there is no skill yet
        model.fit(*plane, epochs=epochs, verbose=0, callbacks=[monitor])
    assert [look.epoch for look in monitor.looks] == looked_at


def test_a_training_that_is_stopped_is_looked_at_where_it_ends(make_model, plane):
    class StopsAfterThree(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 2

    monitor = autofix.CollapseMonitor()
    model = make_model(optimizer=keras.optimizers.SGD(0.1))
    model.fit(*plane, epochs=50, verbose=0, callbacks=[StopsAfterThree(), monitor])
    assert [look.epoch for look in monitor.looks] == [1, 2, 3]


def test_a_monitor_that_is_used_again_begins_anew(make_model, plane):
    monitor = autofix.CollapseMonitor()
    for _ in range(2):
        make_model(optimizer=keras.optimizers.SGD(0.1)).fit(*plane, epochs=4, verbose=0, callbacks=[monitor])
        assert [look.epoch for look in monitor.looks] == [1, 2, 4]


# What is suspicious


def test_nothing_was_seen_yet():
    assert not is_suspicious([], MANY_EPOCHS, is_last=False)
    assert not is_suspicious([], MANY_EPOCHS, is_last=True)


@pytest.mark.parametrize("state", ["constant", "no_skill", "non_finite"])
def test_a_training_that_ends_collapsed_is_suspicious(state):
    assert is_suspicious(looks_of(state), 1, is_last=True)


@pytest.mark.parametrize("state", ["skilled", "uncertain"])
def test_a_training_that_ends_otherwise_is_not(state):
    assert not is_suspicious(looks_of("constant", "constant", state), MANY_EPOCHS, is_last=True)


def test_predictions_that_are_not_finite_are_suspicious_at_once():
    assert is_suspicious(looks_of("non_finite"), MANY_EPOCHS, is_last=False)
    assert is_suspicious(looks_of("skilled non_finite"), MANY_EPOCHS, is_last=False)


def test_predictions_that_are_constant_twice_are_suspicious():
    assert not is_suspicious(looks_of("constant"), MANY_EPOCHS, is_last=False)
    assert is_suspicious(looks_of("constant", "constant"), MANY_EPOCHS, is_last=False)
    assert not is_suspicious(looks_of("constant", "no_skill"), MANY_EPOCHS, is_last=False)
    assert not is_suspicious(looks_of("constant", "constant", "skilled"), MANY_EPOCHS, is_last=False)


def test_one_output_that_is_constant_twice_is_enough():
    assert is_suspicious(looks_of("skilled constant", "skilled constant"), MANY_EPOCHS, is_last=False)
    assert not is_suspicious(looks_of("skilled constant", "constant skilled"), MANY_EPOCHS, is_last=False)


def test_no_skill_is_suspicious_after_a_tenth_of_the_epochs():
    for epoch, is_late in ((8, False), (9, False), (10, True), (16, True)):
        looks = looks_of("no_skill", "no_skill", epochs=[1, epoch])
        assert is_suspicious(looks, 100, is_last=False) is is_late


def test_a_short_training_gets_a_few_epochs_in_any_case():
    assert not is_suspicious(looks_of("no_skill", "no_skill"), 10, is_last=False)
    assert is_suspicious(looks_of("no_skill", "no_skill", "no_skill"), 10, is_last=False)


def test_the_last_look_is_always_due():
    look = looks_of("no_skill")[0]
    assert is_due(look, MANY_EPOCHS, is_last=True)
    assert not is_due(look, MANY_EPOCHS, is_last=False)


def test_little_skill_is_weak_and_no_skill_is_collapsed():
    assert [looks_of(state)[0].is_weak for state in ("skilled", "uncertain", "constant", "non_finite")] == [
        False,
        True,
        True,
        True,
    ]
    assert not looks_of("uncertain")[0].is_collapsed
    assert looks_of("skilled no_skill")[0].is_collapsed


@pytest.mark.parametrize(
    ("state", "says"),
    [("constant", "same value for every row"), ("no_skill", "no better than a constant"), ("non_finite", "not finite")],
)
def test_a_collapse_is_described_by_the_output_it_is_in(state, says):
    text = describe(looks_of(f"skilled {state}")[0])
    assert says in text
    assert "output_1" in text
    assert "output_0" not in text


# Alone, in model.fit


def dead_model():
    """All of its hidden units are zero for every row and have no gradient."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(6, activation="relu"), keras.layers.Dense(1)])
    model.layers[0].set_weights([np.zeros((2, 6)), np.full(6, -1.0)])
    model.compile(optimizer="adam", loss="mse")
    return model


@pytest.mark.parametrize("is_given", [False, True])
@pytest.mark.parametrize("extra", [{}, {"validation_split": 0.25}])
def test_a_dead_model_is_warned_of_once(plane, is_given, extra):
    monitor = autofix.CollapseMonitor(*plane) if is_given else autofix.CollapseMonitor()
    with pytest.warns(autofix.CollapseWarning, match="same value for every row") as caught:
        dead_model().fit(*plane, epochs=20, verbose=0, callbacks=[monitor], **extra)
    assert len(caught) == 1
    assert "autofix.fit" in str(caught[0].message)
    assert monitor.looks[-1].heads[0].n_samples == (48 if extra and not is_given else 64)


@pytest.mark.parametrize("is_given", [False, True])
@pytest.mark.parametrize("extra", [{}, {"validation_split": 0.25}])
def test_nothing_is_said_of_a_healthy_model(make_model, plane, is_given, extra):
    monitor = autofix.CollapseMonitor(*plane) if is_given else autofix.CollapseMonitor()
    model = make_model(optimizer=keras.optimizers.SGD(0.1))
    model.fit(*plane, epochs=20, verbose=0, callbacks=[monitor], **extra)  # a warning would be an error here
    assert monitor.looks[-1].heads[0].skill > 0.9


def test_a_watched_training_ends_bit_identical(make_model, plane):
    ends = []
    for callbacks in ([], [autofix.CollapseMonitor()]):
        model = make_model(
            lambda: [keras.layers.Dense(6, activation="relu"), keras.layers.Dropout(0.3), keras.layers.Dense(1)],
            optimizer=keras.optimizers.SGD(0.1),
        )
        history = model.fit(*plane, epochs=9, verbose=0, callbacks=callbacks)
        ends.append((history.history, model.get_weights()))
    assert ends[0][0] == ends[1][0]
    for plain, watched in zip(ends[0][1], ends[1][1], strict=True):
        np.testing.assert_array_equal(plain, watched)


def test_data_that_cannot_be_looked_at_is_said_to_be_so(make_model, plane):
    import tensorflow as tf

    dataset = tf.data.Dataset.from_tensor_slices(plane).shuffle(64).batch(16)
    monitor = autofix.CollapseMonitor()
    with pytest.warns(autofix.CollapseWarning, match="Pass a sample"):
        make_model().fit(dataset, epochs=2, shuffle=False, verbose=0, callbacks=[monitor])
    assert monitor.looks == []


def test_a_given_sample_serves_where_the_data_cannot_be_looked_at(plane):
    import tensorflow as tf

    dataset = tf.data.Dataset.from_tensor_slices(plane).shuffle(64).batch(16)
    with pytest.warns(autofix.CollapseWarning, match="same value for every row"):
        dead_model().fit(dataset, epochs=8, shuffle=False, verbose=0, callbacks=[autofix.CollapseMonitor(*plane)])


def test_a_model_that_is_not_built_yet_can_be_watched(plane):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Dense(6, activation="relu"), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    monitor = autofix.CollapseMonitor()
    model.fit(*plane, epochs=16, verbose=0, callbacks=[monitor])
    assert monitor.looks[-1].heads[0].skill > 0.9


def joint_model():
    """Two outputs with a loss that compares both at once."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((2,))
    outputs = [keras.layers.Dense(1, name=name)(inputs) for name in ("a", "b")]
    model = keras.Model(inputs, outputs)
    distance = keras.losses.mean_absolute_error
    model.compile(optimizer="sgd", loss=(lambda y, p: distance(y[0], p[1]), ["mse", "mse"]))
    return model


def test_outputs_that_cannot_be_told_apart_are_not_looked_at(plane):
    x, y = plane
    monitor = autofix.CollapseMonitor()
    with pytest.warns(autofix.CollapseWarning, match="one by one"):
        joint_model().fit(x, [y, y], epochs=2, verbose=0, callbacks=[monitor])
    assert monitor.looks == []


def test_nor_are_they_by_fit_which_says_so_in_its_report(plane):
    x, y = plane
    plain, watched = joint_model(), joint_model()
    history = plain.fit(x, [y, y], epochs=2, verbose=0)
    routed = autofix.fit(watched, x, [y, y], epochs=2, verbose=0)  # a warning would be an error here
    assert routed.history == history.history
    assert routed.report.verdict == "not_assessed"
    assert "one by one" in routed.report.notes[0]


class ReadsValues(keras.Model):
    """Cannot be traced."""

    def __init__(self):
        super().__init__()
        self.head = keras.layers.Dense(1)

    def call(self, inputs):
        return self.head(inputs) if float(keras.ops.max(inputs)) < 1e9 else inputs


@pytest.mark.filterwarnings("ignore::autofix.CollapseWarning")  # after one epoch nothing is learned yet
@pytest.mark.parametrize("run_eagerly", [True, False])
def test_a_model_that_cannot_be_traced_is_looked_at_eagerly(plane, run_eagerly):
    model = ReadsValues()
    model.compile("adam", "mse", run_eagerly=run_eagerly)
    model(plane[0])
    monitor = autofix.CollapseMonitor(*plane)
    monitor.set_model(model)
    monitor.set_params({"epochs": 1})
    monitor.on_train_begin()
    monitor.on_epoch_begin(0)
    monitor.on_epoch_end(0)
    assert len(monitor.looks) == 1
    assert monitor.looks[0].heads[0].is_finite


def test_masked_steps_are_not_looked_at():
    words = np.array([[1, 2, 0], [2, 1, 1], [1, 0, 0]] * 20)
    y = np.where(words > 0, words, 1e6).astype("float32")[..., None]
    stack = [keras.layers.Embedding(3, 1, mask_zero=True, embeddings_initializer=keras.initializers.Constant(1.0))]
    model = keras.Sequential([keras.Input((3,), dtype="int32"), *stack])
    model.layers[0].set_weights([np.array([[0.0], [1.0], [2.0]])])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    monitor = autofix.CollapseMonitor(words, y)
    model.fit(words, y, verbose=0, callbacks=[monitor])
    assert monitor.looks[0].heads[0].skill == 1.0
