import os
import random

import keras
import numpy as np
import pytest

import autofix
from autofix.benchmarks.published import PROGRAMS
from autofix.data.array_stream import streamed
from autofix.feeding import build_optimizer
from autofix.recipe import Recipe
from autofix.remedies import (
    ChangeLayers,
    ClipGradients,
    CodeColumn,
    EncodeCategories,
    HeadChange,
    InsertHiddenLayers,
    LayerChange,
    NormalizeInputs,
    NormalizeLayers,
    ReplaceHeads,
    RescaleOutputs,
    SetFitArgument,
    SetLearningRate,
)
from autofix.report import Report
from autofix.report.records import RunRecord, Script
from autofix.state import Snapshot
from autofix.surgery.adopt import Adoption
from autofix.surgery.initialization import fresh_values
from autofix.surgery.script import written

EQUAL = 1e-5
"""How near predictions have to come, relative to their size."""

ARGUMENTS = {
    "x": None, "y": None, "batch_size": None, "epochs": 3, "verbose": 0, "callbacks": None, "validation_split": 0.0,
    "validation_data": None, "shuffle": True, "class_weight": None, "sample_weight": None, "initial_epoch": 0,
    "steps_per_epoch": None, "validation_steps": None, "validation_batch_size": None, "validation_freq": 1,
}  # fmt: skip
"""All arguments of `fit`, by name."""

RATE = SetLearningRate("lower_learning_rate", factor=10.0, was=0.001)
SCALED = NormalizeInputs("standardize_inputs", mean=((0.1, -0.2),), variance=((0.3, 0.4),))
HIDDEN = InsertHiddenLayers("add_hidden_layers", units=5, depth=2, activation="tanh")
TARGETS = RescaleOutputs("standardize_targets", scale=(3.0,), offset=(0.5,), learning_rate_factor=0.5)
BATCHES = SetFitArgument("resize_batches", name="batch_size", value=7, was=32)
ORDERED = SetFitArgument("reshuffle", name="shuffle", value=False, was=True)
LONGER = SetFitArgument("train_longer", name="epochs", value=5, was=3)
WEIGHED = SetFitArgument("balance_classes", name="class_weight", value=((0, 0.5), (1, 2.0)))
CLIPPED = ClipGradients("clip_gradients", global_clipnorm=0.1)
NORMED = NormalizeLayers("normalize_layers", layer="BatchNormalization", after=("first",))
CODES = EncodeCategories("encode_categories", columns=((CodeColumn(1, -1, 3),),))
ACTIVE = ChangeLayers(
    "replace_activations",
    (
        LayerChange("first", "Dense", "activation", "elu", "relu"),
        LayerChange("first", "Dense", "kernel_initializer", "he_normal", "glorot_uniform"),
    ),
)
HEAD = ReplaceHeads(
    "repair_output_head", (HeadChange("last", 2, "softmax", "categorical_crossentropy", (1, "linear", "mse")),)
)


def dense(**compiled) -> keras.Model:
    first = keras.layers.Dense(6, activation="relu", name="first")
    model = keras.Sequential([keras.Input((2,)), first, keras.layers.Dense(1, name="last")])
    model.compile(**{"optimizer": "adam", "loss": "mse", **compiled})
    return model


def branched() -> keras.Model:
    """Two inputs, a layer that is called twice, a recurrent one, dropout, and two outputs."""
    series, numbers = keras.Input((4, 2), name="series"), keras.Input((2,), name="numbers")
    shared = keras.layers.Dense(4, activation="tanh")
    joined = keras.layers.Concatenate()([shared(keras.layers.LSTM(3)(series)), shared(keras.layers.Dense(3)(numbers))])
    joined = keras.layers.Dropout(0.3)(keras.layers.BatchNormalization()(joined))
    outputs = [keras.layers.Dense(1, name="price")(joined), keras.layers.Dense(1, name="kind")(joined)]
    model = keras.Model([series, numbers], outputs)
    losses = {"price": keras.losses.Huber(0.7), "kind": keras.losses.BinaryCrossentropy(from_logits=True)}
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, 5, 0.9)
    model.compile(
        optimizer=keras.optimizers.SGD(rate, momentum=0.9), loss=losses, loss_weights={"price": 2.0, "kind": 1.0}
    )
    return model


