//! Python: forged bytecode and tampering with the interpreter's own objects.
//!
//! CPython does not verify bytecode: such a snippet can do to the interpreter's memory whatever it
//! likes. The wasm sandbox is the wall, so what counts is that only this execution is lost.

use sandgate_core::Status;

use super::{burns_its_fuel, fails, may_break_the_interpreter, prints, raises};

attacks! { Python;
    bytecode_of_garbage: r#"
        def f(): return 1
        f.__code__ = f.__code__.replace(co_code=b'\xff' * 1000)
        f()
    "# => may_break_the_interpreter();
    bytecode_of_every_opcode: r#"
        def f(): return 1
        for op in range(256):
            try:
                g = type(f)(f.__code__.replace(co_code=bytes([151, 0, op, 255] * 4 + [83, 0]), co_stacksize=100), globals())
                g()
            except BaseException:
                pass
    "# => may_break_the_interpreter();
    bytecode_that_underflows_its_stack: r#"
        import opcode
        def f(): return 1
        pop = opcode.opmap['POP_TOP']
        f.__code__ = f.__code__.replace(co_code=bytes([opcode.opmap['RESUME'], 0] + [pop, 0] * 1000))
        f()
    "# => may_break_the_interpreter();
    bytecode_that_overflows_its_stack: r#"
        import opcode
        def f(): return 1
        push = opcode.opmap['LOAD_CONST']
        f.__code__ = f.__code__.replace(co_code=bytes([opcode.opmap['RESUME'], 0] + [push, 0] * 100000), co_stacksize=1)
        f()
    "# => may_break_the_interpreter();
    bytecode_beyond_its_constants: r#"
        import opcode
        def f(): return 1
        ext, push = opcode.opmap['EXTENDED_ARG'], opcode.opmap['LOAD_CONST']
        f.__code__ = f.__code__.replace(co_code=bytes([opcode.opmap['RESUME'], 0, ext, 127, ext, 255, ext, 255, push, 255, opcode.opmap['RETURN_VALUE'], 0]))
        f()
    "# => may_break_the_interpreter();
    bytecode_that_makes_objects_of_numbers: r#"
        import opcode
        # An index that reaches from the constants into a bytearray: a forged object.
        fake = bytearray(4096)
        def f(): return 1
        for offset in range(-200, 200):
            index = offset & 0xffffffff
            code = [opcode.opmap['RESUME'], 0]
            for shift in (24, 16, 8):
                code += [opcode.opmap['EXTENDED_ARG'], index >> shift & 255]
            code += [opcode.opmap['LOAD_FAST'], index & 255, opcode.opmap['RETURN_VALUE'], 0]
            try:
                type(f)(f.__code__.replace(co_code=bytes(code)), {})()
            except BaseException:
                pass
    "# => may_break_the_interpreter();
    bytecode_that_jumps_anywhere: r#"
        import opcode
        def f(): return 1
        f.__code__ = f.__code__.replace(co_code=bytes([opcode.opmap['RESUME'], 0, opcode.opmap['EXTENDED_ARG'], 255, opcode.opmap['JUMP_FORWARD'], 255]))
        f()
    "# => may_break_the_interpreter();
    bytecode_that_loops: r#"
        import opcode
        def f():
            while True: pass
        f.__code__ = f.__code__.replace(co_linetable=b'', co_exceptiontable=b'')
        f()
    "# => burns_its_fuel();
    bytecode_of_negative_stack_size: "def f(): pass\nf.__code__.replace(co_stacksize=-1)" => raises("ValueError|OverflowError|SystemError");
    bytecode_of_huge_stack_size: r#"
        def f(): return 1
        f.__code__ = f.__code__.replace(co_stacksize=2**31 - 1)
        f()
    "# => may_break_the_interpreter();
    bytecode_with_a_forged_exception_table: r#"
        def f(): 1 / 0
        f.__code__ = f.__code__.replace(co_exceptiontable=b'\x80\x7f\x7f\x7f' * 10)
        f()
    "# => may_break_the_interpreter();
    bytecode_with_a_forged_line_table: r#"
        def f(): 1 / 0
        f.__code__ = f.__code__.replace(co_linetable=b'\x00' * 5 + b'\xff' * 50)
        list(f.__code__.co_lines()); list(f.__code__.co_positions())
        f()
    "# => may_break_the_interpreter();
    bytecode_from_marshal: r#"
        import marshal
        def f(): return 1
        data = bytearray(marshal.dumps(f.__code__))
        for i in range(len(data)):
            for value in (0, 127, 255):
                broken = bytearray(data); broken[i] = value
                try:
                    marshal.loads(broken)
                except (ValueError, EOFError, TypeError, SystemError, MemoryError, OverflowError, UnicodeDecodeError):
                    pass
    "# => may_break_the_interpreter();
    code_with_too_few_cells: r#"
        def outer():
            x = 1
            def inner(): return x
            return inner
        f = outer()
        type(f)(f.__code__, {}, 'f', (), ())
    "# => raises("ValueError");
    closure_emptied: r#"
        def outer():
            x = 1
            def inner(): return x
            return inner
        f = outer()
        del f.__closure__[0].cell_contents
        f()
    "# => raises("NameError");
    function_code_swapped_while_it_runs: r#"
        def g(): return 2
        def f():
            f.__code__ = g.__code__
            return 1
        print(f(), f())
    "# => prints("1 2\n");
    frame_locals_changed: r#"
        import sys
        def f():
            x = 1
            sys._getframe().f_locals['x'] = 2
            return x
        print(f())
    "# => prints("2\n");
    frame_cleared_while_it_runs: "import sys; sys._getframe().clear()" => raises("RuntimeError");
    frame_line_jumped: r#"
        import sys
        def f():
            for i in [1]:
                x = 1
            return 2
        def trace(frame, event, arg):
            if event == 'line':
                try:
                    frame.f_lineno = f.__code__.co_firstlineno + 2
                except ValueError:
                    pass
            return trace
        sys.settrace(trace)
        f()
    "# => may_break_the_interpreter();
    collector_lists_everything: r#"
        import gc
        for o in gc.get_objects():
            if type(o) is list and o is not globals(): 
                try:
                    o.clear()
                except Exception:
                    pass
    "# => may_break_the_interpreter();
    collector_dicts_emptied: r#"
        import gc
        for o in gc.get_objects():
            if type(o) is dict and o is not globals():
                o.clear()
    "# => may_break_the_interpreter();
    frozen_type_changed: "int.__add__ = None" => raises("TypeError");
    frozen_type_changed_through_its_dict: r#"
        import gc
        gc.get_referents(int.__dict__)[0]['__add__'] = lambda a, b: 42
        x = 1
        print(x.__add__(2))
    "# => may_break_the_interpreter();
    half_built_tuple: r#"
        import gc
        def items():
            yield 1
            for t in gc.get_objects():
                if type(t) is tuple and len(t) > 5 and t[0:1] == (1,):
                    print(t)
            yield 2
        tuple(items())
    "# => may_break_the_interpreter();
    subclasses_searched: r#"
        found = [c for c in object.__subclasses__() if c.__name__ in ('Popen', 'FileLoader', '_wrap_close')]
        for c in found:
            try:
                print(c.__init__.__globals__['system']('id'))
            except Exception as e:
                pass
        print('nothing')
    "# => prints("nothing\n");
    class_assigned: r#"
        class A: __slots__ = ('a', 'b')
        class B: __slots__ = ('c',)
        a = A(); a.__class__ = B
    "# => raises("TypeError");
    bases_assigned: r#"
        class A: pass
        class B(A): pass
        A.__bases__ = (B,)
    "# => raises("TypeError");
    mro_forged: r#"
        class M(type):
            def mro(cls): return [cls, int, object]
        class A(metaclass=M): pass
        A() + 1
    "# => fails();
    type_flags_from_outside: "import types; types.ModuleType.__class__ = type('T', (), {})" => raises("TypeError");
    hash_that_changes: r#"
        import random
        class A:
            def __hash__(self): return random.getrandbits(30)
        d = {}
        for _ in range(1000): d[A()] = 1
        for k in list(d): d.pop(k, None)
        print('kept')
    "# => prints("kept\n");
    iterator_over_changing_dict: "d = {1: 1}\nfor k in d: d[k + 1] = 1" => raises("RuntimeError");
    buffer_released_in_use: r#"
        b = bytearray(100)
        m = memoryview(b)
        class A:
            def __index__(self):
                m.release()
                b.clear()
                return 5
        m[A()] = 1
    "# => raises("ValueError|BufferError");
    buffer_resized_in_use: "b = bytearray(10); m = memoryview(b); b.extend(bytes(10**6))" => raises("BufferError");
    bytes_changed_while_joined: r#"
        class A:
            def __buffer__(self, flags):
                parts.clear()
                return memoryview(b'x')
        parts = [A() for _ in range(100)]
        b''.join(parts)
    "# => may_break_the_interpreter();
    weak_reference_to_the_dying: r#"
        import weakref
        class A:
            def __del__(self): refs.append(weakref.ref(self))
        refs = []
        A()
        print(refs[0]())
    "# => prints("None\n");
    subinterpreter: r#"
        import _interpreters
        i = _interpreters.create()
        _interpreters.exec(i, 'while True: pass')
    "# => burns_its_fuel().or(Status::Error);
    subinterpreters_without_end: r#"
        import _interpreters
        while True: _interpreters.create()
    "# => fails().or(Status::OutOfMemory).or(Status::FuelExhausted);
    opcodes_of_the_test_modules: "import _testinternalcapi" => raises("ModuleNotFoundError");
    crash_module_of_the_tests: "import _testcapi; _testcapi.crash_no_current_thread()" => raises("ModuleNotFoundError");
    debug_allocations: "import sys; sys._debugmallocstats()" => prints("").or(Status::Error);
    switch_interval: "import sys; sys.setswitchinterval(1e-9); print(sum(range(1000)))" => prints("499500\n");
    recursion_limit_of_nothing: "import sys; sys.setrecursionlimit(1)" => raises("RecursionError|ValueError");
    stack_size: "import threading; threading.stack_size(2**30)" => raises("ValueError|RuntimeError").or(Status::Ok);
    integers_rewritten_in_memory: r#"
        import gc
        # The snapshot's own small integers, reached by a forged object, are this instance's only.
        def f(): return 1
        import opcode
        f.__code__ = f.__code__.replace(co_consts=(None, 1), co_code=f.__code__.co_code)
        print(f() + 1)
    "# => prints("2\n");
    monitoring_callbacks: r#"
        import sys
        m = sys.monitoring
        m.use_tool_id(0, 'x')
        m.register_callback(0, m.events.PY_START, lambda *a: f())
        m.set_events(0, m.events.PY_START)
        def f(): return 1
        f()
    "# => raises("RecursionError").or(Status::Ok);
    annotations_that_explode: r#"
        class A:
            x: (lambda: 1 / 0)()
    "# => raises("ZeroDivisionError");
    enormous_class_body: "exec('class A:\\n' + ''.join(f'    a{i} = {i}\\n' for i in range(50000)))" => prints("").or(Status::FuelExhausted);
    wide_inheritance: "A = [type(f'A{i}', (), {}) for i in range(2000)]\ntype('B', tuple(A), {})" => prints("").or(Status::FuelExhausted);
    inconsistent_inheritance: "class A: pass\nclass B(A): pass\nclass C(A, B): pass" => raises("TypeError");
}
