import pickle
import sys
from dataclasses import dataclass


@dataclass
class Point:
    x: int
    y: int = 0


def twice(value):
    return 2 * value


point = Point(3)
print(pickle.loads(pickle.dumps(point)) == point, pickle.loads(pickle.dumps(twice)) is twice)
print(__name__, sys.modules["__main__"].Point is Point, Point.__module__)
import inspect

print(inspect.getsource(twice), inspect.getsource(Point), sep="---\n", end="")
print(sys.argv[1:], __doc__)
