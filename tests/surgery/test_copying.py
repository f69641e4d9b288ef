import keras
import numpy as np
import pytest

from autofix.recipe import Recipe
from autofix.remedies import InsertHiddenLayers, NormalizeInputs, RescaleOutputs
from autofix.surgery import architecture
from autofix.surgery.copying import NotCopiedError, copy_layer

layers = keras.layers
ops = keras.ops
OFFSET = 3.0

X = np.random.default_rng(0).uniform(size=(32, 2)).astype("float32")
TEXT = np.array(["red wood", "blue wood", "red stone", "green"] * 8, dtype=object)


def of(*parts, shape=(2,), dtype=None):
    return keras.Sequential([keras.Input(shape, dtype=dtype), *parts, layers.Dense(1)])


def plus_offset(values):
    return values + OFFSET


class Doubling(keras.initializers.Initializer):
    def __call__(self, shape, dtype=None):
        return 2.0 * ops.ones(shape, dtype)


class Wide(keras.layers.Layer):
    def __init__(self, units, **options):
        super().__init__(**options)
        self.dense = layers.Dense(units)
        self.units = units

    def call(self, inputs):
        return self.dense(inputs)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def lambda_with_globals():
    return of(layers.Lambda(lambda values: values * OFFSET), layers.Lambda(plus_offset))


def lambda_inside_a_nested_model():
    inner = keras.Sequential([keras.Input((2,)), layers.Lambda(lambda values: values * OFFSET), layers.Dense(3)])
    return of(inner)


def functions_of_ones_own():
    body = layers.Dense(4, activation=plus_offset, kernel_initializer=Doubling())
    return of(body, layers.Dense(3, activation=lambda values: ops.tanh(values)), Wide(3))


def adapted_text():
    vectorize = layers.TextVectorization(output_mode="multi_hot")
    vectorize.adapt(TEXT)
    return of(vectorize, shape=(), dtype="string")


def adapted_words():
    find = layers.StringLookup(output_mode="one_hot")
    find.adapt(TEXT)
    return of(find, shape=(), dtype="string")


def adapted_weighted_text():
    vectorize = layers.TextVectorization(output_mode="tf_idf")
    vectorize.adapt(TEXT)
    return of(vectorize, shape=(), dtype="string")


def adapted_numbers():
    scale, bins = layers.Normalization(), layers.Discretization(num_bins=3)
    scale.adapt(10.0 * X)
    bins.adapt(X)
    inputs = keras.Input((2,))
    joined = layers.concatenate([scale(inputs), ops.cast(bins(inputs), "float32")])
    return keras.Model(inputs, layers.Dense(1)(joined))


def operations():
    inputs = keras.Input((2,))
    joined = ops.concatenate(
        [inputs * 2.0, ops.add(inputs, 1.0), inputs[:, ::-1], ops.where(inputs > 0.5, 1.0, 0.0)], axis=-1
    )
    return keras.Model(inputs, layers.Dense(1)(joined))


def keyword_tensors():
    inputs = keras.Input((2,))
    steps = layers.Reshape((2, 1))(inputs)
    seen = layers.MultiHeadAttention(1, 2)(query=steps, value=steps, key=steps * 2.0)
    return keras.Model(
        inputs, layers.Dense(1)(layers.Flatten()(layers.LSTM(3, return_sequences=True)(seen, mask=None)))
    )


def layer_of_a_nested_model_called_outside_too():
    inputs = keras.Input((2,))
    dense = layers.Dense(2)
    inner = keras.Sequential([keras.Input((2,)), dense])
    return keras.Model(inputs, layers.Dense(1)(layers.add([inner(inputs), dense(inputs)])))


NUMERIC = [
    lambda_with_globals,
    lambda_inside_a_nested_model,
    functions_of_ones_own,
    adapted_numbers,
    operations,
    keyword_tensors,
    layer_of_a_nested_model_called_outside_too,
]
BUILDERS = [*NUMERIC, adapted_text, adapted_words, adapted_weighted_text]


