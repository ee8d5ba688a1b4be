import collections
import json
import re


def squares(count):
    for i in range(count):
        yield i * i


def main():
    numbers = [n for n in squares(20000) if n % 3]
    by_name = {str(n): n for n in numbers[:3000]}
    items = sorted(by_name.items(), key=lambda item: -item[1])
    first = collections.Counter(name[0] for name, _ in items)
    matrix = [[i * j for j in range(60)] for i in range(60)]
    products = [
        sum(row[i] * matrix[i][j] for i in range(60)) for row in matrix for j in range(0, 60, 5)
    ]
    n = 0
    while n < 30000:
        n += 1
        if n & 7 == 3 and n % 5 != 0:
            continue
        if (10 < n < 20) or not n:
            n += 1
    seen = set()
    for number in numbers:
        seen.add(number & 1023)
    text = json.dumps(items)
    return len(text), len(re.findall(r"\d+", text)), sum(products), len(seen), first


main()
