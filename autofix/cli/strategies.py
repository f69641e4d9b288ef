"""`autofix strategies`."""

import click


@click.command()
def strategies() -> int:
    """Not built yet."""
    raise click.UsageError("not built yet")
