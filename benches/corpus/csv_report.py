# Sales by region out of CSV.
import csv
import io
import statistics

rows = "region,month,amount\n" + "\n".join(f"r{i % 5},{i % 12 + 1},{(i * 37) % 1000}" for i in range(1200))
by_region = {}
for row in csv.DictReader(io.StringIO(rows)):
    by_region.setdefault(row["region"], []).append(int(row["amount"]))
for region, amounts in sorted(by_region.items()):
    print(region, sum(amounts), round(statistics.median(amounts), 1))
