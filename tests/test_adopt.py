from typing import Any

import keras
import numpy as np
import pytest

from autofix import adopt
from autofix.adopt import Adoption, CallbackStates, is_raised_by, training_stream
from autofix.recipe import InsertHiddenLayers, NormalizeInputs, Recipe, RescaleOutputs, SetLearningRate
from autofix.state import Snapshot

RATE = Recipe((SetLearningRate("lower_learning_rate", factor=0.1),))
SURGERY = Recipe(
    (
        NormalizeInputs("standardize_inputs", mean=((0.5, 1.0),), variance=((4.0, 2.0),)),
        InsertHiddenLayers("add_hidden_layers", units=4, depth=1),
        RescaleOutputs("standardize_targets", scale=(5.0,), offset=(1.0,)),
    )
)


def epochs_of(stream, steps, n_epochs):
    batches = iter(stream)
    return [[next(batches) for _ in range(steps)] for _ in range(n_epochs)]


def orders_of(stream, steps, n_epochs):
    return [np.concatenate([np.asarray(y) for _, y in epoch]) for epoch in epochs_of(stream, steps, n_epochs)]


def test_a_stream_without_shuffling_keeps_the_order_and_the_partial_last_batch():
    stream = training_stream(np.arange(10.0)[:, None], np.arange(10), None, 4, shuffle=False, seed=0)
    for epoch in epochs_of(stream, 3, 2):
        assert [len(y) for _, y in epoch] == [4, 4, 2]
        np.testing.assert_array_equal(np.concatenate([y for _, y in epoch]), np.arange(10))
        np.testing.assert_array_equal(np.concatenate([x for x, _ in epoch])[:, 0], np.arange(10.0))


def test_a_shuffled_stream_has_all_rows_in_a_new_order_each_epoch():
    stream = training_stream(np.arange(30.0), np.arange(30), None, 8, shuffle=True, seed=3)
    orders = orders_of(stream, 4, 3)
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(30))
        assert not np.array_equal(order, np.arange(30))
    assert not np.array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[1], orders[2])


@pytest.mark.parametrize("seed", [0, -1, 2**31, 2**32 - 1])
def test_the_same_seed_gives_the_same_orders_and_another_one_others(seed):
    def orders(seed):
        return orders_of(training_stream(np.arange(30.0), np.arange(30), None, 30, shuffle=True, seed=seed), 1, 2)

    np.testing.assert_array_equal(orders(seed), orders(seed))
    assert not np.array_equal(orders(seed), orders(seed + 1))


def test_trees_weights_and_types_arrive_as_fit_makes_them():
    x = {"b": np.arange(6.0), "a": [np.arange(6)]}
    y = {"out": np.arange(6.0)[:, None]}
    stream = training_stream(x, y, np.linspace(0.0, 1.0, 6), 3, shuffle=True, seed=0)
    for batch_x, batch_y, weights in epochs_of(stream, 2, 1)[0]:
        np.testing.assert_array_equal(batch_x["b"], batch_x["a"][0])
        np.testing.assert_array_equal(batch_y["out"][:, 0], batch_x["b"])
        np.testing.assert_allclose(weights * 5, batch_x["b"], rtol=1e-6)
        assert batch_x["b"].dtype == weights.dtype == keras.config.floatx()
        assert batch_x["a"][0].dtype == "int64"


def test_large_arrays_are_left_to_keras(monkeypatch):
    x, y = np.zeros(100), np.zeros(100)
    monkeypatch.setattr(adopt, "MAX_STREAM_BYTES", 1599)
    assert training_stream(x, y, None, 10, shuffle=True, seed=0) is None
    monkeypatch.setattr(adopt, "MAX_STREAM_BYTES", 1600)
    assert training_stream(x, y, None, 10, shuffle=True, seed=0) is not None


def test_fit_on_a_stream_ends_where_fit_on_the_arrays_ends(make_model, plane):
    x, y = plane[0][:50], plane[1][:50]
    model, other = make_model(), make_model()
    model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0)
    other.fit(
        training_stream(x, y, None, 16, shuffle=False, seed=0), steps_per_epoch=4, epochs=2, shuffle=False, verbose=0
    )
    for own, streamed in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(own, streamed, rtol=1e-5, atol=1e-6)


def test_lists_of_inputs_and_outputs_are_trained_on_from_a_stream(plane):
    inputs = [keras.Input((1,)), keras.Input((1,))]
    hidden = keras.layers.concatenate(inputs)
    model = keras.Model(inputs, [keras.layers.Dense(1)(hidden), keras.layers.Dense(1)(hidden)])
    model.compile("sgd", ["mse", "mae"])
    x, y, weights = [plane[0][:, :1], plane[0][:, 1:]], [plane[1], plane[1]], [np.ones(64), np.zeros(64)]
    stream = training_stream(x, y, weights, 16, shuffle=False, seed=0)
    history = model.fit(stream, steps_per_epoch=4, shuffle=False, verbose=0).history
    assert len(history["loss"]) == 1
    assert np.isfinite(history["loss"][0])


