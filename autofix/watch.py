"""The watch inside the user's own run: the monitor of `autofix.fit`, which repairs where the public one warns."""

import contextlib
import itertools
import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras

from autofix.data.sources import Source, Unwatchable
from autofix.data.training_data import MIN_ROWS, TrainingData
from autofix.errors import CollapseWarning, ModelError
from autofix.feeding import build_optimizer, forward
from autofix.measuring.dependence import shows_dependence
from autofix.measuring.prediction_samples import sample_predictions
from autofix.measuring.sound_losses import SoundLoss, losses_for_now, sound_losses
from autofix.monitoring.console import Console
from autofix.monitoring.monitor import LOOK_FACTOR, CollapseMonitor, Look, describe, is_power
from autofix.monitoring.running_fit import SpentIterators
from autofix.report.traces import Predictions
from autofix.scoring.alignment import unmasked
from autofix.scoring.loss_specs import LossSpec
from autofix.scoring.numpy_losses import loss_spec
from autofix.search.repair import RepairShop
from autofix.search.repair_record import Repair
from autofix.search.starts import Start, starts_of
from autofix.settings import Settings
from autofix.state import Snapshot
from autofix.trackers import Trackers
from autofix.trackers.tracker import OWN, REPAIRED


def projected_s(epoch_s: Sequence[float], epochs: int) -> float:
    """Seconds that a training will take in all, of which some epochs are over.

    The first epoch builds and compiles, which may take longer than all others together: it counts once.

    Args:
        epoch_s: Seconds of each epoch so far, at least one.
        epochs: Of the whole training.

    Example:

    >>> projected_s([1.0, 0.1], epochs=11)
    2.0
    """
    first, later = epoch_s[0], epoch_s[1:] or epoch_s
    return first + (epochs - 1) * sum(later) / len(later)


class Follower(keras.callbacks.Callback):
    """Looks at the training of a repaired model at geometrically spaced epochs, for the report.

    Args:
        look: Looks, after the epoch that it is given.
    """

    def __init__(self, look: Callable[[int], None]) -> None:
        super().__init__()
        self._look = look
        self._first_epoch: int | None = None
        self.last_epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._first_epoch is None:
            self._first_epoch = epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.last_epoch = epoch + 1
        if is_power(self.last_epoch - (self._first_epoch or 0), LOOK_FACTOR):
            with contextlib.suppress(Exception):  # the training counts, and is looked at once more when it is over
                self._look(self.last_epoch)


