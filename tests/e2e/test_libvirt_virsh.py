"""What people type into virsh, with stock virsh, against Lodge."""
import signal
from xml.etree import ElementTree

import pytest

from lodgetest import READY, wait_until, xml_for
from virttest import virsh


def define(daemon, name, **parts):
    parts.setdefault("boot", False)
    path = daemon.write(f"{name}.xml", xml_for(name, **parts))
    assert f"Domain '{name}' defined from" in virsh(daemon, "define", path).stdout


def state(daemon, name):
    return virsh(daemon, "domstate", name).stdout.strip()


def test_list_define_undefine(daemon):
    assert virsh(daemon, "list", "--all", "--name").stdout.strip() == ""
    define(daemon, "web1")
    assert virsh(daemon, "list", "--all").stdout.split("\n")[2].split() == ["-", "web1", "shut", "off"]
    assert virsh(daemon, "list", "--name").stdout.strip() == ""
    assert "has been undefined" in virsh(daemon, "undefine", "web1").stdout
    assert virsh(daemon, "list", "--all", "--name").stdout.strip() == ""


@pytest.mark.parametrize("words,names", [
    (["--all"], ["run", "off", "saved"]), ([], ["run"]), (["--inactive"], ["off", "saved"]),
    (["--all", "--autostart"], ["saved"]), (["--all", "--no-autostart"], ["run", "off"]),
    (["--all", "--persistent"], ["run", "off", "saved"]), (["--all", "--transient"], []),
    (["--all", "--with-managed-save"], []), (["--all", "--state-running"], ["run"]),
    (["--all", "--with-snapshot"], []), (["--all", "--without-snapshot"], ["run", "off", "saved"]),
])
def test_list_filters(daemon, words, names):
    for name in ("run", "off", "saved"):
        define(daemon, name)
    virsh(daemon, "start", "run", "--paused")
    virsh(daemon, "resume", "run")
    virsh(daemon, "autostart", "saved")
    assert sorted(virsh(daemon, "list", "--name", *words).stdout.split()) == sorted(names)


def test_life(daemon):
    define(daemon, "web1")
    assert "Domain 'web1' started" in virsh(daemon, "start", "web1").stdout
    assert virsh(daemon, "list").stdout.split("\n")[2].split() == ["1", "web1", "running"]
    assert virsh(daemon, "domid", "web1").stdout.strip() == "1"
    virsh(daemon, "suspend", "web1")
    assert virsh(daemon, "domstate", "--reason", "web1").stdout.strip() == "paused (user)"
    virsh(daemon, "resume", "web1")
    assert virsh(daemon, "domstate", "--reason", "web1").stdout.strip() == "running (unpaused)"
    virsh(daemon, "reset", "web1")
    assert "Domain 'web1' destroyed" in virsh(daemon, "destroy", "web1").stdout
    assert virsh(daemon, "domstate", "--reason", "web1").stdout.strip() == "shut off (destroyed)"
    assert "not running" in virsh(daemon, "destroy", "web1", ok=False).stderr


def test_transient(daemon):
    path = daemon.write("t.xml", xml_for("brief", boot=False))
    assert "Domain 'brief' created from" in virsh(daemon, "create", path).stdout
    info = virsh(daemon, "dominfo", "brief").stdout
    assert "Persistent:     no" in info
    assert "transient" in virsh(daemon, "undefine", "brief", ok=False).stderr
    virsh(daemon, "destroy", "brief")
    assert "failed to get domain" in virsh(daemon, "dominfo", "brief", ok=False).stderr


def test_dominfo(daemon):
    define(daemon, "web1", memory=128, vcpus=2)
    virsh(daemon, "start", "web1")
    info = dict(line.split(":", 1) for line in virsh(daemon, "dominfo", "web1").stdout.splitlines() if ":" in line)
    info = {key: value.strip() for key, value in info.items()}
    assert info["Name"] == "web1" and info["State"] == "running" and info["CPU(s)"] == "2"
    assert info["OS Type"] == "hvm" and info["Max memory"] == "131072 KiB"
    assert info["Persistent"] == "yes" and info["Autostart"] == "disable" and info["Managed save"] == "no"
    assert float(info["CPU time"].rstrip("s")) >= 0
    assert virsh(daemon, "domuuid", "web1").stdout.strip() == info["UUID"]
    assert virsh(daemon, "domname", info["UUID"]).stdout.strip() == "web1"
    assert virsh(daemon, "vcpucount", "web1", "--maximum", "--live").stdout.strip() == "2"


def test_autostart_rename_edit(daemon):
    define(daemon, "web1")
    assert "marked as autostarted" in virsh(daemon, "autostart", "web1").stdout
    assert "Autostart:      enable" in virsh(daemon, "dominfo", "web1").stdout
    virsh(daemon, "autostart", "--disable", "web1")
    virsh(daemon, "domrename", "web1", "web2")
    assert virsh(daemon, "list", "--all", "--name").stdout.split() == ["web2"]
    daemon.env["EDITOR"] = "sed -i s/131072/262144/"
    assert "XML configuration edited" in virsh(daemon, "edit", "web2").stdout
    assert "Max memory:     262144 KiB" in virsh(daemon, "dominfo", "web2").stdout


