"""Trials: recipes trained on the training part of each split, and what they are worth on its held-out part."""

import dataclasses
import time
from collections.abc import Iterator, Sequence

import numpy as np

from autofix.data.training_data import MIN_HELD_OUT_ROWS, Split, TrainingData
from autofix.recipe import Recipe
from autofix.report.traces import Predictions
from autofix.scoring.assess import Assessment
from autofix.search.held_out import HeadScore, HeldOut
from autofix.search.probe import ProbeEngine, ProbeRun

RUN_SHARE = 1 / 20
"""Share of the budget that one trial may take: enough for a ladder of trials and their confirmations."""

MIN_STEPS = 50
"""A trial is never cut shorter than this."""

SEEDS_A_REPEAT = 1000
"""Keeps the seeds of one repeat's folds apart from the next's."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A recipe's held-out result.

    Args:
        recipe: What was run.
        scores: One an output, with the losses of every held-out row.
        seconds: Wall time.
    """

    recipe: Recipe
    scores: tuple[HeadScore, ...]
    seconds: float

    @property
    def heads(self) -> tuple[Assessment, ...]:
        """One assessment an output, pooled over the splits."""
        return tuple(score.assessment for score in self.scores)

    @property
    def skill(self) -> float:
        """Mean skill over the outputs; NaN when any prediction is not finite."""
        return float(np.mean([head.skill for head in self.heads]))

    @property
    def skill_lower(self) -> float:
        """The mean of the outputs' lower bounds."""
        return float(np.mean([head.skill_lower for head in self.heads]))

    @property
    def skill_upper(self) -> float:
        """The mean of the outputs' upper bounds."""
        return float(np.mean([head.skill_upper for head in self.heads]))

    def samples(self, source: str, names: Sequence[str]) -> tuple[Predictions, ...]:
        """Some of the predictions, for the report.

        Args:
            source: As in `Predictions`.
            names: Of the outputs.
        """
        named = zip(self.scores, names, strict=True)
        return tuple(score.sample.labelled(source, name) for score, name in named if score.sample is not None)

    @property
    def spread(self) -> float:
        """The largest spread over the outputs."""
        return float(np.max([head.spread for head in self.heads]))


