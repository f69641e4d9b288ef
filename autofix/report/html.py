"""A run as HTML: a page of its own, or a part of a notebook. Needs no network and no script."""

import dataclasses
import functools
import json
from collections.abc import Sequence
from typing import Any

import jinja2
from markupsafe import Markup

from autofix.report import svg
from autofix.report.diff import diff
from autofix.report.figures import FIGURES
from autofix.report.figures.marks import Axis, Grid, Plot, Row, Rows, describe
from autofix.report.figures.references import fix_trial
from autofix.report.numbers import bounds, number
from autofix.report.records import RunRecord, TrialRecord
from autofix.report.text import headline
from autofix.scoring.assess import Assessment
from autofix.strict_json import encoded

COMPACT = ("predictions", "progress")
"""The figures that a notebook shows by itself."""

MOST_TRIALS = 200
"""Rows of the table of trials: the page stays below 500 kB."""

MOST_CHARACTERS = 300
"""Of what is said of one trial, or of one strategy that was left out."""

DASH = "\N{EN DASH}"
"""Stands where there is no number."""

MOST_CODE = 60_000
"""Characters of the recipe as JSON, and of the program, on the page: long statistics are for another file."""


def page(record: RunRecord) -> str:
    """The whole report as one self-contained HTML file.

    Args:
        record: Of the run.

    Example:

    >>> page(RunRecord("healthy")).splitlines()[0]
    '<!DOCTYPE html>'
    """
    return environment().get_template("page.html").render(**_content(record, list(FIGURES)), level=1, compact=False)


def fragment(record: RunRecord) -> str:
    """The verdict, the fix, the causes and the first figures, to stand in a notebook without changing its look.

    Args:
        record: Of the run.
    """
    template = environment().get_template("fragment.html")
    return template.render(**_content(record, COMPACT), level=2, compact=True)


def _content(record: RunRecord, kinds: Sequence[str]) -> dict[str, Any]:
    """What the templates show."""
    recipe_json = json.dumps(encoded(record.recipe.to_dict()), indent=2, allow_nan=False)
    return {
        "record": record,
        "circumstances": record.circumstances,
        "headline": _sentence(headline(record).partition(": ")[2]),
        "columns": _columns(record),
        "rows_in_words": _rows_in_words(record),
        "best": max(record.references, key=lambda one: one.skill, default=None),
        "findings": [] if record.verdict == "healthy" else _in_order(record),
        "pictures": [found for kind in kinds if (found := FIGURES[kind](record)) is not None],
        "diff": diff(record.recipe),
        "recipe_json": _cut(recipe_json, "report.recipe.to_json()"),
        "script": _cut(record.script.code, "report.to_script()"),
        **_shown_trials(record),
    }


def _cut(text: str, source: str) -> str:
    """As much of a long text as the page has room for, and where the rest is."""
    return text if len(text) <= MOST_CODE else f"{text[:MOST_CODE]}\n... cut here; {source} has it all"


def _shown_trials(record: RunRecord) -> dict[str, Any]:
    """The trials of the table, and how many of how many they are."""
    trials = record.trials[:MOST_TRIALS]
    return {"trials": trials, "n_hidden": len(record.trials) - len(trials)}


@dataclasses.dataclass(frozen=True)
class _Column:
    """A column of the numbers: a training, and the trial that stands for it, if there is one."""

    title: str
    heads: tuple[Assessment, ...]
    trial: TrialRecord | None


def _columns(record: RunRecord) -> list[_Column]:
    """The user's training when it was judged, and what came of it: with the fix, or at the last look."""
    control = next((trial for trial in record.trials if trial.status == "control"), None)
    own, judged = "your training", record.before_epoch
    if record.after is not None:
        looks = record.repaired.looks if record.repaired is not None else ()
        fixed = _at("with the fix", looks[-1].epoch) if looks else "with the fix"
        return [
            _Column(_at(own, judged), record.before, control),
            _Column(fixed, record.after, fix_trial(record)),
        ]
    last = record.own.looks[-1] if record.own.looks else None
    if last is None or last.epoch <= judged:
        return [_Column(_at(own, judged), record.before, control)]
    return [
        _Column(_at(own, judged), record.before, None),
        _Column(_at(own, last.epoch), last.heads, control),
    ]


def _at(training: str, epoch: int) -> str:
    return f"{training} (epoch\N{NO-BREAK SPACE}{epoch})"


def _rows_in_words(record: RunRecord) -> str:
    if not record.before:
        return ""
    kind = record.circumstances.look_rows
    return f"Looked at {record.before[0].n_samples:,} {kind + ' ' if kind else ''}rows."


def _in_order(record: RunRecord) -> list[Any]:
    """The causes that the fix treats first, each in the order of its confidence."""
    return sorted(record.findings, key=lambda finding: finding.cause not in record.mattering)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _settings(trial: TrialRecord) -> str:
    """The values that were proposed, in words."""
    values = trial.values.items()
    words = (f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}" for name, value in values)
    return _clipped(", ".join(words))


def _clipped(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 3]}..."


def _bounds(one: Assessment | TrialRecord | Any) -> str:
    return bounds(one.skill_lower, one.skill_upper)


def _marks(entry: Row, panel: Rows) -> Markup:
    return Markup(svg.row(entry, panel.axis, panel.levels))


def _draw(panel: Plot) -> Markup:
    return Markup(svg.plot(panel))


def _scale(axis: Axis) -> Markup:
    return Markup(svg.scale(axis))


@functools.cache
def environment() -> jinja2.Environment:
    """The templates, every value in which is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("autofix.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=number,
        bounds=_bounds,
        percent="{:.0%}".format,
        settings=_settings,
        clipped=_clipped,
        words=describe,
        draw=_draw,
        marks=_marks,
        scale=_scale,
        as_drawn=Markup,
        number_or_dash=lambda value: DASH if value != value else number(value),
    )
    environment.tests.update(plot=lambda panel: isinstance(panel, Plot), grid=lambda panel: isinstance(panel, Grid))
    return environment
