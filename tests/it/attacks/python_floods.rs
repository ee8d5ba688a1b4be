//! Python: floods of output, results, errors and files.

use sandgate_core::Status;

use super::{burns_its_fuel, fails, floods, prints, raises, runs_out_of_memory};

attacks! { Python;
    printing_for_ever: "while True: print('x' * 100)" => floods();
    printing_single_characters: "while True: print('x', end='')" => floods();
    printing_one_huge_line: "print('x' * (50 << 20))" => floods();
    printing_empty_lines: "while True: print()" => floods();
    printing_to_stderr: "import sys\nwhile True: print('x' * 100, file=sys.stderr)" => floods();
    printing_to_both: "import sys\nwhile True:\n    print('x'); print('y', file=sys.stderr)" => floods();
    writing_bytes: "import sys\nwhile True: sys.stdout.buffer.write(b'\\xff' * 1000)" => floods();
    writing_to_the_descriptor: "import os\nwhile True: os.write(1, b'x' * 1000)" => floods();
    writing_nothing: "import os\nwhile True: os.write(1, b'')" => burns_its_fuel().or(Status::Timeout);
    writing_through_devices: "f = open('/dev/stdout', 'w')\nwhile True: f.write('x')" => fails().or(Status::OutputLimit);
    flood_caught: r#"
        while True:
            try:
                print('x' * 1000)
            except BaseException:
                pass
    "# => floods();
    flood_in_a_finalizer: r#"
        class A:
            def __del__(self):
                while True: print('x' * 1000)
        a = A()
    "# => floods();
    flood_at_exit: "import atexit; atexit.register(lambda: [print('x' * 1000) for _ in iter(int, 1)])" => floods();
    warnings_for_ever: r#"
        import warnings
        warnings.simplefilter('always')
        while True: warnings.warn('x' * 1000)
    "# => floods();
    tracebacks_for_ever: r#"
        import traceback
        while True:
            try:
                1 / 0
            except ZeroDivisionError:
                traceback.print_exc()
    "# => floods().or(Status::FuelExhausted);
    unraisable_for_ever: r#"
        class A:
            def __del__(self): raise ValueError('x' * 1000)
        while True: A()
    "# => floods().or(Status::FuelExhausted);
    help_without_end: "help('modules'); help(int); help('x' * 10**6)" => floods().or(Status::Ok).or(Status::Error).or(Status::FuelExhausted);
    displaying_for_ever: "while True: display('x')" => burns_its_fuel().or(Status::Timeout);
    displaying_megabytes: "x = 'x' * 10**6\nfor _ in range(12): display(x)" => prints("");
    displaying_one_huge_value: "'x' * (40 << 20)" => prints("").or(Status::OutOfMemory).or(Status::FuelExhausted);
    repr_that_raises: r#"
        class A:
            def __repr__(self): raise ValueError('no repr')
        A()
    "# => prints("");
    repr_that_never_ends: r#"
        class A:
            def __repr__(self):
                while True: pass
        A()
    "# => burns_its_fuel();
    repr_that_is_no_text: r#"
        class A:
            def __repr__(self): return 5
        A()
    "# => prints("");
    repr_that_exits: r#"
        import sys
        class A:
            def __repr__(self): sys.exit(3)
        A()
    "# => fails();
    repr_that_recurses: r#"
        class A:
            def __repr__(self): return f'{[self]}'
        A()
    "# => prints("");
    repr_with_lone_surrogates: r#"
        class A:
            def __repr__(self): return '\ud800\udfff\x00'
        A()
    "# => prints("");
    rich_repr_that_raises: r#"
        class A:
            def _repr_html_(self): 1 / 0
            def _repr_png_(self): return 'not bytes'
            def _repr_json_(self): return {1, 2}
        A()
    "# => prints("").or(Status::Error);
    rich_repr_of_megabytes: r#"
        class A:
            def _repr_png_(self): return bytes(20 << 20)
        A()
    "# => prints("").or(Status::OutOfMemory).or(Status::FuelExhausted);
    rich_repr_through_getattr: r#"
        class A:
            def __getattr__(self, name): return lambda *a, **k: self
        A()
    "# => prints("").or(Status::Error);
    error_message_of_megabytes: "raise ValueError('x' * (30 << 20))" => raises("ValueError").or(Status::OutputLimit).or(Status::OutOfMemory);
    error_with_a_hostile_str: r#"
        class E(Exception):
            def __str__(self): raise E()
        raise E()
    "# => raises("E");
    error_with_an_endless_str: r#"
        class E(Exception):
            def __str__(self):
                while True: pass
        raise E()
    "# => burns_its_fuel();
    error_with_a_str_that_exits: r#"
        class E(Exception):
            def __str__(self): raise SystemExit(0)
        raise E()
    "# => fails();
    error_with_a_hostile_metaclass: r#"
        class M(type):
            def __getattribute__(cls, name): raise KeyError(name)
            __name__ = property(lambda cls: 1 / 0)
        class E(Exception, metaclass=M): pass
        raise E('x')
    "# => fails();
    error_with_a_hostile_traceback: r#"
        class E(Exception):
            __traceback__ = property(lambda self: 1 / 0)
            __cause__ = property(lambda self: self)
            __notes__ = property(lambda self: iter(int, 1))
        raise E('x')
    "# => fails();
    error_with_hostile_notes: r#"
        e = ValueError('x')
        e.__notes__ = ['n' * 1000] * 100000
        raise e
    "# => raises("ValueError").or(Status::OutputLimit).or(Status::OutOfMemory).or(Status::FuelExhausted);
    error_with_a_cyclic_group: r#"
        class G(ExceptionGroup):
            exceptions = property(lambda self: [self])
        raise G('x', [ValueError()])
    "# => fails().or(Status::FuelExhausted).or(Status::OutOfMemory);
    error_with_a_hostile_name: r#"
        raise type('E\x00\n\ud800' * 100, (Exception,), {})('x')
    "# => fails();
    error_with_a_hostile_module: r#"
        class E(Exception): __module__ = 5
        raise E('x')
    "# => fails();
    syntax_error_with_hostile_fields: r#"
        raise SyntaxError('x', ('f' * 10**6, 2**62, -5, 'text\x00' * 10**5, -2**62, 10**9))
    "# => fails().or(Status::OutputLimit);
    syntax_error_on_no_line: r#"
        e = SyntaxError('x'); e.lineno = 'many'; e.offset = []; e.text = 5
        raise e
    "# => fails();
    import_error_with_hostile_names: "raise ImportError('x', name=5, path=[])" => raises("ImportError");
    base_exception_subclass: "class E(BaseException): pass\nraise E('x')" => raises("E");
    keyboard_interrupt: "raise KeyboardInterrupt" => raises("KeyboardInterrupt");
    generator_exit: "raise GeneratorExit" => raises("GeneratorExit");
    system_error: "raise SystemError('x')" => raises("SystemError");
    traceback_with_a_hostile_linecache: r#"
        import linecache, traceback
        linecache.getlines = linecache.getline = linecache.checkcache = lambda *a: 1 / 0
        traceback.print_exception = traceback.format_exception = None
        traceback.TracebackException = None
        raise ValueError('x')
    "# => fails();
    code_with_hostile_positions: r#"
        def f(): 1 / 0
        f.__code__ = f.__code__.replace(co_firstlineno=2**31 - 1, co_filename='x' * 10**6, co_linetable=b'\xff' * 100)
        f()
    "# => fails();
    traceback_of_many_frames: r#"
        import sys
        sys.setrecursionlimit(10**6)
        def f(n): 
            return f(n - 1) + g(n) if n else 1 / 0
        def g(n): return n
        f(900)
    "# => raises("ZeroDivisionError|RecursionError");
    files_without_end: "i = 0\nwhile True:\n    open(f'/work/{i}', 'w').close(); i += 1" => raises("OSError");
    folders_without_end: "import os\ni = 0\nwhile True:\n    os.mkdir(f'/work/{i}'); i += 1" => raises("OSError");
    folders_within_folders: "import os\nwhile True:\n    os.mkdir('a'); os.chdir('a')" => raises("OSError|FileNotFoundError");
    files_made_and_removed: "import os\nwhile True:\n    open('a', 'w').close(); os.remove('a')" => burns_its_fuel().or(Status::Timeout);
    bytes_without_end: "f = open('/work/a', 'wb')\nwhile True: f.write(bytes(1 << 20))" => raises("OSError");
    bytes_in_many_files: "for i in range(10**6): open(f'/tmp/{i}', 'wb').write(bytes(1 << 20))" => raises("OSError");
    bytes_refused_for_ever: r#"
        f = open('/work/a', 'wb', buffering=0)
        while True:
            try:
                f.write(bytes(1 << 20))
            except OSError:
                pass
    "# => burns_its_fuel().or(Status::Timeout);
    file_of_a_terabyte_by_seeking: "f = open('/work/a', 'wb'); f.seek(10**12); f.write(b'x'); f.flush()" => raises("OSError");
    file_of_a_terabyte_by_truncating: "open('/work/a', 'wb').truncate(2**40)" => raises("OSError");
    file_beyond_all_numbers: "f = open('/work/a', 'wb'); f.seek(2**63 - 1); f.write(b'x'); f.flush()" => raises("OSError|OverflowError");
    file_seeked_before_its_start: "f = open('/work/a', 'wb', buffering=0); f.seek(-1)" => raises("OSError");
    file_truncated_below_zero: "open('/work/a', 'wb').truncate(-1)" => raises("OSError|ValueError");
    preallocation_of_a_terabyte: "import os; fd = os.open('/work/a', os.O_CREAT | os.O_RDWR); os.posix_fallocate(fd, 0, 2**40)" => raises("OSError|AttributeError");
    sparse_file_read_whole: "f = open('/work/a', 'w+b'); f.truncate(60 << 20); keep = [f.read() for _ in range(4) if not f.seek(0)]" => runs_out_of_memory();
    long_file_name: "open('/work/' + 'x' * 5000, 'w')" => raises("OSError");
    long_path: "open('/work/' + 'x/' * 500000, 'w')" => raises("OSError|FileNotFoundError");
    file_name_with_a_null: "open('/work/a\\0b', 'w')" => raises("ValueError");
    file_name_that_is_not_text: "open(b'/work/\\xff\\xfe', 'w')" => raises("OSError|UnicodeDecodeError|UnicodeEncodeError").or(Status::Ok);
    symlink_loop: r#"
        import os
        os.symlink('/work/b', '/work/a'); os.symlink('/work/a', '/work/b')
        open('/work/a')
    "# => raises("OSError|PermissionError|NotImplementedError");
    symlinks_without_end: "import os\ni = 0\nwhile True:\n    os.symlink('/work/x', f'/work/{i}'); i += 1" => raises("OSError|PermissionError");
    hard_links_without_end: r#"
        import os
        open('/work/a', 'w').write('x' * 1000)
        i = 0
        while True:
            os.link('/work/a', f'/work/{i}'); i += 1
    "# => raises("OSError|PermissionError");
    rename_into_itself: "import os; os.makedirs('/work/a/b'); os.rename('/work/a', '/work/a/b/c')" => raises("OSError");
    rename_of_the_root: "import os; os.rename('/work', '/tmp/w')" => raises("OSError|PermissionError");
    removal_of_everything: r#"
        import os, shutil
        for d in ('/work', '/tmp', '/'):
            shutil.rmtree(d, ignore_errors=True)
        try:
            open('/work/a', 'w').write('x')
            print('still there')
        except OSError:
            print('gone')
    "# => prints("still there\n").or(Status::Ok);
    open_files_without_end: "keep = []\nwhile True: keep.append(open('/work/a', 'w'))" => raises("OSError");
    open_folders_without_end: "import os\nkeep = []\nwhile True: keep.append(os.open('/work', os.O_RDONLY))" => raises("OSError");
    duplicated_descriptors: "import os\nwhile True: os.dup(1)" => raises("OSError|AttributeError");
    removed_but_open: r#"
        import os
        keep = []
        for i in range(10**5):
            f = open('/work/a', 'wb'); f.write(bytes(1 << 20)); f.flush()
            os.remove('/work/a'); keep.append(f)
    "# => raises("OSError");
    folder_listed_while_it_grows: r#"
        import os
        for i, entry in enumerate(os.scandir('/work')):
            pass
        open('/work/0', 'w').close()
        for i, entry in enumerate(os.scandir('/work')):
            open(f'/work/x{i}', 'w').close()
            if i > 3000: raise SystemExit('endless')
        print('ended')
    "# => prints("ended\n").or(Status::Error);
    temporary_files_without_end: "import tempfile\nkeep = []\nwhile True: keep.append(tempfile.NamedTemporaryFile(delete=False))" => raises("OSError|FileExistsError");
    artifacts_of_every_shape: r#"
        import os
        os.makedirs('/work/a/b/c')
        for name in ('empty', 'a/b/c/x', ' ', 'ü', 'a.b.c', '-rf', '$HOME', "'", '"', '*', '..x'):
            open(f'/work/{name}', 'wb').write(os.fsencode(name))
        print(len(os.listdir('/work')))
    "# => prints("11\n");
    artifact_names_beyond_the_contract: r#"
        for name in ('new\nline', 'back\\slash', 'tab\t', '\x7f'):
            try:
                open(f'/work/{name}', 'w').close()
            except OSError:
                pass
        print('made')
    "# => prints("made\n");
}
