"""Rooms include downward only: docs/design.md draws it, this holds the #include lines to it."""
import re

import pytest

from sources import ROOMS, ROOT, lines_of, place, room_files

BELOW = {  # what each room may include, besides itself
    "base": set(),
    "shape": {"base"},
    "model": {"base", "shape"},
    "host": {"base", "shape", "model"},
    "store": {"base", "shape", "model", "host"},
    "image": {"base", "shape", "model", "host"},
    "engine": {"base", "shape", "model", "host", "image"},
    "net": {"base", "shape", "model", "host"},
    "nodedev": {"base", "shape", "model", "host"},
    "pool": {"base", "shape", "model", "host", "image"},
    "core": {"base", "shape", "model", "host", "store", "image", "pool", "engine", "net", "nodedev"},
    "ops": {"base", "shape", "model", "host", "store", "image", "pool", "engine", "net", "nodedev", "core"},
    "wire": {"base", "shape", "model", "host", "ops"},
    "cli": {"base", "shape", "model", "host", "image", "ops"},
    "nss": set(),
    "daemon": set(ROOMS) - {"daemon", "nss"},
}
INCLUDE = re.compile(r'\s*#\s*include\s*"([^"]+)"')


def includes(path):
    for number, line in enumerate(lines_of(path), 1):
        found = INCLUDE.match(line)
        if found:
            yield number, found.group(1)


@pytest.mark.parametrize("room", ROOMS)
def test_includes_of(room):
    wrong = []
    for path in (p for p in room_files() if p.relative_to(ROOT).parts[0] == room):
        for number, name in includes(path):
            other = name.split("/")[0]
            if name != "config.h" and other != room and other not in BELOW[room]:
                wrong.append(f"{place(path, number)}: {room}/ may not include {name}")
    assert not wrong, "\n".join(wrong)


def test_includes_name_the_room():
    """Always "room/file.h", so that a reader and this test see where it comes from."""
    wrong = [f"{place(path, number)}: {name}" for path in room_files() for number, name in includes(path)
             if name != "config.h" and not (ROOT / name).is_file()]
    assert not wrong, "\n".join(wrong)
