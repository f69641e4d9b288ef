import keras
import numpy as np
import pytest

from autofix.errors import ModelError
from autofix.recipe import Recipe
from autofix.remedies import InsertHiddenLayers, NormalizeInputs, RescaleOutputs, SetLearningRate
from autofix.surgery import architecture

RATE = SetLearningRate("lower_learning_rate", factor=0.1)
HIDDEN = InsertHiddenLayers("add_hidden_layers", units=5, depth=2)
SCALED = RescaleOutputs("standardize_targets", scale=(10.0,), offset=(3.0,))
NORMAL = NormalizeInputs("standardize_inputs", mean=((1.0, 2.0),), variance=((4.0, 0.25),))
EVERYTHING = Recipe((NORMAL, RATE, HIDDEN, SCALED))

layers = keras.layers


def sequential():
    return keras.Sequential([keras.Input((2,)), layers.Dense(4, activation="relu"), layers.Dense(1)])


def multi_input():
    first, second = keras.Input((2,), name="z"), keras.Input((3,), name="a")
    merged = layers.concatenate([layers.Dense(4, activation="relu")(first), second])
    return keras.Model([first, second], layers.Dense(1)(merged))


def multi_output():
    x = keras.Input((2,))
    hidden = layers.Dense(4, activation="relu")(x)
    return keras.Model(x, [layers.Dense(1, name="b")(hidden), layers.Dense(3, activation="softmax", name="a")(hidden)])


def residual():
    x = keras.Input((2,))
    return keras.Model(x, layers.Dense(1)(layers.add([x, layers.Dense(2, activation="relu")(x)])))


def nested():
    x = keras.Input((2,))
    inner = keras.Sequential([keras.Input((2,)), layers.Dense(4, activation="tanh"), layers.BatchNormalization()])
    return keras.Model(x, layers.Dense(1)(inner(x)))


def shared_layer():
    x = [keras.Input((2,)), keras.Input((2,))]
    twin = layers.Dense(4, activation="relu")
    return keras.Model(x, layers.Dense(1)(layers.subtract([twin(x[0]), twin(x[1])])))


def shared_head():
    x = [keras.Input((2,)), keras.Input((2,))]
    head = layers.Dense(1, name="head")
    return keras.Model(x, [head(x[0]), head(x[1])])


def dict_inputs():
    x = {"b": keras.Input((2,), name="b"), "a": keras.Input((1,), name="a")}
    return keras.Model(x, {"out": layers.Dense(1)(layers.concatenate([x["a"], x["b"]]))})


def sequential_in_sequential():
    inner = keras.Sequential([keras.Input((2,)), layers.Dense(4, activation="relu")])
    return keras.Sequential([keras.Input((2,)), inner, layers.Dense(1)])


def operations():
    x = keras.Input((2,))
    return keras.Model(x, layers.Dense(1)(keras.ops.sin(x) * 2.0 + x[:, :1]))


BUILDERS = (
    operations,
    sequential,
    multi_input,
    multi_output,
    residual,
    nested,
    shared_layer,
    shared_head,
    dict_inputs,
    sequential_in_sequential,
)


def rows_for(model, n_rows=7):
    rng = np.random.default_rng(0)
    draw = lambda tensor: rng.normal(size=(n_rows, *tensor.shape[1:])).astype("float32")  # noqa: E731
    structure = model._inputs_struct if hasattr(model, "_inputs_struct") else model.inputs[0]
    return keras.tree.map_structure(draw, structure)


def assert_same_predictions(model, other, x, tolerance=0.0):
    same = lambda a, b: np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)  # noqa: E731
    keras.tree.map_structure(same, model.predict(x, verbose=0), other.predict(x, verbose=0))


def remedies_for(model):
    """Every remedy that goes into the network, fitted to the numbers of inputs and outputs."""
    inputs, n_outputs = keras.tree.flatten(model.inputs), len(keras.tree.flatten(model.outputs))
    return Recipe(
        (
            NormalizeInputs(
                "standardize_inputs",
                mean=tuple((float(index + 1),) * tensor.shape[-1] for index, tensor in enumerate(inputs)),
                variance=tuple((4.0,) * tensor.shape[-1] for tensor in inputs),
            ),
            HIDDEN,
            RescaleOutputs("standardize_targets", scale=(10.0,) * n_outputs, offset=(3.0,) * n_outputs),
        )
    )


