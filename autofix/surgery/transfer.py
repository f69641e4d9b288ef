"""Whether a recipe that was found for one model fits another one."""

from collections.abc import Iterator
from typing import Any

import keras

from autofix.errors import ModelError
from autofix.recipe import Recipe
from autofix.remedies import (
    ChangeLayers,
    EncodeCategories,
    NormalizeInputs,
    NormalizeLayers,
    ReplaceHeads,
    RescaleOutputs,
)


def check_fits(model: keras.Model, recipe: Recipe) -> None:
    """Refuses a recipe that would be put into the wrong place of a model, or into none.

    Args:
        model: Built, Sequential or functional. Not changed.
        recipe: Found for a model that may be another one.

    Raises:
        ModelError: The model has other inputs or outputs than the recipe is for, or lacks a layer that it changes.
    """
    for problem in _problems(model, recipe):
        raise ModelError(
            f"The recipe does not fit the model. {problem} "
            "Apply it to a model with the same inputs, outputs and names of layers."
        )


def _problems(model: keras.Model, recipe: Recipe) -> Iterator[str]:
    names = {layer.name for layer in model._flatten_layers(include_self=False, recursive=True)}
    for name in _named(recipe):
        if name not in names:
            yield f"Expected a layer named {name!r}. Received: layers {sorted(names)}."
    n_inputs, n_outputs = len(model.inputs), len(model.outputs)
    for kinds, count, what in (
        ((NormalizeInputs, EncodeCategories), n_inputs, "inputs"),
        ((RescaleOutputs, ReplaceHeads), n_outputs, "outputs"),
    ):
        for remedy in (one for kind in kinds for one in recipe.of(kind)):
            wanted = len(_one_each(remedy))
            if wanted != count:
                yield f"Expected {wanted} {what}. Received: {count}."
    for remedy in recipe.of(NormalizeInputs):
        for tensor, mean in zip(model.inputs, remedy.mean, strict=True):
            # Rows of single numbers have no axis of features.
            width = tensor.shape[-1] if len(tensor.shape) > 1 else 1
            if mean is not None and len(mean) != width:
                yield f"Expected {len(mean)} features in {tensor.name!r}. Received: {width}."


def _one_each(remedy: Any) -> Any:
    """What a remedy has for each input or output."""
    return next(getattr(remedy, name) for name in ("mean", "columns", "scale", "heads") if hasattr(remedy, name))


def _named(recipe: Recipe) -> Iterator[str]:
    """The layers that a recipe names."""
    for changed in recipe.of(ChangeLayers):
        yield from (change.layer for change in changed.changes)
    for replaced in recipe.of(ReplaceHeads):
        yield from (head.layer for head in replaced.heads if head is not None)
    for normalized in recipe.of(NormalizeLayers):
        yield from normalized.after
