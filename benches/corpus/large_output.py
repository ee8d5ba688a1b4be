for i in range(10_000):
    print(i, "x" * 40)
