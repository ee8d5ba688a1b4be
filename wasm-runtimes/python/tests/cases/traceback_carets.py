def divide(a, b):
    return (a + 1) / (b - b)


def caller(value):
    return divide(value["x"], value["y"]) + 1


print("before")
caller({"x": 1, "y": 2})
