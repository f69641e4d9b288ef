"""The judge: what a recipe is worth on held-out rows, and when that counts as proven."""

import dataclasses
import time
from collections.abc import Sequence

import numpy as np

from autofix.data.training_data import MIN_HELD_OUT_ROWS, Split, TrainingData, permuted
from autofix.recipe import Recipe
from autofix.report.traces import Predictions
from autofix.scoring.assess import Assessment, improvement_bounds
from autofix.scoring.loss_specs import LossSpec
from autofix.search.expectations import AS_GOOD_AS_PERFECT, FLOOR, Expectations, Learned, learn, score
from autofix.search.held_out import HeadScore, HeldOut
from autofix.search.probe import ProbeEngine

CONFIRMATIONS = 2
"""Repeats with fresh initial weights, shuffles and splits that a recipe must pass as well: a lucky initialisation
is not a repair. At 97.5 % each, three passes in a row by chance are rarer than 1 in 10,000."""

KEPT_SKILL_SHARE = 0.9
"""A smaller recipe, or an output that needed no repair, may lose a tenth of the skill ..."""

KEPT_LOSS_RATIO = 1.25
"""... if it also leaves at most a quarter more of the constant's loss."""

RUN_SHARE = 1 / 20
"""Share of the budget that one trial may take: enough for a ladder of trials and their confirmations."""

MIN_STEPS = 50
"""A trial is never cut shorter than this."""

TWINS = 2
"""Permutations of the targets that a leak must be found with."""

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


