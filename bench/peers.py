"""The three that are measured, behind one face: Lodge, libvirt, and QEMU by itself (the floor).

Each has define, undefine, start, destroy; start returns when the guest runs, destroy when it is gone.
"""
import contextlib
import fcntl
import json
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
LODGE = pathlib.Path(os.environ.get("LODGE_BIN", ROOT / "build" / "lodge"))


def pool_xml(name, folder):
    return f"<pool type='dir'><name>{name}</name><target><path>{folder}</path></target></pool>"


def guest_xml(name, disk=None):
    """A guest that waits in its firmware, with what every server has."""
    source = f"""<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{disk}'/>
      <target dev='vda' bus='virtio'/></disk>""" if disk else ""
    return f"""<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>64</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    {source}
    <interface type='user'><model type='virtio'/></interface>
    <serial type='pty'/><console type='pty'/>
    <memballoon model='virtio'/>
  </devices>
</domain>
"""


def resident_kib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))


def poll_until(true, seconds=60):
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            raise TimeoutError
        time.sleep(0.001)


class HttpClient:
    """HTTP/1.1 on a unix socket, one request in one write: http.client takes 0.1 ms for itself."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(120)
        self.sock.connect(str(path))

    def request(self, method, path, body, kind):
        """Status and content."""
        head = f"{method} {path} HTTP/1.1\r\nHost: lodge\r\n"
        if body is not None:
            head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        self.sock.sendall(head.encode() + b"\r\n" + (body or b""))
        answer = self.sock.recv(65536)
        while b"\r\n\r\n" not in answer:
            answer += self.more()
        head, _, content = answer.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: *(\d+)", head).group(1))
        while len(content) < length:
            content += self.more()
        return int(head.split(None, 2)[1]), content

    def more(self):
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("the daemon hung up")
        return data

    def close(self):
        self.sock.close()


class Lodge:
    """A daemon of its own below @folder."""
    name = "lodge"

    def __init__(self, folder):
        self.root = folder / "lodge"
        self.socket = self.root / "run" / "lodge.sock"
        self.libvirt_socket = self.root / "run" / "libvirt-sock"
        self.log = open(folder / "lodge.err", "ab")
        self.start_daemon()

    def start_daemon(self):
        self.process = subprocess.Popen([LODGE, "daemon", "--root", self.root], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)
        self.pid = self.process.pid
        poll_until(self.connects)

    def connects(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"lodge daemon ended with {self.process.returncode}; see {self.log.name}")
        with contextlib.suppress(OSError):
            self.connection = HttpClient(self.socket)
            return True
        return False

    def stop_daemon(self):
        self.connection.close()
        self.process.terminate()
        self.process.wait(30)

    def close(self):
        for path in (self.root / "run" / "state").glob("*.json"):  # where a measure was cut short
            with contextlib.suppress(RuntimeError, OSError):
                self.destroy(path.stem)
        self.stop_daemon()

    def pool(self, name, folder):
        """A pool of python3-libvirt, not started."""
        import libvirt
        self.storage = libvirt.open(f"qemu+unix:///system?socket={self.libvirt_socket}")
        return self.storage.storagePoolDefineXML(pool_xml(name, folder))

    def another(self):
        """A second connection to the same daemon, for another thread."""
        other = object.__new__(Lodge)
        other.connection = HttpClient(self.socket)
        return other

    def call(self, method, path, body=None, kind="application/json"):
        status, content = self.connection.request(method, path, body and body.encode(), kind)
        if status != 200:
            raise RuntimeError(f"{method} {path}: {status} {content[:500]}")
        return json.loads(content) if content else None

    def define(self, xml):
        self.call("POST", "/v1/guests", xml, "application/xml")

    def undefine(self, name):
        self.call("DELETE", f"/v1/guests/{name}")

    def start(self, name):
        self.call("POST", f"/v1/guests/{name}/start", "{}")

    def destroy(self, name):
        self.call("POST", f"/v1/guests/{name}/destroy", "{}")

    def save(self, name, path):
        self.call("POST", f"/v1/guests/{name}/save", json.dumps({"path": str(path)}))

    def restore(self, name, path):
        self.call("POST", "/v1/restore", json.dumps({"path": str(path)}))

    def first_answer(self, name):
        """Something that needs @name to be known."""
        self.call("GET", f"/v1/guests/{name}/state")

    def clear(self):
        """Nothing is left of a measure that was cut short."""
        for guest in self.call("GET", "/v1/guests?all=yes")["domains"]:
            with contextlib.suppress(RuntimeError):
                self.destroy(guest["name"])
            self.undefine(guest["name"])

    def list_words(self):
        return [LODGE, "--root", self.root, "list", "--all"]

    def qemu_pid(self, name):
        state = json.loads((self.root / "run" / "state" / f"{name}.json").read_text())
        return json.loads(state["record"])["pid"]


# libvirtd runs in mount and pid namespaces of its own, so that it meets no other one and leaves nothing
# behind. Their init reaps at once, as systemd does: libvirt waits until its processes are reaped.
LIBVIRT_WORLD = """
set -e
for folder in /run/libvirt /var/lib/libvirt /etc/libvirt /var/log/libvirt /var/cache/libvirt; do
	mkdir -p $folder
	mount -t tmpfs tmpfs $folder
