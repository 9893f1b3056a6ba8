"""Daemons in a network of their own: bridges, taps and rules of a test touch nobody else's."""
import os
import subprocess

import pytest

import lodgetest


def need_root():
    if os.geteuid() or not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        pytest.skip("interfaces are made by root")


class NetDaemon(lodgetest.Daemon):
    """As Daemon, but in a network namespace, which a process that sleeps keeps alive over restarts."""

    def __init__(self, **environment):
        super().__init__(**environment)
        self.holder = subprocess.Popen(["unshare", "-n", "sh", "-c", "ip link set lo up; echo; exec sleep inf"],
                                       env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert self.holder.stdout.readline()

    def inside(self, *words):
        """@words, to be run in that network."""
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", "--", *map(str, words)]

    def sh(self, script, ok=True):
        """Runs a shell script there; returns what it printed."""
        done = subprocess.run(self.inside("sh", "-c", script), env=self.env, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert not ok or done.returncode == 0, done.stdout
        return done.stdout

    def start(self, *options):
        with open(self.root / "daemon.err", "ab") as log:
            self.process = subprocess.Popen(
                self.inside(lodgetest.LODGE, "daemon", "--root", self.root, *options), env=self.env,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        lodgetest.wait_until(self.answers, lodgetest.SOON, "the daemon takes connections")
        return self

    def close(self):
        wrong = super().close()
        self.holder.kill()
        self.holder.wait()
        return wrong


@pytest.fixture
def net_daemon():
    """A running daemon in a network of its own."""
    need_root()
    daemon = NetDaemon()
    try:
        yield daemon.start()
    finally:
        wrong = daemon.close()
    assert not wrong, "\n".join(wrong)
