"""What the daemon says to documents that are wrong, and that it lives on."""
import contextlib
import resource
import socket
import subprocess

import pytest

from lodgetest import SOON, wait_until, xml_for

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
    assert "line " not in answer.err or "bad.xml: " in answer.err
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
    wait_until(lambda: not daemon.processes(), SOON, "nothing of the guest is left")


def test_huge_body_is_refused(daemon):
    answer = daemon.rest("POST", "/v1/guests", b"x" * (9 << 20), {"Content-Type": "application/xml"})
    assert answer.status == 413
    assert daemon.lodge("version").code == 0


def image(daemon, name):
    path = daemon.root / name
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "64M"], check=True)
    return path


def disk_of(path, target):
    return (f"<disk type='file'><driver type='qcow2'/><source file='{path}'/>"
            f"<target dev='{target}' bus='virtio'/></disk>")


@pytest.mark.parametrize("name,word", [("..", "folder"), ("a/b", "slash"), ("a&#10;b", "0x0a"), ("a&#9;b", "0x09")])
def test_names_say_what_is_wrong_with_them(daemon, name, word):
    answer = daemon.lodge("define", daemon.write("bad.xml", xml_for(name, boot=False)), ok=False)
    assert answer.code == 2 and word in answer.err, answer


def test_one_image_for_two_disks_of_a_guest(daemon):
    path = image(daemon, "a.qcow2")
    daemon.define("web1", boot=False, devices=disk_of(path, "vda") + disk_of(path, "vdb"))
    answer = daemon.lodge("start", "web1", ok=False)
    assert answer.code == 5 and "vdb" in answer.err and str(path) in answer.err, answer
    wait_until(lambda: not daemon.processes(), SOON, "nothing of the guest is left")


def test_image_is_named_after_the_guest_that_still_uses_it(daemon):
    """Two readers; the first ends: the second is named, and still in the way of a writer."""
    path = image(daemon, "a.qcow2")
    reads = disk_of(path, "vda").replace("</disk>", "<readonly/></disk>")
    for name in ("one", "two"):
        daemon.define(name, boot=False, devices=reads)
        daemon.lodge("start", name)
    daemon.lodge("destroy", "one")
    daemon.define("three", boot=False, devices=disk_of(path, "vda"))
    answer = daemon.lodge("start", "three", ok=False)
    assert answer.code == 5 and '"two"' in answer.err and '"one"' not in answer.err, answer


def test_memory_that_is_no_whole_mebibytes(daemon):
    xml = xml_for("odd", boot=False).replace("unit='MiB'>128<", "unit='KiB'>20481<")
    daemon.lodge("define", daemon.write("odd.xml", xml))
    daemon.lodge("start", "odd")
    daemon.lodge("destroy", "odd")


def test_words_of_a_qemu_that_does_not_start(daemon):
    xml = xml_for("big", boot=False).replace("unit='MiB'>128<", "unit='EiB'>1<")
    daemon.lodge("define", daemon.write("big.xml", xml))
    answer = daemon.lodge("start", "big", ok=False)
    assert "memory" in answer.err and "redirected" not in answer.err and "Z qemu" not in answer.err, answer


@contextlib.contextmanager
def descriptors(wanted):
    """So many are allowed to this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"no more than {hard} descriptors are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_crowd_of_silent_clients_keeps_nobody_out_for_long(daemon):
    with contextlib.ExitStack() as stack:
        stack.enter_context(descriptors(2000))
        for _ in range(1500):
            stack.enter_context(socket.socket(socket.AF_UNIX)).connect(str(daemon.socket))
        daemon.lodge("list", timeout=29)  # before the half minute that a client has where there is no crowd


def test_more_cpus_than_emulation_has(daemon):
    daemon.define("many", boot=False, vcpus=256)
    answer = daemon.lodge("start", "many", ok=False)
    assert answer.code == 8 and "255" in answer.err, answer


def test_relative_disk_path_is_refused_on_define(daemon):
    disk = ("<disk type='file' device='disk'><source file='web1.qcow2'/>"
            "<target dev='vda' bus='virtio'/></disk>")
    refused = daemon.lodge("define", daemon.write("web1.xml", xml_for("web1", devices=disk)), ok=False)
    assert refused.code == 2
    assert "web1.qcow2" in refused.err and "not an absolute path" in refused.err
