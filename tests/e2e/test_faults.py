"""What goes wrong around a daemon: it is killed at each step, the disk is full, files are broken, QEMU
dies, hangs or refuses. After each the daemon tells the truth, and nothing is left behind."""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time

import pytest

from lodgetest import LODGE, READY, SOON, end, wait_until, xml_for

UUID = "11111111-2222-4333-8444-555555555555"
QEMU = "/usr/bin/qemu-system-x86_64"
NO_SPACE, QEMU_DIED = 9, 1  # exit codes
AT_ONCE = 8  # seconds: less than QEMU is given to answer, and much for what waits for nobody

root_only = pytest.mark.skipif(os.getuid() != 0, reason="mounts and tracing need root")
needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")


def titled(title):
    return xml_for("web1", boot=False, uuid=UUID, extra=f"<title>{title}</title>")


def names(daemon):
    return daemon.lodge("list", "--all", "--name").out.split()


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


def reason(daemon, name):
    return daemon.lodge("state", name, "--reason").out.strip()


# ---- killed in the middle of a change ----

@contextlib.contextmanager
def deadly(daemon, call, nth):
    """The @nth system call @call of any thread that touches web1's definition kills the daemon."""
    guests = daemon.root / "etc" / "guests"
    places = [guests, guests / "web1.xml", guests / "web1.xml.new", guests / "autostart",
              guests / "autostart" / "web1.xml", guests / "web2.xml", guests / "web2.xml.new",
              guests / "autostart" / "web2.xml"]
    tracer = subprocess.Popen(["strace", "-f", "-p", str(daemon.process.pid), "-o", "/dev/null",
                               *(word for place in places for word in ("-P", str(place))),
                               "-e", f"inject={call}:signal=SIGKILL:when={nth}"],
                              stderr=subprocess.PIPE, text=True)
    said = []
    for line in tracer.stderr:
        said.append(line)
        if "attached" in line:
            break
    else:
        pytest.skip(f"nothing can be traced here: {said}")
    yield
    tracer.terminate()
    tracer.communicate()


def kill_at(daemon, call, nth, *words):
    """Runs a verb that is to be interrupted there, then a new daemon; whether the old one was killed."""
    with deadly(daemon, call, nth):
        answer = daemon.lodge(*words, ok=None)
        with contextlib.suppress(subprocess.TimeoutExpired):
            daemon.process.wait(0.5)
    if daemon.survives(0):
        assert answer.code == 0, answer
        return False
    assert answer.code != 0, "nobody is told of success before it is durable"
    daemon.start()
    left = [f for f in files(daemon.root / "etc" / "guests") if f.endswith(".new")]
    assert not left, left
    return True


WRITE_STEPS = [("openat", 1), ("write", 1), ("fdatasync", 1), ("rename", 1), ("openat", 2), ("fsync", 1)]
# a new file, where the file system flushes it together with its name: host/file.c
NEW_STEPS = WRITE_STEPS + [("sync_file_range", 1), ("renameat2", 1)]
UNDEFINE_STEPS = [("unlink", 1), ("openat", 1), ("fsync", 1), ("unlink", 2), ("openat", 2), ("fsync", 2)]
RENAME_STEPS = [("symlink", 1), ("renameat2", 1), ("fsync", 1), ("fsync", 2), ("openat", 2), ("write", 1),
                ("fdatasync", 1), ("rename", 1), ("unlink", 1)]


@root_only
@needs_strace
def test_killed_in_define(daemon):
    killed = 0
    for call, nth in NEW_STEPS:
        killed += kill_at(daemon, call, nth, "define", daemon.write("new.xml", titled("new")))
        there = names(daemon)
        assert there in ([], ["web1"])
        if there:
            assert "<title>new</title>" in daemon.lodge("dumpxml", "web1").out
            daemon.lodge("undefine", "web1")
    assert killed >= 5


@root_only
@needs_strace
def test_killed_in_redefine(daemon):
    daemon.lodge("define", daemon.write("v0.xml", titled("v0")))
    daemon.lodge("autostart", "web1")
    killed, old = 0, "v0"
    for i, (call, nth) in enumerate(WRITE_STEPS, 1):
        killed += kill_at(daemon, call, nth, "define", daemon.write("next.xml", titled(f"v{i}")))
        shown = daemon.lodge("dumpxml", "web1").out
        assert f"<title>{old}</title>" in shown or f"<title>v{i}</title>" in shown
        assert daemon.lodge("info", "web1", "--json").json["autostart"] is True
        old = shown.split("<title>")[1].split("</title>")[0]
    assert killed >= 5


