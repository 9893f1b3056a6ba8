"""What systemd expects of the daemon: a socket handed over, and word of being ready."""
import os
import signal
import socket
import subprocess

from lodgetest import LODGE, wait_until


def notices(listener):
    """The words sent so far."""
    words = []
    while True:
        try:
            words += listener.recv(4096).decode().split("\n")
        except BlockingIOError:
            return words


def test_tells_ready_and_stopping(make_daemon):
    daemon = make_daemon()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(daemon.root / "notify"))
        listener.setblocking(False)
        daemon.env["NOTIFY_SOCKET"] = str(daemon.root / "notify")
        daemon.start()
        heard = []
        wait_until(lambda: heard.extend(notices(listener)) or "READY=1" in heard, 60, "it is ready")
        assert daemon.stop() == 0
        assert "STOPPING=1" in notices(listener)


def test_takes_a_socket(make_daemon):
    """Socket activation: descriptor 3, LISTEN_FDS and LISTEN_PID."""
    daemon = make_daemon()
    path = daemon.root / "given.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        script = 'LISTEN_FDS=1 LISTEN_PID=$$; export LISTEN_FDS LISTEN_PID; exec "$@" 3<&"$FD"'
        daemon.process = subprocess.Popen(
            ["bash", "-c", script, "sh", LODGE, "daemon", "--root", daemon.root],
            env={**daemon.env, "FD": str(listener.fileno())}, pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL, stderr=open(daemon.root / "daemon.err", "ab"))
    daemon.socket = path
    assert daemon.rest("GET", "/v1/version").body["pid"] == daemon.process.pid
    assert daemon.stop(signal.SIGTERM) == 0
    assert os.path.exists(path), "the socket is systemd's: the daemon does not remove it"
