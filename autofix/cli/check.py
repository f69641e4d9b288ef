"""`autofix check`."""

from pathlib import Path

import click

from autofix.cli.conventions import LOGGER, OK, emit, format_option
from autofix.cli.job_options import allow_code_option, job_file_argument, runs_option, set_option
from autofix.cli.quiet import quiet_import
from autofix.errors import JobFileError


def _print_schema(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if not value:
        return
    import json

    from autofix.jobs.editor_schema import editor_schema

    click.echo(json.dumps(editor_schema(), indent=2))
    ctx.exit(OK)


@click.command()
@job_file_argument
@set_option
@allow_code_option
@runs_option
@format_option
@click.option("--without-keras", is_flag=True, help="Leave out what only Keras can tell, which takes seconds to load.")
@click.option(
    "--schema",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_schema,
    help="Print the JSON schema of job files, for editors, and exit.",
)
def check(
    job_file: Path, overrides: tuple[str, ...], allow_code: bool, runs: Path, output_format: str, without_keras: bool
) -> int:
    """Validates a job file and prints its plan. Trains nothing, writes nothing, and calls no function of yours.

    All mistakes are told at once, each with its line and column: wrong keys and values, files, columns and arrays that
    are not there, arguments that Keras does not take, models that do not fit their data.
    """
    from autofix.jobs.reading import read

    reading = read(job_file, overrides)
    from autofix.jobs import checking  # it loads what reads tables, which a file with errors need not wait for

    problems = checking.check(reading, allow_code, runs)
    if not problems and not without_keras:
        with quiet_import():
            from autofix.jobs import keras_checks
        problems = keras_checks.check(reading, allow_code)
    if problems:
        raise JobFileError(problems)
    emit([checking.plan(job) for job in reading.file.jobs], output_format)
    count = len(reading.file.jobs)
    LOGGER.info("%d job%s, no problems found", count, "" if count == 1 else "s")
    return OK
