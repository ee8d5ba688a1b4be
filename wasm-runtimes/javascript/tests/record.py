"""Records what Node 20 prints for the cases, so that the tests need no Node.

Usage: record.py [case...]. A case whose first line is `// expect: sandgate` claims something Node
does differently; its expectations are written by hand and left alone. What no sandbox prints is
taken out: the folder's path, frames inside Node, and the line with Node's version.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

CASES = Path(__file__).parent / "cases"


def normalised(text: str, folder: str) -> str:
    text = text.replace(f"file://{folder}/", "").replace(f"{folder}/", "")
    text = re.sub(r"\n    at [^\n]*\(?node:[^\n{]*(?<! )", "", text)
    text = re.sub(r"\n\nNode\.js v\d[^\n]*\n", "\n", text)
    return re.sub(r"^\(node:\d+\)", "(node:1)", text, flags=re.MULTILINE)


def record(case: Path) -> None:
    if case.read_text(encoding="utf-8").startswith("// expect: sandgate"):
        return
    with tempfile.TemporaryDirectory() as folder:
        main = Path(folder, f"main{case.suffix}")
        main.write_bytes(case.read_bytes())
        done = subprocess.run(
            ["node", main.name], cwd=folder, capture_output=True, encoding="utf-8",
            stdin=subprocess.DEVNULL, timeout=60, check=False, env={"PATH": "/usr/bin:/bin", "TZ": "UTC"},
        )
        case.with_suffix(".out").write_text(normalised(done.stdout, folder), encoding="utf-8")
        case.with_suffix(".err").write_text(normalised(done.stderr, folder), encoding="utf-8")
        case.with_suffix(".code").write_text(f"{done.returncode}\n", encoding="utf-8")


def main() -> None:
    chosen = [Path(name) for name in sys.argv[1:]] or sorted([*CASES.glob("*.js"), *CASES.glob("*.mjs")])
    for case in chosen:
        record(case)


main()
