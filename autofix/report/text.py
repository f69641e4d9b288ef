"""A run as text: at most one screen, for a terminal, a log or a notebook."""

import math
import textwrap
from collections.abc import Callable, Iterable, Sequence

from autofix.report.diff import diff
from autofix.report.numbers import count
from autofix.report.records import Reference, RunRecord, TrialRecord
from autofix.scoring.assess import Assessment

WIDTH = 100
"""Columns."""

LABEL_WIDTH = 10
"""Columns of the labels on the left."""

LINES = {
    "verdict": 4,
    "before": 4,
    "after": 3,
    "reference": 1,
    "cause": 5,
    "fix": 10,
    "tried": 6,
    "left out": 1,
    "note": 2,
    "time": 1,
}
"""The most lines a section may take: with the empty lines 40 together, a screen."""

SET_OFF = ("cause", "fix", "tried")
"""Sections with an empty line before them."""

SHOWN_SECONDS = 0.05
"""Shorter parts would be shown as 0.0."""

HELP = {
    "constant_targets": "Every row has the same target: check how the targets were made.",
    "no_signal": "Features that say something about the targets, or cleaner targets, would help.",
    "too_few_rows": "More rows would help.",
}
"""What would help where nothing can be learned, by cause."""


def render(record: RunRecord) -> str:
    """The page about one run, at most 40 lines of 100 columns, without a newline at its end.

    Example:

    >>> print(render(RunRecord("healthy", seconds={"total": 1.5})))
    autofix   healthy: the model learns; nothing was changed.
    time      1.5 s
    """
    before = _assessments(record.before, f"epoch {record.before_epoch}, ")
    sections = {
        "verdict": ("autofix", _wrapped(headline(record))),
        "before": ("seen" if record.after is None else "before", before),
        "after": ("after", _assessments(record.after or (), "")),
        "reference": ("reference", _references(record.references)),
        "cause": ("cause", _findings(record)),
        "fix": ("fix", _broken(diff(record.recipe))),
        "tried": ("tried", _tried(record.trials)),
        "left out": ("left out", _left_out(record.left_out)),
        "note": ("note", [line for note in record.notes for line in _wrapped(note)]),
        "time": ("time", _seconds(record.seconds)),
    }
    page = []
    for section, (label, lines) in sections.items():
        more = "report.fix has them all" if section == "fix" else "report.to_dict() has them all"
        if lines and section in SET_OFF:
            page.append("")
        for index, line in enumerate(_clipped(lines, LINES[section], more)):
            page.append(f"{label if index == 0 else '':<{LABEL_WIDTH}}{line}"[:WIDTH].rstrip())
    return "\n".join(page)


def headline(record: RunRecord) -> str:
    """The verdict in a sentence or two."""
    return f"{record.verdict}: {_verdict(record)}"


def _verdict(record: RunRecord) -> str:
    words: dict[str, Callable[[RunRecord], str]] = {
        "healthy": _healthy,
        "repaired": _repaired,
        "unlearnable": _unlearnable,
        "unrepaired": _unrepaired,
        "not_assessed": lambda _: "nothing to compare predictions with; the model was trained as it is.",
    }
    return words[record.verdict](record) if record.verdict in words else ""


def _healthy(record: RunRecord) -> str:
    """Where noise hides what skill there is, no fault was found, and no more can be said."""
    hidden = [one for one in record.before if one.skill_lower <= 0.0]
    if not hidden:
        return "the model learns; nothing was changed."
    return f"no fault was found; on {hidden[0].n_samples} rows its skill cannot be told from none. Nothing was changed."


def _repaired(record: RunRecord) -> str:
    was_failing = any(one.is_collapsed for one in record.before)
    what = "was failing" if was_failing else "fell far short"
    parts = [f"the model {what}; the fix below is proven on held-out rows."]
    if record.recipe.departures:
        parts = [
            "the fix changes what was asked for.",
            *record.recipe.departures,
            f"The model {what}; it is proven on held-out rows.",
        ]
    return " ".join(parts)


