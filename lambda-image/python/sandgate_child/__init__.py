"""What the Python interpreter of the image runs besides the guest's program."""
