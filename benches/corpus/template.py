from jinja2 import Template

page = Template(
    "<ul>{% for item in items %}<li class='{{ loop.cycle('odd', 'even') }}'>{{ item.name }}: "
    "{{ '%.2f' | format(item.price) }}</li>{% endfor %}</ul>"
)
print(len(page.render(items=[{"name": f"item {i}", "price": i * 1.5} for i in range(200)])))
