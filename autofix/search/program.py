"""A probe's program: one network at one batch size as one compiled training loop, in the fastest way that works.

Data, batches (as row numbers), learning rate, target scale and initial weights are arguments of the loop, so that all
trials which differ in nothing else share it.
"""

import contextlib
import dataclasses
import functools
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from autofix.data.training_data import TrainingData
from autofix.feeding import forward
from autofix.recipe import Recipe
from autofix.search.batches import batches
from autofix.search.initial_weights import InitialWeights
from autofix.state import Snapshot
from autofix.surgery import optimizers

CHUNK_STEPS = 512
"""Steps a call of the compiled loop: long enough that a call's overhead (0.3 ms) does not count; one shape for all
horizons, so that one compilation serves them."""

MEASURED_STEPS = 16
"""Steps timed first to compare ways to run; more are timed while they take less than `MEASURED_S`."""

MEASURED_S = 2e-3
"""Ten times what the call itself costs, so that the steps are what is measured."""

SLOW_STEP_S = 5e-4
"""An XLA step slower than this is compared with a plain graph; a dense step takes 3e-6 to 1e-4 s."""

XLA_COMPILATION_S = 0.6
"""About what XLA's compilation costs a small dense network (up to 1.2 s for larger and recurrent ones). Work that a
plain graph does faster than this is not worth it."""

CLEAR_GAIN = 4.0
"""XLA is tried after a plain graph only where it can save this many times its compilation: a choice nearer to even
would depend on how busy the machine is, and with it the last digits of every trial."""

GRAPH_STEP_S = 4e-5
"""A plain graph's step of the smallest dense network, to guess the work before anything is measured."""

XLA_AVERSE = ("Conv", "Dropout", "GaussianNoise", "Random", "Pooling")
"""Parts of the names of layers that XLA on the CPU runs slower than a plain graph (convolutions 5 times, with
11 s of compilation; stateless random numbers of dropout)."""


@dataclasses.dataclass(frozen=True)
class Rows:
    """All rows of the sample, as tensors.

    Args:
        inputs: One tensor an input.
        targets: One tensor an output.
        weights: One tensor of sample weights an output; empty for none.
    """

    inputs: list[tf.Tensor]
    targets: list[tf.Tensor]
    weights: list[tf.Tensor]


