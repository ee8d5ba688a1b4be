# Ints of one digit take shorter ways through the interpreter, whose ends are where sizes and signs change.
import operator


class Own(int):
    def __and__(self, other):
        return "own and"

    def __rfloordiv__(self, other):
        return "own floordiv"


OPERATORS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
}
IN_PLACE = {
    "+": operator.iadd, "-": operator.isub, "&": operator.iand, "|": operator.ior,
    "^": operator.ixor, "//": operator.ifloordiv, "%": operator.imod,
}
EDGES = [0, 1, 2, 5, 6, 7, 255, 256, 257, 2**29, 2**30 - 1, 2**30, 2**31, 2**60, 10**30]
NUMBERS = sorted({sign * (n + d) for n in EDGES for sign in (1, -1) for d in (-1, 0, 1)})


def value(operator, a, b):
    try:
        return operator(a, b)
    except ZeroDivisionError as error:
        return str(error)


for name, apply in OPERATORS.items():
    total = 0
    for a in NUMBERS:
        for b in NUMBERS:
            found = value(apply, a, b)
            assert found == value(IN_PLACE[name], a, b), (name, a, b)
            total = (total * 31 + (found if isinstance(found, int) else 7)) % (2**61 - 1)
            if name in ("//", "%") and b and not isinstance(found, str):
                quotient, rest = divmod(a, b)
                assert found == (quotient if name == "//" else rest), (name, a, b)
    print(name, total)

one = 1
small = 256
print(7 & True, True & True, False | 3, Own(3) & 1, 7 // Own(2), 3 & Own(1), 3 & Own(2))
print((small + 2 - 2) is small, (one + 255) is small, -3 - 2 * one, 5 // (-2 * one), -5 % (3 * one))
for pair in [(1, 0), (1.5, 2), ("a", 1)]:
    for name in ("//", "&"):
        try:
            print(OPERATORS[name](*pair))
        except (TypeError, ZeroDivisionError) as error:
            print(type(error).__name__, error)
n = 0
for i in range(3000):
    n += i & 3
    n ^= i
    n %= 1021
print(n)
