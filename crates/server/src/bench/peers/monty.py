# pydantic-monty: an interpreter for a subset of Python, in this process.
import sys
import time

import pydantic_monty

for _ in sys.stdin:
    start = time.perf_counter()
    result = pydantic_monty.Monty("1+1").run()
    took = time.perf_counter() - start
    assert result == 2
    print(took, flush=True)
