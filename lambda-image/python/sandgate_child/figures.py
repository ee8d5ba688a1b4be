"""matplotlib's figures as results."""

import io
import sys

_shown = set()


def _png(figure):
    _shown.add(figure)
    data = io.BytesIO()
    figure.savefig(data, format="png", bbox_inches="tight")
    return data.getvalue()


def install():
    """Figures that are displayed become images, and `show` displays all that are open."""
    try:
        from matplotlib import pyplot
        from matplotlib.figure import Figure
    except ImportError:
        return
    # The hook that `results` looks for.
    Figure._repr_png_ = _png
    pyplot.show = show


def show(*_arguments, **_keywords):
    """Display all open figures, and close them."""
    show_open()
    sys.modules["matplotlib.pyplot"].close("all")


def show_open():
    """Reports the open figures that were not displayed yet."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return
    from sandgate_child import results

    for number in pyplot.get_fignums():
        figure = pyplot.figure(number)
        if figure not in _shown:
            results.show(figure)
