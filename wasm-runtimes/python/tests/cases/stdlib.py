import array, base64, bisect, bz2, calendar, collections, contextlib, copy, decimal, enum, fractions
import functools, gzip, hashlib, heapq, html, itertools, json, lzma, math, operator, random, re
import statistics, string, struct, textwrap, urllib.parse, uuid, xml.etree.ElementTree, zlib

print(hashlib.sha256(b"x").hexdigest()[:16], hashlib.md5(b"x").hexdigest()[:8], hashlib.blake2b(b"x").hexdigest()[:8])
for module in (zlib, bz2, gzip):
    assert module.decompress(module.compress(b"abc" * 100)) == b"abc" * 100
print(lzma.decompress(lzma.compress(b"abc", preset=0)))
random.seed(42)
print(random.random(), random.sample(range(100), 5), random.gauss(0, 1))
print(decimal.Decimal(1) / 7, fractions.Fraction(3, 9), math.comb(10, 3), 2**200)
print(re.sub(r"(?P<a>\w)(\d+)", r"\2\g<a>", "x12 y3"), struct.pack("<IhQ", 1, -2, 3).hex())
print(xml.etree.ElementTree.fromstring("<a><b c='1'/></a>")[0].attrib, html.escape("<&>"))
print(statistics.stdev([1, 2, 4]), calendar.monthrange(2024, 2), uuid.uuid5(uuid.NAMESPACE_DNS, "a"))
print(json.dumps({"a": [1.5, None, "é"]}, indent=1, ensure_ascii=False), f"{1e16:,} {0.1 + 0.2!r}")
print(float("1e308") * 10, round(2.675, 2), 7 // -2, -7 % 3, divmod(-7, 2), int("ff", 16), 0.1.hex())