done
mkdir -p /etc/libvirt/qemu /var/log/libvirt/qemu
if ! getent passwd libvirt-qemu >/dev/null; then
	cp /etc/passwd /run/libvirt/passwd
	echo 'libvirt-qemu:x:64055:65534::/var/lib/libvirt:/usr/sbin/nologin' >>/run/libvirt/passwd
	mount --bind /run/libvirt/passwd /etc/passwd
fi
echo ready
exec /usr/bin/python3 -c '
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
while True:
    signal.sigwait([signal.SIGCHLD])
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass'
"""


def child_of(pid):
    """The pid of the only child of @pid, once it is there."""
    path = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    poll_until(lambda: path.read_text().strip(), 10)
    return int(path.read_text().split()[0])


class PeerFailed(Exception):
    """The peer refused, hung or ended: the bench goes on without it."""


class Libvirt:
    """A libvirtd of its own; takes root. One that does not answer within CALL_SECONDS is killed, which ends
    the call that waits for it."""
    name = "libvirt"
    CALL_SECONDS = 10
    hung = False

    def __init__(self, folder):
        import libvirt  # python3-libvirt; only where the peer is there
        libvirt.registerErrorHandler(lambda *_: None, None)
        self.libvirt, self.log = libvirt, open(folder / "libvirt.err", "ab")
        self.init = self.entered = self.connection = None
        self.world = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "-m", "-p", "-f", "--mount-proc", "--kill-child",
             "--propagation", "private", "sh", "-c", LIBVIRT_WORLD],
            stdout=subprocess.PIPE, stderr=self.log)
        try:
            self.enter_world()
        except BaseException:
            self.close()
            raise

    def enter_world(self):
        ready, _, _ = select.select([self.world.stdout], [], [], self.CALL_SECONDS)
        if not ready or self.world.stdout.readline() != b"ready\n":
            raise PeerFailed(f"no namespaces; see {self.log.name}")
        self.init = child_of(self.world.pid)
        self.root = pathlib.Path(f"/proc/{self.init}/root")
        self.socket = self.libvirt_socket = self.root / "run/libvirt/libvirt-sock"
        self.uri = f"qemu:///system?socket={self.socket}"
        self.definitions = self.root / "etc/libvirt/qemu"
        self.inside("virtlogd", "-p", "/run/libvirt/virtlogd.pid")
        self.start_daemon()
        self.connection = self.limited(self.libvirt.open, self.uri)

    def inside(self, *words):
        return subprocess.Popen(["nsenter", "-m", "-p", "-t", str(self.init), *words], stdout=self.log,
                                stderr=self.log)

    def pool(self, name, folder):
        return self.connection.storagePoolDefineXML(pool_xml(name, folder))

    def give_up(self):
        self.hung = True
        self.end_world()

    def end_world(self):
        """With its init ends all that runs in there."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.init or self.world.pid, signal.SIGKILL)

    def limited(self, call, *words):
        """What @call gives; libvirt's own calls cannot be told to give up."""
        timer = threading.Timer(self.CALL_SECONDS, self.give_up)
        timer.start()
        try:
            return call(*words)
        except self.libvirt.libvirtError as error:
            late = f"no answer for {self.CALL_SECONDS} s"
            raise PeerFailed(late if self.hung else str(error)) from error
        finally:
            timer.cancel()

    def answers(self):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(self.socket))
            return True
        return False

    def start_daemon(self):
        self.entered = self.inside("libvirtd", "-p", "/run/libvirt/libvirtd.pid")
        try:
            poll_until(self.answers)
            self.pid = child_of(self.entered.pid)
        except TimeoutError as error:
            raise PeerFailed("libvirtd does not come up") from error

    def stop_daemon(self):
        self.limited(self.connection.close)
        os.kill(self.pid, signal.SIGTERM)
        try:
            self.entered.wait(self.CALL_SECONDS)
        except subprocess.TimeoutExpired:
            os.kill(self.pid, signal.SIGKILL)
            self.entered.wait(self.CALL_SECONDS)

    def close(self):
        self.end_world()
        for process in (self.world, self.entered):
            if process:
                process.wait(self.CALL_SECONDS)
        if self.connection:
            with contextlib.suppress(self.libvirt.libvirtError):
                self.connection.close()
        self.log.close()

    def another(self):
        other = object.__new__(Libvirt)
        other.libvirt, other.init, other.world = self.libvirt, self.init, self.world
        other.connection = self.limited(self.libvirt.open, self.uri)
        return other

    def define(self, xml):
        self.limited(self.connection.defineXML, xml)

    def guest(self, name, call):
        self.limited(lambda: getattr(self.connection.lookupByName(name), call)())

    def undefine(self, name):
        self.guest(name, "undefine")

    def start(self, name):
        self.guest(name, "create")

    def destroy(self, name):
        self.guest(name, "destroy")

    def save(self, name, path):
        self.limited(self.connection.lookupByName(name).save, str(path))

    def restore(self, name, path):
        self.limited(self.connection.restore, str(path))

    def first_answer(self, name):
        self.connection = self.limited(self.libvirt.open, self.uri)
        self.guest(name, "state")

    def list_words(self):
        return ["virsh", "-c", self.uri, "list", "--all"]


