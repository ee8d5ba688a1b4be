class Custom(Exception):
    pass


def load():
    try:
        {}["missing"]
    except KeyError as error:
        raise Custom("cannot load") from error


try:
    load()
except Custom:
    [].pop()
