"""What the Python guest adds to CPython, all of it in the snapshot before the first program runs."""
