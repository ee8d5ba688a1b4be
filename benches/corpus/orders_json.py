# Totals by customer out of JSON.
import json
from collections import defaultdict

orders = json.dumps(
    [{"customer": f"c{i % 7}", "items": [{"price": i % 13 + 0.5, "count": i % 3 + 1}]} for i in range(400)]
)
totals = defaultdict(float)
for order in json.loads(orders):
    totals[order["customer"]] += sum(item["price"] * item["count"] for item in order["items"])
print(json.dumps(totals, sort_keys=True))
