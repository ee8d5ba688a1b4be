//! Python: objects that hold objects that hold objects, used and let go.
//!
//! Natively some of these end the process. Here each is a RecursionError, and letting go never fails.

use super::{prints, raises};

attacks! { Python;
    partial_tower: r#"
        from functools import partial
        f = print
        for _ in range(50000):
            f = partial(lambda g: g(), f)
        f()
    "# => raises("RecursionError");
    partial_cycle: r#"
        from functools import partial
        p = partial(print)
        p.__setstate__((p, (), {}, {}))
        p()
    "# => raises("RecursionError");
    partial_repr_cycle: r#"
        from functools import partial
        p = partial(print)
        p.__setstate__((print, (p,), {}, {}))
        print(len(repr(p)) < 1000)
    "# => prints("True\n").or(sandgate_core::Status::Error);
    map_tower: r#"
        it = iter([1])
        for _ in range(200000):
            it = map(int, it)
        next(it)
    "# => raises("RecursionError");
    filter_tower: r#"
        it = iter([1])
        for _ in range(200000):
            it = filter(None, it)
        next(it)
    "# => raises("RecursionError");
    zip_tower: r#"
        it = iter([1])
        for _ in range(200000):
            it = zip(it)
        next(it)
    "# => raises("RecursionError");
    enumerate_tower: r#"
        it = iter([1])
        for _ in range(200000):
            it = enumerate(it)
        next(it)
    "# => raises("RecursionError");
    chain_tower: r#"
        from itertools import chain
        it = iter([1])
        for _ in range(200000):
            it = chain(it)
        next(it)
    "# => raises("RecursionError");
    islice_tower: r#"
        from itertools import islice
        it = iter([1])
        for _ in range(200000):
            it = islice(it, 1)
        next(it)
    "# => raises("RecursionError");
    accumulate_tower_deallocated: r#"
        from itertools import accumulate
        it = iter([1])
        for _ in range(200000):
            it = accumulate(it)
        del it
        print('freed')
    "# => prints("freed\n");
    generator_tower: r#"
        def g(it):
            yield from it
        it = iter([1])
        for _ in range(100000):
            it = g(it)
        next(it)
    "# => raises("RecursionError");
    tower_of_every_iterator: r#"
        import itertools
        makers = [
            lambda it: itertools.accumulate(it), lambda it: itertools.batched(it, 1),
            lambda it: itertools.compress(it, itertools.repeat(1)), lambda it: itertools.cycle(it),
            lambda it: itertools.dropwhile(bool, it), lambda it: itertools.filterfalse(None, it),
            lambda it: itertools.groupby(it), lambda it: itertools.pairwise(it),
            lambda it: itertools.starmap(max, it), lambda it: itertools.takewhile(bool, it),
            lambda it: itertools.zip_longest(it),
        ]
        for make in makers:
            it = iter([1])
            for _ in range(20000):
                it = make(it)
            try:
                next(it)
            except RecursionError:
                print('refused')
            del it
        print('freed')
    "# => prints("refused\nrefused\nrefused\nrefused\nrefused\nrefused\nrefused\nrefused\nrefused\nrefused\nrefused\nfreed\n");
    iterators_within_the_limit: r#"
        import itertools
        it = iter(range(10))
        for _ in range(500):
            it = map(lambda n: n, itertools.chain(filter(lambda n: True, it)))
        print(sum(it))
    "# => prints("45\n");
    generator_tower_deallocated: r#"
        def g(it):
            yield from it
        it = iter([1])
        for _ in range(100000):
            it = g(it)
        del it
        print('freed')
    "# => prints("freed\n");
    chain_of_everything_deallocated: r#"
        import functools, itertools, operator, types, weakref
        from collections import deque
        makers = [
            lambda x: slice(x), lambda x: classmethod(x), lambda x: staticmethod(x), lambda x: property(x),
            lambda x: functools.partial(print, x), lambda x: types.MethodType(print, x or 1), lambda x: iter([x]),
            lambda x: enumerate([x]), lambda x: deque([x], 1), lambda x: types.SimpleNamespace(x=x),
            lambda x: itertools.repeat(x), lambda x: types.MappingProxyType({1: x}), lambda x: list[x],
            lambda x: types.CellType(x), lambda x: frozenset([x]), lambda x: {1: x}.items(),
        ]
        for make in makers:
            x = None
            for _ in range(10000):
                x = make(x)
            del x
        print('freed')
    "# => prints("freed\n");
    chain_of_finalizers_deallocated: r#"
        class Node:
            def __init__(self, next): self.next = next
            def __del__(self): counts.append(1)
        counts = []
        node = None
        for _ in range(100000):
            node = Node(slice(node))
        del node
        print(len(counts))
    "# => prints("100000\n");
    generator_expression_tower: r#"
        it = iter([1])
        for _ in range(100000):
            it = (x for x in it)
        next(it)
    "# => raises("RecursionError");
    tuple_hash: r#"
        value = ()
        for _ in range(200000):
            value = (value,)
        hash(value)
    "# => raises("RecursionError");
    frozenset_tower: r#"
        value = frozenset()
        for _ in range(100000):
            value = frozenset([value])
        print(len(value))
        repr(value)
    "# => raises("RecursionError").and_prints("1\n");
    dict_deallocation: r#"
        value = {}
        for _ in range(200000):
            value = {1: value}
        del value
        print('freed')
    "# => prints("freed\n");
    object_chain_deallocation: r#"
        class Node:
            def __init__(self, next): self.next = next
        node = None
        for _ in range(200000):
            node = Node(node)
        del node
        print('freed')
    "# => prints("freed\n");
    slotted_chain_deallocation: r#"
        class Node:
            __slots__ = ('next',)
        node = None
        for _ in range(200000):
            new = Node(); new.next = node; node = new
        del node, new
        print('freed')
    "# => prints("freed\n");
    closure_chain_deallocation: r#"
        f = None
        def wrap(f): return lambda: f
        for _ in range(100000):
            f = wrap(f)
        del f
        print('freed')
    "# => prints("freed\n");
    bound_method_chain_deallocation: r#"
        import types
        f = print
        for _ in range(200000):
            f = types.MethodType(print, f)
        del f
        print('freed')
    "# => prints("freed\n");
    classmethod_tower: r#"
        f = lambda cls: None
        for _ in range(100000):
            f = classmethod(f)
        f.__get__(None, int)()
    "# => raises("TypeError|RecursionError");
    generic_alias_tower: r#"
        alias = list[int]
        for _ in range(100000):
            alias = list[alias]
        repr(alias)
    "# => raises("RecursionError");
    generic_alias_hash: r#"
        alias = list[int]
        for _ in range(100000):
            alias = list[alias]
        hash(alias)
    "# => raises("RecursionError");
    mapping_proxy_tower: r#"
        from types import MappingProxyType
        value = {}
        for _ in range(200000):
            value = MappingProxyType(value)
        value.get(1)
    "# => raises("RecursionError");
    slice_tower: r#"
        a, b = slice(1), slice(1)
        for _ in range(200000):
            a, b = slice(a), slice(b)
        a == b
    "# => raises("RecursionError");
    chain_map_tower: r#"
        from collections import ChainMap
        m = {}
        for _ in range(50000):
            m = ChainMap(m)
        m.get(1)
    "# => raises("RecursionError");
    memoryview_tower: r#"
        m = memoryview(b'x')
        for _ in range(200000):
            m = memoryview(m)
        del m
        print('freed')
    "# => prints("freed\n");
    deque_repr_and_deallocation: r#"
        from collections import deque
        value = deque()
        for _ in range(100000):
            value = deque([value])
        try:
            repr(value)
        except RecursionError:
            print('refused')
        del value
        print('freed')
    "# => prints("refused\nfreed\n");
    union_type_tower: r#"
        import types
        value = int
        for i in range(3000):
            value = value | list[i]
        repr(value)
        print('made')
    "# => prints("made\n").or(sandgate_core::Status::FuelExhausted);
    operator_getter_tower: r#"
        import operator
        operator.attrgetter('.'.join(['real'] * 100000))(1)
        print('got')
    "# => prints("got\n").or(sandgate_core::Status::FuelExhausted);
}
