import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from autofix.data.training_data import TrainingData
from autofix.errors import ModelError
from autofix.recipe import Recipe
from autofix.remedies import (
    ChangeLayers,
    ClipGradients,
    InsertHiddenLayers,
    LayerChange,
    NormalizeInputs,
    RescaleOutputs,
    SetFitArgument,
    SetLearningRate,
)
from autofix.search.probe import ProbeEngine
from autofix.search.program import CHUNK_STEPS, Program, has_own_train_step
from autofix.surgery import architecture

layers = keras.layers
optimizers = keras.optimizers
FEW_RUNS, MANY_RUNS = 1, 10**6


def engine_for(model, x, y, weights=None, *, epochs=3, batch_size=16, planned_runs=FEW_RUNS, **arguments):
    data = TrainingData.from_arrays(x, y, weights, epochs=epochs, batch_size=batch_size, shuffle=False, **arguments)
    return ProbeEngine(model, data, planned_runs=planned_runs)


def fitted(model, x, y, weights=None, *, epochs=3, batch_size=16):
    model.fit(x, y, sample_weight=weights, epochs=epochs, batch_size=batch_size, shuffle=False, verbose=0)
    return keras.tree.flatten(model.predict(x, verbose=0))


def state_of(model):
    variables = (*model.variables, *model.optimizer.variables, *model.metrics_variables)
    return [variable.numpy() for variable in variables]


def assert_same(arrays, others, tolerance=0.0):
    for array, other in zip(arrays, others, strict=True):
        np.testing.assert_allclose(array, other, rtol=tolerance, atol=tolerance)


def regularized():
    return [layers.Dense(6, activation="tanh", kernel_regularizer=keras.regularizers.L2(0.1)), layers.Dense(1)]


def normalized():
    return [layers.Dense(6, activation="relu"), layers.BatchNormalization(), layers.Dense(1)]


@pytest.mark.parametrize(
    ("program", "is_weighted"),
    [
        ({"optimizer": lambda: optimizers.Adam(0.01)}, False),
        ({"optimizer": lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True)}, True),
        ({"optimizer": lambda: optimizers.AdamW(0.01, weight_decay=0.1, clipnorm=0.5)}, False),
        ({"optimizer": lambda: optimizers.SGD(optimizers.schedules.CosineDecay(0.1, 10))}, False),
        ({"optimizer": lambda: optimizers.LossScaleOptimizer(optimizers.Adam(0.01))}, False),
        ({"layers": regularized}, True),
        ({"layers": normalized}, False),
        ({"loss": "mae"}, True),
        ({"optimizer": lambda: optimizers.Adam(0.05, use_ema=True, ema_momentum=0.8)}, False),
        ({"optimizer": lambda: optimizers.Adam(0.05, use_ema=True, ema_overwrite_frequency=5)}, False),
        ({"optimizer": lambda: optimizers.Adam(0.05, gradient_accumulation_steps=2)}, False),
    ],
)
@pytest.mark.parametrize("planned_runs", [FEW_RUNS, MANY_RUNS])
def test_a_probe_ends_where_fit_ends(make_model, plane, program, is_weighted, planned_runs):
    program = {key: value() if key == "optimizer" else value for key, value in program.items()}
    model, (x, y) = make_model(**program), plane
    weights = np.linspace(0.0, 2.0, 64, dtype="float32") if is_weighted else None
    engine = engine_for(model, x, y, weights, planned_runs=planned_runs)
    run = engine.run(Recipe(), own_initialization=True)
    assert run.steps == 12
    assert_same(run.predictions, fitted(model, x, y, weights), 1e-4)


@pytest.mark.parametrize("planned_runs", [FEW_RUNS, MANY_RUNS])
def test_a_look_on_the_way_shows_the_shorter_training_and_changes_nothing(make_model, plane, planned_runs):
    averaged = optimizers.Adam(0.05, use_ema=True, ema_momentum=0.8)
    for optimizer in ("adam", averaged):
        model = make_model(optimizer=optimizer)
        engine = engine_for(model, *plane, planned_runs=planned_runs)
        run = engine.run(Recipe(), also_after=5)
        assert run.steps == 12
        assert_same(run.predictions, engine.run(Recipe()).predictions)
        if optimizer == "adam":
            assert_same(run.earlier, engine.run(Recipe(), steps=5).predictions)