def _unlearnable(record: RunRecord) -> str:
    """Why nothing can be learned, in numbers, and what would help."""
    causes = {finding.cause for finding in record.findings}
    if record.before and all(one.is_target_constant for one in record.before):
        causes.add("constant_targets")
    if "constant_targets" in causes:
        reason = "the targets are constant, so there is nothing to learn."
    elif record.references:
        best = max(record.references, key=lambda reference: _sortable(reference.skill))
        names = ", ".join(reference.name for reference in record.references)
        reason = (
            f"no learner does better than the best constant on held-out rows. The best of {names} reached "
            f"skill {_number(best.skill)} {_bounds(best)}."
        )
    else:
        reason = "nothing predicts the targets better than the best constant on held-out rows."
    advice = [sentence for cause, sentence in HELP.items() if cause in causes]
    return " ".join([reason, *(advice or [HELP["no_signal"]]), "The model was trained as it is."])


def _unrepaired(record: RunRecord) -> str:
    tried = [trial for trial in record.trials if trial.rung > 0]
    if not tried:
        failed = [trial.note for trial in record.trials if trial.status == "failed"]
        why = f" (its training as a trial failed: {failed[0]})" if failed else ""
        return f"the model is failing and nothing could be tried{why}; it was trained as it is."
    if any(finding.cause == "leaky_split" for finding in record.findings):
        return "the model is failing, and what repairs it in trials proves nothing: it learns permuted targets as well."
    best = best_of(tried)
    change = "no change" if best is None else " + ".join(best.recipe.strategies) or "no change"
    if any(trial.status in ("accepted", "sufficient", "minimal") for trial in tried):
        return (
            f"the model is failing. A repair was proven in trials ({change}), but the training with it did not hold; "
            "the model was trained as it is."
        )
    closest = "" if best is None else f" Best tried: {change}, skill {_number(best.skill)} {_bounds(best)}."
    tries = count(len(tried), "trial")
    return f"the model is failing and none of {tries} proved a repair; it was trained as it is.{closest}"


def _assessments(assessments: Sequence[Assessment], prefix: str) -> list[str]:
    """One line an output."""
    lines = []
    for one in assessments:
        output = f"{one.output_name}: " if len(assessments) > 1 else ""
        seen = (
            f"spread {_number(one.spread)}, skill {_number(one.skill)} {_bounds(one)} on {count(one.n_samples, 'row')}"
            if one.is_finite
            else "predictions are not finite"
        )
        lines.append(f"{prefix}{output}{seen}{' (targets are constant)' if one.is_target_constant else ''}")
    return lines


def _references(references: Sequence[Reference]) -> list[str]:
    """The best of them."""
    if not references:
        return []
    best = max(references, key=lambda reference: _sortable(reference.skill))
    return [f"{best.name} reaches skill {_number(best.skill)} {_bounds(best)} on held-out rows"]


def _findings(record: RunRecord) -> list[str]:
    """The likeliest cause in full, others in one line each; first those that the fix treats."""
    if record.verdict == "healthy" or not record.findings:
        return []
    findings = sorted(record.findings, key=lambda finding: finding.cause not in record.mattering)
    first, *others = (
        f"{'' if not record.mattering or finding.cause in record.mattering else 'not needed: '}"
        f"{finding.cause} ({finding.confidence:.0%}): {finding.evidence}"
        for finding in findings
    )
    return [*_clipped(_wrapped(first), 4, "report.findings has it all"), *_one_line(others)]


def _broken(lines: Iterable[str]) -> list[str]:
    """A diff whose long lines are broken after commas; the comment of such a line goes above it."""
    broken = []
    room = WIDTH - LABEL_WIDTH
    for line in lines:
        if len(line) <= room:
            broken.append(line)
            continue
        sign, (statement, _, comment) = line[0], line[1:].partition("   # ")
        if comment:
            broken.append(f"{sign}# {comment}")
        first, *parts = statement.split(", ")
        broken.append(sign + first)
        for part in parts:
            if len(broken[-1]) + len(part) + 3 <= room:
                broken[-1] += f", {part}"
            else:
                broken[-1] += ","
                broken.append(f"{sign}    {part}")
    return broken


