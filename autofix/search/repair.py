"""The repair of a suspected training: evidence, references, diagnosis, escalation, the smallest fix."""

import contextlib
import dataclasses
import math
import time
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from autofix import causes
from autofix.data.training_data import N_FOLDS, TrainingData
from autofix.evidence import CurveProfile, Evidence
from autofix.feeding import as_tensor, forward, output_masks
from autofix.measuring.inspection import collect
from autofix.measuring.sound_losses import SoundLoss
from autofix.monitoring.console import Console
from autofix.monitoring.monitor import LOOK_ROWS, output_names
from autofix.recipe import Recipe
from autofix.report.records import TrialRecord
from autofix.scoring.alignment import unmasked
from autofix.scoring.assess import Assessment, assess
from autofix.scoring.task_kinds import task_kind
from autofix.search import memory
from autofix.search.beside import beside
from autofix.search.escalate import (
    HOPELESS_TRIALS_A_RUNG,
    TRIALS_A_RUNG,
    EscalationOracle,
    EscalationTuner,
)
from autofix.search.expectations import FLOOR, learnable_kinds
from autofix.search.identity import identity_of
from autofix.search.judge import Judge
from autofix.search.minimize import minimize
from autofix.search.probe import ProbeEngine
from autofix.search.repair_record import LEAK, Repair, nothing_first, samples_of, too_few, trial_record
from autofix.search.search_space import SearchSpace, Values
from autofix.search.trials import Outcome
from autofix.settings import MIN_BUDGET_S, Settings
from autofix.state import Snapshot, preserved_randomness
from autofix.strategy import Case, resolve_strategies
from autofix.surgery.initialization import is_trained_throughout

CONFIRMED_CANDIDATES = 3
"""Proven recipes that get their confirmation, best first, where none was accepted during the search."""

FALSE_ALARM = "gets there by itself"
"""What the record of the control arm says when the suspicion was wrong."""

SHARE_IN_VAIN = 0.5
"""Share of the time of the user's own training after which no further trial is begun where no reference learner has
found anything: the verdict is not to take longer than that training, and a trial may take as long as all before it."""

HOPELESS_RUNS = 2 * N_FOLDS
"""About how many runs are still to come there: two trials."""

UNRUNNABLE = (tf.errors.OpError, ValueError, TypeError, NotImplementedError)
"""What Keras and TensorFlow raise for a recipe that cannot run as a trial, such as one whose variables are distributed
over devices."""


