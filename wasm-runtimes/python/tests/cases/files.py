import csv, glob, os, pathlib, shutil, sqlite3, tempfile, zipfile

pathlib.Path("data").mkdir()
pathlib.Path("data/a.txt").write_text("one\ntwo\n")
with open("data/b.csv", "w", newline="") as file:
    csv.writer(file).writerows([["k", "v"], ["x", 1]])
print(sorted(os.listdir("data")), [os.path.basename(p) for p in glob.glob("data/*.csv")])
shutil.copy("data/a.txt", "data/c.txt")
os.rename("data/c.txt", "data/d.txt")
print(os.path.getsize("data/d.txt"), list(csv.DictReader(open("data/b.csv"))))
with zipfile.ZipFile("data/z.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    archive.write("data/a.txt", "a.txt")
print(zipfile.ZipFile("data/z.zip").read("a.txt"))
with tempfile.TemporaryDirectory() as folder:
    pathlib.Path(folder, "x").touch()
    print(os.listdir(folder))
with tempfile.NamedTemporaryFile("w+") as file:
    file.write("hello")
    file.seek(0)
    print(file.read())
for name in ("data/db.sqlite", ":memory:"):
    with sqlite3.connect(name) as db:
        db.execute("create table t(a, b)")
        db.executemany("insert into t values (?, ?)", [(1, "x"), (2, "y")])
        print(db.execute("select sum(a), group_concat(b) from t").fetchall())
    db.close()
shutil.rmtree("data")
try:
    open("nothing")
except FileNotFoundError as error:
    print(error.strerror, error.filename)
