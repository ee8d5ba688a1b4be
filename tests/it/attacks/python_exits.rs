//! Python: ways to leave, and ways to refuse to.
//!
//! A snippet that breaks what the interpreter ends with may spoil how its error is printed, and only
//! that: what is reported of the error is right, it does not succeed, and what follows is clean.

use sandgate_core::Status;

use super::{burns_its_fuel, fails, may_break_the_interpreter, prints, raises};

attacks! { Python;
    exit_at_once: "import os; os._exit(7)" => fails();
    exit_at_once_with_success: "import os; os._exit(0)" => prints("");
    exit_at_once_with_a_large_code: "import os; os._exit(256 + 7)" => fails();
    exit_at_once_with_a_negative_code: "import os; os._exit(-1)" => fails();
    exit_at_once_within_a_finalizer: r#"
        import os
        class A:
            def __del__(self): os._exit(3)
        A()
    "# => fails();
    abort: "import os; os.abort()" => may_break_the_interpreter();
    exit_with_a_code: "import sys; sys.exit(3)" => fails();
    exit_with_a_message: "import sys; sys.exit('the reason')" => fails();
    exit_with_nothing: "import sys; sys.exit()" => prints("");
    exit_with_a_huge_number: "import sys; sys.exit(10**100)" => fails();
    exit_with_a_negative_number: "import sys; sys.exit(-1)" => fails();
    exit_with_a_hostile_object: r#"
        class A:
            def __str__(self): raise ValueError('no')
        raise SystemExit(A())
    "# => fails();
    exit_with_an_endless_object: r#"
        class A:
            def __str__(self):
                while True: pass
        raise SystemExit(A())
    "# => burns_its_fuel();
    exit_by_a_subclass: "class E(SystemExit): code = property(lambda self: 1 / 0)\nraise E()" => fails();
    exit_by_the_site_function: "quit()" => prints("").or(Status::Error);
    exit_in_finally: "import sys\ntry:\n    1 / 0\nfinally:\n    sys.exit(0)" => prints("");
    exit_swallowed: "import sys\ntry:\n    sys.exit(5)\nexcept SystemExit:\n    print('stayed')" => prints("stayed\n");
    exit_from_a_generator_being_closed: r#"
        import sys
        def g():
            try:
                yield
            finally:
                sys.exit(4)
        it = g(); next(it)
    "# => prints("").or(Status::Error);
    exit_from_an_exit_handler: "import atexit, sys; atexit.register(sys.exit, 9)" => prints("").or(Status::Error);
    exit_handlers_without_end: r#"
        import atexit
        def again(): atexit.register(again)
        again()
    "# => prints("").or(Status::FuelExhausted);
    exit_handler_that_raises: "import atexit; atexit.register(lambda: 1 / 0)" => prints("").or(Status::Error);
    exit_handler_that_prints: "import atexit; atexit.register(print, 'at the end')" => prints("at the end\n");
    finalizer_that_prints: "class A:\n    def __del__(self): print('freed')\na = A()\ndel a" => prints("freed\n");
    finalizer_that_resurrects: r#"
        class A:
            def __del__(self):
                keep.append(self)
        keep = []
        A()
        print(len(keep))
    "# => prints("1\n");
    finalizers_that_make_objects: r#"
        class A:
            def __del__(self): A()
        A()
    "# => prints("").or(Status::FuelExhausted).or(Status::Error);
    finalizers_that_make_cycles: r#"
        import gc
        class A:
            def __init__(self): self.me = self
            def __del__(self): A()
        A()
        for _ in range(100): gc.collect()
        print('collected')
    "# => prints("collected\n");
    generator_that_refuses_to_close: r#"
        def g():
            while True:
                try:
                    yield
                except GeneratorExit:
                    pass
        it = g(); next(it)
        it.close()
    "# => raises("RuntimeError");
    generator_that_loops_when_closed: r#"
        def g():
            try:
                yield
            finally:
                while True: pass
        it = g(); next(it)
        del it
    "# => burns_its_fuel();
    generator_left_open: r#"
        def g():
            try:
                yield
            finally:
                print('closed')
        it = g(); next(it)
    "# => prints("closed\n");
    async_generator_left_open: r#"
        import asyncio
        async def g():
            try:
                while True: yield
            finally:
                await asyncio.sleep(0)
        async def main():
            async for _ in g(): break
        asyncio.run(main())
        print('ended')
    "# => prints("ended\n");
    collector_callback_that_loops: r#"
        import gc
        gc.callbacks.append(lambda *a: gc.collect())
        gc.collect()
        print('ended')
    "# => prints("ended\n").or(Status::Error);
    signal_raised: "import signal; signal.raise_signal(signal.SIGABRT)" => may_break_the_interpreter();
    signal_that_kills: "import signal; signal.raise_signal(9)" => may_break_the_interpreter();
    killing_itself: "import os; os.kill(os.getpid(), 9)" => fails();
    killing_the_parent: "import os; os.kill(os.getppid(), 9)" => fails();
    killing_everything: "import os; os.kill(-1, 9)" => fails();
    signal_handler: "import signal; signal.signal(signal.SIGTERM, lambda n, frame: print(n)); signal.raise_signal(signal.SIGTERM); print('ended')" => prints("15\nended\n").or(Status::Error);
    fault_by_reading_null: "import faulthandler; faulthandler._read_null()" => may_break_the_interpreter();
    fault_by_segmentation: "import faulthandler; faulthandler._sigsegv()" => may_break_the_interpreter();
    fault_by_stack_overflow: "import faulthandler; faulthandler._stack_overflow()" => may_break_the_interpreter();
    fault_by_fatal_error: "import faulthandler; faulthandler._fatal_error_c_thread()" => may_break_the_interpreter();
    faulthandler_enabled: "import faulthandler; faulthandler.enable(); print('enabled')" => prints("enabled\n").or(Status::Error);
    faulthandler_later: "import faulthandler; faulthandler.dump_traceback_later(0.01, exit=True)" => fails();
    foreign_functions: "import ctypes; ctypes.string_at(0)" => raises("ModuleNotFoundError|ImportError");
    foreign_functions_at_the_bottom: "import _ctypes" => raises("ModuleNotFoundError|ImportError");
    fork: "import os; os.fork()" => fails();
    subprocess: "import subprocess; subprocess.run(['id'])" => fails();
    shell: "import os; os.system('id')" => fails();
    pipe_to_a_shell: "import os; os.popen('id').read()" => fails();
    exec_another_program: "import os; os.execv('/bin/sh', ['sh'])" => fails();
    multiprocessing: "import multiprocessing; multiprocessing.Process(target=print).start()" => fails();
    socket: "import socket; socket.socket()" => fails();
    socket_to_the_host: "import socket; socket.create_connection(('127.0.0.1', 22), 1)" => fails();
    name_lookup: "import socket; socket.gethostbyname('localhost')" => fails();
    web_request: "import urllib.request; urllib.request.urlopen('http://127.0.0.1/')" => fails();
    change_of_root: "import os; os.chroot('/')" => fails();
    nice: "import os; os.nice(-20)" => fails();
    stdout_closed: "import sys; sys.stdout.close()" => prints("");
    stdout_closed_then_printed: "import sys; sys.stdout.close(); print('x')" => raises("ValueError");
    stdout_removed: "import sys; sys.stdout = None; print('x'); 5" => prints("");
    stdout_deleted: "import sys; del sys.stdout; print('x')" => raises("RuntimeError");
    stdout_replaced_by_a_hostile_one: r#"
        import sys
        class Out:
            def write(self, text): raise KeyError('no')
            def flush(self): raise KeyError('no')
        sys.stdout = Out()
        print('x')
    "# => raises("KeyError");
    stderr_removed: "import sys; sys.stderr = None; 1 / 0" => raises("ZeroDivisionError");
    stderr_replaced_by_a_hostile_one: r#"
        import sys
        class Out:
            def __getattr__(self, name): raise KeyError('no')
        sys.stderr = sys.stdout = Out()
        1 / 0
    "# => raises("ZeroDivisionError");
    stderr_that_loops: r#"
        import sys
        class Out:
            def write(self, text):
                while True: pass
        sys.stderr = Out()
        1 / 0
    "# => raises("ZeroDivisionError").or(Status::FuelExhausted);
    excepthook_that_raises: "import sys; sys.excepthook = lambda *a: 1 / 0\nraise ValueError('x')" => raises("ValueError");
    excepthook_that_exits: "import sys; sys.excepthook = lambda *a: sys.exit(0)\nraise ValueError('x')" => raises("ValueError");
    excepthook_removed: "import sys; del sys.excepthook\nraise ValueError('x')" => raises("ValueError");
    report_made_with_broken_tools: r#"
        import builtins, codecs, json, linecache, re, sys, traceback
        for module in (json, linecache, re, traceback, codecs):
            for name in list(vars(module)):
                if not name.startswith('__'): setattr(module, name, lambda *a: 1 / 0)
        builtins.str = builtins.isinstance = builtins.getattr = None
        raise LookupError('the reason')
    "# => raises("LookupError");
    report_under_a_low_recursion_limit: "import sys; sys.setrecursionlimit(12)\nraise LookupError('x')" => raises("LookupError");
    report_with_a_hostile_trace_function: r#"
        import sys
        def trace(*a): 1 / 0
        class A:
            def __del__(self): sys.settrace(trace)
        a = A()
        del a
        raise LookupError('x')
    "# => raises("LookupError");
    error_that_cannot_be_shown: r#"
        class E(Exception):
            def __str__(self): raise KeyError('no')
            def __getattribute__(self, name): raise KeyError('no')
        raise E('x')
    "# => raises("E");
    error_that_never_ends_being_shown: r#"
        class E(Exception):
            def __str__(self):
                while True: pass
        raise E('x')
    "# => burns_its_fuel();
    error_with_half_a_character: r"raise LookupError('\ud800 half')" => raises("LookupError");
    error_of_many_words: "import sys; sys.stderr = None; raise LookupError('word ' * 10**6)" => raises("LookupError");
    value_shown_with_broken_tools: "import builtins; builtins.repr = builtins.type = None\n5" => prints("");
    displayhook_replaced: "import sys; sys.displayhook = None\n5" => prints("").or(Status::Error);
    builtins_emptied: "import builtins\nprint('emptying')\nbuiltins.__dict__.clear()\n5" => may_break_the_interpreter().and_prints("emptying\n");
    builtins_poisoned: r#"
        import builtins
        for name in ('repr', 'str', 'len', 'isinstance', 'getattr', 'type', 'print', 'open', 'list', 'dict', 'Exception', 'BaseException'):
            setattr(builtins, name, None)
        raise ValueError('x')
    "# => raises("ValueError");
    import_removed: "import builtins; builtins.__import__ = None; 5 / 0" => raises("ZeroDivisionError");
    modules_emptied: "import sys; sys.modules.clear(); 5 / 0" => raises("ZeroDivisionError");
    modules_poisoned: r#"
        import sys
        for name in list(sys.modules): sys.modules[name] = None
        raise ValueError('x')
    "# => raises("ValueError");
    importers_removed: "import sys; sys.meta_path.clear(); sys.path_hooks.clear(); sys.path.clear()\nimport not_loaded_so_far" => raises("ModuleNotFoundError");
    main_module_removed: "import sys; del sys.modules['__main__']; 5 / 0" => raises("ZeroDivisionError");
    main_module_emptied: "globals().clear(); 5" => prints("");
    interpreter_state_poisoned: r#"
        import sys
        for name in list(vars(sys)): delattr(sys, name)
        raise ValueError('x')
    "# => raises("ValueError");
    descriptors_closed: r#"
        import os
        os.closerange(0, 100)
        print('x')
    "# => prints("x\n").or(Status::Ok).or(Status::Error);
    descriptors_renumbered: r#"
        import os
        fd = os.open('/work/a', os.O_CREAT | os.O_RDWR)
        os.dup2(fd, 1)
        os.write(1, b'into the file')
        print('x')
    "# => prints("").or(Status::Ok).or(Status::Error);
    root_descriptor_closed: "import os; os.close(3); open('/work/a', 'w')" => fails().or(Status::Ok);
    stdin_written: "import os; os.write(0, b'x')" => raises("OSError");
    stdout_read: "import os; os.read(1, 10)" => raises("OSError").or(Status::Ok);
    stdout_seeked: "import os; os.lseek(1, 10**9, 0)" => raises("OSError");
    stdout_truncated: "import os; os.ftruncate(1, 10**9)" => raises("OSError");
    descriptor_that_is_none: "import os; os.read(2**31 - 1, 10)" => raises("OSError");
    descriptor_below_zero: "import os; os.fstat(-1)" => raises("OSError");
}
