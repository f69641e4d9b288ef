"""The page of results: tables, pictures, requirements, and where autofix loses. Made of records alone."""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from autofix.benchmarks import durations, measures, pictures, requirements, summary
from autofix.benchmarks.faults.judging import Record
from autofix.benchmarks.measures import ArmFigures, Middle, Results, Share, least_skill

Row = tuple[str, ...]

LENGTHS_S = (2.0, 5.0, 10.0)
"""Seconds that the hand-made fix trains for, where the table of lengths is divided."""

BETTER = 0.05
"""An arm did better on a run than autofix when its skill is higher by more than this."""

MOST_SHOWN = 60
"""Runs that autofix does not get right, shown one by one."""

FIGURES: tuple[tuple[str, Callable[[ArmFigures], Share | Middle]], ...] = (
    ("repaired", lambda one: one.repaired),
    ("skill", lambda one: one.skill),
    ("never worse", lambda one: one.never_worse),
    ("time / broken", lambda one: one.over_plain),
    ("time / by hand", lambda one: one.over_hand),
    ("CPU / by hand", lambda one: one.cpu_over_hand),
    ("trials", lambda one: one.n_trials),
    ("peak MB", lambda one: one.peak_mb),
    ("MB added", lambda one: one.added_mb),
)
"""What is shown of every arm."""

VERDICTS: tuple[tuple[str, Callable[[ArmFigures], Share | Middle]], ...] = (
    ("false interventions", lambda one: one.false_interventions),
    ("false repairs", lambda one: one.false_repairs),
    ("collapse found", lambda one: one.found),
    ("cause first", lambda one: one.first),
    ("among three", lambda one: one.three),
    ("smallest fix right", lambda one: one.right),
)
"""What is shown of the arms that give verdicts."""

EXPLANATION = f"""\
A run is an arm on a scenario with one seed. Shares have 95 % intervals after Wilson, medians those of the bootstrap,
over runs. **Skill** is R² on at least 1,000 fresh rows, for classes of their probabilities, averaged over outputs; what
is below {measures.LEAST_SKILL:g} counts as that in medians. **Repaired**: at least 0.9 of the skill of the hand-made
fix, the lower bound above 0, and the arm says so, if it gives verdicts; of the runs that fail under plain `model.fit`.
**Never worse**: the skill is not lower than plain `model.fit`'s by more than {measures.NOISE} with 95 % confidence
(paired bootstrap over the fresh rows), on all scenarios. **False interventions**: healthy programs that do not end with
the weights of `model.fit`, to the last bit, or are called anything but healthy. **False repairs**: programs with
nothing to learn that are called repaired. Times are medians of run by run ratios, **over the broken** program's
`model.fit` and over that of the program fixed **by hand**; **CPU** is processor time. **MB added**: by how much the
memory of the process was larger, at its peak, than before the run."""


def figure_rows(results: Results, *, is_brief: bool = False) -> list[Row]:
    """A row an arm of what every arm has.

    Args:
        results: The records.
        is_brief: For a terminal: arms by their names, medians without their intervals.
    """
    return [_row(figures, FIGURES, results, is_brief) for figures in _all(results)]


def verdict_rows(results: Results) -> list[Row]:
    """A row an arm that gives verdicts."""
    return [_row(figures, VERDICTS, results) for figures in _all(results) if figures.first.n or figures.false_repairs.n]


def _all(results: Results) -> list[ArmFigures]:
    return [measures.figures_of(results, arm) for arm in results.arms]


def _row(
    figures: ArmFigures,
    columns: Iterable[tuple[str, Callable[[ArmFigures], Share | Middle]]],
    results: Results,
    is_brief: bool = False,
) -> Row:
    values = [get(figures) for _, get in columns]
    title = figures.arm if is_brief else _title(figures)
    texts = [measures.shown(one.median) if is_brief and isinstance(one, Middle) else str(one) for one in values]
    return title, str(len(results.on_broken(figures.arm))), *texts


