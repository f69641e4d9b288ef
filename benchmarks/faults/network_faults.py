"""Faults in the network: what it can express, how it begins, and what its last layer can say."""

import numpy as np

from autofix.benchmarks.faults.fault import Fault, fixes, log_uniform
from autofix.benchmarks.faults.programs import Program

DENSE = ("regression", "binary", "multiclass")
WITH_HIDDEN = (*DENSE, "images", "codes")


def linearize(program: Program, rng: np.random.Generator) -> Program:
    """No non-linear layer: none at all, or hidden layers without an activation."""
    if rng.random() < 0.5:
        return program.changed("no hidden layer", depth=0)
    depth = int(rng.integers(1, 3))
    return program.changed(f"{depth} hidden layers without activation", depth=depth, activation="linear")


def squeeze(program: Program, rng: np.random.Generator) -> Program:
    """Hidden layers of a single unit; with tanh, so that it does not die as well."""
    depth = int(rng.integers(1, 4))
    return program.changed(f"{depth} hidden layers of 1 tanh unit", units=1, depth=depth, activation="tanh")


def widen_by_hand(program: Program) -> Program:
    """Undoes `squeeze`, but for its layers and their activation."""
    units = program.base.options.units
    return program.changed(f"hidden layers of {units} units", units=units)


def kill_units(program: Program, rng: np.random.Generator) -> Program:
    """Initial biases so low that no ReLU unit is ever above 0."""
    bias = -float(rng.uniform(10.0, 30.0))
    return program.changed(f"hidden biases begin at {bias:.3g}", initial_bias=bias)


def stack_sigmoids(program: Program, rng: np.random.Generator) -> Program:
    """Many sigmoid layers, each of which passes on at most a quarter of the gradient."""
    depth = int(rng.integers(8, 11))
    return program.changed(f"{depth} hidden layers with sigmoid", depth=depth, activation="sigmoid")


def shrink_weights(program: Program, rng: np.random.Generator) -> Program:
    """Initial weights so small that next to nothing gets through several layers, forwards or backwards."""
    depth = int(rng.integers(5, 8))
    std = log_uniform(rng, 1e-4, 1e-3)
    return program.changed(f"{depth} hidden layers, initial weights of {std:.3g}", depth=depth, initial_std=std)


def saturate(program: Program, rng: np.random.Generator) -> Program:
    """Initial weights so large that every sigmoid or tanh unit sits at an end."""
    std, activation = float(rng.uniform(20.0, 40.0)), str(rng.choice(["tanh", "sigmoid"]))
    depth = int(rng.integers(4, 7))
    return program.changed(
        f"{depth} hidden layers with {activation}, initial weights of {std:.3g}",
        depth=depth,
        activation=activation,
        initial_std=std,
    )


def use_relu_by_hand(program: Program) -> Program:
    """Undoes `stack_sigmoids` and `saturate`, but for their layers: ReLU, and Keras' own initialisers."""
    return program.changed("relu and Keras' own initialisers", activation="relu", initial_std=None)


def start_larger_by_hand(program: Program) -> Program:
    """Undoes `shrink_weights`, but for its layers."""
    return program.changed("Keras' own initialisers", initial_std=None)


def explode_by_weights(program: Program, rng: np.random.Generator) -> Program:
    """A deep ReLU network whose large initial weights multiply from layer to layer, under plain gradient descent."""
    depth, std, rate = int(rng.integers(4, 7)), float(rng.uniform(1.0, 2.0)), log_uniform(rng, 0.01, 0.1)
    return program.changed(
        f"{depth} hidden layers, initial weights of {std:.3g}, SGD({rate:.3g})",
        depth=depth,
        initial_std=std,
        optimizer="SGD",
        learning_rate=rate,
    )


def zero_weights(program: Program, rng: np.random.Generator) -> Program:
    """Hidden weights that all begin at 0: no gradient reaches them."""
    return program.changed("hidden weights begin at 0", initial_constant=0.0)


