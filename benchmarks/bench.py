"""`autofix bench`: all arms on all scenarios, resumable, with a table, pictures and a page of results.

What is imported here is quick to import: Keras is loaded when something is run.
"""

import logging
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from autofix.benchmarks import lines, measures
from autofix.benchmarks.faults.judging import number
from autofix.benchmarks.scenarios import SUITES
from autofix.cli.quiet import quiet_import
from autofix.errors import ArgumentError

LOGGER = logging.getLogger("autofix.bench")
"""Progress; results go to stdout."""

SEEDS = {"quick": 1, "full": 3, "planted": 10, "healthy": 40, "unlearnable": 20}
"""Of the suites; the last two come to 200 runs each."""

CHEAP_ARMS = ("nothing", "again", "autofix", "hand", "sklearn")

DEFAULT_ARMS = {
    "quick": CHEAP_ARMS,
    "full": tuple(measures.TITLES),
    "planted": ("nothing", "autofix", "hand"),
    "healthy": ("nothing", "autofix"),
    "unlearnable": ("nothing", "autofix"),
}

_SEEDS_TOLD = ", ".join(f"{count} with {suite}" for suite, count in SEEDS.items())

DEFAULT_OUT = Path("build/bench")

COMMANDS = "commands.txt"
"""Beside the records: the commands that made them."""


def shard_of(context: click.Context, parameter: click.Parameter, value: str) -> tuple[int, int]:
    """`"2/5"` as 2 and 5."""
    try:
        part, whole = (int(number) for number in value.split("/"))
    except ValueError:
        part, whole = 0, 0
    if not 1 <= part <= whole:
        raise click.BadParameter(f"Expected i/n with i from 1 to n, such as 2/5. Received: {value!r}.")
    return part, whole


def names_of(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> tuple[str, ...]:
    """Names that may be given one by one or with commas between them."""
    return tuple(name for value in values for name in value.split(",") if name)


@click.command(epilog="See docs/benchmark.md for what is measured, and for how to add scenarios of your own.")
@click.option(
    "--suite",
    type=click.Choice(SUITES),
    default="quick",
    show_default=True,
    help="Every fault once in ten minutes, everything overnight, or a kind of program over many seeds.",
)
@click.option(
    "--arms",
    multiple=True,
    callback=names_of,
    metavar="NAME[,NAME]",
    help=f"Of {', '.join(measures.TITLES)}; all with the full suite, those that take seconds with the others.",
)
@click.option(
    "--scenario",
    "names",
    multiple=True,
    callback=names_of,
    metavar="NAME[,NAME]",
    help="In place of a suite; 'dead_units/*' stands for all that begin so, '*/images' for all that end so.",
)
@click.option(
    "--in-turns", is_flag=True, help="A seed draws one scenario only of each cause and kind of data, in turns."
)
@click.option("--seeds", type=click.IntRange(1), help=f"How many seeds; {_SEEDS_TOLD}.")
@click.option("--first-seed", type=click.IntRange(0), default=0, show_default=True, help="The first of them.")
@click.option(
    "-j", "--jobs", "workers", type=click.IntRange(1), default=1, show_default=True, help="Processes at a time."
)
@click.option("--shard", callback=shard_of, default="1/1", metavar="I/N", help="Run only the i-th of n parts.")
@click.option(
    "--trials",
    type=click.IntRange(1),
    default=60,
    show_default=True,
    help="Trials of the searches of others; autofix may run as many.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_OUT,
    show_default=True,
    help="Folder of the records, the page of results and the pictures. A run that was stopped goes on.",
)
@click.option("--list", "only_list", is_flag=True, help="Show the scenarios, and run nothing.")
@click.option(
    "--summarise",
    "summarised",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Run nothing; summarise the records of this folder, those of all shards together.",
)
@click.option(
    "--markdown",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the page of results goes; RESULTS.md beside the records when not given.",
)
def bench(
    suite: str,
    arms: tuple[str, ...],
    names: tuple[str, ...],
    in_turns: bool,
    seeds: int | None,
    first_seed: int,
    workers: int,
    shard: tuple[int, int],
    trials: int,
    out: Path,
    only_list: bool,
    summarised: Path | None,
    markdown: Path | None,
) -> int:
    """Compare autofix with doing nothing, with searches, with scikit-learn and with fixes by hand.

    Every arm trains the same broken, healthy and unlearnable programs from the same seeds, and is judged on fresh rows
    of the same generators. Each run is a line of JSON in --out; what is there is not run again. Ends with 1 when
    autofix misses what is asked of it.
    """
    if summarised is None:
        with quiet_import():
            from autofix.benchmarks import runs
        scenarios = runs.scenarios(suite, names)
        tasks = runs.tasks(
            scenarios,
            runs.arms(arms or DEFAULT_ARMS[suite]),
            range(first_seed, first_seed + (seeds or SEEDS[suite])),
            n_trials=trials,
            workers=workers,
            shard=shard,
            in_turns=in_turns,
        )
        if only_list:
            for scenario in scenarios:
                click.echo(f"{scenario.name}  ({scenario.family}; {scenario.verdict}: {scenario.cause})")
            return 0
        part, whole = shard
        path = out / ("records.jsonl" if whole == 1 else f"records-{part}-of-{whole}.jsonl")
        _keep_command(out / COMMANDS)
        _run(tasks, path, workers)
    out = summarised or out
    records = lines.read_all(out)
    if not records:
        raise ArgumentError(
            f"There is nothing to summarise. Expected records in a folder. Received: {out}. Run `autofix bench` first."
        )
    from autofix.benchmarks import results

    commands = "\n".join(_kept_commands(out / COMMANDS))
    return results.show(measures.Results.of(records), markdown or out / "RESULTS.md", commands)


def command_line() -> str:
    """The command as it was given, for the page of results; empty where the benchmark was not called as a command."""
    return shlex.join(["autofix", *sys.argv[sys.argv.index("bench") :]]) if "bench" in sys.argv else ""


def _keep_command(path: Path) -> None:
    """Notes the command beside the records, once."""
    known = _kept_commands(path)
    if (command := command_line()) and command not in known:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{one}\n" for one in (*known, command)), encoding="utf-8")


def _kept_commands(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def warm_up() -> None:
    """What each new process begins with: Keras, quietly, and what a process pays once."""
    with quiet_import():
        from autofix.benchmarks.faults import trained
    trained.warm_up()


def _run(tasks: Sequence[lines.Task], path: Path, workers: int) -> None:
    left = lines.done(tasks, lines.finished(path)).count(False)
    LOGGER.info("%d runs, %d of them to do; records in %s", len(tasks), left, path)
    started = time.monotonic()
    for n_done, record in enumerate(lines.run(tasks, path, warm_up, workers=workers), start=1):
        remaining = (time.monotonic() - started) / n_done * (left - n_done)
        LOGGER.info("[%d/%d, %s left] %s", n_done, left, _duration(remaining), _line(record))


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def _line(record: dict[str, Any]) -> str:
    """A run as the line that is printed when it has ended."""
    head = f"{record['scenario']} seed {record['seed']} {record['arm']}: "
    if record.get("error"):
        return head + str(record["error"]).strip().splitlines()[-1]
    if "not_run" in record:
        return head + f"not run, {record['not_run']}"
    said = f", {record['verdict']} by {'+'.join(record['strategies']) or 'nothing'}" if "verdict" in record else ""
    return head + f"skill {number(record['skill']):.2f} in {record['seconds']:.1f} s{said}"
