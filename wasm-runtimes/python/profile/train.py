"""What the profile is taken of: ordinary snippets, every kind about equally long."""

import collections
import dataclasses
import datetime
import functools
import heapq
import io
import itertools
import json
import math
import random
import re
import statistics
import string
import textwrap


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def sieve(limit):
    flags = [True] * limit
    for n in range(2, int(limit**0.5) + 1):
        if flags[n]:
            for multiple in range(n * n, limit, n):
                flags[multiple] = False
    return sum(flags)


def nbody(steps):
    bodies = [[random.random() for _ in range(7)] for _ in range(5)]
    for _ in range(steps):
        for a, b in itertools.combinations(bodies, 2):
            dx, dy, dz = a[0] - b[0], a[1] - b[1], a[2] - b[2]
            distance = math.sqrt(dx * dx + dy * dy + dz * dz + 0.01)
            force = 0.001 / (distance * distance * distance)
            a[3] -= dx * force
            a[4] -= dy * force
            a[5] -= dz * force
            b[3] += dx * force
            b[4] += dy * force
            b[5] += dz * force
        for body in bodies:
            body[0] += body[3]
            body[1] += body[4]
            body[2] += body[5]


@dataclasses.dataclass
class Point:
    x: float
    y: float

    def __add__(self, other):
        return Point(self.x + other.x, self.y + other.y)

    @property
    def length(self):
        return math.hypot(self.x, self.y)


class Node:
    def __init__(self, value, left=None, right=None):
        self.value, self.left, self.right = value, left, right

    def __iter__(self):
        if self.left is not None:
            yield from self.left
        yield self.value
        if self.right is not None:
            yield from self.right


def tree(low, high):
    if low >= high:
        return None
    middle = (low + high) // 2
    return Node(middle, tree(low, middle), tree(middle + 1, high))


def queens(size):
    def place(row, columns, down, up):
        if row == size:
            return 1
        count = 0
        for column in range(size):
            if column not in columns and row - column not in down and row + column not in up:
                count += place(
                    row + 1, columns | {column}, down | {row - column}, up | {row + column}
                )
        return count
    return place(0, frozenset(), frozenset(), frozenset())


def words(count):
    text = " ".join(random.choice(string.ascii_lowercase) * random.randint(1, 5) for _ in range(count))
    counts = collections.Counter(text.split())
    for word in text.split():
        counts[word] += len(word)
    text = text.replace('a', 'b').title().upper().lower()
    found = re.findall(r'\b([a-m]+)\s+([n-z]+)', text)
    doubled = re.sub(r"(\w)\1+", r"<\1>", text)
    return counts.most_common(3), len(found), doubled[:50], textwrap.fill(text[:2000], 60)


def matrix(size):
    a = [[i * j % 7 for j in range(size)] for i in range(size)]
    b = [list(row) for row in zip(*a)]
    return sum(sum(x * y for x, y in zip(row, column)) for row in a for column in b)


def records(count):
    rows = [
        {"id": i, "name": f"name {i}", "tags": ["x", "y"], "score": i * 1.5, "ok": i % 2 == 0}
        for i in range(count)
    ]
    rows = json.loads(json.dumps(rows))
    rows.sort(key=lambda row: (-row['score'], row['name']))
    groups = collections.defaultdict(list)
    for row in rows:
        groups[row['ok']].append(row['score'])
    return {key: statistics.mean(values) for key, values in groups.items()}


def errors(count):
    caught = 0
    for i in range(count):
        try:
            if i % 3 == 0:
                raise ValueError(i)
            {}[i]
        except (KeyError, ValueError) as error:
            caught += len(error.args)
        finally:
            caught += 1
    return caught


def graph(count):
    edges = collections.defaultdict(list)
    for i in range(count):
        for j in (i * 7 + 1, i * 3 + 2, i + 1):
            edges[i].append((j % count, i % 13 + 1))
    distances, heap = {0: 0}, [(0, 0)]
    while heap:
        distance, node = heapq.heappop(heap)
        if distance > distances[node]:
            continue
        for other, weight in edges[node]:
            if distance + weight < distances.get(other, math.inf):
                distances[other] = distance + weight
                heapq.heappush(heap, (distance + weight, other))
    return max(distances.values())


class Account:
    __slots__ = ("owner", "balance", "history")
    opened = 0

    def __init__(self, owner, balance):
        self.owner = owner
        self.balance = balance
        self.history = []
        Account.opened += 1

    @property
    def label(self):
        return f"{self.owner}: {self.balance}"

    def pay(self, amount, to=None, *, note=""):
        if amount > self.balance:
            raise ValueError(f"{self.owner} has only {self.balance}")
        self.balance -= amount
        self.history.append((amount, note))
        if to is not None:
            to.balance += amount
        return self


class Shape:
    def __init__(self, name):
        self.name = name
        self.seen = 0

    def area(self):
        raise NotImplementedError

    def describe(self):
        self.seen += 1
        return self.name, round(self.area(), 2)


class Circle(Shape):
    def __init__(self, radius):
        super().__init__("circle")
        self.radius = radius

    def area(self):
        return math.pi * self.radius**2


class Square(Shape):
    def __init__(self, side):
        super().__init__("square")
        self.side = side

    def area(self):
        return self.side * self.side


def objects(count):
    accounts = [Account(f"owner {i}", 100) for i in range(50)]
    refused = 0
    largest = {}
    for i in range(count):
        account, other = accounts[i % 50], accounts[(i * 7 + 3) % 50]
        try:
            account.pay(i % 30, other, note="rent").pay(1)
        except ValueError as error:
            refused += len(error.args)
        shape = Circle(i) if i & 1 else Square(i)
        name, area = shape.describe()
        if area > largest.get(name, 0):
            largest[name] = area
        if i % 10 == 0 and account.label and isinstance(shape, Circle):
            refused += 1
    return refused, largest


@functools.lru_cache(None)
def ways(amount, coins=(50, 20, 10, 5, 2, 1)):
    if amount == 0:
        return 1
    if amount < 0 or not coins:
        return 0
    return ways(amount - coins[0], coins) + ways(amount, coins[1:])


def collatz(limit):
    longest = 0
    for n in range(1, limit):
        steps = 0
        while n != 1:
            n = n // 2 if n & 1 == 0 else 3 * n + 1
            steps += 1
        if steps > longest:
            longest = steps
    return longest


def text_out(count):
    out = io.StringIO()
    for i in range(count):
        print(i, f'{i:>5} {i / 7:.3f}', 'x' * (i % 5), file=out, sep=',')
    return len(out.getvalue())


def generators(count):
    squares = (n * n for n in range(count))
    odd = filter(lambda n: n % 2, squares)
    return sum(itertools.islice(map(lambda n: n + 1, odd), count // 4))


def main():
    random.seed(1)
    fib(22)
    sieve(60000)
    nbody(800)
    total = Point(0, 0)
    for i in range(8000):
        total = total + Point(i, 1)
    total.length
    sum(tree(0, 6000))
    queens(6)
    words(4000)
    matrix(40)
    records(1500)
    errors(15000)
    objects(8000)
    graph(3000)
    ways(300)
    collatz(1200)
    text_out(4000)
    generators(40000)
    for i in range(300):
        exec(compile(f'def f(a, b={i}):\n    return [a + b for _ in range(3)]\nf(1)\n', 'snippet', 'exec'), {})
    big = 1
    for i in range(1, 400):
        big *= i
    str(big)
    for i in range(2000):
        day = datetime.date(2024, 1, 1) + datetime.timedelta(days=i)
        day.isoformat()


main()
