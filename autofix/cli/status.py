"""`autofix status`."""

from pathlib import Path

import click

from autofix.cli.conventions import LOGGER, OK, SOME_BAD, emit, format_option


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@format_option
def status(run: Path, output_format: str) -> int:
    """Says how far the jobs of RUN, a run folder such as runs/jobs, are; also while they run.

    Jobs that have not ended are `waiting`, `running`, or `interrupted` when their run is gone. The exit code is 1 when
    a job ended that is neither healthy nor repaired.
    """
    from autofix.jobs import summary
    from autofix.jobs.folder import RunFolder
    from autofix.jobs.record import tally

    entries = RunFolder(run).entries()
    if output_format in ("json", "jsonl"):
        emit([summary.row(entry) for entry in entries], output_format)
    else:
        emit([summary.short_row(entry) for entry in entries], output_format, summary.COLUMNS)
    LOGGER.info("%s", tally(entry.status for entry in entries))
    return OK if all(entry.record is None or entry.record.is_good for entry in entries) else SOME_BAD
