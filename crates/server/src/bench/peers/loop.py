# The part that drivers in Python share: a snippet a line, run afresh; the answer is how long that
# took and what was printed.
import json
import sys
import time


def serve(run):
    """Answers with what `run` prints for the code that it is given."""
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(answer(run, asked["code"], asked["stdin"])), flush=True)


def answer(run, code, stdin):
    if stdin:
        return {"problem": "takes no standard input"}
    start = time.perf_counter()
    try:
        printed = run(code)
        return {"seconds": time.perf_counter() - start, "stdout": printed}
    except Exception as problem:
        return {"problem": str(problem)}