def _tried(trials: Sequence[TrialRecord]) -> list[str]:
    """One line a rung, with the strategies it adds; trials that only dropped remedies come last."""
    rungs: dict[int, list[TrialRecord]] = {}
    smaller = [trial for trial in trials if trial.status in ("minimal", "not minimal")]
    for trial in trials:
        if trial not in smaller:
            rungs.setdefault(trial.rung, []).append(trial)
    rows, known = [], set[str]()
    for rung, members in rungs.items():
        added = [name for name in strategies_of(members) if name not in known]
        known.update(added)
        together = " + ".join(strategies_of(members)) or "no change"  # those of the rungs before
        label = "control" if rung == 0 else " ".join(f"+ {name}" for name in added) or together
        rows.append((f"{rung} {label}", members))
    if smaller:
        rows.append(("smaller recipes", smaller))
    width = min(max((len(label) for label, _ in rows), default=0), 36)
    return [
        f"{_shortened(label, width):<{width}}  {_outcome(members)}  {sum(trial.seconds for trial in members):.1f} s"
        for label, members in rows
    ]


def _left_out(left_out: dict[str, str]) -> list[str]:
    """The one strategy with its reason, or how many there are."""
    if len(left_out) > 1:
        return [f"{len(left_out)} strategies, for the reasons in report.left_out"]
    return _one_line(f"{name}: {why}" for name, why in left_out.items())


def strategies_of(trials: Iterable[TrialRecord]) -> list[str]:
    """Names of the strategies in the trials, without repeats, in order."""
    return list(dict.fromkeys(name for trial in trials for name in trial.recipe.strategies))


def best_of(trials: Iterable[TrialRecord]) -> TrialRecord | None:
    """The trial with the highest skill that is a number, or None."""
    scored = [trial for trial in trials if not math.isnan(trial.skill)]
    return max(scored, key=lambda trial: trial.skill, default=None)


def _outcome(trials: Sequence[TrialRecord]) -> str:
    best = best_of(trials)
    statuses = {trial.status for trial in trials}
    if "minimal" in statuses or "not minimal" in statuses:
        kept = [trial for trial in trials if trial.status == "minimal"]
        smallest = min(kept, key=lambda trial: len(trial.recipe), default=None)
        found = "none sufficient" if smallest is None else f"{' + '.join(smallest.recipe.strategies)} suffices"
        return f"{count(len(trials), 'trial')}, {found}"
    won = next((f", {status}" for status in ("accepted", "sufficient", "proven") if status in statuses), "")
    skill = "no skill to measure" if best is None else f"skill {_number(best.skill)} {_bounds(best)}"
    return f"{count(len(trials), 'trial')}, {skill}{won}"


def _seconds(seconds: dict[str, float]) -> list[str]:
    # All parts together would not fit the line; those that are nothing say nothing.
    parts = [f"{name} {value:.1f}" for name, value in seconds.items() if name != "total" and value >= SHOWN_SECONDS]
    if not seconds:
        return []
    total = seconds.get("total", sum(seconds.values()))
    return [f"{total:.1f} s{': ' if parts else ''}{', '.join(parts)}"]


def _number(value: float) -> str:
    """Three decimals, and the sign of a number that would be a rounded zero dropped."""
    if math.isfinite(value) and abs(value) >= 1000.0:
        return f"{value:.3g}"
    return f"{value:.3f}".replace("-0.000", "0.000")


def _bounds(one: Assessment | Reference | TrialRecord) -> str:
    return f"[{_number(one.skill_lower)}, {_number(one.skill_upper)}]"


def _sortable(value: float) -> float:
    return -math.inf if math.isnan(value) else value


def _wrapped(sentence: str) -> list[str]:
    return textwrap.wrap(sentence, WIDTH - LABEL_WIDTH)


def _one_line(sentences: Iterable[str]) -> list[str]:
    return [_shortened(" ".join(sentence.split()), WIDTH - LABEL_WIDTH) for sentence in sentences]


def _shortened(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: width - 3]}..."


def _clipped(lines: list[str], limit: int, more: str) -> list[str]:
    """At most `limit` lines; the last one says how many were left away."""
    if len(lines) <= limit:
        return lines
    return [*lines[: limit - 1], f"... and {len(lines) - limit + 1} more lines; {more}"]
