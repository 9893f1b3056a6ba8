"""Clients of libvirt's door that vanish in the middle of their streams and long reads: their descriptors are closed,
what they held is free again. tests/unit/libvirt-leaks.c counts the heap, without guests."""
import os
import struct

from lodgetest import wait_until, xml_for
from virttest import OK, STREAM, CONTINUE, Raw, virsh

CAPABILITIES, LIST_ALL, LOOKUP, OPEN_CONSOLE, UPLOAD, DOWNLOAD, SCREENSHOT, REGISTER = \
    7, 273, 23, 201, 208, 209, 211, 316
TIMES = 12


def text(words):
    words = words.encode()
    return struct.pack(">I", len(words)) + words + b"\0" * (-len(words) % 4)


def descriptors(daemon):
    """What each leads to, without the numbers of sockets."""
    folder = f"/proc/{daemon.process.pid}/fd"
    found = []
    for fd in os.listdir(folder):
        try:
            found.append(os.readlink(f"{folder}/{fd}").split(":")[0])
        except FileNotFoundError:
            continue
    return sorted(found)


def begin(daemon, kind, dom, vol):
    """A client that has begun something and does not wait for its end."""
    client = Raw(daemon).open()
    if kind == "console":
        serial = client.send(OPEN_CONSOLE, dom + struct.pack(">II", 0, 1))
        client.serial = serial - 1
        client.send(OPEN_CONSOLE, b"\r", kind=STREAM, status=CONTINUE)
    elif kind == "upload":
        serial = client.send(UPLOAD, vol + struct.pack(">QQI", 0, 0, 0))
        client.serial = serial - 1
        client.send(UPLOAD, b"y" * 60000, kind=STREAM, status=CONTINUE)
    elif kind == "download":
        client.send(DOWNLOAD, vol + struct.pack(">QQI", 0, 0, 0))
    elif kind == "screenshot":
        client.send(SCREENSHOT, dom + struct.pack(">II", 0, 0))
    elif kind == "events":
        client.send(REGISTER, struct.pack(">II", 0, 0))
    elif kind == "reads":
        for _ in range(5):
            client.send(CAPABILITIES)
            client.send(LIST_ALL, struct.pack(">II", 1, 0))
    return client


def test_clients_that_vanish(daemon):
    folder = daemon.root / "pool"
    folder.mkdir()
    daemon.write("g.xml", xml_for("g", boot=False, devices="<graphics type='vnc'/><video/>"))
    virsh(daemon, "create", daemon.root / "g.xml")
    virsh(daemon, "pool-create-as", "p", "dir", "--target", folder)
    virsh(daemon, "vol-create-as", "p", "v", "4M")
    first = Raw(daemon).open()
    status, dom = first.call(LOOKUP, text("g"))
    assert status == OK
    vol = text("p") + text("v") + text(str(folder / "v"))
    kinds = ("console", "upload", "download", "screenshot", "events", "reads")
    before = descriptors(daemon)
    for i in range(TIMES):
        clients = [begin(daemon, kind, dom, vol) for kind in kinds]
        if i % 2:
            clients[i % len(clients)].receive()
        for client in clients:
            client.close()
    # one may be made once, with the first use of something
    wait_until(lambda: len(descriptors(daemon)) <= len(before) + 1, 60, f"nothing stays open: {before}")
    assert first.call(157)[0] == OK
    for words in (("vol-wipe", "v", "--pool", "p"), ("vol-delete", "v", "--pool", "p"), ("destroy", "g")):
        virsh(daemon, *words)
