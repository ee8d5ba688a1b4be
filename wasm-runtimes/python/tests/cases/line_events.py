# Which lines a trace function and a monitoring tool are told of.
import sys


def work(limit, words):
    total = 0
    for n in range(limit):
        if n % 3 == 0: total += n
        elif n == 4: continue
        total -= 1; total += 1
    while total > 3:
        total -= 5 if total & 1 else 4
    longest = max(
        len(word)
        for word in words
        if word
    )
    try:
        total = total / 0
    except ZeroDivisionError:
        total = longest if longest > 3 and total < 100 or not words else 0
    finally:
        longest = [
            i
            for i in range(3)
            if i != 1
        ]
    both = lambda a: a if a else None
    return total, longest, both(1), both(0)


def traced():
    lines = []

    def trace(frame, event, argument):
        if frame.f_code.co_filename == __file__:
            lines.append((event, frame.f_code.co_name, frame.f_lineno - work.__code__.co_firstlineno))
        return trace

    sys.settrace(trace)
    try:
        work(6, ["a", "", "word"])
    finally:
        sys.settrace(None)
    return lines


def monitored():
    lines = []
    monitoring = sys.monitoring
    monitoring.use_tool_id(1, "lines")
    monitoring.register_callback(
        1, monitoring.events.LINE,
        lambda code, line: lines.append(line - work.__code__.co_firstlineno),
    )
    monitoring.set_local_events(1, work.__code__, monitoring.events.LINE)
    try:
        work(6, ["a", "", "word"])
    finally:
        monitoring.set_local_events(1, work.__code__, 0)
        monitoring.free_tool_id(1)
    return lines


for _ in range(30):
    work(6, ["a", "", "word"])
for event in traced():
    print(*event)
print(monitored())