@pytest.mark.parametrize("builder", BUILDERS)
def test_an_empty_recipe_gives_a_copy_of_the_same_kind_with_identical_predictions(builder):
    model = builder()
    copy = architecture.build(model, Recipe())
    assert type(copy) is type(model)
    assert [layer.name for layer in copy.layers] == [layer.name for layer in model.layers]
    assert_same_predictions(model, copy, rows_for(model))
    for variable in copy.trainable_variables:
        variable.assign_add(variable + 1.0)
    assert any(not np.array_equal(a, b) for a, b in zip(copy.get_weights(), model.get_weights(), strict=True))


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_repaired_model_saves_and_loads_to_identical_predictions(builder, tmp_path):
    model = builder()
    repaired = architecture.build(model, remedies_for(model))
    x = rows_for(model)
    repaired.save(tmp_path / "repaired.keras")
    assert_same_predictions(repaired, keras.saving.load_model(tmp_path / "repaired.keras"), x)


@pytest.mark.parametrize("builder", BUILDERS)
def test_normalization_and_rescaling_stand_around_the_untouched_network(builder):
    model = builder()
    recipe = Recipe(tuple(remedy for remedy in remedies_for(model) if remedy is not HIDDEN))
    repaired = architecture.build(model, recipe)
    assert isinstance(repaired, keras.Sequential) == isinstance(model, keras.Sequential)
    x = rows_for(model)
    (normalization,) = (remedy for remedy in recipe if isinstance(remedy, NormalizeInputs))
    arrays = normalization.transform(keras.tree.flatten(x))
    inside = model.predict(keras.tree.pack_sequence_as(x, arrays), verbose=0)
    expected = keras.tree.map_structure(lambda array: 10.0 * array + 3.0, inside)
    keras.tree.map_structure(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), repaired.predict(x, verbose=0), expected
    )


def test_every_layer_of_a_recipe_has_its_place():
    model = sequential()
    repaired = architecture.build(model, EVERYTHING)
    kinds = ["Normalization", "Dense", "Dense", "Dense", "Dense", "Rescaling"]
    assert [type(layer).__name__ for layer in repaired.layers] == kinds
    assert [layer.units for layer in repaired.layers[1:5]] == [4, 5, 5, 1]
    np.testing.assert_array_equal(repaired.layers[1].kernel, model.layers[0].kernel)


@pytest.mark.parametrize(
    "ending",
    [
        lambda: [layers.Dense(3), layers.Activation("softmax")],
        lambda: [layers.Dense(3), layers.Softmax()],
        lambda: [layers.Dense(3), layers.Dropout(0.1), layers.Flatten(), layers.ReLU()],
        lambda: [layers.Dense(3, name="predictions")],
    ],
)
@pytest.mark.parametrize("is_functional", [False, True])
def test_hidden_layers_stand_before_the_last_layer_with_weights(ending, is_functional):
    stack = [layers.Dense(4, name="first"), *ending()]
    model = keras.Sequential([keras.Input((2,)), *stack])
    if is_functional:
        model = keras.Model(model.inputs, model.outputs)
    assert architecture.can_insert(model)
    repaired = architecture.build(model, Recipe((HIDDEN,)))
    names = [layer.name for layer in repaired.layers if not isinstance(layer, layers.InputLayer)]
    hidden = ["autofix_hidden_0_0", "autofix_hidden_0_1"]
    assert names == ["first", *hidden, *(layer.name for layer in stack[1:])]
    assert repaired.output_shape == (None, 3)


@pytest.mark.parametrize("builder", [multi_output, shared_head])
def test_hidden_layers_stand_before_each_output(builder):
    model = builder()
    repaired = architecture.build(model, Recipe((HIDDEN,)))
    heads = {layer.name for layer in architecture.output_layers(model)}
    for name in heads:
        assert repaired.get_layer(name).kernel.shape[0] == HIDDEN.units


def test_one_activation_layer_behind_two_outputs_leads_to_both_heads():
    x = keras.Input((2,))
    act = layers.Activation("sigmoid")
    model = keras.Model(x, [act(layers.Dense(1, name="one")(x)), act(layers.Dense(1, name="two")(x))])
    assert [layer.name for layer in architecture.output_layers(model)] == ["one", "two"]


