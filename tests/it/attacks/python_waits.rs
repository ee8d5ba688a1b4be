//! Python: waiting, which fuel does not measure.

use sandgate_core::Status;

use super::{fails, prints, raises, times_out};

attacks! { Python;
    sleep_for_years: "import time; time.sleep(1e9)" => times_out();
    sleep_for_ages: "import time; time.sleep(9e9)" => times_out().or(Status::Error);
    sleep_beyond_all_numbers: "import time; time.sleep(1e300)" => raises("OverflowError");
    sleep_below_zero: "import time; time.sleep(-1)" => raises("ValueError");
    sleep_for_no_number: "import time; time.sleep(float('nan'))" => raises("ValueError");
    sleep_for_ever_in_small_steps: "import time\nwhile True: time.sleep(0.001)" => times_out();
    sleep_for_nothing_for_ever: "import time\nwhile True: time.sleep(0)" => times_out().or(Status::FuelExhausted);
    sleep_in_a_finalizer: r#"
        import time
        class A:
            def __del__(self, sleep=time.sleep): sleep(1e9)
        a = A()
    "# => times_out();
    sleep_at_exit: "import atexit, time; atexit.register(time.sleep, 1e9)" => times_out();
    sleep_in_a_handler: r#"
        import time
        while True:
            try:
                time.sleep(1e9)
            except BaseException:
                pass
    "# => times_out();
    asyncio_sleep: "import asyncio; asyncio.run(asyncio.sleep(1e9))" => times_out();
    asyncio_future_that_never_settles: r#"
        import asyncio
        async def main(): await asyncio.get_running_loop().create_future()
        asyncio.run(main())
    "# => times_out().or(Status::Error);
    asyncio_busy_tasks: r#"
        import asyncio
        async def spin():
            while True: await asyncio.sleep(0)
        async def main(): await asyncio.gather(*[spin() for _ in range(100)])
        asyncio.run(main())
    "# => times_out().or(Status::FuelExhausted);
    asyncio_task_that_refuses_to_end: r#"
        import asyncio
        async def stubborn():
            while True:
                try:
                    await asyncio.sleep(1000)
                except asyncio.CancelledError:
                    pass
        async def main(): await asyncio.wait_for(stubborn(), 0.01)
        asyncio.run(main())
    "# => times_out();
    asyncio_queue: "import asyncio\nasync def main(): await asyncio.Queue().get()\nasyncio.run(main())" => times_out().or(Status::Error);
    waiting_for_the_clock: "import time\nend = time.time() + 1e9\nwhile time.time() < end: pass" => times_out().or(Status::FuelExhausted);
    waiting_for_the_monotonic_clock: "import time\nend = time.monotonic() + 1e9\nwhile time.monotonic() < end: pass" => times_out().or(Status::FuelExhausted);
    event_that_nobody_sets: "import threading; threading.Event().wait()" => raises("RuntimeError");
    lock_taken_twice: "import threading; l = threading.Lock(); l.acquire(); l.acquire()" => raises("RuntimeError");
    lock_taken_twice_with_a_timeout: "import threading; l = threading.Lock(); l.acquire(); print(l.acquire(timeout=0.01))" => prints("False\n");
    queue_that_nobody_fills: "import queue; queue.Queue().get()" => raises("RuntimeError");
    simple_queue_that_nobody_fills: "import queue; queue.SimpleQueue().get()" => raises("RuntimeError");
    barrier_that_nobody_joins: "import threading; threading.Barrier(2).wait()" => raises("RuntimeError");
    future_that_nobody_settles: "import concurrent.futures as c; c.Future().result()" => raises("RuntimeError");
    wait_with_a_timeout: r#"
        import queue, threading, time
        started = time.monotonic()
        print(threading.Event().wait(0.05), threading.Semaphore(0).acquire(timeout=0.05))
        for waiting in (queue.Queue(), queue.SimpleQueue()):
            try:
                waiting.get(timeout=0.05)
            except queue.Empty:
                print('empty')
        print(time.monotonic() - started >= 0.2)
    "# => prints("False False\nempty\nempty\nTrue\n");
    wait_for_ages: "import threading; threading.Event().wait(1e6)" => times_out();
    locks_in_use: r#"
        import queue, threading
        lock, again = threading.Lock(), threading.RLock()
        with lock, again, again:
            print(lock.locked(), lock.acquire(blocking=False))
        waiting = queue.SimpleQueue()
        waiting.put(1)
        print(waiting.get(), waiting.empty())
    "# => prints("True False\n1 True\n");
    thread_started: "import threading; threading.Thread(target=print).start()" => raises("RuntimeError");
    thread_started_at_the_bottom: "import _thread; _thread.start_new_thread(print, ())" => raises("RuntimeError");
    thread_pool: r#"
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor() as pool: list(pool.map(print, [1]))
    "# => raises("RuntimeError");
    process_pool: r#"
        from concurrent.futures import ProcessPoolExecutor
        with ProcessPoolExecutor() as pool: list(pool.map(print, [1]))
    "# => fails();
    select_on_nothing: "import select; select.select([], [], [], 1e6)" => times_out().or(Status::Error);
    select_on_stdin: "import select; select.select([0], [], [], 1e6); print('ready')" => prints("ready\n").or(Status::Error).or(Status::Timeout);
    select_on_too_many: "import select; select.select(list(range(100000)), [], [], 0)" => raises("ValueError|OSError|AttributeError");
    poll_on_nothing: "import select; select.poll().poll()" => times_out().or(Status::Error);
    reading_empty_stdin: "input()" => raises("EOFError");
    reading_empty_stdin_for_ever: r#"
        import sys
        while True: sys.stdin.read()
    "# => times_out().or(Status::FuelExhausted);
    signal_pause: "import signal; signal.pause()" => fails();
    alarm: "import signal; signal.alarm(1)" => fails();
    scheduler: "import sched; s = sched.scheduler(); s.enter(1e9, 1, print); s.run()" => times_out();
    timer_thread: "import threading; threading.Timer(1e9, print).start()" => raises("RuntimeError");
}
