"""What is worth having warm in the snapshot.

A function that has run is specialised: its bytecode no longer counts down to being so, which would
write to its page in every execution, and its attribute look-ups are cached. So the usual paths run
here a few times. None of it may ask for randomness or keep what it made.
"""

import importlib


def import_all(names):
    for line in names.splitlines():
        for name in line.partition("#")[0].split():
            importlib.import_module(name)


def exercise():
    for path in (_program, _text, _data, _numbers, _dates, _classes, _patterns, _errors):
        for _ in range(24):
            path()
    import linecache
    import re

    re.purge()
    linecache.cache.clear()


def _program():
    exec(compile("x = 1 + 1\nprint('', end='')\nx\n", "main.py", "exec"), {})


def _text():
    import string
    import textwrap

    textwrap.dedent("  a\n   b").splitlines()
    textwrap.fill("some words to fill lines with, more than fit on one of them " * 2, 40)
    string.Template("$a").substitute(a=1)
    f"{3.14159:.2f} {12345:,} {'x':>5} {'y'!r}".title().split()


def _data():
    import collections
    import copy
    import csv
    import io
    import itertools
    import json

    values = {"a": [1, 2.5, None, True], "b": {"c": "text \u00e9"}, "d": []}
    json.loads(json.dumps(values))
    json.dumps(values, indent=2, sort_keys=True)
    collections.Counter("mississippi").most_common(2)
    collections.defaultdict(list)["x"].append(1)
    pair = collections.namedtuple("Pair", "left right")(1, 2)
    pair._replace(left=2)._asdict()
    collections.deque([1, 2], maxlen=2).append(3)
    list(itertools.groupby(sorted("aab")))
    copy.deepcopy(values)
    rows = io.StringIO()
    csv.writer(rows).writerow([1, "a,b"])
    list(csv.DictReader(io.StringIO("a,b\n1,2\n")))


def _numbers():
    import decimal
    import fractions
    import math
    import random
    import statistics

    # With a seed: it is the code that is to be warm.
    generator = random.Random(1)
    generator.randint(1, 6)
    generator.choice("abc")
    generator.shuffle([1, 2, 3])
    generator.sample(range(9), 3)
    generator.uniform(0, 1) + generator.gauss(0, 1)
    statistics.mean([1, 2, 3])
    statistics.mean([1.5, 2.5])
    statistics.median([1, 2, 3, 4])
    statistics.stdev([1, 2, 3, 4])
    statistics.pstdev([1.0, 2.0])
    fractions.Fraction(1, 3) + fractions.Fraction("0.5")
    decimal.Decimal("1.1") + 1
    math.sqrt(2)


def _dates():
    import datetime

    day = datetime.date(2024, 2, 28) + datetime.timedelta(days=2)
    moment = datetime.datetime(2024, 2, 28, 12, tzinfo=datetime.timezone.utc)
    moment.isoformat()
    moment.strftime("%Y-%m-%d %H:%M:%S")
    datetime.datetime.strptime("2024-02-28", "%Y-%m-%d")
    datetime.datetime.fromisoformat("2024-02-28T12:00:00+02:00")
    str(day - day)


def _classes():
    import dataclasses
    import enum
    import functools
    import typing

    @dataclasses.dataclass(order=True)
    class Point:
        x: int
        y: int = 0
        more: list = dataclasses.field(default_factory=list)

    repr(Point(1)) == repr(Point(1, 0))
    dataclasses.asdict(dataclasses.replace(Point(1), y=2))

    class Colour(enum.Enum):
        RED = 1
        BLUE = enum.auto()

    Colour["RED"] is Colour(1)
    list(Colour)

    @functools.lru_cache(maxsize=None)
    def square(number: int) -> int:
        return number * number

    square(2)
    typing.Optional[int]


def _patterns():
    import re

    re.purge()
    re.compile(r"(\w+)\s*=\s*\"?(\d+)(?:,|;)?", re.IGNORECASE).match("a = 1")
    re.findall(r"(\w)=(\d+)", "x=1;y=22")
    re.sub(r"\b([a-z]+?)[0-9]{2,3}(?P<rest>.*)$", r"\1-\g<rest>", "abc123def", flags=re.M)
    re.split(r"[,;\s]+|^x*", "a, b;c")


PROGRAM = """
def inner(value):
    return value.missing + [1][value]

def outer():
    try:
        inner(7)
    except AttributeError as error:
        raise ValueError("no good") from error

outer()
"""

FAILING = (
    "unknwon\n",
    "x = = 1\n",
    "1 / 0\n",
    "{}['k']\n",
    "import nothing_\n",
    "def f(x):\n    return 1 / x\nf(0)\n",
    "x = [1][2] + len([])\n",
    "x = int('a') + 1\n",
    "raise ValueError('no good')\n",
)


def _errors():
    import linecache
    import traceback

    from sandgate_boot import errors

    name = "main.py"
    for program in (PROGRAM, *FAILING):
        linecache.cache[name] = (len(program), None, program.splitlines(True), name)
        try:
            exec(compile(program, name, "exec"), {"unknown": 1})
        except Exception as error:
            kind = type(error)
            shown = traceback.TracebackException(kind, error, error.__traceback__, compact=True)
            "".join(shown.format())
            errors.describe(error)
