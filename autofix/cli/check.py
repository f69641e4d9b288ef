"""`autofix check`."""

import click


@click.command()
def check() -> int:
    """Not built yet."""
    raise click.UsageError("not built yet")
