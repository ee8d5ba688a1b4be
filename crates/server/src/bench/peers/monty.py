# pydantic-monty: an interpreter for a subset of Python, in a process of its own. A fresh session for
# each run, limits on; the process stays.
import json
import sys
import time

from pydantic_monty import CollectString, Monty

limits = {"max_feed_duration_secs": 30.0, "max_memory": 512 << 20}
with Monty() as pool:
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["stdin"]:
            print(json.dumps({"problem": "takes no standard input"}), flush=True)
            continue
        start = time.perf_counter()
        try:
            printed = CollectString()
            with pool.checkout(limits=limits) as session:
                session.feed_run(asked["code"], print_callback=printed)
            took = time.perf_counter() - start
            answer = {"seconds": took, "stdout": printed.output}
        except Exception as problem:
            answer = {"problem": str(problem)}
        print(json.dumps(answer), flush=True)
