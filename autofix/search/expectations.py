"""What there is to be had: the held-out skill of reference learners, output by output."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from autofix.data.training_data import TrainingData
from autofix.evidence import ReferenceProfile
from autofix.measuring.dependence import dependence_p_value
from autofix.measuring.references import NETWORK, flatten_inputs, reference_predictions
from autofix.monitoring.monitor import WEAK_AT_END
from autofix.report.records import Reference
from autofix.scoring.assess import Assessment
from autofix.search.held_out import HeldOut

FLOOR = 0.02
"""Skill whose lower bound must be beaten: less than this explains too little of the targets to call it any."""

SHORTFALL = 4.0
"""An output that leaves this many times the loss that the reference learners leave has not got there."""

WEAK_SHARE = 0.5
"""Nor has one with less than this share of the skill that the reference learners have."""

AS_GOOD_AS_PERFECT = 0.01
"""A hundredth of the constant's loss is too little to be called a shortfall, whatever the references reach."""

SHARE_OF_BEST = 0.92
"""Share of the best reference's skill asked for: a kernel machine made for smooth relations beats what a network
learns from a hundred rows, but not by much."""


MAX_TESTED_OUTPUTS = 4
"""Outputs that are tested for any dependence on the inputs; each test takes 0.06 s."""


class Expectations:
    """What can be expected of each judged output.

    Args:
        per_output: The references of each judged output; none where no reference learner can learn its task.
        p_value: Of a permutation test for any dependence of the targets on the inputs; None where none ran.
    """

    def __init__(self, per_output: Sequence[Sequence[Reference]], p_value: float | None = None) -> None:
        self._p_value = p_value
        self._per_output = [tuple(sorted(found, key=lambda one: -one.skill)) for found in per_output]

    @property
    def references(self) -> tuple[Reference, ...]:
        """The learners with their mean over the outputs that have any, best first."""
        learnable = [found for found in self._per_output if found]
        if not learnable:
            return ()
        by_name = [{one.name: one for one in found} for found in learnable]
        means = []
        for name in set.intersection(*map(set, by_name)):
            heads = [found[name] for found in by_name]
            bounds = [float(np.mean([getattr(h, f) for h in heads])) for f in ("skill", "skill_lower", "skill_upper")]
            means.append(Reference(name, *bounds))
        return tuple(sorted(means, key=lambda one: (-one.skill, one.name)))

    @property
    def profile(self) -> ReferenceProfile:
        """The same as evidence for the diagnosis."""
        references = self.references
        skills = {one.name: one.skill for one in references}
        nonlinear = [skill for name, skill in skills.items() if name != "linear"]
        return ReferenceProfile(
            linear=skills.get("linear"),
            nonlinear=max(nonlinear, default=None),
            best_lower=references[0].skill_lower if references else None,
            p_value=self._p_value,
        )

    def of(self, index: int) -> Reference | None:
        """The reference that an output is measured by: the middle one, for the best may be made for the problem.

        The network is not among them: trained to the end and decayed, it is more than can be asked of any recipe.
        """
        found = self._others(index)
        return found[len(found) // 2] if found else None

    def _others(self, index: int) -> list[Reference]:
        return [one for one in self._per_output[index] if one.name != NETWORK]

    def has_skill(self, index: int) -> bool:
        """Whether a reference learner found anything to learn."""
        return any(one.skill_lower > FLOOR for one in self._per_output[index])

    def is_hopeless(self, index: int) -> bool:
        """Whether reference learners looked for something to learn and found nothing."""
        return bool(self._per_output[index]) and not self.has_skill(index)

    def far_exceeds(self, index: int, head: Assessment) -> bool:
        """Whether there is skill to be had, and an output has less than half of what the best reference has."""
        best = max((one.skill_lower for one in self._per_output[index]), default=0.0)
        return best > FLOOR and (head.skill_upper if head.is_finite else 0.0) < WEAK_SHARE * best

    def is_short(self, index: int, head: Assessment) -> bool:
        """Whether an output with some skill is far short of what is to be had.

        Half of the constant's loss gone is no collapse, however near the references come to perfection.
        """
        expected = self.of(index)
        if expected is None or head.skill >= WEAK_AT_END:
            return False
        tolerated = max(SHORTFALL * (1.0 - expected.skill_lower), AS_GOOD_AS_PERFECT)
        return 1.0 - head.skill_upper > tolerated or self.far_exceeds(index, head)

    def is_reached(self, index: int, head: Assessment, accept: float) -> bool:
        """Whether an output is as good as the references let expect, the network aside.

        Args:
            index: Of the judged output.
            head: What it reached.
            accept: Share of the references' skill that is asked for.
        """
        expected = self.of(index)
        if expected is None:
            return True
        best = self._others(index)[0]
        return head.skill >= accept * expected.skill and head.skill >= SHARE_OF_BEST * accept * best.skill

    def leaves_nothing(self, index: int, head: Assessment, accept: float) -> bool:
        """Whether an output is about as good as the best of all references, the network among them.

        Args:
            index: Of the judged output.
            head: What it reached.
            accept: Share of the references' skill that is asked for.
        """
        best = max((one.skill for one in self._per_output[index]), default=0.0)
        return head.skill >= SHARE_OF_BEST * accept * best


@dataclasses.dataclass(frozen=True)
class Learned:
    """What the reference learners make of the held-out rows, not scored yet.

    Args:
        predictions: Of each judged output one array a learner, shape `(n_rows, n_columns)`; none where no reference
            learner can learn its task.
        p_value: As in `Expectations`.
    """

    predictions: list[dict[str, np.ndarray]]
    p_value: float | None = None


def learnable_kinds(kinds: Sequence[str], data: TrainingData) -> list[str]:
    """The kinds of task that references learn: a target that is one of the inputs, as in an autoencoder, is `"other"`.

    A linear learner would copy it, which says nothing of what a network with a narrow middle can do.

    Args:
        kinds: Of each output.
        data: Has the inputs and targets.
    """

    def is_copy(target: np.ndarray) -> bool:
        return any(target.shape == array.shape and np.array_equal(target, array) for array in data.inputs)

    return ["other" if is_copy(target) else kind for kind, target in zip(kinds, data.targets, strict=True)]


def learn(
    held_out: HeldOut, judged: Sequence[int], kinds: Sequence[str], shapes: Sequence[tuple[int, ...]], seed: int
) -> Learned:
    """Fits the reference learners on the splits that recipes are judged on. Calls nothing of the user's.

    Args:
        held_out: Has the rows.
        judged: Numbers of the outputs to learn.
        kinds: The kind of task of each output; `"other"` has no reference.
        shapes: The shape of each output, without rows.
        seed: Of the learners.
    """
    inputs = held_out.data.inputs
    if any(array.dtype.kind not in "fiub" for array in inputs):
        return Learned([{}] * len(judged))
    table = flatten_inputs(inputs)
    p_values = [
        _p_value(held_out, index, kinds[index], shapes[index], table, seed) for index in judged[:MAX_TESTED_OUTPUTS]
    ]
    return Learned(
        [_predictions(held_out, index, kinds[index], shapes[index], table, seed) for index in judged],
        # One output that depends on the inputs is enough for there to be something to learn.
        min((p_value for p_value in p_values if p_value is not None), default=None),
    )


def score(
    held_out: HeldOut, judged: Sequence[int], shapes: Sequence[tuple[int, ...]], learned: Learned
) -> Expectations:
    """What the reference learners' predictions are worth.

    Args:
        held_out: Scores them.
        judged: Numbers of the outputs that were learned.
        shapes: The shape of each output, without rows.
        learned: From the same rows and outputs.
    """
    pairs = zip(judged, learned.predictions, strict=True)
    scored = [_references(held_out, index, shapes[index], predicted) for index, predicted in pairs]
    return Expectations(scored, learned.p_value)


def measure(
    held_out: HeldOut, judged: Sequence[int], kinds: Sequence[str], shapes: Sequence[tuple[int, ...]], seed: int
) -> Expectations:
    """Fits the reference learners and scores them; the arguments are those of `learn`."""
    return score(held_out, judged, shapes, learn(held_out, judged, kinds, shapes, seed))


def _p_value(
    held_out: HeldOut, index: int, kind: str, shape: tuple[int, ...], table: np.ndarray, seed: int
) -> float | None:
    """Of a test for any dependence of the targets on the inputs, over all rows of the sample."""
    targets = _reference_targets(held_out.data.targets[index], kind, shape)
    if targets is None:
        return None
    return dependence_p_value(table, np.eye(shape[0])[targets] if kind == "multiclass" else targets, seed)


def _predictions(
    held_out: HeldOut, index: int, kind: str, shape: tuple[int, ...], table: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    labels = _reference_targets(held_out.data.targets[index], kind, shape)
    if labels is None or held_out.losses[index] is None:
        return {}
    n_classes = shape[-1] if kind == "multiclass" else None
    splits = held_out.weighted_splits(index, held_out.splits(0))
    return reference_predictions(table, labels, kind, splits, seed, n_classes)


def _references(
    held_out: HeldOut, index: int, shape: tuple[int, ...], predicted: dict[str, np.ndarray]
) -> list[Reference]:
    loss, splits = held_out.losses[index], held_out.splits(0)
    rows = np.concatenate([test_rows for _, test_rows in splits])
    found = []
    for name, values in predicted.items():
        assert loss is not None
        outputs = loss.from_target_space(values[rows].reshape(len(rows), *shape))
        head = held_out.score(index, splits, outputs).assessment
        found.append(Reference(name, head.skill, head.skill_lower, head.skill_upper))
    return found


def _reference_targets(target: np.ndarray, kind: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """Targets as the reference learners take them: class numbers for classes, columns for the rest.

    None where they cannot learn the task: unknown losses, and a class for each step of a sequence or pixel.
    """
    flat = target.reshape(len(target), -1)
    if kind == "multiclass":
        if len(shape) != 1:
            return None
        labels = flat.argmax(axis=1) if flat.shape[1] > 1 else flat[:, 0].astype(np.int64)
        return labels if labels.min() >= 0 and labels.max() < shape[0] else None
    if kind not in ("regression", "binary", "multilabel") or flat.shape[1] != int(np.prod(shape)):
        return None
    return flat.astype(np.float64)