def two_outputs():
    keras.utils.set_random_seed(0)
    x = keras.Input((2,))
    hidden = layers.Dense(6, activation="relu")(x)
    model = keras.Model(x, [layers.Dense(1, name="a")(hidden), layers.Dense(2, activation="softmax", name="b")(hidden)])
    model.compile("adam", ["mse", "sparse_categorical_crossentropy"], loss_weights=[0.1, 3.0], metrics=[["mae"], []])
    return model


def test_a_probe_of_two_outputs_with_loss_weights_ends_where_fit_ends(plane):
    model = two_outputs()
    y = [plane[1], (plane[1][:, 0] > 0).astype(int)]
    run = engine_for(model, plane[0], y).run(Recipe(), own_initialization=True)
    assert_same(run.predictions, fitted(model, plane[0], y), 1e-4)


def test_the_metrics_that_hold_the_losses_of_outputs_are_put_back(plane):
    model = two_outputs()
    y = [plane[1], (plane[1][:, 0] > 0).astype(int)]
    fitted(model, plane[0], y)
    before = state_of(model)
    engine_for(model, plane[0], y).run(Recipe())
    assert_same(before, state_of(model))


def test_a_probe_of_named_inputs_ends_where_fit_ends(plane):
    keras.utils.set_random_seed(0)
    inputs = {name: keras.Input((1,), name=name) for name in ("first", "second")}
    model = keras.Model(inputs, layers.Dense(1)(layers.concatenate([inputs["first"], inputs["second"]])))
    model.compile("adam", "mse")
    x = {"second": plane[0][:, :1], "first": plane[0][:, 1:]}
    run = engine_for(model, x, plane[1]).run(Recipe(), own_initialization=True)
    assert_same(run.predictions, fitted(model, x, plane[1]), 1e-4)


def test_a_probe_of_more_steps_than_a_chunk_ends_where_fit_ends(make_model, plane):
    model = make_model()
    x, y = plane[0][:16], plane[1][:16]
    epochs = CHUNK_STEPS // 2 + 5
    run = engine_for(model, x, y, epochs=epochs, batch_size=8, planned_runs=MANY_RUNS).run(
        Recipe(), own_initialization=True
    )
    assert run.steps == 2 * epochs > CHUNK_STEPS
    x_in_turn, y_in_turn = np.tile(x, (epochs, 1)), np.tile(y, (epochs, 1))  # one epoch of Keras' is faster than many
    model.fit(x_in_turn, y_in_turn, batch_size=8, shuffle=False, verbose=0)
    assert_same(run.predictions, [model.predict(x, verbose=0)], 1e-3)


class OwnTrainStep(keras.Model):
    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.abs(y - self(x, training=True)))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


def own_train_step():
    keras.utils.set_random_seed(0)
    x = keras.Input((2,))
    model = OwnTrainStep(x, layers.Dense(1)(layers.Dense(4, activation="relu")(x)))
    model.compile(optimizers.Adam(0.01), "mse")
    return model


def test_a_train_step_of_the_users_own_is_the_one_that_runs(plane):
    model = own_train_step()
    assert has_own_train_step(model)
    run = engine_for(model, *plane).run(Recipe(), own_initialization=True)
    assert run.mode == "keras"
    assert_same(run.predictions, fitted(model, *plane), 1e-4)


def test_a_train_step_of_the_users_own_follows_the_recipes_schedule(plane):
    model = own_train_step()
    schedule = optimizers.schedules.CosineDecay(0.01, 100)
    model.compile(optimizers.Adam(schedule), "mse")
    engine = engine_for(model, *plane)
    slow = engine.run(Recipe((SetLearningRate("lower_learning_rate", factor=0.1),)), own_initialization=True)
    assert model.optimizer._learning_rate is schedule
    model.compile(optimizers.Adam(optimizers.schedules.CosineDecay(0.001, 100)), "mse")
    assert_same(slow.predictions, fitted(model, *plane), 1e-4)


