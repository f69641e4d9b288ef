"""The scenarios of this package: planted faults, healthy controls, and programs with nothing to learn."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from autofix.benchmarks import healthy, unlearnable
from autofix.benchmarks.faults.bases import BASES, BY_NAME, FURTHER_BASES
from autofix.benchmarks.faults.catalogue import BY_FAULT, DOUBLES, FAULTS, right_fixes, true_causes
from autofix.benchmarks.faults.data import MakeData, Rows
from autofix.benchmarks.faults.programs import Base, Program
from autofix.benchmarks.faults.skill import Task
from autofix.benchmarks.scenarios import Scenario

FAMILIES = {
    "line": "linear regression",
    "sides": "linear classification",
    "regression": "non-linear regression",
    "binary": "non-linear classification",
    "multiclass": "interactions",
    "tails": "heavy tails",
    "rare": "imbalanced classes",
    "codes": "categories",
    "images": "drawn shapes",
    "digits": "scanned digits",
    "series": "sequences",
    "tokens": "tokens",
    "pair": "several outputs",
}
"""The kind of data of each program."""

FURTHER = {
    "line": ("unscaled_inputs", "unscaled_targets", "learning_rate_too_high", "frozen_weights"),
    "sides": ("unscaled_inputs", "unshuffled_data", "softmax_over_one", "l2_penalty"),
    "tails": ("unscaled_inputs", "unscaled_targets", "learning_rate_too_high", "saturated_units"),
    "rare": ("learning_rate_too_low", "dead_units", "zero_weights"),
    "digits": ("learning_rate_too_high", "dead_units", "stacked_sigmoids", "dropout", "softmax_under_squares"),
    "pair": ("unscaled_inputs", "learning_rate_too_high", "dead_units", "stacked_sigmoids", "insufficient_training"),
}
"""What is planted into the programs of further kinds."""

QUICK = {
    "unscaled_inputs": "tails",
    "unscaled_targets": "series",
    "unshuffled_data": "sides",
    "imbalanced_labels": "binary",
    "unencoded_categories": "codes",
    "learning_rate_too_high": "pair",
    "learning_rate_too_low": "rare",
    "batch_size_too_large": "codes",
    "batch_size_too_small": "multiclass",
    "insufficient_training": "images",
    "frozen_weights": "line",
    "l2_penalty": "regression",
    "dropout": "digits",
    "exploding_steps": "regression",
    "linear_network": "regression",
    "bottleneck": "binary",
    "dead_units": "digits",
    "stacked_sigmoids": "multiclass",
    "tiny_weights": "binary",
    "saturated_units": "multiclass",
    "exploding_network": "codes",
    "zero_weights": "tokens",
    "equal_weights": "regression",
    "softmax_over_one": "tokens",
    "unreachable_targets": "regression",
    "logits_as_probabilities": "images",
    "softmax_under_squares": "digits",
    "unscaled_inputs+unscaled_targets": "regression",
    "learning_rate_too_high+linear_network": "binary",
    "dead_units+unscaled_inputs": "images",
}
"""Every fault once, and three pairs, over all kinds of data."""

QUICK_CONTROLS = ("line", "rare", "digits", "series", "noisy", "noise", "three classes", "noise, high rate")
"""Healthy and unlearnable programs of the quick suite."""

STRENGTHS = (0.0, 1.0)
"""The ends of the range that the strength of a fault is drawn from."""

NOISE = 0.2
"""Difficulty of the harder scenarios: much to be lost, yet enough to learn that a hand-made fix has skill."""

LONGER = 8
"""Times as many epochs, of the longer programs: ten seconds or more of `model.fit`, where what a repair costs in any
case counts for less."""


def noisy(make_data: MakeData, task: Task, share: float) -> MakeData:
    """A generator with noise in its targets.

    Args:
        make_data: Without it.
        task: Of its targets.
        share: Of the variance of numbers that the noise makes up; of class labels that are dealt out anew.
    """

    def make_noisy(n_rows: int, rng: np.random.Generator) -> Rows:
        x, y = make_data(n_rows, rng)
        if isinstance(task, str):
            return x, _blurred(y, task, share, rng)
        return x, tuple(_blurred(one, kind, share, rng) for one, kind in zip(y, task, strict=True))

    return make_noisy


def _blurred(y: np.ndarray, task: str, share: float, rng: np.random.Generator) -> np.ndarray:
    if task == "regression":
        return y + rng.normal(0.0, y.std() * np.sqrt(share / (1.0 - share)), size=y.shape)
    return np.where(rng.random(len(y)) < share, rng.permutation(y), y)


def harder(base: Base, difficulty: float) -> Base:
    """The program at another difficulty: the share of its targets that is noise, from 0 to 1."""
    return dataclasses.replace(base, make_data=noisy(base.make_data, base.task, difficulty)) if difficulty else base


@dataclasses.dataclass(frozen=True)
class Planted:
    """A fault in a program, at a strength, a difficulty and a length.

    Args:
        fault: Its name, or that of a pair.
        base: Name of the program.
        strength: From 0 to 1; None to draw it.
        difficulty: From 0 to 1.
        length: Times as many epochs as the program has by itself.
    """

    fault: str
    base: str
    strength: float | None = None
    difficulty: float = 0.0
    length: int = 1

    def _healthy(self, seed: int) -> Program:
        base = BY_NAME[self.base]
        return dataclasses.replace(harder(base, self.difficulty), epochs=self.length * base.epochs).draw(seed)

    def draw(self, seed: int) -> Program:
        """The broken program."""
        return BY_FAULT[self.fault].planted_into(self._healthy(seed), self.strength)

    def fix(self, seed: int) -> Program:
        """The program with the fault undone by hand."""
        return BY_FAULT[self.fault].healthy(self._healthy(seed), self.strength)

    def scenario(self) -> Scenario:
        """It, with what is known of it."""
        marks = [] if self.strength is None else [f"strength={self.strength:g}"]
        marks += [f"noise={self.difficulty:g}"] if self.difficulty else []
        marks += [f"longer={self.length}"] if self.length > 1 else []
        is_first = self.base == _first_base(self.fault)
        suites = {"full"}
        if not marks and self.base in BY_FAULT[self.fault].bases:
            suites.add("planted")
        if not marks and QUICK.get(self.fault) == self.base:
            suites.add("quick")
        return Scenario(
            name="/".join([self.fault, self.base, *marks]),
            family=FAMILIES[self.base],
            verdict="repaired",
            draw=self.draw,
            fix=self.fix,
            causes=true_causes(self.fault),
            fixes=right_fixes(self.fault),
            strength=self.strength,
            difficulty=self.difficulty,
            suites=frozenset(suites),
            is_searched=not marks and is_first,
            fixed_as=""
            if BY_FAULT[self.fault].is_undone
            else f"{self.base}/noise={self.difficulty:g}/longer={self.length}",
        )


def _first_base(fault: str) -> str:
    return BY_FAULT[fault].bases[0]


def _has_strength(fault: str) -> bool:
    """Whether the ends of the range of its strength make different programs of a fault."""
    program = BY_NAME[_first_base(fault)].draw(0)
    low, high = (BY_FAULT[fault].planted_into(program, strength).planted for strength in STRENGTHS)
    return low != high


def _keeps_length(fault: str) -> bool:
    """Whether a fault leaves the number of epochs as it is: of others there are no longer programs."""
    program = BY_NAME[_first_base(fault)].draw(0)
    return BY_FAULT[fault].planted_into(program).epochs == program.epochs


def planted() -> Iterator[Scenario]:
    """Every fault in every program it breaks; single ones also at the ends of their range, under noise, longer."""
    for fault in (*FAULTS, *DOUBLES):
        for base in fault.bases:
            yield Planted(fault.name, base).scenario()
    for base, names in FURTHER.items():
        for name in names:
            yield Planted(name, base).scenario()
    for number, fault in enumerate(FAULTS):
        if _has_strength(fault.name):
            for strength in STRENGTHS:
                yield Planted(fault.name, fault.bases[0], strength).scenario()
        yield Planted(fault.name, fault.bases[0], difficulty=NOISE).scenario()
        if _keeps_length(fault.name):
            yield Planted(fault.name, fault.bases[number % len(fault.bases)], length=LONGER).scenario()


def _control(verdict: str, name: str, draw: Any, difficulty: float = 0.0) -> Scenario:
    """A program with nothing to repair. Those that are not the programs of faults are a suite of their own."""
    suites = {"full"} if name.split("/")[0] in FAMILIES else {"full", verdict}
    if name in QUICK_CONTROLS:
        suites.add("quick")
    family = FAMILIES.get(name.split("/")[0], "controls")
    return Scenario(f"{verdict}/{name}", family, verdict, draw, difficulty=difficulty, suites=frozenset(suites))


def controls() -> Iterator[Scenario]:
    """Programs with nothing to repair: healthy ones, also under noise, and those with nothing to learn."""
    for base in (*BASES, *FURTHER_BASES):
        yield _control("healthy", base.name, base.draw)
        yield _control("healthy", f"{base.name}/noise={NOISE:g}", harder(base, NOISE).draw, NOISE)
    for base in healthy.PROGRAMS:
        yield _control("healthy", base.name, base.draw)
    for one in unlearnable.PROGRAMS:
        yield _control("unlearnable", one.base.name, one.draw)