def group_rows(results: Results, field: str) -> list[Row]:
    """For each cause or family the repaired share of each arm."""
    return [
        (name, *(str(shares[arm]) if arm in shares else "-" for arm in results.arms))
        for name, shares in measures.groups(results, field).items()
    ]


CAUSE_COLUMNS = (
    *("cause", "runs", "fail", "found", "first", "among three", "repaired", "smallest fix right", "trials"),
    *("time / broken", "time / by hand", "verdicts"),
)


def cause_rows(results: Results) -> list[Row]:
    """For each cause, and in total, what autofix makes of the programs that have it."""
    broken = results.on_broken("autofix")
    by_cause: dict[str, list[Record]] = {}
    for record in broken.values():
        by_cause.setdefault(record["cause"], []).append(record)
    n_runs = Counter(record["cause"] for record in results.of_arm("autofix", ("repaired",)).values())
    rows = [_cause_row(cause, n_runs[cause], by_cause.get(cause, [])) for cause in sorted(n_runs)]
    return [*rows, _cause_row("in total", n_runs.total(), list(broken.values()))] if broken else []


def _cause_row(name: str, n_runs: int, broken: Sequence[Record]) -> Row:
    judged = [measures.judge(record) for record in broken]
    ran = [record for record in broken if not record["error"]]
    shares = [
        f"{sum(flags)} of {len(flags)}"
        for flags in (
            [one.found for one in judged],
            [one.first for one in judged],
            [one.three for one in judged],
            [measures.is_repaired(record) for record in broken],
            [one.right for one in judged],
        )
    ]
    medians = [
        measures.shown(summary.quartiles(values).median)
        for values in (
            [record["n_trials"] for record in ran],
            [record["seconds"] / record["plain_seconds"] for record in ran],
            [record["seconds"] / record["healthy_seconds"] for record in ran],
        )
    ]
    verdicts = summary.counted(record.get("verdict", "error") for record in broken)
    return name, str(n_runs), str(len(broken)), *shares, *medians, verdicts


def speed_rows(results: Results) -> list[Row]:
    """For each search, over the runs that autofix repairs: how many times as long it takes, and what it repairs."""
    rows: list[Row] = []
    for search in measures.SEARCHES:
        others = results.on_broken(search)
        own = {run: record for run, record in results.on_broken("autofix").items() if run in others}
        if not own:
            continue
        ratios = durations.speedups(results, search)
        whole = [others[run]["seconds"] / own[run]["seconds"] for run in own if not others[run]["error"]]
        rows.append(
            (
                measures.TITLES[search],
                str(len(own)),
                str(measures.share(measures.is_repaired(record) for record in own.values())),
                str(measures.share(measures.is_repaired(others[run]) for run in own)),
                str(measures.share(_repaired_within(others[run], own[run]["seconds"]) for run in own)),
                measures.shown(summary.quartiles(ratios).median),
                measures.shown(durations.matched_speedup(results, search)),
                str(measures.middle(whole)),
            )
        )
    return rows


def length_rows(results: Results) -> list[Row]:
    """For programs of each length, over the runs that autofix repairs: what a repair takes, over the two trainings."""
    rows: list[Row] = []
    repaired = [record for record in results.on_broken("autofix").values() if measures.is_repaired(record)]
    for is_alone, (low, high) in itertools.product((True, False), itertools.pairwise((0.0, *LENGTHS_S, math.inf))):
        runs = [one for one in repaired if (one["workers"] == 1) is is_alone and low <= one["healthy_seconds"] < high]
        if runs:
            title = f"{low:g} to {high:g} s" if high < math.inf else f"{low:g} s and more"
            ratios = ([one["seconds"] / one[f"{other}_seconds"] for one in runs] for other in ("plain", "healthy"))
            at_a_time = "one" if is_alone else "several"
            rows.append((title, at_a_time, str(len(runs)), *(str(measures.middle(values)) for values in ratios)))
    return rows


