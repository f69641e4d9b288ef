"""The watch: a Keras callback that looks at the predictions of a running training."""

import dataclasses
import functools
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from autofix.data.rows import is_array_tree
from autofix.data.training_data import TrainingData
from autofix.errors import CollapseWarning, ModelError
from autofix.feeding import as_tensor, forward, output_masks
from autofix.monitoring.running_fit import running_fit
from autofix.scoring.alignment import unmasked
from autofix.scoring.assess import Assessment, assess
from autofix.scoring.loss_specs import LossSpec
from autofix.scoring.losses import head_losses

LOOK_ROWS = 256
"""Rows of a look: a forward pass on them costs about a millisecond, and the standard error of a skill is 0.06."""

LOOK_FACTOR = 2
"""Looks are at epochs 1, 2, 4, 8, ..., so that their number grows with the logarithm of the epochs."""

PATIENCE_SHARE = 0.1
"""Share of the epochs that a training may go without any skill before it is suspected ..."""

PATIENCE_EPOCHS = 4
"""... and epochs that it may in any case: a short training has hardly begun after a tenth."""

WEAK_SKILL = 0.2
"""Skill on the looked-at rows, most often training rows, below which it is worth a tenth of a second to ask whether
reference learners find more. A linear network of 3 weights fits 0.15 into 100 rows of a relation it cannot express."""


WEAK_AT_END = 0.5
"""The same at the end of the training, when no more skill is to come: a network that makes less than half of what
reference learners make of the same rows has less than this, whatever these reach."""


@dataclasses.dataclass(frozen=True)
class Look:
    """What was seen at one epoch.

    Args:
        epoch: Counted from 1.
        heads: One assessment an output that has a loss.
        first_epoch: The training's `initial_epoch`.
        is_last: Whether the training ends here.
    """

    epoch: int
    heads: tuple[Assessment, ...]
    first_epoch: int = 0
    is_last: bool = False

    @property
    def n_trained(self) -> int:
        """Epochs of this training until the look."""
        return self.epoch - self.first_epoch

    @property
    def is_collapsed(self) -> bool:
        """Whether any output is constant, without skill or not finite."""
        return any(head.is_collapsed for head in self.heads)

    @property
    def skill(self) -> float:
        """Mean skill over the outputs; minus infinity when any is not finite."""
        return float(np.mean([head.skill if head.is_finite else -np.inf for head in self.heads]))

    @property
    def is_weak(self) -> bool:
        """Whether any output has so little skill that it is worth asking what there is to be had."""
        enough = WEAK_AT_END if self.is_last else WEAK_SKILL
        return any(not head.is_finite or head.skill < enough for head in self.heads)


def is_due(look: Look, epochs: int, *, is_last: bool) -> bool:
    """Whether a training of so many epochs should have some skill by now."""
    return is_last or look.n_trained >= max(PATIENCE_EPOCHS, PATIENCE_SHARE * epochs)


def is_suspicious(looks: Sequence[Look], epochs: int, *, is_last: bool) -> bool:
    """Whether a training looks as if it would end collapsed.

    At its end, when it is collapsed. Before, when any output is not finite; or constant at two looks in a row; or
    still without skill after a tenth of the epochs, at least four. A suspicion is no verdict: the control arm decides.

    Args:
        looks: In order; the last one is judged.
        epochs: Of the whole training, from its `initial_epoch` on.
        is_last: Whether the training ends here.
    """
    if not looks:
        return False
    look = looks[-1]
    if is_last or any(not head.is_finite for head in look.heads):
        return look.is_collapsed
    if len(looks) < 2:
        return False
    constant_twice = any(
        head.state == before.state == "constant" for head, before in zip(look.heads, looks[-2].heads, strict=True)
    )
    return constant_twice or (is_due(look, epochs, is_last=False) and look.is_collapsed)


