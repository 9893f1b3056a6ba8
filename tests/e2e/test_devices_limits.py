"""Verbs that show disks, interfaces, screens and use, and verbs that change limits."""
import re
import subprocess

import pytest

UUID = "11111111-2222-3333-4444-666666666666"


@pytest.fixture
def guest(daemon):
    image = daemon.root / "a.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "64M"], check=True)
    image.chmod(0o666)
    daemon.define("web1", boot=False, uuid=UUID, memory=128, vcpus=2, devices=f"""
        <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{image}'/>
          <target dev='vda' bus='virtio'/></disk>
        <disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>
        <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>
        <graphics type='vnc' port='-1' passwd='secret'/>""")
    return "web1"


def limits(text):
    return {key.strip(): value.strip() for key, value in
            (line.split(":", 1) for line in text.splitlines() if ":" in line)}


def test_lists(daemon, guest):
    assert [line.split() for line in daemon.lodge("domblklist", guest, "--details").out.splitlines()[2:4]] == [
        ["file", "disk", "vda", str(daemon.root / "a.qcow2")], ["file", "cdrom", "sda", "-"]]
    nics = daemon.lodge("domiflist", guest, "--json").json["devices"]
    assert [(nic["type"], nic["model"], nic["mac"]) for nic in nics] == [("user", "virtio", "52:54:00:00:00:01")]


def test_domblkinfo(daemon, guest):
    image = daemon.root / "a.qcow2"
    info = limits(daemon.lodge("domblkinfo", guest, "vda").out)
    assert info == {"Capacity": str(64 << 20), "Physical": str(image.stat().st_size),
                    "Allocation": str(image.stat().st_blocks * 512)}
    assert limits(daemon.lodge("domblkinfo", guest, image, "--human").out)["Capacity"] == "64.000 MiB"
    assert len(daemon.lodge("domblkinfo", guest, "--all").out.splitlines()) == 5
    assert daemon.lodge("domblkinfo", guest, "vdz", ok=False).code == 2
    assert daemon.lodge("domblkinfo", guest, ok=False).code == 2


def test_running(daemon, guest):
    for verb in ("domblkstat", "vncdisplay", "domdisplay", "ttyconsole", "domcontrol", "vcpuinfo", "cpu-stats",
                 "dommemstat", "domblkerror"):
        assert daemon.lodge(verb, guest, ok=False).code == 4, verb
    daemon.lodge("start", guest)
    lines = daemon.lodge("domblkstat", guest, "vda").out.splitlines()
    stats = {line.split()[1]: int(line.split()[2]) for line in lines}
    assert stats.keys() >= {"rd_req", "rd_bytes", "wr_req", "wr_bytes", "flush_operations"}
    assert daemon.lodge("domblkstat", guest, "vdz", ok=False).code == 2
    display = daemon.lodge("vncdisplay", guest).out.strip()
    number = int(re.fullmatch(r".*:(\d+)", display).group(1))
    assert daemon.lodge("domdisplay", guest).out.strip().endswith(f":{number}")
    assert "secret" in daemon.lodge("domdisplay", guest, "--include-password").out
    assert daemon.lodge("domdisplay", guest, "--type", "spice", ok=False).code == 3
    assert daemon.lodge("ttyconsole", guest).out.startswith("/dev/pts/")
    assert daemon.lodge("domcontrol", guest).out.strip() == "ok"
    assert daemon.lodge("domblkerror", guest).out.strip() == "No errors found"
    assert daemon.lodge("domifstat", guest, "vnet0", ok=False).code == 2


def test_use(daemon, guest):
    daemon.lodge("start", guest)
    assert re.search(r"\tcpu_time +\d+\.\d{9} seconds", daemon.lodge("cpu-stats", guest).out)
    memory = daemon.lodge("dommemstat", guest, "--json").json
    assert memory["actual"] == 128 << 20 and memory["rss"] > 1000000


def test_names(daemon, guest):
    assert daemon.lodge("domid", guest).out.strip() == "-"
    assert daemon.lodge("domuuid", guest).out.strip() == UUID
    assert daemon.lodge("domname", UUID).out.strip() == guest


# ---- limits ----

def xml(daemon, guest, *words):
    return daemon.lodge("dumpxml", guest, *words).out


def test_memory(daemon, guest):
    daemon.lodge("setmaxmem", guest, "256M")
    daemon.lodge("setmem", guest, "200M", "--config")
    assert "<memory unit='KiB'>262144<" in xml(daemon, guest)
    assert "<currentMemory unit='KiB'>204800<" in xml(daemon, guest)
    daemon.lodge("setmem", guest, "102400")
    assert "<currentMemory unit='KiB'>102400<" in xml(daemon, guest)
    assert daemon.lodge("setmem", guest, "1G", ok=False).code == 2
    assert daemon.lodge("setmem", guest, "0", ok=False).code == 2
    daemon.lodge("setmaxmem", guest, "65536")
    assert "<currentMemory unit='KiB'>65536<" in xml(daemon, guest)
    daemon.lodge("start", guest)
    assert daemon.lodge("setmaxmem", guest, "128M", ok=False).code == 4
    assert "QEMU refused balloon" in daemon.lodge("setmem", guest, "32M", ok=False).err  # it has none
    daemon.lodge("setmaxmem", guest, "128M", "--config")
    assert "131072" in xml(daemon, guest, "--inactive") and "131072" not in xml(daemon, guest)


