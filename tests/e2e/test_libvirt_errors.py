"""Wrong calls: what libvirt's clients get for each is a number, who speaks, and a level. The table was
taken from libvirt 9.0 once (qemu:///embed); clients branch on the numbers."""
import libvirt as lv
import libvirt_qemu
import pytest

from virttest import EventLoop, connection

UUID = "11111111-2222-4333-8444-5555555555"
XML = """<domain type='qemu'>
  <name>{name}</name><uuid>{uuid}</uuid><memory>65536</memory><vcpu>2</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/nonexistent/e1.img'/>
      <target dev='vda' bus='virtio'/></disk>
    <interface type='user'><mac address='52:54:00:11:22:33'/><model type='virtio'/></interface>
    <memballoon model='virtio'/>
  </devices>
</domain>"""
SECOND = "<disk type='file'><source file='/x'/><target dev='vda'/></disk><interface"
LIVE, CONFIG = 1, 2


def xml(name="e1", n=1):
    return XML.format(name=name, uuid=f"{UUID}{n:02d}")


def but(old, new):
    """A document that would do but for this."""
    return xml("b", 5).replace(old, new, 1)


def gone(c):
    d = c.defineXML(xml("gone", 77))
    d.undefine()
    return d


# what is wrong, libvirt's number, who speaks (10: QEMU's driver, 20: what drivers share, 5: XML), the call
CASES = [
    # ---- who is not there ----
    ("lookup name", 42, 10, lambda c, d: c.lookupByName("nobody")),
    ("lookup empty name", 42, 10, lambda c, d: c.lookupByName("")),
    ("lookup uuid", 42, 10, lambda c, d: c.lookupByUUIDString(UUID + "99")),
    ("lookup bad uuid", 8, 20, lambda c, d: c.lookupByUUIDString("no-uuid")),
    ("lookup id", 42, 10, lambda c, d: c.lookupByID(4711)),
    ("gone start", 42, 10, lambda c, d: gone(c).create()),
    ("gone info", 42, 10, lambda c, d: gone(c).info()),
    ("gone xml", 42, 10, lambda c, d: gone(c).XMLDesc()),
    ("gone undefine", 42, 10, lambda c, d: gone(c).undefine()),
    # ---- not running ----
    ("off destroy", 55, 20, lambda c, d: d.destroy()),
    ("off shutdown", 55, 10, lambda c, d: d.shutdown()),
    ("off reboot", 55, 20, lambda c, d: d.reboot()),
    ("off reset", 55, 20, lambda c, d: d.reset()),
    ("off suspend", 55, 20, lambda c, d: d.suspend()),
    ("off resume", 55, 20, lambda c, d: d.resume()),
    ("off nmi", 55, 20, lambda c, d: d.injectNMI()),
    ("off sendkey", 55, 20, lambda c, d: d.sendKey(0, 0, [30], 1, 0)),
    ("off save", 55, 20, lambda c, d: d.save("/nonexistent/x")),
    ("off managedSave", 55, 20, lambda c, d: d.managedSave()),
    ("off coreDump", 55, 20, lambda c, d: d.coreDump("/nonexistent/x")),
    ("off screenshot", 55, 20, lambda c, d: d.screenshot(c.newStream(), 0)),
    ("off console", 55, 20, lambda c, d: d.openConsole(None, c.newStream())),
    ("off blockStats", 55, 20, lambda c, d: d.blockStats("vda")),
    ("off memoryPeek", 55, 20, lambda c, d: d.memoryPeek(0, 512, lv.VIR_MEMORY_PHYSICAL)),
    ("off memoryStats", 55, 20, lambda c, d: d.memoryStats()),
    ("off interfaceStats", 55, 20, lambda c, d: d.interfaceStats("vnet0")),
    ("off vcpus", 55, 10, lambda c, d: d.vcpus()),
    ("off cpuStats", 55, 20, lambda c, d: d.getCPUStats(True)),
    ("off controlInfo", 55, 20, lambda c, d: d.controlInfo()),
    ("off diskErrors", 55, 20, lambda c, d: d.diskErrors()),
    ("off jobInfo", 55, 20, lambda c, d: d.jobInfo()),
    ("off jobStats", 55, 20, lambda c, d: d.jobStats()),
    ("off abortJob", 55, 20, lambda c, d: d.abortJob()),
    ("off fsInfo", 55, 20, lambda c, d: d.fsInfo()),
    ("off fsFreeze", 55, 20, lambda c, d: d.fsFreeze()),
    ("off getTime", 55, 20, lambda c, d: d.getTime()),
    ("off hostname", 55, 20, lambda c, d: d.hostname()),
    ("off guestInfo", 55, 10, lambda c, d: d.guestInfo()),
    ("off setUserPassword", 55, 20, lambda c, d: d.setUserPassword("root", "x")),
    ("off interfaceAddresses", 55, 20, lambda c, d: d.interfaceAddresses(1)),
    ("off monitor", 55, 20, lambda c, d: libvirt_qemu.qemuMonitorCommand(d, "{}", 0)),
    ("off pmSuspend", 55, 10, lambda c, d: d.pMSuspendForDuration(0, 0)),
    ("off pmWakeup", 55, 20, lambda c, d: d.pMWakeup()),
    ("off openGraphics", 55, 20, lambda c, d: d.openGraphicsFD(0)),
    ("off setMemory live", 55, 20, lambda c, d: d.setMemoryFlags(32768, LIVE)),
    ("off pin live", 55, 20, lambda c, d: d.pinVcpuFlags(0, (True,), LIVE)),
    ("off schedinfo live", 55, 20, lambda c, d: d.setSchedulerParametersFlags({"cpu_shares": 512}, LIVE)),
    ("off blockIoTune live", 55, 20, lambda c, d: d.setBlockIoTune("vda", {"total_iops_sec": 10}, LIVE)),
    ("off metadata live", 55, 20, lambda c, d: d.setMetadata(1, "x", None, None, LIVE)),
    ("off lifecycle live", 55, 20, lambda c, d: d.setLifecycleAction(0, 0, LIVE)),
    ("off threshold", 55, 20, lambda c, d: d.setBlockThreshold("vda", 5)),
    ("off memoryStatsPeriod live", 55, 20, lambda c, d: d.setMemoryStatsPeriod(5, LIVE)),
    ("off setMemory", 55, 20, lambda c, d: d.setMemory(32768)),
    ("off pinVcpu", 55, 20, lambda c, d: d.pinVcpu(0, (True,))),
    ("off blockStatsFlags", 55, 20, lambda c, d: d.blockStatsFlags("vda")),
    # ---- gone ----
    ("gone metadata", 42, 10, lambda c, d: gone(c).metadata(2, "http://nope/")),
    ("gone delIOThread", 42, 10, lambda c, d: gone(c).delIOThread(7, CONFIG)),
    ("gone interfaceParameters", 42, 10, lambda c, d: gone(c).interfaceParameters("nope", 0)),
    ("gone autostart", 42, 10, lambda c, d: gone(c).autostart()),
    ("gone managedSaveRemove", 42, 10, lambda c, d: gone(c).managedSaveRemove()),
    # ---- clashes ----
    ("define name clash", 9, 20, lambda c, d: c.defineXML(xml("e1", 2))),
    ("define uuid clash", 9, 20, lambda c, d: c.defineXML(xml("other", 1))),
    ("define no uuid clash", 9, 20,
     lambda c, d: c.defineXML(xml("e1", 1).replace(f"<uuid>{UUID}01</uuid>", ""))),
    ("create name clash", 9, 20, lambda c, d: c.createXML(xml("e1", 2))),
    ("rename same", 55, 20, lambda c, d: d.rename("e1")),
    ("rename taken", 55, 20, lambda c, d: c.defineXML(xml("e2", 2)).rename("e1")),
    ("rename empty", 8, 20, lambda c, d: d.rename("")),
    # ---- documents ----
    ("xml empty", 35, 20, lambda c, d: c.defineXML("")),
    ("xml broken", 35, 20, lambda c, d: c.defineXML("<domain><name>")),
    ("xml root", 27, 5, lambda c, d: c.defineXML("<network/>")),
    ("xml no name", 21, 20,
     lambda c, d: c.defineXML("<domain type='qemu'><memory>1</memory><os><type>hvm</type></os></domain>")),
    ("xml no type", 1, 20, lambda c, d: c.defineXML(but(" type='qemu'", ""))),
    ("xml bad type", 67, 20, lambda c, d: c.defineXML(but("type='qemu'", "type='nope'"))),
    ("xml no memory", 27, 20, lambda c, d: c.defineXML(but("<memory>65536</memory>", ""))),
    ("xml bad memory", 27, 5, lambda c, d: c.defineXML(but("65536", "many"))),
    ("xml negative memory", 27, 5, lambda c, d: c.defineXML(but("65536", "-1"))),
    ("xml bad unit", 8, 0, lambda c, d: c.defineXML(but("<memory>", "<memory unit='parsec'>"))),
    ("xml bad uuid", 1, 20, lambda c, d: c.defineXML(xml("b", 5).replace(UUID, "zzz"))),
    ("xml bad mac", 27, 20, lambda c, d: c.defineXML(but("52:54:00:11:22:33", "52:54:00:11:22"))),
    ("xml multicast mac", 27, 20, lambda c, d: c.defineXML(but("52:54:00:11:22:33", "01:54:00:11:22:33"))),
    ("xml bad bus", 27, 5, lambda c, d: c.defineXML(but("bus='virtio'", "bus='moon'"))),
    ("xml bad target", 27, 20, lambda c, d: c.defineXML(but("dev='vda'", "dev='/dev'"))),
    ("xml twice target", 27, 20, lambda c, d: c.defineXML(but("<interface", SECOND))),
    ("xml slash name", 27, 20, lambda c, d: c.defineXML(xml("a/b", 5))),
    ("xml empty name", 21, 20, lambda c, d: c.defineXML(xml("", 5))),
    ("xml validate", 92, 5,
     lambda c, d: c.defineXMLFlags(but("<devices>", "<devices><toaster/>"), 1)),
    ("define flags", 8, 10, lambda c, d: c.defineXMLFlags(xml("b", 5), 1 << 20)),
    ("xml flags", 8, 10, lambda c, d: d.XMLDesc(1 << 20)),
    ("undefine flags", 8, 10, lambda c, d: d.undefineFlags(1 << 20)),
    ("undefine nvram flags", 55, 10, lambda c, d: d.undefineFlags(4 | 8)),
    ("start flags", 8, 10, lambda c, d: d.createWithFlags(1 << 20)),
    ("reboot flags", 8, 10, lambda c, d: d.reboot(1 << 20)),
    ("list flags", 8, 10, lambda c, d: c.listAllDomains(1 << 28)),
    ("save both", 8, 20, lambda c, d: d.saveFlags("/x", None, 6)),
    ("setMemory zero", 8, 20, lambda c, d: d.setMemoryFlags(0, CONFIG)),
    ("setMemory much", 8, 10, lambda c, d: d.setMemoryFlags(999999999, CONFIG)),
    ("setMaxMemory", 8, 20, lambda c, d: d.setMaxMemory(0)),
    ("setVcpus zero", 8, 20, lambda c, d: d.setVcpusFlags(0, CONFIG)),
    ("setVcpus many", 8, 10, lambda c, d: d.setVcpusFlags(99, CONFIG)),
    ("pin none", 8, 10, lambda c, d: d.pinVcpuFlags(0, (False,), CONFIG)),
    ("sched range", 8, 10, lambda c, d: d.setSchedulerParametersFlags({"vcpu_period": 1}, CONFIG)),
    ("numa mode", 8, 10, lambda c, d: d.setNumaParameters({"numa_mode": 99}, CONFIG)),
    ("iotune disk", 8, 10, lambda c, d: d.setBlockIoTune("vdq", {"total_iops_sec": 10}, CONFIG)),
    ("iotune both", 8, 10,
     lambda c, d: d.setBlockIoTune("vda", {"total_iops_sec": 10, "read_iops_sec": 5}, CONFIG)),
    ("iotune get disk", 8, 10, lambda c, d: d.blockIoTune("vdq", CONFIG)),
    ("iface params", 8, 20, lambda c, d: d.interfaceParameters("nope", CONFIG)),
    ("iothread zero", 8, 10, lambda c, d: d.addIOThread(0, CONFIG)),
    ("iothread gone", 8, 20, lambda c, d: d.delIOThread(9, CONFIG)),
    ("block info", 8, 10, lambda c, d: d.blockInfo("vdq")),
    ("metadata none", 80, 20, lambda c, d: d.metadata(0, None)),
    ("metadata type", 8, 20, lambda c, d: d.metadata(99, None)),
    ("metadata uri", 80, 20, lambda c, d: d.metadata(2, "http://nope/")),
    ("title newline", 8, 20, lambda c, d: d.setMetadata(1, "a\nb", None, None, CONFIG)),
    ("lifecycle type", 8, 20, lambda c, d: d.setLifecycleAction(9, 0, CONFIG)),
    ("lifecycle action", 8, 20, lambda c, d: d.setLifecycleAction(0, 9, CONFIG)),
    ("lifecycle preserve", 67, 10, lambda c, d: d.setLifecycleAction(0, 3, CONFIG)),
    ("restore none", 38, 10, lambda c, d: c.restore("/nonexistent/x")),
    ("restore garbage", 9, 10, lambda c, d: c.restore("/etc/passwd")),
    ("save image none", 38, 10, lambda c, d: c.saveImageGetXMLDesc("/nonexistent/x", 0)),
    ("save image garbage", 9, 10, lambda c, d: c.saveImageGetXMLDesc("/etc/passwd", 0)),
    ("save image define none", 38, 10, lambda c, d: c.saveImageDefineXML("/nonexistent/x", xml(), 0)),
    ("managed xml none", 55, 10, lambda c, d: d.managedSaveGetXMLDesc()),
    ("managed define none", 55, 10, lambda c, d: d.managedSaveDefineXML(xml())),
    ("sendkey none", 8, 20, lambda c, d: d.sendKey(0, 0, [], 0, 0)),
    ("quota", 8, 10, lambda c, d: d.setSchedulerParametersFlags({"vcpu_quota": 5}, CONFIG)),
    ("dirty rate", 67, 10, lambda c, d: d.startDirtyRateCalc(0, 0)),
    ("guest info", 8, 10, lambda c, d: d.guestInfo(1 << 20, 0)),
    ("stats", 74, 10, lambda c, d: c.getAllDomainStats(1 << 20, 1 << 31)),
    ("native format", 8, 10, lambda c, d: c.domainXMLToNative("vmx", xml())),
    ("screenshot stream", 55, 20, lambda c, d: d.openChannel(None, c.newStream())),
]


