"""`autofix run`."""

import re
from pathlib import Path
from typing import Any

import click

from autofix.cli.conventions import INTERRUPTED, LOGGER, OK, SOME_BAD, emit, format_option
from autofix.cli.job_options import allow_code_option, job_file_argument, runs_option, set_option
from autofix.errors import JobFileError


class _ShardType(click.ParamType):
    """`2/8`: the second of eight shares."""

    name = "I/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        match = re.fullmatch(r"(\d+)/(\d+)", str(value))
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            self.fail(f"Expected I/N with I from 1 to N, such as 2/8. Received: {value}.", param, ctx)
        return int(match[1]), int(match[2])


@click.command()
@job_file_argument
@set_option
@allow_code_option
@runs_option
@format_option
@click.option(
    "-j",
    "--jobs",
    "n_workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Jobs at a time, on this machine.",
)
@click.option("--shard", type=_ShardType(), help="Take the I-th of N shares of the jobs, as in an array of batch jobs.")
@click.option(
    "--retries", type=click.IntRange(0), default=0, show_default=True, help="Times to retry a job whose process died."
)
@click.option("--retry-failed", is_flag=True, help="Run jobs that failed in an earlier run again.")
@click.option("--fail-fast", is_flag=True, help="End the run with the first job that fails.")
@click.option(
    "--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True, help="Where jobs run."
)
@click.option("--address", help="Of the Ray cluster, such as `auto` or ray://host:10001.")
def run(
    job_file: Path,
    overrides: tuple[str, ...],
    runs: Path,
    output_format: str,
    shard: tuple[int, int] | None,
    **given: Any,
) -> int:
    """Trains the jobs of a file, each in a worker process, and keeps what they come to in a folder.

    The same command again goes on where the last run was: jobs that ended and have not changed are skipped, and one
    that was cut short keeps its finished trials. A job whose process died runs again; one that raised an error or took
    too long runs again with --retry-failed.

    Results go to stdout, all else to stderr. The exit code is 0 when all jobs are healthy or repaired, 1 when some are
    not, 2 for a mistake in the command or the file, 130 when interrupted.
    """
    if given["address"] is not None and given["engine"] != "ray":
        raise click.UsageError("--address is that of a Ray cluster. Give --engine ray as well.")
    from autofix.jobs.reading import read

    reading = read(job_file, overrides)
    from autofix.jobs import checking  # it loads what reads tables, which a file with errors need not wait for

    if problems := checking.check(reading, given["allow_code"], runs):
        raise JobFileError(problems)
    from autofix.cli import progress
    from autofix.jobs import running, summary
    from autofix.jobs.lock import Shard
    from autofix.jobs.record import tally

    folder = running.default_folder(reading.file, runs)
    options = running.Options(shard=Shard(*(shard or (1, 1))), **given)
    with progress.shown() as listener:
        outcome = running.run(reading.file, folder, options, listener)
    names = {job.name for job in options.shard.of(list(reading.file.jobs))}
    entries = [entry for entry in folder.entries() if entry.name in names]
    if output_format in ("json", "jsonl"):
        emit([summary.row(entry) for entry in entries], output_format)
    else:
        emit([summary.short_row(entry) for entry in entries], output_format, summary.COLUMNS)
    LOGGER.info("%s", tally(entry.status for entry in entries))
    if outcome.is_interrupted:
        LOGGER.error("interrupted; the same command goes on from here")
        return INTERRUPTED
    return OK if outcome.is_good else SOME_BAD