class CollapseMonitor(keras.callbacks.Callback):
    """Watches a training for predictions that are the same for every row, or no better than a constant.

    It looks after the first epoch, at geometrically spaced ones and at the end, with a forward pass on at most 256
    rows, and warns with what it found. Training goes on untouched: the final weights are bit-identical.

    Args:
        x: The training inputs, `(n_samples, ...)` or a tree of such arrays; None to take what `fit` was given.
        y: The training targets; None to take what `fit` was given.

    Example:

    >>> monitor = CollapseMonitor()
    >>> monitor.looks
    []
    """

    def __init__(self, x: Any = None, y: Any = None) -> None:
        super().__init__()
        self._given = (x, y)
        self._data: TrainingData | None = None
        self._losses: list[LossSpec | None] = []
        self._predict: Callable[[Any], Any] = tf.identity
        self._first_epoch: int | None = None
        self._predictions: list[np.ndarray] = []
        self.looks: list[Look] = []
        self._has_warned = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.looks = []
        self._has_warned = False
        self._first_epoch = None
        try:
            self._prepare(self._find_data())
        except ModelError as error:
            self._data = None
            warnings.warn(f"CollapseMonitor does not look. {error}", CollapseWarning, stacklevel=2)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._first_epoch is None:
            self._first_epoch = epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._data is None:
            return
        is_last = self._is_last(epoch)
        if is_last or is_power(epoch + 1 - (self._first_epoch or 0), LOOK_FACTOR):
            self._look(epoch + 1, is_last=is_last)
            if is_suspicious(self.looks, self._epochs, is_last=is_last):
                self.suspect()
            elif self.looks[-1].is_weak and is_due(self.looks[-1], self._epochs, is_last=is_last):
                self.doubt()

    def doubt(self) -> None:
        """Called at a look that shows little skill where more should be expected by now; does nothing here."""

    def suspect(self) -> None:
        """Called at a look that raises a suspicion; warns, once a training."""
        if not self._has_warned:
            self._has_warned = True
            advice = "Use autofix.fit to find and repair the cause."
            warnings.warn(f"{describe(self.looks[-1])} {advice}", CollapseWarning, stacklevel=2)

    @property
    def _last_epoch(self) -> int:
        return int(self.params.get("epochs") or 1)

    @property
    def _epochs(self) -> int:
        """Epochs of this training."""
        return self._last_epoch - (self._first_epoch or 0)

    def _is_last(self, epoch: int) -> bool:
        return bool(self.model.stop_training) or epoch + 1 >= self._last_epoch

    def _find_data(self) -> TrainingData | None:
        x, y = self._given
        if x is None:
            held = running_fit()
            x, y = held.get("x"), held.get("y")
        if x is None or not is_array_tree(x, y):
            warnings.warn(
                "CollapseMonitor sees no arrays to look at. Expected arrays or tensors in fit. "
                "Received: another kind of data. Pass a sample: CollapseMonitor(x, y).",
                CollapseWarning,
                stacklevel=2,
            )
            return None
        return TrainingData.from_arrays(x, y, epochs=self._epochs)

    def _prepare(self, data: TrainingData | None) -> None:
        """Takes the rows to look at from the sample; `None` for no looks."""
        self._data = data
        if data is None:
            return
        rows = data.watch_rows(LOOK_ROWS)
        self._x = keras.tree.pack_sequence_as(data.x_structure, [as_tensor(array[rows]) for array in data.inputs])
        self._targets = [array[rows] for array in data.targets]
        weights = [None] * len(data.targets) if data.sample_weights is None else data.sample_weights
        self._weights = [None if array is None else array[rows] for array in weights]
        masks = output_masks(self.model, self._x)
        self._masks = [None] * len(self._targets) if masks is None else masks
        self._losses = head_losses(self.model, keras.tree.pack_sequence_as(data.y_structure, self._targets))
        self.watch_model()

    def watch_model(self) -> None:
        """Makes the forward pass of the looks: traced, for an eager one costs recurrent networks 20 times as much."""
        predict = functools.partial(forward, self.model)
        self._predict = predict if self.model.run_eagerly else _traced(predict)

    def _look(self, epoch: int, *, is_last: bool) -> None:
        outputs = self._predict(self._x)
        predictions = [np.asarray(leaf) for leaf in keras.tree.flatten(outputs)]
        names = output_names(self.model, len(self._losses))
        heads = tuple(
            assess(
                unmasked(mask, target),
                unmasked(mask, prediction),
                loss,
                sample_weight=None if weights is None else unmasked(mask, weights),
                output_name=name,
            )
            for target, prediction, loss, weights, mask, name in zip(
                self._targets, predictions, self._losses, self._weights, self._masks, names, strict=True
            )
            if loss is not None
        )
        self._predictions = predictions
        self.looks.append(Look(epoch, heads, self._first_epoch or 0, is_last))


def output_names(model: keras.Model, n_outputs: int) -> list[str]:
    """Names of a model's outputs, for messages."""
    names = list(getattr(model, "output_names", None) or [])
    return names if len(names) == n_outputs else [f"output_{i}" for i in range(n_outputs)]


def describe(look: Look) -> str:
    """A look at a collapsed training in words; outputs are named where there are several."""
    shown = [head for head in look.heads if head.is_collapsed] or list(look.heads)
    parts = [f"{head.output_name}: {_in_words(head)}" if len(look.heads) > 1 else _in_words(head) for head in shown]
    return f"After epoch {look.epoch}: {'; '.join(parts)}."


def _in_words(head: Assessment) -> str:
    numbers = f"(spread {head.spread:.3g}, skill {head.skill:.3g}, upper bound {head.skill_upper:.3g})"
    words = {
        "non_finite": "predictions are not finite",
        "constant": f"the network predicts the same value for every row {numbers}",
        "no_skill": f"predictions vary but are no better than a constant {numbers}",
    }
    return words.get(head.state, f"predictions are hardly better than a constant {numbers}")


def _traced(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The function, traced where it can be: code of the user's own may read values, which only eager tensors have."""
    # Without autograph, as in `fit`: it would rewrite the user's functions, or log that it cannot.
    traced = tf.function(function, reduce_retracing=True, autograph=False)

    def call(x: Any) -> Any:
        nonlocal traced
        try:
            return traced(x)
        except Exception:  # noqa: BLE001 - anything may be raised in there; if it is no matter of tracing, it is again
            traced = function
            return function(x)

    return call


def is_power(number: int, base: int) -> bool:
    """Whether a number is 1, the base, its square, ..."""
    return number >= 1 and base ** round(math.log(number, base)) == number
