"""The escalation, on KerasTuner: an oracle that climbs the ladder rung by rung, and a tuner that runs the trials.

All that is used of KerasTuner is here and in `autofix.search.search_space`.
"""

import contextlib
import dataclasses
import io
import json
import math
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import keras_tuner
from keras_tuner.engine import trial as trial_module

from autofix.recipe import Recipe
from autofix.report.records import TrialRecord
from autofix.search.search_space import SearchSpace, Values

TRIALS_A_RUNG = 12
"""Most trials on one rung: the default settings, two combinations, and a sweep of each setting."""

HOPELESS_TRIALS_A_RUNG = 1
"""Trials on one rung where no reference learner finds anything to learn: everything so far, together."""

NEVER = 1_000_000
"""KerasTuner aborts a search after this many failures in a row; a failed recipe says nothing about the next."""

MEASURES = ("skill", "skill_lower", "skill_upper", "spread")
"""Fields of a record that may be NaN or infinite."""


@dataclasses.dataclass(frozen=True)
class Proposal:
    """A trial to run: which strategies, with which settings (by `strategy/setting`)."""

    rung: int
    strategies: tuple[str, ...]
    values: Values

    @property
    def key(self) -> str:
        """Equal for trials that would do the same."""
        return json.dumps([sorted(self.strategies), sorted(self.values.items())])


class Escalation(Protocol):
    """What judges the trials; `autofix.search.repair` has the implementation."""

    def try_recipe(self, recipe: Recipe, rung: int, values: Values) -> TrialRecord:
        """Runs a trial to its record."""

    def should_stop(self) -> bool:
        """Whether time or trials are used up."""