def test_a_train_step_of_the_users_own_sees_rescaled_outputs(plane):
    model = own_train_step()
    recipe = Recipe((RescaleOutputs("standardize_targets", scale=(20.0,), offset=(5.0,)),))
    engine = engine_for(model, *plane)
    keras.utils.set_random_seed(0)
    run = engine.run(recipe)
    rebuilt = architecture.build(model, recipe)
    for variable, value in zip(rebuilt.trainable_variables, engine.initial_values(recipe, 0), strict=True):
        variable.assign(value)
    assert run.mode == "keras"
    assert_same(run.predictions, fitted(rebuilt, *plane), 1e-3)


def test_a_train_step_of_the_users_own_runs_at_the_recipes_rate(plane):
    model = own_train_step()
    engine = engine_for(model, *plane)
    slow = engine.run(Recipe((SetLearningRate("lower_learning_rate", factor=0.1),)), own_initialization=True)
    model.optimizer.learning_rate = 0.001
    assert_same(slow.predictions, fitted(model, *plane), 1e-4)


@pytest.mark.parametrize(
    ("stack", "shape", "planned_runs", "mode"),
    [
        (lambda: [layers.Dense(4, activation="relu"), layers.Dense(1)], (2,), MANY_RUNS, "xla"),
        (lambda: [layers.Dense(4, activation="relu"), layers.Dense(1)], (2,), FEW_RUNS, "graph"),
        (lambda: [layers.Dense(4), layers.Dropout(0.5), layers.Dense(1)], (2,), MANY_RUNS, "graph"),
        (lambda: [layers.Conv1D(2, 2), layers.Flatten(), layers.Dense(1)], (4, 1), MANY_RUNS, "graph"),
    ],
)
def test_the_way_to_run_suits_the_network(stack, shape, planned_runs, mode, monkeypatch):
    # Speeds as on an idle machine: those of a busy one may say anything.
    speeds, try_mode = {"xla": 1e-5, "graph": 2e-4}, Program._try_mode

    def tried_at_these_speeds(program, mode, inputs, tried):
        try_mode(program, mode, inputs, tried)
        tried[mode] = (speeds[mode], tried[mode][1])

    monkeypatch.setattr(Program, "_try_mode", tried_at_these_speeds)
    model = keras.Sequential([keras.Input(shape), *stack()])
    model.compile("adam", "mse")
    x = np.random.default_rng(0).random((32, *shape))
    run = engine_for(model, x, x.reshape(32, -1)[:, :1], planned_runs=planned_runs).run(Recipe())
    assert run.mode == mode
    assert np.isfinite(run.predictions[0]).all()


@pytest.mark.parametrize("build", ["dense", "dropout", "keras"])
def test_the_users_model_is_bit_identical_after_runs(make_model, plane, build):
    stack = lambda: [layers.Dense(4), layers.BatchNormalization(), layers.Dropout(0.5), layers.Dense(1)]  # noqa: E731
    model = {"dense": make_model, "dropout": lambda: make_model(stack), "keras": own_train_step}[build]()
    model.fit(*plane, verbose=0)
    before = state_of(model)
    engine = engine_for(model, *plane)
    rate = SetLearningRate("lower_learning_rate", factor=0.1)
    engine.run(Recipe(), own_initialization=True)
    engine.run(Recipe((rate,)), seed=2)
    engine.run(Recipe((InsertHiddenLayers("add_hidden_layers", units=3, depth=1), rate)), seed=3)
    engine.initial_values(Recipe(), 4)
    assert_same(before, state_of(model))


def test_the_users_model_is_bit_identical_after_a_run_that_raised(make_model, plane):
    model = make_model()
    engine = engine_for(model, *plane)
    engine.run(Recipe())
    before = state_of(model)
    with pytest.raises((tf.errors.InvalidArgumentError, ValueError)):
        engine.run(Recipe((RescaleOutputs("standardize_targets", scale=(2.0, 3.0), offset=(0.0, 1.0)),)))
    own = own_train_step()
    own.optimizer.build(own.trainable_variables)
    own.train_step = lambda data: 1 / 0
    own_before = state_of(own)
    with pytest.raises(ZeroDivisionError):
        engine_for(own, *plane).run(Recipe())
    assert_same(before, state_of(model))
    assert_same(own_before, state_of(own))


