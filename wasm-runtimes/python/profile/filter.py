"""Keeps what ran often of a profile in LLVM's text form, so that the committed file stays small.

A function that is left out is compiled as without a profile.
"""

import sys

LEAST = 10_000


def main():
    header = []
    functions = []
    for block in sys.stdin.read().split("\n\n"):
        lines = block.strip("\n").split("\n")
        while lines and lines[0].startswith(":"):
            header.append(lines.pop(0))
        # Name, hash and number of counters, each under a comment but the name; then the counters.
        counters = [int(line) for line in lines[6:] if line.isdigit()]
        if counters and max(counters) >= LEAST:
            functions.append("\n".join(lines) + "\n")
    print("\n".join(header + functions))


main()