class RepairShop:
    """Everything one attempt needs, and the judge of its trials.

    Args:
        model: Built and compiled, in the middle of its training. Put back as it was.
        data: The sample.
        sound: What each output is judged by.
        initial: The model's values when its training began.
        settings: How to work.
        console: Where progress is shown.
        own_s: Seconds that the user's own training is projected to take.
    """

    def __init__(
        self,
        model: keras.Model,
        data: TrainingData,
        sound: Sequence[SoundLoss],
        initial: Snapshot,
        settings: Settings,
        console: Console,
        own_s: float,
    ) -> None:
        self._model = model
        self._own_s = own_s
        self._initial = initial
        x = keras.tree.pack_sequence_as(data.x_structure, [as_tensor(array) for array in data.inputs])
        self._data = data = dataclasses.replace(data, masks=output_masks(model, x))
        losses = [one.loss for one in sound]
        self._losses = [None if loss is None else loss.name for loss in losses]
        names = output_names(model, len(losses))
        self._judged_names = [name for name, loss in zip(names, losses, strict=True) if loss is not None]
        self._kinds = [task_kind(loss, target) for loss, target in zip(losses, data.targets, strict=True)]
        self._settings = settings
        self._console = console
        self._is_false_alarm = False
        self._has_ended = False
        self._has_references = False
        self._is_hopeless = False
        self._n_tried = 0
        self._began = math.nan
        self._sufficient_skill = -math.inf
        self._records: list[TrialRecord] = []
        self._seconds: dict[str, float] = {}
        self.engine = ProbeEngine(model, data, initial, keeps_trained=not self._begins_collapsed(initial, sound))
        self.judge = Judge(
            self.engine,
            data,
            losses,
            seed=settings.base_seed,
            accept=settings.accept,
            budget_s=settings.budget_s or max(MIN_BUDGET_S, own_s),
            shapes=[one.shape or shape for one, shape in zip(sound, self.engine.output_shapes, strict=True)],
        )

    def _begins_collapsed(self, initial: Snapshot, sound: Sequence[SoundLoss]) -> bool:
        """Whether the training goes on from an earlier one that had collapsed already.

        Then nothing in the network is worth keeping. Otherwise layers that were trained before, such as those of a
        pretrained network under a new head, are what the user wants to build on.
        """
        current, rows = Snapshot(self._model), self._data.watch_rows(LOOK_ROWS)
        try:
            initial.restore()
            if not is_trained_throughout(self._model):
                return False
            x = [as_tensor(array[rows]) for array in self._data.inputs]
            outputs = forward(self._model, keras.tree.pack_sequence_as(self._data.x_structure, x))
        finally:
            current.restore()
        for index, (output, one) in enumerate(zip(keras.tree.flatten(outputs), sound, strict=True)):
            mask, target = self._data.mask(index, rows), self._data.targets[index][rows]
            if one.loss is None:
                continue
            if one.shape or assess(unmasked(mask, target), unmasked(mask, np.asarray(output)), one.loss).is_collapsed:
                return True
        return False

    def expects_more_than(self, heads: Sequence[Assessment], *, is_last: bool) -> bool:
        """Whether the reference learners show that far more skill is to be had than was seen of the training.

        Args:
            heads: What was seen.
            is_last: Whether no more is to come; then a shortfall counts that a running training might make good.
        """
        if too_few(self._data) is not None:
            return False
        with preserved_randomness(seed=self._settings.base_seed):
            self._compare_with_references(runs_control=False)
        expectations = self.judge.expectations
        is_short = expectations.is_short if is_last else expectations.far_exceeds
        return any(is_short(index, head) for index, head in enumerate(heads))

    def find_nothing(self, epoch_losses: Sequence[float], seen: Sequence[Assessment]) -> Repair | None:
        """The finding that there is nothing to learn, of a finished training with some skill; None where there is.

        Neither a reference learner nor the network itself has skill on held-out rows, and a permutation test finds no
        dependence: what skill it has on the rows that it was trained on is then nothing but memory, or, of so few
        rows that nothing can be ruled out, may well be.

        Args:
            epoch_losses: Mean training loss of each epoch.
            seen: The skill at the end of the training.
        """
        if too_few(self._data) is not None:
            return None
        self.engine.planned_runs = N_FOLDS  # no more than the control arm
        with preserved_randomness(seed=self._settings.base_seed):
            self._compare_with_references()
            evidence = self._collect(epoch_losses)
            findings = causes.rank(evidence)
            references = self.judge.expectations.references
            has_signal = all(finding.cause != "no_signal" for finding in findings) or any(
                reference.skill_lower > 0.0 for reference in references
            )
            if has_signal:
                return None
            try:
                with self._timed("trials"):
                    if self._data.has_held_out:  # then the skill that was seen is none on training rows
                        control, is_memory = self.judge.control(), False
                    else:
                        control, is_memory = memory.compare(seen, self.judge.growing_control())
                if self.judge.has_any_skill(control):
                    return None
            except UNRUNNABLE:
                return None
        few_rows = memory.too_few_to_tell(self._data.n_training)
        may_be_memory = is_memory or (few_rows and not self._data.has_held_out)
        if not (memory.is_ruled_out(references) or may_be_memory):
            return None
        seconds = dict(self._seconds)
        samples = samples_of(self.judge, (), None, self._judged_names)
        findings = nothing_first((*few_rows, *findings))
        return Repair(references=references, findings=findings, seconds=seconds, evidence=evidence, predictions=samples)

    def _compare_with_references(self, *, runs_control: bool = True) -> None:
        """Fits the reference learners, once.

        Args:
            runs_control: Whether the user's own recipe is run next, which is then compiled meanwhile.
        """
        if not self._has_references:
            kinds = learnable_kinds(self._kinds, self._data)
            with beside(lambda: self.judge.learn_references(kinds)) as learned:
                if runs_control:
                    with self._timed("trials"), contextlib.suppress(*UNRUNNABLE):
                        self.engine.compile(Recipe())
                with self._timed("references"):
                    self.judge.expect(learned.result())
            self._has_references = True
        self._console.reference(self.judge.expectations.references)

    def attempt(self, epoch_losses: Sequence[float] = (), *, is_finite: bool = True, has_ended: bool = False) -> Repair:
        """Looks for the smallest proven recipe. The model and all random generators end as they began.

        Args:
            epoch_losses: Mean training loss of each epoch so far.
            is_finite: Whether the predictions that raised the suspicion are finite. Others are wrong after any step.
            has_ended: Whether the training has ended as it is: no false alarm then, whatever the control arm does.
        """
        if (nothing_to_tell := too_few(self._data, is_finite=is_finite)) is not None:
            return nothing_to_tell
        snapshot = Snapshot(self._model)
        self._began = time.perf_counter() - sum(self._seconds.values())
        self._has_ended = has_ended
        try:
            with preserved_randomness(seed=self._settings.base_seed):
                return self._attempt(epoch_losses)
        finally:
            snapshot.restore()

    def _attempt(self, epoch_losses: Sequence[float]) -> Repair:
        self._compare_with_references()
        evidence = self._collect(epoch_losses)
        with self._timed("trials"):
            evidence = dataclasses.replace(evidence, curve=self._measure_control(evidence.curve))
        findings = causes.rank(evidence)
        self._console.cause(findings)
        space = SearchSpace(resolve_strategies(self._settings.strategies), Case(evidence, findings))
        with self._timed("trials"):
            self._escalate(space)
            chosen = None if self._is_false_alarm else self._choose()
            if chosen is not None and self.judge.learns_permuted(chosen.recipe):
                findings, chosen = (LEAK, *findings), None
        if chosen is not None:
            with self._timed("minimize"):
                chosen = minimize(self.judge, chosen, self._record_smaller, space.confidence)
        is_learnable = self._is_learnable()
        if not is_learnable:
            findings = nothing_first(findings)
        return Repair(
            outcome=chosen,
            is_false_alarm=self._is_false_alarm,
            is_learnable=is_learnable,
            trials=tuple(self._records),
            references=self.judge.expectations.references,
            findings=findings,
            mattering=() if chosen is None else space.treated(chosen.recipe),
            left_out=space.left_out,
            excused=() if chosen is None else self.judge.excused(),
            seconds=dict(self._seconds),
            evidence=evidence,
            predictions=samples_of(self.judge, self._records, chosen, self._judged_names),
        )

    def _collect(self, epoch_losses: Sequence[float]) -> Evidence:
        with self._timed("evidence"):
            evidence = collect(self._model, self._data, self._kinds, self._initial, epoch_losses)
        return dataclasses.replace(evidence, references=self.judge.expectations.profile)

    def _measure_control(self, curve: CurveProfile) -> CurveProfile:
        """The control arm at half of its steps and at their end, which tells whether more steps would help."""
        try:
            half, end = self.judge.control_at_half(), self.judge.control()
        except UNRUNNABLE:
            return curve
        return curve if half is None else dataclasses.replace(curve, half_skill=half.skill, end_skill=end.skill)

    def _escalate(self, space: SearchSpace) -> None:
        try:
            self._is_hopeless = self.judge.is_hopeless()
        except UNRUNNABLE:
            # Nothing can be proven where not even the user's own recipe runs as a trial.
            self._records = [self.try_recipe(Recipe(), 0, {})]
            return
        if self._is_hopeless:
            self.engine.planned_runs = HOPELESS_RUNS
        self.judge.begin()
        order, seed = self._settings.order, self._settings.base_seed
        rungs = space.hopeless_rungs(order, seed) if self._is_hopeless else space.rungs(order, seed)
        oracle = EscalationOracle(
            space,
            rungs,
            max_trials=self._settings.max_trials,
            trials_a_rung=HOPELESS_TRIALS_A_RUNG if self._is_hopeless else TRIALS_A_RUNG,
            n_likely=space.n_likely(order),
            seed=seed + 1,
        )
        tuner = EscalationTuner(
            oracle, space, self, self._console.trial, self._settings.directory, self._identity(space, rungs)
        )
        try:
            self._records = list(oracle.records)
            self._is_false_alarm = not self._has_ended and any(record.note == FALSE_ALARM for record in oracle.records)
            self._sufficient_skill = max(
                (r.skill for r in oracle.records if r.status == "sufficient"), default=-math.inf
            )
            if not (oracle.is_stopped or self._is_false_alarm):
                tuner.search()
            self._records = list(oracle.records)
        finally:
            tuner.close()

    def _identity(self, space: SearchSpace, rungs: Sequence[tuple[str, ...]]) -> str:
        settings = {name: [str(value) for value in values] for name, values in space.settings.items()}
        seed, accept = self._settings.base_seed, self._settings.accept
        return identity_of(self._model, self._data, self._losses, (seed, accept), rungs, settings)

    def try_recipe(self, recipe: Recipe, rung: int, values: Values) -> TrialRecord:
        """Runs one trial and judges it. A recipe that cannot run is a failed trial, not an error."""
        self._console.rung(rung, recipe.strategies)
        self._n_tried += rung > 0
        started = time.perf_counter()
        try:
            outcome = self.judge.control() if rung == 0 else self.judge.run(recipe)
            status, note = self._status(outcome, rung)
        except UNRUNNABLE as error:
            seconds = time.perf_counter() - started
            nan = float("nan")
            return TrialRecord(rung, recipe, values, nan, nan, nan, nan, seconds, "failed", f"{error!r:.300}")
        # The control arm was run for the evidence.
        seconds = outcome.seconds if rung == 0 else time.perf_counter() - started
        return trial_record(outcome, rung, values, status, seconds, note)

    def _status(self, outcome: Outcome, rung: int) -> tuple[str, str]:
        if rung == 0:
            self._is_false_alarm = not self._has_ended and self.judge.control_suffices()
            return "control", FALSE_ALARM if self._is_false_alarm else ""
        if not self.judge.is_proven(outcome):
            return "rejected", ""
        if not self.judge.reaches_references(outcome) or outcome.skill <= self._sufficient_skill:
            return "proven", ""
        if not self.judge.confirms(outcome.recipe):
            return "rejected", "not held with fresh initial weights"
        if self.judge.leaves_nothing(outcome):
            return "accepted", ""
        self._sufficient_skill = outcome.skill
        return "sufficient", ""

    def should_stop(self) -> bool:
        """Whether the control arm suffices, the budget is used up, or a hopeless search has taken long enough."""
        return self._is_false_alarm or self.judge.is_out_of_time or self._has_looked_in_vain()

    def _has_looked_in_vain(self) -> bool:
        """Whether a trial was run where there is nothing to learn, and another one might take it beyond `own_s`."""
        elapsed = time.perf_counter() - self._began
        return self._is_hopeless and self._n_tried > 0 and elapsed > SHARE_IN_VAIN * self._own_s

    def _choose(self) -> Outcome | None:
        """The accepted outcome, or the best proven one that is confirmed."""
        # The last one is the best: what is sufficient is better than all before it that were.
        found = [record for record in self._records if record.status in ("accepted", "sufficient")]
        if found:
            return self.judge.run(found[-1].recipe)
        proven = sorted((r for r in self._records if r.status == "proven"), key=lambda record: -record.skill)
        for record in proven[:CONFIRMED_CANDIDATES]:
            if self.judge.confirms(record.recipe):
                return self.judge.run(record.recipe)
        return None

    def _is_learnable(self) -> bool:
        if self._records and all(record.status == "failed" for record in self._records):
            return any(reference.skill_lower > FLOOR for reference in self.judge.expectations.references)
        # Trials that were resumed are known by their mean over the outputs only.
        is_proven = len(self._kinds) == 1 and any(record.skill_lower > FLOOR for record in self._records)
        return is_proven or self.judge.is_learnable()

    def _record_smaller(self, outcome: Outcome, keeps: bool, seconds: float) -> None:
        rung = self._records[-1].rung
        record = trial_record(outcome, rung, {}, "minimal" if keeps else "not minimal", seconds, "")
        self._records.append(record)
        self._console.trial(record)

    @contextlib.contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[part] = self._seconds.get(part, 0.0) + time.perf_counter() - started
