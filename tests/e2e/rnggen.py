"""Random documents of a RELAX NG schema: what it calls valid, in all its variants, is what tests feed.

Documents depend on the schema and the seed alone. What schemas in Debian's libvirt0 use is known here:
the XML syntax with includes and overrides, and the XML Schema data types with their bounds and patterns.
"""
import contextlib
import pathlib
import random
import re
try:
    from re import _parser as patterns  # Python 3.11
except ImportError:
    import sre_parse as patterns
from xml.etree import ElementTree

NS = "{http://relaxng.org/ns/structure/1.0}"
SCHEMAS = pathlib.Path("/usr/share/libvirt/schemas")
NAMES = ["vda", "sda", "web", "a.b", "x-1", "net_0"]
# Small numbers: large ones are mostly out of a bound that the schema does not tell.
INT_RANGES = {"short": (-2, 9), "int": (-2, 9), "long": (-2, 9), "integer": (-2, 9), "unsignedShort": (0, 9),
              "unsignedInt": (0, 9), "unsignedLong": (0, 9), "positiveInteger": (1, 9)}


class Schema:
    """The definitions of a grammar and of all that it includes."""

    def __init__(self, path):
        self.defines, self.start = {}, None
        self.load(pathlib.Path(path), set())

    def load(self, path, overridden):
        self.take(ElementTree.parse(path).getroot(), path, overridden)

    def take(self, grammar, path, overridden):
        for node in grammar:
            kind = str(node.tag).removeprefix(NS)
            if kind == "include":
                own = {child.get("name") for child in node if child.tag == NS + "define"}
                self.load(path.parent / node.get("href"), overridden | own)
                self.take(node, path, overridden)
            elif kind == "start" and self.start is None:
                self.start = list(node)
            elif kind == "define" and node.get("name") not in overridden:
                self.define(node)

    def replace(self, name, xml):
        """What @name stands for from now on: RELAX NG without its namespace."""
        self.defines[name] = list(ElementTree.fromstring(f"<define xmlns='{NS[1:-1]}'>{xml}</define>"))

    def define(self, node):
        name, combine = node.get("name"), node.get("combine")
        if combine and name in self.defines:
            joined = ElementTree.Element(NS + combine)
            for part in (self.defines[name], list(node)):
                ElementTree.SubElement(joined, NS + "group").extend(part)
            self.defines[name] = [joined]
        else:
            self.defines[name] = list(node)


