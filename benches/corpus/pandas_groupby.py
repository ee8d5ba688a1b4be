import pandas as pd

frame = pd.DataFrame({"region": [f"r{i % 5}" for i in range(20_000)], "amount": range(20_000)})
frame.groupby("region")["amount"].agg(["count", "sum", "mean"])
