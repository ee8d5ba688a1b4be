# pyeryx: CPython in wasm, a fresh sandbox for each run, limits on.
import json
import sys
import time

import eryx

limits = eryx.ResourceLimits(
    execution_timeout_ms=30_000, max_memory_bytes=512 << 20, max_fuel=50_000_000_000
)
for line in sys.stdin:
    asked = json.loads(line)
    if asked["stdin"]:
        print(json.dumps({"problem": "takes no standard input"}), flush=True)
        continue
    start = time.perf_counter()
    try:
        sandbox = eryx.Sandbox(resource_limits=limits)
        result = sandbox.execute(asked["code"])
        took = time.perf_counter() - start
        answer = {"seconds": took, "stdout": result.stdout.decode()}
    except Exception as problem:
        answer = {"problem": str(problem)}
    print(json.dumps(answer), flush=True)
