"""Kinds of model: how they are built, what they are made of, and how they are compiled."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tests.compatibility import data
from tests.compatibility.case import Case

layers = keras.layers
ops = keras.ops

CASES: list[Case] = []


def case(name: str, arguments: Any = None, **options: Any) -> Any:
    """Registers the case whose model the decorated function builds."""

    def register(build: Any) -> Any:
        CASES.append(Case(name, "model", build, arguments or regression, **{"collapsed_rate": 3.0, **options}))
        return build

    return register


def regression() -> dict[str, Any]:
    x = data.numbers()
    return data.arguments(x, data.target(x))


def binary() -> dict[str, Any]:
    x = data.numbers()
    return data.arguments(x, data.label(x))


def multiclass() -> dict[str, Any]:
    x = data.numbers()
    return data.arguments(x, data.classes(x))


def text() -> dict[str, Any]:
    return data.arguments(data.sentences(), data.value_of_tokens(data.tokens()))


def word_numbers() -> dict[str, Any]:
    words = data.tokens()
    return data.arguments(words, data.value_of_tokens(words))


def pictures() -> dict[str, Any]:
    pixels = data.images()
    return data.arguments(pixels, data.brightness(pixels))


def time_series() -> dict[str, Any]:
    steps = data.series()
    return data.arguments(steps, data.last_steps(steps))


def adam(rate: float, **options: Any) -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(rate, **options)


def hidden(units: int = 10, **options: Any) -> keras.layers.Layer:
    return layers.Dense(units, activation="relu", **options)


def stacked(*parts: Any, shape: Any = (4,), dtype: str | None = None) -> keras.Sequential:
    return keras.Sequential([keras.Input(shape, dtype=dtype), *parts])


def compiled(model: keras.Model, optimizer: Any, loss: Any = "mse", **options: Any) -> keras.Model:
    model.compile(optimizer=optimizer, loss=loss, **options)
    return model


# How they are built


@case("Sequential")
def sequential(rate):
    return compiled(stacked(hidden(), layers.Dense(1)), adam(rate))


@case("Sequential without an input shape")
def unbuilt(rate):
    return compiled(keras.Sequential([hidden(), layers.Dense(1)]), adam(rate))


def two_sides() -> dict[str, Any]:
    x = data.numbers()
    targets = {"number": data.target(x), "label": data.label(x)}
    return data.arguments({"left": x[:, :2], "right": x[:, 2:]}, targets)


@case("functional, inputs and outputs by name, loss weights", two_sides)
def by_name(rate):
    inputs = {side: keras.Input((2,), name=side) for side in ("left", "right")}
    body = hidden()(layers.Concatenate()(list(inputs.values())))
    outputs = {
        "number": layers.Dense(1, name="number")(body),
        "label": layers.Dense(1, activation="sigmoid", name="label")(body),
    }
    losses = {"number": "mse", "label": "binary_crossentropy"}
    return compiled(
        keras.Model(inputs, outputs),
        adam(rate),
        losses,
        loss_weights={"number": 1.0, "label": 2.0},
        metrics={"number": ["mae"], "label": ["accuracy", keras.metrics.AUC(name="auc")]},
        weighted_metrics={"number": ["mse"]},
    )


def twins() -> dict[str, Any]:
    x = data.numbers()
    return data.arguments([x[:, :2], x[:, 2:]], data.target(x))


@case("functional, shared and nested layers", twins, healthy_rate=0.03)
def shared(rate):
    inputs = [keras.Input((2,)), keras.Input((2,))]
    encoder = keras.Sequential([keras.Input((2,)), hidden(8)], name="encoder")
    joined = layers.concatenate([encoder(tensor) for tensor in inputs])
    return compiled(keras.Model(inputs, layers.Dense(1)(joined)), adam(rate))


@case("functional, residual, operations on tensors")
def residual(rate):
    inputs = keras.Input((4,))
    body = hidden()(2.0 * inputs - 1.0)
    body = hidden()(ops.add(body, hidden()(body)))
    return compiled(keras.Model(inputs, layers.Dense(1)(ops.concatenate([body, body * 0.5], axis=-1))), adam(rate))


@keras.saving.register_keras_serializable("compatibility")
class Subclassed(keras.Model):
    def __init__(self, units=10, **options):
        super().__init__(**options)
        self.units = units
        self.body, self.head = hidden(units), layers.Dense(1)

    def call(self, inputs):
        return self.head(self.body(inputs))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@case("subclassed")
def subclassed(rate):
    return compiled(Subclassed(), adam(rate))


class ByArgument(keras.Model):
    def __init__(self, body, head):
        super().__init__()
        self.body, self.head, self.drop = body, head, layers.Dropout(0.1)

    def call(self, inputs, training=None):
        # Python decides, so the graph cannot be read off the layers.
        return self.head(self.drop(self.body(inputs), training=training))


@case("subclassed, without get_config, dropout")
def subclassed_by_argument(rate):
    return compiled(ByArgument(hidden(), layers.Dense(1)), adam(rate))


# What they are made of


@keras.saving.register_keras_serializable("compatibility")
class Scaled(keras.layers.Layer):
    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units

    def build(self, shape):
        self.table = self.add_weight(shape=(shape[-1], self.units), initializer="glorot_uniform", name="table")
        self.shift = self.add_weight(shape=(self.units,), initializer="zeros", name="shift")

    def call(self, inputs):
        return ops.relu(ops.matmul(inputs, self.table) + self.shift)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class NoConfig(keras.layers.Layer):
    """Takes a constructor argument, and tells nobody."""

    def __init__(self, inner):
        super().__init__(name="no_config")
        self.inner = inner

    def call(self, inputs):
        return self.inner(inputs)


@case("custom layers")
def custom_layers(rate):
    return compiled(stacked(Scaled(10), layers.Dense(1)), adam(rate))


@case("custom layers without get_config")
def layers_without_config(rate):
    return compiled(stacked(NoConfig(hidden()), layers.Dense(1)), adam(rate))


@case("Lambda layers")
def lambda_layers(rate):
    return compiled(stacked(layers.Lambda(lambda x: x * 2.0), hidden(), layers.Dense(1)), adam(rate))


@case("batch normalization, dropout, regularizers, constraints", healthy_rate=0.03)
def regularized(rate):
    body = layers.Dense(10, kernel_regularizer="l2", kernel_constraint=keras.constraints.MaxNorm(3.0))
    parts = (hidden(), body, layers.BatchNormalization(momentum=0.8), layers.ReLU(), layers.Dropout(0.05))
    return compiled(stacked(*parts, layers.Dense(1, bias_regularizer="l1")), adam(rate))


@case("convolutions", pictures, is_slow=True)
def convolutional(rate):
    parts = (layers.Conv2D(8, 3, activation="relu"), layers.MaxPooling2D(2), layers.Flatten())
    return compiled(stacked(*parts, layers.Dense(1), shape=(6, 6, 1)), adam(rate))


@case("recurrent", time_series, collapsed_rate=10.0)
def recurrent(rate):
    return compiled(stacked(layers.LSTM(8), layers.Dense(1), shape=(5, 2)), adam(rate))


@case("attention", time_series, is_slow=True)
def attention(rate):
    inputs = keras.Input((5, 2))
    body = hidden(8)(inputs)
    body = keras.layers.LayerNormalization()(body + layers.MultiHeadAttention(2, 4)(body, body))
    body = hidden()(layers.Flatten()(body))
    return compiled(keras.Model(inputs, layers.Dense(1)(body)), adam(rate))


@case("embedding, masked sequences", word_numbers)
def embedding(rate):
    parts = (layers.Embedding(data.N_WORDS, 6, mask_zero=True), layers.GlobalAveragePooling1D(), hidden())
    return compiled(stacked(*parts, layers.Dense(1), shape=(data.LENGTH,), dtype="int32"), adam(rate))


def tagged_words() -> dict[str, Any]:
    words = data.tokens()
    values = np.r_[0.0, np.linspace(-1.5, 1.5, data.N_WORDS - 1)]
    return data.arguments(words, np.where(words > 0, values[words], 100.0).astype("float32")[..., None])


@case("a masked loss for every step", tagged_words)
def masked_loss(rate):
    parts = (layers.Embedding(data.N_WORDS, 6, mask_zero=True), hidden())
    return compiled(stacked(*parts, layers.Dense(1), shape=(data.LENGTH,), dtype="int32"), adam(rate))


@case("text", text)
def text_inputs(rate):
    vectorize = layers.TextVectorization(output_mode="int", output_sequence_length=data.LENGTH)
    vectorize.adapt(data.sentences())
    parts = (vectorize, layers.Embedding(data.N_WORDS + 2, 6), layers.GlobalAveragePooling1D(), hidden())
    return compiled(stacked(*parts, layers.Dense(1), shape=(), dtype="string"), adam(rate))


def word_and_number() -> dict[str, Any]:
    x = data.numbers()
    # As a tensor: Keras takes no dict of text arrays.
    word = tf.constant(data.WORDS[data.tokens()[:, :1] - 1].astype(object))
    bonus = (data.tokens()[:, :1] - 6) / 4.0
    return data.arguments({"word": word, "number": x}, (data.target(x) + bonus).astype("float32"))


@case("a word and numbers, StringLookup and adapted Normalization", word_and_number)
def lookup(rate):
    inputs = {"word": keras.Input((1,), dtype="string", name="word"), "number": keras.Input((4,), name="number")}
    find = layers.StringLookup(vocabulary=list(data.WORDS), output_mode="one_hot")
    scale = layers.Normalization()
    scale.adapt(data.numbers())
    body = hidden()(layers.concatenate([find(inputs["word"]), scale(inputs["number"])]))
    return compiled(keras.Model(inputs, layers.Dense(1)(hidden()(body))), adam(rate))


def encoder() -> keras.Model:
    """Trained elsewhere: its features are the right ones."""
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(6, activation="tanh", name="features")(inputs), name="encoder")
    model.layers[-1].set_weights([np.random.default_rng(5).normal(size=(4, 6)).astype("float32"), np.zeros(6)])
    return model


@case("frozen pretrained part")
def frozen(rate):
    pretrained = encoder()
    pretrained.trainable = False
    inputs = keras.Input((4,))
    return compiled(keras.Model(inputs, layers.Dense(1)(hidden()(pretrained(inputs)))), adam(rate))


@case("autoencoder, fit(x, x)", lambda: data.arguments(data.rank_two(), data.rank_two()), healthy_rate=0.03)
def autoencoder(rate):
    return compiled(
        stacked(hidden(16), layers.Dense(4, activation="relu"), hidden(16), layers.Dense(6), shape=(6,)), adam(rate)
    )


@keras.saving.register_keras_serializable("compatibility")
class OwnReconstruction(keras.Model):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return ops.mean(ops.square(x - y_pred)) + sum(self.losses)


@case("autoencoder without targets, compute_loss", lambda: data.arguments(data.rank_two()), healthy_rate=0.03)
def own_reconstruction(rate):
    inputs = keras.Input((6,))
    outputs = layers.Dense(6)(hidden(16)(hidden(16, activity_regularizer=keras.regularizers.L2(1e-5))(inputs)))
    return compiled(OwnReconstruction(inputs, outputs), adam(rate), None)


@keras.saving.register_keras_serializable("compatibility")
class Penalty(keras.layers.Layer):
    def call(self, inputs):
        values, decoded = inputs
        self.add_loss(ops.mean(ops.square(values - decoded)))
        return decoded


@case("autoencoder without targets, add_loss", lambda: data.arguments(data.rank_two()), healthy_rate=0.03)
def added_loss(rate):
    inputs = keras.Input((6,))
    decoded = layers.Dense(6)(hidden(16)(inputs))
    return compiled(keras.Model(inputs, Penalty()([inputs, decoded])), adam(rate), None)


# How they are compiled


@keras.saving.register_keras_serializable("compatibility")
def squared_and_absolute(y, prediction):
    return ops.mean(ops.square(y - prediction) + 0.1 * ops.abs(y - prediction), axis=-1)


@keras.saving.register_keras_serializable("compatibility")
def largest(y, prediction):
    return ops.max(ops.abs(y - prediction))


@case("a loss function, metrics of all kinds")
def own_loss(rate):
    metrics = ["mae", largest, keras.metrics.R2Score(), keras.metrics.MeanMetricWrapper(largest, name="wrapped")]
    model = stacked(hidden(), layers.Dense(1))
    return compiled(model, adam(rate), squared_and_absolute, metrics=metrics, weighted_metrics=["mse"])


@case("a lambda as loss")
def lambda_loss(rate):
    return compiled(stacked(hidden(), layers.Dense(1)), adam(rate), lambda y, p: ops.square(y - p))


@case("classes, metrics", multiclass)
def classifier(rate):
    metrics = ["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(2)]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return compiled(stacked(hidden(), layers.Dense(3)), adam(rate), loss, metrics=metrics)


@keras.saving.register_keras_serializable("compatibility")
class OwnLoss(keras.Model):
    """Written for Keras 3.0: no `training`."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.seen = keras.metrics.Mean(name="seen")

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
        loss = super().compute_loss(x, y, y_pred, sample_weight)
        self.seen.update_state(loss)
        return loss + 0.01 * ops.mean(ops.square(y_pred))


