"""The health of the layers: units that are dead, values that are saturated, gradients; before and after."""

import dataclasses
from collections.abc import Callable, Sequence

from autofix.report.figures.marks import Axis, Mark, Picture, Row, Rows, axis_of
from autofix.report.numbers import size
from autofix.report.records import RunRecord

MOST_LAYERS = 16
"""Layers that are drawn, of a network that has more: those that changed most."""


@dataclasses.dataclass(frozen=True)
class _Layer:
    """A layer in one network or in both; None where it is not, or was not measured."""

    name: str
    kind: str
    before: dict[str, float] | None
    after: dict[str, float] | None

    def change(self, name: str) -> float:
        return abs((self.after or {}).get(name, 0.0) - (self.before or {}).get(name, 0.0))


def draw(record: RunRecord) -> Picture | None:
    """The figure, or None where no layer was measured."""
    layers = _layers(record)
    if not layers:
        return None
    shares = Axis("share", 0.0, 1.0)
    gradients = axis_of(
        "norm of the gradient over that of the weights",
        [seen["gradient"] for layer in layers for seen in (layer.before, layer.after) if seen],
        is_log=True,
    )
    found = [
        _rows("Dead units", "the same value for every row", "dead_share", shares, layers, _percent),
        _rows("Saturated values", "at an end of their activation", "saturated_share", shares, layers, _percent),
        _rows("Gradients", "on a logarithmic scale", "gradient", gradients, layers, size),
    ]
    panels = tuple(rows for rows in found if rows is not None)
    if not panels:
        return None
    has_after = any(layer.after for layer in layers)
    legend = [("before", "your network"), *([("after", "with the fix, at the end")] if has_after else [])]
    caption = f"Your network after epoch {record.before_epoch}, measured on at most 256 rows."
    if record.evidence is not None and len(layers) > MOST_LAYERS:
        caption += f" Of {len(layers)} layers those {MOST_LAYERS} that differ most are shown."
    return Picture("layers", "Health of the layers", caption, panels, tuple(legend))


def _layers(record: RunRecord) -> list[_Layer]:
    """The layers with weights of both networks, in order; those that only the repaired one has come last."""
    model = (record.evidence or {}).get("model", {})
    before = {layer["name"]: layer for layer in model.get("layers", ()) if layer["has_weights"]}
    after = {layer.name: layer for layer in record.repaired.layers} if record.repaired is not None else {}
    found = []
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        kind = new.kind if new is not None else before[name]["kind"]
        found.append(_Layer(name, kind, old, None if new is None else dataclasses.asdict(new)))
    return found


def _rows(
    title: str, note: str, name: str, axis: Axis, layers: Sequence[_Layer], in_words: Callable[[float], str]
) -> Rows | None:
    """None where there is nothing to see: all shares are 0, or no gradient is known."""
    values = [seen[name] for layer in layers for seen in (layer.before, layer.after) if seen]
    if not any(values):
        return None
    shown = set(sorted(range(len(layers)), key=lambda index: -layers[index].change(name))[:MOST_LAYERS])
    rows = []
    for index, layer in enumerate(layers):
        if index not in shown:
            continue
        old, new = (None if seen is None else seen[name] for seen in (layer.before, layer.after))
        words = " → ".join("none" if one is None else in_words(one) for one in (old, new) if one is not None or new)
        pairs = ((old, "before"), (new, "after"))
        marks = tuple(Mark(value, role) for value, role in pairs if value is not None and (value or not axis.is_log))
        rows.append(Row(f"{layer.name} ({layer.kind})", words, marks))
    return Rows(title, note, axis, tuple(rows))


def _percent(share: float) -> str:
    return f"{share:.0%}"
