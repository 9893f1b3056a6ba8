"""The guest agent, with Debian's own in the test guest, and what it must not be able to do to us."""
import itertools
import json
import signal
import subprocess
import threading
import time

import pytest

from lodgetest import LODGE, READY, SOON, wait_until
from virttest import virsh

CHANNEL = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
NET = "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>"


def agent_is(daemon, state, name="web1"):
    return f"name='org.qemu.guest_agent.0' state='{state}'" in daemon.lodge("dumpxml", name).out


def define(daemon, name="web1", devices="", **parts):
    daemon.define(name, flavour=["agent"], memory=256, devices=CHANNEL + devices, **parts)


@pytest.fixture
def guest(daemon):
    """A guest whose agent answers; the console."""
    disk = daemon.root / "disk.img"
    with open(disk, "wb") as image:
        image.truncate(16 << 20)
    define(daemon, devices=NET + f"<disk type='file'><source file='{disk}'/><target dev='vda'/></disk>")
    daemon.lodge("start", "web1")
    console = daemon.console("web1")
    console.expect(READY)
    wait_until(lambda: agent_is(daemon, "connected"), SOON, "the agent is connected")
    return console


def agent(daemon, command, ok=True, **arguments):
    """The agent's answer to one command."""
    message = {"execute": command, **({"arguments": arguments} if arguments else {})}
    done = daemon.lodge("qemu-agent-command", "web1", json.dumps(message), ok=ok)
    return done.json["return"] if ok else done.err


def test_questions(daemon, guest):
    guest.run("net-up")
    assert agent(daemon, "guest-ping") == {}
    assert "guest-nope has not been found" in agent(daemon, "guest-nope", ok=False)
    assert daemon.lodge("domhostname", "web1").out.strip() == "guest"
    assert "connected" in [line.split()[-1] for line in daemon.lodge("info", "web1").out.splitlines()
                           if line.startswith("Guest agent")]
    addresses = daemon.lodge("domifaddr", "web1", "--interface", "eth0").out
    assert "52:54:00:00:00:01   ipv4       10.0.2.15/24" in addresses
    inside = daemon.rest("GET", "/v1/guests/web1/inside?os=yes&interface=yes").body["params"]
    told = {param["name"]: param["value"] for param in inside}
    assert told["os.machine"] == "x86_64" and told["if.1.addr.0.addr"] == "10.0.2.15"
    assert "user.count" not in told
    cpus = daemon.lodge("guestvcpus", "web1").out.split()
    assert cpus[:4] == ["vcpus:", "0", "online:", "0"]
    for options in ([], ["--maximum"]):
        assert daemon.lodge("vcpucount", "web1", "--guest", *options).out == "1\n"
    daemon.lodge("setvcpus", "web1", "1", "--guest")
    assert "it cannot use 2" in daemon.lodge("setvcpus", "web1", "2", "--guest", ok=False).err
    assert virsh(daemon, "vcpucount", "web1", "--guest").stdout == "1\n\n"
    virsh(daemon, "setvcpus", "web1", "1", "--guest")


def test_file_systems(daemon, guest):
    guest.run("mke2fs /dev/vda >/dev/null 2>&1; mkdir /d; mount -t ext4 /dev/vda /d")
    line = daemon.lodge("domfsinfo", "web1").out.splitlines()[2].split()
    assert line == ["/d", "vda", "ext4", "vda"]
    assert daemon.lodge("domfsfreeze", "web1").out.strip() == "Froze 1 filesystem(s)"
    guest.send("echo x >/d/file; sync; echo WRITTEN''-NOW\r")
    time.sleep(1)
    guest.read(0.1)
    assert "WRITTEN-NOW" not in guest.text
    assert daemon.lodge("domfsthaw", "web1").out.strip() == "Thawed 1 filesystem(s)"
    guest.expect("WRITTEN-NOW")
    assert daemon.lodge("domfsfreeze", "web1", "/nowhere").out.strip() == "Froze 0 filesystem(s)"
    daemon.lodge("domfsthaw", "web1")
    daemon.lodge("domfstrim", "web1")


