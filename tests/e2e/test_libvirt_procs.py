"""Statistics, limits, dumps and jobs by stock clients of libvirt, and by lodge under virsh's names."""
import os
import signal

import libvirt
import pytest

from lodgetest import xml_for
from virttest import connection, refused, virsh

DISK = "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{}'/>" \
       "<target dev='vda' bus='virtio'/></disk>"


@pytest.fixture
def guest(daemon):
    """A guest with a raw disk, a balloon and two CPUs; defined, not started."""
    image = daemon.root / "disk.img"
    image.write_bytes(b"LODGE" + bytes(1048576 - 5))
    devices = DISK.format(image) + "<memballoon model='virtio'/>"
    path = daemon.write("g.xml", xml_for("g", boot=False, vcpus=2, memory=64, devices=devices))
    virsh(daemon, "define", path)
    return "g"


def test_all_stats(daemon, guest):
    virsh(daemon, "start", guest)
    text = virsh(daemon, "domstats", guest).stdout
    for name in ("state.state=1", "cpu.user=", "balloon.current=65536", "balloon.rss=", "vcpu.maximum=2",
                 "vcpu.1.time=", "net.count=", "block.count=1", "block.0.name=vda", "block.0.rd.bytes=",
                 "block.0.capacity=1048576", "iothread.count=0", "dirtyrate.calc_status=0"):
        assert f"  {name}" in text, text
    only = virsh(daemon, "domstats", guest, "--vcpu").stdout
    assert "vcpu.current=2" in only and "block." not in only
    assert virsh(daemon, "domstats", "--list-inactive").stdout.strip() == ""
    assert "g" in virsh(daemon, "domstats", "--list-running", "--state").stdout
    assert daemon.lodge("domstats", guest, "--state").out == f"Domain: '{guest}'\n  state.state=1\n" \
                                                             "  state.reason=1\n\n"
    with connection(daemon) as conn:
        domain = conn.lookupByName(guest)
        assert conn.getAllDomainStats(0, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT)[0][1]["state.state"] == 1
        assert domain.blockStatsFlags("vda")["rd_bytes"] >= 0
        assert domain.memoryStats()["actual"] == 65536
        assert len(domain.vcpus()[0]) == 2
        assert domain.getCPUStats(True)[0]["cpu_time"] > 0
        assert domain.diskErrors() == {}
        refused(lambda: domain.interfaceStats("nosuch"), libvirt.VIR_ERR_INVALID_ARG)


def test_hung_qemu_delays_nobody(daemon, guest):
    """Statistics of a QEMU that does not answer are its last ones, and those of others are not late."""
    virsh(daemon, "start", guest)
    before = virsh(daemon, "domstats", guest, "--block").stdout
    qemu = daemon.qemu_of(guest)
    os.kill(qemu, signal.SIGSTOP)
    try:
        assert virsh(daemon, "domstats", guest, "--block").stdout == before
        assert virsh(daemon, "vcpuinfo", guest).stdout.count("VCPU:") == 2
        assert "vda rd_req" in virsh(daemon, "domblkstat", guest, "vda").stdout
        assert virsh(daemon, "domcontrol", guest, ok=None).stdout.strip() == "error"
    finally:
        os.kill(qemu, signal.SIGCONT)


def test_dump_and_jobs(daemon, guest):
    path = daemon.root / "dump"
    virsh(daemon, "start", guest)
    assert virsh(daemon, "domjobinfo", guest).stdout.startswith("Job type:         None")
    assert f"Domain '{guest}' dumped to {path}" in virsh(daemon, "dump", guest, path, "--memory-only").stdout
    assert path.read_bytes()[:4] == b"\x7fELF" and path.stat().st_mode & 0o777 == 0o600
    done = virsh(daemon, "domjobinfo", guest, "--completed").stdout
    assert "Job type:         Completed" in done and "Operation:        Dump" in done
    assert "Job type:         None" in virsh(daemon, "domjobinfo", guest, "--completed").stdout
    virsh(daemon, "dump", guest, path, "--memory-only", "--format", "kdump-zlib")
    assert path.read_bytes()[:8] == b"makedump" # the flattened form, as of pipes
    virsh(daemon, "dump", guest, path, "--live")
    assert path.read_bytes()[:4] == b"QEVM"
    daemon.wait_state(guest, "running")
    assert "no job is active" in virsh(daemon, "domjobabort", guest, ok=False).stderr
    virsh(daemon, "dump", guest, daemon.root / "no" / "where", ok=False)
    assert daemon.state(guest) == "running"
    assert "Outgoing" not in daemon.lodge("domjobinfo", guest).out
    virsh(daemon, "dump", guest, path, "--crash")
    assert virsh(daemon, "domstate", "--reason", guest).stdout.strip() == "shut off (crashed)"


