def down(n, step=1):
    return down(n + step)


class Walker:
    def down(self, n, step=1):
        return self.down(n + step)


def nested(n):
    for item in nested(n + 1):
        yield item


for start in (lambda: down(0), lambda: Walker().down(0), lambda: next(nested(0))):
    try:
        start()
    except RecursionError as error:
        print(error)
