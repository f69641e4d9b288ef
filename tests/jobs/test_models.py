"""Models of jobs: loaded in safe mode or made by a function, compiled from configs that reach no other code."""

import inspect
import json
import zipfile

import keras
import numpy as np
import pytest

import autofix
from autofix.errors import ArgumentError, CodeError, ModelError
from autofix.jobs import data, keras_checks, models
from autofix.jobs.complaints import ELSEWHERE
from autofix.jobs.reading import read
from autofix.jobs.schema import Autofix, Compile, Fit, Job


def job(folder, **settings):
    return Job.model_validate({"name": "j", "folder": str(folder), "model": "m.keras", "data": "a.npz", **settings})


def network(units=3, activation="softmax", n_features=2):
    return keras.Sequential([keras.Input((n_features,)), keras.layers.Dense(units, activation)])


@pytest.fixture
def folder(tmp_path):
    """A model of 2 inputs and 3 classes, and rows of text labels."""
    network().save(tmp_path / "m.keras")
    random = np.random.default_rng(0)
    np.savez(tmp_path / "a.npz", x=random.normal(size=(30, 2)), y=np.array(list("abc") * 10))
    return tmp_path


@pytest.mark.parametrize(
    ("family", "config", "class_name", "facts"),
    [
        ("optimizer", "adam", "Adam", {}),
        ("optimizer", {"name": "sgd", "learning_rate": 0.5, "momentum": 0.9}, "SGD", {"momentum": 0.9}),
        ("optimizer", {"class_name": "Adam", "config": {"learning_rate": 0.5}}, "Adam", {}),
        ("optimizer", keras.optimizers.serialize(keras.optimizers.Nadam(0.1)), "Nadam", {}),
        ("loss", {"name": "binary_crossentropy", "from_logits": True}, "BinaryCrossentropy", {"from_logits": True}),
        ("loss", {"class_name": "Huber", "config": {"delta": 2.0}}, "Huber", {}),
        ("metric", {"name": "TopKCategoricalAccuracy", "k": 2}, "TopKCategoricalAccuracy", {}),
        ("callback", {"name": "EarlyStopping", "patience": 3}, "EarlyStopping", {"patience": 3}),
    ],
)
def test_a_config_gives_the_object_of_keras(family, config, class_name, facts):
    built = models.built(family, config)
    assert type(built).__name__ == class_name
    assert {name: getattr(built, name) for name in facts} == facts


def test_a_learning_rate_may_be_a_schedule():
    rate = {"name": "ExponentialDecay", "initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5}
    built = models.built("optimizer", {"name": "adam", "learning_rate": rate})
    assert built.get_config()["learning_rate"]["class_name"] == "ExponentialDecay"


OTHER_CODE = {"module": "os", "class_name": "system", "config": {}}


@pytest.mark.parametrize(
    ("family", "config", "said"),
    [
        ("optimizer", "adm", "Did you mean 'adam'?"),
        ("optimizer", {"name": "adam", "learning_rte": 1}, "learning_rte"),
        ("optimizer", {"learning_rate": 1}, "a mapping with `name`"),
        ("optimizer", "LossScaleOptimizer", "no such optimizer"),
        ("loss", "mean_squared_eror", "Did you mean 'mean_squared_error'?"),
        ("loss", "zzz", "Expected one of: BinaryCrossentropy"),
        ("metric", "acuracy", "Did you mean 'accuracy'?"),
        ("callback", {"name": "ModelCheckpoint", "filepath": "/etc/x"}, "no such callback"),
        ("callback", {"name": "LambdaCallback"}, "no such callback"),
        (
            "loss",
            {"class_name": "Huber", "config": {"dtype": {"module": "os", "class_name": "system"}}},
            "another object",
        ),
        (
            "optimizer",
            {"name": "adam", "learning_rate": {"module": "os", "class_name": "system", "config": {}}},
            "no such",
        ),
        ("optimizer", {"module": "os", "class_name": "system", "config": "ls"}, "Received"),
        ("optimizer", {"module": "os", "class_name": "system", "config": {}}, "no such optimizer"),
    ],
)
def test_what_is_no_config_of_keras_is_refused_with_a_way_out(family, config, said):
    with pytest.raises(ArgumentError, match=r"Expected .* Received: ") as caught:
        models.built(family, config)
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["mse", "mae", "mean_squared_error", "MeanSquaredError", "crossentropy", "kld"])
def test_every_name_that_keras_reads_is_taken(name):
    model = network(1, "linear")
    model.compile(loss=models.built("loss", name), optimizer=models.built("optimizer", "SGD"))
    assert model.compiled


