"""How the command line ends: one line on standard error, and an exit code.

====  ==================================================================
code  meaning
====  ==================================================================
0     done
1     anything else, an optional part that is not installed included
2     the input or the call is wrong
130   interrupted; what was finished is kept and usable
====  ==================================================================
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from typing import TextIO

import click

from household_ml.errors import HouseholdError

__all__ = ["run"]

_INTERRUPTED = 130
_WRONG_CALL = 2


def run(program: Callable[[], object], *, debug: bool = False, stderr: TextIO | None = None) -> int:
    """Run a program and tell how it ended.

    Parameters
    ----------
    program : callable
        What to run.
    debug : bool, default=False
        Raise instead of telling, so that the traceback shows.
    stderr : text stream or None, default=None
        Where to tell; None for standard error.

    Returns
    -------
    int
        The exit code.

    Examples
    --------
    >>> run(lambda: None)
    0
    """
    out = stderr or sys.stderr
    warnings.showwarning = _show_warning
    try:
        outcome = program()
    except HouseholdError as error:
        if debug:
            raise
        return _tell(out, error.code, str(error), error.exit_code)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "household-ml"
        return _tell(out, "usage", f"{error.format_message()} See {where} --help.", _WRONG_CALL)
    except click.ClickException as error:
        return _tell(out, "usage", error.format_message(), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _tell(out, "interrupted", "what was finished is kept.", _INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if debug:
            raise
        told = f"{type(error).__name__}: {error}"
        return _tell(out, "internal", f"{told} Run household-ml --debug ... for the traceback.", 1)
    return outcome if isinstance(outcome, int) else 0


def _tell(out: TextIO, code: str, message: str, exit_code: int) -> int:
    line = " ".join(message.split())
    out.write(f"household-ml: {code}: {line}\n")
    return exit_code


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """A warning as one line, without the place in the code, which says nothing to a user."""
    del category, filename, lineno, line
    text = " ".join(str(message).split())
    (file or sys.stderr).write(f"household-ml: warning: {text}\n")
