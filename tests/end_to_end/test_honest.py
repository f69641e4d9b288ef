"""What cannot be learned is not "repaired", and what cannot be trained on is refused before any training."""

import contextlib
import warnings

import keras
import numpy as np
import pytest

import autofix
import autofix.watch
from autofix.monitoring.monitor import Look
from autofix.search import memory, repair
from autofix.search.probe import ProbeEngine


def network(n_features, rate=0.001):
    parts = [keras.layers.Dense(10, activation="relu"), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((n_features,)), *parts])
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="mse")
    return model


def verdict_of(model, x, y, **options):
    """The report, whatever is warned of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", autofix.CollapseWarning)
        return autofix.fit(model, x, y, verbose=0, **options).report


def noise(rng):
    return rng.normal(size=(200, 5)), rng.normal(size=200), 0.001


def shuffled_labels(rng):
    x = rng.uniform(0.0, 1000.0, size=(150, 2))
    return x, rng.permutation(x[:, 0] + x[:, 1]), 1.0


def coin_flips(rng):
    return rng.uniform(size=(120, 4)), rng.integers(0, 2, size=120).astype("float32"), 1.0


@pytest.mark.parametrize("make", [noise, shuffled_labels, coin_flips])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_noise_is_not_repaired(make, seed):
    x, y, rate = make(np.random.default_rng(seed))
    keras.utils.set_random_seed(seed)
    report = verdict_of(network(x.shape[1], rate), x, y, epochs=15)
    assert report.verdict != "repaired"
    assert report.recipe == autofix.Recipe()
    assert report.after is None


def test_shuffled_labels_are_called_unlearnable():
    x, y, _ = shuffled_labels(np.random.default_rng(3))
    keras.utils.set_random_seed(0)
    with pytest.warns(autofix.CollapseWarning) as caught:
        report = autofix.fit(network(2, 1.0), x, y, epochs=15, verbose=0).report
    assert report.verdict == "unlearnable"
    assert [str(one.message) for one in caught] == [report.headline]
    assert caught[0].filename == __file__, "it should point to the line that called autofix"
    assert report.references
    assert all(reference.skill_lower <= 0.02 for reference in report.references)


# Constant targets


@pytest.mark.parametrize(("share", "n_trials"), [(0.0, 1), (1e9, 2)])
def test_a_search_for_what_is_not_there_ends_when_it_takes_as_long_as_the_training(monkeypatch, share, n_trials):
    monkeypatch.setattr(repair, "SHARE_IN_VAIN", share)
    x, y, _ = shuffled_labels(np.random.default_rng(3))
    keras.utils.set_random_seed(0)
    report = verdict_of(network(2, 1.0), x, y, epochs=15)
    assert report.verdict == "unlearnable"
    assert [trial.status for trial in report.trials] == ["control", *["rejected"] * n_trials]


def constant_data():
    return np.random.default_rng(0).normal(size=(40, 3)), np.full(40, 2.5)


class Counter(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.n_epochs = 0

    def on_epoch_end(self, epoch, logs=None):
        self.n_epochs += 1


def test_constant_targets_are_warned_of_and_trained_as_keras_does():
    x, y = constant_data()
    ends = []
    for fit in (keras.Model.fit, autofix.fit):
        keras.utils.set_random_seed(0)
        model = network(3)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            history = fit(model, x, y, epochs=3, verbose=0)
        ends.append(model.get_weights())
    assert [one.category for one in caught] == [autofix.CollapseWarning]
    assert caught[0].filename == __file__, "it should point to the line that called autofix"
    assert history.report.verdict == "unlearnable"
    assert history.report.cause == "constant_targets"
    for plain, watched in zip(*ends, strict=True):
        np.testing.assert_array_equal(plain, watched)


def test_constant_targets_raise_before_any_training_where_that_was_asked_for():
    model, counter = network(3), Counter()
    before = model.get_weights()
    with pytest.raises(autofix.UnrepairedError) as raised:
        autofix.fit(model, *constant_data(), epochs=3, verbose=0, callbacks=[counter], on_unrepaired="raise")
    assert raised.value.report.verdict == "unlearnable"
    assert counter.n_epochs == 0
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


# Bad inputs


def good_data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, 3)), rng.normal(size=40)


def changed(array, value, position=(3, 1)):
    array = array.copy()
    array[position[: array.ndim]] = value
    return array


X, Y = good_data()
BAD = {
    "fewer targets": (X, Y[:-1], {}),
    "fewer inputs": (X[:-1], Y, {}),
    "fewer weights": (X, Y, {"sample_weight": np.ones(39)}),
    "no rows": (X[:0], Y[:0], {}),
    "NaN in x": (changed(X, np.nan), Y, {}),
    "NaN in y": (X, changed(Y, np.nan), {}),
    "infinity in x": (changed(X, np.inf), Y, {}),
    "infinity in y": (X, changed(Y, -np.inf), {}),
    "NaN in the weights": (X, Y, {"sample_weight": changed(np.ones(40), np.nan)}),
    "NaN in the validation data": (X, Y, {"validation_data": (changed(X, np.nan), Y)}),
    "object column": (changed(X.astype(object), "red"), Y, {}),
    "text targets": (X, np.array(["yes", "no"] * 20), {}),
    "validation data of another width": (X, Y, {"validation_data": (X[:, :2], Y)}),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_data_is_refused_before_any_training(case):
    x, y, options = BAD[case]
    model, counter = network(3), Counter()
    before = model.get_weights()
    with pytest.raises(autofix.DataError, match="Received: "):
        autofix.fit(model, x, y, epochs=3, verbose=0, callbacks=[counter], **options)
    assert counter.n_epochs == 0
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_place_of_a_bad_value_is_told():
    with pytest.raises(autofix.DataError, match="row 3, column 1"):
        autofix.fit(network(3), changed(X, np.nan), Y, verbose=0)


@pytest.mark.parametrize("in_list", [list, keras.callbacks.CallbackList], ids=["list", "CallbackList"])
def test_a_callback_that_ends_the_training_at_nan_gets_what_it_waits_for(in_list):
    y, stopping = changed(Y, np.inf), keras.callbacks.TerminateOnNaN()
    ends = []
    for fit in (keras.Model.fit, autofix.fit):
        model = network(3)
        callbacks = [stopping] if in_list is list else in_list([stopping], add_history=True, model=model)
        history = fit(model, X, y, epochs=3, verbose=0, callbacks=callbacks)
        ends.append(len(history.history["loss"]))
    assert ends == [1, 1]
    assert history.report.verdict == "not_assessed"
    assert "y holds NaN or infinite values" in history.report.notes[0]


def test_an_uncompiled_model_is_refused():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    before = model.get_weights()
    with pytest.raises(autofix.ModelError, match="compile"):
        autofix.fit(model, X, Y, verbose=0)
    np.testing.assert_array_equal(before[0], model.get_weights()[0])


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"order": "backwards"}, autofix.ArgumentError),
        ({"max_trials": 0}, autofix.ArgumentError),
        ({"strategies": ["standardise_inputs"]}, autofix.StrategyError),
    ],
)
def test_wrong_arguments_are_refused_before_any_training(options, error):
    counter = Counter()
    with pytest.raises(error, match="Received: "):
        autofix.fit(network(3), X, Y, epochs=2, verbose=0, callbacks=[counter], **options)
    assert counter.n_epochs == 0


def test_a_handful_of_rows_prove_nothing():
    keras.utils.set_random_seed(0)
    x = np.arange(6.0)[:, None]
    report = verdict_of(network(1, 100.0), x, 2.0 * x[:, 0], epochs=8)
    assert report.verdict != "repaired"


@pytest.mark.parametrize(("epochs", "is_judged"), [(2, False), (30, True)])
def test_a_training_that_has_hardly_begun_is_not_repaired(epochs, is_judged):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 2))
    keras.utils.set_random_seed(0)
    model = network(2, 1e-6)
    with pytest.warns(autofix.CollapseWarning) if not is_judged else contextlib.nullcontext():
        report = autofix.fit(model, x, x[:, 0], epochs=epochs, verbose=0).report
    assert report.verdict == ("repaired" if is_judged else "unrepaired")
    assert (report.cause == "insufficient_training") is not is_judged
    assert bool(report.trials) is is_judged
    if not is_judged:
        assert "4 steps" in str(report)


def test_what_is_not_finite_is_repaired_after_any_step():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 2))
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(1e30), loss="mse")
    report = autofix.fit(model, x, x[:, 0], batch_size=16, epochs=2, verbose=0).report
    assert len(report.trials) > 1


def test_a_repair_that_only_knows_copies_of_its_rows_is_no_repair():
    rng = np.random.default_rng(0)
    order = rng.permutation(200)
    x, y = np.repeat(rng.normal(size=(40, 12)), 5, axis=0)[order], np.repeat(rng.normal(size=40), 5)[order]
    keras.utils.set_random_seed(0)
    parts = [keras.layers.Dense(64, activation="relu"), keras.layers.Dense(64, activation="relu")]
    model = keras.Sequential([keras.Input((12,)), *parts, keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(3.0), loss="mse")
    report = verdict_of(model, x, y, epochs=60)
    assert report.verdict == "unrepaired"
    assert report.cause == "leaky_split"
    assert "permuted" in report.headline


def test_a_training_that_remembers_noise_is_unlearnable_with_a_permutation_test():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(200, 5)), rng.normal(size=200)
    keras.utils.set_random_seed(1)
    report = verdict_of(network(5), x, y, epochs=60)
    assert report.verdict == "unlearnable"
    assert report.cause == "no_signal"
    assert "permutation test" in report.findings[0].evidence
    assert report.evidence["references"]["p_value"] > 0.05


def test_a_relation_that_noise_nearly_hides_is_left_alone():
    rng = np.random.default_rng(7)
    x = rng.normal(size=(2_000, 4))
    y = np.sqrt(0.06) * (0.8 * x[:, 0] - 0.6 * x[:, 1]) + np.sqrt(0.94) * rng.normal(size=2_000)
    keras.utils.set_random_seed(7)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(0.001), loss="mse")
    with warnings.catch_warnings():
        warnings.simplefilter("error", autofix.CollapseWarning)
        history = autofix.fit(model, x, y, epochs=12, verbose=0)
    assert history.report.verdict == "healthy"


# What a network shows on the rows that it was trained on


def large(n_features, rate=0.01):
    parts = [keras.layers.Dense(64, activation="relu"), keras.layers.Dense(64, activation="relu")]
    model = keras.Sequential([keras.Input((n_features,)), *parts, keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="mse")
    return model


def end(fit, x, y, epochs):
    """Predictions after a training, and its report if there is one."""
    keras.utils.set_random_seed(2)
    model = large(x.shape[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", autofix.CollapseWarning)
        history = fit(model, x, y, epochs=epochs, verbose=0)
    return model.predict(x, verbose=0)[:, 0], getattr(history, "report", None)


def ends(x, y, epochs):
    """Predictions after `model.fit` and after `autofix.fit`, and the report."""
    plain, _ = end(keras.Model.fit, x, y, epochs)
    return plain, *end(autofix.fit, x, y, epochs)


@pytest.fixture(scope="module")
def by_heart():
    """Rows of noise, and the predictions of a network that Keras has trained until it knows them."""
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(80, 6)), rng.normal(size=80)
    plain, _ = end(keras.Model.fit, x, y, epochs=100)
    assert 1.0 - ((plain - y) ** 2).mean() / y.var() > 0.9, "the network should fit its rows"
    return x, y, plain


def test_a_network_that_knows_noise_by_heart_is_told_so_and_left_alone(by_heart, monkeypatch):
    run, modes = ProbeEngine.run, []

    def noted_run(*arguments, **options):
        found = run(*arguments, **options)
        modes.append(found.mode)
        return found

    monkeypatch.setattr(ProbeEngine, "run", noted_run)
    x, y, plain = by_heart
    watched, report = end(autofix.fit, x, y, epochs=100)
    np.testing.assert_array_equal(plain, watched)
    assert report.verdict == "unlearnable", str(report)
    assert report.cause == "no_signal"
    assert report.before[0].skill > 0.9
    assert modes == ["graph"] * 4, "one control arm pays no compilation by XLA, and 64 rows of five folds tell enough"


def test_a_dozen_rows_of_noise_are_called_too_few():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(12, 5)), rng.normal(size=12)
    plain, watched, report = ends(x, y, epochs=60)
    np.testing.assert_array_equal(plain, watched)
    assert report.verdict == "unlearnable", str(report)
    assert report.before[0].skill > 0.3
    assert "too_few_rows" in {finding.cause for finding in report.findings}
    assert "More rows would help." in report.headline


def test_a_dozen_rows_of_a_plain_relation_are_enough():
    x = np.linspace(-1.0, 1.0, 12)[:, None]
    plain, watched, report = ends(x, 2.0 * x[:, 0], epochs=60)
    np.testing.assert_array_equal(plain, watched)
    assert report.verdict == "healthy", str(report)
    assert not report.notes


def test_four_rows_that_are_learned_are_not_called_noise():
    x, y = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0.0, 1.0, 1.0, 0.0])
    plain, watched, report = ends(x, y, epochs=150)
    np.testing.assert_array_equal(plain, watched)
    assert np.abs(plain - y).max() < 0.2, "the network should learn which of two differ"
    assert report.verdict == "healthy", str(report)
    assert not report.notes


def test_a_relation_that_only_the_network_finds_is_no_noise():
    rng = np.random.default_rng(5)
    x = rng.choice([-1.0, 1.0], size=(256, 5))
    y = x[:, :4].prod(axis=1)  # of four signs: nothing that looks at fewer of them can see it
    plain, watched, report = ends(x, y, epochs=60)
    np.testing.assert_array_equal(plain, watched)
    assert report.verdict == "healthy", str(report)


def test_what_cannot_be_told_is_noted(by_heart, monkeypatch):
    monkeypatch.setattr(autofix.watch.RepairShop, "find_nothing", lambda *_: None)
    x, y, plain = by_heart
    watched, report = end(autofix.fit, x, y, epochs=100)
    np.testing.assert_array_equal(plain, watched)
    assert report.verdict == "healthy"
    assert any("80 training rows" in note and "no dependence" in note for note in report.notes)


def test_what_validation_rows_show_is_not_questioned(monkeypatch):
    rng = np.random.default_rng(5)
    x = rng.choice([-1.0, 1.0], size=(256, 5))
    y = x[:, :4].prod(axis=1)
    monkeypatch.setattr(autofix.watch, "shows_dependence", lambda *_: pytest.fail("should not be asked"))
    keras.utils.set_random_seed(2)
    assert verdict_of(large(5), x, y, epochs=60, validation_split=0.3).verdict == "healthy"


@pytest.mark.parametrize(("validation_split", "is_asked"), [(0.0, True), (0.5, False)])
def test_skill_on_validation_rows_is_not_called_memory(monkeypatch, validation_split, is_asked):
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(200, 6)), rng.normal(size=200)
    asked = []
    monkeypatch.setattr(Look, "is_collapsed", False)  # as chance may have it
    monkeypatch.setattr(memory, "RULED_OUT", -1.0)
    monkeypatch.setattr(memory, "is_memory", lambda *_: asked.append(True) or True)
    keras.utils.set_random_seed(3)
    report = verdict_of(network(6), x, y, epochs=20, validation_split=validation_split)
    assert bool(asked) is is_asked
    assert report.verdict == ("unlearnable" if is_asked else "healthy")
