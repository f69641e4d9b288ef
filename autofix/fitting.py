"""`autofix.fit`: the drop-in for `model.fit`."""

import dataclasses
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from autofix.callbacks.states import CallbackStates
from autofix.data.nonfinite import without_nonfinite_rows
from autofix.data.sources import open_source
from autofix.data.training_data import TrainingData
from autofix.errors import CollapseWarning, ModelError, UnrepairedError
from autofix.gathering import attempt, circumstances, layer_health, trace
from autofix.monitoring.console import Console
from autofix.monitoring.monitor import Look, describe
from autofix.recipe import Recipe
from autofix.report import Report
from autofix.report.records import Finding, RunRecord, Script
from autofix.report.traces import Circumstances, Trace
from autofix.search.repair_record import Repair
from autofix.search.starts import FINAL_TRAININGS
from autofix.settings import DEFAULT_ACCEPT, DEFAULT_MAX_TRIALS, Settings
from autofix.state import RandomState
from autofix.strategy import Strategy, resolve_strategies
from autofix.surgery.adopt import Adoption, is_raised_by
from autofix.surgery.script import written
from autofix.trackers import open_trackers
from autofix.watch import Watch


def fit(
    model: keras.Model,
    x: Any = None,
    y: Any = None,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: int | str = "auto",
    callbacks: Any = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: bool | str = True,
    class_weight: dict[int, float] | None = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    validation_steps: int | None = None,
    validation_batch_size: int | None = None,
    validation_freq: int = 1,
    *,
    strategies: Sequence[str | Strategy] | None = None,
    order: str = "evidence",
    max_trials: int = DEFAULT_MAX_TRIALS,
    budget_s: float | None = None,
    accept: float = DEFAULT_ACCEPT,
    seed: int | None = None,
    on_unrepaired: str = "warn",
    on_nonfinite: str = "raise",
    directory: str | Path | None = None,
    log_dir: str | Path | None = None,
) -> keras.callbacks.History:
    """Trains a model as `model.fit` does, and repairs the training when it collapses.

    A healthy model trains exactly as with `model.fit`. One that would end up predicting the same for every row is
    caught after a few epochs, diagnosed, repaired by the smallest change that is proven on held-out rows, and
    trained; `model` itself then carries the repair. Where nothing can be repaired, it ends as `model.fit` leaves it.

    Args:
        model: A compiled Keras model. Changed in place, as by `model.fit`.
        x: As in `keras.Model.fit`, as are all arguments up to `validation_freq`.
        y: As in Keras.
        batch_size: As in Keras.
        epochs: As in Keras.
        verbose: As in Keras; 0 silences autofix too.
        callbacks: As in Keras.
        validation_split: As in Keras.
        validation_data: As in Keras; these rows are what a repair is proven on.
        shuffle: As in Keras.
        class_weight: As in Keras.
        sample_weight: As in Keras.
        initial_epoch: As in Keras.
        steps_per_epoch: As in Keras.
        validation_steps: As in Keras.
        validation_batch_size: As in Keras.
        validation_freq: As in Keras.
        strategies: Names or instances of the strategies to use; None for all that are installed.
        order: `"evidence"` to begin with what treats the likeliest causes, `"ladder"` for the fixed order, `"random"`
            for a random one, to compare with.
        max_trials: Most trials of the search, the control arm included.
        budget_s: Seconds that the trials may take; None for what the run itself would take.
        accept: Share of the reference learners' skill, above 0 and at most 1, that ends the search.
        seed: Of splits, trials and the repaired network's initial weights; None for a fixed one.
        on_unrepaired: `"warn"`, or `"raise"` for an `UnrepairedError`, when a collapsed training stays collapsed.
        on_nonfinite: `"raise"` for a `DataError` where values are NaN or infinite, `"drop"` to leave such rows out of
            arrays, with a note in the report.
        directory: Folder for the trials, so that a killed search resumes; None to keep none.
        log_dir: Folder for TensorBoard: spread and skill by epoch, and the trials; None for none. Where a run of
            MLflow is active, it gets the same, and the report.

    Returns:
        The `History` of the training that produced the model, with a `Report` as its attribute `report`.

    Raises:
        ArgumentError: An argument of autofix's own is out of range.
        StrategyError: A strategy is unknown.
        ModelError: The model is not compiled.
        DataError: Rows are missing, lengths differ, or values are not finite numbers.
        UnrepairedError: With `on_unrepaired="raise"` only; its `report` says what was tried.

    Example:

    >>> import keras, numpy as np, autofix
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(loss="mse", optimizer=keras.optimizers.SGD(0.1))
    >>> x = np.linspace(-1, 1, 64)[:, None]
    >>> autofix.fit(model, x, 3 * x, epochs=20, verbose=0).report.verdict
    'healthy'
    """
    settings = Settings(
        strategies, order, max_trials, budget_s, accept, seed, on_unrepaired, directory, on_nonfinite, log_dir
    )
    resolve_strategies(strategies)
    arguments = {
        "x": x,
        "y": y,
        "batch_size": batch_size,
        "epochs": epochs,
        "verbose": verbose,
        "callbacks": callbacks,
        "validation_split": validation_split,
        "validation_data": validation_data,
        "shuffle": shuffle,
        "class_weight": class_weight,
        "sample_weight": sample_weight,
        "initial_epoch": initial_epoch,
        "steps_per_epoch": steps_per_epoch,
        "validation_steps": validation_steps,
        "validation_batch_size": validation_batch_size,
        "validation_freq": validation_freq,
    }
    return _Run(model, arguments, settings).fit()