class EscalationOracle(keras_tuner.Oracle):
    """Proposes trials: the control arm, then rung by rung, around the best so far, until one is accepted.

    Args:
        space: The strategies and their settings.
        rungs: The strategies that each rung adds.
        max_trials: Most trials, the control arm included.
        trials_a_rung: Most trials on one rung.
        n_likely: How many of the first rungs treat likely causes.
        seed: KerasTuner's; the proposals are deterministic.
    """

    def __init__(
        self,
        space: SearchSpace,
        rungs: Sequence[tuple[str, ...]],
        max_trials: int,
        trials_a_rung: int = TRIALS_A_RUNG,
        n_likely: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(
            objective=keras_tuner.Objective("skill", "max"),
            max_trials=max_trials,
            hyperparameters=space.hyperparameters.copy(),
            seed=seed,
            max_consecutive_failed_trials=NEVER,
        )
        self.verbose = 0
        self.records: list[TrialRecord] = []
        self.is_stopped = False
        self.is_persistent = False
        self.proposals: dict[str, Proposal] = {}
        self._space = space
        self._rungs = list(rungs)
        self._trials_a_rung = trials_a_rung
        self._n_likely = n_likely

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        proposal = None if self.is_stopped else self._next()
        if proposal is None:
            return {"status": trial_module.TrialStatus.STOPPED, "values": None}
        self.proposals[trial_id] = proposal
        return {"status": trial_module.TrialStatus.RUNNING, "values": dict(proposal.values)}

    def tell(self, record: TrialRecord) -> None:
        """Takes the record of a finished trial into account."""
        self.records.append(record)
        self.is_stopped = self.is_stopped or record.status == "accepted"

    def _next(self) -> Proposal | None:
        if not self.records:
            return Proposal(0, (), {})
        # Of proposals, not of records: a strategy that prescribes nothing here is in the one and not in the other.
        tried = {proposal.key for proposal in self.proposals.values()}
        sufficient = [record for record in self.records if record.status == "sufficient"]
        if sufficient:
            further = self._further(sufficient[-1])
            return next((one for one in further if one.key not in tried and not self._is_known(one)), None)
        for rung in range(max(record.rung for record in self.records), len(self._rungs) + 1):
            if rung == 0 or sum(record.rung == rung for record in self.records) >= self._trials_a_rung:
                continue
            for proposal in self._candidates(rung):
                # The recipe too: a strategy may prescribe nothing after another one.
                if proposal.key not in tried and not self._is_rash(proposal) and not self._is_known(proposal):
                    return proposal
        return None

    def _is_rash(self, proposal: Proposal) -> bool:
        """Whether it would overrule the user on no strong evidence, though something proven does without."""
        overruling = self._space.overruling
        if proposal.rung <= self._n_likely or overruling.isdisjoint(proposal.strategies):
            return False
        return any(
            record.status == "proven" and overruling.isdisjoint(record.recipe.strategies) for record in self.records
        )

    def _is_known(self, proposal: Proposal) -> bool:
        recipe = self._space.recipe(proposal.strategies, proposal.values)
        return any(record.recipe == recipe for record in self.records)

    def _candidates(self, rung: int) -> Iterator[Proposal]:
        """What a rung may try, in order: combinations with what is new, what is likely alone, then sweeps."""
        active = [name for group in self._rungs[:rung] for name in group]
        new = self._rungs[rung - 1]
        best = self._best(range(1, rung + 1))
        pinned = best.values if best else {}
        settings = {**self._space.defaults(active), **{k: v for k, v in pinned.items() if k.split("/")[0] in active}}
        for strategies in self._combinations(rung, active, new):
            yield self._proposal(rung, strategies, settings)
        if rung > self._n_likely:
            yield from self._sweeps_of_new(rung, active, new, settings)
        if best is not None and best.status == "proven" and rung == self._n_likely:
            # On the way already: a few cheap trials before strategies that nothing points to, or that cost more.
            yield from self._polish(rung, best)
        # What is as likely as this comes before a sweep that may lead nowhere.
        if rung >= self._n_likely or (best is not None and best.status == "proven"):
            yield from self._sweeps(rung, best)

    def _combinations(self, rung: int, active: Sequence[str], new: Sequence[str]) -> Iterator[Sequence[str]]:
        """Sets of strategies: all so far, those of the best before this rung with the new ones, likely ones alone.

        Where what is likely has to be compiled in part only, what has not comes first: it costs a twentieth.
        """
        before = self._best(range(rung))  # the control arm is among them: what did no better than that is left out
        kept = before.recipe.strategies if before else ()
        added = [name for name in active if name in kept or name in new]
        if rung > self._n_likely:
            yield added
            yield active
            return
        if self._trials_a_rung > 1 and (cheap := self._space.without_compilation(active)):
            yield cheap
        yield active
        yield added
        yield from ([name] for name in new)

    def _sweeps_of_new(
        self, rung: int, active: Sequence[str], new: Sequence[str], settings: Values
    ) -> Iterator[Proposal]:
        """Every value of the new settings on top of the best before this rung: the first one may be the wrong one.

        Only of those that need no new compilation, which cost little.
        """
        before = self._best(range(rung))
        kept = before.recipe.strategies if before else ()
        for strategy in new:
            added = [one for one in active if one in kept or one == strategy]
            yield from self._cheap_sweep(rung, added, strategy, settings)

    def _further(self, found: TrialRecord) -> Iterator[Proposal]:
        """What may do better than what suffices: cheap changes of it, and other likely remedies alone, with theirs.

        Remedies of one cause are alternatives: with a network that explodes, what normalises its layers may be in the
        way of better initial weights.
        """
        yield from self._polish(found.rung, found)
        likely = [name for group in self._rungs[: self._n_likely] for name in group]
        for name in likely if len(likely) > 1 else ():
            yield self._proposal(found.rung, [name], self._space.defaults([name]))
        alone = [record for record in self.records if len(record.recipe) == 1 and record.status == "proven"]
        for record in alone:
            if record.recipe.strategies[0] in likely:
                yield from self._polish(found.rung, record)

    def _polish(self, rung: int, found: TrialRecord) -> Iterator[Proposal]:
        """What may still be had cheaply: other settings, and strategies with settings, that need no new compilation."""
        strategies = found.recipe.strategies
        others = [name for name in self._space.strategies if name not in {*strategies, *self._space.overruling}]
        for strategy in (*strategies, *others):
            yield from self._cheap_sweep(rung, [*strategies, strategy], strategy, found.values)

    def _cheap_sweep(self, rung: int, strategies: Sequence[str], swept: str, settings: Values) -> Iterator[Proposal]:
        """Every value of every setting of one of the strategies; nothing where each would be compiled anew."""
        if self._space.strategies[swept].recompiles:
            return
        for name in self._space.settings_of(swept):
            for value in self._space.settings[name]:
                yield self._proposal(rung, strategies, {**settings, name: value})

    def _sweeps(self, rung: int, best: TrialRecord | None) -> Iterator[Proposal]:
        """One setting changed at a time around the best; settings that need a new compilation come last."""
        if best is None:
            return
        strategies = best.recipe.strategies
        settings = [name for name in self._space.settings if name.split("/")[0] in strategies]
        settings.sort(key=lambda name: self._space.strategies[name.split("/")[0]].recompiles)
        is_last = rung == len(self._rungs)
        for name in settings:
            # A new network for each setting costs more than a rung: left until everything else was tried.
            if self._space.strategies[name.split("/")[0]].recompiles and not is_last:
                continue
            for value in self._space.settings[name]:
                yield self._proposal(rung, strategies, {**best.values, name: value})

    def _proposal(self, rung: int, strategies: Sequence[str], values: Values) -> Proposal:
        chosen = tuple(name for name in self._space.strategies if name in strategies)
        return Proposal(rung, chosen, {k: v for k, v in values.items() if k.split("/")[0] in chosen})

    def _best(self, rungs: range) -> TrialRecord | None:
        scored = [record for record in self.records if record.rung in rungs and record.skill == record.skill]
        return max(scored, key=lambda record: record.skill, default=None)

    def get_state(self) -> dict[str, Any]:
        return {
            **super().get_state(),
            "records": [_strict(record) for record in self.records],
            "proposals": {trial_id: dataclasses.asdict(proposal) for trial_id, proposal in self.proposals.items()},
        }

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.records = [_from_strict(record) for record in state["records"]]
        self.proposals = {
            trial_id: Proposal(values["rung"], tuple(values["strategies"]), values["values"])
            for trial_id, values in state["proposals"].items()
        }
        # A search that ran out of time goes on when it is resumed; one that has its recipe does not.
        self.is_stopped = any(record.status == "accepted" for record in self.records)

    def save(self) -> None:
        if self.is_persistent:
            _write_atomically(self._get_oracle_fname(), self.get_state())

    def _save_trial(self, trial: Any) -> None:
        if self.is_persistent:
            _write_atomically(Path(self._get_trial_dir(trial.trial_id)) / "trial.json", trial.get_state())


def _write_atomically(path: str | Path, state: Any) -> None:
    """KerasTuner writes its files in place (seen in 1.4.8), so that a kill can leave half of one."""
    temporary = Path(f"{path}.tmp")
    temporary.write_text(json.dumps(state))
    temporary.replace(path)


def _strict(record: TrialRecord) -> dict[str, Any]:
    """The record as strict JSON values: JSON has no NaN, which failed trials have."""
    values = record.to_dict()
    return {**values, **{name: str(values[name]) for name in MEASURES if not math.isfinite(values[name])}}


def _from_strict(values: dict[str, Any]) -> TrialRecord:
    return TrialRecord.from_dict({**values, **{name: float(values[name]) for name in MEASURES}})


class EscalationTuner(keras_tuner.Tuner):
    """Runs each trial as a probe; nothing is built, saved or logged by KerasTuner itself.

    Args:
        oracle: Proposes the trials.
        space: Turns proposals into recipes.
        judge: Runs and judges them.
        on_trial: Called with each finished record.
        directory: Project folder, kept for resuming; None for a temporary one.
        fingerprint: Identifies the problem, so that another problem's trials are never resumed.
    """

    def __init__(
        self,
        oracle: EscalationOracle,
        space: SearchSpace,
        judge: Escalation,
        on_trial: Callable[[TrialRecord], None],
        directory: str | Path | None,
        fingerprint: str,
    ) -> None:
        self._space = space
        self._judge = judge
        self._on_trial = on_trial
        self._temporary = None if directory else tempfile.mkdtemp(prefix="autofix-")
        oracle.is_persistent = directory is not None
        # KerasTuner prints when it reloads, whatever `verbose` says (seen in 1.4.8).
        with contextlib.redirect_stdout(io.StringIO()):
            super().__init__(
                oracle=oracle,
                directory=str(directory or self._temporary),
                project_name=f"escalation-{fingerprint}",
                overwrite=False,
            )

    def run_trial(self, trial: Any, *_: Any, **__: Any) -> dict[str, float]:
        proposal = self.oracle.proposals[trial.trial_id]
        recipe = self._space.recipe(proposal.strategies, proposal.values)
        record = self._judge.try_recipe(recipe, proposal.rung, proposal.values)
        self.oracle.tell(record)
        self._on_trial(record)
        if self._judge.should_stop():
            self.oracle.is_stopped = True
        # KerasTuner calls a NaN a failure to retry; the record has the truth.
        return {"skill": record.skill if record.skill == record.skill else -1e9}

    def _try_run_and_update_trial(self, trial: Any, *fit_args: Any, **fit_kwargs: Any) -> None:
        # KerasTuner would swallow the error and go on with the next trial.
        self._run_and_update_trial(trial, *fit_args, **fit_kwargs)
        trial.status = trial_module.TrialStatus.COMPLETED

    def save(self) -> None:
        if self.oracle.is_persistent:
            self.oracle.save()
            _write_atomically(self._get_tuner_fname(), self.get_state())

    def search(self, *fit_args: Any, **fit_kwargs: Any) -> None:
        with warnings.catch_warnings():
            # KerasTuner names threads by a deprecated method (seen in 1.4.8).
            warnings.filterwarnings("ignore", category=DeprecationWarning, module="keras_tuner")
            super().search(*fit_args, **fit_kwargs)

    def close(self) -> None:
        """Removes the temporary project folder, if there is one."""
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