def test_peek(daemon, guest):
    virsh(daemon, "start", guest)
    with connection(daemon) as conn:
        domain = conn.lookupByName(guest)
        assert bytes(domain.blockPeek("vda", 0, 5)) == b"LODGE"
        refused(lambda: domain.blockPeek("vda", 1048576, 5), libvirt.VIR_ERR_INVALID_ARG)
        assert len(domain.memoryPeek(0, 4096, libvirt.VIR_MEMORY_PHYSICAL)) == 4096
    with connection(daemon, read_only=True) as conn:
        refused(lambda: conn.lookupByName(guest).memoryPeek(0, 16, libvirt.VIR_MEMORY_PHYSICAL),
                libvirt.VIR_ERR_OPERATION_DENIED)


def test_limits_in_the_definition(daemon, guest):
    with connection(daemon) as conn:
        domain = conn.lookupByName(guest)
        config = libvirt.VIR_DOMAIN_AFFECT_CONFIG
        domain.setMemoryParameters({"hard_limit": 1048576}, config)
        assert domain.memoryParameters(config)["hard_limit"] == 1048576
        assert domain.memoryParameters(config)["soft_limit"] == 9007199254740991
        assert domain.schedulerType() == ("posix", 9)
        domain.setSchedulerParametersFlags({"cpu_shares": 2048, "vcpu_quota": -1}, config)
        assert domain.schedulerParametersFlags(config)["cpu_shares"] == 2048
        domain.setBlkioParameters({"weight": 500, "device_weight": "/dev/sda,200"}, config)
        assert domain.blkioParameters(config)["device_weight"] == "/dev/sda,200"
        domain.setNumaParameters({"numa_nodeset": "0", "numa_mode": 0}, config)
        assert domain.numaParameters(config)["numa_nodeset"] == "0"
        domain.setBlockIoTune("vda", {"total_bytes_sec": 1000000}, config)
        assert domain.blockIoTune("vda", config)["total_bytes_sec"] == 1000000
        domain.pinVcpuFlags(1, (True, False), config)
        assert domain.vcpuPinInfo(config)[1][0] is True and not any(domain.vcpuPinInfo(config)[1][1:])
        domain.pinEmulator((True, False), config)
        assert domain.emulatorPinInfo(config)[0] is True
        with pytest.raises(LookupError):
            domain.setMemoryParameters({"nosuch": 1}, config)
        text = domain.XMLDesc()
    for words in ("<hard_limit unit='KiB'>1048576<", "<shares>2048<", "<weight>500<", "nodeset='0'",
                  "<total_bytes_sec>1000000<", "<vcpupin vcpu='1' cpuset='0'/>", "<emulatorpin cpuset='0'/>"):
        assert words in text, text
    assert "weight         : 500" in virsh(daemon, "blkiotune", guest).stdout
    assert daemon.lodge("blkiotune", guest).out.startswith("weight         : 500\n")


def test_interface_limits(daemon):
    mac = "52:54:00:11:22:33"
    nic = f"<interface type='user'><mac address='{mac}'/><model type='virtio'/></interface>"
    virsh(daemon, "define", daemon.write("n.xml", xml_for("n", boot=False, devices=nic)))
    virsh(daemon, "domiftune", "n", mac, "--inbound", "1000,2000,512", "--config")
    assert "<inbound average='1000' peak='2000' burst='512'/>" in virsh(daemon, "dumpxml", "n").stdout
    assert "inbound.peak   : 2000" in virsh(daemon, "domiftune", "n", mac).stdout
    assert "inbound.peak   : 2000" in daemon.lodge("domiftune", "n", mac).out


def test_live_limits(daemon, guest):
    """Of what runs, where the host has control groups; where not, it says so and nothing changes."""
    virsh(daemon, "start", guest)
    done = virsh(daemon, "memtune", guest, "--hard-limit", "4194304", "--live", ok=None)
    shown = virsh(daemon, "memtune", guest, "--live").stdout
    if done.returncode == 0:
        assert "hard_limit     : 4194304" in shown
    else:
        assert "control groups" in done.stderr and "hard_limit     : unlimited" in shown
    virsh(daemon, "dommemstat", guest, "--period", "2", "--live")
    assert "<stats period='2'/>" in virsh(daemon, "dumpxml", guest).stdout
