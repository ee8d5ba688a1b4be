"""The uncaught exception: printed as CPython prints it, and reported to the runner."""

import linecache
import sys
import traceback

from sandgate_child import report

PROGRAM = "main.py"


def name_program(source):
    """The program's lines for tracebacks and `inspect`."""
    linecache.cache[PROGRAM] = (len(source), None, source.splitlines(True), PROGRAM)
    return source


def _own_frames(step):
    # The first frames are those of the code that runs the program.
    while step is not None and step.tb_frame.f_code.co_filename != PROGRAM:
        step = step.tb_next
    return step


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


def uncaught(exception, source):
    """Prints and reports what ended the program; returns the exit code."""
    if isinstance(exception, SystemExit):
        return _exit_code(exception)
    # A file of the same name that the program wrote must not pass for its source.
    name_program(source)
    kind = type(exception)
    exception.__traceback__ = _own_frames(exception.__traceback__)
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
    if isinstance(exception, MemoryError):
        # Packages have their own kinds of it.
        name = "MemoryError"
    report.error(name, message, text, _line(exception))
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