class Program:
    """One architecture at one batch size, and the compiled function that trains it.

    Args:
        model: The network, without the scaling of inputs and outputs, which stay outside of it. Built and compiled.
        weights: Where its runs begin, unless a run is given others.
        data: Tells how inputs and targets are packed.
        batch_size: Rows a step.
        recipe: What to change of the optimizer.
        n_scaled: How many outputs take a scale and an offset: all of them or none.
    """

    def __init__(
        self,
        model: keras.Model,
        weights: InitialWeights,
        data: TrainingData,
        batch_size: int,
        n_scaled: int,
        recipe: Recipe,
    ) -> None:
        self.model = model
        self.batch_size = batch_size
        self.mode = ""
        self.seconds_per_step = 0.0
        self.weights = weights
        self._data = data
        self._n_scaled = n_scaled
        self._rate_factor = tf.Variable(1.0, trainable=False)
        self._train: Callable[..., Any] = self._train_batches
        self._compiled: dict[str, Callable[..., Any]] = {}
        if has_own_train_step(model):
            # Not `train_on_batch`: it hands on three items where `fit` hands on two, and a train step may count them.
            self._step = model.train_step if model.run_eagerly else tf.function(model.train_step, autograph=False)
            self._optimizer, self._schedule = model.optimizer, optimizers.schedule_of(model.optimizer)
        else:
            self._optimizer = optimizers.changed_optimizer(model.optimizer, recipe, self._scaled_rate)
            self._optimizer.build(model.trainable_variables)
            self._fresh_slots = [tf.identity(variable.value) for variable in self._optimizer.variables]

    def _scaled_rate(self, rate: Any) -> "ScaledRate":
        return ScaledRate(rate, self._rate_factor)

    def compile(self, rows: Rows, planned_steps: int) -> None:
        """Compiles the way to run that is tried first; `choose_mode` then only measures it.

        Apart from that, as it may be done beside other work, which a measurement may not.
        """
        if has_own_train_step(self.model) or self.model.run_eagerly:
            return
        self._train = self._function("xla" if self._pays_xla(planned_steps) else "graph")
        with contextlib.suppress(Exception), self.lent(0, own_initialization=True, rate_factor=1.0):
            self._first_steps(rows, 1)

    def choose_mode(self, rows: Rows, planned_steps: int) -> None:
        """Takes the fastest way to run that works, by measuring a few steps of each that may win."""
        if has_own_train_step(self.model):
            self.mode, self.seconds_per_step = "keras", self._measure(rows)
            return
        tried: dict[str, tuple[float, Callable[..., Any]]] = {}
        if not self.model.run_eagerly:
            self._try_compiled(rows, planned_steps, tried)
        if not tried:
            self._train = self._loop
            tried["eager"] = (self._measure(rows), self._train)
        self.mode = min(tried, key=lambda mode: tried[mode][0])
        self.seconds_per_step, self._train = tried[self.mode]
        self._compiled.clear()

    def _try_compiled(self, rows: Rows, planned_steps: int, tried: dict[str, tuple[float, Callable[..., Any]]]) -> None:
        if self._pays_xla(planned_steps):
            self._try_mode("xla", rows, tried)
        if not tried or tried["xla"][0] > SLOW_STEP_S:
            self._try_mode("graph", rows, tried)
        if "graph" not in tried or "xla" in tried or self._is_averse_to_xla:
            return
        if planned_steps * tried["graph"][0] > CLEAR_GAIN * XLA_COMPILATION_S:
            self._try_mode("xla", rows, tried)

    @property
    def _is_averse_to_xla(self) -> bool:
        names = [type(layer).__name__ for layer in self.model._flatten_layers()]
        return any(part in name for part in XLA_AVERSE for name in names)

    def _pays_xla(self, planned_steps: int) -> bool:
        """Whether to try XLA before anything else."""
        return not self._is_averse_to_xla and planned_steps * GRAPH_STEP_S > XLA_COMPILATION_S

    def _function(self, mode: str) -> Callable[..., Any]:
        """The loop in one way to run, compiled at its first call."""
        if mode not in self._compiled:
            # Without autograph, as in `fit`: it would rewrite the user's functions, or log that it cannot.
            self._compiled[mode] = tf.function(
                self._loop, jit_compile=mode == "xla", reduce_retracing=True, autograph=False
            )
        return self._compiled[mode]

    def _try_mode(self, mode: str, rows: Rows, tried: dict[str, tuple[float, Callable[..., Any]]]) -> None:
        """Compiles and times one way to run; one that fails is not among the tried."""
        self._train = self._function(mode)
        try:
            tried[mode] = (self._measure(rows), self._train)
        except Exception:  # noqa: BLE001 - the user's own code may raise anything when it is traced
            return

    def _measure(self, rows: Rows) -> float:
        def seconds(steps: int) -> float:
            started = time.perf_counter()
            self._first_steps(rows, steps)
            return time.perf_counter() - started

        with self.lent(0, own_initialization=True, rate_factor=1.0):
            seconds(1)  # compiles
            empty, steps = seconds(0), MEASURED_STEPS
            while (taken := seconds(steps) - empty) < MEASURED_S and steps < CHUNK_STEPS:
                steps = min(4 * steps, CHUNK_STEPS)
        return max(taken, 1e-6) / steps

    def _first_steps(self, rows: Rows, steps: int) -> None:
        self.train(rows, [self._first_batches[:steps]], [(1.0, 0.0)] * self._n_scaled)

    @functools.cached_property
    def _first_batches(self) -> np.ndarray:
        return batches(np.arange(self._data.n_training), self.batch_size, CHUNK_STEPS, shuffle=True, seed=0)

    def lent(
        self, seed: int, own_initialization: bool, rate_factor: float, weights: InitialWeights | None = None
    ) -> "Loan":
        """The model at its initial weights, or at others that a network like it begins at; put back on leaving."""
        return Loan(self, seed, own_initialization, rate_factor, weights or self.weights)

    def reset(self, weights: InitialWeights, seed: int, own_initialization: bool, rate_factor: float) -> None:
        """Initial weights, a fresh optimizer and the rate."""
        weights.put(seed, own_initialization)
        self._rate_factor.assign(rate_factor)
        if has_own_train_step(self.model):
            self._rescale_rate(rate_factor)
            return
        for variable, value in zip(self._optimizer.variables, self._fresh_slots, strict=True):
            variable.value.assign(value)

    def _rescale_rate(self, factor: float) -> None:
        """The rate of the user's own optimizer, where a train step of the user's uses it."""
        if self._schedule is not None:
            self._inner_optimizer._learning_rate = self._scaled_rate(self._schedule)
        elif factor != 1.0:
            rate = optimizers.constant_rate(self.model.optimizer)
            self.model.optimizer.learning_rate = optimizers.rescaled(rate, factor)

    def give_schedule_back(self) -> None:
        """The user's own schedule, as no variable holds it."""
        if has_own_train_step(self.model) and self._schedule is not None:
            self._inner_optimizer._learning_rate = self._schedule

    @property
    def _inner_optimizer(self) -> Any:
        return getattr(self._optimizer, "inner_optimizer", self._optimizer)

    def train(
        self, rows: Rows, parts: Sequence[np.ndarray], affine: list[tuple[float, float]]
    ) -> list[list[np.ndarray]]:
        """Trains on the batches of each part in turn; what it predicts of all rows after each, one array an output."""
        scales = [(tf.constant(scale, tf.float32), tf.constant(offset, tf.float32)) for scale, offset in affine]
        predictions = [self._train_part(rows, part, scales) for part in parts]
        if self._averages_weights and any(len(part) > 0 for part in parts):
            # As `fit` does at its end.
            self._optimizer.finalize_variable_values(self.model.trainable_variables)
            predictions[-1] = self._train_part(rows, parts[-1][:0], scales)
        return [[np.asarray(array) for array in arrays] for arrays in predictions]

    def _train_part(self, rows: Rows, index: np.ndarray, scales: list[tuple[Any, Any]]) -> list[Any]:
        for start in range(0, max(len(index), 1), CHUNK_STEPS):
            chunk = index[start : start + CHUNK_STEPS]
            padded = np.zeros((CHUNK_STEPS, self.batch_size), np.int32)
            padded[: len(chunk)] = chunk
            predictions = self._train(rows.inputs, rows.targets, rows.weights, padded, np.int32(len(chunk)), scales)
        return predictions

    @property
    def _averages_weights(self) -> bool:
        return bool(getattr(self._inner_optimizer, "use_ema", False))

    def _loop(
        self, inputs: Any, targets: Any, weights: Any, index: tf.Tensor, n_steps: tf.Tensor, scales: Any
    ) -> list[tf.Tensor]:
        """The compiled training: `n_steps` rows of `index` are batches of row numbers."""
        variables = self.model.trainable_variables

        def take_step(step: tf.Tensor) -> list[tf.Tensor]:
            x, y, batch_weights = self._batch(inputs, targets, weights, index[step])
            with tf.GradientTape() as tape:
                predictions = self._call(x, scales, training=True)
                # Not `compute_loss`: one of the user's own may take no `training`.
                loss = self.model._compute_loss(
                    x=x, y=y, y_pred=predictions, sample_weight=batch_weights, training=True
                )
                loss = self._optimizer.scale_loss(loss)
            if variables:  # else everything is frozen, and a step changes nothing
                self._optimizer.apply(tape.gradient(loss, variables), variables)
            return [step + 1]

        # Not `tf.range`: XLA wants its length at compile time and would compile anew for every length.
        tf.while_loop(lambda step: step < n_steps, take_step, [tf.constant(0)])
        predictions = self._call(self._pack_x(inputs), scales, training=False)
        return [tf.cast(leaf, tf.float32) for leaf in keras.tree.flatten(predictions)]

    def _batch(self, inputs: Any, targets: Any, weights: Any, rows: Any) -> tuple[Any, Any, Any]:
        """`x`, `y` and sample weights of some rows, as the user gave them: None for what there is not."""
        x = self._pack_x([tf.gather(array, rows) for array in inputs])
        if not self._data.trains_on_targets:
            return x, None, None
        y = self._pack_y([tf.gather(array, rows) for array in targets])
        return x, y, self._pack_y([tf.gather(array, rows) for array in weights]) if weights else None

    def _call(self, x: Any, scales: Any, training: bool) -> Any:
        predictions = forward(self.model, x, training=training)
        if not scales:
            return predictions
        leaves = keras.tree.flatten(predictions)
        scaled = [
            _with_mask_of(leaf, leaf * tf.cast(scale, leaf.dtype) + tf.cast(offset, leaf.dtype))
            for leaf, (scale, offset) in zip(leaves, scales, strict=True)
        ]
        return keras.tree.pack_sequence_as(predictions, scaled)

    def _train_batches(
        self, inputs: Any, targets: Any, weights: Any, index: np.ndarray, n_steps: int, scales: Any
    ) -> list[np.ndarray]:
        """The model's own step, for those that define one."""
        for rows in index[: int(n_steps)]:
            self._step(keras.utils.pack_x_y_sample_weight(*self._batch(inputs, targets, weights, rows)))
        predictions = self._call(self._pack_x(inputs), scales, training=False)
        return [np.asarray(leaf) for leaf in keras.tree.flatten(predictions)]

    def _pack_x(self, leaves: list[Any]) -> Any:
        return keras.tree.pack_sequence_as(self._data.x_structure, leaves)

    def _pack_y(self, leaves: list[Any]) -> Any:
        return keras.tree.pack_sequence_as(self._data.y_structure, leaves)