def equal_weights(program: Program, rng: np.random.Generator) -> Program:
    """Hidden weights that all begin at one value: the units of a layer stay each other's copies."""
    constant = log_uniform(rng, 0.01, 0.5)
    return program.changed(f"hidden weights begin at {constant:.3g}", initial_constant=constant)


def softmax_over_one(program: Program, rng: np.random.Generator) -> Program:
    """A softmax over a single unit, which is 1 for every row."""
    return program.changed("softmax over one unit", head_activation="softmax", head_units=1)


def put_out_of_reach(program: Program, rng: np.random.Generator) -> Program:
    """Numbers under an activation that cannot reach them."""
    activation = str(rng.choice(["relu", "sigmoid", "tanh"]))
    side = -1.0 if activation == "relu" else float(rng.choice([-1.0, 1.0]))
    offset = side * float(rng.uniform(4.0, 7.0))
    return program.changed(
        f"{activation} at the output, targets around {offset:.3g}",
        head_activation=activation,
        y=program.y + offset,
        y_fresh=program.y_fresh + offset,
    )


def forget_logits(program: Program, rng: np.random.Generator) -> Program:
    """A loss that takes probabilities, and an output that gives logits, or those above 0 only."""
    activation = str(rng.choice(["linear", "relu"]))
    return program.changed(f"{activation} output under a loss of probabilities", head_activation=activation)


def softmax_under_squares(program: Program, rng: np.random.Generator) -> Program:
    """Class numbers compared, by the squared error, with each probability of a softmax."""
    # As a column; Keras refuses to compare a vector with several outputs, as it refuses class numbers without a unit.
    columns = {"y": program.y[:, None], "y_fresh": program.y_fresh[:, None]}
    return program.changed("softmax under mean_squared_error", loss="mean_squared_error", **columns)


REINITIALIZE = fixes("reinitialize")

OUTPUTS = ("output_mismatch",)
HEAD = fixes("repair_output_head")

FAULTS = (
    Fault(
        "linear_network",
        ("insufficient_capacity",),
        fixes("add_hidden_layers"),
        DENSE,
        linearize,
    ),
    Fault(
        "bottleneck",
        ("insufficient_capacity",),
        fixes("add_hidden_layers"),
        DENSE,
        squeeze,
        undo=widen_by_hand,
    ),
    Fault("dead_units", ("dead_units",), fixes("revive_units", "reinitialize"), WITH_HIDDEN, kill_units),
    Fault(
        "stacked_sigmoids",
        ("vanishing_gradients",),
        fixes("replace_activations", "normalize_layers"),
        WITH_HIDDEN,
        stack_sigmoids,
        undo=use_relu_by_hand,
    ),
    Fault(
        "tiny_weights",
        ("vanishing_gradients",),
        fixes("reinitialize", "normalize_layers"),
        WITH_HIDDEN,
        shrink_weights,
        undo=start_larger_by_hand,
    ),
    Fault(
        "saturated_units",
        ("saturated_units",),
        fixes("reinitialize", "replace_activations", "normalize_layers"),
        WITH_HIDDEN,
        saturate,
        undo=use_relu_by_hand,
    ),
    Fault(
        "exploding_network",
        ("exploding_gradients", "nonfinite_training"),
        fixes("reinitialize", "clip_gradients", "normalize_layers", "lower_learning_rate"),
        WITH_HIDDEN,
        explode_by_weights,
    ),
    Fault("zero_weights", ("symmetric_initialization",), REINITIALIZE, (*WITH_HIDDEN, "tokens"), zero_weights),
    Fault("equal_weights", ("symmetric_initialization",), REINITIALIZE, DENSE, equal_weights),
    Fault("softmax_over_one", OUTPUTS, HEAD, ("regression", "binary", "tokens", "series"), softmax_over_one),
    Fault("unreachable_targets", OUTPUTS, HEAD, ("regression", "series", "codes"), put_out_of_reach),
    Fault("logits_as_probabilities", OUTPUTS, HEAD, ("binary", "multiclass", "images", "tokens"), forget_logits),
    Fault("softmax_under_squares", OUTPUTS, HEAD, ("multiclass", "images"), softmax_under_squares),
)
