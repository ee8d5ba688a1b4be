import sqlite3

db = sqlite3.connect(":memory:")
db.execute("create table sale(region text, amount integer)")
db.executemany("insert into sale values (?, ?)", ((f"r{i % 5}", (i * 37) % 1000) for i in range(2000)))
for row in db.execute("select region, count(*), sum(amount) from sale group by region order by 3 desc"):
    print(row)