# of a running guest without screen, channel and agent
RUNNING = [
    ("create", 55, 10, lambda d, s: d.create()),
    ("agent time", 74, 10, lambda d, s: d.getTime()),
    ("agent set time", 74, 10, lambda d, s: d.setTime({"seconds": 1, "nseconds": 0})),
    ("agent freeze", 74, 10, lambda d, s: d.fsFreeze()),
    ("agent shutdown", 74, 10, lambda d, s: d.shutdownFlags(2)),
    ("agent reboot", 74, 10, lambda d, s: d.reboot(2)),
    ("agent hostname", 74, 10, lambda d, s: d.hostname()),
    ("agent password", 74, 10, lambda d, s: d.setUserPassword("root", "x")),
    ("agent addresses", 74, 10, lambda d, s: d.interfaceAddresses(1)),
    ("agent info", 74, 10, lambda d, s: d.guestInfo(0, 0)),
    ("source of addresses", 74, 10, lambda d, s: d.interfaceAddresses(9)),
    ("console", 1, 10, lambda d, s: d.openConsole("nope", s())),
    ("channel", 1, 10, lambda d, s: d.openChannel("nope", s())),
    ("graphics", 1, 10, lambda d, s: d.openGraphicsFD(7)),
    ("abortJob", 55, 20, lambda d, s: d.abortJob()),
    ("memory", 8, 10, lambda d, s: d.setMemory(1 << 40)),
    ("block info", 8, 10, lambda d, s: d.blockInfo("vdq")),
    ("memory peek", 8, 20, lambda d, s: d.memoryPeek(0, 16, 3)),
]
# what libvirt lets those do who may only read, and what not
READ_ONLY = [
    ("leases", 0, 0, lambda d, s: d.interfaceAddresses(0)),
    ("neighbours", 0, 0, lambda d, s: d.interfaceAddresses(2)),
    ("agent addresses", 29, 0, lambda d, s: d.interfaceAddresses(1)),
    ("agent hostname", 29, 0, lambda d, s: d.hostname()),
    ("set memory", 29, 0, lambda d, s: d.setMemory(32768)),
    ("secrets", 29, 0, lambda d, s: d.XMLDesc(1)),
]


