"""Runs once in the zygote what programs usually run: what it leaves in memory is shared.

Nothing here may keep what it made, or draw random numbers that a program would draw.
"""

import io
import sys


def exercise():
    for name, exercise_it in (
        ("pandas", _pandas),
        ("matplotlib.pyplot", _matplotlib),
        ("sklearn", _sklearn),
    ):
        if name in sys.modules:
            exercise_it()


def _pandas():
    import pandas

    frame = pandas.DataFrame({"a": [1, 2, 3], "b": [0.5, None, 2.5], "c": ["x", "y", "x"]})
    repr(frame)
    frame._repr_html_()
    repr(frame.describe())
    repr(frame.groupby("c").mean(numeric_only=True))
    frame.merge(frame, on="a").sort_values("a")
    pandas.read_csv(io.StringIO(frame.to_csv(index=False)))
    pandas.date_range("2024-01-01", periods=3)


def _matplotlib():
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    axes.plot([1, 2, 3], label="$x^2$")
    axes.bar([1, 2], [3, 4])
    axes.set_title("title")
    axes.legend()
    figure.savefig(io.BytesIO(), format="png", bbox_inches="tight")
    pyplot.close("all")


def _sklearn():
    from sklearn.linear_model import LinearRegression

    LinearRegression().fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0]).predict([[3.0]])