def test_the_heads_of_a_model_are_its_own_where_its_layers_serve_another_one_too():
    x = keras.Input((2,))
    act = layers.Activation("sigmoid")
    model = keras.Model(x, act(layers.Dense(1, name="own")(x)))
    keras.Model(x, act(layers.Dense(1, name="other")(x)))
    assert [layer.name for layer in architecture.output_layers(model)] == ["own"]


@pytest.mark.parametrize(
    ("model", "editable", "insertable"),
    [
        (sequential, True, True),
        (multi_output, True, True),
        (lambda: keras.Sequential([layers.Dense(1)]), False, False),
        (lambda: keras.Sequential([keras.Input((4, 2)), layers.LSTM(3)]), True, False),
        (lambda: keras.Sequential([keras.Input((2,)), layers.Flatten()]), True, False),
    ],
)
def test_what_a_network_takes_is_known_before_it_is_tried(model, editable, insertable):
    assert architecture.can_edit(model()) == editable
    assert architecture.can_insert(model()) == insertable


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, inputs):
        return self.dense(inputs)


def test_a_model_with_its_own_call_takes_no_surgery():
    model = Subclassed()
    model(np.zeros((1, 2), "float32"))
    assert not architecture.can_edit(model)
    with pytest.raises(ModelError, match="Expected a built Sequential or functional model"):
        Recipe((NORMAL,)).apply(model)


class OwnConstructor(keras.Model):
    """Functional inside, but built by arguments of its own."""

    def __init__(self, units):
        x = keras.Input((2,))
        super().__init__(x, layers.Dense(units)(x))


def test_a_functional_subclass_with_its_own_constructor_takes_no_surgery():
    model = OwnConstructor(1)
    assert not architecture.can_edit(model)
    with pytest.raises(ModelError):
        architecture.build(model, Recipe())


def test_frozen_layers_stay_frozen_at_every_depth():
    model = nested()
    inner = model.layers[1]
    inner.layers[0].trainable = False
    copy = architecture.build(model, Recipe((NORMAL,)))
    trainable = {variable.path.split("/")[-2:][0] for variable in model.trainable_variables}
    assert {variable.path.split("/")[-2:][0] for variable in copy.trainable_variables} == trainable
    assert len(copy.trainable_variables) == len(model.trainable_variables)
    model.layers[-1].trainable = False
    assert len(architecture.build(model, Recipe()).trainable_variables) == len(model.trainable_variables)


