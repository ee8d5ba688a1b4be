# pyeryx: CPython in wasm, a fresh sandbox for each run, limits on.
import sys
import time

import eryx

limits = eryx.ResourceLimits(execution_timeout_ms=5000, max_memory_bytes=256 << 20)
for _ in sys.stdin:
    start = time.perf_counter()
    result = eryx.Sandbox(resource_limits=limits).execute("print(1+1)")
    took = time.perf_counter() - start
    assert result.stdout.strip() == "2"
    print(took, flush=True)