class Trials:
    """Runs recipes on the splits of a sample, and remembers what came of them.

    Args:
        engine: Runs the trainings.
        data: The sample.
        held_out: Splits it, and scores predictions of held-out rows.
        shapes: Of one row of each output, as its loss takes it.
        seed: Of initial weights and shuffles.
        budget_s: Seconds that all trials together may take.
    """

    def __init__(
        self,
        engine: ProbeEngine,
        data: TrainingData,
        held_out: HeldOut,
        shapes: Sequence[tuple[int, ...]],
        *,
        seed: int,
        budget_s: float,
    ) -> None:
        self._engine = engine
        self._data = data
        self._held_out = held_out
        self._shapes = shapes
        self._seed = seed
        self._budget_s = budget_s
        self._outcomes: dict[tuple[Recipe, int], Outcome] = {}
        self._first_outcomes: dict[tuple[Recipe, int], Outcome] = {}
        self._runs: dict[tuple[Recipe, int], list[ProbeRun]] = {}
        self._control_at_half: Outcome | None = None

    def run(self, recipe: Recipe, repeat: int) -> Outcome:
        """Trains the recipe on each split's training part and assesses its held-out part; asked again, remembers.

        Args:
            recipe: What to change. Empty for the control arm, in repeat 0 from the user's own initial weights.
            repeat: Which splits, initial weights and shuffles; the same number gives the same ones.
        """
        key = (recipe, repeat)
        if key not in self._outcomes:
            splits = self._affordable_splits(repeat)
            self._outcomes[key] = self._run_on(splits, recipe, repeat, len(splits))
            runs = self._runs.pop(key)
            halves = [run.earlier for run in runs if run.earlier is not None]
            if halves:
                self._control_at_half = self._outcome(recipe, splits, halves, time.perf_counter())
        return self._outcomes[key]

    def growing(self, recipe: Recipe, repeat: int) -> Iterator[Outcome]:
        """Its outcome on as few splits as have held-out rows enough to tell, then on all, run as they are asked for.

        Args:
            recipe: As in `run`.
            repeat: As in `run`.
        """
        key = (recipe, repeat)
        if key not in self._first_outcomes:
            splits = self._affordable_splits(repeat)
            n_rows = np.cumsum([len(test_rows) for _, test_rows in splits])
            n_first = 1 + int(np.searchsorted(n_rows[:-1], MIN_HELD_OUT_ROWS))
            self._first_outcomes[key] = self._run_on(splits, recipe, repeat, n_first)
        yield self._first_outcomes[key]
        yield self.run(recipe, repeat)

    def _run_on(self, splits: Sequence[Split], recipe: Recipe, repeat: int, n_first: int) -> Outcome:
        """The outcome on the first so many splits of a repeat; trains on those of them that it was not trained on."""
        started = time.perf_counter()
        runs = self._runs.setdefault((recipe, repeat), [])
        runs += [self._train(recipe, repeat, splits, fold) for fold in range(len(runs), n_first)]
        return self._outcome(recipe, splits[:n_first], [run.predictions for run in runs], started)

    @property
    def outcomes(self) -> list[Outcome]:
        """All of `run` so far."""
        return list(self._outcomes.values())

    def remembered(self, recipe: Recipe) -> Outcome | None:
        """The outcome of a recipe in repeat 0, if it has been run."""
        return self._outcomes.get((recipe, 0))

    def control_at_half(self) -> Outcome | None:
        """The control arm after half of its steps; None where it was not run for all of them."""
        self.run(Recipe(), 0)
        return self._control_at_half

    def control_throughout(self) -> Outcome:
        """The control arm with every training row held out once; as it is where that is so already, or takes long."""
        splits = self._held_out.splits(0, throughout=True)
        if self._is_cut(splits) or len(splits) == len(self._held_out.splits(0)):
            return self.run(Recipe(), 0)
        started = time.perf_counter()
        runs = [self._train(Recipe(), 0, splits, fold) for fold in range(len(splits))]
        return self._outcome(Recipe(), splits, [run.predictions for run in runs], started)

    def run_permuted(self, recipe: Recipe, twin: TrainingData) -> tuple[HeadScore, ...]:
        """What a recipe is worth on the first split when it is trained on the targets of another sample.

        Args:
            recipe: What to change.
            twin: The same rows with other targets.
        """
        splits = self._affordable_splits(0)[:1]  # a leak is in all of them
        steps = self._steps(recipe, len(splits))
        run = self._engine.run(recipe, splits[0][0], seed=self._seed, steps=steps, targets=twin.targets)
        return self._scores(HeldOut(twin, self._held_out.losses, self._seed), splits, [run.predictions])

    def training_loss(self, recipe: Recipe, seed: int) -> float:
        """Mean loss on all training rows after training on them, relative to the best constant's.

        The larger one of two trainings that differ in their shuffles: dying units depend on these too.
        """
        rows = np.arange(self._data.n_training)
        steps = self._steps(recipe, 1)
        losses = []
        for shuffle_seed in (seed, seed + SEEDS_A_REPEAT):
            run = self._engine.run(recipe, rows, seed=seed, steps=steps, shuffle_seed=shuffle_seed)
            heads = self._outcome(recipe, [(rows, rows)], [run.predictions], time.perf_counter()).heads
            losses.append(np.mean([1.0 - head.skill if head.is_finite else np.inf for head in heads]))
        return float(max(losses))

    def _train(self, recipe: Recipe, repeat: int, splits: Sequence[Split], fold: int) -> ProbeRun:
        """Trains on the training part of one of the splits; the control arm is also looked at halfway."""
        is_own = not recipe and repeat == 0
        steps = self._steps(recipe, len(splits))
        return self._engine.run(
            recipe,
            splits[fold][0],
            seed=self._seed + SEEDS_A_REPEAT * repeat + fold,
            steps=steps,
            own_initialization=is_own,
            also_after=steps // 2 if is_own and not self._is_cut(splits) else 0,
        )

    def _affordable_splits(self, repeat: int) -> list[Split]:
        """All splits of a repeat, or the first alone where that buys trials of a longer horizon.

        Decided by the user's own recipe, so that all recipes are judged on the same rows.
        """
        splits = self._held_out.splits(repeat)
        return splits[:1] if self._is_cut(splits) and len(splits[0][1]) >= MIN_HELD_OUT_ROWS else splits

    def _is_cut(self, splits: Sequence[Split]) -> bool:
        """Whether the budget allows the user's own recipe less than its whole horizon on so many splits."""
        return self._affordable_steps(Recipe(), len(splits)) < self._data.total_steps

    def _steps(self, recipe: Recipe, n_splits: int) -> int:
        """The recipe's horizon, cut to what the budget allows a trial."""
        changes = recipe.fit_arguments
        per_epoch = self._data.steps_per_epoch
        if "batch_size" in changes:
            per_epoch = -(-self._data.n_rows // int(changes["batch_size"]))
        horizon = int(changes.get("epochs", self._data.epochs)) * per_epoch
        return int(min(horizon, max(MIN_STEPS, self._affordable_steps(recipe, n_splits))))

    def _affordable_steps(self, recipe: Recipe, n_splits: int) -> float:
        return RUN_SHARE * self._budget_s / n_splits / self._engine.seconds_per_step(recipe)

    def _outcome(
        self, recipe: Recipe, splits: Sequence[Split], predictions: Sequence[list[np.ndarray]], started: float
    ) -> Outcome:
        scores = self._scores(self._held_out, splits, predictions)
        return Outcome(recipe, scores, time.perf_counter() - started)

    def _scores(
        self, held_out: HeldOut, splits: Sequence[Split], predictions: Sequence[list[np.ndarray]]
    ) -> tuple[HeadScore, ...]:
        scores = []
        for index in held_out.judged:
            pairs = zip(predictions, splits, strict=True)
            values = np.concatenate([arrays[index][rows] for arrays, (_, rows) in pairs])
            if values.shape[1:] != self._shapes[index]:
                # Of a head that the targets do not fit: whatever it says is wrong.
                values = np.full((len(values), *self._shapes[index]), np.nan)
            scores.append(held_out.score(index, splits, values))
        return tuple(scores)
