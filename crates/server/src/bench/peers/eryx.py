# pyeryx: CPython in wasm, a fresh sandbox for each run, limits on.
import eryx

limits = eryx.ResourceLimits(
    execution_timeout_ms=30_000, max_memory_bytes=512 << 20, max_fuel=50_000_000_000
)


def run(code):
    sandbox = eryx.Sandbox(resource_limits=limits)
    return sandbox.execute(code).stdout.decode()


serve(run)
