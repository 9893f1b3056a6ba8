"""What the daemon says to documents that are wrong, and that it lives on."""
import pytest

from lodgetest import xml_for

UUID = "11111111-2222-4333-8444-555555555555"


def edited(old, new):
    xml = xml_for("web1", boot=False)
    assert old in xml
    return xml.replace(old, new)


BAD = {
    "empty": ("", []),
    "not-xml": ("hello", []),
    "cut": (xml_for("web1", boot=False)[:120], []),
    "other-root": ("<network><name>n</name></network>", ["network", "domain"]),
    "entity": ('<!DOCTYPE d [<!ENTITY a "b">]><domain type="qemu"><name>&a;</name></domain>', []),
    "billion-laughs": ("<!DOCTYPE d [<!ENTITY a 'ha'>" + "".join(
        f"<!ENTITY a{i} '{f'&a{i - 1 or chr(0)};'.replace(chr(0), '') * 10}'>" for i in range(1, 9))
        + "]><domain type='qemu'><name>&a8;</name></domain>", []),
    "file-entity": ('<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]><domain type="qemu">'
                    '<name>&a;</name></domain>', []),
    "deep": ("<domain type='qemu'>" + "<a>" * 5000, []),
    "huge": ("<domain type='qemu'><name>x</name><description>" + "x" * (5 << 20) + "</description></domain>",
             []),
    "no-name": (edited("<name>web1</name>", ""), ["name"]),
    "slash-in-name": (edited("<name>web1</name>", "<name>a/b</name>"), ["name"]),
    "no-memory": (edited("<memory unit='MiB'>128</memory>", ""), ["memory"]),
    "words-for-memory": (edited(">128<", ">much<"), ["memory", "much", "line 4"]),
    "unknown-unit": (edited("unit='MiB'", "unit='parsec'"), ["memory", "parsec"]),
    "short-mac": (edited("<memballoon", "<interface type='user'><mac address='52:54:00:04:63:6'/></interface>"
                         "<memballoon"), ["interface", "mac", "52:54:00:04:63:6", "line"]),
    "unknown-bus": (edited("<memballoon", "<disk type='file'><target dev='vda' bus='warp'/></disk><memballoon"),
                    ["disk", "bus", "warp"]),
    "bad-uuid": (edited("<name>web1</name>", "<name>web1</name><uuid>1234</uuid>"), ["uuid", "1234"]),
}


@pytest.mark.parametrize("xml,words", BAD.values(), ids=BAD.keys())
def test_define_refuses(daemon, xml, words):
    answer = daemon.lodge("define", daemon.write("bad.xml", xml), ok=False)
    assert answer.code == 2, answer
    for word in words:
        assert word in answer.err, answer
    assert "root:" not in answer.err
    assert daemon.lodge("list", "--all", "--name").out.strip() == ""


def test_define_no_such_file(daemon):
    answer = daemon.lodge("define", "/nonexistent/x.xml", ok=False)
    assert "/nonexistent/x.xml" in answer.err


def test_same_uuid_other_name(daemon):
    daemon.define("one", boot=False, uuid=UUID)
    answer = daemon.lodge("define", daemon.write("two.xml", xml_for("two", boot=False, uuid=UUID)), ok=False)
    assert answer.code == 5 and UUID in answer.err and "one" in answer.err


def test_same_name_other_uuid(daemon):
    daemon.define("one", boot=False, uuid=UUID)
    other = UUID.replace("1", "2")
    answer = daemon.lodge("define", daemon.write("two.xml", xml_for("one", boot=False, uuid=other)), ok=False)
    assert answer.code == 5 and "one" in answer.err


@pytest.mark.parametrize("verb", ["start", "destroy", "shutdown", "info", "dumpxml", "undefine", "console"])
def test_no_such_guest(daemon, verb):
    answer = daemon.lodge(verb, "nobody", ok=False)
    assert answer.code == 3 and "nobody" in answer.err


def test_missing_disk(daemon):
    disk = "<disk type='file'><driver type='raw'/><source file='/nonexistent/a.img'/><target dev='vda'/></disk>"
    daemon.define("web1", boot=False, devices=disk)
    answer = daemon.lodge("start", "web1", ok=False)
    assert "/nonexistent/a.img" in answer.err and "vda" in answer.err
    assert daemon.state("web1") == "shut off"
    assert not daemon.processes()


def test_huge_body_is_refused(daemon):
    answer = daemon.rest("POST", "/v1/guests", b"x" * (9 << 20), {"Content-Type": "application/xml"})
    assert answer.status == 413
    assert daemon.lodge("version").code == 0
