"""Statistics, limits, dumps and jobs by stock clients of libvirt, and by lodge under virsh's names."""
import os
import queue
import signal
import socket
from xml.etree import ElementTree

import libvirt
import libvirt_qemu
import pytest

from lodgetest import wait_until, xml_for
from virttest import EventLoop, connection, refused, virsh

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
        wait_until(lambda: virsh(daemon, "domcontrol", guest, ok=None).stdout.strip() == "error", 60,
                   "it is said that QEMU does not answer")
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


def test_events_of_jobs_and_of_qemu(daemon, guest):
    """A finished dump, and QEMU's own events, which a pattern chooses."""
    EventLoop.start()
    heard = queue.Queue()
    virsh(daemon, "start", guest)
    with connection(daemon) as conn:
        domain = conn.lookupByName(guest)
        for event in range(27):  # every one can be asked for
            conn.domainEventDeregisterAny(conn.domainEventRegisterAny(None, event, lambda *_: None, None))
        conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED,
                                    lambda _conn, dom, params, _: heard.put((dom.name(), params)), None)
        libvirt_qemu.qemuMonitorEventRegister(
            conn, None, "^ST.P$", lambda _conn, dom, event, *_: heard.put((dom.name(), event)), None,
            libvirt_qemu.VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_REGEX)
        domain.suspend()
        assert heard.get(timeout=60) == (guest, "STOP")
        domain.coreDumpWithFormat(str(daemon.root / "core"), libvirt.VIR_DOMAIN_CORE_DUMP_FORMAT_RAW,
                                  libvirt.VIR_DUMP_MEMORY_ONLY)
        name, params = heard.get(timeout=60)
        assert name == guest and params["operation"] == libvirt.VIR_DOMAIN_JOB_OPERATION_DUMP


def test_screens_and_channels(daemon):
    devices = ("<graphics type='vnc'><listen type='none'/></graphics>"
               "<channel type='unix'><target type='virtio' name='org.example.0'/></channel>")
    virsh(daemon, "define", daemon.write("s.xml", xml_for("s", boot=False, devices=devices)))
    virsh(daemon, "start", "s")
    with connection(daemon) as conn:
        domain = conn.lookupByName("s")
        ours, theirs = socket.socketpair()
        with ours, theirs:
            domain.openGraphics(0, theirs.fileno(), libvirt.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH)
            ours.settimeout(60)
            assert ours.recv(4) == b"RFB "
        refused(lambda: domain.openGraphics(1, 0), libvirt.VIR_ERR_INVALID_ARG)
        refused(lambda: domain.screenshot(conn.newStream(0), 3), libvirt.VIR_ERR_INVALID_ARG)
        first, second = conn.newStream(0), conn.newStream(0)
        domain.openChannel("org.example.0", first, 0)
        refused(lambda: domain.openChannel("org.example.0", second, 0), libvirt.VIR_ERR_OPERATION_FAILED)
        refused(lambda: domain.openChannel("nosuch", conn.newStream(0), 0), libvirt.VIR_ERR_INTERNAL_ERROR)
        first.abort()
        wait_until(lambda: "disconnected" in domain_chardevs(domain), 60, "the channel is free again")


def domain_chardevs(domain):
    return libvirt_qemu.qemuMonitorCommand(domain, '{"execute":"query-chardev"}', 0)


def test_one_console_at_a_time(daemon, guest):
    virsh(daemon, "start", guest)
    with connection(daemon) as conn:
        domain = conn.lookupByName(guest)
        first, second = conn.newStream(0), conn.newStream(0)
        domain.openConsole(None, first, 0)
        assert "Active console session" in refused(lambda: domain.openConsole(None, second, 0),
                                                   libvirt.VIR_ERR_OPERATION_FAILED)
        domain.openConsole(None, conn.newStream(0), libvirt.VIR_DOMAIN_CONSOLE_FORCE)


def test_host(daemon):
    with connection(daemon) as conn:
        assert conn.getSecurityModel() == ["", ""]
        free = conn.getFreePages([4], 0, 1)
        assert free[0][4] > 0
        refused(lambda: conn.getFreePages([3], 0, 1), libvirt.VIR_ERR_INVALID_ARG)
        refused(lambda: conn.suspendForDuration(0, 10), libvirt.VIR_ERR_INVALID_ARG)
        conn.getMemoryParameters()
    assert virsh(daemon, "freepages", "--cellno", "0", "--pagesize", "4").stdout.startswith("4KiB:")
    assert daemon.lodge("freepages", "--pagesize", "4").out.startswith("Node 0:\n4KiB: ")
    assert daemon.lodge("allocpages", "3K", "1", ok=False).code == 2


CPU = "<cpu match='exact'><model>{}</model>{}</cpu>"


