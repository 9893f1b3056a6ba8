"""What the house tests read: the C sources of the tree, and their functions."""
import collections
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROOMS = ["base", "shape", "model", "host", "store", "image", "engine", "net", "nodedev", "pool", "core",
         "ops", "wire", "cli", "daemon", "nss"]
COLUMNS_OF_TAB = 8

Function = collections.namedtuple("Function", "path line name length")
SIGNATURE = re.compile(r"(\w+)\(")


def room_files():
    """Every .c and .h of the rooms, in order."""
    return sorted(p for room in ROOMS for p in (ROOT / room).rglob("*.[ch]"))


def all_files():
    """The rooms' and the tests' C sources."""
    return room_files() + sorted((ROOT / "tests").rglob("*.[ch]"))


def lines_of(path):
    return path.read_text(encoding="utf-8").split("\n")


def place(path, line):
    return f"{path.relative_to(ROOT)}:{line}"


def functions(path):
    """Function bodies: what stands between a { and a } that are alone in the first column."""
    found, opened, lines = [], None, lines_of(path)
    for number, line in enumerate(lines, 1):
        if line == "{":
            opened = number
        elif line == "}" and opened:
            found.append(Function(path, opened, name_above(lines, opened), number - opened + 1))
            opened = None
    return found


def name_above(lines, opened):
    """The name in the signature that ends above line @opened: its last line that is not indented."""
    for line in reversed(lines[:opened - 1]):
        if line and not line[0].isspace():
            name = SIGNATURE.search(line)
            return name.group(1) if name else line
    return "?"