def wrong_answers(cases, d, stream, whose_domain=True):
    wrong = []
    for what, code, domain, call in cases:
        try:
            call(d, stream)
            found = (0, 0)
        except lv.libvirtError as e:
            found = (e.get_error_code(), e.get_error_domain() if whose_domain else domain)
        if found != (code, domain):
            wrong.append(f"{what}: {found}, not {(code, domain)}")
    return wrong


def test_wrong_calls_of_a_running_guest(daemon):
    disk = XML[XML.index("    <disk"):XML.index("    <interface")]
    with connection(daemon) as c, connection(daemon, read_only=True) as reader:
        d = c.createXML(xml().replace(disk, ""))
        wrong = wrong_answers(RUNNING, d, c.newStream)
        wrong += wrong_answers(READ_ONLY, reader.lookupByName("e1"), reader.newStream, whose_domain=False)
        d.destroy()
    assert not wrong, "\n".join(wrong)


def test_wrong_calls_have_libvirts_numbers(daemon):
    wrong = []
    EventLoop.start()
    with connection(daemon) as c:
        d = c.defineXML(xml())
        for what, code, domain, call in CASES:
            try:
                call(c, d)
                wrong.append(f"{what}: it works")
            except lv.libvirtError as e:
                found = (e.get_error_code(), e.get_error_domain(), e.get_error_level())
                if found != (code, domain, 2):
                    wrong.append(f"{what}: {found}, not {(code, domain, 2)}: {e.get_error_message()}")
    assert not wrong, "\n".join(wrong)


def test_numbers_out_of_bounds_leave_a_definition_that_can_be_read(daemon):
    with connection(daemon) as c:
        d = c.defineXML(xml("bounds", 9))
        for call in (lambda: d.setVcpusFlags(99999, CONFIG | 4), lambda: d.setVcpusFlags(2 ** 31 - 1, CONFIG),
                     lambda: d.setMemoryStatsPeriod(-5, CONFIG)):
            with pytest.raises(lv.libvirtError):
                call()
        assert ">2</vcpu>" in d.XMLDesc()