class Watch(CollapseMonitor):
    """Watches, looks for a repair on suspicion, and stops the training when it has one.

    Args:
        source: What `fit` was given.
        settings: How to work.
        console: Where progress is shown.
        trackers: What else the looks are told to; None for nothing.
        on_stop: Called before the training is stopped.

    Attributes:
        repair: What came of the attempt, None before one.
        initial: The model's values when its training began.
        starts: What the repaired network may start from, best first; empty before a repair.
        suspected: The look that raised the suspicion.
        repaired_looks: Those at the training of the repaired model.
        notes: What failed.
        epoch_losses: Mean training loss of each epoch so far.
        epoch_s: Seconds that each epoch so far took, without the looks.
        watch_s: Seconds of the training until the suspicion.
        looks_s: Seconds spent in here, an attempt at a repair left out.
        spent: Iterators of the training whose epochs ended with a search.
    """

    def __init__(
        self,
        source: Source,
        settings: Settings,
        console: Console,
        trackers: Trackers | None = None,
        on_stop: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self._on_stop = on_stop
        self._source = source
        self._is_waiting = True
        self._settings = settings
        self._console = console
        self._trackers = Trackers() if trackers is None else trackers
        self._training = OWN
        self.repair: Repair | None = None
        self.shop: RepairShop | None = None
        self.initial: Snapshot | None = None
        self.starts: Iterator[Start] = iter(())
        self._sound: list[SoundLoss] = []
        self.suspected: Look | None = None
        self.repaired_looks: list[Look] = []
        self.notes: list[str] = []
        self.epoch_losses: list[float] = []
        self.epoch_s: list[float] = []
        self.watch_s = 0.0
        self.looks_s = 0.0
        self.spent = SpentIterators()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._began = time.perf_counter()
        self._guarded(self._begin)

    def _begin(self) -> None:
        self.looks = []
        self._first_epoch = None
        if self._source.is_ready:
            self._take_sample()
        if self._is_waiting or self._data is not None:
            self._build()
            build_optimizer(self.model)
            self.initial = Snapshot(self.model)
            self._prepare(self._data)

    def _build(self) -> None:
        """Builds the model, as Keras would in the first step, so that its beginning can be kept."""
        if all(layer.built for layer in self.model._flatten_layers()):
            return
        inputs = self._source.example()
        if inputs is None:
            raise Unwatchable("the network is built in its first step only")
        forward(self.model, inputs)

    def _take_sample(self) -> None:
        self._is_waiting = False
        self._data = self._source.sample(self.params.get("steps"))

    def _prepare(self, data: TrainingData | None) -> None:
        try:
            super()._prepare(data)
        except ModelError as reason:
            raise Unwatchable("the losses are not those of the outputs, one by one") from reason
        if data is None:
            return
        if not data.trains_on_targets:
            self._losses = self._reconstruction_losses()
        if len(self._losses) != len(self._targets):
            raise Unwatchable("the targets are not those of the outputs, one by one")
        self._sound = sound_losses(self.model, data, self._losses)
        self._losses = losses_for_now(self._sound, self._losses)

    def _reconstruction_losses(self) -> list[LossSpec | None]:
        """Without targets, outputs that are shaped like the inputs are compared with these."""
        shapes = [tuple(leaf.shape[1:]) for leaf in keras.tree.flatten(self._predict(self._x))]
        if shapes != [target.shape[1:] for target in self._targets]:
            raise Unwatchable("there are no targets, and the outputs are no reconstruction of the inputs")
        return [loss_spec("mean_squared_error")] * len(shapes)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        super().on_epoch_begin(epoch, logs)
        self._epoch_began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch_s.append(time.perf_counter() - self._epoch_began)
        self.epoch_losses.append(float((logs or {}).get("loss", math.nan)))
        self._guarded(self._end_epoch, epoch)

    def _end_epoch(self, epoch: int) -> None:
        if self._is_waiting:
            self._take_sample()
            self._prepare(self._data)
        super().on_epoch_end(epoch)
        if self.looks and self.looks[-1].is_last:
            self.question()

    def _look(self, epoch: int, *, is_last: bool) -> None:
        super()._look(epoch, is_last=is_last)
        self._console.look(epoch, self.looks[-1].heads)
        self._trackers.look(self._training, epoch, self.looks[-1].heads)

    def doubt(self) -> None:
        # Little skill may be all there is: the reference learners tell, once on the way and once at the end.
        look = self.looks[-1]
        if self.shop is not None and not look.is_last:
            return
        shop = self._enter_shop()
        if shop.expects_more_than(look.heads, is_last=look.is_last):
            self.suspect()
        elif look.is_last and self.repair is None:
            self.repair = shop.find_nothing(self.epoch_losses, look.heads)

    def question(self) -> None:
        """Looks whether a training that ended well has only learned its rows by heart, where it was judged by these.

        A test of the data alone comes first: it takes 0.01 s, and most data pass it.
        """
        look, data = self.looks[-1], self._data
        is_settled = self.repair is not None or look.is_weak
        if data is None or is_settled or not self.is_judged_by_training_rows or data.n_training < MIN_ROWS:
            return
        rows = slice(data.n_training)
        if shows_dependence([array[rows] for array in data.inputs], [array[rows] for array in data.targets]):
            return
        self.repair = self._enter_shop().find_nothing(self.epoch_losses, look.heads)
        if self.repair is None:
            self.notes.append(
                f"In the {data.n_training:,} training rows, a test finds no dependence of the targets on the inputs. "
                "Validation rows would tell whether the network has learned more than these."
            )

    def suspect(self) -> None:
        look = self.looks[-1]
        # A training that has ended in a collapse did not get there by itself, whatever its probe did.
        if self.repair is not None and not (look.is_last and self.repair.is_false_alarm):
            return
        self.suspected = look
        is_finite = all(head.is_finite for head in look.heads)
        with self._console.search(describe(look)):
            shop = self._enter_shop()
            self.repair = shop.attempt(self.epoch_losses, is_finite=is_finite, has_ended=look.is_last)
            self._console.outcome(self.repair.describe())
        if self.repair.outcome is not None:
            starts = starts_of(shop.judge, shop.engine, self.repair.outcome, self._settings.base_seed)
            self.starts = itertools.chain([next(starts)], starts)  # if there are none, the training goes on
            self._on_stop()
            self.model.stop_training = True

    def _enter_shop(self) -> RepairShop:
        """The shop, opened at the first call. What is done in there holds the training up."""
        self.spent.keep()
        return self.shop or self._open_shop()

    def _open_shop(self) -> RepairShop:
        assert self._data is not None
        assert self.initial is not None
        self.watch_s = time.perf_counter() - self._began
        own_s = projected_s(self.epoch_s, self._epochs)
        self.shop = RepairShop(self.model, self._data, self._sound, self.initial, self._settings, self._console, own_s)
        return self.shop

    def follow(self) -> Follower:
        """A callback for the training of the repaired model, which begins next."""
        self.watch_model()
        self._training = REPAIRED
        self._losses = [one.loss for one in self._sound]
        self.repaired_looks = []
        self._follower = Follower(self._look_at_repaired)
        return self._follower

    def look_again(self) -> Look:
        """A look at the model as it is now, when the repaired training is over."""
        self._look_at_repaired(self._follower.last_epoch, is_last=True)
        return self.repaired_looks[-1]

    def _look_at_repaired(self, epoch: int, *, is_last: bool = False) -> None:
        self._look(epoch, is_last=is_last)
        look = self.looks.pop()
        self.repaired_looks = [one for one in self.repaired_looks if one.epoch < epoch] + [look]

    @property
    def data(self) -> TrainingData | None:
        """The sample; None without one."""
        return self._data

    @property
    def is_judged_by_training_rows(self) -> bool:
        """Whether the looks are at rows that the network is trained on."""
        return self._data is not None and not self._data.has_held_out

    def predictions(self) -> tuple[Predictions, ...]:
        """What was predicted at the last look, for the report."""
        if not self.looks or self._data is None:
            return ()
        samples = []
        heads = iter(self.looks[-1].heads)
        columns = zip(self._targets, self._predictions, self._losses, self._masks, strict=True)
        for target, prediction, loss, mask in columns:
            if loss is None:
                continue
            head = next(heads)
            sample = sample_predictions(unmasked(mask, target), unmasked(mask, prediction), loss, head)
            samples += [] if sample is None else [sample.labelled("look", head.output_name)]
        return tuple(samples)

    def _guarded(self, step: Any, *arguments: Any) -> None:
        """Nothing that fails in here may harm the user's training: it goes on, unwatched."""
        started = time.perf_counter()
        try:
            step(*arguments)
            if self.shop is None:
                self.looks_s += time.perf_counter() - started
        except Unwatchable as reason:
            self._data, self._is_waiting = None, False
            self.notes.append(f"Trained as model.fit does, and not watched: {reason}.")
        except Exception as error:  # noqa: BLE001
            self._data, self._is_waiting = None, False
            self.repair = None
            self.notes.append(f"autofix failed and left the training alone: {error!r}")
            warnings.warn(self.notes[-1], CollapseWarning, stacklevel=3)