@pytest.mark.parametrize("build", ["dense", "dropout", "keras"])
def test_the_same_seed_repeats_a_run_and_another_one_differs(make_model, plane, build):
    stack = lambda: [layers.Dense(4), layers.Dropout(0.5), layers.Dense(1)]  # noqa: E731
    model = {"dense": make_model, "dropout": lambda: make_model(stack), "keras": own_train_step}[build]()
    engine = engine_for(model, *plane)
    first = engine.run(Recipe(), seed=1).predictions[0]
    other = engine.run(Recipe(), seed=2).predictions[0]
    again = engine.run(Recipe(), seed=1).predictions[0]
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


def test_a_run_in_the_middle_of_a_training_starts_from_where_the_training_began(make_model, plane):
    from autofix.state import Snapshot

    model = make_model(optimizer=optimizers.Adam(0.01))
    model.optimizer.build(model.trainable_variables)
    data = TrainingData.from_arrays(*plane, epochs=3, batch_size=16, shuffle=False)
    expected = ProbeEngine(model, data, planned_runs=1).run(Recipe(), own_initialization=True).predictions
    initial = Snapshot(model)
    model.fit(*plane, verbose=0)
    model.optimizer.learning_rate = 1e-6  # as ReduceLROnPlateau does
    run = ProbeEngine(model, data, initial, planned_runs=1).run(Recipe(), own_initialization=True)
    assert_same(run.predictions, expected)
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-6)


