"""Manners of the sources: a reader finds the same things in the same place in every file."""
import re

import pytest

from sources import COLUMNS_OF_TAB, ROOMS, ROOT, all_files, lines_of, place, room_files

# 100 is the aim, and where .clang-format breaks lines; this is the limit.
COLUMNS = 110
LATER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
COMPARES = re.compile(r"(\b(str(n|case)?(str|cmp)|strn?casecmp|strr?chr|strc?spn)|"
                      r"g_(str_(equal|has_prefix|has_suffix)|strcmp0|strrstr|strstr_len|(pattern|regex)_match\w*))"
                      r"\([^;]*->message\b")
GOTO = re.compile(r"^\s*goto\s+\w+;")


def offenders(is_wrong, files):
    return [f"{place(path, number)}: {line.strip()}" for path in files
            for number, line in enumerate(lines_of(path), 1) if is_wrong(line)]


@pytest.mark.parametrize("what,is_wrong", [
    ("white space at the end", lambda line: line != line.rstrip()),
    ("indented with spaces", lambda line: line.startswith(" " * COLUMNS_OF_TAB)),
    ("too wide", lambda line: len(line.expandtabs(COLUMNS_OF_TAB)) > COLUMNS),
    ("work left for later", LATER.search),
    ("goto", GOTO.match),
], ids=["trailing-space", "tabs", "columns", "later", "goto"])
def test_no_line_has(what, is_wrong):
    wrong = offenders(is_wrong, all_files())
    assert not wrong, f"{what}:\n" + "\n".join(wrong)


def test_no_code_reads_messages():
    """They are for people: code asks for an error's code, its detail or its place (base/error.h)."""
    wrong = offenders(COMPARES.search, room_files())
    assert not wrong, "\n".join(wrong)


def test_files_open_with_a_comment():
    silent = [place(path, 1) for path in all_files() if not lines_of(path)[0].startswith("/*")]
    assert not silent, "say what the file is for:\n" + "\n".join(silent)


def test_files_end_with_a_newline():
    wrong = [place(path, 1) for path in all_files() if lines_of(path)[-1] or lines_of(path)[-2:] == ["", ""]]
    assert not wrong, "\n".join(wrong)


def test_headers_are_read_once():
    wrong = [place(path, 1) for path in room_files()
             if path.suffix == ".h" and "#pragma once" not in lines_of(path)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("folder", ROOMS + ["tests/unit", "tests/fuzz"])
def test_every_source_is_built(folder):
    """Each .c stands in the meson.build of its room: what is not built is not tested."""
    recipe = "".join(p.read_text() for p in (ROOT / folder).rglob("meson.build"))
    recipe += (ROOT / "meson.build").read_text()
    loose = [place(path, 1) for path in (ROOT / folder).rglob("*.c")
             if not re.search(rf"'(?:[\w/-]*/)?{re.escape(path.stem)}(?:\.c)?'", recipe)]
    assert not loose, "\n".join(loose)