class Loan:
    """Lends a program's model for one run and puts its variables back afterwards, whatever happens."""

    def __init__(
        self, program: Program, seed: int, own_initialization: bool, rate_factor: float, weights: InitialWeights
    ) -> None:
        self._program = program
        self._arguments = (weights, seed, own_initialization, rate_factor)

    def __enter__(self) -> None:
        self._snapshot = Snapshot(self._program.model)
        self._warnings = warnings.catch_warnings()
        self._warnings.__enter__()
        warnings.simplefilter("ignore")
        try:
            self._program.reset(*self._arguments)
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        self._warnings.__exit__(None, None, None)
        self._program.give_schedule_back()
        self._snapshot.restore()


class ScaledRate(keras.optimizers.schedules.LearningRateSchedule):
    """A rate or schedule times a variable, so that trials at different rates share one compiled function."""

    def __init__(self, rate: Any, factor: tf.Variable) -> None:
        self._rate = rate
        self._factor = factor

    def __call__(self, step: Any) -> Any:
        if not callable(self._rate) and self._rate == 0.0:
            return tf.where(self._factor == 1.0, 0.0, self._factor)  # as `optimizers.rescaled` has it
        rate = self._rate(step) if callable(self._rate) else tf.constant(self._rate, tf.float32)
        return tf.cast(rate, tf.float32) * self._factor

    def get_config(self) -> dict[str, Any]:
        return {"rate": self._rate, "factor": self._factor}


def _with_mask_of(leaf: Any, scaled: Any) -> Any:
    """The scaled output with the mask of the output: Keras' losses leave out what it masks."""
    mask = getattr(leaf, "_keras_mask", None)
    if mask is not None:
        scaled._keras_mask = mask
    return scaled


def has_own_train_step(model: keras.Model) -> bool:
    """Whether the model's class defines its own `train_step`, so that only Keras' loop trains it as meant."""
    return type(model).train_step is not keras.Model.train_step
