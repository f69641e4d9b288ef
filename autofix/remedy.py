"""The contract of a remedy: one change to a training program, as plain data.

Remedies are immutable, go through JSON and print themselves as Keras code. Nothing here imports Keras.
"""

import abc
import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from autofix.errors import ArgumentError

CODE_DIGITS = 6
"""Significant digits of a number in code to paste: float32 holds no more than about seven."""

CODE_LIST_LENGTH = 8
"""Longer statistics are abbreviated in code; `Recipe.to_json` keeps every value."""


def number(value: float) -> str:
    """A number as it stands in code to paste."""
    return f"{value:.{CODE_DIGITS}g}"


def numbers(values: Iterable[float]) -> str:
    """A list of numbers in code to paste, abbreviated where it is long."""
    shown = [number(value) for value in values]
    if len(shown) > CODE_LIST_LENGTH:
        shown = [*shown[: CODE_LIST_LENGTH - 1], "...", shown[-1]]
    return f"[{', '.join(shown)}]"


def literal(value: Any) -> str:
    """A JSON value in code to paste."""
    return number(value) if isinstance(value, float) else f'"{value}"' if isinstance(value, str) else repr(value)


@dataclasses.dataclass(frozen=True)
class Remedy(abc.ABC):
    """One change to a training program. Subclasses are frozen dataclasses of JSON values.

    Args:
        strategy: Name of the strategy that prescribed it.
    """

    strategy: str

    kind: ClassVar[str]
    """Name of the subclass in JSON."""

    needs_surgery: ClassVar[bool] = False
    """Whether the change goes into the network itself, which only Sequential and functional models allow."""

    is_compiled: ClassVar[bool] = False
    """Whether trials that differ in it need a compiled loop each: it changes the network or the optimizer. Others are
    arguments of the loop."""

    kinds: ClassVar[dict[str, type["Remedy"]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Remedy.kinds[cls.kind] = cls

    def compiled_part(self) -> "Remedy | None":
        """What of it is compiled into the loop; None where all of it is arguments."""
        return self if self.is_compiled else None

    @abc.abstractmethod
    def code(self) -> list[str]:
        """The change as lines of Keras code to paste."""

    def departure(self) -> str:
        """What the user asked for that it overrules, as a sentence; empty where it only helps to get there."""
        return ""

    def to_dict(self) -> dict[str, Any]:
        """The remedy as JSON values, `kind` included."""
        return {"kind": self.kind, **dataclasses.asdict(self)}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "Remedy":
        """The remedy that `to_dict` wrote.

        Raises:
            ArgumentError: `kind` is unknown.
        """
        fields = dict(values)
        kind = fields.pop("kind", None)
        if kind not in Remedy.kinds:
            raise ArgumentError(
                f"Unknown remedy. Expected one of {sorted(Remedy.kinds)}. Received: kind={kind!r}. "
                "Load the recipe with the version of autofix that wrote it."
            )
        return Remedy.kinds[kind](**{name: _frozen(value) for name, value in fields.items()})


def _frozen(value: Any) -> Any:
    """JSON lists as tuples, at every depth."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value
