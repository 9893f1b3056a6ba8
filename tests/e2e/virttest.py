"""What the tests of libvirt's door use: virsh, python3-libvirt, and a client that speaks raw bytes."""
import contextlib
import socket
import struct
import subprocess
import threading

import libvirt

REMOTE, QEMU, KEEPALIVE = 0x20008086, 0x20008087, 0x6B656570
CALL, REPLY, EVENT, STREAM = range(4)
OK, ERROR, CONTINUE = range(3)

libvirt.registerErrorHandler(lambda *_: None, None)


def uri(daemon, read_only=False):
    return f"qemu+unix:///system?socket={daemon.root}/run/libvirt-sock{'-ro' if read_only else ''}"


def virsh(daemon, *words, ok=True, read_only=False, input=None, timeout=60):
    words = ["virsh", "-c", uri(daemon, read_only), *(["-r"] if read_only else []), *map(str, words)]
    done = subprocess.run(words, text=True, input=input, timeout=timeout, env=daemon.env,
                          stdin=None if input is not None else subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert ok is None or (done.returncode == 0) == ok, f"{words}: {done.stdout}{done.stderr}"
    return done


@contextlib.contextmanager
def connection(daemon, read_only=False):
    conn = (libvirt.openReadOnly if read_only else libvirt.open)(uri(daemon, read_only))
    try:
        yield conn
    finally:
        with contextlib.suppress(libvirt.libvirtError):
            conn.close()


def refused(call, code):
    """Calls @call, which has to fail with libvirt's @code; returns the message."""
    try:
        call()
    except libvirt.libvirtError as error:
        assert error.get_error_code() == code, f"{error.get_error_code()}: {error}"
        return str(error)
    raise AssertionError("it was not refused")


class EventLoop:
    """libvirt's own event loop in a thread; started once per process."""
    thread = None

    @classmethod
    def start(cls):
        if cls.thread:
            return
        libvirt.virEventRegisterDefaultImpl()

        def run():
            while True:
                libvirt.virEventRunDefaultImpl()

        cls.thread = threading.Thread(target=run, daemon=True)
        cls.thread.start()


class Raw:
    """A client that sends what it is told to."""

    def __init__(self, daemon, read_only=False):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(f"{daemon.root}/run/libvirt-sock{'-ro' if read_only else ''}")  # waits for its place
        self.sock.settimeout(60)
        self.serial = 0

    def send(self, procedure, payload=b"", program=REMOTE, version=1, kind=CALL, status=OK):
        self.serial += 1
        self.sock.sendall(struct.pack(">IIIIIII", 28 + len(payload), program, version, procedure, kind,
                                      self.serial, status) + payload)
        return self.serial

    def exactly(self, n):
        data = b""
        while len(data) < n:
            more = self.sock.recv(n - len(data))
            if not more:
                raise ConnectionError("closed")
            data += more
        return data

    def receive(self):
        """(procedure, kind, serial, status, payload) of the next message."""
        size, _, _, procedure, kind, serial, status = struct.unpack(">IIIIIII", self.exactly(28))
        return procedure, kind, serial, status, self.exactly(size - 28)

    def call(self, procedure, payload=b"", **header):
        serial = self.send(procedure, payload, **header)
        while True:
            _, kind, its, status, answer = self.receive()
            if kind == REPLY and its == serial:
                return status, answer

    def open(self):
        assert self.call(66)[0] == OK
        assert self.call(1, struct.pack(">III", 0, 0, 0)[:8])[0] == OK
        return self

    def is_closed(self):
        try:
            return self.sock.recv(1) == b""
        except ConnectionError:
            return True

    def close(self):
        self.sock.close()
