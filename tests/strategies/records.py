"""Hand-made cases: what the tests of single strategies say of a program."""

import dataclasses

import keras_tuner

from autofix.evidence import CurveProfile, Evidence, FitProfile, InputProfile, LayerProfile, ModelProfile, TargetProfile
from autofix.recipe import Recipe
from autofix.report.records import Finding
from autofix.strategy import Case, resolve_strategies

BY_NAME = {strategy.name: strategy for strategy in resolve_strategies(None)}

NUMBERS = InputProfile((0.0, 0.0), (1.0, 1.0), (-2.0, -2.0), (2.0, 2.0), (0.0, 0.0), (1.3, 1.3), False, shape=(2,))

TARGET = TargetProfile("regression", 0.0, 1.0, False, 0.0, minimum=-2.0, maximum=2.0, n_distinct=100)

MODEL = ModelProfile(
    optimizer="Adam",
    learning_rate=0.001,
    schedule=None,
    default_learning_rate=0.001,
    is_scale_free=True,
    nonlinear_layers=1,
    layer_types=("Dense",),
    can_rescale_rate=True,
    can_edit=True,
    can_insert=True,
    output_activations=("linear",),
)

NOTHING_SEEN = CurveProfile()

FIT = FitProfile(n_rows=100, batch_size=32, epochs=10, total_steps=40, shuffle=True)


def case(*layers, inputs=(NUMBERS,), targets=(TARGET,), curve=NOTHING_SEEN, finds=(), recipe=(), fit=None, **model):
    """A case of ordinary data, with these layers and what else is said."""
    evidence = Evidence(
        inputs=inputs,
        targets=targets,
        model=dataclasses.replace(MODEL, layers=layers, **model),
        fit=dataclasses.replace(FIT, **(fit or {})),
        curve=curve,
    )
    return Case(evidence, tuple(Finding(cause, 0.9, "It is so.") for cause in finds), Recipe(tuple(recipe)))


def layer(name, kind="Dense", activation="linear", *, arguments=None, **measured):
    """A layer with the usual arguments of a Dense one and those given."""
    usual = {
        "activation": activation,
        "kernel_initializer": "glorot_uniform",
        "bias_initializer": "zeros",
        "kernel_regularizer": None,
        "trainable": True,
    }
    return LayerProfile(
        name,
        kind,
        activation=activation,
        units=measured.pop("units", 8),
        arguments=tuple({**usual, **(arguments or {})}.items()),
        **measured,
    )


def prescribe(name, case, **values):
    """What the strategy prescribes with these settings."""
    hp = keras_tuner.HyperParameters()
    for key, value in values.items():
        hp.Fixed(key, value)
    return BY_NAME[name].prescribe(hp, case)


def settings(name, case):
    """The values on offer, by setting."""
    hp = keras_tuner.HyperParameters()
    BY_NAME[name].prescribe(hp, case)
    return {setting.name: list(setting.values) for setting in hp.space}


def changes(remedy):
    """What `ChangeLayers` changes: new values by layer and argument."""
    return {(change.layer, change.argument): change.value for change in remedy.changes}
