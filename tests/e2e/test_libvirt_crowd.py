"""Crowds at libvirt's door: more connections than are allowed, than there are descriptors, clients behind a
QEMU that is stopped. Whoever was there before is served, and afterwards nothing of it is left."""
import contextlib
import os
import resource
import signal
import socket
import struct

import pytest

from lodgetest import wait_until, xml_for
from virttest import OK, Raw, virsh

LIB_VERSION, LOOKUP, GET_INFO, GET_STATE = 157, 23, 16, 212
ALLOWED = 5000  # max_clients of libvirtd.conf


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < ALLOWED + 500:
        pytest.skip(f"no more than {hard} descriptors are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (ALLOWED + 500, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def is_served(client):
    return client.call(LIB_VERSION) == (OK, struct.pack(">Q", 9000000))


def connect_all(daemon, n, sockets, patient=False):
    """As many of @n as find a place, also one in the queue; all of them where they are patient."""
    for _ in range(n):
        one = socket.socket(socket.AF_UNIX)
        sockets.append(one)
        one.setblocking(patient)
        with contextlib.suppress(BlockingIOError):
            one.connect(str(daemon.root / "run" / "libvirt-sock"))


def test_more_than_allowed(daemon, many_descriptors):
    first = Raw(daemon).open()
    before = descriptors(daemon)
    crowd = []
    try:
        while len(crowd) < ALLOWED - 1:  # in bites that the queue holds
            connect_all(daemon, min(500, ALLOWED - 1 - len(crowd)), crowd, patient=True)
            wait_until(lambda: descriptors(daemon) >= min(before + len(crowd), ALLOWED), 60, "they are taken")
            assert is_served(first)
        connect_all(daemon, 100, crowd)
        assert is_served(first)
        assert descriptors(daemon) < before + ALLOWED + 1
        crowd[0].close()  # its place is the next one's
        assert is_served(first)
    finally:
        for one in crowd:
            one.close()
    wait_until(lambda: descriptors(daemon) <= before + 2, 60, "their descriptors are closed")
    assert is_served(Raw(daemon).open())
    assert virsh(daemon, "list").returncode == 0


def test_more_than_descriptors(daemon):
    first = Raw(daemon).open()
    before = descriptors(daemon)
    soft, hard = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (before + 20, hard))
    crowd = []
    try:
        connect_all(daemon, 100, crowd)
        wait_until(lambda: descriptors(daemon) >= before + 15, 60, "there are no more")
        assert is_served(first)
    finally:
        for one in crowd:
            one.close()
    wait_until(lambda: descriptors(daemon) <= before + 2, 60, "their descriptors are closed")
    assert is_served(Raw(daemon).open())
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
    # once in half a minute, however often it comes about: it was 200,000 lines
    assert 0 < daemon.said().count("clients wait") < 20


def test_a_stopped_qemu_under_a_hundred_clients(daemon):
    daemon.define("g", boot=False)
    virsh(daemon, "start", "g")
    clients = [Raw(daemon).open() for _ in range(100)]
    dom = clients[0].call(LOOKUP, struct.pack(">I", 1) + b"g\0\0\0")[1]
    qemu = daemon.qemu_of("g")
    os.kill(qemu, signal.SIGSTOP)
    try:
        for _ in range(3):
            for client in clients:
                client.send(GET_INFO, dom)
                client.send(GET_STATE, dom + struct.pack(">I", 0))
            for client in clients:
                assert client.receive()[3] == OK and client.receive()[3] == OK
    finally:
        os.kill(qemu, signal.SIGCONT)
    virsh(daemon, "destroy", "g")