class Bare:
    """QEMU by itself, with the very words and open files that Lodge gives it."""
    name = "floor"

    def __init__(self, folder, pid, disk_of):
        """As the QEMU that runs as @pid; @disk_of gives the path of a guest's disk."""
        self.folder, self.disk_of, self.running = folder, disk_of, {}
        self.argv = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
        words = b" ".join(self.argv)
        self.monitor = int(re.search(rb"id=charmonitor,fd=(\d+)", words).group(1))
        self.disks = [int(n) for n in re.findall(rb"-add-fd fd=(\d+)", words)]

    def open_files(self, name):
        """Number in the child -> our descriptor."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.folder / f"{name}.sock"))
        listener.listen(1)
        return {self.monitor: listener.detach(),
                **{number: os.open(self.disk_of(name), os.O_RDWR) for number in self.disks}}

    def spawn(self, name, *more):
        opened = self.open_files(name)
        # Out of the way of the numbers that they get in the child.
        high = {number: fcntl.fcntl(fd, fcntl.F_DUPFD, 500) for number, fd in opened.items()}
        actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in high.items()]
        actions += [(os.POSIX_SPAWN_OPEN, n, "/dev/null", os.O_RDWR, 0) for n in (0, 1, 2)]
        pid = os.posix_spawnp(self.argv[0], [*self.argv, *more], os.environ, file_actions=actions)
        for fd in [*opened.values(), *high.values()]:
            os.close(fd)
        return pid

    def start(self, name, *more, resume=True):
        pid = self.spawn(name, *more)
        qmp = socket.socket(socket.AF_UNIX)
        qmp.settimeout(60)
        qmp.connect(str(self.folder / f"{name}.sock"))
        stream = qmp.makefile("r")
        stream.readline()
        self.running[name] = pid, qmp, stream
        for command in ["qmp_capabilities"] + ["cont"] * resume:
            self.ask(name, command)

    def ask(self, name, command, fd=None, **arguments):
        _, qmp, stream = self.running[name]
        words = json.dumps({"execute": command, "arguments": arguments}).encode()
        socket.send_fds(qmp, [words], [] if fd is None else [fd])
        while "event" in (answer := json.loads(stream.readline())):
            pass
        return answer["return"]

    def migrate(self, name, command, path, flags):
        """Memory and devices to or from a file: as fast as they go, looked at each half millisecond."""
        fd = os.open(path, flags, 0o600)
        self.ask(name, "migrate-set-parameters", **{"max-bandwidth": 2 ** 63 - 1})
        self.ask(name, "getfd", fd, fdname="stream")
        os.close(fd)
        self.ask(name, command, uri="fd:stream")
        while self.ask(name, "query-migrate").get("status") != "completed":
            time.sleep(0.0005)

    def save(self, name, path):
        self.ask(name, "stop")
        self.migrate(name, "migrate", path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        self.destroy(name)

    def restore(self, name, path):
        self.start(name, "-incoming", "defer", resume=False)
        self.migrate(name, "migrate-incoming", path, os.O_RDONLY)
        self.ask(name, "cont")

    def destroy(self, name):
        pid, qmp, stream = self.running.pop(name)
        handle = os.pidfd_open(pid)
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        select.select([handle], [], [])
        os.waitpid(pid, 0)
        for closing in (stream, qmp):
            closing.close()
        os.close(handle)
        (self.folder / f"{name}.sock").unlink()

    def another(self):
        return self
