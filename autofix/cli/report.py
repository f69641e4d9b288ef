"""`autofix report`."""

import click


@click.command()
def report() -> int:
    """Not built yet."""
    raise click.UsageError("not built yet")