def test_a_model_is_loaded_compiled_and_fitted_with_the_arguments_of_the_job(folder):
    settings = {
        "compile": {
            "optimizer": {"name": "adam", "learning_rate": 0.1},
            "loss": "categorical_crossentropy",
            "metrics": ["accuracy"],
        },
        "data": {"train": "a.npz", "validation": 0.2},
        "fit": {"epochs": 2, "class_weight": {"a": 1, "c": 3}, "callbacks": [{"name": "TerminateOnNaN"}]},
        "autofix": {"strategies": ["reshuffle"], "max_trials": 3},
    }
    one = job(folder, **settings)
    rows = data.load(one)
    model = models.load(one, rows)
    arguments = models.fit_arguments(one, rows, model)
    assert arguments["y"].shape == (24, 3)  # one-hot, as the loss takes it
    assert arguments["validation_data"][1].shape == (6, 3)
    assert arguments["class_weight"] == {0: 1.0, 2: 3.0}
    assert (arguments["epochs"], arguments["strategies"], arguments["max_trials"]) == (2, ["reshuffle"], 3)
    ours = {"strategies", "order", "max_trials", "budget_s", "accept", "seed", "on_nonfinite"}
    history = model.fit(**{key: value for key, value in arguments.items() if key not in ours}, verbose=0)
    assert len(history.history["val_accuracy"]) == 2


def test_sparse_losses_get_the_classes_as_numbers(folder):
    one = job(folder, compile={"loss": "sparse_categorical_crossentropy"})
    rows = data.load(one)
    assert models.fit_arguments(one, rows, models.load(one, rows))["y"].tolist()[:4] == [0, 1, 2, 0]


def test_a_weight_for_no_class_is_told(folder):
    one = job(folder, compile={"loss": "sparse_categorical_crossentropy"}, fit={"class_weight": {"A": 1}})
    rows = data.load(one)
    with pytest.raises(ArgumentError, match="A weight is for no class"):
        models.fit_arguments(one, rows, models.load(one, rows))


CODE = """
import keras

def build(n_features, n_outputs, units=4, rate=None):
    model = keras.Sequential([keras.Input((n_features,)), keras.layers.Dense(units), keras.layers.Dense(n_outputs)])
    if rate is not None:
        model.compile(loss="mse", optimizer=keras.optimizers.SGD(rate))
    return model

def nothing():
    return None
"""


def test_a_function_makes_the_model_where_code_is_allowed(folder):
    (folder / "models_of_a_test.py").write_text(CODE)
    named = {"function": "models_of_a_test.py:build", "arguments": {"units": 7, "rate": 0.5}}
    one = job(folder, model=named, seed=3)
    rows = data.load(one)
    with pytest.raises(CodeError, match="--allow-code"):
        models.load(one, rows)
    model = models.load(one, rows, allow_code=True)
    assert [layer.units for layer in model.layers] == [7, 3]
    again = models.load(one, rows, allow_code=True)
    np.testing.assert_array_equal(model.get_weights()[0], again.get_weights()[0])


def test_what_is_no_compiled_model_is_told(folder):
    (folder / "models_of_a_test.py").write_text(CODE)
    rows = data.load(job(folder))
    with pytest.raises(ModelError, match=r"returned no model.*NoneType"):
        models.load(job(folder, model="models_of_a_test.py:nothing"), rows, allow_code=True)
    with pytest.raises(ModelError, match=r"not compiled.*Write compile:"):
        models.load(job(folder, model="models_of_a_test.py:build"), rows, allow_code=True)
    with pytest.raises(ModelError, match="not compiled"):
        models.load(job(folder), rows)


SAVED_MODEL = {"filepath": "/nowhere", "call_endpoint": "serve"}


