"""What all commands share: where they write, how they fail, what they return.

- Results go to stdout through `emit`, as a table, JSON, JSON lines or CSV. Everything else goes to stderr, through
  `LOGGER`: `-q` keeps warnings and errors only, `-v` adds details, `--log-file` keeps all of it with the time.
- Exit codes: 0 when all is well, 1 when some jobs are unrepaired, unlearnable or failed (or autofix itself failed),
  2 for a mistake in the command or in the files it names, 130 when interrupted. A command returns its code.
- What goes wrong is told in one line on stderr, a job file's problems in one line each. `--debug` adds the traceback.
- Colours only on a terminal, and none where `NO_COLOR` is set.
"""

import contextlib
import csv
import dataclasses
import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from autofix.errors import AutofixError, JobFileError, UnrepairedError
from autofix.jobs.problems import one_line

OK = 0
SOME_BAD = 1
USAGE = 2
INTERRUPTED = 130
"""The exit codes. 130 is what shells give a program that Ctrl-C ended."""

FORMATS = ("table", "json", "jsonl", "csv")

LOGGER = logging.getLogger("autofix.cli")
"""Messages of the commands: `info` for what a user wants to see by default, `debug` for details."""

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

format_option = click.option(
    "--format",
    "output_format",
    type=click.Choice(FORMATS),
    default="table",
    show_default=True,
    help="Form of the results on stdout.",
)
"""`--format`, for commands with results; passes `output_format`, which `emit` takes."""


@dataclasses.dataclass
class Guarded:
    """What became of a guarded command."""

    code: int = OK


@contextlib.contextmanager
def guard(arguments: Sequence[str]) -> Iterator[Guarded]:
    """Turns whatever ends a command into its line on stderr and its exit code.

    Args:
        arguments: Of the command line. `--debug` is looked for here, because an error may come before any parsing.
    """
    guarded = Guarded()
    with logging_to_stderr():
        try:
            yield guarded
        except click.ClickException as error:
            error.show()
            guarded.code = USAGE
        except (KeyboardInterrupt, click.Abort):
            LOGGER.error("interrupted")
            guarded.code = INTERRUPTED
        except BrokenPipeError:
            raise
        except JobFileError as error:
            for problem in error.problems:
                LOGGER.error("%s", problem)
            count = len(error.problems)
            LOGGER.error("error: %d problem%s in the job file", count, "" if count == 1 else "s")
            guarded.code = USAGE
        except Exception as error:  # a user gets one line, and the traceback when asked for
            is_known = isinstance(error, AutofixError) and not isinstance(error, UnrepairedError)
            guarded.code = USAGE if is_known else SOME_BAD
            hint = "" if is_known or "--debug" in arguments else " (--debug shows where)"
            text = str(error) if is_known else f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
            LOGGER.error("error: %s%s", one_line(text), hint, exc_info="--debug" in arguments)


class _Line(logging.Formatter):
    """The bare message; warnings say that they are some."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return f"warning: {text}" if record.levelno == logging.WARNING else text


class _Stderr(logging.StreamHandler):
    """Writes to what `sys.stderr` is at that moment: a progress display may have replaced it."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def _log_warning(message: Warning | str, *where: Any, **more: Any) -> None:
    """A warning of Python in one line, without the line of code that gave it."""
    LOGGER.warning("%s", one_line(message))


@contextlib.contextmanager
def logging_to_stderr() -> Iterator[None]:
    """Shows what is logged under `autofix`, and warnings, on stderr; undoes that afterwards."""
    top = logging.getLogger("autofix")
    kept, level, propagates = list(top.handlers), top.level, top.propagate
    handler = _Stderr()
    handler.setFormatter(_Line())
    handler.setLevel(logging.INFO)
    top.addHandler(handler)
    top.setLevel(logging.DEBUG)
    top.propagate = False
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _log_warning
            yield
    finally:
        for one in [one for one in top.handlers if one not in kept]:
            top.removeHandler(one)
            if one is not handler:
                one.close()
        top.setLevel(level)
        top.propagate = propagates


def is_quiet() -> bool:
    """Whether `-q` was given: warnings and errors only."""
    shown = [one.level for one in logging.getLogger("autofix").handlers if isinstance(one, _Stderr)]
    return min(shown, default=logging.WARNING) > logging.INFO


def _set_verbosity(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if not value:
        return
    level = logging.DEBUG if param.name == "verbose" else logging.WARNING
    for handler in logging.getLogger("autofix").handlers:
        if isinstance(handler, _Stderr):
            handler.setLevel(level)


def _open_log(ctx: click.Context, param: click.Parameter, value: Path | None) -> None:
    if value is None:
        return
    try:
        handler = logging.FileHandler(value, encoding="utf-8")
    except OSError as error:
        raise click.BadParameter(f"{value}: {error.strerror}. Name a file that can be written.") from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.getLogger("autofix").addHandler(handler)


_COMMON = (
    (("-v", "--verbose"), {"is_flag": True, "callback": _set_verbosity, "help": "Say more."}),
    (("-q", "--quiet"), {"is_flag": True, "callback": _set_verbosity, "help": "Say warnings and errors only."}),
    (
        ("--log-file",),
        {
            "type": click.Path(dir_okay=False, path_type=Path),
            "callback": _open_log,
            "help": "Append all messages to this file, with the time.",
        },
    ),
    (("--debug",), {"is_flag": True, "help": "Show the traceback of an error."}),
)


def add_common_options(command: click.Command) -> click.Command:
    """Gives a command the options that all share, where it has none of that name; returns the command."""
    taken = {word for param in command.params for word in param.opts}
    for words, settings in _COMMON:
        if taken.isdisjoint(words):
            command.params.append(click.Option(words, expose_value=False, **settings))  # type: ignore[arg-type]
    return command


def emit(rows: Sequence[Mapping[str, Any]], output_format: str, columns: Sequence[str] | None = None) -> None:
    """Writes results to stdout.

    Args:
        rows: The results. Values for JSON are kept as they are; tables and CSV show None as nothing.
        output_format: `"table"`, `"json"` (one list), `"jsonl"` (an object a line) or `"csv"`.
        columns: Keys that table and CSV show, in this order; None for those of the first row.

    Example:

    >>> emit([{"job": "churn", "verdict": "healthy"}], "jsonl")
    {"job": "churn", "verdict": "healthy"}
    """
    names = list(columns if columns is not None else rows[0] if rows else ())
    if output_format == "json":
        click.echo(json.dumps(list(rows), indent=2, ensure_ascii=False, allow_nan=False))
    elif output_format == "jsonl":
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False, allow_nan=False))
    elif output_format == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([["" if row.get(name) is None else row[name] for name in names] for row in rows])
    else:
        _print_table(names, [["" if row.get(name) is None else row[name] for name in names] for row in rows])


def _print_table(names: Sequence[str], cells: Sequence[Sequence[Any]]) -> None:
    """Columns side by side. A table that goes into a pipe is as wide as it needs to be: nothing is cut off."""
    import rich.box
    import rich.console
    import rich.table
    import rich.text

    table = rich.table.Table(box=rich.box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in names:
        is_number = any(isinstance(row[names.index(name)], (int, float)) for row in cells)
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in cells:
        table.add_row(*[rich.text.Text(f"{one:.3g}" if isinstance(one, float) else one_line(one)) for one in row])
    console = rich.console.Console(highlight=False, file=sys.stdout)
    if not console.is_terminal:
        console = rich.console.Console(highlight=False, file=sys.stdout, width=1_000_000)
        console.width = max(1, console.measure(table).maximum)
    console.print(table)
