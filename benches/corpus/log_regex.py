# Status codes and slow paths of an access log.
import re

line = re.compile(r'^(?P<ip>\S+) \[(?P<time>[^\]]+)\] "(?P<verb>[A-Z]+) (?P<path>\S+)" (?P<status>\d{3}) (?P<ms>\d+)$')
log = "\n".join(
    f'10.0.0.{i % 250} [2024-05-{i % 28 + 1:02}] "GET /item/{i % 50}" {500 if i % 97 == 0 else 200} {i * 7 % 900}'
    for i in range(1500)
)
hits = [line.match(row) for row in log.splitlines()]
print(sum(h["status"] == "500" for h in hits), max(int(h["ms"]) for h in hits))
