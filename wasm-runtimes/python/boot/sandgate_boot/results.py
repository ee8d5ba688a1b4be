"""Displayed objects: the value of the program's last expression, and `display(...)`."""

import base64
import json

import _sandgate

# A repr longer than this is cut: the host bounds what it keeps, but a gigabyte of text must not
# even be made into JSON.
LONGEST_TEXT = 100_000

# The hooks notebooks look for, by the type each one's answer has.
HOOKS = {
    "_repr_html_": "text/html",
    "_repr_markdown_": "text/markdown",
    "_repr_latex_": "text/latex",
    "_repr_svg_": "image/svg+xml",
    "_repr_png_": "image/png",
    "_repr_jpeg_": "image/jpeg",
    "_repr_json_": "application/json",
}


def _text(value):
    try:
        text = repr(value)
    except Exception as error:
        return f"<{type(value).__qualname__} object; its repr failed: {type(error).__name__}: {error}>"
    if len(text) > LONGEST_TEXT:
        text = f"{text[:LONGEST_TEXT]}… ({len(text) - LONGEST_TEXT} more characters)"
    return text


def _encode(kind, content):
    # A hook may answer (data, metadata).
    if isinstance(content, tuple) and len(content) == 2 and isinstance(content[1], dict):
        content = content[0]
    if kind == "application/json":
        return content if isinstance(content, str) else json.dumps(content)
    if isinstance(content, (bytes, bytearray, memoryview)):
        return base64.b64encode(content).decode()
    return content if isinstance(content, str) else str(content)


def _call(value, hook):
    # The hook is the class's, as with special methods: an object that answers every attribute
    # (a mock, a proxy) has none.
    method = getattr(type(value), hook, None)
    if method is None:
        return None
    try:
        return method(value)
    except Exception:
        # A hook that cannot show this object leaves the other forms.
        return None


def bundle(value):
    shown = {"text/plain": _text(value)}
    kind = type(value)
    if kind.__module__ == "builtins":
        return shown
    several = _call(value, "_repr_mimebundle_")
    if isinstance(several, tuple) and several:
        several = several[0]
    if isinstance(several, dict):
        for form, content in several.items():
            if isinstance(form, str) and content is not None:
                shown[form] = _encode(form, content)
    for hook, form in HOOKS.items():
        if form not in shown:
            content = _call(value, hook)
            if content is not None:
                shown[form] = _encode(form, content)
    return shown


def show(value):
    _sandgate.result(json.dumps(bundle(value)))


def display(*values):
    """Report objects as results, the way notebooks display them."""
    for value in values:
        show(value)
