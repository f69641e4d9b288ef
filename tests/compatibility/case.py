"""A case of compatibility: one program that is healthy at one learning rate and collapses at another."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras


@dataclasses.dataclass(frozen=True)
class Case:
    """A training program in two versions.

    Args:
        name: What the case shows, unique in its group.
        group: `"model"`, `"input"` or `"argument"`.
        build: Makes the compiled model at a learning rate; the same global seed gives the same model.
        arguments: Makes the arguments of `fit`, `x` and `y` among them, anew at each call.
        healthy_rate: At which Keras trains the program well.
        collapsed_rate: At which it ends collapsed under Keras.
        expected: The verdict on the collapsed version.
        why: Why it cannot be repaired, where that is expected.
        is_slow: Whether it takes long however small it is.
        rows: Makes `(x, y)` to judge the trained model by, as `predict` takes them; None for those in `arguments`.
    """

    name: str
    group: str
    build: Callable[[float], keras.Model]
    arguments: Callable[[], dict[str, Any]]
    healthy_rate: float = 0.01
    collapsed_rate: float = 1.0
    expected: str = "repaired"
    why: str = ""
    is_slow: bool = False
    rows: Callable[[], tuple[Any, Any]] | None = None

    def judged_rows(self) -> tuple[Any, Any]:
        """Inputs and targets to judge the trained model by."""
        if self.rows is not None:
            return self.rows()
        arguments = self.arguments()
        return arguments.get("x"), arguments.get("y")
