import matplotlib.pyplot as plt

months = range(1, 13)
plt.figure(figsize=(6, 4))
plt.bar(months, [(m * 37) % 90 + 10 for m in months])
plt.title("Sales")
plt.savefig("sales.png")
