import atexit
import logging
import logging.handlers
import sys

target = logging.StreamHandler(sys.stdout)
logger = logging.getLogger("buffered")
logger.setLevel(logging.INFO)
logger.addHandler(logging.handlers.MemoryHandler(100, target=target))
atexit.register(logger.info, "logged at exit")
logger.info("logged first")
print("printed")