class _Run:
    """One call of `fit`: the steps, in order."""

    def __init__(self, model: keras.Model, arguments: dict[str, Any], settings: Settings) -> None:
        if not getattr(model, "compiled", False):
            raise ModelError(
                "The model is not compiled. Expected a model after model.compile(loss=..., optimizer=...). "
                f"Received: model={model!r}. Call model.compile first."
            )
        self._model = model
        self._arguments = arguments
        self._settings = settings
        self._started = time.perf_counter()
        self._callbacks = _callback_list(arguments["callbacks"])
        self._randomness = RandomState()
        self._notes: list[str] = []
        if settings.on_nonfinite == "drop":
            arguments, self._notes = without_nonfinite_rows(arguments)
            self._arguments = arguments
        self._source = open_source(model, arguments, settings.base_seed)
        self._console = Console(arguments["verbose"])
        self._script = Script()
        self._trackers = open_trackers(settings.log_dir)

    def fit(self) -> keras.callbacks.History:
        self._trackers.begin(self._settings.parameters)
        if constant := self._source.constant_targets():
            return self._fit_constant(constant)
        self._states = CallbackStates(self._callbacks, self._model)
        watch = Watch(self._source, self._settings, self._console, self._trackers, on_stop=self._states.withhold_ends)
        try:
            history = self._plain_fit(self._source.first(), watch)
            watch.spent.let_go()
            if watch.repair is not None and watch.repair.outcome is not None:
                self._states.restore(resume=False)
                return self._adopt(history, watch, watch.repair)
        finally:
            self._states.drop_ends()
        return self._finish(history, self._record(history, watch, _verdict(watch)))

    def _plain_fit(
        self, arguments: dict[str, Any], watch: keras.callbacks.Callback | None = None
    ) -> keras.callbacks.History:
        """`model.fit` as the user called it, with the watch as its last callback."""
        callbacks = arguments["callbacks"]
        if watch is None:
            return self._model.fit(**arguments)
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            return self._model.fit(**{**arguments, "callbacks": [*self._callbacks, *self._progress_bar(), watch]})
        # Keras leaves such a list as it is: nobody else tells the watch what it watches.
        watch.set_model(self._model)
        watch.set_params({"epochs": arguments["epochs"]})
        callbacks.callbacks.append(watch)
        try:
            return self._model.fit(**arguments)
        finally:
            callbacks.callbacks.remove(watch)

    def _progress_bar(self) -> list[keras.callbacks.Callback]:
        """Keras' own progress bar, to stand before the watch: its line is finished before anything else is said."""
        has_own = any(isinstance(one, keras.callbacks.ProgbarLogger) for one in self._callbacks)
        if has_own or not self._arguments["verbose"]:
            return []
        bar = keras.callbacks.ProgbarLogger()
        bar.async_safe = True  # as Keras takes the one for that it adds by itself
        return [bar]

    def _fit_constant(self, names: list[str]) -> keras.callbacks.History:
        """The honest verdict on targets that are all the same, before any training."""
        finding = Finding(
            "constant_targets",
            1.0,
            f"Every row has the same target in {', '.join(names)}, so there is nothing to learn from the inputs.",
        )
        record = RunRecord("unlearnable", findings=(finding,), notes=(*self._notes, "Trained as model.fit does."))
        self._complain(record)
        history = self._plain_fit(self._source.plain())
        seconds, own = {"total": self._elapsed()}, trace((), history, self._initial_epoch)
        record = dataclasses.replace(record, seconds=seconds, own=own, circumstances=self._circumstances(None))
        history.report = Report(record)
        self._trackers.finish(history.report)
        return history

    def _adopt(self, broken: keras.callbacks.History, watch: Watch, repair: Repair) -> keras.callbacks.History:
        """Steps 6 and 7: the model takes over the repair, trains as the user asked, and is checked again."""
        assert repair.outcome is not None
        assert watch.initial is not None
        recipe, proven = repair.outcome.recipe, repair.outcome.skill_lower
        started = time.perf_counter()
        adoption = Adoption(self._model, recipe, watch.initial)
        for number in range(FINAL_TRAININGS):
            try:
                history, look = self._train_repaired(adoption, watch, recipe)
            except Exception as error:
                if is_raised_by(error, self._callbacks):
                    raise
                return self._start_over(adoption, watch, f"The repaired training failed: {error!r}")
            if look.skill >= proven or number == FINAL_TRAININGS - 1:
                break
            # Unlucky shuffles can kill units that the trials kept: other initial weights are as good, and proven too.
            adoption.undo()
            self._states.restore(resume=False)
        if any(head.is_collapsed for index, head in enumerate(look.heads) if index not in repair.excused):
            return self._start_over(adoption, watch, f"The repaired training collapsed too. {describe(look)}")
        self._states.deliver_ends()
        record = self._record(broken, watch, "repaired")
        record.seconds["final"] = time.perf_counter() - started
        record = dataclasses.replace(
            record,
            recipe=recipe,
            after=look.heads,
            mattering=repair.mattering,
            repaired=self._trace_repaired(history, watch),
            script=self._script,
        )
        return self._finish(history, record)

    def _train_repaired(self, adoption: Adoption, watch: Watch, recipe: Recipe) -> tuple[keras.callbacks.History, Look]:
        start = next(watch.starts)
        adoption.apply(start.values)
        changes = recipe.fit_arguments
        if "epochs" in changes:
            changes["epochs"] += self._initial_epoch
        arguments = self._source.repaired(changes)
        self._script = written(self._model, recipe, self._arguments, arguments, start.seed, self._settings.base_seed)
        self._states.withhold_ends()  # until it is known that this training counts
        history = self._plain_fit(arguments, watch.follow())
        return history, watch.look_again()

    def _trace_repaired(self, history: keras.callbacks.History, watch: Watch) -> Trace:
        layers = () if watch.data is None else layer_health(self._model, watch.data)
        return trace(watch.repaired_looks, history, self._initial_epoch, layers)

    def _start_over(self, adoption: Adoption, watch: Watch, why: str) -> keras.callbacks.History:
        """What `model.fit` would have given: the user's own training, from where it began."""
        adoption.undo()
        self._randomness.restore()
        self._states.restore()
        self._notes.append(why)
        history = self._plain_fit(self._source.plain())
        return self._finish(history, self._record(history, watch, "unrepaired"))

    def _record(self, history: keras.callbacks.History, watch: Watch, verdict: str) -> RunRecord:
        """What there is to say but for a repair.

        Args:
            history: Of the user's own training.
            watch: That watched it.
            verdict: As in `RunRecord`.
        """
        repair = watch.repair
        last = watch.looks[-1] if watch.looks else None
        seen = last if verdict == "healthy" else watch.suspected or last
        record = RunRecord(
            verdict,
            before=seen.heads if seen else (),
            before_epoch=seen.epoch if seen else 0,
            notes=(*self._notes, *self._states.notes, *watch.notes),
            seconds={"looks": watch.looks_s, **({"watch": watch.watch_s} if repair else {})},
            own=trace(watch.looks, history, self._initial_epoch),
            circumstances=self._circumstances(watch.data),
        )
        if repair is None:
            return dataclasses.replace(record, predictions=attempt(watch.predictions))
        return dataclasses.replace(
            record,
            findings=repair.findings,
            references=repair.references,
            trials=repair.trials,
            left_out=repair.left_out,
            evidence=None if repair.evidence is None else repair.evidence.to_dict(),
            predictions=repair.predictions,
            seconds={**record.seconds, **repair.seconds},
        )

    def _finish(self, history: keras.callbacks.History, record: RunRecord) -> keras.callbacks.History:
        record.seconds["total"] = self._elapsed()
        history.report = Report(record)
        self._trackers.finish(history.report)
        self._console.verdict(record)
        if record.verdict in ("unrepaired", "unlearnable"):
            self._complain(record)
        return history

    def _complain(self, record: RunRecord) -> None:
        report = Report(record)
        if self._settings.on_unrepaired == "raise":
            error = UnrepairedError(f"The training is {record.verdict}. {report.headline}")
            error.report = report
            raise error
        warnings.warn(report.headline, CollapseWarning, stacklevel=_frames_to_the_user())

    @property
    def _initial_epoch(self) -> int:
        return int(self._arguments["initial_epoch"] or 0)

    def _circumstances(self, data: TrainingData | None) -> Circumstances:
        return circumstances(fit, self._arguments, self._settings, self._source, data)

    def _elapsed(self) -> float:
        return time.perf_counter() - self._started


def _verdict(watch: Watch) -> str:
    if not watch.looks or not watch.looks[-1].heads:
        return "not_assessed"
    last, repair = watch.looks[-1], watch.repair
    if repair is None:
        return "unrepaired" if last.is_collapsed else "healthy"
    was_wrong = not repair.is_false_alarm
    is_memory = repair.found_nothing and watch.is_judged_by_training_rows
    if not last.is_collapsed and not (was_wrong and last.is_weak) and not is_memory:
        return "healthy"
    return "unrepaired" if repair.is_learnable else "unlearnable"


def _frames_to_the_user() -> int:
    """The `stacklevel` at which a warning of the caller points to the line that called autofix."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] == "autofix":
        level, frame = level + 1, frame.f_back
    return level


def _callback_list(callbacks: Any) -> list[Any]:
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return list(callbacks.callbacks)
    return [callback for callback in keras.tree.flatten(callbacks) if callback is not None]
