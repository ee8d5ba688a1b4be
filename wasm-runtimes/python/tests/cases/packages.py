import attr, bs4, dateutil.parser, jinja2, more_itertools, networkx, sortedcontainers, sympy, tabulate, yaml
from zoneinfo import ZoneInfo
import datetime
import importlib.metadata
import importlib.resources

print(yaml.safe_load("a: [1, 2]"), yaml.safe_dump({"b": 1}), end="")
print(jinja2.Template("{% for x in y %}<{{ x }}>{% endfor %}").render(y=[1, 2]))
print(dateutil.parser.parse("3 May 2024 10:00"))
print(tabulate.tabulate([[1, 2]], headers=["a", "b"]))
x = sympy.symbols("x")
print(sympy.integrate(sympy.sin(x) ** 2, x), sympy.solve(x**2 - 2, x))
print(networkx.shortest_path(networkx.path_graph(4), 0, 3))
print(bs4.BeautifulSoup("<p>hi <b>you</b></p>", "html.parser").b.text)
print(list(more_itertools.chunked(range(5), 2)), sortedcontainers.SortedList([3, 1, 2]))
print(datetime.datetime(2024, 7, 1, tzinfo=ZoneInfo("Europe/Berlin")).isoformat())
print(importlib.resources.files("tzdata").joinpath("zones").read_text().splitlines()[0])
