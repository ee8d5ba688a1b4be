"""asyncio without sockets: an event loop whose selector only sleeps."""

import asyncio
import errno
import selectors
import time
from asyncio import selector_events

from sandgate_boot.unavailable import ELSEWHERE


class Sleeper(selectors._BaseSelectorImpl):
    def select(self, timeout=None):
        if timeout is None:
            raise RuntimeError(
                "deadlock: every task waits for something that nothing here can bring about "
                f"(sockets, threads: {ELSEWHERE} them)"
            )
        if timeout > 0:
            time.sleep(timeout)
        return []


class Loop(selector_events.BaseSelectorEventLoop):
    """Needs no pipe to be woken by: there is nobody else who could."""

    def __init__(self):
        super().__init__(Sleeper())

    def _make_self_pipe(self):
        pass

    def _close_self_pipe(self):
        pass

    def _write_to_self(self):
        pass

    async def subprocess_exec(self, *arguments, **keywords):
        raise OSError(errno.ENOTSUP, f"Not supported (processes: {ELSEWHERE} them)")

    subprocess_shell = subprocess_exec


class Policy(asyncio.events.BaseDefaultEventLoopPolicy):
    _loop_factory = Loop


def install():
    asyncio.set_event_loop_policy(Policy())
    asyncio.DefaultEventLoopPolicy = Policy
    asyncio.SelectorEventLoop = Loop
    asyncio.EventLoop = Loop
