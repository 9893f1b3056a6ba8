"""What the tests with real daemons and guests use: a daemon of their own, the command, REST, consoles.

Each Daemon keeps everything below a fresh folder with a short path (sockets), so any number of them
run side by side. What a sanitizer says about any process of a daemon fails the test.
"""
import collections
import contextlib
import fcntl
import http.client
import json
import os
import pathlib
import re
import pty
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("LODGE_BUILD", ROOT / "build"))
LODGE = pathlib.Path(os.environ.get("LODGE_BIN", BUILD / "lodge"))
READY = "LODGE-GUEST-READY"
PROMPT = "guest# "
# Boots take 3 s on an idle machine; tests share two cores under emulation, with sanitizers.
BOOT_SECONDS = 120
# What happens by itself has happened by then, however busy the machine is. Nothing waits so long for nothing.
SOON = 60

Answer = collections.namedtuple("Answer", "status headers body")

# The leak checker met a thread that was just ending: a notice, not a finding.
LEAK_CHECK_NOTICE = re.compile(r"==\d+==Unable to get registers from thread \d+\.\n")


def wait_until(true, seconds, what):
    """Polls until true() is, and returns what it returned."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        value = true()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not after {seconds} s: {what}")


def is_alive(pid):
    """Whether a process runs; one that has ended and is nobody's child any more may stay in /proc where the first
    process of a container collects nobody."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def end(*pids):
    """Kills processes, and comes back when they are gone: that takes its time."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, pids)), SOON, f"{pids} have ended")


def remove_groups(root):
    """The control groups of guests that outlived their daemon (their name: engine/qemu/qemu.c)."""
    number = 5381
    for byte in os.fsencode(root):
        number = (number * 33 + byte) % 2**32
    mounts = (line.split() for line in pathlib.Path("/proc/mounts").read_text().splitlines())
    for place in {words[1] for words in mounts if words[2] in ("cgroup", "cgroup2")}:
        for folder, _, _ in os.walk(f"{place}/lodge-{number:08x}", topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)


def has_locks(pid):
    """Whether a process has locked a file as QEMU's tools do."""
    with contextlib.suppress(FileNotFoundError):  # a file that was just closed
        return any("OFDLCK" in info.read_text() for info in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir())
    return False


class Result:
    """What one run of `lodge` left behind."""

    def __init__(self, words, done, seconds):
        self.words, self.code, self.seconds = words, done.returncode, seconds
        self.out, self.err = done.stdout, done.stderr

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"lodge {' '.join(self.words)}: exit {self.code}\n{self.out}{self.err}"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self.path))  # with a time limit it does not wait for a place in the queue
        self.sock.settimeout(self.timeout)


class Console:
    """`lodge console NAME` on a terminal of its own."""

    def __init__(self, daemon, name, *options):
        self.text, self.seen, self.left = "", 0, []
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 200, 0, 0))
        self.process = subprocess.Popen([LODGE, "--root", daemon.root, "console", name, *options],
                                        stdin=slave, stdout=slave, stderr=slave, env=daemon.env,
                                        start_new_session=True)
        os.close(slave)
        self.expect("Escape character is", SOON)  # what is typed before is dropped

    def read(self, seconds):
        """Adds what comes within @seconds; False once nothing more can come."""
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        with contextlib.suppress(OSError):  # EIO: the other side is closed
            more = os.read(self.master, 65536)
            self.text += more.decode(errors="replace")
            return bool(more)
        return False

    def expect(self, words, seconds=BOOT_SECONDS):
        """Reads until @words come after what was expected before; returns what stood before them."""
        until = time.monotonic() + seconds
        while (at := self.text.find(words, self.seen)) < 0:
            if time.monotonic() > until or not self.read(0.1):
                raise AssertionError(f"console: no {words!r} in {self.text[self.seen:]!r}")
        before, self.seen = self.text[self.seen:at], at + len(words)
        return before

    def send(self, text):
        os.write(self.master, text.encode())

    def run(self, command, seconds=BOOT_SECONDS):
        """Types a command into the test guest's shell and returns what it printed. The mark is
        written in two parts, so that the echo of the line is not taken for it."""
        self.send(f"{command}; echo END''-OF\r")
        return self.expect("END-OF", seconds)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)


