import keras
import numpy as np
import pytest
import tensorflow as tf

from autofix.recipe import Recipe
from autofix.remedies import InsertHiddenLayers, NormalizeInputs, RescaleOutputs, SetLearningRate
from autofix.state import Snapshot
from autofix.surgery.adopt import Adoption, is_raised_by

RATE = Recipe((SetLearningRate("lower_learning_rate", factor=0.1),))
SURGERY = Recipe(
    (
        NormalizeInputs("standardize_inputs", mean=((0.5, 1.0),), variance=((4.0, 2.0),)),
        InsertHiddenLayers("add_hidden_layers", units=4, depth=1),
        RescaleOutputs("standardize_targets", scale=(5.0,), offset=(1.0,)),
    )
)


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
    Adoption(model, SURGERY, initial).apply()
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
    Adoption(model, recipe, initial).apply()
    first = next(layer for layer in model.layers if layer.name == "dense" or isinstance(layer, keras.layers.Dense))
    np.testing.assert_array_equal(first.kernel, kernel)
    assert int(model.optimizer.iterations) == 0
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01 * recipe.learning_rate_factor)


class Counted(keras.layers.Layer):
    """A layer that is asked for its outputs once a trace."""

    calls = 0

    def call(self, inputs):
        Counted.calls += 1
        return inputs


def test_the_repaired_training_traces_its_step_once(make_model, plane):
    model = make_model([Counted(), keras.layers.Dense(6), keras.layers.Dense(1)])
    Adoption(model, SURGERY, begun(model)).apply()
    before = Counted.calls
    model.fit(*plane, epochs=2, verbose=0)
    assert Counted.calls == before + 1


def test_another_rate_leaves_what_is_compiled_as_it_is(make_model, plane):
    model, expected = (make_model(optimizer=keras.optimizers.Adam(0.01)) for _ in range(2))
    expected.set_weights(model.get_weights())
    initial, optimizer = begun(model), model.optimizer
    model.fit(*plane, epochs=2, verbose=0)
    compiled = model.train_function
    Adoption(model, RATE, initial).apply()
    history = model.fit(*plane, epochs=3, shuffle=False, verbose=0).history
    assert model.optimizer is optimizer
    assert model.train_function is compiled
    expected.optimizer.learning_rate = 0.01 * RATE.learning_rate_factor
    assert history == expected.fit(*plane, epochs=3, shuffle=False, verbose=0).history


def test_an_optimizer_that_has_taken_steps_before_is_not_used_again(make_model, plane):
    model = make_model(optimizer=keras.optimizers.Adam(0.01))
    model.fit(*plane, verbose=0)
    initial, optimizer = begun(model), model.optimizer
    Adoption(model, RATE, initial).apply()
    assert model.optimizer is not optimizer
    assert int(model.optimizer.iterations) == 0


def test_initial_values_of_a_probe_are_taken(make_model, plane):
    model = make_model()
    initial = begun(model)
    values = [np.full(variable.shape, 0.5, "float32") for variable in model.trainable_variables]
    Adoption(model, RATE, initial).apply(values)
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
    adoption = Adoption(model, recipe, initial)
    adoption.apply()
    model.fit(*plane, verbose=0)
    adoption.undo()
    assert model.optimizer is optimizer
    for old, new in zip(before, (*model.variables, *model.optimizer.variables), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(model.predict(plane[0], verbose=0), predictions)
    assert model.fit(*plane, epochs=2, shuffle=False, verbose=0).history == expected


class Failing(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise KeyError(epoch)


def test_an_error_of_a_callback_is_told_from_one_of_the_training(make_model, plane):
    failing, innocent = Failing(), keras.callbacks.History()
    with pytest.raises(KeyError) as caught:
        make_model().fit(*plane, verbose=0, callbacks=[failing, innocent])
    assert is_raised_by(caught.value, [failing])
    assert not is_raised_by(caught.value, [innocent])
    with pytest.raises(ValueError) as training:  # noqa: PT011 - Keras words it
        make_model().fit(plane[0][:, :1], plane[1], verbose=0, callbacks=[failing])
    assert not is_raised_by(training.value, [failing])


class WithSettings(keras.Model):
    """Takes more in `compile` than Keras does."""

    def compile(self, step_optimizer, factor):
        super().compile(optimizer=step_optimizer, loss="mse", metrics=["mae"], steps_per_execution=2)
        self.factor = factor

    def train_step(self, data):
        return {**super().train_step(data), "factor": self.factor}


@pytest.mark.parametrize("recipe", [RATE, SURGERY])
def test_what_a_compile_of_the_users_class_sets_is_kept(plane, recipe):
    inputs = keras.Input((2,))
    model = WithSettings(inputs, keras.layers.Dense(1)(inputs))
    model.compile(keras.optimizers.Adam(0.5), factor=7.0)
    Adoption(model, recipe, begun(model)).apply()
    assert model.factor == 7.0
    assert model.steps_per_execution == 2
    assert float(model.optimizer.learning_rate) == pytest.approx(0.05 if recipe is RATE else 0.5)
    assert model.fit(*plane, verbose=0).history["factor"] == [7.0]


COMPILED = {
    "loss": "mae",
    "loss_weights": 0.5,
    "metrics": ["mse"],
    "weighted_metrics": ["mae"],
    "steps_per_execution": 3,
    "jit_compile": True,
}


@pytest.mark.parametrize("recipe", [RATE, SURGERY])
@pytest.mark.parametrize("options", [COMPILED, {"loss": "mse", "run_eagerly": True}], ids=["graph", "eager"])
def test_the_arguments_of_compile_are_kept(make_model, plane, recipe, options):
    model = make_model(**options)
    names = list(model.fit(*plane, verbose=0).history)
    Adoption(model, recipe, begun(model)).apply()
    kept = model._compile_config.config
    assert {name: kept[name] for name in options} == options
    assert (model.run_eagerly, model.jit_compile) == (bool(options.get("run_eagerly")), "jit_compile" in options)
    assert list(model.fit(*plane, verbose=0).history) == names


@pytest.mark.parametrize("recipe", [RATE, SURGERY])
@pytest.mark.parametrize("auto_scale_loss", [True, False])
def test_an_optimizer_is_wrapped_against_underflow_once_or_not_at_all(recipe, auto_scale_loss):
    stack = [keras.layers.Dense(1, dtype="mixed_float16")]
    model = keras.Sequential([keras.Input((2,)), *stack])
    model.dtype_policy = "mixed_float16"
    model.compile(keras.optimizers.Adam(0.5), "mse", auto_scale_loss=auto_scale_loss)
    kind = type(model.optimizer)
    assert (kind is keras.optimizers.LossScaleOptimizer) == auto_scale_loss
    Adoption(model, recipe, begun(model)).apply()
    assert type(model.optimizer) is kind
    assert type(getattr(model.optimizer, "inner_optimizer", model.optimizer)) is keras.optimizers.Adam


@pytest.mark.parametrize("recipe", [RATE, SURGERY])
def test_a_model_stays_under_its_distribution_strategy(plane, recipe):
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.Adam(0.5), "mse")
        initial = begun(model)
    adoption = Adoption(model, recipe, initial)
    adoption.apply()
    assert model.distribute_strategy is strategy
    model.fit(*plane, verbose=0)
    assert type(model.trainable_variables[0].value).__name__ == "MirroredVariable"
    adoption.undo()
    model.fit(*plane, verbose=0)
