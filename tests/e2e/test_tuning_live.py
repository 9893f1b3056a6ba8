"""Verbs that change what a running guest may use: control groups where the host has them, threads, and the
event that tells of it, as virsh and python3-libvirt see them."""
import contextlib
import os
import pathlib
import re
import subprocess

import pytest

from lodgetest import wait_until
from virttest import EventLoop

UUID = "11111111-2222-3333-4444-77777777aaaa"


def start(daemon, extra=""):
    image = daemon.root / "a.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "1M"], check=True)
    image.chmod(0o666)
    daemon.define("t1", boot=False, uuid=UUID, memory=64, vcpus=2, extra=extra, devices=f"""
        <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{image}'/>
          <target dev='vda' bus='virtio'/></disk>""")
    daemon.lodge("start", "t1", "--paused")
    return daemon.qemu_of("t1")


def group(pid, controller):
    """The guest's folder of a control group; None where the host has no such controller."""
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if "guest-" not in path:
            continue
        mounts = [row.split() for row in pathlib.Path("/proc/mounts").read_text().splitlines()]
        kind = [row[1] for row in mounts if (row[2] == "cgroup" and controller in row[3].split(",")) or
                (not names and row[2] == "cgroup2")]
        if controller in names.split(",") or not names:
            for at in kind:
                folder = pathlib.Path(at + path)
                if list(folder.glob(f"{controller}.*")) or (not names and (folder / "io.max").exists()):
                    return folder
    return None


def a_disk():
    """One that stays: loop devices are other tests'."""
    for name in sorted(os.listdir("/sys/block")):
        if re.match("loop|dm-|ram|zram|nbd|sr", name):
            continue
        if int(pathlib.Path(f"/sys/block/{name}/size").read_text()) and os.path.exists(f"/dev/{name}"):
            return f"/dev/{name}", pathlib.Path(f"/sys/block/{name}/dev").read_text().strip()
    pytest.skip("the host has no disk")


def virsh(daemon, *words, ok=True):
    done = subprocess.run(["virsh", "-c", f"qemu:///system?socket={daemon.root}/run/libvirt-sock", *words],
                          text=True, capture_output=True, timeout=60)
    assert (done.returncode == 0) == ok, done
    return done.stdout + done.stderr


def test_disks_of_the_host(daemon):
    pid = start(daemon)
    disk, number = a_disk()
    words = ("blkiotune", "t1", "--device-read-iops-sec", f"{disk},500", "--device-write-bytes-sec",
             f"{disk},1048576", "--live")
    folder = group(pid, "blkio")
    if not folder:
        assert daemon.lodge(*words, ok=False).code == 8
        return
    virsh(daemon, *words)
    v1 = (folder / "blkio.throttle.read_iops_device").exists()
    if v1:
        assert (folder / "blkio.throttle.read_iops_device").read_text().split() == [number, "500"]
        assert (folder / "blkio.throttle.write_bps_device").read_text().split() == [number, "1048576"]
    else:
        assert f"{number} rbps=max wbps=1048576 riops=500" in (folder / "io.max").read_text()
    assert f"<path>{disk}</path>" in daemon.lodge("dumpxml", "t1").out
    assert "<path>" not in daemon.lodge("dumpxml", "t1", "--inactive").out
    assert f"{disk},500" in virsh(daemon, "blkiotune", "t1", "--live")
    # 0 takes the bound away; what is no disk is refused, and nothing is written down
    virsh(daemon, "blkiotune", "t1", "--device-read-iops-sec", f"{disk},0", "--live")
    assert not v1 or not (folder / "blkio.throttle.read_iops_device").read_text()
    wrong = daemon.lodge("blkiotune", "t1", "--device-read-iops-sec", f"{disk},7,/dev/null,7", ok=False)
    assert "/dev/null is no disk" in wrong.err and "<read_iops_sec>7<" not in daemon.lodge("dumpxml", "t1").out
    assert not v1 or not (folder / "blkio.throttle.read_iops_device").read_text()


