try:
    import no_such_module
except ImportError as error:
    print(type(error).__name__, error)
from json import squareroot
