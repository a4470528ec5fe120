"""The help of every command, as it is printed, in one Markdown page."""

from __future__ import annotations

from pathlib import Path

import click

from household_ml.cli import COMMANDS, household_ml

#: The page; it lies beside the code that it tells of.
PAGE = Path(__file__).parents[2] / "household_ml" / "cli" / "COMMANDS.md"

_HEAD = """# Commands

What `household-ml COMMAND --help` prints. `make docs` writes this page; do not edit it.

Completion in the shell: put the line of your shell into its start-up file.

| shell | line |
|---|---|
| bash | `eval "$(_HOUSEHOLD_ML_COMPLETE=bash_source household-ml)"` |
| zsh | `eval "$(_HOUSEHOLD_ML_COMPLETE=zsh_source household-ml)"` |
| fish | `_HOUSEHOLD_ML_COMPLETE=fish_source household-ml \\| source` |
"""


def help_of(name: str | None) -> str:
    """What a command prints for ``--help``, at a width of 100 columns."""
    given = household_ml.context_settings.get("help_option_names", ["--help"])
    group = click.Context(
        household_ml, info_name="household-ml", max_content_width=100, help_option_names=given
    )
    group.terminal_width = 100
    if name is None:
        return household_ml.get_help(group)
    command = household_ml.get_command(group, name)
    assert command is not None
    command._help_option = None  # click keeps that of the context which asked first
    context = click.Context(command, info_name=name, parent=group, max_content_width=100)
    context.terminal_width = 100
    return command.get_help(context)


def write_page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for name in (None, *COMMANDS):
        heading = f"household-ml {name}" if name else "household-ml"
        told = "\n".join(line.rstrip() for line in help_of(name).splitlines())
        parts.append(f"## {heading}\n\n```text\n{told.strip()}\n```\n")
    return "\n".join(parts)
