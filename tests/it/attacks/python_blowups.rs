//! Python: small input, huge work or huge memory.

use sandgate_core::Status;

use super::{burns_its_fuel, is_too_large, prints, raises, runs_out_of_memory, times_out};

attacks! { Python;
    endless_loop: "while True: pass" => burns_its_fuel();
    endless_loop_against_the_clock: "while True: pass" => times_out();
    endless_loop_in_finally: r#"
        try:
            1 / 0
        finally:
            while True: pass
    "# => burns_its_fuel();
    endless_loop_in_except: r#"
        while True:
            try:
                while True: pass
            except BaseException:
                pass
    "# => burns_its_fuel();
    endless_loop_in_c: "sum(x for x in iter(int, 1))" => burns_its_fuel();
    endless_loop_without_python_code: "from collections import deque; from itertools import repeat; deque(repeat(1), maxlen=0)" => burns_its_fuel();
    endless_counting: "import itertools; max(itertools.count())" => burns_its_fuel();
    endless_search: "import itertools; 0.5 in itertools.count()" => burns_its_fuel();
    big_range_search: "0.5 in range(10**18)" => burns_its_fuel();
    integer_power: "10**10**9" => burns_its_fuel().or(Status::OutOfMemory);
    integer_power_tower: "9**9**9**9" => is_too_large().or(Status::FuelExhausted);
    modular_power: "pow(3, 10**200000, 7**200000)" => burns_its_fuel();
    integer_shift: "1 << 10**12" => is_too_large();
    integer_shift_that_would_fit_the_type: "x = [1 << (8 * 10**8) for _ in range(4)]" => runs_out_of_memory();
    integer_multiplication: "x = 3 ** 2000000\nwhile True: x *= x" => burns_its_fuel().or(Status::OutOfMemory);
    integer_from_long_text: "int('9' * 10**7)" => raises("ValueError");
    integer_from_long_text_without_a_limit: r#"
        import sys
        sys.set_int_max_str_digits(0)
        int('9' * 10**7)
    "# => burns_its_fuel();
    integer_to_long_text: "str(1 << 10**6)" => raises("ValueError");
    integer_to_long_text_without_a_limit: r#"
        import sys
        sys.set_int_max_str_digits(0)
        str(1 << 10**8)
    "# => burns_its_fuel().or(Status::OutOfMemory);
    factorial: "import math; math.factorial(10**7)" => burns_its_fuel().or(Status::OutOfMemory);
    factorial_of_everything: "import math; math.factorial(10**30)" => raises("OverflowError");
    binomial: "import math; math.comb(10**7, 5 * 10**6)" => burns_its_fuel().or(Status::OutOfMemory);
    permutations_counted: "import math; math.perm(10**9)" => burns_its_fuel().or(Status::OutOfMemory);
    greatest_common_divisor: "import math; math.gcd(3**4000000, 5**4000000)" => burns_its_fuel();
    integer_square_root: "import math; math.isqrt(7**10000000)" => burns_its_fuel();
    decimal_power: "from decimal import *; getcontext().prec = MAX_PREC; Decimal(3) ** 10**9" => burns_its_fuel().or(Status::OutOfMemory).or(Status::Error);
    decimal_to_integer: "from decimal import *; int(Decimal('1e1000000000'))" => burns_its_fuel().or(Status::OutOfMemory).or(Status::Error);
    decimal_precision: "from decimal import *; getcontext().prec = 10**9 // 3; Decimal(1) / 7" => runs_out_of_memory().or(Status::FuelExhausted);
    text_repeated: "'a' * 10**10" => is_too_large();
    text_repeated_beyond_the_grant: "'a' * (300 << 20)" => runs_out_of_memory();
    text_repeated_for_ever: "s = 'a'\nwhile True: s += s" => runs_out_of_memory();
    list_repeated: "[0] * 10**9" => is_too_large();
    list_repeated_beyond_the_grant: "[0] * (60 << 20)" => runs_out_of_memory();
    list_appended_for_ever: "a = []\nwhile True: a.append(a)" => runs_out_of_memory().or(Status::FuelExhausted);
    list_extended_by_itself: "a = [1]\nfor x in a: a.extend([x, x])" => runs_out_of_memory().or(Status::FuelExhausted);
    dict_filled_for_ever: "d = {}\nwhile True: d[len(d)] = d" => runs_out_of_memory();
    objects_kept_for_ever: r#"
        class A: pass
        keep = None
        while True:
            a = A(); a.keep = keep; keep = a
    "# => runs_out_of_memory();
    classes_made_for_ever: "keep = []\nwhile True: keep.append(type('A', (), {}))" => runs_out_of_memory().or(Status::FuelExhausted);
    generators_made_for_ever: "keep = []\nwhile True: keep.append(x for x in keep)" => runs_out_of_memory();
    code_compiled_for_ever: "keep = []\nwhile True: keep.append(compile('a=1;' * 1000, '', 'exec'))" => runs_out_of_memory().or(Status::FuelExhausted);
    memory_error_swallowed: r#"
        keep = []
        while True:
            try:
                keep.append(bytearray(1 << 20))
            except MemoryError:
                pass
    "# => burns_its_fuel().or(Status::OutOfMemory);
    memory_error_survived: r#"
        keep = []
        try:
            while True: keep.append(bytearray(1 << 20))
        except MemoryError:
            size = len(keep)
            keep.clear()
            print(120 <= size < 140)
    "# => prints("True\n");
    memory_error_survived_before_an_exit: r#"
        import sys
        try:
            bytearray(1 << 30)
        except MemoryError:
            sys.exit(1)
    "# => super::fails();
    memory_error_survived_before_the_parser_gives_up: r#"
        try:
            bytearray(1 << 30)
        except MemoryError:
            eval('-' * 100000 + '1')
    "# => raises("MemoryError");
    memory_error_reported_when_nothing_is_left: r#"
        keep = []
        while True: keep.append([keep])
    "# => runs_out_of_memory();
    memory_error_of_ones_own: r#"
        class MemoryError(Exception): pass
        try:
            bytearray(1 << 30)
        except BaseException:
            raise MemoryError
    "# => raises("MemoryError");
    memory_full_to_the_last_byte: r#"
        keep = []
        for size in (1 << 20, 1 << 16, 1 << 12, 1 << 8, 16):
            try:
                while True: keep.append(bytes(size))
            except MemoryError:
                pass
        raise ValueError('no room to say it')
    "# => runs_out_of_memory().or(Status::Error);
    range_made_real: "list(range(10**9))" => is_too_large();
    product_made_real: "from itertools import *; list(product(range(1000), repeat=5))" => runs_out_of_memory();
    permutations_walked: "from itertools import *; sum(1 for _ in permutations(range(30)))" => burns_its_fuel();
    tee_without_a_reader: "from itertools import *; a, b = tee(count())\nfor x in a: pass" => runs_out_of_memory();
    bytes_of_ten_gigabytes: "bytes(10**10)" => is_too_large();
    bytes_beyond_the_grant: "bytes(300 << 20)" => runs_out_of_memory();
    bytearray_grown: "b = bytearray()\nwhile True: b.extend(bytes(1 << 20))" => runs_out_of_memory();
    array_beyond_the_grant: "import array; array.array('d', [0]) * (40 << 20)" => runs_out_of_memory();
    text_buffer_grown: "import io; f = io.StringIO()\nwhile True: f.write('x' * 2**20)" => runs_out_of_memory();
    byte_buffer_seeked: "import io; f = io.BytesIO(); f.seek(2**31 - 2); f.write(b'x')" => raises("MemoryError|OverflowError|SystemError").or(Status::OutOfMemory);
    format_width: "'{:>10000000000}'.format(1)" => is_too_large();
    format_width_beyond_the_grant: "f'{1:>300000000}'" => runs_out_of_memory();
    format_precision: "'%.2000000000f' % 1.5" => is_too_large();
    format_star_width: "'%*d' % (2**31 - 1, 1)" => is_too_large();
    justified_text: "'a'.ljust(2**31 - 1)" => is_too_large();
    zero_filled_text: "'1'.zfill(300 << 20)" => runs_out_of_memory();
    joined_text: "('x' * 2**20).join(['y'] * 1000)" => runs_out_of_memory();
    replaced_text: "('a' * 10**5).replace('a', 'a' * 10**5)" => is_too_large();
    replaced_regex: "import re; re.sub('a', 'a' * 10**5, 'a' * 10**5)" => runs_out_of_memory().or(Status::Error);
    expanded_tabs: r"'\t'.expandtabs(2**31 - 1)" => is_too_large();
    translated_text: "('a' * 10**6).translate({97: 'b' * 10**6})" => runs_out_of_memory().or(Status::Error);
    escaped_text: "x = '\\x00' * (30 << 20); repr(x) + ascii(x)" => runs_out_of_memory();
    encoded_text: "('a' * (50 << 20)).encode('utf-32')" => runs_out_of_memory();
    struct_size: "import struct; struct.pack('2000000000s', b'')" => is_too_large();
    struct_count: "import struct; struct.calcsize('99999999999999999999i')" => raises("error");
    text_template: "import string; string.Template('$a' * 10**6).substitute(a='x' * 1000)" => runs_out_of_memory().or(Status::FuelExhausted);
    wrapped_text: "import textwrap; textwrap.wrap('a ' * 10**7)" => runs_out_of_memory().or(Status::FuelExhausted);
    difference_of_texts: "import difflib; difflib.ndiff(['a' * 5000] * 500, ['b' * 5000] * 500).__next__()" => burns_its_fuel();
    normalised_text: r"import unicodedata; unicodedata.normalize('NFKD', '\ufdfa' * 10**7)" => runs_out_of_memory();
    combining_characters: r"import unicodedata; unicodedata.normalize('NFC', 'a' + '\u0300\u0323' * 10**5)" => burns_its_fuel().or(Status::Ok);
    colliding_hashes: r#"
        class A:
            def __hash__(self): return 1
        {A() for _ in range(10**6)}
    "# => burns_its_fuel();
    colliding_integers: "{i * (2**61 - 1) for i in range(10**6)}; {i * (2**31 - 1) for i in range(10**6)}" => burns_its_fuel();
    quadratic_concatenation: "s = ()\nwhile True: s += (1,)" => burns_its_fuel();
    sort_that_never_agrees: r#"
        import functools, itertools
        flip = itertools.cycle([-1, 1, 1, -1, 1])
        a = list(range(300000))
        a.sort(key=functools.cmp_to_key(lambda x, y: next(flip)))
        print('sorted')
    "# => prints("sorted\n").or(Status::FuelExhausted);
    sort_that_changes_its_list: r#"
        a = list(range(1000))
        def key(x):
            a.append(x)
            return x
        a.sort(key=key)
    "# => raises("ValueError");
    sort_that_clears_its_list: r#"
        class A:
            def __lt__(self, other):
                a.clear()
                return True
        a = [A() for _ in range(1000)]
        a.sort()
        print(len(a))
    "# => prints("1000\n");
    sort_that_raises: r#"
        class A:
            def __lt__(self, other): raise KeyError('no')
        sorted([A(), A()])
    "# => raises("KeyError");
    heap_that_changes_in_comparison: r#"
        import heapq
        class A:
            def __lt__(self, other):
                heap.clear()
                return True
        heap = [A() for _ in range(100)]
        heapq.heapify(heap)
    "# => raises("RuntimeError|IndexError");
    dict_that_changes_in_comparison: r#"
        class A:
            def __hash__(self): return 1
            def __eq__(self, other):
                d.clear()
                return False
        d = {A(): i for i in range(10)} if False else {}
        for i in range(50): d[A()] = i
        print(len(d) < 50)
    "# => prints("True\n");
    set_that_changes_in_comparison: r#"
        class A:
            def __hash__(self): return 1
            def __eq__(self, other):
                s.clear()
                return False
        s = set()
        for i in range(50): s.add(A())
        print(len(s) < 50)
    "# => prints("True\n");
    list_that_changes_in_comparison: r#"
        class A:
            def __eq__(self, other):
                a.clear()
                return False
        a = [A() for _ in range(100)]
        print(a.index.__name__, a == [1] * 100, A() in a)
    "# => prints("index False False\n");
    zlib_bomb: r#"
        import zlib
        bomb = zlib.compress(bytes(8 << 20))
        keep = [zlib.decompress(bomb) for _ in range(5)]
    "# => runs_out_of_memory();
    zlib_bomb_in_a_bomb: r#"
        import zlib
        bomb = bytes(1 << 20)
        for _ in range(4):
            bomb = zlib.compress(bomb * 20)
        while True:
            bomb = zlib.decompress(bomb)
    "# => runs_out_of_memory().or(Status::Error);
    gzip_bomb: r#"
        import gzip
        bomb = gzip.compress(bytes(8 << 20)) * 5
        gzip.decompress(bomb)
    "# => runs_out_of_memory();
    bz2_bomb: r#"
        import bz2
        bomb = bz2.compress(bytes(2 << 20)) * 20
        bz2.decompress(bomb)
    "# => runs_out_of_memory().or(Status::FuelExhausted);
    lzma_bomb: r#"
        import lzma
        bomb = lzma.compress(bytes(4 << 20), preset=0) * 10
        lzma.decompress(bomb)
    "# => runs_out_of_memory();
    lzma_dictionary: r#"
        import lzma
        lzma.decompress(b'\x5d\xff\xff\xff\xff' + b'\xff' * 8 + bytes(100), lzma.FORMAT_ALONE)
    "# => raises("LZMAError|MemoryError").or(Status::OutOfMemory);
    zip_bomb: r#"
        import io, zipfile
        file = io.BytesIO()
        with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as z:
            z.writestr('a', bytes(8 << 20))
        with zipfile.ZipFile(file) as z:
            keep = [z.read('a') for _ in range(5)]
    "# => runs_out_of_memory();
    zip_bomb_extracted: r#"
        import io, zipfile
        file = io.BytesIO()
        with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as z:
            for i in range(10):
                z.writestr(f'{i}', bytes(1 << 20))
        zipfile.ZipFile(file).extractall('/work')
    "# => raises("OSError").limits(|limits| limits.file_bytes = 5 << 20);
    zip_with_ways_out: r#"
        import io, os, zipfile
        file = io.BytesIO()
        with zipfile.ZipFile(file, 'w') as z:
            z.writestr('../../../../out', b'x')
        zipfile.ZipFile(file).extractall('/work')
        print(os.listdir('/work'), os.path.exists('/out'))
    "# => prints("['out'] False\n");
    tar_with_ways_out: r#"
        import io, tarfile
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode='w') as t:
            t.addfile(tarfile.TarInfo('../../../../out'))
        file.seek(0)
        tarfile.open(fileobj=file).extractall('/work', filter='data')
    "# => raises("OutsideDestinationError");
    key_derivation: "import hashlib; h = b''\nfor _ in range(2**31 - 1): h = hashlib.sha256(h).digest()" => burns_its_fuel();
    hashing_for_ever: "import hashlib; h = hashlib.sha256()\nwhile True: h.update(bytes(1 << 20))" => burns_its_fuel();
    checksum_of_much: "import zlib; b = bytes(64 << 20)\nwhile True: zlib.crc32(b)" => burns_its_fuel();
    copying_for_ever: "b = bytes(40 << 20)\nwhile True: bytearray(b)" => burns_its_fuel().or(Status::Timeout);
    filling_for_ever: "while True: bytes(100 << 20)" => burns_its_fuel().or(Status::Timeout);
    searching_bytes: "b = b'a' * 10**6; b.find(b'a' * 5 * 10**5 + b'b')\nwhile True: b.count(b'ab')" => burns_its_fuel();
    random_bytes: "import os\nwhile True: os.urandom(1 << 20)" => burns_its_fuel().or(Status::Timeout);
    random_bytes_beyond_the_grant: "import os; os.urandom(300 << 20)" => runs_out_of_memory();
    random_sample: "import random; random.sample(range(10**9), 10**8)" => runs_out_of_memory().or(Status::FuelExhausted);
    random_bits: "import random; random.getrandbits(2**31 - 1)" => is_too_large();
    date_arithmetic: "import datetime; datetime.timedelta(10**9) * 10**9" => raises("OverflowError");
    calendar_for_ever: "import calendar\nfor y in range(1, 10**9): calendar.monthcalendar(y % 9999 + 1, 1)" => burns_its_fuel();
    symbolic_expansion: "import sympy; x, y, z = sympy.symbols('x y z'); sympy.expand((x + y + z) ** 200)" => burns_its_fuel().or(Status::OutOfMemory);
    prime_search: "import sympy; sympy.factorint((2**127 - 1) * (2**521 - 1) * (2**607 - 1) + 2)" => burns_its_fuel();
    graph_cliques: "import networkx as nx; list(nx.find_cliques(nx.complete_multipartite_graph(*[3] * 30)))" => burns_its_fuel().or(Status::OutOfMemory);
    sqlite_blob: "import sqlite3; sqlite3.connect(':memory:').execute('select length(zeroblob(900000000) || 1)').fetchone()" => is_too_large().or(Status::Error);
    sqlite_text_replace: "import sqlite3; sqlite3.connect(':memory:').execute(\"select length(replace(hex(zeroblob(500000)), '0', hex(zeroblob(5000))))\").fetchone()" => is_too_large().or(Status::Error);
    sqlite_filled_for_ever: r#"
        import sqlite3
        db = sqlite3.connect(':memory:')
        db.execute('create table t(x)')
        while True:
            db.execute('insert into t values (randomblob(1000000))')
    "# => runs_out_of_memory();
    sqlite_cross_join: r#"
        import sqlite3
        db = sqlite3.connect(':memory:')
        db.execute('create table t(x)')
        db.executemany('insert into t values (?)', [(i,) for i in range(1000)])
        db.execute('select count(*) from t a, t b, t c, t d where a.x + b.x + c.x + d.x = -1').fetchall()
    "# => burns_its_fuel();
    dataclass_of_many_fields: "import dataclasses; dataclasses.make_dataclass('A', [f'f{i}' for i in range(10**5)])" => burns_its_fuel().or(Status::Error).or(Status::OutOfMemory).or(Status::Ok);
    enum_of_many_members: "import enum; enum.Flag('A', [f'f{i}' for i in range(10**5)])" => burns_its_fuel().or(Status::OutOfMemory);
    function_of_many_arguments: "f = lambda *a: len(a)\nprint(f(*range(10**6)))\nf(**{str(i): i for i in range(10**5)})" => raises("TypeError").and_prints("1000000\n");
    source_of_many_constants: "exec('x = [' + ','.join(map(str, range(10**6))) + ']')" => runs_out_of_memory().or(Status::FuelExhausted).or(Status::Ok);
    line_of_ten_million_characters: "exec('#' + 'x' * 10**7)" => prints("");
    interned_text_for_ever: "import sys\ni = 0\nwhile True:\n    sys.intern('x' * 1000 + str(i)); i += 1" => burns_its_fuel();
}
