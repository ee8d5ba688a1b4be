//! Python: recursion, through Python code and through every part of C that calls back.

use super::{prints, raises};

attacks! { Python;
    endless_recursion: "def f(): return f()\nf()" => raises("RecursionError");
    endless_recursion_without_a_limit: r#"
        import sys
        sys.setrecursionlimit(10**9)
        def f(): return f() + 1
        f()
    "# => raises("RecursionError|MemoryError").or(sandgate_core::Status::OutOfMemory).or(sandgate_core::Status::FuelExhausted);
    endless_recursion_in_methods_without_a_limit: r#"
        import sys
        sys.setrecursionlimit(2**31 - 1)
        class A:
            def __repr__(self): return repr(self)
        repr(A())
    "# => raises("RecursionError|MemoryError");
    recursion_caught_and_tried_again: r#"
        def f():
            try:
                f()
            except RecursionError:
                f()
        f()
    "# => raises("RecursionError").or(sandgate_core::Status::FuelExhausted);
    recursion_in_finally: r#"
        def f():
            try:
                f()
            finally:
                f()
        f()
    "# => raises("RecursionError").or(sandgate_core::Status::FuelExhausted);
    mutual_recursion_through_calls: r#"
        class A:
            def __call__(self): return B()()
        class B:
            def __call__(self): return A()()
        A()()
    "# => raises("RecursionError");
    instance_as_its_own_call: r#"
        class A: pass
        A.__call__ = A()
        A()()
    "# => raises("RecursionError");
    getattr_recursion: r#"
        class A:
            def __getattr__(self, name): return getattr(self, name + 'x')
        A().x
    "# => raises("RecursionError");
    getattribute_recursion: r#"
        class A:
            def __getattribute__(self, name): return self.x
        A().x
    "# => raises("RecursionError");
    setattr_recursion: r#"
        class A:
            def __setattr__(self, name, value): self.x = value
        A().x = 1
    "# => raises("RecursionError");
    property_recursion: r#"
        class A:
            @property
            def x(self): return self.x
        A().x
    "# => raises("RecursionError");
    descriptor_recursion: r#"
        class D:
            def __get__(self, instance, owner): return owner.d
        class A:
            d = D()
        A().d
    "# => raises("RecursionError");
    metaclass_call_recursion: r#"
        class M(type):
            def __call__(cls): return cls()
        class A(metaclass=M): pass
        A()
    "# => raises("RecursionError");
    instancecheck_recursion: r#"
        class M(type):
            def __instancecheck__(cls, x): return isinstance(x, cls)
        class A(metaclass=M): pass
        isinstance(1, A)
    "# => raises("RecursionError");
    isinstance_of_nested_tuples: r#"
        classes = (int,)
        for _ in range(100000):
            classes = (classes,)
        isinstance('', classes)
    "# => raises("RecursionError");
    bases_recursion: r#"
        class A:
            @property
            def __bases__(self): return (self,)
        issubclass(A(), int)
    "# => super::burns_its_fuel();
    super_recursion: r#"
        class A:
            def f(self): return super(A, B()).f()
        class B(A): 
            def f(self): return A.f(self)
        class C(B): pass
        A.f = lambda self: B().f()
        B().f()
    "# => raises("RecursionError");
    equality_recursion: r#"
        class A:
            def __eq__(self, other): return other == self
        A() == A()
    "# => raises("RecursionError");
    ordering_recursion: r#"
        class A:
            def __lt__(self, other): return sorted([other, self])
        sorted([A(), A()])
    "# => raises("RecursionError");
    sort_key_recursion: r#"
        def key(x): return sorted([2, 1], key=key)
        key(0)
    "# => raises("RecursionError");
    hash_recursion: r#"
        class A:
            def __hash__(self): return hash(self)
        {A()}
    "# => raises("RecursionError");
    bool_and_len_recursion: r#"
        class A:
            def __len__(self): return len(self)
        bool(A())
    "# => raises("RecursionError");
    index_recursion: r#"
        class A:
            def __index__(self): return [1][self]
        [1][A()]
    "# => raises("RecursionError");
    number_recursion: r#"
        class A:
            def __add__(self, other): return self + other
            def __int__(self): return int(self)
        A() + 1
    "# => raises("RecursionError");
    reflected_operator_recursion: r#"
        class A:
            def __radd__(self, other): return other + self
        1 + A()
    "# => raises("RecursionError");
    str_recursion: r#"
        class A:
            def __str__(self): return str(self)
        print(A())
    "# => raises("RecursionError");
    format_recursion: r#"
        class A:
            def __format__(self, spec): return f'{self:x}'
        f'{A()}'
    "# => raises("RecursionError");
    percent_format_recursion: r#"
        class A:
            def __repr__(self): return '%r' % self
        '%r' % A()
    "# => raises("RecursionError");
    iterator_recursion: r#"
        class A:
            def __iter__(self): return iter(self)
        list(A())
    "# => raises("RecursionError");
    next_recursion: r#"
        class A:
            def __iter__(self): return self
            def __next__(self): return next(self)
        list(A())
    "# => raises("RecursionError");
    contains_recursion: r#"
        class A:
            def __contains__(self, x): return x in self
        1 in A()
    "# => raises("RecursionError");
    missing_recursion: r#"
        class D(dict):
            def __missing__(self, key): return self[key]
        D()[1]
    "# => raises("RecursionError");
    import_recursion: r#"
        import builtins
        real = builtins.__import__
        def hook(name, *rest):
            import json
            return real(name, *rest)
        builtins.__import__ = hook
        import re
    "# => raises("RecursionError");
    exec_recursion: "code = 'exec(code)'\nexec(code)" => raises("RecursionError");
    eval_recursion: "code = 'eval(code)'\neval(code)" => raises("RecursionError");
    map_recursion: r#"
        def f(x): return list(map(f, [x]))
        f(1)
    "# => raises("RecursionError");
    functools_reduce_recursion: r#"
        from functools import reduce
        def f(a, b): return reduce(f, [1, 2, 3])
        f(1, 2)
    "# => raises("RecursionError");
    cached_function_recursion: r#"
        from functools import lru_cache
        @lru_cache(None)
        def f(n): return f(n + 1)
        f(0)
    "# => raises("RecursionError");
    cached_function_recursion_without_a_limit: r#"
        import sys
        from functools import lru_cache
        sys.setrecursionlimit(10**9)
        @lru_cache(None)
        def f(n): return f(n + 1)
        f(0)
    "# => raises("RecursionError|MemoryError").or(sandgate_core::Status::OutOfMemory);
    generator_that_delegates_to_itself: r#"
        def g():
            yield from g()
        next(g())
    "# => raises("RecursionError");
    awaiting_tower: r#"
        import asyncio
        async def f(n): return await f(n + 1)
        asyncio.run(f(0))
    "# => raises("RecursionError");
    list_repr: r#"
        value = []
        for _ in range(100000):
            value = [value]
        repr(value)
    "# => raises("RecursionError");
    dict_repr: r#"
        value = {}
        for _ in range(100000):
            value = {1: value}
        str(value)
    "# => raises("RecursionError");
    list_comparison: r#"
        a, b = [], []
        for _ in range(100000):
            a, b = [a], [b]
        a == b
    "# => raises("RecursionError");
    dict_comparison: r#"
        a, b = {}, {}
        for _ in range(100000):
            a, b = {1: a}, {1: b}
        a == b
    "# => raises("RecursionError");
    cyclic_list_comparison: r#"
        a, b = [], []
        a.append(b); b.append(a)
        a == b
    "# => raises("RecursionError");
    list_deallocation: r#"
        value = []
        for _ in range(300000):
            value = [value]
        del value
        print('freed')
    "# => prints("freed\n");
    tuple_deallocation: r#"
        value = ()
        for _ in range(300000):
            value = (value,)
        del value
        print('freed')
    "# => prints("freed\n");
    exception_chain: r#"
        e = None
        for _ in range(50000):
            new = ValueError(); new.__context__ = e; e = new
        raise e
    "# => raises("ValueError").or(sandgate_core::Status::FuelExhausted);
    exception_cause_cycle: r#"
        a, b = ValueError(1), ValueError(2)
        a.__cause__, b.__cause__ = b, a
        raise a
    "# => raises("ValueError");
    exception_group_tower: r#"
        e = ValueError()
        for _ in range(10000):
            e = ExceptionGroup('x', [e])
        raise e
    "# => raises("ExceptionGroup|RecursionError");
    exception_group_split: r#"
        e = ValueError()
        for _ in range(50000):
            e = ExceptionGroup('x', [e])
        e.split(TypeError)
    "# => raises("RecursionError");
    traceback_chain_deallocation: r#"
        def f(n):
            try:
                if n: f(n - 1)
                else: 1 / 0
            except ZeroDivisionError as e:
                raise ValueError(n) from e
        f(300)
    "# => raises("ValueError");
    deepcopy: r#"
        import copy
        value = []
        for _ in range(100000):
            value = [value]
        copy.deepcopy(value)
    "# => raises("RecursionError");
    pickled_object_chain: r#"
        import pickle
        class Node:
            def __init__(self, next): self.next = next
        node = None
        for _ in range(100000):
            node = Node(node)
        pickle.dumps(node)
    "# => raises("RecursionError");
    reduce_recursion: r#"
        import pickle
        class A:
            def __reduce__(self): return (print, (A(),))
        pickle.dumps(A())
    "# => raises("RecursionError|PicklingError");
    class_tower: r#"
        cls = object
        for i in range(3000):
            cls = type('A', (cls,), {})
        cls().missing
    "# => raises("AttributeError").or(sandgate_core::Status::FuelExhausted).or(sandgate_core::Status::OutOfMemory);
    weakref_callbacks: r#"
        import weakref
        class A: pass
        def again(ref):
            a = A()
            refs.append(weakref.ref(a, again))
        refs = []
        again(None)
        print('ended')
    "# => prints("ended\n").or(sandgate_core::Status::FuelExhausted).or(sandgate_core::Status::OutOfMemory);
    trace_function_recursion: r#"
        import sys
        def trace(frame, event, arg):
            sys.settrace(trace)
            return trace
        sys.settrace(trace)
        def f(): f()
        f()
    "# => raises("RecursionError");
    profile_function_recursion: r#"
        import sys
        def f(): g()
        def g(): f()
        sys.setprofile(lambda *a: f())
        f()
    "# => raises("RecursionError");
    audit_hook_recursion: r#"
        import sys
        sys.addaudithook(lambda *a: eval('1'))
        eval('1')
    "# => raises("RecursionError");
    context_run_recursion: r#"
        import contextvars
        def f(): return contextvars.copy_context().run(f)
        f()
    "# => raises("RecursionError");
    codec_recursion: r#"
        import codecs
        codecs.register(lambda name: codecs.lookup(name + 'x'))
        codecs.lookup('none')
    "# => raises("RecursionError|LookupError").or(sandgate_core::Status::FuelExhausted);
    error_handler_recursion: r#"
        import codecs
        codecs.register_error('again', lambda e: ('\xff'.encode('ascii', 'again'), e.end))
        '\xff'.encode('ascii', 'again')
    "# => raises("RecursionError");
    ordered_dict_repr: r#"
        from collections import OrderedDict
        value = None
        for _ in range(100000):
            value = OrderedDict(a=value)
        repr(value)
    "# => raises("RecursionError");
    comparison_through_dict_lookup: r#"
        class A:
            def __hash__(self): return 1
            def __eq__(self, other): return {self: 1} == {other: 1}
        {A(): 1, A(): 2}
    "# => raises("RecursionError");
    bytes_and_buffer_recursion: r#"
        class A:
            def __bytes__(self): return bytes(self)
            def __buffer__(self, flags): return memoryview(self)
        memoryview(A())
    "# => raises("RecursionError");
    fspath_recursion: r#"
        import os
        class A:
            def __fspath__(self): return os.fspath(self)
        open(A())
    "# => raises("RecursionError");
    warning_recursion: r#"
        import warnings
        warnings.showwarning = lambda *a: warnings.warn('again')
        warnings.simplefilter('always')
        warnings.warn('first')
    "# => raises("RecursionError");
    logging_recursion: r#"
        import logging
        class H(logging.Handler):
            def emit(self, record): logging.warning('again')
        logging.getLogger().addHandler(H())
        logging.warning('first')
    "# => raises("RecursionError").or(sandgate_core::Status::Ok);
    excepthook_recursion: r#"
        import sys
        def hook(*a): hook(*a)
        sys.excepthook = hook
        1 / 0
    "# => raises("ZeroDivisionError|RecursionError");
}