def test_balloon(daemon):
    text = "<domain type='qemu'><name>b</name><memory unit='MiB'>64</memory><os><type>hvm</type></os></domain>"
    daemon.lodge("define", daemon.write("b.xml", text))
    daemon.lodge("start", "b")
    assert "so far" in daemon.lodge("setmem", "b", "32M", "--live").err  # no driver gives any
    assert daemon.lodge("dommemstat", "b", "--json").json["actual"] == 64 << 20
    assert daemon.lodge("setmem", "b", "128M", "--live", ok=False).code == 2


def test_vcpus(daemon, guest):
    daemon.lodge("setvcpus", guest, "1")
    assert "current='1'>2</vcpu>" in xml(daemon, guest)
    assert daemon.lodge("setvcpus", guest, "3", ok=False).code == 2
    daemon.lodge("setvcpus", guest, "3", "--maximum", "--config")
    daemon.lodge("setvcpus", guest, "3", "--config")
    assert ">3</vcpu>" in xml(daemon, guest) and "current=" not in xml(daemon, guest)
    daemon.lodge("start", guest)
    assert daemon.lodge("setvcpus", guest, "1", ok=False).code == 4


def test_pins(daemon, guest):
    assert len(daemon.lodge("vcpupin", guest).out.splitlines()) == 4
    daemon.lodge("vcpupin", guest, "1", "0")
    daemon.lodge("emulatorpin", guest, "0")
    assert "<vcpupin vcpu='1' cpuset='0'/>" in xml(daemon, guest)
    assert "<emulatorpin cpuset='0'/>" in xml(daemon, guest)
    assert daemon.lodge("vcpupin", guest, "7", "0", ok=False).code == 2
    assert daemon.lodge("vcpupin", guest, "0", "^0", ok=False).code == 2
    daemon.lodge("start", guest)
    daemon.lodge("vcpupin", guest, "0", "0", "--live")
    affinity = daemon.lodge("vcpuinfo", guest, "--json").json["vcpus"][0]["affinity"]
    assert affinity == "y" + "-" * (len(affinity) - 1)
    assert "vcpu='0'" in xml(daemon, guest) and "vcpu='0'" not in xml(daemon, guest, "--inactive")
    daemon.lodge("emulatorpin", guest, "0", "--live")


def test_tuning(daemon, guest):
    assert limits(daemon.lodge("memtune", guest).out)["hard_limit"] == "unlimited"
    daemon.lodge("memtune", guest, "--hard-limit", "1G", "--soft-limit", "524288")
    assert limits(daemon.lodge("memtune", guest).out) == {
        "hard_limit": "1048576", "soft_limit": "524288", "swap_hard_limit": "unlimited"}
    daemon.lodge("memtune", guest, "--soft-limit", "-1")
    assert "soft_limit" not in xml(daemon, guest) and "hard_limit" in xml(daemon, guest)
    assert daemon.lodge("memtune", guest, "--hard-limit", "much", ok=False).code == 2
    assert limits(daemon.lodge("schedinfo", guest).out)["cpu_shares"] == "0"
    done = daemon.lodge("schedinfo", guest, "cpu_shares=512", "vcpu_quota=-1")
    assert limits(done.out)["cpu_shares"] == "512" and "<shares>512</shares>" in xml(daemon, guest)
    for wrong in ("cpu_shares=x", "no_such=1", "cpu_shares"):
        assert daemon.lodge("schedinfo", guest, wrong, ok=False).code == 2
    daemon.lodge("numatune", guest, "--mode", "preferred", "--nodeset", "0")
    assert limits(daemon.lodge("numatune", guest).out) == {"numa_mode": "preferred", "numa_nodeset": "0"}
    daemon.lodge("start", guest)
    assert daemon.lodge("numatune", guest, "--nodeset", "1", ok=False).code == 4
    daemon.lodge("schedinfo", guest, "cpu_shares=100", "--config")
    assert "<shares>100</shares>" in xml(daemon, guest, "--inactive")


def test_blkdeviotune(daemon, guest):
    assert limits(daemon.lodge("blkdeviotune", guest, "vda").out)["total_bytes_sec"] == "0"
    daemon.lodge("blkdeviotune", guest, "vda", "--total-iops-sec", "100")
    assert "<total_iops_sec>100</total_iops_sec>" in xml(daemon, guest)
    assert daemon.lodge("blkdeviotune", guest, "vda", "--read-iops-sec", "5", ok=False).code == 2
    assert daemon.lodge("blkdeviotune", guest, "vdz", "--read-iops-sec", "5", ok=False).code == 2
    daemon.lodge("start", guest)
    daemon.lodge("blkdeviotune", guest, "vda", "--write-bytes-sec", "1048576", "--live")
    shown = limits(daemon.lodge("blkdeviotune", guest, "vda").out)
    assert shown["write_bytes_sec"] == "1048576" and shown["total_iops_sec"] == "100"
    told = daemon.lodge("qemu-monitor-command", guest, '{"execute": "query-block"}').out
    assert '"bps_wr":1048576' in told.replace(" ", "") and '"iops":100' in told.replace(" ", "")
    assert "write_bytes_sec" not in xml(daemon, guest, "--inactive")
