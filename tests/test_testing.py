"""The contract suite finds what breaks the contract."""

import dataclasses
import random
import tempfile
from typing import ClassVar

import numpy as np
import pytest

from autofix.remedies import ClipGradients, InsertHiddenLayers, SetLearningRate
from autofix.sample_programs import sample_programs
from autofix.strategies.lower_learning_rate import LowerLearningRate
from autofix.strategy import Strategy
from autofix.testing import StrategyTests


@dataclasses.dataclass(frozen=True)
class Listing(SetLearningRate):
    factors: list[float] = dataclasses.field(default_factory=list)

    kind: ClassVar[str] = "listing"


@dataclasses.dataclass(frozen=True)
class Silent(SetLearningRate):
    kind: ClassVar[str] = "silent"

    def code(self):
        return []


class Sound(Strategy):
    """Keeps the contract, but for what its subclasses do."""

    name = "sound"
    treats = frozenset({"learning_rate_too_high"})

    def prescribe(self, hp, case):
        return SetLearningRate(self.name, factor=float(hp.Choice("factor", [0.1, 0.01])))


class Uncaused(Sound):
    treats = frozenset()


class Unnamed(Sound):
    name = "Not Snake Case"


class NeverApplies(Sound):
    def prescribe(self, hp, case):
        return None


class Conditional(Sound):
    def prescribe(self, hp, case):
        if hp.Boolean("more"):
            with hp.conditional_scope("more", [True]):
                hp.Choice("factor", [1.0, 2.0])
        with hp.conditional_scope("more", [False]):
            hp.Choice("other", [1.0, 2.0])
        return SetLearningRate(self.name, factor=0.1)


class Boundless(Sound):
    def prescribe(self, hp, case):
        return SetLearningRate(self.name, factor=float(hp.Choice("factor", [0.9**power for power in range(1, 40)])))


class Infinite(Sound):
    def prescribe(self, hp, case):
        hp.Choice("factor", [0.1, float("inf")])
        return SetLearningRate(self.name, factor=0.1)


class Moody(Sound):
    n_calls = 0

    def prescribe(self, hp, case):
        Moody.n_calls += 1
        return SetLearningRate(self.name, factor=1.0 / Moody.n_calls)


class Meddling(Sound):
    def prescribe(self, hp, case):
        object.__setattr__(case, "findings", (*case.findings, None))
        return super().prescribe(hp, case)


class Talking(Sound):
    def prescribe(self, hp, case):
        print("a word")
        return super().prescribe(hp, case)


class Reading(Sound):
    def prescribe(self, hp, case):
        with tempfile.TemporaryFile() as file:
            file.read()
        return super().prescribe(hp, case)


class Drawing(Sound):
    def prescribe(self, hp, case):
        random.random()
        return super().prescribe(hp, case)


class DrawingFromNumpy(Sound):
    def prescribe(self, hp, case):
        np.random.normal()  # noqa: NPY002 - the global state is what is meant
        return super().prescribe(hp, case)


class Mutable(Sound):
    def prescribe(self, hp, case):
        return Listing(self.name, factor=0.1, factors=[1.0])


class Nan(Sound):
    def prescribe(self, hp, case):
        return SetLearningRate(self.name, factor=float("nan"))


class Misattributed(Sound):
    def prescribe(self, hp, case):
        return SetLearningRate("somebody_else", factor=0.1)


class Wordless(Sound):
    def prescribe(self, hp, case):
        return Silent(self.name, factor=0.1)


class HiddenSurgery(Sound):
    recompiles = True

    def prescribe(self, hp, case):
        return InsertHiddenLayers(self.name, units=4, depth=1) if case.evidence.model.can_insert else None


class HiddenCompilation(Sound):
    def prescribe(self, hp, case):
        return ClipGradients(self.name, global_clipnorm=1.0)


class Idle(Sound):
    def prescribe(self, hp, case):
        return SetLearningRate(self.name, factor=1.0)


PURE = "test_it_prints_nothing_reads_nothing_trains_nothing_and_draws_no_random_number"

BROKEN = [
    (Uncaused, "test_it_declares_what_it_is"),
    (Unnamed, "test_it_declares_what_it_is"),
    (Sound, "test_its_module_says_what_it_does_and_from_where"),
    (NeverApplies, "test_it_applies_to_some_program"),
    (Conditional, "test_settings_are_few_and_always_active"),
    (Boundless, "test_settings_are_few_and_always_active"),
    (Infinite, "test_settings_are_few_and_always_active"),
    (Moody, "test_the_same_case_and_values_give_the_same_remedy"),
    (Meddling, "test_it_changes_nothing_of_the_case"),
    (Talking, PURE),
    (Reading, PURE),
    (Drawing, PURE),
    (DrawingFromNumpy, PURE),
    (Mutable, "test_its_remedies_are_plain_frozen_data"),
    (Nan, "test_its_remedies_are_plain_frozen_data"),
    (Misattributed, "test_its_remedies_are_plain_frozen_data"),
    (Wordless, "test_its_remedies_print_themselves_as_code"),
    (HiddenSurgery, "test_its_flags_are_those_of_its_remedies"),
    (HiddenCompilation, "test_its_flags_are_those_of_its_remedies"),
    (Idle, "test_its_remedies_change_the_program_and_leave_the_users_model_alone"),
]


def suite(of):
    """The suite over one strategy, on copies of few programs."""
    few = [dataclasses.replace(program, case=dataclasses.replace(program.case)) for program in sample_programs()[:2]]
    return type("Suite", (StrategyTests,), {"strategy": of, "programs": lambda self: few})()


@pytest.mark.parametrize(("strategy", "test"), BROKEN, ids=lambda value: getattr(value, "__name__", ""))
def test_what_breaks_the_contract_is_found(strategy, test):
    with pytest.raises(AssertionError):
        getattr(suite(strategy), test)()


@pytest.mark.parametrize("test", sorted({test for _, test in BROKEN}))
def test_a_sound_strategy_passes(test):
    getattr(suite(LowerLearningRate), test)()
