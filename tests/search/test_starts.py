"""Which initial weights a final training takes, on losses made by hand."""

import itertools
from types import SimpleNamespace
from typing import Any

import keras
import pytest

from autofix.recipe import Recipe
from autofix.search.starts import FINAL_TRAININGS, INITIALIZATIONS, starts_of

PROVEN = SimpleNamespace(recipe=Recipe(), skill=0.9)
BASE_SEED = 7


class CannedSearch:
    """Judge and engine in one: a training loss for each seed, and a note of which were asked for."""

    def __init__(self, losses):
        self.losses = losses
        self.tried = []

    def training_loss(self, recipe, seed):
        self.tried.append(seed)
        keras.utils.set_random_seed(seed)  # as a trial may
        return self.losses[seed - BASE_SEED]

    def initial_values(self, recipe, seed):
        return [seed]


def taken(losses, n_taken):
    """Seeds of the first so many starts, counted from the first one, and how many trainings they took."""
    search: Any = CannedSearch(losses)
    proven: Any = PROVEN
    found = list(itertools.islice(starts_of(search, search, proven, BASE_SEED), n_taken))
    assert all(start.values == [start.seed] for start in found)
    return [start.seed - BASE_SEED for start in found], len(search.tried)


@pytest.mark.parametrize(
    ("losses", "n_taken", "seeds", "n_tried"),
    [
        ([0.05] * INITIALIZATIONS, 1, [0], 1),  # the second is looked for when it is asked for
        ([0.05] * INITIALIZATIONS, 2, [0, 1], 2),
        ([0.5, 0.05, 0.2, 0.01, 0.3, 0.3, 0.3, 0.3], 2, [1, 3], 4),  # in order, not by loss
        ([0.5, 0.05, 0.2, 0.4, 0.3, 0.3, 0.3, 0.3], 3, [1, 2, 4], INITIALIZATIONS),  # then what comes nearest
        ([0.5, 0.4, 0.3, 0.2, 0.6, 0.7, 0.8, 0.9], 1, [3], INITIALIZATIONS),
    ],
)
def test_what_does_as_well_as_was_proven_comes_first(losses, n_taken, seeds, n_tried):
    assert taken(losses, n_taken) == (seeds, n_tried)


def test_there_are_enough_for_all_final_trainings():
    assert len(taken([1.0] * INITIALIZATIONS, FINAL_TRAININGS)[0]) == FINAL_TRAININGS


def test_looking_for_starts_leaves_no_trace_in_random_states():
    keras.utils.set_random_seed(1)
    before = float(keras.random.uniform(()))
    keras.utils.set_random_seed(1)
    taken([0.05] * INITIALIZATIONS, 1)
    assert float(keras.random.uniform(())) == before