def begun(model):
    """The model's snapshot at the moment its training begins."""
    model.optimizer.build(model.trainable_variables)
    return Snapshot(model)


def functional(make_model):
    model = make_model()
    twin = keras.Model(model.inputs, model.outputs)
    twin.compile("adam", "mse", metrics=["mae"])
    return twin


def kinds(make_model, kind):
    return functional(make_model) if kind == "functional" else make_model(metrics=["mae"])


@pytest.mark.parametrize("kind", ["sequential", "functional"])
def test_the_users_object_takes_the_repair_over_and_saves_and_loads_alone(make_model, plane, tmp_path, kind):
    model = kinds(make_model, kind)
    initial, identity = begun(model), id(model)
    model.fit(*plane, verbose=0)
    Adoption(model, SURGERY, initial, None).apply()
    assert id(model) == identity
    names = [type(layer).__name__ for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    assert names == ["Normalization", "Dense", "Dense", "Dense", "Rescaling"]
    history = model.fit(*plane, epochs=2, verbose=0).history
    assert set(history) == {"loss", "mae"}
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(plane[0], verbose=0), model.predict(plane[0], verbose=0))


@pytest.mark.parametrize("recipe", [RATE, SURGERY])
def test_training_starts_anew_from_the_initial_values(make_model, plane, recipe):
    model = make_model(optimizer=keras.optimizers.Adam(0.01))
    initial, kernel = begun(model), model.layers[0].kernel.numpy()
    model.fit(*plane, epochs=3, verbose=0)
    Adoption(model, recipe, initial, None).apply()
    first = next(layer for layer in model.layers if layer.name == "dense" or isinstance(layer, keras.layers.Dense))
    np.testing.assert_array_equal(first.kernel, kernel)
    assert int(model.optimizer.iterations) == 0
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01 * recipe.learning_rate_factor)


def test_initial_values_of_a_probe_are_taken(make_model, plane):
    model = make_model()
    initial = begun(model)
    values = [np.full(variable.shape, 0.5, "float32") for variable in model.trainable_variables]
    Adoption(model, RATE, initial, values).apply()
    assert all((variable.numpy() == 0.5).all() for variable in model.trainable_variables)


@pytest.mark.parametrize("kind", ["sequential", "functional"])
@pytest.mark.parametrize("recipe", [RATE, SURGERY])
def test_undone_the_model_is_what_it_was_and_trains_as_if_nothing_had_happened(make_model, plane, recipe, kind):
    twin = kinds(make_model, kind)
    expected = twin.fit(*plane, epochs=2, shuffle=False, verbose=0).history
    keras.backend.clear_session()
    model = kinds(make_model, kind)
    initial = begun(model)
    before = [variable.numpy() for variable in (*model.variables, *model.optimizer.variables)]
    predictions, optimizer = model.predict(plane[0], verbose=0), model.optimizer
    model.fit(*plane, verbose=0)
    adoption = Adoption(model, recipe, initial, None)
    adoption.apply()
    model.fit(*plane, verbose=0)
    adoption.undo()
    assert model.optimizer is optimizer
    for old, new in zip(before, (*model.variables, *model.optimizer.variables), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(model.predict(plane[0], verbose=0), predictions)
    assert model.fit(*plane, epochs=2, shuffle=False, verbose=0).history == expected


class Recorder(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.count = 0
        self.seen: dict[str, Any] = {"loss": [], "best": (None, [])}
        self.array = np.zeros(2)

    def on_epoch_end(self, epoch, logs=None):
        self.count += 1
        self.seen["loss"].append(logs["loss"])
        self.seen["best"][1].append(epoch)
        self.array += 1.0
        self.late = True


def test_callbacks_are_put_back_to_where_they_were_at_every_depth(make_model, plane):
    recorder, stopping = Recorder(), keras.callbacks.EarlyStopping(monitor="loss", patience=1)
    states = CallbackStates([recorder, stopping])
    for _ in range(2):
        make_model().fit(*plane, epochs=2, verbose=0, callbacks=[recorder, stopping])
        assert recorder.count == 2
        assert len(recorder.seen["loss"]) == 2
        states.restore()
        assert recorder.count == 0
        assert recorder.seen == {"loss": [], "best": (None, [])}
        assert not recorder.array.any()
        assert not hasattr(recorder, "late")
    assert stopping.wait == 0
    assert stopping.best_weights is None


class Failing(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise KeyError(epoch)


def test_an_error_of_a_callback_is_told_from_one_of_the_training(make_model, plane):
    failing, innocent = Failing(), Recorder()
    with pytest.raises(KeyError) as caught:
        make_model().fit(*plane, verbose=0, callbacks=[failing, innocent])
    assert is_raised_by(caught.value, [failing])
    assert not is_raised_by(caught.value, [innocent])
    with pytest.raises(ValueError) as training:  # noqa: PT011 - Keras words it
        make_model().fit(plane[0][:, :1], plane[1], verbose=0, callbacks=[failing])
    assert not is_raised_by(training.value, [failing])
