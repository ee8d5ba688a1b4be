# pydantic-monty: an interpreter for a subset of Python, in a process of its own. A fresh session for
# each run, limits on; the process stays.
from pydantic_monty import CollectString, Monty

limits = {"max_feed_duration_secs": 30.0, "max_memory": 512 << 20}
with Monty() as pool:

    def run(code):
        printed = CollectString()
        with pool.checkout(limits=limits) as session:
            session.feed_run(code, print_callback=printed)
        return printed.output

    serve(run)
