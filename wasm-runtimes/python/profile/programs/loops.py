def collatz(limit):
    longest = 0
    for n in range(1, limit):
        steps = 0
        while n != 1:
            n = n // 2 if n & 1 == 0 else 3 * n + 1
            steps += 1
        if steps > longest:
            longest = steps
    return longest


collatz(3000)