def test_dumpxml(daemon):
    vnc = "<graphics type='vnc' port='-1' passwd='geheim'/>"
    define(daemon, "web1", devices=vnc)
    assert "geheim" not in virsh(daemon, "dumpxml", "web1").stdout
    assert "geheim" in virsh(daemon, "dumpxml", "--security-info", "web1").stdout
    virsh(daemon, "start", "web1")
    live = virsh(daemon, "dumpxml", "web1").stdout
    assert "<domain type='qemu' id='1'>" in live and "<alias name='serial0'/>" in live
    stored = virsh(daemon, "dumpxml", "--inactive", "web1").stdout
    assert "<domain type='qemu'>" in stored and "<alias" not in stored
    assert virsh(daemon, "dumpxml", "web1", read_only=True).stdout == live
    refused = virsh(daemon, "dumpxml", "--security-info", "web1", read_only=True, ok=False)
    assert "forbidden" in refused.stderr


def test_description_and_metadata(daemon):
    define(daemon, "web1")
    assert "No description" in virsh(daemon, "desc", "web1").stdout
    virsh(daemon, "desc", "web1", "--config", "shop and", "database")
    assert virsh(daemon, "desc", "web1").stdout.strip() == "shop and database"
    virsh(daemon, "desc", "web1", "--title", "Shop")
    assert "Shop" in virsh(daemon, "list", "--all", "--title").stdout
    where = "http://example.org/app"
    virsh(daemon, "metadata", "web1", where, "--key", "app", "--set", "<owner>kim</owner>")
    assert virsh(daemon, "metadata", "web1", where).stdout.strip() == "<owner>kim</owner>"
    assert "Shop" in virsh(daemon, "dumpxml", "web1").stdout
    virsh(daemon, "metadata", "web1", where, "--remove")
    assert "no metadata" in virsh(daemon, "metadata", "web1", where, ok=False).stderr


def test_host(daemon):
    assert "QEMU" in virsh(daemon, "version").stdout
    assert virsh(daemon, "hostname").stdout.strip()
    assert "qemu" in virsh(daemon, "uri").stdout
    capabilities = ElementTree.fromstring(virsh(daemon, "capabilities").stdout)
    assert capabilities.findtext("guest/os_type") == "hvm"
    assert "q35" in [machine.text for machine in capabilities.iterfind("guest/arch/machine")]
    caps = ElementTree.fromstring(
        virsh(daemon, "domcapabilities", "--virttype", "qemu", "--machine", "q35").stdout)
    assert caps.findtext("domain") == "qemu" and caps.findtext("machine").startswith("pc-q35")
    assert "virtio" in [value.text for value in caps.iterfind("devices/disk/enum[@name='bus']/value")]
    assert "CPU(s):" in virsh(daemon, "nodeinfo").stdout
    assert "total" in virsh(daemon, "nodememstats").stdout
    assert "idle" in virsh(daemon, "nodecpustats").stdout
    assert "CPU map:" in virsh(daemon, "nodecpumap").stdout
    assert "KiB" in virsh(daemon, "freecell").stdout
    assert int(virsh(daemon, "maxvcpus").stdout) > 1
    assert "qemu64" in virsh(daemon, "cpu-models", "x86_64").stdout.split()


def test_stats_keys_monitor_screenshot(daemon):
    define(daemon, "web1", devices="<graphics type='vnc'/><video><model type='vga'/></video>")
    define(daemon, "web2")
    virsh(daemon, "start", "web1")
    stats = virsh(daemon, "domstats").stdout
    assert "Domain: 'web1'" in stats and "state.state=1" in stats and "cpu.time=" in stats
    assert "state.state=5" in virsh(daemon, "domstats", "web2", "--state").stdout
    virsh(daemon, "send-key", "web1", "KEY_LEFTCTRL", "KEY_LEFTALT", "KEY_DELETE")
    status = virsh(daemon, "qemu-monitor-command", "web1", '{"execute": "query-status"}').stdout
    assert '"running":true' in status
    assert "running" in virsh(daemon, "qemu-monitor-command", "web1", "--hmp", "info", "status").stdout
    virsh(daemon, "screenshot", "web1", daemon.root / "screen.png")
    assert (daemon.root / "screen.png").read_bytes().startswith(b"\x89PNG")


def test_what_one_guest_uses(daemon):
    disk = "<disk type='file'><source file='{}'/><target dev='vda' bus='virtio'/></disk>"
    image = daemon.root / "disk.img"
    image.write_bytes(b"\0" * 1048576)
    define(daemon, "web1", vcpus=2, devices=disk.format(image))
    virsh(daemon, "start", "web1")
    memory = dict(line.split() for line in virsh(daemon, "dommemstat", "web1").stdout.splitlines() if line)
    assert memory["actual"] == "131072" and int(memory["rss"]) > 10000
    assert "vda rd_req" in virsh(daemon, "domblkstat", "web1", "vda").stdout
    assert "no disk" in virsh(daemon, "domblkstat", "web1", "vdz", ok=False).stderr
    sizes = virsh(daemon, "domblkinfo", "web1", "vda").stdout.split()
    assert sizes[sizes.index("Capacity:") + 1] == "1048576"
    assert virsh(daemon, "domcontrol", "web1").stdout.strip() == "ok"
    assert virsh(daemon, "vcpuinfo", "web1").stdout.count("State:          running") == 2
    # virsh says nothing of a processor that has used no time yet
    wait_until(lambda: "CPU time:" in virsh(daemon, "vcpuinfo", "web1").stdout, 60, "a processor's time")
    virsh(daemon, "destroy", "web1")
    assert "not running" in virsh(daemon, "domblkstat", "web1", "vda", ok=False).stderr