class Judge:
    """Runs recipes on held-out rows and compares them with the control arm, the floor and the references.

    Args:
        engine: Runs the trainings.
        data: The sample.
        losses: The loss of each output, or None for outputs that have none (they are not judged).
        shapes: Of one row of each output, as its loss takes it; None for those of the network as it is.
        seed: Of splits, initial weights and shuffles.
        accept: Share of the reference's skill that ends the search.
        budget_s: Seconds that all trials together may take.
    """

    def __init__(
        self,
        engine: ProbeEngine,
        data: TrainingData,
        losses: Sequence[LossSpec | None],
        *,
        seed: int,
        accept: float,
        budget_s: float,
        shapes: Sequence[tuple[int, ...]] | None = None,
    ) -> None:
        self._engine = engine
        self._shapes = engine.output_shapes if shapes is None else list(shapes)
        self._data = data
        self._judged = [index for index, loss in enumerate(losses) if loss is not None]
        self._held_out = HeldOut(data, losses, seed)
        self._seed = seed
        self._accept = accept
        self._budget_s = budget_s
        self._deadline = time.perf_counter() + budget_s
        self._outcomes: dict[tuple[Recipe, int], Outcome] = {}
        self.expectations = Expectations([()] * len(self._judged))

    def begin(self) -> None:
        """Lets the budget begin now: a judge may be asked for references long before any trial."""
        self._deadline = time.perf_counter() + self._budget_s

    @property
    def is_out_of_time(self) -> bool:
        """Whether the budget is used up."""
        return time.perf_counter() > self._deadline

    def control(self, repeat: int = 0) -> Outcome:
        """The user's own recipe, unchanged; in repeat 0 from the user's own initial weights."""
        return self.run(Recipe(), repeat)

    def run(self, recipe: Recipe, repeat: int = 0) -> Outcome:
        """Trains the recipe on each split's training part and assesses its held-out part; asked again, remembers.

        Args:
            recipe: What to change. Empty for the control arm.
            repeat: Which splits, initial weights and shuffles; the same number gives the same ones.
        """
        if (recipe, repeat) not in self._outcomes:
            self._outcomes[recipe, repeat] = self._run(recipe, repeat)
        return self._outcomes[recipe, repeat]

    def remembered(self, recipe: Recipe) -> Outcome | None:
        """The outcome of a recipe in repeat 0, if it has been run."""
        return self._outcomes.get((recipe, 0))

    def _run(self, recipe: Recipe, repeat: int) -> Outcome:
        started = time.perf_counter()
        splits = self._affordable_splits(repeat)
        steps = self._steps(recipe, len(splits))
        return self._trained_on(recipe, repeat, splits, steps, started)

    def _trained_on(self, recipe: Recipe, repeat: int, splits: Sequence[Split], steps: int, started: float) -> Outcome:
        """Trains the recipe for so many steps on each split's training part and assesses its held-out part."""
        probes = [
            self._engine.run(
                recipe,
                train_rows,
                seed=self._seed + SEEDS_A_REPEAT * repeat + fold,
                steps=steps,
                own_initialization=not recipe and repeat == 0,
            )
            for fold, (train_rows, _) in enumerate(splits)
        ]
        return self._outcome(recipe, splits, [probe.predictions for probe in probes], started)

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
        for index in self._judged:
            pairs = zip(predictions, splits, strict=True)
            values = np.concatenate([arrays[index][rows] for arrays, (_, rows) in pairs])
            if values.shape[1:] != self._shapes[index]:
                # Of a head that the targets do not fit: whatever it says is wrong.
                values = np.full((len(values), *self._shapes[index]), np.nan)
            scores.append(held_out.score(index, splits, values))
        return tuple(scores)

    def control_at_half(self) -> Outcome | None:
        """The control arm after half of its steps; None where that would take long."""
        splits = self._affordable_splits(0)
        steps = self._steps(Recipe(), len(splits)) // 2
        if steps < 1 or self._is_cut(splits):
            return None
        return self._trained_on(Recipe(), 0, splits, steps, time.perf_counter())

    def _control_throughout(self) -> Outcome:
        """The control arm with every training row held out once; as it is where that is so already, or takes long."""
        splits = self._held_out.splits(0, throughout=True)
        if self._is_cut(splits) or len(splits) == len(self._held_out.splits(0)):
            return self.control()
        return self._trained_on(Recipe(), 0, splits, self._data.total_steps, time.perf_counter())

    def learns_permuted(self, recipe: Recipe) -> bool:
        """Whether a recipe finds skill where there can be none: in targets that were dealt out anew.

        Rows with equal inputs get equal targets, as they would in a copy of the data: skill then means that held-out
        rows are among the training rows. By chance one permutation in forty is found learnable, two in a row in 1,600.
        """
        return all(self._learns(recipe, permuted(self._data, self._seed + number)) for number in range(TWINS))

    def _learns(self, recipe: Recipe, twin: TrainingData) -> bool:
        splits = self._affordable_splits(0)[:1]  # a leak is in all of them
        steps = self._steps(recipe, len(splits))
        predictions = [
            self._engine.run(recipe, rows, seed=self._seed + fold, steps=steps, targets=twin.targets).predictions
            for fold, (rows, _) in enumerate(splits)
        ]
        scores = self._scores(HeldOut(twin, self._held_out.losses, self._seed), splits, predictions)
        return any(self._has_skill(scores[index].assessment) for index in self.to_repair())

    def is_sufficient(self, outcome: Outcome) -> bool:
        """Whether every output has skill and none is far short of what the references show is to be had."""
        return not self._lacking(outcome)

    def control_suffices(self) -> bool:
        """Whether the user's own recipe is sufficient.

        Where noise dominates, a part of the rows cannot tell little skill from none: then all of them are asked.
        """
        control = self.control()
        if self.is_sufficient(control):
            return True
        heads = [control.heads[index] for index in self._lacking(control)]
        is_uncertain = all(head.is_finite and head.skill_lower <= 0.0 < head.skill_upper for head in heads)
        return is_uncertain and self.is_sufficient(self._control_throughout())

    def _lacking(self, outcome: Outcome) -> list[int]:
        """The outputs that have no skill, or far less than is to be had.

        Where noise dominates, any skill that is there may be all there is: the floor is for those who claim a repair.
        """
        return [
            index
            for index, head in enumerate(outcome.heads)
            if not (head.is_finite and head.skill_lower > 0.0) or self.expectations.is_short(index, head)
        ]

    def to_repair(self, repeat: int = 0) -> list[int]:
        """The outputs that a repair must improve: those that the control arm of a repeat lacks skill in.

        Where there are others, outputs that no reference learner found anything to learn for are left out.
        """
        control = self.control(repeat)
        lacking = self._lacking(control) or self._lacking(self.control()) or list(range(len(control.heads)))
        return [index for index in lacking if not self.expectations.is_hopeless(index)] or lacking

    def excused(self) -> tuple[int, ...]:
        """The outputs without skill that a repair need not improve."""
        return tuple(index for index in self._lacking(self.control()) if index not in self.to_repair())

    def is_hopeless(self) -> bool:
        """Whether no reference learner found anything to learn for the outputs that need a repair."""
        return all(self.expectations.is_hopeless(index) for index in self.to_repair())

    @staticmethod
    def has_any_skill(outcome: Outcome) -> bool:
        """Whether any output is better than a constant, however little."""
        return any(head.is_finite and head.skill_lower > 0.0 for head in outcome.heads)

    def is_learnable(self) -> bool:
        """Whether a reference learner or any trial has skill in an output that needs a repair."""
        return any(
            self.expectations.has_skill(index) or self._has_skill(outcome.heads[index])
            for index in self.to_repair()
            for outcome in list(self._outcomes.values())
        )

    def is_proven(self, outcome: Outcome, repeat: int = 0) -> bool:
        """Whether an outcome beats the floor and the control arm of the same repeat, with its bounds to show it.

        Outputs that need no repair must stay about as good as they were.
        """
        control, needed, excused = self.control(repeat), self.to_repair(repeat), self.excused()
        for index, head in enumerate(outcome.heads):
            if index in excused:
                continue
            lower, upper = self._gain(outcome, control, index)
            if index in needed:
                if not self._has_skill(head) or lower <= 0.0:
                    return False
            elif not head.is_finite or (upper < 0.0 and not _is_as_good(head.skill, control.heads[index].skill)):
                return False
        return True

    @staticmethod
    def _has_skill(head: Assessment) -> bool:
        return head.is_finite and head.skill_lower > FLOOR

    def _gain(self, outcome: Outcome, other: Outcome, index: int) -> tuple[float, float]:
        """Bounds on how much more skill an output has than in another outcome of the same rows."""
        if not other.heads[index].is_finite:
            return (1.0, 1.0) if outcome.heads[index].is_finite else (0.0, 0.0)
        return improvement_bounds(
            outcome.scores[index].losses,
            other.scores[index].losses,
            outcome.scores[index].constant_losses,
            weights=outcome.scores[index].weights,
            seed=self._seed,
        )

    def keeps_skill(self, recipe: Recipe, accepted: Recipe) -> bool:
        """Whether a smaller recipe is, output by output and over all repeats, practically as good as another."""
        pairs = zip(self._mean_skills(recipe), self._mean_skills(accepted), strict=True)
        return all(_is_as_good(smaller, best) for smaller, best in pairs)

    def mean_skill(self, recipe: Recipe) -> float:
        """The skill of a recipe, averaged over the repeats and the outputs that count."""
        return float(np.mean(self._mean_skills(recipe)))

    def _mean_skills(self, recipe: Recipe) -> np.ndarray:
        """The skill of each output that counts, averaged over the repeats."""
        outcomes = [self.run(recipe, repeat) for repeat in range(CONFIRMATIONS + 1)]
        counting = [index for index in range(len(self._judged)) if index not in self.excused()]
        return np.mean([[outcome.heads[index].skill for index in counting] for outcome in outcomes], axis=0)

    def reaches_references(self, outcome: Outcome) -> bool:
        """Whether the outputs that need a repair are as good as the reference learners let expect."""
        return all(
            self.expectations.is_reached(index, outcome.heads[index], self._accept) for index in self.to_repair()
        )

    def leaves_nothing(self, outcome: Outcome) -> bool:
        """Whether the outputs that need a repair are as good as the best of the references."""
        return all(
            self.expectations.leaves_nothing(index, outcome.heads[index], self._accept) for index in self.to_repair()
        )

    def training_loss(self, recipe: Recipe, seed: int) -> float:
        """Mean loss on all training rows after training on them, relative to the best constant's.

        The larger one of two trainings that differ in their shuffles: dying units depend on these too.
        """
        rows = np.arange(self._data.n_training)
        steps = self._steps(recipe, 1)
        losses = []
        for shuffle_seed in (seed, seed + SEEDS_A_REPEAT):
            probe = self._engine.run(recipe, rows, seed=seed, steps=steps, shuffle_seed=shuffle_seed)
            heads = self._outcome(recipe, [(rows, rows)], [probe.predictions], time.perf_counter()).heads
            losses.append(np.mean([1.0 - head.skill if head.is_finite else np.inf for head in heads]))
        return float(max(losses))

    def confirms(self, recipe: Recipe) -> bool:
        """Whether the recipe is proven again with other splits, fresh initial weights and shuffles."""
        return all(self.is_proven(self.run(recipe, repeat), repeat) for repeat in range(1, CONFIRMATIONS + 1))

    def learn_references(self, kinds: Sequence[str]) -> Learned:
        """Fits the reference learners on the same splits; in a thread of its own, if need be.

        Args:
            kinds: The kind of task of each output; `"other"` has no reference.
        """
        return learn(self._held_out, self._judged, kinds, self._shapes, self._seed)

    def expect(self, learned: Learned) -> None:
        """Expects what the reference learners reach."""
        self.expectations = score(self._held_out, self._judged, self._shapes, learned)


def _is_as_good(skill: float, best: float) -> bool:
    """Whether a skill is practically another one."""
    is_close = 1.0 - skill <= KEPT_LOSS_RATIO * (1.0 - best) + AS_GOOD_AS_PERFECT
    return bool(skill >= KEPT_SKILL_SHARE * best and is_close)