def test_time(daemon, guest):
    assert abs(int(daemon.lodge("domtime", "web1").out.split()[1]) - time.time()) < 60
    daemon.lodge("domtime", "web1", "--time", "1700000000")
    assert 0 <= int(daemon.lodge("domtime", "web1").out.split()[1]) - 1700000000 < 60
    daemon.lodge("domtime", "web1", "--now")
    assert abs(int(guest.run("date +%s").split()[-1]) - time.time()) < 60
    daemon.lodge("domtime", "web1", "--time", "1700000000")
    daemon.lodge("domtime", "web1", "--sync")
    assert "exclude each other" in daemon.lodge("domtime", "web1", "--sync", "--now", ok=False).err


def test_password_and_keys(daemon, guest):
    daemon.lodge("set-user-password", "web1", "root", "s3cret")
    assert "root:$6$" in guest.run("cat /etc/shadow")
    daemon.lodge("set-user-password", "web1", "root", "$6$x$y", "--encrypted")
    assert "root:$6$x$y:" in guest.run("cat /etc/shadow")
    assert "s3cret" not in daemon.said()
    one = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB one@here"
    two = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC two@there"
    daemon.lodge("set-user-sshkeys", "web1", "admin", "--file", daemon.write("keys", f"{one}\n# no key\n\n{two}\n"))
    assert sorted(daemon.lodge("get-user-sshkeys", "web1", "admin").out.splitlines()) == [one, two]
    daemon.lodge("set-user-sshkeys", "web1", "admin", "--file", daemon.write("keys", one), "--remove")
    assert daemon.lodge("get-user-sshkeys", "web1", "admin").out.splitlines() == [two]
    daemon.lodge("set-user-sshkeys", "web1", "admin", "--file", daemon.write("keys", one), "--reset")
    assert daemon.lodge("get-user-sshkeys", "web1", "admin").out.splitlines() == [one]


def test_sleep(daemon, guest):
    daemon.lodge("dompmsuspend", "web1", "mem")
    wait_until(lambda: daemon.state("web1") == "pmsuspended", SOON, "it sleeps")
    assert "pmsuspended" in daemon.lodge("domhostname", "web1", ok=False).err
    daemon.lodge("dompmwakeup", "web1")
    wait_until(lambda: daemon.state("web1") == "running", SOON, "it is awake")
    wait_until(lambda: agent_is(daemon, "connected"), SOON, "the agent is there again")
    assert daemon.lodge("domhostname", "web1").out.strip() == "guest"
    assert "does not sleep" in daemon.lodge("dompmwakeup", "web1", ok=False).err


def test_shutdown_and_reboot(daemon, guest):
    daemon.lodge("reboot", "web1")
    guest.expect("LODGE-GUEST-SHUTDOWN -h -r")
    guest.expect(READY)
    wait_until(lambda: agent_is(daemon, "connected"), SOON, "the agent is there again")
    daemon.lodge("shutdown", "web1", "--mode", "acpi,agent")
    guest.expect("LODGE-GUEST-SHUTDOWN -h -P")
    daemon.wait_state("web1", "shut off")
    assert daemon.lodge("shutdown", "web1", "--mode", "smoke", ok=False).code == 2


def test_button_where_no_agent_is(daemon):
    define(daemon, cmdline="console=ttyS0 quiet noagent")
    daemon.lodge("start", "web1")
    console = daemon.console("web1")
    console.expect(READY)
    assert agent_is(daemon, "disconnected")
    said = daemon.lodge("domhostname", "web1", ok=False)
    assert "Guest agent is not responding: QEMU guest agent is not connected" in said.err  # nobody was asked
    assert "not connected" in daemon.lodge("shutdown", "web1", "--mode", "agent", ok=False).err
    daemon.lodge("shutdown", "web1")
    console.expect("LODGE-GUEST-POWER-BUTTON")
    daemon.wait_state("web1", "shut off")