def test_more_and_less(daemon):
    define(daemon, "web1", vcpus=2)
    virsh(daemon, "setmaxmem", "web1", "256M")
    virsh(daemon, "setmem", "web1", "200M", "--config")
    virsh(daemon, "setvcpus", "web1", "4", "--maximum", "--config")
    virsh(daemon, "setvcpus", "web1", "3", "--config")
    info = virsh(daemon, "dominfo", "web1").stdout
    assert "Max memory:     262144 KiB" in info and "CPU(s):         3" in info
    assert virsh(daemon, "vcpucount", "web1", "--maximum", "--config").stdout.strip() == "4"


def test_without_an_agent(daemon):
    """The calls reach the agent's verbs, which say why they cannot."""
    define(daemon, "web1")
    virsh(daemon, "start", "web1")
    for words in (["qemu-agent-command", "web1", '{"execute": "guest-ping"}'], ["domtime", "web1"],
                  ["domfsfreeze", "web1"], ["domfsthaw", "web1"], ["domfstrim", "web1"],
                  ["domhostname", "web1"], ["domifaddr", "web1", "--source", "agent"],
                  ["set-user-password", "web1", "root", "x"], ["get-user-sshkeys", "web1", "root"],
                  ["shutdown", "web1", "--mode", "agent"], ["dompmsuspend", "web1", "mem"]):
        assert "agent" in virsh(daemon, *words, ok=False).stderr, words


def test_what_is_not_there_says_so(daemon):
    define(daemon, "web1")
    assert "not supported" in virsh(daemon, "checkpoint-list", "web1", ok=False).stderr
    assert virsh(daemon, "list").returncode == 0


def test_bad_documents(daemon):
    bad = daemon.write("bad.xml", "<domain type='qemu'><name>x</name>")
    assert "XML error" in virsh(daemon, "define", bad, ok=False).stderr
    define(daemon, "web1")
    twin = daemon.write("twin.xml", xml_for("web1", boot=False, uuid="9e5ca5a1-6de4-4dfd-8c03-1a1a1a1a1a1a"))
    assert "already exists" in virsh(daemon, "define", twin, ok=False).stderr
    odd = daemon.write("odd.xml", xml_for("odd", boot=False, extra="<sparkle/>"))
    assert "sparkle" in virsh(daemon, "define", "--validate", odd, ok=False).stderr


def test_shutdown_of_a_real_guest(daemon):
    define(daemon, "web1", boot=True)
    virsh(daemon, "start", "web1")
    daemon.console("web1").expect(READY)
    assert "is being shutdown" in virsh(daemon, "shutdown", "web1").stdout
    wait_until(lambda: state(daemon, "web1") == "shut off", 60, "web1 is off")


def test_save_restore_managedsave(daemon):
    define(daemon, "web1")
    virsh(daemon, "start", "web1")
    path = daemon.root / "web1.save"
    assert "saved to" in virsh(daemon, "save", "web1", path).stdout
    assert virsh(daemon, "domstate", "--reason", "web1").stdout.strip() == "shut off (saved)"
    assert "<name>web1</name>" in virsh(daemon, "save-image-dumpxml", path).stdout
    virsh(daemon, "restore", path)
    assert state(daemon, "web1") == "running"
    virsh(daemon, "managedsave", "web1")
    assert "Managed save:   yes" in virsh(daemon, "dominfo", "web1").stdout
    assert virsh(daemon, "list", "--all", "--with-managed-save", "--name").stdout.split() == ["web1"]
    assert virsh(daemon, "list", "--all", "--without-managed-save", "--name").stdout.split() == []
    virsh(daemon, "start", "web1")
    assert state(daemon, "web1") == "running"
    virsh(daemon, "destroy", "web1")
    assert "Managed save:   no" in virsh(daemon, "dominfo", "web1").stdout


def test_after_restart(daemon):
    define(daemon, "web1")
    virsh(daemon, "start", "web1")
    daemon.restart(signal.SIGKILL)
    assert state(daemon, "web1") == "running"
    assert virsh(daemon, "dominfo", "web1").returncode == 0
    virsh(daemon, "destroy", "web1")


def test_vncdisplay_names_the_address(daemon):
    """Live XML says where VNC listens, also where the definition leaves it open."""
    define(daemon, "web1", devices="<graphics type='vnc'/><video><model type='vga'/></video>")
    virsh(daemon, "start", "web1")
    assert virsh(daemon, "vncdisplay", "web1").stdout.strip().startswith("127.0.0.1:")
