# What is seen of a function's frame while and after it is let go.
import sys
import weakref


class Watched:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        caller = sys._getframe(1)
        print("gone:", self.name, "in", caller.f_code.co_name)


def plain():
    first = Watched("first")
    second = Watched("second")
    return 1


def handed_on(value):
    return value


def kept():
    inside = Watched("inside the kept frame")
    return sys._getframe()


def nested(depth):
    own = Watched(f"level {depth}")
    if depth:
        return nested(depth - 1)
    return None


def only_function():
    def inner():
        return 7

    watcher = weakref.ref(inner)
    result = inner()
    del inner
    return watcher() is None, result


def deep(depth):
    chain = None
    for _ in range(depth):
        chain = [chain]
    return depth


def failing():
    held = Watched("held by a traceback")
    raise ValueError("from here")


print(plain())
print(handed_on(Watched("argument")).name)
frame = kept()
print(frame.f_lineno - frame.f_code.co_firstlineno, sorted(frame.f_locals))
frame.clear()
print(sorted(frame.f_locals))
nested(3)
print(only_function())
print(deep(200_000))
try:
    failing()
except ValueError as error:
    print(error.__traceback__.tb_next.tb_lineno - failing.__code__.co_firstlineno)
print("after")
print([(lambda a, b=2, *c, d=4, **e: (a, b, c, d, e))(i, *range(i)) for i in range(4)])
