"""What can be done with a model after Keras' `fit` can be done after autofix's, also where that is not installed."""

import json
import pickle
import subprocess
import sys

import keras
import numpy as np
import pytest

import autofix

layers = keras.layers
N_ROWS, EPOCHS, STEPS = 96, 24, 6

WITHOUT_AUTOFIX = """
import json, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("autofix", "keras_tuner", "sklearn"):
            raise ImportError(name + " is not there")

sys.meta_path.insert(0, Blocked())
import keras
import numpy as np

@keras.saving.register_keras_serializable("after_fit")
class Subclassed(keras.Model):
    def __init__(self, units=8, **options):
        super().__init__(**options)
        self.units = units
        self.body, self.head = keras.layers.Dense(units, activation="relu"), keras.layers.Dense(1)

    def call(self, inputs):
        return self.head(self.body(inputs))

    def get_config(self):
        return {**super().get_config(), "units": self.units}

x, y = np.load(sys.argv[2]), np.load(sys.argv[3])
found = {}
for kind in json.loads(sys.argv[4]):
    model = keras.saving.load_model(f"{sys.argv[1]}/{kind}.keras")
    found[kind] = {"predictions": model.predict(x, verbose=0)[:, 0].tolist(), "steps": int(model.optimizer.iterations)}
    found[kind]["loss"] = model.fit(x, y, epochs=1, verbose=0).history["loss"][0]
print(json.dumps(found))
"""


@keras.saving.register_keras_serializable("after_fit")
class Subclassed(keras.Model):
    def __init__(self, units=8, **options):
        super().__init__(**options)
        self.units = units
        self.body, self.head = layers.Dense(units, activation="relu"), layers.Dense(1)

    def call(self, inputs):
        return self.head(self.body(inputs))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def sequential():
    return keras.Sequential([keras.Input((3,)), layers.Dense(8, activation="relu"), layers.Dense(1)])


def functional():
    inputs = keras.Input((3,), name="features")
    body = layers.Dense(8, activation="relu")(inputs)
    body = layers.Dense(8, activation="relu")(2.0 * body)
    return keras.Model(inputs, layers.Dense(1, name="value")(body))


BUILDERS = {"sequential": sequential, "functional": functional, "subclassed": Subclassed}


def rows(scale):
    x = np.random.default_rng(0).uniform(size=(N_ROWS, 3)).astype("float32")
    return x, (scale * (x[:, :1] - x[:, 1:2] + 1.0)).astype("float32")


class Trained:
    """A model that autofix trained: healthy, with another rate, or with layers of autofix's own."""

    def __init__(self, kind, state):
        self.kind, self.state = kind, state
        self.x, self.y = rows(1e4 if state == "rebuilt" else 1.0)
        keras.utils.set_random_seed(1)
        self.model = BUILDERS[kind]()
        self.model.compile(keras.optimizers.Adam(3.0 if state == "repaired" else 0.02), "mse", metrics=["mae"])
        used = {"repaired": ["lower_learning_rate"], "rebuilt": ["standardize_inputs", "standardize_targets"]}.get(
            state
        )
        self.history = autofix.fit(self.model, self.x, self.y, epochs=EPOCHS, batch_size=16, verbose=0, strategies=used)
        self.predictions = self.model.predict(self.x, verbose=0)
        self.weights = self.model.get_weights()

    @property
    def name(self):
        return f"{self.kind}-{self.state}"

    def assert_predicts_the_same(self, model):
        np.testing.assert_allclose(model.predict(self.x, verbose=0), self.predictions, rtol=1e-5, atol=1e-5)


STATES = [(kind, state) for kind in BUILDERS for state in ("healthy", "repaired", "rebuilt")]
STATES.remove(("subclassed", "rebuilt"))  # no layer can be added to it


@pytest.fixture(scope="module")
def all_trained():
    return [Trained(*state) for state in STATES]


@pytest.fixture(params=range(len(STATES)), ids=["-".join(state) for state in STATES])
def trained(request, all_trained):
    one = all_trained[request.param]
    yield one
    one.model.set_weights(one.weights)


def test_the_states_are_what_they_are_called(trained):
    report = trained.history.report
    assert report.verdict == ("healthy" if trained.state == "healthy" else "repaired"), str(report)
    assert report.recipe.needs_surgery == (trained.state == "rebuilt")


def test_it_is_the_history_of_the_training_that_made_the_model(trained):
    assert trained.model.history is trained.history
    assert trained.history.model is trained.model
    assert trained.history.epoch == list(range(EPOCHS))
    assert set(trained.history.history) == {"loss", "mae"}
    assert int(trained.model.optimizer.iterations) == EPOCHS * STEPS


def test_a_history_goes_through_pickle_with_its_report(trained):
    history = pickle.loads(pickle.dumps(trained.history))
    assert history.history == trained.history.history
    assert history.report == trained.history.report
    assert str(history.report) == str(trained.history.report)


def test_summary_config_and_evaluation(trained, capsys):
    trained.model.summary()
    assert "Total params" in capsys.readouterr().out
    assert trained.model.get_config()["name"] == trained.model.name
    loss, error = trained.model.evaluate(trained.x, trained.y, verbose=0)
    assert loss == pytest.approx(np.mean((trained.predictions - trained.y) ** 2), rel=1e-3)
    assert error < trained.y.std()
    assert trained.predictions.shape == trained.y.shape


def test_weights_are_saved_and_loaded(trained, tmp_path):
    trained.model.save_weights(tmp_path / "all.weights.h5")
    trained.model.set_weights([np.zeros_like(weight) for weight in trained.weights])
    trained.model.load_weights(tmp_path / "all.weights.h5")
    trained.assert_predicts_the_same(trained.model)


def test_a_clone_has_the_repair_in_it(trained):
    clone = keras.models.clone_model(trained.model)
    if not clone.built:
        clone.build(trained.x.shape)
    clone.set_weights(trained.weights)
    trained.assert_predicts_the_same(clone)


def test_it_is_exported_as_a_saved_model(trained, tmp_path):
    trained.model.export(tmp_path / "exported", verbose=False)
    served = keras.layers.TFSMLayer(str(tmp_path / "exported"), call_endpoint="serve")
    np.testing.assert_allclose(served(trained.x), trained.predictions, rtol=1e-5, atol=1e-5)


def test_training_goes_on(trained):
    steps = int(trained.model.optimizer.iterations)
    history = trained.model.fit(trained.x, trained.y, epochs=2, batch_size=16, verbose=0)
    assert int(trained.model.optimizer.iterations) == steps + 2 * STEPS
    assert trained.model.history is history
    assert history.history["loss"][-1] < trained.y.var()


def test_models_load_where_autofix_is_not_installed(all_trained, tmp_path):
    found = {}
    for scale in (1.0, 1e4):
        group = [one for one in all_trained if (one.state == "rebuilt") == (scale > 1.0)]
        for one in group:
            one.model.save(tmp_path / f"{one.name}.keras")
        x, y = rows(scale)
        np.save(tmp_path / "x.npy", x)
        np.save(tmp_path / "y.npy", y)
        names = json.dumps([one.name for one in group])
        arguments = [str(tmp_path), str(tmp_path / "x.npy"), str(tmp_path / "y.npy"), names]
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_AUTOFIX, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        found.update(json.loads(done.stdout.splitlines()[-1]))
    for one in all_trained:
        loaded = found[one.name]
        np.testing.assert_allclose(loaded["predictions"], one.predictions[:, 0], rtol=1e-5, atol=1e-5)
        assert loaded["steps"] == int(one.model.optimizer.iterations)
        assert loaded["loss"] < one.y.var()