class Generator:
    """@often: how probable what may be left out is, near the root; deeper it is less. @never: definitions
    and values that no choice takes."""

    def __init__(self, schema, seed, often=0.35, never=()):
        self.schema, self.random, self.often, self.never = schema, random.Random(seed), often, set(never)
        self.refs, self.space = 0, [""]

    def document(self):
        return self.parts(None)[0]

    def parts(self, name):
        """Elements that the definition @name stands for, or the whole document."""
        holder = ElementTree.Element("holder")
        self.all(self.schema.defines[name] if name else self.schema.start, holder)
        return list(holder)

    # ---- patterns ----

    def all(self, nodes, into):
        for node in nodes:
            if isinstance(node.tag, str):
                getattr(self, "put_" + node.tag.removeprefix(NS))(node, into)

    def put_group(self, node, into):
        self.all(node, into)

    def put_mixed(self, node, into):
        self.all(node, into)

    def put_interleave(self, node, into):
        parts = list(node)
        self.random.shuffle(parts)
        self.all(parts, into)

    def is_wanted(self):
        return self.random.random() < self.often / (1 + self.refs / 12)

    def put_optional(self, node, into):
        if self.is_wanted():
            self.all(node, into)

    def put_zeroOrMore(self, node, into):
        while self.is_wanted():
            self.all(node, into)

    def put_oneOrMore(self, node, into):
        self.all(node, into)
        self.put_zeroOrMore(node, into)

    def is_possible(self, node):
        tag = node.tag.removeprefix(NS)
        if tag == "ref":
            return node.get("name") not in self.never
        if tag == "value":
            return node.text not in self.never
        if tag in ("group", "attribute"):
            return all(self.is_possible(child) for child in node)
        return tag != "notAllowed"

    def put_choice(self, node, into):
        choices = [child for child in node if isinstance(child.tag, str) and self.is_possible(child)]
        self.all([self.random.choice(choices or list(node))], into)

    def put_ref(self, node, into):
        self.refs += 1
        self.all(self.schema.defines[node.get("name")], into)
        self.refs -= 1

    def put_element(self, node, into):
        if node.get("name") is None:  # any name: what nobody knows
            ElementTree.SubElement(into, "{http://example.org/any}any")
            return
        self.space.append(node.get("ns", self.space[-1]))
        space = f"{{{self.space[-1]}}}" if self.space[-1] else ""
        self.all(node, ElementTree.SubElement(into, space + node.get("name")))
        self.space.pop()

    def put_attribute(self, node, into):
        holder = ElementTree.Element("holder")
        inside = [child for child in node if isinstance(child.tag, str) and child.tag != NS + "anyName"]
        if inside:
            self.all(inside, holder)
        else:
            self.put_text(node, holder)
        if node.get("name"):
            into.set(node.get("name"), holder.text or "")

    def put_empty(self, node, into):
        pass

    def put_notAllowed(self, node, into):
        pass

    def put_list(self, node, into):
        for child in node:
            holder = ElementTree.Element("holder")
            self.all([child], holder)
            into.text = " ".join(filter(None, [into.text, holder.text]))

    def put_text(self, node, into):
        into.text = (into.text or "") + self.random.choice(NAMES)

    def put_value(self, node, into):
        into.text = (into.text or "") + (node.text or "")

    def put_data(self, node, into):
        params = {child.get("name"): child.text or "" for child in node if child.tag == NS + "param"}
        banned = {value.text for value in node.iter(NS + "value")}
        for _ in range(50):
            text = self.value(node.get("type"), params)
            if text not in banned and self.is_within(text, node.get("type"), params):
                break
        into.text = (into.text or "") + text

    # ---- values ----

    def is_within(self, text, kind, params):
        if kind not in INT_RANGES:
            return True
        with contextlib.suppress(ValueError):
            return int(params.get("minInclusive", text)) <= int(text) <= int(params.get("maxInclusive", text))
        return True

    def value(self, kind, params):
        if "pattern" in params:
            return self.fit(patterns.parse(params["pattern"]))
        if kind in INT_RANGES:
            low, high = INT_RANGES[kind]
            low, high = int(params.get("minInclusive", low)), int(params.get("maxInclusive", high))
            return str(self.random.randint(low, max(low, min(high, low + 9))))
        if kind == "dateTime":
            return "2026-11-20T12:00:00"
        return self.random.choice(NAMES)

    def fit(self, tokens):
        return "".join(self.one(str(op).lower(), value) for op, value in tokens)

    def one(self, op, value):
        if op == "literal":
            return chr(value)
        if op == "at":  # the beginning or the end
            return ""
        if op == "any":
            return self.random.choice("abc019")
        if op == "in":
            return self.of_class(value)
        if op == "not_literal":
            return "x" if value != ord("x") else "y"
        if op == "branch":
            return self.fit(self.random.choice(value[1]))
        if op == "subpattern":
            return self.fit(value[-1])
        low, high, inner = value  # max_repeat
        return "".join(self.fit(inner) for _ in range(self.random.randint(low, min(int(high), max(low, 1) + 1))))

    def of_class(self, parts):
        kinds = {"category_space": " ", "category_digit": "0123456789", "category_word": "abcxyz09_"}
        chars, negated = [], False
        for op, value in parts:
            op = str(op).lower()
            if op == "negate":
                negated = True
            elif op == "literal":
                chars.append(chr(value))
            elif op == "range":
                chars += [chr(c) for c in range(value[0], value[1] + 1)]
            else:
                chars += kinds[str(value).lower()]
        if negated:
            chars = [c for c in "abcxyz019_-." if c not in chars]
        plain = [c for c in chars if re.match(r"[\w.:/-]", c)]
        return self.random.choice(plain or chars)
