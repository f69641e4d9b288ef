"""A recipe as a diff of Keras code: what stands in the user's program, and what is to stand there."""

import functools

from autofix.recipe import Recipe
from autofix.remedies import (
    ChangeLayers,
    ClipGradients,
    NormalizeInputs,
    ReplaceHeads,
    SetFitArgument,
    SetLearningRate,
)
from autofix.remedy import CODE_LIST_LENGTH, Remedy, literal, number


def diff(recipe: Recipe) -> list[str]:
    r"""The changes as lines that begin with `-` or `+`; a comment says where, when the code does not.

    Example:

    >>> remedy = SetLearningRate("lower_learning_rate", factor=0.01, was=1.0)
    >>> print(*diff(Recipe((remedy,))), sep="\n")
    -optimizer=keras.optimizers.Adam(1.0)
    +optimizer=keras.optimizers.Adam(0.01)
    """
    return [line for remedy in recipe for line in _diff(remedy)]


@functools.singledispatch
def _diff(remedy: Remedy) -> list[str]:
    """What adds something has nothing to take away; so has a remedy that is not known here."""
    return [f"+{line}" for line in remedy.code()]


@_diff.register
def _(remedy: SetLearningRate) -> list[str]:
    if isinstance(remedy.was, str):
        return [f"+# {line}" for line in remedy.code()]  # a sentence: the rates of the schedule are not known here
    rate = _rate((remedy.was or 1.0) * remedy.factor)
    optimizer = f"optimizer=keras.optimizers.{remedy.optimizer}"
    return [f"-{optimizer}({_rate(remedy.was)})", f"+{optimizer}({rate})"]


@_diff.register
def _(remedy: NormalizeInputs) -> list[str]:
    longest = max(len(mean or ()) for mean in remedy.mean)
    lines = [f"+{line}" for line in remedy.code()]
    return [*lines, "+# report.to_script() has all of these numbers"] if longest > CODE_LIST_LENGTH else lines


@_diff.register
def _(remedy: SetFitArgument) -> list[str]:
    if remedy.rebatches is not None:
        return [f"+{line}" for line in remedy.code()]
    before, after = (
        f"model.fit(..., {remedy.name}={remedy.was!r})",
        f"model.fit(..., {remedy.name}={_argument(remedy)})",
    )
    return [f"+{after}"] if remedy.was is None else [f"-{before}", f"+{after}"]


@_diff.register
def _(remedy: ChangeLayers) -> list[str]:
    lines = []
    for layer, kind, argument, value, was in remedy.changes:
        for sign, shown in (("-", was), ("+", value)):
            lines.append(f"{sign}keras.layers.{kind}(..., {argument}={literal(shown)})   # {layer!r}")
    return lines


@_diff.register
def _(remedy: ReplaceHeads) -> list[str]:
    lines = []
    for head in remedy.heads:
        if head is None:
            continue
        units, activation, loss = head.was
        if head.units is not None or head.activation is not None:
            lines.append(f'-keras.layers.Dense({units}, activation="{activation}")   # {head.layer!r}')
            lines.append(f'+keras.layers.Dense({head.units or units}, activation="{head.activation or activation}")')
        if head.loss is not None:
            lines += [f'-model.compile(..., loss="{loss}")', f'+model.compile(..., loss="{head.loss}")']
    return lines


@_diff.register
def _(remedy: ClipGradients) -> list[str]:
    optimizer = f"keras.optimizers.{remedy.optimizer}"
    was = [f"-{optimizer}(..., {remedy.was})"] if remedy.was else []
    return [*was, f"+{optimizer}(..., global_clipnorm={_rate(remedy.global_clipnorm)})"]


def _argument(remedy: SetFitArgument) -> str:
    if isinstance(remedy.value, tuple):
        return "{" + ", ".join(f"{label}: {number(weight)}" for label, weight in remedy.value) + "}"
    return repr(remedy.value)


def _rate(value: float) -> str:
    """A number as Keras programs have it: 1.0 and not 1."""
    text = number(value)
    return text if any(sign in text for sign in ".en") else f"{text}.0"
