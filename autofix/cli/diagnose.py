"""`autofix diagnose`."""

import json
from typing import Any

import click

from autofix.cli.conventions import LOGGER, OK, SOME_BAD
from autofix.cli.job_options import allow_code_option
from autofix.cli.quiet import quiet_import
from autofix.errors import JobFileError


@click.command()
@click.argument("model")
@click.argument("data")
@click.option("--target", multiple=True, metavar="COLUMN", help="Target column of a table. Repeatable.")
@click.option("--exclude", multiple=True, metavar="COLUMN", help="A column that is no input. Repeatable.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEYS=VALUE", help="Any setting of a job: --set compile.loss=mse."
)
@allow_code_option
@click.option("--format", "output_format", type=click.Choice(("text", "json")), default="text", show_default=True)
def diagnose(
    model: str,
    data: str,
    target: tuple[str, ...],
    exclude: tuple[str, ...],
    settings: tuple[str, ...],
    allow_code: bool,
    output_format: str,
) -> int:
    """Tells what a model predicts for data, and what keeps it from predicting better.

    MODEL is a .keras file or a function (train.py:build_model), DATA a CSV, TSV, Parquet or NPZ file or a function.
    Nothing is trained, and no file is changed. Exit code 1 when the model has no skill.
    """
    from autofix.jobs.reading import job_of

    values: dict[str, Any] = {"model": model, "data": {"train": data}}
    if target:
        values["data"]["target"] = list(target)
    if exclude:
        values["data"]["features"] = {"exclude": list(exclude)}
    reading = job_of(values, settings)
    job = reading.file.jobs[0]
    from autofix.jobs import checking

    if problems := checking.check(reading, allow_code):
        raise JobFileError(problems)
    with quiet_import():
        import autofix
        from autofix.jobs import keras_checks, models
        from autofix.jobs.data import load
    if problems := keras_checks.check(reading, allow_code):
        raise JobFileError(problems)
    rows = load(job, allow_code)
    network = models.load(job, rows, allow_code)
    LOGGER.debug("%s rows, %s features, %s outputs", len(rows.x), rows.n_features, rows.n_outputs)
    diagnosis = autofix.diagnose(
        network,
        rows.x,
        models.targets_for(network, rows, rows.y),
        batch_size=job.fit.batch_size,
        epochs=job.fit.epochs if "epochs" in job.fit.model_fields_set else None,
        shuffle=job.fit.shuffle,
    )
    click.echo(
        json.dumps(diagnosis.to_dict(), indent=2, allow_nan=False) if output_format == "json" else str(diagnosis)
    )
    return OK if diagnosis.is_skilled else SOME_BAD
