"""Where the final training begins: initial weights from which the recipe is known to do well on all training rows."""

import dataclasses
from collections.abc import Iterator, Sequence

import tensorflow as tf

from autofix.search.judge import Judge
from autofix.search.probe import ProbeEngine
from autofix.search.trials import Outcome
from autofix.state import preserved_randomness

FINAL_TRAININGS = 3
"""Times that the final training is run, with other initial weights, where it falls short of the proven skill."""

INITIALIZATIONS = 8
"""Initial weights that are tried, if need be, to find some that the final training does well from."""


@dataclasses.dataclass(frozen=True)
class Start:
    """Where a final training may begin.

    Args:
        seed: Of the initial weights.
        values: Of the repaired network's trainable variables, in order.
    """

    seed: int
    values: Sequence[tf.Tensor]


def starts_of(judge: Judge, engine: ProbeEngine, outcome: Outcome, base_seed: int) -> Iterator[Start]:
    """Initial weights for the final training, those to take first before the others, looked for as they are asked for.

    First come those that lead, on all training rows, to the skill proven on held-out ones, in order: the ones with the
    smallest loss would be those that overfit most. The others follow by their loss.

    Args:
        judge: Of the trials.
        engine: Runs the trainings. The model carries its own network whenever the next ones are asked for.
        outcome: Of the recipe that the model is to take over.
        base_seed: The first seed.
    """
    others: dict[int, float] = {}

    def start(seed: int) -> Start:
        with preserved_randomness(seed=base_seed):
            return Start(seed, engine.initial_values(outcome.recipe, seed))

    for seed in range(base_seed, base_seed + INITIALIZATIONS):
        with preserved_randomness(seed=base_seed):
            loss = judge.training_loss(outcome.recipe, seed)
        if loss <= 1.0 - outcome.skill:
            yield start(seed)
        else:
            others[seed] = loss
    yield from (start(seed) for seed in sorted(others, key=lambda seed: others[seed]))