def test_the_state_of_layers_is_copied_with_their_weights():
    model = keras.Sequential(
        [keras.Input((2,)), layers.BatchNormalization(), layers.Dropout(0.5, seed=3), layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    model.fit(rows_for(model, 8), np.ones((8, 1)), verbose=0)
    copy = architecture.build(model, Recipe())
    for own, other in zip(model.variables, copy.variables, strict=True):
        np.testing.assert_array_equal(own, other)


def test_the_users_model_is_not_changed(make_model, plane):
    model = make_model()
    model.fit(*plane, verbose=0)
    before = [value.numpy() for value in (*model.variables, *model.optimizer.variables)]
    graph = [layer.name for layer in model.layers]
    repaired = architecture.build(model, EVERYTHING)
    repaired.fit(*plane, verbose=0)
    assert [layer.name for layer in model.layers] == graph
    for old, new in zip(before, (*model.variables, *model.optimizer.variables), strict=True):
        np.testing.assert_array_equal(old, new)
    assert architecture.build(make_model(), Recipe()).optimizer is not model.optimizer


def test_the_compile_arguments_are_kept_and_the_rate_is_the_recipes(make_model, plane):
    model = make_model(optimizer=keras.optimizers.Adam(0.5), loss="mae", metrics=["mse"], steps_per_execution=2)
    repaired = architecture.build(model, Recipe((RATE,)))
    assert float(repaired.optimizer.learning_rate) == pytest.approx(0.05)
    assert float(model.optimizer.learning_rate) == 0.5
    assert repaired.loss == "mae"
    assert repaired.steps_per_execution == 2
    assert set(repaired.evaluate(*plane, verbose=0, return_dict=True)) == {"loss", "mse"}


def test_a_model_that_is_not_compiled_gives_one_that_is_not():
    assert not architecture.build(sequential(), Recipe((NORMAL,))).compiled


@pytest.mark.parametrize("by_name", [False, True])
def test_losses_and_targets_of_outputs_are_found_by_their_names_after_surgery(by_name, tmp_path):
    model = multi_output()
    y = {"b": np.zeros((7, 1)), "a": np.zeros((7, 3))}
    model.compile("sgd", loss={"b": "mse", "a": "mae"}, metrics={"a": ["mse"]})
    repaired = architecture.build(model, remedies_for(model))
    assert repaired.output_names == ["b", "a"]
    history = repaired.fit(rows_for(model), y if by_name else list(y.values()), verbose=0).history
    assert set(history) == {"loss", "b_loss", "a_loss", "a_mse"}
    repaired.save(tmp_path / "repaired.keras")
    assert keras.saving.load_model(tmp_path / "repaired.keras").evaluate(rows_for(model), y, verbose=0)


def test_losses_that_cannot_be_saved_are_no_hindrance():
    x = keras.Input((2,))
    model = keras.Model(x, layers.Dense(1)(x))
    model.compile("sgd", loss=lambda y, prediction: keras.ops.square(y - prediction))
    repaired = architecture.build(model, EVERYTHING)
    assert np.isfinite(repaired.fit(rows_for(model), np.zeros((7, 1)), verbose=0).history["loss"][0])


def test_an_input_of_one_axis_is_normalized():
    x = keras.Input(())
    model = keras.Model(x, layers.Dense(1)(layers.Reshape((1,))(x)))
    remedy = NormalizeInputs("standardize_inputs", mean=((2.0,),), variance=((4.0,),))
    array = np.array([1.0, 5.0], "float32")
    repaired = architecture.build(model, Recipe((remedy,)))
    expected = model.predict((array - 2.0) / 2.0, verbose=0)
    np.testing.assert_allclose(repaired.predict(array, verbose=0), expected, rtol=1e-5)


def own_loss(y_true, y_pred):
    return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


def transfer():
    """A frozen network within, an adapted normalisation before it, and layers that train."""
    normalize = layers.Normalization()
    normalize.adapt(np.random.default_rng(0).normal(5.0, 3.0, (50, 2)))
    frozen = keras.Sequential([keras.Input((2,)), layers.Dense(4, activation="relu")])
    frozen.trainable = False
    x = keras.Input((2,))
    return keras.Model(x, layers.Dense(1)(layers.Dropout(0.3)(frozen(normalize(x)))))


@pytest.mark.parametrize("compiled_loss", ["mse", own_loss, lambda y_true, y_pred: own_loss(y_true, y_pred)])
def test_a_fresh_copy_draws_new_weights_where_it_trains(compiled_loss):
    model = transfer()
    metric = keras.metrics.MeanAbsoluteError()
    model.compile(keras.optimizers.Adam(0.05, beta_1=0.8), loss=compiled_loss, metrics=[metric], run_eagerly=True)
    model.fit(np.ones((8, 2)), np.ones((8, 1)), verbose=0)
    before = [np.array(value) for value in model.get_weights()]
    copy = architecture.fresh_copy(model)
    assert [weight.shape for weight in copy.weights] == [weight.shape for weight in model.weights]
    same = [np.array_equal(one, other) for one, other in zip(copy.get_weights(), before, strict=True)]
    is_kept = [weight.path.split("/")[0] != model.layers[-1].name for weight in model.weights]
    assert same == is_kept
    assert len(copy.trainable_variables) == len(model.trainable_variables) == 2
    assert copy.optimizer is not model.optimizer
    assert (int(copy.optimizer.iterations), copy.optimizer.beta_1) == (0, 0.8)
    assert copy.run_eagerly
    copy.fit(np.ones((8, 2)), np.zeros((8, 1)), verbose=0)
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)
    assert metric.variables[1].numpy() == 8


def test_a_fresh_copy_of_an_unbuilt_model_is_unbuilt():
    model = keras.Sequential([layers.Dense(3), layers.Dense(1)])
    model.compile(loss="mse", metrics={"dense": ["mae"]})
    copy = architecture.fresh_copy(model)
    assert not copy.built
    assert [layer.units for layer in copy.layers] == [3, 1]
    assert copy.layers[0] is not model.layers[0]


def test_a_model_that_cannot_be_copied_is_refused():
    class Own(keras.Model):
        def __init__(self, n_units):
            super().__init__()
            self.head = layers.Dense(n_units)

        def call(self, x):
            return self.head(x)

    model = Own(1)
    model.compile(loss="mse")
    with pytest.raises(ModelError, match="Pass a function"):
        architecture.fresh_copy(model)
