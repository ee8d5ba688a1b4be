# A matrix product without numpy.
n = 60
a = [[(i * j) % 17 for j in range(n)] for i in range(n)]
b = [[(i + j) % 13 for j in range(n)] for i in range(n)]
columns = list(zip(*b))
product = [[sum(x * y for x, y in zip(row, column)) for column in columns] for row in a]
print(sum(map(sum, product)))
