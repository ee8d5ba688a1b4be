def fail(error):
    raise error


errors = []
for error in (ValueError("one"), TypeError("two")):
    try:
        fail(error)
    except Exception as caught:
        caught.add_note("a note\nof two lines")
        errors.append(caught)
raise ExceptionGroup("several", errors)