@case("compute_loss of the class, without training, with a metric")
def own_compute_loss(rate):
    inputs = keras.Input((4,))
    return compiled(OwnLoss(inputs, layers.Dense(1)(hidden()(inputs))), adam(rate))


@keras.saving.register_keras_serializable("compatibility")
class OwnStep(keras.Model):
    def compile(self, step_optimizer, step_loss, factor=1.0):
        super().compile(optimizer=step_optimizer, loss=step_loss)
        self.factor = factor

    def train_step(self, inputs_and_targets):
        x, y, weights = keras.utils.unpack_x_y_sample_weight(inputs_and_targets)
        with tf.GradientTape() as tape:
            loss = self.factor * self.compute_loss(x, y, self(x, training=True), weights)
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


@case("train_step and compile of the class")
def own_train_step(rate):
    inputs = keras.Input((4,))
    model = OwnStep(inputs, layers.Dense(1)(hidden()(inputs)))
    model.compile(adam(rate), "mse", factor=2.0)
    return model


@case("a learning-rate schedule")
def schedule(rate):
    decay = keras.optimizers.schedules.ExponentialDecay(rate, 100, 0.9)
    return compiled(stacked(hidden(), layers.Dense(1)), adam(decay))


@case("weight decay, clipping")
def weight_decay(rate):
    return compiled(stacked(hidden(), layers.Dense(1)), keras.optimizers.AdamW(rate, weight_decay=0.004, clipnorm=1.0))


