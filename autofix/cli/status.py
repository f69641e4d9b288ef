"""`autofix status`."""

import click


@click.command()
def status() -> int:
    """Not built yet."""
    raise click.UsageError("not built yet")
