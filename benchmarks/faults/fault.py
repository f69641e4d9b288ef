"""What a fault is: a change of a healthy program, with the causes to be found and the strategies that undo it."""

import dataclasses
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from autofix.benchmarks.faults.programs import Program

Plant = Callable[[Program, np.random.Generator], Program]


class Graded(np.random.Generator):
    """Random numbers of which single uniform ones all lie at one point of their range.

    Faults draw their strength as a single uniform number, or as `log_uniform`; where a strength is asked for, it takes
    the place of the drawn one. Everything else, such as the rows that are drawn anew, stays random.

    Args:
        seed: As `numpy.random.default_rng` takes it.
        strength: From 0, the lower end of the range, to 1, the upper end; None to draw.

    Example:

    >>> float(Graded(0, 0.5).uniform(10.0, 30.0))
    20.0
    """

    def __init__(self, seed: Any, strength: float | None) -> None:
        super().__init__(np.random.PCG64(seed))
        self._strength = strength

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        if size is not None or self._strength is None:
            return super().uniform(low, high, size)
        return low + self._strength * (high - low)


@dataclasses.dataclass(frozen=True)
class Fault:
    """A fault that can be planted.

    Args:
        name: For the command line and the results.
        causes: The true causes, any of which is a right answer; the table of results goes by the first.
        fixes: Sets of strategies, each of which undoes exactly this fault.
        bases: Names of the programs that it breaks.
        plant: `(program, rng) -> program`; draws the strength from a range, so that nothing can be tuned to one value.
        undo: Takes the fault out of the broken program by hand, where planting it changes what there is to be learned,
            or what it is learned with, such as the number of layers; None where the program without the fault is the
            one to compare with.
    """

    name: str
    causes: tuple[str, ...]
    fixes: tuple[frozenset[str], ...]
    bases: tuple[str, ...]
    plant: Plant
    undo: Callable[[Program], Program] | None = None

    @property
    def is_undone(self) -> bool:
        """Whether what it is compared with is made of the broken program, rather than the program without the fault."""
        return self.undo is not None

    def planted_into(self, program: Program, strength: float | None = None) -> Program:
        """The broken program; the same for the same seed of the program.

        Args:
            program: Without the fault.
            strength: Where in its range the strength of the fault lies, from 0 to 1; None to draw it.
        """
        return self.plant(program, Graded([program.seed, zlib.crc32(self.name.encode())], strength))

    def healthy(self, program: Program, strength: float | None = None) -> Program:
        """What the broken program is to be compared with.

        Args:
            program: Without the fault.
            strength: As for `planted_into`.
        """
        return self.undo(self.planted_into(program, strength)) if self.undo else program


@dataclasses.dataclass(frozen=True)
class Double:
    """Two faults planted into one program, the first one first.

    Args:
        faults: The two.
        bases: Names of the programs they are planted into.
    """

    faults: tuple[Fault, Fault]
    bases: tuple[str, ...]

    @property
    def name(self) -> str:
        """Both names."""
        return "+".join(fault.name for fault in self.faults)

    @property
    def is_undone(self) -> bool:
        """As that of `Fault`, for either of the two."""
        return any(fault.is_undone for fault in self.faults)

    def planted_into(self, program: Program, strength: float | None = None) -> Program:
        """The program with both; arguments as those of `Fault`."""
        for fault in self.faults:
            program = fault.planted_into(program, strength)
        return program

    def healthy(self, program: Program, strength: float | None = None) -> Program:
        """The program without either, or with both undone by hand."""
        for fault in self.faults:
            program = fault.healthy(program, strength)
        return program


def fixes(*sets: str) -> tuple[frozenset[str], ...]:
    """Sets of strategy names, each written with blanks between the names.

    Example:

    >>> [sorted(one) for one in fixes("reinitialize", "unfreeze reshuffle")]
    [['reinitialize'], ['reshuffle', 'unfreeze']]
    """
    return tuple(frozenset(names.split()) for names in sets)


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number between `low` and `high` whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
