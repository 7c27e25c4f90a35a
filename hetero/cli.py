"""The command line: a command a file in ``hetero.commands``; here, how they are found and how errors end.

An error ends with one line on standard error; ``--debug``, anywhere on the line, shows the traceback instead. What a
command is asked for goes to standard output, everything else to standard error. The exit status says whose fault it is:

====  ==============================================================================================
0     done
1     something failed while it ran: your code, a device, a deadline, or some inputs of ``run --results``
2     it could not begin: bad input, or nothing fits what was asked for
130   interrupted
====  ==============================================================================================
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from hetero.commands import demo, devices, plan, profile, report, run, schedule
from hetero.errors import (
    ClosedError,
    DeadlineError,
    DeviceError,
    HeteroError,
    NodeError,
    OverloadError,
    UnavailableError,
)
from hetero.user_code import raised_in

__all__ = ["app", "main"]

FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130

app = typer.Typer(
    name="hetero",
    help="Plans and runs inference pipelines of several models on mixed hardware.",
    epilog="Exit status: 0 done; 1 something failed while it ran; 2 bad input, or nothing fits; 130 interrupted.",
    add_completion=False,
    rich_markup_mode=None,  # plain help: loading rich takes longer than the rest of a short command
    pretty_exceptions_enable=False,
)
app.command("devices")(devices.command)
app.command("profile")(profile.command)
app.command("plan")(plan.command)
app.command("run")(run.command)
app.command("demo")(demo.command)
app.command("schedule")(schedule.command)
app.command("report")(report.command)


def _show_version(wanted: bool) -> None:
    if wanted:
        from hetero import __version__

        typer.echo(f"hetero {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Only declared here: ``main`` has read ``--debug`` already, and ``--version`` answers by itself."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    words = [word for word in given if word != "--debug"]
    try:
        status = app(args=words or ["--help"], standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        return _end(INTERRUPTED, "interrupted")
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
        return 0
    except Exception as error:
        message = _one_line(error)
        if message is None:
            raise
        if debug:
            traceback.print_exception(error)
            return _status(error)
        return _end(_status(error), message)
    if status == INTERRUPTED:  # what newer versions of typer make of Ctrl-C
        return _end(INTERRUPTED, "interrupted")
    return status if isinstance(status, int) else 0


def _one_line(error: Exception) -> str | None:
    """What to tell the user of an error that is theirs to mend; None for a defect of hetero."""
    if isinstance(error, HeteroError):
        said = " ".join(str(error).split())
        line = raised_in(error.__cause__.__traceback__) if error.__cause__ is not None else ""
        return said if not line or line in said else f"{said}, raised in {line}"
    if line := raised_in(error.__traceback__):  # a pipeline's body, or another function of the user's file
        return f"{line}: {type(error).__name__}: {error}; --debug shows the traceback"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    # A usage error. Its class has moved between versions of typer, its method has not.
    usage = getattr(error, "format_message", None)
    return None if usage is None else _usage(usage(), getattr(error, "ctx", None))


def _usage(message: str, context: Any) -> str:
    """With the help of the command that was asked for, where there is one; without the parser's own words for a value
    that it took for no number."""
    inside = context is not None and context.parent is not None
    command = f"hetero {context.info_name}" if inside else "hetero"
    said = message.partition(", unable to parse string")[0].replace("Input should be", "it should be")
    return f"{said.rstrip('.')}. See `{command} --help`."


def _status(error: Exception) -> int:
    if isinstance(error, UnavailableError):  # known before anything has run on it
        return BAD_INPUT
    if not isinstance(error, HeteroError):
        return FAILED if raised_in(error.__traceback__) else BAD_INPUT
    ran = NodeError | DeviceError | DeadlineError | OverloadError | ClosedError
    return FAILED if isinstance(error, ran) else BAD_INPUT


def _end(status: int, message: str) -> int:
    print(f"hetero: {message}", file=sys.stderr)
    return status