@case("averaged weights (use_ema)", healthy_rate=0.03)
def averaged(rate):
    return compiled(stacked(hidden(), layers.Dense(1)), adam(rate, use_ema=True, ema_momentum=0.9))


@case("averaged weights, overwritten every 10 steps", healthy_rate=0.03)
def averaged_often(rate):
    optimizer = adam(rate, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=10)
    return compiled(stacked(hidden(), layers.Dense(1)), optimizer)


@case("gradient accumulation", healthy_rate=0.05, collapsed_rate=10.0)
def accumulated(rate):
    return compiled(stacked(hidden(), layers.Dense(1)), adam(rate, gradient_accumulation_steps=3))


@case("mixed_float16", healthy_rate=0.02)
def mixed_float16(rate):
    policy = {"dtype": "mixed_float16"}
    return compiled(
        stacked(hidden(**policy), layers.Dense(1, **policy), layers.Activation("linear", dtype="float32")),
        keras.optimizers.LossScaleOptimizer(adam(rate)),
    )


@case("mixed_bfloat16, outputs too", healthy_rate=0.02)
def mixed_bfloat16(rate):
    policy = {"dtype": "mixed_bfloat16"}
    return compiled(stacked(hidden(**policy), layers.Dense(1, **policy)), adam(rate))