@pytest.mark.parametrize(
    "where",
    [
        {"module": "os"},
        {"module": "keras.layers", "class_name": "TFSMLayer", "config": SAVED_MODEL},
        {"module": "keras.config", "class_name": "enable_unsafe_deserialization"},
    ],
)
def test_a_model_file_runs_no_code(where, tmp_path):
    """Neither a lambda, nor what the file names of other modules, nor a SavedModel."""
    lambdas = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x + 1)])
    lambdas.save(tmp_path / "lambda.keras")
    network().save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as source, zipfile.ZipFile(tmp_path / "evil.keras", "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "config.json":
                config = json.loads(content)
                config["config"]["layers"][1] = {"class_name": "getcwd", "config": {}, "registered_name": None, **where}
                content = json.dumps(config).encode()
            target.writestr(name, content)
    (tmp_path / "broken.keras").write_bytes(b"PK")
    for name in ("lambda", "evil", "broken", "absent"):
        with pytest.raises(ModelError, match="The model cannot be loaded"):
            models.load_keras_file(tmp_path / f"{name}.keras")


def test_a_model_file_is_not_loaded_by_a_keras_whose_safe_mode_can_be_got_round(folder, monkeypatch):
    monkeypatch.setattr(keras, "__version__", "3.13.1")
    with pytest.raises(CodeError, match=r"Expected Keras 3\.13\.2 or later\. Received: 3\.13\.1"):
        models.load_keras_file(folder / "m.keras")
    assert models.load_keras_file(folder / "m.keras", allow_code=True).built
    monkeypatch.setattr(keras, "__version__", "3.14.0.dev2026")
    assert models.load_keras_file(folder / "m.keras").built


def test_keras_tells_of_all_jobs_at_once_what_it_does_not_take(folder, job_file):
    (folder / "t.csv").write_text("a,b,c,t\n1,2,3,4\n")
    text = """\
version: 1
defaults:
  data: a.npz
jobs:
  names: {model: m.keras, compile: {optimizer: {name: adam, rate: 1}, loss: ms, metrics: [acuracy]}}
  bare: {model: m.keras}
  callbacks: {model: m.keras, compile: {loss: mse}, fit: {callbacks: [{name: EarlyStopping}, {name: Nope}]}}
  inputs: {model: m.keras, compile: {loss: mse}, data: {train: t.csv, target: t}}
  right: {model: m.keras, compile: {loss: mse}, data: {train: t.csv, target: t, features: [a, b]}}
"""
    found = [str(one).removeprefix(f"{folder}/") for one in keras_checks.check(read(job_file(text)))]
    assert [line.split(": ")[1] for line in found] == [
        "jobs.names.compile.optimizer",
        "jobs.names.compile.loss",
        "jobs.names.compile.metrics",
        "jobs.bare",
        "jobs.callbacks.fit.callbacks.1",
        "jobs.inputs.data",
    ]
    assert "These are 3 inputs, and m.keras takes 2" in found[-1]


def parameters(function, leave_out=("self", "model")):
    """Names and defaults of the arguments of a function."""
    found = inspect.signature(function).parameters.values()
    return {one.name: one.default for one in found if one.name not in leave_out}


def test_every_argument_of_keras_has_its_key_or_a_word_on_where_it_is():
    for function, section in ((keras.Model.fit, Fit), (keras.Model.compile, Compile)):
        assert set(section.model_fields) <= set(parameters(function))
        assert set(parameters(function)) - set(section.model_fields) <= set(ELSEWHERE)


def test_the_settings_of_autofix_are_those_of_its_fit_with_the_same_defaults():
    ours = {name: field.default for name, field in Autofix.model_fields.items()}
    theirs = parameters(autofix.fit)
    assert set(theirs) - set(parameters(keras.Model.fit)) - set(ELSEWHERE) == set(ours)
    assert {name: theirs[name] for name in ours} == ours


def test_defaults_of_fit_are_those_of_keras():
    theirs = parameters(keras.Model.fit)
    ours = {name: field.default for name, field in Fit.model_fields.items() if name != "callbacks"}
    assert {name: theirs[name] for name in ours} == ours
