"""The watch inside the user's own run: the monitor of `autofix.fit`, which repairs where the public one warns."""

import time
import warnings
from collections.abc import Sequence
from typing import Any

import keras

from autofix.console import Console
from autofix.data import TrainingData
from autofix.errors import CollapseWarning
from autofix.feeding import build_optimizer, forward
from autofix.monitor import CollapseMonitor, Look, describe
from autofix.repair import Repair, RepairShop
from autofix.settings import MIN_BUDGET_S, Settings
from autofix.state import Snapshot


class Watch(CollapseMonitor):
    """Watches, looks for a repair on suspicion, and stops the training when it has one.

    Args:
        data: The sample; None to look at nothing.
        settings: How to work.
        console: Where progress is shown.

    Attributes:
        repair: What came of the attempt, None before one.
        initial: The model's values when its training began.
        initial_values: What the repaired network may start from, best first; empty before a repair.
        suspected: The look that raised the suspicion.
        notes: What failed.
        watch_s: Seconds of the training until the suspicion.
        looks_s: Seconds spent in here, an attempt at a repair left out.
    """

    def __init__(self, data: TrainingData | None, settings: Settings, console: Console) -> None:
        super().__init__()
        self._sample = data
        self._settings = settings
        self._console = console
        self.repair: Repair | None = None
        self.shop: RepairShop | None = None
        self.initial: Snapshot | None = None
        self.initial_values: list[Sequence[Any]] = []
        self.suspected: Look | None = None
        self.notes: list[str] = []
        self.watch_s = 0.0
        self.looks_s = 0.0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._began = time.perf_counter()
        self._guarded(self._begin)

    def _begin(self) -> None:
        if self._sample is None:
            return
        _build(self.model, self._sample)
        self._prepare(self._sample)
        self.initial = Snapshot(self.model)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._guarded(super().on_epoch_end, epoch, logs)

    def doubt(self) -> None:
        # Little skill may be all there is: the reference learners tell, once a training.
        if self.shop is None and self._open_shop().expects_more_than(self.looks[-1].heads):
            self.suspect()

    def suspect(self) -> None:
        if self.repair is not None:
            return
        self.suspected = self.looks[-1]
        self._console.suspicion(describe(self.suspected))
        shop = self.shop or self._open_shop()
        self.repair = shop.attempt()
        if self.repair.outcome is not None:
            recipe = self.repair.outcome.recipe
            self.initial_values = [shop.engine.initial_values(recipe, seed) for seed in self.repair.initializations]
            self.model.stop_training = True

    def _open_shop(self) -> RepairShop:
        assert self._data is not None
        assert self.initial is not None
        self.watch_s = time.perf_counter() - self._began
        projected = self.watch_s / self.looks[-1].epoch * self._epochs
        budget_s = self._settings.budget_s or max(MIN_BUDGET_S, projected)
        self.shop = RepairShop(
            self.model, self._data, self._losses, self.initial, self._settings, self._console, budget_s
        )
        return self.shop

    def look_again(self) -> Look:
        """A look at the model as it is now, repaired."""
        self.watch_model()
        self._look(self._epochs)
        return self.looks[-1]

    def _guarded(self, step: Any, *arguments: Any) -> None:
        """Nothing that fails in here may harm the user's training: it goes on, unwatched."""
        started = time.perf_counter()
        try:
            step(*arguments)
            if self.shop is None:
                self.looks_s += time.perf_counter() - started
        except Exception as error:  # noqa: BLE001
            self._data = None
            self.repair = None
            self.notes.append(f"autofix failed and left the training alone: {error!r}")
            warnings.warn(self.notes[-1], CollapseWarning, stacklevel=3)


def _build(model: keras.Model, data: TrainingData) -> None:
    """Builds the model and its optimizer, as Keras would in the first step, so that their beginning can be kept."""
    if not all(layer.built for layer in model._flatten_layers()):
        first = keras.tree.pack_sequence_as(data.x_structure, [array[:1] for array in data.inputs])
        forward(model, first)
    build_optimizer(model)