def _repaired_within(record: Record, seconds: float) -> bool:
    return durations.seconds_to_repair(record) <= seconds


def loss_lines(results: Results) -> list[str]:
    """Where autofix loses, in sentences and a list; nothing is left out that it does not get right."""
    lost = measures.losses(results)
    n_runs = len(results.on_broken("autofix"))
    n_broken = sum(record["expected"] == "repaired" for record in lost)
    if not lost:
        return [f"Of {n_runs} broken runs it repairs all, and it gets every control right."]
    causes = Counter(record["cause"] for record in lost)
    most = ", ".join(f"{cause} ({count})" for cause, count in causes.most_common(5))
    sentences = [
        f"Of {n_runs} broken runs it does not repair {n_broken}; of the controls it gets "
        f"{len(lost) - n_broken} wrong. By cause: {most}."
    ]
    better = {arm: _better(results, arm) for arm in results.arms if arm != "autofix"}
    told = [
        f"{measures.TITLES.get(arm, arm)} on {len(own)} of {len(results.on_broken(arm))} ({_most_common(own)})"
        for arm, own in better.items()
        if own
    ]
    if told:
        sentences.append(
            f"On so many runs others end with a skill that is higher by more than {BETTER:g}, most often of the cause "
            f"in brackets: {'; '.join(told)}."
        )
    listed = [
        f"- `{record['scenario']}` seed {record['seed']}: {record['why']}; "
        f"planted: {'; '.join(record['planted']) or 'nothing'}"
        for record in sorted(lost, key=lambda one: (one["cause"], one["scenario"], one["seed"]))[:MOST_SHOWN]
    ]
    if len(lost) > MOST_SHOWN:
        listed.append(f"- and {len(lost) - MOST_SHOWN} more; the records have them all")
    return [" ".join(sentences), "", *listed]


def _better(results: Results, arm: str) -> list[Record]:
    """The runs on which an arm ended with clearly more skill than autofix."""
    own, others = results.on_broken("autofix"), results.on_broken(arm)
    both = [(others[run], own[run]) for run in own if run in others and not others[run]["error"]]
    return [one for one, mine in both if least_skill(one["skill"]) > BETTER + least_skill(mine.get("skill"))]


def _most_common(records: Sequence[Record]) -> str:
    return Counter(record["cause"] for record in records).most_common(1)[0][0]


def _markdown(columns: Sequence[str], rows: Iterable[Row]) -> list[str]:
    body = [f"| {' | '.join(row)} |" for row in rows]
    return [f"| {' | '.join(columns)} |", f"| {' | '.join('---' for _ in columns)} |", *body, ""]


def page(results: Results, drawn: Sequence[tuple[str, str]], commands: str) -> str:
    """The page of results.

    Args:
        results: The records.
        drawn: Of each picture the title and the path, as seen from the page.
        commands: That made it; empty to leave it out.
    """
    titles = [measures.TITLES.get(arm, arm) for arm in results.arms]
    text = ["# Results of the benchmark", "", _measured_on(results), ""]
    if commands:
        text += ["Made by", "", f"```\n{commands}\n```", ""]
    text += [EXPLANATION, "", "## Requirements", ""]
    marks = {True: "yes", False: "**no**"}
    checks = requirements.checks(results)
    text += _markdown(
        ("what", "required", "measured", "holds"),
        [(one.title, one.floor, one.measured, marks[one.passed]) for one in checks],
    )
    text += ["## The arms", "", *_markdown(("arm", "runs", *(name for name, _ in FIGURES)), figure_rows(results))]
    text += _markdown(("arm", "runs", *(name for name, _ in VERDICTS)), verdict_rows(results))
    text += [f"Not run: {_title(one)} ({one.not_run}).\n" for one in _all(results) if one.not_run]
    if rows := speed_rows(results):
        text += ["## Against the searches", "", SPEED, "", *_markdown(SPEED_COLUMNS, rows)]
    if rows := length_rows(results):
        text += ["## Wall time, by length of the training", "", LENGTHS, "", *_markdown(LENGTH_COLUMNS, rows)]
    text += ["## Where autofix loses", "", *loss_lines(results), ""]
    for title, path in drawn:
        text += [f"![{title}]({path})", ""]
    if rows := cause_rows(results):
        text += ["## autofix, by cause", "", CAUSES, "", *_markdown(CAUSE_COLUMNS, rows)]
    text += ["## Repaired, by cause", "", *_markdown(("cause", *titles), group_rows(results, "cause"))]
    text += ["## Repaired, by kind of data", "", *_markdown(("data", *titles), group_rows(results, "family"))]
    return "\n".join(text)


