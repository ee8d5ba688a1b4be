import atexit, sys


class Noisy:
    def __del__(self):
        print("deleted")


noisy = Noisy()
atexit.register(print, "at exit")
try:
    sys.exit(300)
finally:
    print("finally")