def run(folder, code: str) -> dict:
    """Runs a program in a folder and returns its variables."""
    variables: dict = {}
    here = os.getcwd()
    try:
        os.chdir(folder)
        exec(compile(code, "script.py", "exec"), variables)
    finally:
        os.chdir(here)
    return variables


def adopted(model: keras.Model, recipe: Recipe, seed: int = 3, order_seed: int = 11, **changed) -> Script:
    """Repairs and trains a model as `autofix.fit` does after a search, and returns the program of it."""
    build_optimizer(model)
    given = {**ARGUMENTS, **changed}
    initial = Snapshot(model)
    rebuilt = recipe.apply(model) if recipe.needs_surgery else model
    values = {id(variable): value for variable, value in fresh_values(rebuilt, seed)}
    Adoption(model, recipe, initial).apply(
        [np.asarray(values.get(id(v), v.value)) for v in rebuilt.trainable_variables]
    )
    used = streamed({**given, **recipe.fit_arguments}, order_seed)
    script = written(model, recipe, given, used, seed, order_seed)
    model.fit(**used)
    return script


@pytest.fixture
def rows(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(45, 2)).round()
    x[:, 0] += rng.normal(size=45)
    y = (x[:, :1] - x[:, 1:] > 0.0).astype(float)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    return x, y