def predictions(model):
    takes_text = model.inputs[0].dtype == "string"
    return model.predict(keras.ops.convert_to_tensor(TEXT) if takes_text else X, verbose=0)


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_copy_predicts_the_same(builder):
    model = builder()
    np.testing.assert_array_equal(predictions(architecture.build(model, Recipe())), predictions(model))


@pytest.mark.parametrize("builder", NUMERIC)
def test_layers_are_put_around_and_into_it(builder):
    model = builder()
    remedies = (
        NormalizeInputs("standardize_inputs", mean=((0.0, 0.0),), variance=((1.0, 1.0),)),
        InsertHiddenLayers("add_hidden_layers", units=3, depth=1),
        RescaleOutputs("standardize_targets", scale=(10.0,), offset=(5.0,)),
    )
    around = architecture.build(model, Recipe((remedies[0], remedies[2])))
    np.testing.assert_allclose(predictions(around), 10.0 * predictions(model) + 5.0, rtol=1e-4, atol=1e-4)
    assert predictions(architecture.build(model, Recipe(remedies))).shape == (32, 1)


def test_a_layer_that_is_shared_stays_shared():
    model = layer_of_a_nested_model_called_outside_too()
    assert len(architecture.build(model, Recipe()).weights) == len(model.weights) == 4


class ByArgument(keras.layers.Layer):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, inputs):
        return self.inner(inputs)


@pytest.mark.parametrize("is_nested", [False, True])
def test_what_cannot_be_copied_is_named(is_nested):
    part = ByArgument(layers.Dense(2))
    part.name = "strange"
    model = of(keras.Sequential([keras.Input((2,)), part]) if is_nested else part)
    with pytest.raises(NotCopiedError, match="strange"):
        architecture.build(model, Recipe())
    assert "'strange'" in architecture.why_not_rebuilt(model)
    assert "ByArgument" in architecture.why_not_rebuilt(model)
    assert architecture.why_not_rebuilt(of(layers.Dense(2))) == ""


def test_a_copy_of_a_layer_is_a_new_one():
    layer = layers.Dense(2, activation=plus_offset)
    copy = copy_layer(layer)
    assert copy is not layer
    assert copy.activation is plus_offset
    assert not copy.built


class WithSettings(keras.Model):
    """Takes more in `compile` than Keras does, and is given attributes."""

    def compile(self, step_optimizer, factor):
        super().compile(optimizer=step_optimizer, loss="mse")
        self.factor = factor


def test_what_the_user_set_on_a_model_is_handed_over():
    inputs = keras.Input((2,))
    body = layers.Dense(3)
    model = WithSettings(inputs, layers.Dense(1)(body(inputs)))
    model.compile(keras.optimizers.SGD(0.1), factor=7.0)
    model.body, model.names = body, ["a", "b"]
    rebuilt = architecture.build(model, Recipe())
    assert (rebuilt.factor, list(rebuilt.names)) == (7.0, ["a", "b"])
    assert rebuilt.body is rebuilt.layers[1]
    assert rebuilt.body is not body
    assert len(rebuilt.weights) == 4


class OwnSequential(keras.Sequential):
    def train_step(self, data):
        return super().train_step(data)


def test_a_subclass_of_sequential_keeps_its_class():
    model = OwnSequential([keras.Input((2,)), layers.Dense(1)])
    assert type(architecture.build(model, Recipe())) is OwnSequential


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float32"])
def test_layers_that_are_put_in_compute_as_those_around_them(policy):
    stack = [layers.Dense(3, dtype=policy), layers.Dense(1, dtype=policy)]
    model = keras.Sequential([keras.Input((2,)), *stack])
    remedies = (
        NormalizeInputs("standardize_inputs", mean=((0.0, 1e6),), variance=((1.0, 1e8),)),
        InsertHiddenLayers("add_hidden_layers", units=3, depth=1),
        RescaleOutputs("standardize_targets", scale=(10.0,), offset=(5.0,)),
    )
    rebuilt = architecture.build(model, Recipe(remedies))
    assert rebuilt.outputs[0].dtype == model.outputs[0].dtype
    assert rebuilt.layers[2].dtype_policy.name == policy
    assert np.isfinite(rebuilt(X * [1.0, 1e6])).all()  # more than 16 bits hold