class Daemon:
    def __init__(self, **environment):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="lt-"))
        self.root.chmod(0o755)  # QEMU runs as a user of its own
        (self.root / "san").mkdir(mode=0o777)
        reports = f"log_path={self.root}/san/report"
        self.env = {**os.environ, "LODGE_TEST_ROOT": str(self.root), **environment,
                    "ASAN_OPTIONS": f"{os.environ.get('ASAN_OPTIONS', '')}:{reports}",
                    "UBSAN_OPTIONS": f"{os.environ.get('UBSAN_OPTIONS', '')}:{reports}"}
        self.socket = self.root / "run" / "lodge.sock"
        self.process, self.consoles = None, []

    # ---- the process ----

    def start(self, *options):
        log = open(self.root / "daemon.err", "ab")
        self.process = subprocess.Popen([LODGE, "daemon", "--root", self.root, *options], env=self.env,
                                        stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        wait_until(self.answers, SOON, "the daemon takes connections")
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the daemon ended with {self.process.returncode}:\n{self.said()}")
        # to be connected is not enough: a child that a killed daemon was starting may still hold its socket
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.rest("GET", "/v1/version").status == 200
        return False

    def stop(self, how=signal.SIGTERM):
        """Ends the daemon, not its guests; returns its exit code."""
        self.process.send_signal(how)
        return self.process.wait(SOON)

    def kill(self):
        """As a crash does."""
        self.stop(signal.SIGKILL)

    def survives(self, seconds=0.3):
        """Whether it lives, to be asked once nobody is about to kill it any more. Its death is known a little after
        it: who is dying does not answer."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
            return False
        try:
            self.rest("GET", "/v1/version")
            return True
        except (OSError, http.client.HTTPException):
            self.process.wait(SOON)
            return False

    def restart(self, how=signal.SIGKILL):
        self.stop(how)
        return self.start()

    def said(self):
        """What the daemon wrote to standard error: its log, mostly."""
        with contextlib.suppress(FileNotFoundError):
            return (self.root / "daemon.err").read_text(errors="replace")
        return ""

    def is_ours(self, folder, words):
        """Whether the process of /proc/PID says the root's name, or has a file below it open."""
        mark = os.fsencode(self.root)
        if mark in words or mark in (folder / "environ").read_bytes():
            return True
        for fd in (folder / "fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                if os.readlink(fd).startswith(str(self.root)):
                    return True
        return False

    def processes(self):
        """pid -> command line of every other process of this root: guests, helpers, leftovers."""
        found, own = {}, [os.getpid()] + ([self.process.pid] if self.process else [])
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_bytes()
                if words and int(folder.name) not in own and self.is_ours(folder, words):
                    found[int(folder.name)] = words.replace(b"\0", b" ").decode(errors="replace").strip()
        return found

    def qemu_of(self, name):
        """The pid of the guest's QEMU; an error where there is not exactly one."""
        pids = [pid for pid, words in self.processes().items()
                if "qemu-system" in words.split()[0] and f"guest={name}" in words.replace(",", " ").split()]
        assert len(pids) == 1, f"QEMU of {name}: {self.processes()}"
        return pids[0]

    def left_behind(self):
        """Processes of Lodge that have not ended with their daemon, though they had time to."""
        until = time.monotonic() + 20
        while True:
            left = {pid: words for pid, words in self.processes().items()
                    if pathlib.Path(words.split()[0]).name.startswith("lodge")}
            if not left or time.monotonic() > until:
                return left
            time.sleep(0.05)

    def close(self):
        """Ends everything; returns what is wrong, as lines."""
        wrong = []
        for console in self.consoles:
            console.close()
        if self.process and self.process.poll() is None:
            code = self.stop()
            if code:
                wrong.append(f"the daemon ended with {code}")
        for pid, words in self.left_behind().items():
            wrong.append(f"left behind: {pid} {words}")
        end(*self.processes())
        wait_until(lambda: not self.processes(), SOON, "killed processes are gone")
        for report in sorted((self.root / "san").glob("report*")):
            text = report.read_text(errors="replace")
            if LEAK_CHECK_NOTICE.sub("", text).strip():
                wrong.append(text)
        print(self.said())
        remove_groups(self.root)
        shutil.rmtree(self.root)
        return wrong

    # ---- its doors ----

    def lodge(self, *words, ok=True, input=None, timeout=90):
        """Runs `lodge --root ... WORDS`. @ok: whether it has to succeed; None: either."""
        words = [str(word) for word in words]
        began = time.monotonic()
        done = subprocess.run([LODGE, "--root", self.root, *words], env=self.env, input=input, text=True,
                              stdin=None if input is not None else subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
        result = Result(words, done, time.monotonic() - began)
        assert ok is None or (done.returncode == 0) == ok, result
        return result

    def rest(self, method, path, body=None, headers=None, timeout=60):
        """One request; the body of the answer is decoded where it is JSON."""
        connection = UnixConnection(self.socket, timeout)
        with contextlib.closing(connection):
            if body is not None and not isinstance(body, (bytes, str)):
                body, headers = json.dumps(body), {"Content-Type": "application/json", **(headers or {})}
            with contextlib.suppress(BrokenPipeError):  # refused before it was all sent
                connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            content = answer.read()
            if "json" in (answer.headers.get("Content-Type") or ""):
                content = json.loads(content)
            return Answer(answer.status, answer.headers, content)

    def console(self, name, *options):
        console = Console(self, name, *options)
        self.consoles.append(console)
        return console

    # ---- shortcuts ----

    def write(self, name, text):
        """A file below the root; returns its path."""
        path = self.root / name
        path.write_text(text)
        return path

    def define(self, name, **parts):
        """Defines a test guest; see xml_for()."""
        return self.lodge("define", self.write(f"{name}.xml", xml_for(name, **parts)))

    def state(self, name):
        return self.lodge("state", name).out.strip()

    def wait_state(self, name, state, seconds=BOOT_SECONDS):
        wait_until(lambda: self.state(name) == state, seconds, f"{name} is {state}")


def run_image_tool(words, **options):
    """Runs qemu-img, or what takes its words, without a keyboard. On a busy machine it cannot measure how fast
    keys are derived, and gives up: then it is asked again."""
    for _ in range(30):
        done = subprocess.run(words, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60, **options)
        if "Unable to get accurate CPU usage" not in done.stderr:
            break
    return done


def guest_files(*flavour):
    """The folder with the test guest's vmlinuz and initramfs; made on first use. The flavours that are servers
    and systems of their own are many packages: where the archive does not give one, their tests skip."""
    done = subprocess.run([ROOT / "tests" / "guest" / "build", *flavour], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    if done.returncode and set(flavour) & {"uml", "nfs", "cloud", "lab", "seeded"}:
        pytest.skip(f"its packages are not to be had: {done.stderr[-500:]}")
    assert done.returncode == 0, done.stderr
    return pathlib.Path(done.stdout.strip())


def xml_for(name, memory=128, vcpus=1, machine="q35", cmdline="console=ttyS0 quiet", devices="", extra="",
            uuid=None, boot=True, flavour=()):
    """A small guest: the test kernel, a serial console. @devices and @extra are XML to put in;
    @boot False leaves the kernel out (the guest waits in its firmware)."""
    files = guest_files(*flavour) if boot else None
    kernel = (f"<kernel>{files}/vmlinuz</kernel><initrd>{files}/initramfs</initrd>"
              f"<cmdline>{cmdline} no_timer_check</cmdline>") if boot else ""  # on a busy machine it fails
    return f"""<domain type='qemu'>
  <name>{name}</name>
  {f"<uuid>{uuid}</uuid>" if uuid else ""}
  <memory unit='MiB'>{memory}</memory>
  <vcpu>{vcpus}</vcpu>
  <os><type arch='x86_64' machine='{machine}'>hvm</type>{kernel}</os>
  <features><acpi/></features>
  {extra}
  <devices>
    {devices}
    <serial type='pty'/>
    <console type='pty'/>
    <memballoon model='none'/>
  </devices>
</domain>
"""
