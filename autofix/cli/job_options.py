"""Arguments and options of the commands that take a job file."""

from pathlib import Path

import click

job_file_argument = click.argument("job_file", metavar="JOBS.YAML", type=click.Path(path_type=Path))
"""The job file; passes `job_file`, a `Path`. That it is there is told by whoever reads it."""

set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEYS=VALUE",
    help="Change a setting: --set jobs.churn.fit.epochs=5, --set defaults.seed=1. The value is YAML. Repeatable.",
)
"""`--set`; passes `overrides`, a tuple of texts."""

allow_code_option = click.option(
    "--allow-code", is_flag=True, help="Let jobs run the Python functions that they name. For files you trust."
)
"""`--allow-code`; passes `allow_code`."""

runs_option = click.option(
    "--runs",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    metavar="DIR",
    help="Folder of the results, which go to DIR/<name of the job file>/<job>/.",
)
"""`--runs`; passes `runs`, a `Path`."""