def test_memory(daemon):
    pid = start(daemon)
    folder = group(pid, "memory")
    if not folder or not (folder / "memory.memsw.limit_in_bytes").exists():
        pytest.skip("the host's control groups do not bound memory and swap by version 1")
    virsh(daemon, "memtune", "t1", "--hard-limit", "1048576", "--swap-hard-limit", "2097152")
    read = lambda name: int((folder / f"memory.{name}").read_text())
    assert (read("limit_in_bytes"), read("memsw.limit_in_bytes")) == (1 << 30, 2 << 30)
    virsh(daemon, "memtune", "t1", "--hard-limit", "3145728", "--swap-hard-limit", "4194304")
    assert (read("limit_in_bytes"), read("memsw.limit_in_bytes")) == (3 << 30, 4 << 30)
    assert "must be lower than or equal" in virsh(daemon, "memtune", "t1", "--hard-limit", "5242880", ok=False)
    assert "min_guarantee" in virsh(daemon, "memtune", "t1", "--min-guarantee", "1024", ok=False)
    virsh(daemon, "memtune", "t1", "--swap-hard-limit", "-1", "--hard-limit", "-1")
    assert read("limit_in_bytes") > 1 << 60


@pytest.mark.parametrize("mode", ["restrictive", "strict"])
def test_nodes(daemon, mode):
    pid = start(daemon, f"<numatune><memory mode='{mode}' nodeset='0'/></numatune>")
    status = lambda: re.search(r"Mems_allowed_list:\s*(\S+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]
    assert "can't change numatune mode" in virsh(daemon, "numatune", "t1", "--mode", "preferred", "--live", ok=False)
    virsh(daemon, "numatune", "t1", "--nodeset", "0", "--live")  # as it is
    assert "numa_nodeset   : 0" in virsh(daemon, "numatune", "t1")
    wrong = virsh(daemon, "numatune", "t1", "--nodeset", "0,63", "--live", ok=False)
    if mode == "strict":
        assert "can't change nodeset for strict mode" in wrong
    else:
        assert "NUMA node 63 is unavailable" in wrong
        joined = re.search(r"^\d+:cpuset:(.*)$", pathlib.Path(f"/proc/{pid}/cgroup").read_text(), re.M)
        assert status() == "0" and (not joined or "guest-" in joined[1])
    daemon.restart()
    daemon.lodge("destroy", "t1")


def test_pins_from_the_first_instruction(daemon):
    daemon.lodge("version")
    pid = start(daemon, """<iothreads>1</iothreads><cputune><vcpupin vcpu='1' cpuset='0'/>
        <emulatorpin cpuset='0'/><iothreadpin iothread='1' cpuset='0'/></cputune>""")
    allowed = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended
            allowed[task.name] = re.search(r"Cpus_allowed_list:\s*(\S+)", (task / "status").read_text())[1]
    assert allowed[str(pid)] == "0" and list(allowed.values()).count("0") >= 2
    daemon.lodge("destroy", "t1")
    daemon.define("t1", boot=False, uuid=UUID, vcpus=1,
                  extra="<cputune><vcpupin vcpu='0' cpuset='900'/></cputune>")
    assert "CPU 0 cannot run on the host's processors 900" in daemon.lodge("start", "t1", ok=False).err


def test_event(daemon):
    libvirt = pytest.importorskip("libvirt")
    start(daemon)
    EventLoop.start()
    heard = []
    connection = libvirt.open(f"qemu:///system?socket={daemon.root}/run/libvirt-sock")
    connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_TUNABLE,
                                      lambda conn, dom, params, opaque: heard.append((dom.name(), params)), None)
    domain = connection.lookupByName("t1")
    expected = []
    try:
        domain.setSchedulerParametersFlags({"cpu_shares": 512, "vcpu_quota": -1}, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        expected.append({"cputune.cpu_shares": 512, "cputune.vcpu_quota": -1})
    except libvirt.libvirtError as error:
        assert "control groups" in str(error)  # there are none
    domain.setBlockIoTune("vda", {"total_iops_sec": 900, "group_name": "g"}, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    expected.append({"blkdeviotune.disk": "vda", "blkdeviotune.total_iops_sec": 900, "blkdeviotune.group_name": "g"})
    domain.pinVcpuFlags(1, (True, False), libvirt.VIR_DOMAIN_AFFECT_LIVE)
    expected.append({"cputune.vcpupin1": "0"})
    domain.pinEmulator((True, False), libvirt.VIR_DOMAIN_AFFECT_LIVE)
    expected.append({"cputune.emulatorpin": "0"})
    domain.pinVcpuFlags(1, (True, False), libvirt.VIR_DOMAIN_AFFECT_CONFIG)  # tells nothing
    try:
        wait_until(lambda: len(heard) >= len(expected), 60, "the events have come")
        assert heard == [("t1", params) for params in expected]
    finally:
        connection.close()