@root_only
@needs_strace
def test_killed_in_run(daemon):
    """The disk of a guest that never was goes; one that was there before is somebody's."""
    image, images = daemon.root / "base.qcow2", daemon.root / "images"
    for path in (image, images / "web2.qcow2"):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "64M"], check=True)
    making = daemon.root / "lib" / "making"
    making.mkdir()
    (making / "web2").write_text(str(images / "web2.qcow2"))
    assert kill_at(daemon, "openat", 1, "run", "web1", "--image", image, "--memory", "64M")
    assert names(daemon) == [] and files(images) == ["web2.qcow2"] and not files(making)


@root_only
@needs_strace
def test_killed_in_undefine(daemon):
    killed = 0
    for call, nth in UNDEFINE_STEPS:
        if names(daemon) == []:
            daemon.lodge("define", daemon.write("new.xml", titled("new")))
            daemon.lodge("autostart", "web1")
        killed += kill_at(daemon, call, nth, "undefine", "web1")
        if names(daemon):
            assert daemon.lodge("info", "web1", "--json").json["autostart"] is True
        else:
            assert files(daemon.root / "etc" / "guests") == []
    assert killed >= 4


@root_only
@needs_strace
def test_killed_in_rename(daemon):
    daemon.lodge("define", daemon.write("new.xml", titled("new")))
    daemon.lodge("autostart", "web1")
    killed, at = 0, "web1"
    for call, nth in RENAME_STEPS:
        to = "web2" if at == "web1" else "web1"
        killed += kill_at(daemon, call, nth, "rename", at, to)
        there = names(daemon)
        assert there in ([at], [to])
        at = there[0]
        info = daemon.lodge("info", at, "--json").json
        assert info["autostart"] is True and info["uuid"] == UUID
        assert f"<name>{at}</name>" in daemon.lodge("dumpxml", at).out
        assert files(daemon.root / "etc" / "guests") == [f"autostart/{at}.xml", f"{at}.xml"]
    assert killed >= 5


# ---- a full disk ----

