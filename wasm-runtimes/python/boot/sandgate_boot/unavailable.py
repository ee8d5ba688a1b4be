"""What cannot work in the sandbox says so: in the exception Python raises for it anyway."""

ELSEWHERE = 'not available in the sandbox; run with backend "lambda" to have'

# Modules that are absent because the platform is: what they would need.
MODULES = {
    "_ctypes": "native libraries",
    "ctypes": "native libraries",
    "_curses": "a terminal",
    "curses": "a terminal",
    "_multiprocessing": "processes",
    "_posixshmem": "processes",
    "_ssl": "the network",
    "_tkinter": "a display",
    "tkinter": "a display",
    "turtle": "a display",
    "ensurepip": "pip",
    "fcntl": "file locks",
    "grp": "system users",
    "mmap": "memory maps",
    "pip": "pip",
    "pwd": "system users",
    "readline": "a terminal",
    "resource": "process limits",
    "syslog": "a system log",
    "termios": "a terminal",
    "venv": "virtual environments",
}


def module_message(name):
    return f"No module named {name!r} ({MODULES[name]}: {ELSEWHERE} that)"


def install():
    """Replaces the calls that start threads or processes or reach the network."""
    import _thread
    import errno
    import os
    import threading

    from _sandgate import Refusal

    no_thread = Refusal(RuntimeError, f"can't start new thread (threads: {ELSEWHERE} them)")
    _thread.start_new_thread = _thread.start_new = no_thread
    _thread.start_joinable_thread = no_thread
    threading._start_new_thread = threading._start_joinable_thread = no_thread

    processes = f"processes: {ELSEWHERE} them"
    no_process = Refusal(OSError, errno.ENOTSUP, f"Not supported ({processes})")
    os.popen = no_process

    absent = {
        name: processes
        for name in (
            "execl execle execlp execlpe execv execve execvp execvpe fork forkpty kill killpg "
            "pipe pipe2 posix_spawn posix_spawnp spawnl spawnle spawnlp spawnlpe spawnv spawnve spawnvp "
            "spawnvpe system wait wait3 wait4 waitid waitpid"
        ).split()
        if not hasattr(os, name)
    }

    def missing(name):
        message = f"module 'os' has no attribute {name!r}"
        if name in absent:
            message += f" ({absent[name]})"
        raise AttributeError(message, name=name, obj=os)

    os.__getattr__ = missing
