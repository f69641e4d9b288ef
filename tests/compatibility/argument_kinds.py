"""Arguments of `fit`, one by one."""

from typing import Any

import keras
import numpy as np

from tests.compatibility import data
from tests.compatibility.case import Case
from tests.compatibility.input_kinds import BATCH, VALIDATION_X, VALIDATION_Y, X, Y, network, two_outputs

layers = keras.layers
CASES: list[Case] = []


def case(name: str, build: Any = network, y: Any = Y, **arguments: Any) -> None:
    """Registers the case with these arguments of `fit`."""

    def all_arguments() -> dict[str, Any]:
        made = {key: value() if callable(value) else value for key, value in arguments.items()}
        return {"x": X, "y": y, "epochs": data.EPOCHS, "batch_size": BATCH, **made}

    CASES.append(Case(name, "argument", build, all_arguments, healthy_rate=0.03, collapsed_rate=30.0))


def classifier(rate: float) -> keras.Model:
    hidden = layers.Dense(10, activation="relu")
    model = keras.Sequential([keras.Input((4,)), hidden, layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="binary_crossentropy")
    return model


WEIGHTS = np.linspace(0.5, 1.5, data.N_ROWS)
TARGETS = [Y, data.label(X)]
VALIDATION = (VALIDATION_X, VALIDATION_Y)

case("batch_size", batch_size=10)
case("epochs, initial_epoch", epochs=data.EPOCHS + 5, initial_epoch=5)
case("verbose: 1", verbose=1)
case("verbose: 2", verbose=2)
case('verbose: "auto"', verbose="auto")
case("callbacks", callbacks=lambda: [keras.callbacks.EarlyStopping("loss", patience=20), keras.callbacks.History()])
case("callbacks: one, not a list", callbacks=lambda: keras.callbacks.TerminateOnNaN())
case("validation_split", validation_split=0.25)
case("validation_data", validation_data=VALIDATION)
case("validation_freq: a number", validation_data=VALIDATION, validation_freq=3)
case("validation_freq: a list", validation_data=VALIDATION, validation_freq=[1, 5, 20])
case("validation_batch_size", validation_data=VALIDATION, validation_batch_size=7)
case("validation_steps", validation_data=VALIDATION, validation_batch_size=20, validation_steps=2)
case("shuffle=False", shuffle=False)
case('shuffle="batch"', shuffle="batch")
case("class_weight", classifier, data.label(X), class_weight={0: 1.0, 1: 2.0})
case("sample_weight", sample_weight=WEIGHTS)
case("sample_weight of each output", two_outputs, TARGETS, sample_weight=[WEIGHTS, WEIGHTS[::-1]])
case("steps_per_epoch", steps_per_epoch=data.N_ROWS // BATCH)