def test_cpus(daemon):
    with connection(daemon) as conn:
        text = conn.getDomainCapabilities(None, None, None, "qemu")
        host = ElementTree.fromstring(text).find("cpu/mode[@name='host-model']")
        assert host.get("supported") == "yes"
        own = "<cpu><model>" + host.find("model").text + "</model>" + "".join(
            ElementTree.tostring(one, encoding="unicode") for one in host.findall("feature")) + "</cpu>"
        which = (None, None, None, "qemu")
        assert conn.compareHypervisorCPU(*which, own, 0) == libvirt.VIR_CPU_COMPARE_IDENTICAL
        assert conn.compareHypervisorCPU(*which, CPU.format("qemu64", ""), 0) == libvirt.VIR_CPU_COMPARE_SUPERSET
        lacking = CPU.format("qemu64", "<feature policy='require' name='nosuch'/>")
        assert conn.compareHypervisorCPU(*which, lacking, 0) == libvirt.VIR_CPU_COMPARE_INCOMPATIBLE
        refused(lambda: conn.compareHypervisorCPU(*which, CPU.format("nosuch", ""), 0),
                libvirt.VIR_ERR_CONFIG_UNSUPPORTED)
        both = conn.baselineHypervisorCPU(*which, [CPU.format("qemu64", ""), CPU.format("Nehalem", "")], 0)
        assert ElementTree.fromstring(both).find("model") is not None
        assert ">Nehalem<" in conn.baselineHypervisorCPU(*which, [CPU.format("Nehalem", "")], 0)
    assert "Nehalem" in daemon.lodge("cpu-baseline", daemon.write("c.xml", CPU.format("Nehalem", ""))).out


def test_native(daemon, guest):
    text = virsh(daemon, "domxml-to-native", "qemu-argv", "--domain", guest).stdout
    assert "qemu-system-x86_64" in text and f"{daemon.root}/disk.img" in text and "/dev/fdset" not in text
    assert "unsupported config type" in virsh(daemon, "domxml-to-native", "xen-xl", "--domain", guest, ok=False).stderr
    assert f"{daemon.root}/disk.img" in daemon.lodge("domxml-to-native", "qemu-argv", "--domain", guest).out
    assert daemon.lodge("domxml-to-native", "qemu-argv", ok=False).code == 2


def test_iothreads(daemon, guest):
    assert "No IOThreads" in virsh(daemon, "iothreadinfo", guest).stdout
    virsh(daemon, "iothreadadd", guest, "--id", "3", "--config")
    assert "<iothread id='3'/>" in virsh(daemon, "dumpxml", guest).stdout
    virsh(daemon, "start", guest)
    virsh(daemon, "iothreadadd", guest, "--id", "5", "--live")
    virsh(daemon, "iothreadpin", guest, "5", "0", "--live")
    virsh(daemon, "iothreadset", guest, "5", "--poll-max-ns", "1000", "--live")
    lines = virsh(daemon, "iothreadinfo", guest, "--live").stdout.split("\n")
    assert [line.split() for line in lines[2:4]][1] == ["5", "0"]
    assert "iothread.5.poll-max-ns=1000" in virsh(daemon, "domstats", guest, "--iothread").stdout
    virsh(daemon, "iothreaddel", guest, "5", "--live")
    assert "no IOThread 9" in virsh(daemon, "iothreaddel", guest, "9", "--live", ok=False).stderr
    assert " 3 " in daemon.lodge("iothreadinfo", guest).out


def test_dirty_rate(daemon, guest):
    """A measure is begun by a client, and domstats tells what was found."""
    virsh(daemon, "start", guest)
    with connection(daemon) as conn:
        domain = conn.lookupByName(guest)
        refused(lambda: domain.startDirtyRateCalc(61, 0), libvirt.VIR_ERR_CONFIG_UNSUPPORTED)
        refused(lambda: domain.startDirtyRateCalc(1, 3), libvirt.VIR_ERR_INVALID_ARG)
        domain.startDirtyRateCalc(1, libvirt.VIR_DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING)
        wait_until(lambda: "dirtyrate.calc_status=2" in virsh(daemon, "domstats", guest, "--dirtyrate").stdout, 60,
                   "it is measured")
        assert "calc_mode=page-sampling" in virsh(daemon, "domstats", guest, "--dirtyrate").stdout
        refused(lambda: domain.agentSetResponseTimeout(-3), libvirt.VIR_ERR_INVALID_ARG)
        refused(lambda: domain.agentSetResponseTimeout(5), libvirt.VIR_ERR_OPERATION_INVALID)
    for mode in "dirty-ring", "dirty-bitmap":  # QEMU 7.2 would die of it where there is no KVM
        said = daemon.lodge("domdirtyrate-calc", guest, "--mode", mode, ok=None)
        assert said.code == 0 or f"{mode} calculation mode " in said.err
    assert virsh(daemon, "domstate", guest).stdout.strip() == "running"