def test_only_the_rows_asked_for_are_trained_on(make_model, plane):
    x, y = plane
    model = make_model()
    rows = np.arange(0, 64, 2)
    spoilt = np.where(np.isin(np.arange(64), rows)[:, None], y, 1000.0).astype("float32")
    clean = engine_for(model, x, y).run(Recipe(), rows, own_initialization=True).predictions
    assert_same(engine_for(model, x, spoilt).run(Recipe(), rows, own_initialization=True).predictions, clean)
    assert len(clean[0]) == 64


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe((SetLearningRate("lower_learning_rate", factor=0.1),)),
        Recipe((NormalizeInputs("standardize_inputs", mean=((0.5, -2.0),), variance=((4.0, 0.25),)),)),
        Recipe((RescaleOutputs("standardize_targets", scale=(7.0,), offset=(-3.0,), learning_rate_factor=0.02),)),
        Recipe((RescaleOutputs("standardize_targets", scale=(7.0,), offset=(-3.0,), epsilon_factor=1e6),)),
        Recipe((SetFitArgument("resize_batches", name="batch_size", value=8),)),
        Recipe(
            (
                NormalizeInputs("standardize_inputs", mean=((0.5, -2.0),), variance=((4.0, 0.25),)),
                InsertHiddenLayers("add_hidden_layers", units=5, depth=2, activation="tanh"),
                SetLearningRate("lower_learning_rate", factor=3.0),
                RescaleOutputs("standardize_targets", scale=(7.0,), offset=(-3.0,)),
            )
        ),
    ],
)
@pytest.mark.parametrize("optimizer", [lambda: optimizers.SGD(0.05), lambda: optimizers.Adam(0.01)])
def test_the_repaired_model_trained_by_fit_ends_where_its_probe_ends(make_model, plane, recipe, optimizer):
    model = make_model(optimizer=optimizer())
    engine = engine_for(model, *plane)
    batch_size = recipe.fit_arguments.get("batch_size", 16)
    run = engine.run(recipe, seed=5, steps=3 * 64 // batch_size)
    repaired = architecture.build(model, recipe)
    for variable, value in zip(repaired.trainable_variables, engine.initial_values(recipe, 5), strict=True):
        variable.assign(value)
    assert_same(run.predictions, fitted(repaired, *plane, batch_size=batch_size), 1e-3)


KERNEL = LayerChange("hidden", "Dense", "kernel_initializer", "he_normal", "zeros")
BIAS = LayerChange("hidden", "Dense", "bias_initializer", "ones", "zeros")
ACTIVATION = LayerChange("hidden", "Dense", "activation", "elu", "relu")


def beginning_at_zeros():
    return [layers.Dense(6, activation="relu", kernel_initializer="zeros", name="hidden"), layers.Dense(1)]


@pytest.mark.parametrize("changes", [(KERNEL,), (KERNEL, BIAS), (ACTIVATION, KERNEL, BIAS)])
@pytest.mark.parametrize("planned_runs", [FEW_RUNS, MANY_RUNS])
def test_other_initial_weights_train_as_those_of_a_network_that_draws_them(make_model, plane, changes, planned_runs):
    model, recipe = make_model(beginning_at_zeros), Recipe((ChangeLayers("reinitialize", changes),))
    engine = engine_for(model, *plane, planned_runs=planned_runs)
    before = state_of(model)
    run = engine.run(recipe, seed=5)
    assert_same(state_of(model), before)
    repaired = architecture.build(model, recipe)
    for variable, value in zip(repaired.trainable_variables, engine.initial_values(recipe, 5), strict=True):
        variable.assign(value)
    assert np.ptp(repaired.layers[0].kernel.numpy()) > 0.1
    assert repaired.layers[0].bias.numpy().tolist() == [float(BIAS in changes)] * 6
    assert_same(run.predictions, fitted(repaired, *plane), 1e-3)


def test_networks_that_differ_in_their_initial_weights_share_what_is_compiled(make_model, plane, monkeypatch):
    compiled, choose_mode = [], Program.choose_mode
    monkeypatch.setattr(Program, "choose_mode", lambda *args: (compiled.append(args), choose_mode(*args)))
    engine = engine_for(make_model(beginning_at_zeros), *plane)
    recipes = [Recipe(), *(Recipe((ChangeLayers("s", changes),)) for changes in ((KERNEL,), (BIAS,), (KERNEL, BIAS)))]
    ends = [engine.run(recipe).predictions[0] for recipe in recipes]
    assert len(compiled) == 1
    assert len({end.tobytes() for end in ends}) == len(recipes)
    assert_same([engine.run(Recipe()).predictions[0]], ends[:1])
    engine.run(Recipe((ChangeLayers("s", (ACTIVATION, KERNEL)),)))
    engine.run(Recipe((ChangeLayers("s", (ACTIVATION, BIAS)),)))
    assert len(compiled) == 2


def test_a_recipe_shuffles_where_the_user_does_not(make_model, plane):
    engine = engine_for(make_model(), *plane)
    shuffle = SetFitArgument("reshuffle", name="shuffle", value=True, was=False)
    plain = engine.run(Recipe(), own_initialization=True).predictions[0]
    assert np.abs(engine.run(Recipe((shuffle,)), own_initialization=True).predictions[0] - plain).max() > 1e-5


def test_the_shapes_of_outputs_are_known_without_training(make_model, plane):
    assert engine_for(make_model(lambda: [layers.Dense(3)]), *plane).output_shapes == [(3,)]


def test_a_probe_with_a_partial_batch_is_as_noisy_as_the_training_it_stands_for(make_model):
    # 66 rows in batches of 32: every third step is taken on two rows alone.
    rng = np.random.default_rng(0)
    x = rng.normal(size=(66, 2)).astype(np.float32)
    y = rng.normal(size=(66, 1)).astype(np.float32)
    model = make_model(lambda: [layers.Dense(1)], optimizer=keras.optimizers.SGD(0.05))
    probe = engine_for(model, x, y, epochs=1, batch_size=32).run(Recipe(), own_initialization=True)
    twin = make_model(lambda: [layers.Dense(1)], optimizer=keras.optimizers.SGD(0.05))
    twin.fit(x, y, batch_size=32, epochs=1, shuffle=False, verbose=0)
    np.testing.assert_allclose(probe.predictions[0], twin.predict(x, verbose=0), atol=1e-5)


# Models with parts of the user's own


class ReadsValues(keras.Model):
    """Cannot be traced."""

    def __init__(self):
        super().__init__()
        self.body = layers.Dense(4, activation="tanh")
        self.head = layers.Dense(1)

    def call(self, inputs):
        body = self.body(inputs)
        return self.head(body if float(keras.ops.max(body)) < 1e9 else 0.0 * body)


@pytest.mark.parametrize("planned_runs", [FEW_RUNS, MANY_RUNS])
def test_a_model_that_cannot_be_traced_is_probed_eagerly(plane, planned_runs):
    keras.utils.set_random_seed(0)
    model = ReadsValues()
    model.compile(optimizers.Adam(0.01), "mse", run_eagerly=True)
    model(plane[0])
    run = engine_for(model, *plane, planned_runs=planned_runs).run(Recipe(), own_initialization=True)
    assert run.mode == "eager"
    assert_same(run.predictions, fitted(model, *plane), 1e-4)


def test_a_model_that_cannot_be_traced_though_it_does_not_say_so_is_probed_eagerly(plane):
    model = ReadsValues()
    model.compile(optimizers.Adam(0.01), "mse")
    model(plane[0])
    run = engine_for(model, *plane).run(Recipe(), own_initialization=True)
    assert run.mode == "eager"
    assert np.isfinite(run.predictions[0]).all()


class OwnLoss(keras.Model):
    """As written for Keras 3.0, without `training`; with a metric, and a penalty that a layer adds."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.seen = keras.metrics.Mean(name="seen")

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
        targets = x if y is None else y
        loss = keras.ops.mean(keras.ops.square(targets - y_pred)) + sum(self.losses)
        self.seen.update_state(loss)
        return loss


@pytest.mark.parametrize("planned_runs", [FEW_RUNS, MANY_RUNS])
@pytest.mark.parametrize("has_targets", [True, False])
def test_a_loss_of_the_class_counts_with_what_layers_add_and_with_or_without_targets(plane, has_targets, planned_runs):
    keras.utils.set_random_seed(0)
    x, y = plane
    inputs = keras.Input((2,))
    body = layers.Dense(4, activation="relu", activity_regularizer=keras.regularizers.L2(0.3))(inputs)
    model = OwnLoss(inputs, layers.Dense(1 if has_targets else 2)(body))
    model.compile(optimizers.Adam(0.01))
    data = TrainingData.from_arrays(x, y if has_targets else x, epochs=3, batch_size=16, shuffle=False)
    data = dataclasses.replace(data, trains_on_targets=has_targets)
    run = ProbeEngine(model, data, planned_runs=planned_runs).run(Recipe(), own_initialization=True)
    assert_same(run.predictions, fitted(model, x, y if has_targets else None), 1e-4)
    seen = state_of(model)
    ProbeEngine(model, data).run(Recipe())
    assert_same(seen, state_of(model))


class TakesInputsAlone(keras.Model):
    def train_step(self, data):
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        assert y is None
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(x - self(x, training=True)))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


def test_a_train_step_of_the_users_own_gets_no_targets_where_fit_got_none(plane):
    inputs = keras.Input((2,))
    model = TakesInputsAlone(inputs, layers.Dense(2)(layers.Dense(4)(inputs)))
    model.compile(optimizers.Adam(0.01))
    data = TrainingData.from_arrays(plane[0], plane[0], epochs=3, batch_size=16, shuffle=False)
    engine = ProbeEngine(model, dataclasses.replace(data, trains_on_targets=False))
    run = engine.run(Recipe(), own_initialization=True)
    assert_same(run.predictions, fitted(model, plane[0], None), 1e-4)


def test_steps_that_a_mask_leaves_out_do_not_count():
    keras.utils.set_random_seed(0)
    words = np.random.default_rng(0).integers(0, 5, size=(64, 4))
    y = np.where(words > 0, words / 5.0, 1e3).astype("float32")[..., None]
    stack = [layers.Embedding(5, 3, mask_zero=True), layers.Dense(4, activation="relu"), layers.Dense(1)]
    model = keras.Sequential([keras.Input((4,), dtype="int32"), *stack])
    model.compile(optimizers.Adam(0.01), "mse")
    run = engine_for(model, words, y).run(Recipe(), own_initialization=True)
    assert_same(run.predictions, fitted(model, words, y), 1e-4)


def test_outputs_in_half_precision_stay_so_while_the_probe_scales_them(plane):
    keras.utils.set_random_seed(0)
    stack = [layers.Dense(4, dtype="mixed_float16"), layers.Dense(1, dtype="mixed_float16")]
    model = keras.Sequential([keras.Input((2,)), *stack])
    model.compile(optimizers.LossScaleOptimizer(optimizers.Adam(0.01)), "mse")
    run = engine_for(model, *plane).run(Recipe(), own_initialization=True)
    assert_same(run.predictions, fitted(model, *plane), 5e-3)


# Distribution strategies


def test_a_model_under_a_distribution_strategy_is_probed_outside_of_it(plane):
    keras.utils.set_random_seed(0)
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = keras.Sequential([keras.Input((2,)), layers.Dense(4, activation="relu"), layers.Dense(1)])
        model.compile(optimizers.Adam(0.01), "mse")
    engine = engine_for(model, *plane)
    before = [variable.numpy() for variable in model.variables]
    run = engine.run(Recipe(), own_initialization=True)
    assert_same(before, [variable.numpy() for variable in model.variables])
    assert_same(run.predictions, fitted(model, *plane), 1e-4)


def test_a_subclassed_model_under_a_distribution_strategy_is_refused(plane):
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = ReadsValues()
        model.compile(optimizers.Adam(0.01), "mse", run_eagerly=True)
        model(plane[0])
    with pytest.raises(ModelError, match="distribution strategy"):
        engine_for(model, *plane)


def test_class_weights_of_a_recipe_train_as_those_of_fit_do():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 3)).astype("float32")
    y = (x[:, 0] > 0.8).astype("float32")
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, activation="sigmoid")])
    model.compile(optimizers.SGD(0.1), "binary_crossentropy")
    weights = SetFitArgument("balance_classes", name="class_weight", value=((0, 0.5), (1, 4.0)))
    engine = engine_for(model, x, y)
    probed = engine.run(Recipe((weights,)), own_initialization=True).predictions
    unweighted = engine.run(Recipe(), own_initialization=True).predictions
    model.fit(x, y, class_weight={0: 0.5, 1: 4.0}, epochs=3, batch_size=16, shuffle=False, verbose=0)
    assert_same(probed, [model.predict(x, verbose=0)], 1e-4)
    assert np.abs(probed[0] - unweighted[0]).max() > 0.01


def test_a_network_that_is_frozen_throughout_is_probed_as_it_is():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.trainable = False
    model.compile("adam", "mse")
    x = np.ones((64, 3), "float32")
    run = engine_for(model, x, x[:, 0]).run(Recipe(), own_initialization=True)
    assert_same(run.predictions, [model.predict(x, verbose=0)], 1e-6)


def test_a_rate_of_0_is_replaced():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 3)).astype("float32")
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.compile(optimizers.SGD(0.0), "mse")
    engine = engine_for(model, x, x[:, 0])
    still = engine.run(Recipe(), own_initialization=True).predictions
    assert_same(still, [model.predict(x, verbose=0)], 1e-6)
    moved = engine.run(Recipe((SetLearningRate("lower_learning_rate", factor=0.1, was=0.0),)), own_initialization=True)
    model.optimizer.learning_rate = 0.1
    assert_same(moved.predictions, fitted(model, x, x[:, 0]), 1e-4)


def test_clipped_gradients_train_as_those_of_fit_do():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 3)).astype("float32")
    y = 100 * x[:, 0]
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.compile(optimizers.SGD(0.1), "mse")
    clipped = engine_for(model, x, y).run(Recipe((ClipGradients("s", 0.5),)), own_initialization=True).predictions
    model.compile(optimizers.SGD(0.1, global_clipnorm=0.5), "mse")
    assert_same(clipped, fitted(model, x, y), 1e-4)


def test_other_targets_are_trained_on_when_they_are_given():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 3)).astype("float32")
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.compile(optimizers.SGD(0.1), "mse")
    engine = engine_for(model, x, x[:, 0])
    others = engine.run(Recipe(), own_initialization=True, targets=[5.0 * np.ones(64)]).predictions
    assert_same(others, fitted(model, x, 5.0 * np.ones(64)), 1e-4)
