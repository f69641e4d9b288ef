"""Small models and data that the tests of several modules train."""

import signal
from collections.abc import Callable
from typing import Any

import hypothesis
import numpy as np
import pytest

# The same examples in every run, so that a failure is one of the change at hand; `--hypothesis-profile default` draws
# others.
hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c() -> None:
    """Ctrl-C as a terminal has it: processes that a shell starts in the background ignore it, and so do theirs."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def make_model() -> Callable[..., Any]:
    """A builder of compiled Sequential models; the same seed gives the same initial weights."""
    # Imported here: the tests of pure NumPy modules share this file and must not pay for Keras.
    import keras

    def make(
        layers: Any = None,
        *,
        n_features: int = 2,
        optimizer: Any = "adam",
        loss: Any = "mse",
        seed: int = 0,
        **compiled: Any,
    ) -> keras.Model:
        keras.utils.set_random_seed(seed)
        if layers is None:
            layers = [keras.layers.Dense(6, activation="relu"), keras.layers.Dense(1)]
        model = keras.Sequential([keras.Input((n_features,)), *(layers() if callable(layers) else layers)])
        model.compile(optimizer=optimizer, loss=loss, **compiled)
        return model

    return make


@pytest.fixture
def plane() -> tuple[np.ndarray, np.ndarray]:
    """64 rows of two features and a target that depends on both."""
    x = np.random.default_rng(0).uniform(-1.0, 1.0, (64, 2)).astype(np.float32)
    return x, (x[:, :1] - 2.0 * x[:, 1:] + 0.5).astype(np.float32)
