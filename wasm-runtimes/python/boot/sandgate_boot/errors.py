"""The uncaught exception: printed as CPython prints it, and reported to the host."""

import json
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


def _line(exception):
    if isinstance(exception, SyntaxError) and exception.filename == PROGRAM:
        return exception.lineno
    line = None
    step = exception.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == PROGRAM:
            line = step.tb_lineno
        step = step.tb_next
    return line


def _exit_code(exception):
    code = exception.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 255
    if sys.stderr is not None:
        print(code, file=sys.stderr)
    return 1


def uncaught(exception):
    """Prints and reports what ended the program; returns the exit code."""
    if isinstance(exception, SystemExit):
        return _exit_code(exception)
    _pin_program_lines()
    kind = type(exception)
    shown = traceback.TracebackException(kind, exception, exception.__traceback__, compact=True)
    text = "".join(shown.format())
    if sys.excepthook is not sys.__excepthook__:
        _call_hook(kind, exception, text)
    elif sys.stderr is not None:
        sys.stderr.write(text)
    try:
        message = str(exception)
    except Exception:
        message = "<exception str() failed>"
    name = kind.__qualname__
    if kind.__module__ not in ("__main__", "builtins"):
        name = f"{kind.__module__}.{name}"
    report = {"type": name, "message": message, "traceback": text, "line": _line(exception)}
    _sandgate.error(json.dumps(report))
    return 130 if isinstance(exception, KeyboardInterrupt) else 1


def _call_hook(kind, exception, text):
    try:
        sys.excepthook(kind, exception, exception.__traceback__)
    except SystemExit:
        raise
    except BaseException:
        sys.stderr.write("Error in sys.excepthook:\n")
        sys.stderr.write(traceback.format_exc())
        sys.stderr.write("\nOriginal exception was:\n")
        sys.stderr.write(text)


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
