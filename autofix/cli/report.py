"""`autofix report`."""

from pathlib import Path

import click

from autofix.cli.conventions import LOGGER, OK, SOME_BAD, emit, format_option

SUFFIXES = (".html", ".json", ".csv", ".txt")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@format_option
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Write a file instead: {', '.join(SUFFIXES)}, by its suffix.",
)
def report(run: Path, output_format: str, output: Path | None) -> int:
    """Tells what the jobs of RUN, a run folder such as runs/jobs, came to.

    The exit code is 1 when a job is neither healthy nor repaired.
    """
    from autofix.jobs import summary
    from autofix.jobs.folder import RunFolder

    folder = RunFolder(run)
    entries = folder.entries()
    if output is not None:
        if output.suffix not in SUFFIXES:
            raise click.BadParameter(f"Expected one of {', '.join(SUFFIXES)}. Received: {output}.", param_hint="-o")
        summary.save(folder, output)
        LOGGER.info("wrote %s", output)
    elif output_format in ("json", "jsonl"):
        emit([summary.row(entry) for entry in entries], output_format)
    else:
        emit([summary.short_row(entry) for entry in entries], output_format, summary.COLUMNS)
        if output_format == "table" and (told := [entry for entry in entries if summary.is_worth_telling(entry)]):
            click.echo(f"\n{summary.as_text(told)}", nl=False)
    return OK if all(entry.record is not None and entry.record.is_good for entry in entries) else SOME_BAD