CAUSES = """\
Of the **runs** with a planted cause, those **fail** whose program falls far short under plain `model.fit`; the others
are not counted. Causes of pairs are joined by a plus. Medians of trials and times."""

SPEED = """\
The same runs in both arms. A search is given the benefit that it stops the moment its best model, chosen by its own
validation rows, is as good as a repair on fresh rows, which it cannot know: that is its time to a repair, and infinite
where it never comes; over the time of autofix, on the runs that autofix repairs. The **time to the same repaired
share** is how many times as long as autofix it must run on all programs alike to repair as many of them."""

SPEED_COLUMNS = (
    *("search", "runs", "autofix repairs", "the search repairs", "within autofix' time"),
    *("time to a repair over autofix', median", "time to the same repaired share", "time of the whole search"),
)

LENGTHS = """\
The runs that autofix repairs, by how long the program takes that is fixed by hand, and by whether one run or several
shared the cores **at a time**; one that has them to itself fits reference learners on one while it compiles on the
other. A repair compiles a trial or two, however short the training is. The requirement is for runs that were alone."""

LENGTH_COLUMNS = ("fixed by hand", "at a time", "runs", "time / broken", "time / by hand")


def _title(figures: ArmFigures) -> str:
    return measures.TITLES.get(figures.arm, figures.arm)


def _measured_on(results: Results) -> str:
    """Versions, machine and extent, as sentences."""
    records = list(results.records.values())
    machines = dict.fromkeys(tuple(record["measured_on"].items()) for record in records if "measured_on" in record)
    on = "; ".join(", ".join(f"{name} {value}" for name, value in machine) for machine in machines)
    n_scenarios = len({record["scenario"] for record in records})
    seeds = sorted({record["seed"] for record in records})
    return f"{len(records)} runs on {n_scenarios} scenarios, seeds {seeds[0]} to {seeds[-1]}. Measured on {on}."


def show(results: Results, markdown: Path, commands: str) -> int:
    """Prints the tables, draws the pictures and writes the page.

    Args:
        results: The records.
        markdown: Where the page goes; the pictures go into a folder `pictures` beside it.
        commands: That made it.

    Returns:
        The exit code: 1 when a requirement is missed.
    """
    brief = figure_rows(results, is_brief=True)
    summary.print_table("All arms, medians", ("arm", "runs", *(name for name, _ in FIGURES)), brief)
    verdicts = verdict_rows(results)
    summary.print_table("Verdicts", ("arm", "runs", *(name for name, _ in VERDICTS)), verdicts)
    if rows := speed_rows(results):
        summary.print_table("Against the searches", SPEED_COLUMNS, rows)
    for line in loss_lines(results):
        summary.console.print(line, markup=False, soft_wrap=True)
    drawn = pictures.draw(results, markdown.parent / "pictures")
    paths = [(title, f"pictures/{path.name}") for title, path in drawn]
    markdown.parent.mkdir(parents=True, exist_ok=True)
    markdown.write_text(page(results, paths, commands), encoding="utf-8")
    summary.console.print(f"The page of results is {markdown}.", soft_wrap=True)
    return summary.print_checks(requirements.checks(results))
