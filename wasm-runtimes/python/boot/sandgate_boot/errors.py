"""Exceptions as CPython prints them, with the program's lines."""

import linecache
import sys
import traceback

import _sandgate

PROGRAM = "main.py"


def program_lines():
    """The program's lines for tracebacks and `inspect`, made when first asked for."""
    return _sandgate.source()


def name_program(name):
    global PROGRAM
    PROGRAM = name
    # An entry of one item is a promise: linecache calls it when it wants the lines.
    linecache.cache[name] = (program_lines,)


def _pin_program_lines():
    # A file of the same name that the program wrote must not pass for its source.
    source = program_lines()
    linecache.cache[PROGRAM] = (len(source), None, source.splitlines(True), PROGRAM)


def describe(exception):
    """The text of an uncaught exception. Called from report.c, which does without if it fails."""
    _pin_program_lines()
    kind = type(exception)
    shown = traceback.TracebackException(kind, exception, exception.__traceback__, compact=True)
    return "".join(shown.format())


def unraisable(problem):
    """`sys.unraisablehook`: the interpreter's own, in C, looks for source lines on disk only."""
    if sys.stderr is None:
        return
    lines = []
    if problem.object is not None:
        try:
            shown = repr(problem.object)
        except Exception:
            shown = "<object repr() failed>"
        lines.append(f"{problem.err_msg or 'Exception ignored in'}: {shown}\n")
    elif problem.err_msg:
        lines.append(f"{problem.err_msg}:\n")
    if problem.exc_traceback is not None:
        lines.append("Traceback (most recent call last):\n")
        for frame in traceback.extract_tb(problem.exc_traceback):
            lines.append(f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}\n')
            if frame.line:
                lines.append(f"    {frame.line}\n")
    lines.extend(traceback.format_exception_only(problem.exc_type, problem.exc_value))
    sys.stderr.write("".join(lines))