def assert_same(one, other):
    for a, b in zip(keras.tree.flatten(one), keras.tree.flatten(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=EQUAL, atol=EQUAL * np.abs(a).max())


def check(model, script, rows, tmp_path):
    assert script.reason == ""
    assert "autofix." not in script.code.replace("autofix.fit", "")
    assert max(map(len, script.code.splitlines())) <= 120
    before = model.predict(rows[0], verbose=0)
    assert np.std(before) > 0.0
    print(script.code)
    rebuilt = run(tmp_path, script.code)["model"]
    assert_same(before, rebuilt.predict(rows[0], verbose=0))
    assert (tmp_path / "repaired.keras").exists()


SOME = {
    "everything": (RATE, SCALED, HIDDEN, TARGETS, BATCHES),
    "activations, in order, clipped": (ACTIVE, ORDERED, CLIPPED, NORMED),
}

EACH = {
    "rate": (RATE,),
    "scaled inputs": (SCALED,),
    "hidden layers": (HIDDEN,),
    "scaled targets": (TARGETS,),
    "batches": (BATCHES,),
    "order": (ORDERED,),
    "epochs": (LONGER,),
    "weighed": (WEIGHED,),
    "normed": (NORMED,),
    "codes": (CODES, HIDDEN),
}


@pytest.mark.parametrize("name", SOME)
def test_the_program_trains_the_same_network(name, rows, tmp_path):
    model = dense()
    check(model, adopted(model, Recipe(SOME[name]), x=rows[0], y=rows[1]), rows, tmp_path)


@pytest.mark.sweep
@pytest.mark.parametrize("name", EACH)
def test_the_program_has_the_remedy(name, rows, tmp_path):
    model = dense()
    check(model, adopted(model, Recipe(EACH[name]), x=rows[0], y=rows[1]), rows, tmp_path)


@pytest.mark.sweep
def test_the_program_has_the_new_head_and_its_loss(rows, tmp_path):
    x, y = rows[0], np.concatenate([rows[1], 1.0 - rows[1]], axis=1)
    np.save(tmp_path / "y.npy", y)
    model = dense()
    script = adopted(model, Recipe((HEAD, RATE)), x=x, y=y)
    assert 'loss="categorical_crossentropy"' in script.code
    check(model, script, (x, y), tmp_path)


def test_the_program_has_branches_schedules_dropout_and_what_fit_was_given(tmp_path):
    rng = np.random.default_rng(0)
    x = {"series": rng.normal(size=(40, 4, 2)), "numbers": rng.normal(size=(40, 2))}
    y = [rng.normal(size=40), rng.integers(0, 2, 40)]
    weights = [rng.uniform(size=40), rng.uniform(size=40)]
    for name, array in x.items():
        np.save(tmp_path / f"x_{name}.npy", array)
    for index, (target, weight) in enumerate(zip(y, weights, strict=True)):
        np.save(tmp_path / f"y_{index}.npy", target)
        np.save(tmp_path / f"sample_weight_{index}.npy", weight)
    model = branched()
    model.get_layer("price").bias.assign([0.25])  # as an earlier training would have left it
    recipe = Recipe((SetLearningRate("lower_learning_rate", factor=0.5, was="ExponentialDecay"),))
    script = adopted(model, recipe, x=x, y=y, sample_weight=weights, validation_split=0.2, batch_size=8)
    print(script.code)
    assert "JSON" not in script.code
    assert "0.25" in script.code
    before = model.predict(x, verbose=0)
    assert_same(before, run(tmp_path, script.code)["model"].predict(x, verbose=0))


def test_validation_rows_and_callbacks_have_their_place(rows):
    stop = keras.callbacks.EarlyStopping(patience=9)
    script = adopted(dense(), Recipe((RATE,)), x=rows[0], y=rows[1], validation_data=rows, callbacks=[stop], epochs=1)
    assert 'x_val = np.load("x_val.npy")' in script.code
    assert "validation_data=(x_val, y_val)" in script.code
    assert "# Add your callbacks to the call of fit: EarlyStopping." in script.code


@keras.saving.register_keras_serializable(package="tests")
class OwnLayer(keras.layers.Dense):
    pass


def own_loss(y, predictions):
    return keras.ops.mean((y - predictions) ** 2, axis=-1)


def of(layer, **compiled) -> keras.Model:
    model = keras.Sequential([keras.Input((2,)), layer, keras.layers.Dense(1)])
    model.compile(**{"optimizer": "adam", "loss": "mse", **compiled})
    return model


NOT_WRITTEN = {
    "layer 'mine' cannot be written: the class OwnLayer": lambda: of(OwnLayer(3, name="mine")),
    "layer 'double' holds a function": lambda: of(keras.layers.Lambda(lambda x: 2 * x, name="double")),
    "own_loss is a function": lambda: of(keras.layers.Dense(3), loss=own_loss),
}


@pytest.mark.parametrize("reason", NOT_WRITTEN)
def test_what_is_of_the_users_own_making_is_named(reason):
    script = written(NOT_WRITTEN[reason](), Recipe(), ARGUMENTS, ARGUMENTS, 0, 0)
    assert script.code == ""
    assert reason in script.reason
    with pytest.raises(autofix.ScriptError, match=r"There is no program\. Expected .* Received: verdict='repaired'"):
        Report(RunRecord("repaired", script=script)).to_script()


def test_weights_of_an_earlier_training_are_not_written_down():
    model = of(keras.layers.Dense(3000))
    model.layers[0].bias.assign(np.arange(3000.0))
    x = np.zeros((8, 2))
    assert "9,000 weights from before" in adopted(model, Recipe(), x=x, y=x[:, :1], epochs=1).reason


def test_writing_leaves_names_and_random_generators_alone(rows):
    model = of(keras.layers.Dropout(0.5))
    keras.utils.set_random_seed(0)
    expected = keras.layers.Dropout(0.5).name, keras.random.normal((3,)), random.random()
    model = of(keras.layers.Dropout(0.5))
    keras.utils.set_random_seed(0)
    number = int(expected[0].rpartition("_")[2])
    given = {**ARGUMENTS, "x": rows[0], "y": rows[1]}
    assert written(model, Recipe(), given, streamed(given, 0), 0, 0).code
    name, drawn, uniform = keras.layers.Dropout(0.5).name, keras.random.normal((3,)), random.random()
    assert name == f"dropout_{number + 2}"
    assert uniform == expected[2]
    np.testing.assert_array_equal(drawn, expected[1])


def test_without_a_repair_there_is_no_program():
    with pytest.raises(autofix.ScriptError, match="nothing was repaired"):
        Report(RunRecord("healthy")).to_script()


def test_a_report_takes_its_program_through_json():
    report = Report(RunRecord("repaired", script=Script("import keras\n")))
    assert Report.from_json(report.to_json()).to_script() == "import keras\n"
    assert Report.from_json(report.to_json()) == report


def test_fit_leaves_a_program_that_gives_the_repaired_model(tmp_path):
    program = PROGRAMS[1]
    keras.utils.set_random_seed(0)
    x, y = program.make_data(100, np.random.default_rng(0))
    model = program.build()
    report = autofix.fit(model, x, y, epochs=40, verbose=0, seed=5).report
    assert report.verdict == "repaired"
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    rebuilt = run(tmp_path, report.to_script())["model"]
    assert_same(model.predict(x, verbose=0), rebuilt.predict(x, verbose=0))