@case("global mixed_float16 policy", healthy_rate=0.02)
def global_policy(rate):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return compiled(stacked(hidden(), layers.Dense(1)), adam(rate))
    finally:
        keras.config.set_dtype_policy(policy)


@case("jit_compile=True")
def compiled_by_xla(rate):
    return compiled(stacked(hidden(), layers.Dense(1)), adam(rate), jit_compile=True)


@case("jit_compile=False, steps_per_execution", healthy_rate=0.02)
def several_steps(rate):
    return compiled(stacked(hidden(), layers.Dense(1)), adam(rate), jit_compile=False, steps_per_execution=4)


@keras.saving.register_keras_serializable("compatibility")
class Eager(keras.Model):
    """Looks at values: it cannot be traced."""

    def __init__(self):
        super().__init__()
        self.body, self.head = hidden(), layers.Dense(1)

    def call(self, inputs):
        body = self.body(inputs)
        if float(ops.max(body)) > 1e30:
            body = body * 0.0
        return self.head(body)


@case(
    "run_eagerly, values read in call",
    healthy_rate=0.03,
    collapsed_rate=30.0,
    is_slow=True,
    arguments=lambda: {**regression(), "epochs": 10, "batch_size": 16},
)
def eager(rate):
    return compiled(Eager(), adam(rate), run_eagerly=True)


@keras.saving.register_keras_serializable("compatibility")
class ByNumpy(keras.layers.Layer):
    def call(self, inputs):
        values = tf.numpy_function(lambda array: array - np.float32(0.5), [inputs], tf.float32)
        values.set_shape(inputs.shape)
        return values

    def compute_output_shape(self, shape):
        return shape


@case("a numpy_function in a layer")
def by_numpy(rate):
    return compiled(stacked(ByNumpy(), hidden(), layers.Dense(1)), adam(rate))


@case("tf.distribute.MirroredStrategy", collapsed_rate=10.0, is_slow=True)
def mirrored(rate):
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        return compiled(stacked(hidden(), layers.Dense(1)), adam(rate))