def needs_mount_namespaces():
    if subprocess.run(["unshare", "--mount", "true"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no mount namespaces here: a plain chroot, or not root")


def start_with_small(daemon, place, options="size=64k"):
    """Starts the daemon with a file system of its own at @place below its root; returns where that is
    seen from here."""
    needs_mount_namespaces()
    folder = daemon.root / place
    folder.mkdir(parents=True, exist_ok=True)
    log = open(daemon.root / "daemon.err", "ab")
    script = 'mount -t tmpfs -o "$1" none "$2" && shift 2 && exec "$@"'
    daemon.process = subprocess.Popen(["unshare", "--mount", "sh", "-c", script, "sh", options, folder,
                                       LODGE, "daemon", "--root", daemon.root],
                                      env=daemon.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    log.close()
    wait_until(daemon.answers, SOON, "the daemon takes connections")
    return pathlib.Path(f"/proc/{daemon.process.pid}/root{folder}")


def fill(folder):
    """Takes every block and every inode; returns what gives them back."""
    hoard = folder / "hoard"
    hoard.mkdir()
    with contextlib.suppress(OSError), open(hoard / "0", "wb", buffering=0) as file:
        for _ in range(1024):
            file.write(b"x" * 4096)
    with contextlib.suppress(OSError):
        for i in range(1, 4096):
            (hoard / str(i)).touch()
    return lambda: shutil.rmtree(hoard)


@root_only
def test_full_disk_on_define(make_daemon):
    daemon = make_daemon()
    seen = start_with_small(daemon, "etc")
    daemon.lodge("define", daemon.write("old.xml", titled("old")))
    give_back = fill(seen)
    for name, xml in (("web1", titled("new" * 2000)), ("web2", xml_for("web2", boot=False))):
        answer = daemon.lodge("define", daemon.write("more.xml", xml), ok=False)
        assert answer.code == NO_SPACE, answer
        assert f"{name}.xml" in answer.err and "No space left" in answer.err
    assert daemon.lodge("rename", "web1", "web3", ok=None).code in (0, NO_SPACE)
    assert names(daemon) in (["web1"], ["web3"])
    assert "<title>old</title>" in daemon.lodge("dumpxml", names(daemon)[0]).out
    assert not [f for f in files(seen) if f.endswith(".new")]
    give_back()
    daemon.lodge("define", daemon.write("two.xml", xml_for("web2", boot=False)))
    assert len(names(daemon)) == 2


@root_only
@pytest.mark.parametrize("place,options", [("run/state", "size=64k"), ("run/guests", "nr_inodes=8")])
def test_full_disk_on_start(make_daemon, place, options):
    daemon = make_daemon()
    seen = start_with_small(daemon, place, options)
    daemon.define("web1", boot=False)
    give_back = fill(seen)
    answer = daemon.lodge("start", "web1", ok=False)
    assert answer.code == NO_SPACE and "No space left" in answer.err, answer
    assert daemon.state("web1") == "shut off"
    wait_until(lambda: not daemon.processes(), SOON, "nothing of the guest is left")
    assert not [f for f in files(seen) if not f.startswith("hoard/")]
    give_back()
    daemon.lodge("start", "web1")
    assert daemon.state("web1") == "running"


# ---- files that cannot be read ----

def test_broken_definitions(daemon):
    daemon.define("good", boot=False)
    daemon.define("cut", boot=False)
    daemon.define("pipe", boot=False)
    daemon.stop()
    guests = daemon.root / "etc" / "guests"
    text = (guests / "cut.xml").read_text()
    (guests / "cut.xml").write_text(text[:len(text) // 2])
    (guests / "pipe.xml").unlink()
    os.mkfifo(guests / "pipe.xml")
    (guests / "empty.xml").touch()
    (guests / "twin.xml").write_text((guests / "good.xml").read_text())
    daemon.start()
    assert names(daemon) in (["good"], ["twin"])
    said = daemon.said()
    for file in ("cut.xml", "pipe.xml", "empty.xml"):
        assert str(guests / file) in said
    assert "uuid" in said
    daemon.lodge("start", names(daemon)[0])
    # what is broken is mended by defining it again
    daemon.define("cut", boot=False)
    assert "cut" in names(daemon)


def test_broken_state_files(daemon):
    daemon.define("web1", boot=False)
    daemon.lodge("start", "web1")
    qemu = daemon.qemu_of("web1")
    daemon.kill()
    state = daemon.root / "run" / "state"
    (state / "half.json").write_text('{"id": 3, "xml": "<domain')
    (state / "cut.json.new").write_text("{")
    (daemon.root / "lib" / "guests.index").write_text("lodge guests index 1\n\xff\t\n")
    daemon.start()
    assert daemon.state("web1") == "running" and daemon.qemu_of("web1") == qemu
    assert str(state / "half.json") in daemon.said()


# ---- QEMU that dies ----

def with_emulator(daemon, script):
    """A definition whose emulator is @script, which ends by running "$QEMU"."""
    path = daemon.write("emulator", f"#!/bin/sh\nQEMU={QEMU}\n{script}\n")
    path.chmod(0o755)
    return daemon.write("web1.xml", xml_for("web1", boot=False,
                                            devices=f"<emulator>{path}</emulator>"))


def assert_gone(daemon):
    daemon.wait_state("web1", "shut off")
    wait_until(lambda: not daemon.processes(), SOON, "nothing of the guest is left")
    wait_until(lambda: not files(daemon.root / "run" / "state"), SOON, "nor what was written down of it")
    wait_until(lambda: not list((daemon.root / "run" / "guests").glob("*")), SOON, "nor its folder")


def test_qemu_dies_at_each_moment_of_start(daemon):
    """Wherever in its start: the answer is an error, or the guest is seen as crashed."""
    after = daemon.write("after", "0")
    daemon.lodge("define", with_emulator(
        daemon, f'case "$*" in *guest=*) (sleep $(cat {after}); kill -9 $$) & ;; esac; exec $QEMU "$@"'))
    after.chmod(0o644)
    outcomes = set()
    for ms in (0, 5, 10, 20, 40, 80, 160, 320, 640, 2000, 8000, 30000):
        if ms > 640 and 0 in outcomes:
            break
        after.write_text(f"{ms / 1000}")
        answer = daemon.lodge("start", "web1", ok=None)
        outcomes.add(answer.code)
        if answer.code:
            assert '"web1": QEMU does not start' in answer.err, answer
        assert_gone(daemon)
    assert outcomes == {0, QEMU_DIED}, f"the delays reach before and behind the start: {outcomes}"
    after.write_text("3600")
    daemon.lodge("start", "web1")
    assert daemon.state("web1") == "running"


@pytest.mark.parametrize("script,words", [
    ('case "$*" in *guest=*) echo "the reason" >&2; exit 3;; esac; exec $QEMU "$@"', ["the reason"]),
    ('case "$*" in *guest=*) exec $QEMU "$@" -bogus;; esac; exec $QEMU "$@"', ["bogus"]),
    ('case "$*" in *guest=*) exit 0;; esac; exec $QEMU "$@"', []),
], ids=["exits", "refuses", "ends"])
def test_qemu_does_not_start(daemon, script, words):
    daemon.lodge("define", with_emulator(daemon, script))
    answer = daemon.lodge("start", "web1", ok=False)
    for word in words + ["web1"]:
        assert word in answer.err, answer
    assert_gone(daemon)


def test_emulator_is_not_a_program(daemon):
    daemon.lodge("define", with_emulator(daemon, 'exec $QEMU "$@"'))
    (daemon.root / "emulator").write_text("hello")
    answer = daemon.lodge("start", "web1", ok=False)
    assert "emulator" in answer.err, answer
    assert_gone(daemon)


def test_qemu_killed_is_seen_at_once(daemon):
    daemon.define("web1", boot=False)
    daemon.lodge("start", "web1")
    os.kill(daemon.qemu_of("web1"), signal.SIGKILL)
    daemon.wait_state("web1", "shut off")
    assert reason(daemon, "web1") == "shut off (crashed)"
    assert_gone(daemon)


# ---- a daemon that dies under its guests ----

def test_daemon_killed_with_running_guests(daemon):
    daemon.define("web1")
    daemon.define("web2", boot=False)
    daemon.lodge("start", "web2")
    daemon.lodge("start", "web1")
    daemon.lodge("wait", "web1", "--console", READY)
    before = daemon.lodge("list").out
    pids = {name: daemon.qemu_of(name) for name in ("web1", "web2")}
    for _ in range(2):
        daemon.restart(signal.SIGKILL)
        assert daemon.lodge("list").out == before
        assert {name: daemon.qemu_of(name) for name in pids} == pids
    console = daemon.console("web1")
    console.expect(READY)  # of the first daemon's days
    console.send("\r")
    assert "Linux guest" in console.run("uname -a")
    console.close()
    daemon.consoles.clear()
    daemon.lodge("destroy", "web2")
    daemon.lodge("shutdown", "web1")
    daemon.wait_state("web1", "shut off")
    wait_until(lambda: not daemon.processes(), SOON, "nothing of the guests is left")


def test_qemu_killed_while_the_daemon_is_down(daemon):
    daemon.define("web1", boot=False)
    daemon.lodge("create", daemon.write("temp.xml", xml_for("temp", boot=False)))
    daemon.lodge("start", "web1")
    pids = [daemon.qemu_of("web1"), daemon.qemu_of("temp")]
    daemon.kill()
    end(*pids)
    daemon.start()
    wait_until(lambda: reason(daemon, "web1") == "shut off (crashed)", SOON, "it is known")
    wait_until(lambda: names(daemon) == ["web1"], SOON, "also of the one without a definition")
    assert_gone(daemon)
    daemon.lodge("start", "web1")


def test_power_off_while_the_daemon_is_down(daemon):
    daemon.define("web1")
    daemon.lodge("start", "web1")
    console = daemon.console("web1")
    console.expect(READY)
    console.run("{ (sleep 2; poweroff -f) & }")
    daemon.kill()
    time.sleep(4)  # QEMU stays, for whoever asks why; where it takes longer, the next daemon sees it happen
    daemon.start()
    daemon.wait_state("web1", "shut off")
    assert reason(daemon, "web1") == "shut off (shutdown)"
    assert_gone(daemon)


@pytest.mark.parametrize("ms", [0, 30, 80, 200])
def test_daemon_killed_during_start(daemon, ms):
    """Its guest is either there, and taken up, or nothing of it is."""
    daemon.define("web1", boot=False)
    log = daemon.root / "log" / "guests" / "web1.log"  # QEMU's: the start has begun
    starter = subprocess.Popen([LODGE, "--root", daemon.root, "--no-start", "start", "web1"],
                               env=daemon.env, stderr=subprocess.PIPE)
    wait_until(log.exists, SOON, "the start has begun")
    time.sleep(ms / 1000)
    daemon.kill()
    told = starter.wait(SOON) == 0
    daemon.start()
    state = daemon.state("web1")
    assert state == "running" if told else state in ("running", "shut off")
    if state == "running":
        daemon.lodge("destroy", "web1")
    assert_gone(daemon)
    daemon.lodge("start", "web1")


# ---- QEMU that hangs ----

@contextlib.contextmanager
def stopped(pid):
    os.kill(pid, signal.SIGSTOP)
    yield
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def test_reads_never_wait(daemon):
    """QEMU is stopped and a shutdown hangs on it: reads answer at once, others are not affected."""
    daemon.define("web1", boot=False)
    daemon.define("web2", boot=False)
    daemon.lodge("start", "web1")
    with stopped(daemon.qemu_of("web1")):
        answers = []
        hanging = threading.Thread(target=lambda: answers.append(
            daemon.lodge("shutdown", "web1", ok=False)))
        hanging.start()
        time.sleep(0.3)
        for words in (("list", "--all"), ("state", "web1"), ("info", "web1"), ("dumpxml", "web1"),
                      ("dumpxml", "web1", "--inactive"), ("state", "1")):
            answer = daemon.lodge(*words)
            assert answer.seconds < AT_ONCE, f"{words}: {answer.seconds:.1f} s"
        assert daemon.state("web1") == "running"
        daemon.lodge("start", "web2")
        daemon.lodge("destroy", "web2")
        daemon.define("web3", boot=False)
        hanging.join(60)
        assert answers and answers[0].code == 7, answers
        assert "web1" in answers[0].err and "answer" in answers[0].err
        assert daemon.lodge("destroy", "web1").seconds < AT_ONCE
        assert reason(daemon, "web1") == "shut off (destroyed)"
    assert_gone(daemon)


def test_destroy_beside_a_hanging_shutdown(daemon):
    daemon.define("web1", boot=False)
    daemon.lodge("start", "web1")
    with stopped(daemon.qemu_of("web1")):
        hanging = subprocess.Popen([LODGE, "--root", daemon.root, "shutdown", "web1"], env=daemon.env,
                                   stderr=subprocess.PIPE)
        time.sleep(0.3)
        assert daemon.lodge("destroy", "web1").seconds < AT_ONCE
        assert daemon.state("web1") == "shut off"
        assert hanging.wait(SOON) != 0
    assert_gone(daemon)


def test_restart_with_a_stopped_guest(daemon):
    daemon.define("web1", boot=False)
    daemon.define("web2", boot=False)
    daemon.lodge("start", "web1")
    daemon.lodge("start", "web2")
    qemu = daemon.qemu_of("web1")
    with stopped(qemu):
        daemon.restart(signal.SIGKILL)
        assert daemon.lodge("list", "--name").out.split() == ["web1", "web2"]
        assert daemon.lodge("info", "web1").seconds < AT_ONCE
        daemon.lodge("destroy", "web2")
    assert daemon.qemu_of("web1") == qemu
    wait_until(lambda: daemon.lodge("suspend", "web1", ok=None).code == 0, SOON, "web1 answers again")
    assert daemon.state("web1") == "paused"
    daemon.lodge("destroy", "web1")
    assert_gone(daemon)


# ---- two daemons ----

def test_two_roots(make_daemon):
    first, second = make_daemon().start(), make_daemon().start()
    for daemon in (first, second):
        daemon.lodge("define", daemon.write("web1.xml", titled("same")))
        daemon.lodge("start", "web1")
    first.lodge("destroy", "web1")
    first.lodge("undefine", "web1")
    assert second.state("web1") == "running"
    second.qemu_of("web1")


def test_second_daemon_on_a_root(daemon):
    daemon.define("web1", boot=False)
    daemon.lodge("start", "web1")
    qemu = daemon.qemu_of("web1")
    again = daemon.lodge("daemon", ok=False)
    assert str(daemon.process.pid) in again.err, again
    assert daemon.qemu_of("web1") == qemu and daemon.state("web1") == "running"


def test_image_build_ends_with_its_daemon(daemon):
    """A daemon killed in the middle of a build: the next one may build at once, not when the orphan is
    through."""
    needs_mount_namespaces()
    build = subprocess.Popen([LODGE, "--no-start", "--root", daemon.root, "image", "build"], env=daemon.env,
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    images = daemon.root / "images"
    wait_until(lambda: list(images.glob(".*.build/alive")) or build.poll() is not None, SOON, "a build")
    time.sleep(1)
    if build.poll() is not None:
        pytest.skip("this host cannot build images: see test_host_check")
    daemon.kill()
    assert build.wait(SOON) != 0
    wait_until(lambda: not daemon.processes(), SOON, "nothing of the build is left")
    wait_until(lambda: not list(images.iterdir()), SOON, "nor its files")
