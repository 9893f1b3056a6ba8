"""The house numbers: long functions, long files and wide vtables are where code goes wrong."""
import re

from sources import all_files, functions, lines_of, place, room_files

FUNCTION_P90 = 35
FUNCTION_MAX = 100
FILE_MAX = 800
VTABLE_SLOTS = 12
# A file is a table when less than this part of its lines is in functions.
TABLE_PART = 0.1

STRUCT_OPEN = re.compile(r"^(?:typedef )?(?:struct|union)\s*(\w*)\s*\{$")
SLOT = re.compile(r"\(\*\s*(?:const\s+)?\w+\)\s*\(")


def test_function_length_p90():
    lengths = sorted(f.length for path in room_files() for f in functions(path))
    if lengths:
        p90 = lengths[int(len(lengths) * 0.9)]
        assert p90 <= FUNCTION_P90, f"a tenth of {len(lengths)} functions is longer than {p90 - 1} lines"


def test_function_length_max():
    long = [f"{place(f.path, f.line)}: {f.name}() has {f.length} lines"
            for path in all_files() for f in functions(path) if f.length > FUNCTION_MAX]
    assert not long, "\n".join(long)


def is_table(path, lines):
    return sum(f.length for f in functions(path)) < TABLE_PART * len(lines)


def test_file_length():
    long = []
    for path in all_files():
        lines = lines_of(path)
        if len(lines) > FILE_MAX and not is_table(path, lines):
            long.append(f"{place(path, 1)}: {len(lines)} lines")
    assert not long, "\n".join(long)


def slots_of_structs(path):
    """(line, name, count of function pointers) of each struct whose braces start in column one."""
    name = None
    for number, line in enumerate(lines_of(path), 1):
        opened = STRUCT_OPEN.match(line)
        if opened:
            name, start, slots = opened.group(1), number, 0
        elif name is not None and line.startswith("}"):
            yield start, name, slots
            name = None
        elif name is not None:
            slots += len(SLOT.findall(line))


def test_vtable_slots():
    wide = [f"{place(path, line)}: {name} has {slots} slots" for path in room_files()
            for line, name, slots in slots_of_structs(path) if slots > VTABLE_SLOTS]
    assert not wide, "\n".join(wide)
