"""`autofix run`."""

import click


@click.command()
def run() -> int:
    """Not built yet."""
    raise click.UsageError("not built yet")
