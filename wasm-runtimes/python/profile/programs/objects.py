class Point:
    __slots__ = ("x", "y")

    def __init__(self, x, y):
        self.x = x
        self.y = y

    def add(self, other):
        return Point(self.x + other.x, self.y + other.y)


class Reading:
    def __init__(self, value):
        self.value = value

    @property
    def doubled(self):
        return self.value * 2


def main():
    total = Point(0.0, 1.0)
    sums = {}
    for i in range(20000):
        total = total.add(Point(i, 1.5))
        reading = Reading(i)
        sums[i % 100] = reading.doubled + sums.get(i % 100, 0)
    lines = [f"{key}:{value}" for key, value in sums.items()]
    lines.sort(key=len)
    kept = []
    for i in range(10000):
        try:
            if i % 3 == 0:
                raise ValueError(i)
            kept.append(i)
        except ValueError as error:
            kept.append(error.args[0])
    return sum(kept), ",".join(lines)


main()
