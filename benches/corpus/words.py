# The most frequent words of a text.
import re
from collections import Counter

text = """It was a bright cold day, and the clocks in the hall were striking the hour. The day
went on as cold days do: a fire, a book, a long talk about nothing in particular, and tea.""" * 20
words = re.findall(r"[a-z]+", text.lower())
for word, count in Counter(words).most_common(5):
    print(word, count)
