# Sort people by two keys.
people = [((i * 7919) % 1009, f"name{(i * 31) % 977}") for i in range(5000)]
people.sort(key=lambda p: (p[0], p[1]))
print(people[:3], people[-1])
