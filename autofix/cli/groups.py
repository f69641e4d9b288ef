"""A click group whose commands are imported when they are called."""

import importlib
from collections.abc import Mapping
from typing import Any

import click

from autofix.cli.conventions import add_common_options
from autofix.jobs.problems import did_you_mean


class LazyGroup(click.Group):
    """A group that knows the names and help lines of its commands, and imports a command when it is called.

    Every command gets the options that all share (`-v`, `-q`, `--log-file`, `--debug`).

    Args:
        commands_at: For each name the address of its `click.Command` as `"module:attribute"`, and its line in the
            help.
        **settings: As in `click.Group`.

    Example:

    >>> group = LazyGroup("tools", commands_at={"demo": ("autofix.cli.demo:demo", "watch it")})
    >>> group.list_commands(click.Context(group))
    ['demo']
    """

    def __init__(self, *args: Any, commands_at: Mapping[str, tuple[str, str]], **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.commands_at = dict(commands_at)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands_at)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands_at:
            return None
        module, _, attribute = self.commands_at[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return add_common_options(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands_at and not args[0].startswith("-"):
            ctx.fail(f"There is no command {args[0]!r}. {did_you_mean(args[0], self.commands_at)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # click would import every command for its line.
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.commands_at.items()])
