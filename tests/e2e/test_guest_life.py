"""A guest's life, verb by verb, with real guests under emulation."""
import os
import signal

import pytest

from lodgetest import READY, SOON, end, wait_until, xml_for


def boot(daemon, name, **parts):
    """A running test guest that takes commands; its console."""
    daemon.define(name, **parts)
    daemon.lodge("start", name)
    console = daemon.console(name)
    console.expect(READY)
    return console


def test_list_empty(daemon):
    assert daemon.lodge("list", "--all", "--name").out.strip() == ""
    assert daemon.rest("GET", "/v1/guests").status == 200


def test_define_list_undefine(daemon):
    daemon.define("web1", boot=False)
    assert daemon.state("web1") == "shut off"
    assert "web1" in daemon.lodge("list", "--all").out
    assert "web1" not in daemon.lodge("list").out
    daemon.restart(signal.SIGTERM)
    assert daemon.lodge("list", "--all", "--name").out.split() == ["web1"]
    daemon.lodge("undefine", "web1")
    assert daemon.lodge("list", "--all", "--name").out.strip() == ""


def test_define_again_keeps_uuid(daemon):
    daemon.define("web1", boot=False)
    before = daemon.lodge("dumpxml", "web1").out
    assert ">131072</memory>" in before
    daemon.lodge("define", daemon.write("more.xml", before.replace("131072", "262144")))
    after = daemon.lodge("dumpxml", "web1").out
    assert after == before.replace("131072", "262144")


def test_dumpxml_is_stable(daemon):
    """What is printed can be defined again and says the same: addresses, MAC and all."""
    nic = "<interface type='user'><model type='virtio'/></interface>"
    daemon.define("web1", boot=False, devices=nic)
    once = daemon.lodge("dumpxml", "web1").out
    daemon.lodge("define", daemon.write("again.xml", once))
    assert daemon.lodge("dumpxml", "web1").out == once


def test_boot_console_shutdown(daemon):
    console = boot(daemon, "web1")
    assert daemon.state("web1") == "running"
    assert "Linux guest" in console.run("uname -a")
    daemon.lodge("shutdown", "web1")
    daemon.wait_state("web1", "shut off")
    wait_until(lambda: not daemon.processes(), SOON, "nothing of the guest is left")


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_machines(daemon, machine):
    console = boot(daemon, "web1", machine=machine)
    console.send("poweroff -f\r")
    daemon.wait_state("web1", "shut off")


def test_destroy(daemon):
    daemon.define("web1", boot=False)
    daemon.lodge("start", "web1")
    daemon.lodge("destroy", "web1")
    assert daemon.state("web1") == "shut off"
    wait_until(lambda: not daemon.processes(), SOON, "nothing of the guest is left")
    assert daemon.lodge("destroy", "web1", ok=False).code == 4


def test_start_twice(daemon):
    daemon.define("web1", boot=False)
    daemon.lodge("start", "web1")
    assert daemon.lodge("start", "web1", ok=False).code == 4
    assert daemon.state("web1") == "running"


def test_suspend_resume(daemon):
    console = boot(daemon, "web1")
    daemon.lodge("suspend", "web1")
    assert daemon.state("web1") == "paused"
    console.send("echo still''-here\r")
    daemon.lodge("resume", "web1")
    console.expect("still-here")
    assert daemon.state("web1") == "running"


def test_start_paused(daemon):
    daemon.define("web1", boot=False)
    daemon.lodge("start", "web1", "--paused")
    assert daemon.state("web1") == "paused"


def test_create_is_transient(daemon):
    daemon.lodge("create", daemon.write("web1.xml", xml_for("web1", boot=False)))
    assert daemon.state("web1") == "running"
    daemon.lodge("destroy", "web1")
    assert daemon.lodge("state", "web1", ok=False).code == 3


def test_reset_and_reboot(daemon):
    # Emulation is three times slower the second time where the kernel lands on the code of the first.
    console = boot(daemon, "web1", memory=512)
    qemu = daemon.qemu_of("web1")
    daemon.lodge("reset", "web1")
    console.expect(READY)
    daemon.lodge("reboot", "web1")
    console.expect(READY)
    assert daemon.qemu_of("web1") == qemu
    assert daemon.state("web1") == "running"


def test_deaf_guest_is_destroyed(daemon):
    boot(daemon, "web1", cmdline="console=ttyS0 quiet deaf")
    daemon.lodge("shutdown", "web1")
    assert daemon.state("web1") in ("running", "in shutdown")
    daemon.lodge("destroy", "web1")
    assert daemon.state("web1") == "shut off"


def test_guest_outlives_daemon(daemon):
    console = boot(daemon, "web1")
    qemu = daemon.qemu_of("web1")
    console.close()
    daemon.consoles.clear()
    daemon.kill()
    daemon.start()
    assert daemon.qemu_of("web1") == qemu
    assert daemon.state("web1") == "running"
    again = daemon.console("web1")
    again.send("\r")
    assert "Linux guest" in again.run("uname -a")
    daemon.lodge("shutdown", "web1")
    daemon.wait_state("web1", "shut off")


def test_guest_that_ended_meanwhile(daemon):
    daemon.define("web1", boot=False)
    daemon.lodge("start", "web1")
    qemu = daemon.qemu_of("web1")
    daemon.kill()
    end(qemu)
    daemon.start()
    daemon.wait_state("web1", "shut off")


def test_qemu_killed_from_outside(daemon):
    daemon.define("web1", boot=False)
    daemon.lodge("start", "web1")
    os.kill(daemon.qemu_of("web1"), signal.SIGKILL)
    daemon.wait_state("web1", "shut off")


def test_late_reader_sees_the_boot(daemon):
    boot(daemon, "web1").close()
    daemon.consoles.clear()
    daemon.console("web1").expect(READY)


def test_network(daemon):
    nic = "<interface type='user'><model type='virtio'/></interface>"
    console = boot(daemon, "web1", devices=nic)
    assert "10.0.2." in console.run("net-up")


def test_rename(daemon):
    daemon.define("web1", boot=False)
    daemon.lodge("rename", "web1", "web2")
    assert daemon.lodge("list", "--all", "--name").out.split() == ["web2"]
    assert daemon.lodge("state", "web1", ok=False).code == 3
