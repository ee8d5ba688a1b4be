# The longest line of a megabyte of standard input.
import sys

lines = sys.stdin.read().splitlines()
print(len(lines), max(map(len, lines)))