def test_without_channel(daemon):
    daemon.define("web1", boot=False)
    assert "not running" in daemon.lodge("domhostname", "web1", ok=False).err
    daemon.lodge("start", "web1")
    assert "QEMU guest agent is not configured" in daemon.lodge("domhostname", "web1", ok=False).err
    assert "Guest agent" not in daemon.lodge("info", "web1").out


def test_agent_that_hangs_holds_up_nothing(daemon, guest):
    """A stopped agent: its own calls end in time, all others go on."""
    guest.run("killall -STOP qemu-ga")
    said = []
    threads = [threading.Thread(target=lambda: said.append(daemon.lodge("domhostname", "web1", ok=False)))
               for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    for words in (["info", "web1"], ["suspend", "web1"], ["resume", "web1"], ["dumpxml", "web1"]):
        daemon.lodge(*words)
    for thread in threads:
        thread.join()
    assert len(said) == 3 and all("Guest agent is not responding" in one.err for one in said)
    guest.run("killall -CONT qemu-ga")
    assert daemon.lodge("domhostname", "web1").out.strip() == "guest"


def test_state_follows_and_outlives_the_daemon(daemon, guest):
    guest.run("killall qemu-ga; sleep 1")
    wait_until(lambda: agent_is(daemon, "disconnected"), SOON, "its end is seen")
    daemon.stop(signal.SIGKILL)
    guest.close()
    daemon.consoles.remove(guest)
    daemon.start()
    console = daemon.console("web1")
    console.send("\r")
    wait_until(lambda: agent_is(daemon, "disconnected"), SOON, "another daemon knows")
    daemon.stop(signal.SIGTERM)
    console.close()
    daemon.consoles.remove(console)
    daemon.start()
    console = daemon.console("web1")
    console.run("LD_LIBRARY_PATH=/lib qemu-ga -d -p /dev/virtio-ports/org.qemu.guest_agent.0 -t /run")
    wait_until(lambda: agent_is(daemon, "connected"), SOON, "the new agent is seen")
    daemon.restart()
    wait_until(lambda: agent_is(daemon, "connected"), SOON, "another daemon knows")
    assert daemon.lodge("domhostname", "web1").out.strip() == "guest"


def test_event(daemon, guest):
    follower = subprocess.Popen([LODGE, "--root", daemon.root, "events", "--event", "agent-lifecycle", "--count",
                                 "1", "web1"], env=daemon.env, stdout=subprocess.PIPE, text=True)
    gone = ("disconnected", "killall qemu-ga")
    there = ("connected", "LD_LIBRARY_PATH=/lib qemu-ga -d -p /dev/virtio-ports/org.qemu.guest_agent.0 -t /run")
    for state, command in itertools.cycle((gone, there)):  # it may not listen yet
        guest.run(command)
        wait_until(lambda s=state: agent_is(daemon, s), SOON, f"the agent is {state}")
        if follower.poll() is not None:
            break
    told = json.loads(follower.communicate(timeout=SOON)[0])
    assert told["domain"] == "web1" and told["data"]["state"] in ("connected", "disconnected")


def test_saved_with_its_agent(daemon, guest):
    """The agent of a restored guest opened its channel in another QEMU."""
    daemon.lodge("managedsave", "web1")
    daemon.lodge("start", "web1")
    wait_until(lambda: agent_is(daemon, "connected"), SOON, "the agent is connected")
    assert daemon.lodge("domhostname", "web1").out.strip() == "guest"


def test_chosen_socket_is_no_definition(daemon, guest):
    live = daemon.lodge("dumpxml", "web1").out
    assert f"path='{daemon.root}/run/guests/web1/channel0.sock'" in live
    daemon.lodge("define", daemon.write("live.xml", live))
    assert "channel0.sock" not in daemon.lodge("dumpxml", "web1", "--inactive").out
