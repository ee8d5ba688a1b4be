# Compound interest, month by month.
balance = 1000.0
for month in range(1, 241):
    balance = balance * (1 + 0.035 / 12) + 150
print(f"{balance:.2f}")
