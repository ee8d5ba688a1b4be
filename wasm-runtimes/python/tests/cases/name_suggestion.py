import collections

length = 3
try:
    collections.ordereddict
except AttributeError as error:
    import traceback

    traceback.print_exception(error)
print(lenght)
