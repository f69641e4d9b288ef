"""The judge: when what a recipe is worth on held-out rows counts as proven, and when as enough."""

import time
from collections.abc import Iterator, Sequence

import numpy as np

from autofix.data.training_data import TrainingData, permuted
from autofix.recipe import Recipe
from autofix.scoring.assess import Assessment, improvement_bounds
from autofix.scoring.loss_specs import LossSpec
from autofix.search.expectations import AS_GOOD_AS_PERFECT, FLOOR, Expectations, Learned, learn, score
from autofix.search.held_out import HeldOut
from autofix.search.probe import ProbeEngine
from autofix.search.trials import Outcome, Trials

CONFIRMATIONS = 2
"""Repeats with fresh initial weights, shuffles and splits that a recipe must pass as well: a lucky initialisation
is not a repair. At 97.5 % each, and two chances in a repeat (on its first splits, on all of them), three passes in a
row by chance are rarer than 1 in 10,000."""

KEPT_SKILL_SHARE = 0.9
"""A smaller recipe, or an output that needed no repair, may lose a tenth of the skill ..."""

KEPT_LOSS_RATIO = 1.25
"""... if it also leaves at most a quarter more of the constant's loss."""

TWINS = 2
"""Permutations of the targets that a leak must be found with."""


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
        self._data = data
        self._held_out = HeldOut(data, losses, seed)
        self._shapes = engine.output_shapes if shapes is None else list(shapes)
        self._seed = seed
        self._accept = accept
        self._budget_s = budget_s
        self._deadline = time.perf_counter() + budget_s
        self._trials = Trials(engine, data, self._held_out, self._shapes, seed=seed, budget_s=budget_s)
        self.expectations = Expectations([()] * len(self._held_out.judged))

    def begin(self) -> None:
        """Lets the budget begin now: it is for trials, whatever references, compilation and control arm took before.

        A machine that stands still meanwhile leaves no search without a trial.
        """
        self._deadline = time.perf_counter() + self._budget_s

    @property
    def is_out_of_time(self) -> bool:
        """Whether the budget is used up."""
        return time.perf_counter() > self._deadline

    def control(self, repeat: int = 0) -> Outcome:
        """The user's own recipe, unchanged; in repeat 0 from the user's own initial weights."""
        return self._trials.run(Recipe(), repeat)

    def growing_control(self) -> Iterator[Outcome]:
        """The control arm on the first splits, which may tell enough, and on all; trained as they are asked for."""
        return self._trials.growing(Recipe(), 0)

    def control_at_half(self) -> Outcome | None:
        """The control arm after half of its steps; None where it was not run for all of them."""
        return self._trials.control_at_half()

    def run(self, recipe: Recipe, repeat: int = 0) -> Outcome:
        """Trains the recipe on each split's training part and assesses its held-out part; asked again, remembers.

        Args:
            recipe: What to change. Empty for the control arm.
            repeat: Which splits, initial weights and shuffles; the same number gives the same ones.
        """
        return self._trials.run(recipe, repeat)

    def remembered(self, recipe: Recipe) -> Outcome | None:
        """The outcome of a recipe in repeat 0, if it has been run."""
        return self._trials.remembered(recipe)

    def training_loss(self, recipe: Recipe, seed: int) -> float:
        """Mean loss on all training rows after training on them, relative to the best constant's."""
        return self._trials.training_loss(recipe, seed)

    def learns_permuted(self, recipe: Recipe) -> bool:
        """Whether a recipe finds skill where there can be none: in targets that were dealt out anew.

        Rows with equal inputs get equal targets, as they would in a copy of the data: skill then means that held-out
        rows are among the training rows. By chance one permutation in forty is found learnable, two in a row in 1,600.
        """
        return all(self._learns(recipe, permuted(self._data, self._seed + number)) for number in range(TWINS))

    def _learns(self, recipe: Recipe, twin: TrainingData) -> bool:
        scores = self._trials.run_permuted(recipe, twin)
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
        return is_uncertain and self.is_sufficient(self._trials.control_throughout())

    def _lacking(self, outcome: Outcome) -> list[int]:
        """The outputs that have no skill, or far less than is to be had.

        Where noise dominates, any skill that is there may be all there is: the floor is for those who claim a repair.
        """
        return [
            index
            for index, head in enumerate(outcome.heads)
            if not (head.is_finite and head.skill_lower > 0.0) or self.expectations.is_short(index, head)
        ]

    def to_repair(self, control: Outcome | None = None) -> list[int]:
        """The outputs that a repair must improve: those that the control arm lacks skill in.

        Where there are others, outputs that no reference learner found anything to learn for are left out.

        Args:
            control: The control arm of a repeat; None for that of repeat 0.
        """
        own = self.control()
        lacking = self._lacking(control or own) or self._lacking(own) or list(range(len(own.heads)))
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
            for outcome in self._trials.outcomes
        )

    def is_proven(self, outcome: Outcome, control: Outcome | None = None) -> bool:
        """Whether an outcome beats the floor and the control arm, with its bounds to show it.

        Outputs that need no repair must stay about as good as they were.

        Args:
            outcome: Of a recipe.
            control: The control arm on the same splits; None for that of repeat 0.
        """
        control = control or self.control()
        needed, excused = self.to_repair(control), self.excused()
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
        counting = [index for index in range(len(self._held_out.judged)) if index not in self.excused()]
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

    def confirms(self, recipe: Recipe) -> bool:
        """Whether the recipe is proven again with other splits, fresh initial weights and shuffles."""
        return all(self._is_proven_in(repeat, recipe) for repeat in range(1, CONFIRMATIONS + 1))

    def _is_proven_in(self, repeat: int, recipe: Recipe) -> bool:
        """Whether a recipe is proven in a repeat: on its first splits, which mostly show it, or on all of them."""
        pairs = zip(self._trials.growing(recipe, repeat), self._trials.growing(Recipe(), repeat), strict=True)
        return any(self.is_proven(outcome, control) for outcome, control in pairs)

    def learn_references(self, kinds: Sequence[str]) -> Learned:
        """Fits the reference learners on the same splits; in a thread of its own, if need be.

        Args:
            kinds: The kind of task of each output; `"other"` has no reference.
        """
        return learn(self._held_out, self._held_out.judged, kinds, self._shapes, self._seed)

    def expect(self, learned: Learned) -> None:
        """Expects what the reference learners reach."""
        self.expectations = score(self._held_out, self._held_out.judged, self._shapes, learned)


def _is_as_good(skill: float, best: float) -> bool:
    """Whether a skill is practically another one."""
    is_close = 1.0 - skill <= KEPT_LOSS_RATIO * (1.0 - best) + AS_GOOD_AS_PERFECT
    return bool(skill >= KEPT_SKILL_SHARE * best and is_close)
