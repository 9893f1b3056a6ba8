"""The daemon's own life: start, stop, side by side, crash, and who finds it."""
import contextlib
import os
import signal
import socket

import pytest

from lodgetest import SOON, wait_until


def test_starts_and_stops(make_daemon):
    daemon = make_daemon().start()
    assert daemon.rest("GET", "/v1/version").status == 200
    assert daemon.stop() == 0
    wait_until(lambda: not daemon.processes(), SOON, "nothing of it is left")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_ends_at_signal(daemon, how):
    assert daemon.stop(how) == 0


def test_version(daemon):
    answer = daemon.lodge("version", "--json").json
    assert answer["pid"] == daemon.process.pid
    assert answer["uid"] == os.getuid()
    assert answer == daemon.rest("GET", "/v1/version").body
    assert answer["version"] in daemon.lodge("version").out


def test_two_side_by_side(make_daemon):
    first, second = make_daemon().start(), make_daemon().start()
    for daemon in (first, second):
        assert daemon.lodge("version", "--json").json["pid"] == daemon.process.pid
    assert first.stop() == 0
    assert second.lodge("version", "--json").json["pid"] == second.process.pid


def test_one_per_root(daemon):
    """A second daemon on the same root is refused and does no harm to the first."""
    again = daemon.lodge("daemon", ok=False)
    assert str(daemon.process.pid) in again.err or str(daemon.root) in again.err
    assert daemon.lodge("version", "--json").json["pid"] == daemon.process.pid


def test_starts_after_crash(daemon):
    daemon.restart(signal.SIGKILL)
    assert daemon.lodge("version", "--json").json["pid"] == daemon.process.pid


def test_no_daemon(make_daemon):
    answer = make_daemon().lodge("--no-start", "version", ok=False)
    assert answer.code == 10
    assert "lodge.sock" in answer.err or "daemon" in answer.err


def test_unknown_verb(daemon):
    answer = daemon.lodge("frobnicate", ok=False)
    assert answer.code == 2 and "frobnicate" in answer.err


@pytest.mark.parametrize("request_bytes,status", [
    (b"GET /v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    (b"DELETE /v1/version HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    (b"rubbish\r\n\r\n", 400),
])
def test_bad_requests(daemon, request_bytes, status):
    answer = b""
    with socket.socket(socket.AF_UNIX) as plain:
        plain.connect(str(daemon.socket))
        plain.settimeout(SOON)
        plain.sendall(request_bytes)
        with contextlib.suppress(ConnectionResetError):  # hung up on before all was read
            answer = plain.recv(65536)
    assert answer.startswith(b"HTTP/1.1 %d " % status) or (status == 400 and not answer)
    assert daemon.lodge("version").code == 0
