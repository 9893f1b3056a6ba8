"""`lodge` under the name virsh beside virsh itself: the same lines, the same words."""
import concurrent.futures
import re
import subprocess

import pytest

from lodgetest import LODGE, xml_for
from virttest import uri, virsh

DISK = ("<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{0}/a.qcow2'/>"
        "<target dev='vda' bus='virtio'/></disk><disk type='file' device='cdrom'><target dev='sda' bus='sata'/>"
        "<readonly/></disk><interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/>"
        "</interface><graphics type='vnc' port='-1' autoport='yes'/>")


class Both:
    """Runs a line with either, and compares."""

    def __init__(self, daemon):
        self.daemon, self.link = daemon, daemon.root / "virsh"
        self.link.symlink_to(LODGE)

    def ours(self, *words, options=(), input=None):
        return subprocess.run([self.link, "-c", uri(self.daemon), *options, *map(str, words)], text=True,
                              env=self.daemon.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=60, input=input or "")

    def theirs(self, *words, options=()):
        return virsh(self.daemon, *options, *words, ok=None)

    def same(self, *words, options=(), undo=None, err=True):
        theirs = self.theirs(*words, options=options)
        if undo:
            virsh(self.daemon, *undo)
        ours = self.ours(*words, options=options)
        assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout), (words, ours.stderr)
        if err:
            assert ours.stderr == theirs.stderr, words
        return ours


@pytest.fixture
def both(daemon):
    both = Both(daemon)
    image = daemon.root / "a.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "64M"], check=True)
    both.path = daemon.write("web1.xml", xml_for("web1", boot=False, devices=DISK.format(daemon.root)))
    return both


def test_life(both):
    both.same("define", both.path, undo=["undefine", "web1"])
    both.same("define", both.path)  # without <uuid> it is another guest, whose name is taken
    both.same("list", "--all")
    both.same("domstate", "web1")
    both.same("start", "web1", undo=["destroy", "web1"])
    both.same("list")
    both.same("suspend", "web1", undo=["resume", "web1"])
    both.same("domstate", "--reason", "web1")
    both.same("resume", "web1", undo=["suspend", "web1"])
    both.same("reset", "web1")
    both.same("reboot", "web1")
    both.same("shutdown", "web1")
    both.same("autostart", "web1")
    both.same("list", "--all", "--autostart")
    both.same("autostart", "--disable", "web1")
    both.same("destroy", "web1", undo=["start", "web1"])
    both.same("undefine", "web1", undo=["define", both.path])
    both.same("create", both.path, undo=["destroy", "web1"])


def test_what_is_shown(both):
    virsh(both.daemon, "define", both.path)
    for words in (["list", "--all", "--name"], ["list", "--all", "--uuid"], ["list", "--title", "--all"],
                  ["dominfo", "web1"], ["dumpxml", "web1"], ["domblklist", "web1"], ["domiflist", "web1"],
                  ["domid", "web1"], ["domuuid", "web1"], ["nodeinfo"], ["version"], ["uri"], ["hostname"]):
        both.same(*words)
    virsh(both.daemon, "start", "web1", "--paused")
    for words in (["list", "--id"], ["dumpxml", "web1", "--inactive"], ["domblklist", "--details", "web1"],
                  ["domiflist", "web1"], ["vncdisplay", "web1"], ["domdisplay", "web1"], ["ttyconsole", "web1"],
                  ["domname", "1"], ["domid", "web1"], ["domblkinfo", "web1", "vda"], ["domcontrol", "web1"],
                  ["domblkinfo", "--human", "web1", "vda"]):
        both.same(*words)
        both.same(*words, options=["-q"])
    info = [one.stdout.splitlines() for one in (both.ours("dominfo", "web1"), both.theirs("dominfo", "web1"))]
    assert [line for line in info[0] if "CPU time" not in line] == \
        [line for line in info[1] if "CPU time" not in line]


def test_save(both):
    saved = both.daemon.root / "web1.save"
    virsh(both.daemon, "define", both.path)
    virsh(both.daemon, "start", "web1")
    both.same("save", "web1", saved, undo=["restore", saved])
    both.same("restore", saved, undo=["save", "web1", saved])
    both.same("managedsave", "web1", undo=["start", "web1"])
    both.same("dominfo", "web1")
    assert "Managed save:   yes" in both.ours("dominfo", "web1").stdout


def test_errors(both):
    virsh(both.daemon, "define", both.path)
    for words in (["start", "nope"], ["dominfo", "nope"], ["bogus"], ["start"], ["start", "web1", "--bogus"],
                  ["define", "/no/such.xml"]):
        assert both.same(*words).returncode == 1
    for words in (["destroy", "web1"], ["suspend", "web1"]):
        ours, theirs = both.ours(*words), both.theirs(*words)
        assert ours.returncode == theirs.returncode == 1
        assert ours.stderr.splitlines()[0] == theirs.stderr.splitlines()[0]
        assert ours.stderr.splitlines()[1].startswith("error: Requested operation is not valid: ")
    virsh(both.daemon, "start", "web1")
    both.same("start", "web1")


def test_several_commands(both):
    virsh(both.daemon, "define", both.path)
    both.same("domstate web1; domid 'web1';list --all")
    both.same("domstate nope; domid web1")
    assert both.ours("freecell").stdout.startswith("Total: ")
    for options in ([], ["-q"]):
        for lines in ("domstate web1\nlist --all --name; domid web1\n# nothing\nbogus\nquit\n", "echo a b\npwd"):
            ours = both.ours(input=lines, options=options)
            theirs = virsh(both.daemon, *options, input=lines, ok=None)
            assert (ours.returncode, ours.stdout, ours.stderr) == (theirs.returncode, theirs.stdout, theirs.stderr)


def test_commands_of_virsh_itself(both):
    for words in (["echo", "a", "b c"], ["echo", "--shell", "a b", "c"], ["echo", "--xml", "a<b"], ["pwd"], ["quit"],
                  ["cd", "/"], ["help", "no-such-command"], ["help", "virsh"], ["connect; uri"], ["echo --err a"]):
        both.same(*words)
    for words in (["help"], ["help", "domain"], ["help", "start"], ["help", "pool-define-as"]):
        assert both.ours(*words).returncode == 0
    assert both.ours("help", "start").stdout.startswith("  NAME\n    start - ")


def test_options(both):
    virsh(both.daemon, "define", both.path)
    assert both.ours("-v").stdout == both.theirs("-v").stdout
    for options in (["-r"], ["--readonly"]):
        assert both.ours("list", "--all", options=options).returncode == 0
        assert "read only access" in both.ours("start", "web1", options=options).stderr
    assert "(Time: " in both.ours("list", options=["-t"]).stdout
    assert both.ours("list", options=["--no-such"]).returncode == 1
    assert both.ours("list", options=["-d", "2", "--quiet"]).returncode == 0
    other = subprocess.run([both.link, "-c", "xen:///system", "list"], text=True, stderr=subprocess.PIPE)
    assert other.returncode == 1 and "failed to connect" in other.stderr
    assert both.ours("help").returncode == 0
    assert "--paused" in both.ours("start", "--help").stdout


def test_desc_without_a_text_shows_it(both):
    virsh(both.daemon, "define", both.path)
    both.same("desc", "web1")
    both.same("desc", "web1", "what it is for")
    both.same("desc", "web1")
    both.same("desc", "--title", "web1")
    assert both.ours("desc", "web1").stdout == "what it is for\n"
    both.same("desc", "web1", "--new-desc", "shop and", "database")
    both.same("desc", "web1")


def test_metadata(both):
    virsh(both.daemon, "define", both.path)
    where = "http://example.org/app"
    both.same("metadata", "web1", where, "--key", "app", "--set", "<owner>kim</owner>", "--config")
    both.same("metadata", "web1", where)
    both.same("metadata", "--domain", "web1", "--uri", where, "--config")
    both.same("metadata", "web1", where, "--remove", undo=["metadata", "web1", where, "--key", "app", "--set", "<o/>"])
    assert both.ours("metadata", "web1", where).returncode == 1


def test_parts_of_a_definition(both):
    virsh(both.daemon, "define", both.path)
    for words in (["--xpath", "//interface/mac"], ["--xpath", "//disk/target", "--wrap"], ["--migratable"],
                  ["--update-cpu", "--inactive"]):
        both.same("dumpxml", "web1", *words)


def test_options_in_all_forms(both):
    virsh(both.daemon, "define", both.path)
    for words in (["dominfo", "--domain", "web1"], ["domstate", "--domain=web1", "--reason"],
                  ["autostart", "--disable", "--domain", "web1"], ["setmem", "web1", "100M", "--config"],
                  ["setmem", "--config", "--size", "100M", "--domain", "web1"], ["setvcpus", "web1", "1", "--config"],
                  ["vcpupin", "web1", "0", "0", "--config"], ["setmaxmem", "web1", "200M", "--config"]):
        both.same(*words)
    virsh(both.daemon, "start", "web1", "--paused")
    for words in (["domifstat", "web1", "--interface", "vnet0"], ["send-key", "web1", "--keycode", "30"]):
        assert both.ours(*words).returncode == both.theirs(*words).returncode
    saved = both.daemon.root / "web1.save"
    both.same("save", "--domain", "web1", "--file", saved, undo=["restore", saved])
    both.same("restore", "--file", saved, undo=["destroy", "web1"])


def test_more_that_is_shown(both):
    virsh(both.daemon, "define", both.path)
    for words in (["vcpucount", "web1"], ["vcpucount", "web1", "--config"], ["nodecpumap"],
                  ["managedsave-remove", "web1"], ["vncdisplay", "web1"], ["domdisplay", "web1"]):
        both.same(*words)
    virsh(both.daemon, "start", "web1", "--paused")
    for words in (["vcpucount", "web1"], ["domblkstat", "web1", "vda"]):
        both.same(*words)
    for words in (["nodememstats"], ["nodecpustats"], ["vcpuinfo", "web1"]):
        same_but_for_figures(both, *words)


def same_but_for_figures(both, *words):
    """Both say the same lines, of the same length, whatever the figures are."""
    ours, theirs = both.ours(*words).stdout, both.theirs(*words).stdout
    assert [line.split()[:1] for line in ours.split("\n")] == [line.split()[:1] for line in theirs.split("\n")], words
    assert [len(line) for line in ours.split("\n")] == [len(line) for line in theirs.split("\n")], words


def test_variants_of_the_host(both):
    for words in (["nodecpumap", "--pretty"], ["version", "--daemon"], ["maxvcpus"], ["maxvcpus", "--type", "qemu"],
                  ["cpu-models", "x86_64"], ["cpu-models", "s390x"], ["cpu-models", "no-such"],
                  ["freecell", "--cellno", "999"], ["nodememstats", "--cell", "999"], ["nodecpustats", "--cpu", "9999"]):
        both.same(*words)
    for words in (["nodecpustats", "--cpu", "0", "--percent"], ["freecell", "--all"]):
        same_but_for_figures(both, *words)
    for words in (["freecell"], ["freecell", "--cellno", "0"], ["freecell", "0"]):
        assert both.ours(*words).stdout.split()[0::2] == both.theirs(*words).stdout.split()[0::2]
    assert both.ours("freecell", "--all", "--cellno", "0").returncode == 1
    assert both.daemon.lodge("host", "cpumap", "--pretty").out


def test_variants_of_a_guest(both):
    virsh(both.daemon, "define", both.path)
    other = xml_for("web2", boot=False).replace("<memballoon model='none'/>", "<memballoon model='virtio'/>")
    virsh(both.daemon, "define", both.daemon.write("web2.xml", other))
    counts = [["--current"], ["--active"], ["--maximum"], ["--active", "--config"], ["--maximum", "--current"],
              ["--live", "--config"], ["--current", "--live"], ["--active", "--maximum"]]
    for words in (["vcpuinfo", "web1"], ["vcpuinfo", "web1", "--pretty"], *(["vcpucount", "web1", *c] for c in counts)):
        both.same(*words)
    virsh(both.daemon, "start", "web1", "--paused")
    for words in ["vcpuinfo", "web1", "--pretty"], ["cpu-stats", "web1", "--total"]:
        same_but_for_figures(both, *words)
    for words in (*(["vcpucount", "web1", *c] for c in counts),
                  ["vcpucount", "web1", "--maximum", "--live"], ["list", "--id", "--name", "--all"],
                  ["dommemstat", "web2"], ["dommemstat", "web1", "--period", "5"],
                  ["dommemstat", "web2", "--live", "--period", "5"], ["dommemstat", "web2", "--period", "5"],
                  ["dommemstat", "web2", "--config", "--period", "7"], ["dommemstat", "nope", "--period", "7"],
                  ["screenshot", "web1", both.daemon.root / "one.png"], ["screenshot", "web2"]):
        both.same(*words)
    assert "<stats period='7'/>" in virsh(both.daemon, "dumpxml", "web2").stdout
    virsh(both.daemon, "managedsave", "web1")
    for words in (["--all"], ["--all", "--managed-save"], ["--inactive", "--title", "--managed-save"],
                  ["--all", "--with-managed-save", "--managed-save"]):
        both.same("list", *words)
    assert "saved" in both.daemon.lodge("list", "--all", "--managed-save").out


def test_monitor_and_native(both):
    virsh(both.daemon, "define", both.path)
    virsh(both.daemon, "start", "web1", "--paused")
    command = '{"execute":"query-status"}'
    for words in (["--hmp", "info", "status"], ["--hmp", "info status"], [command], [command, "--pretty"], ["query-status"],
                  [command, "--return-value"], ["--cmd", command, "--pretty", "--return-value"],
                  ["qom-get", '"path":"/machine"', '"property":"type"', "--return-value"]):
        both.same("qemu-monitor-command", "web1", *words)
    for words in (["52:54:00:00:00:01", "down"], ["52:54:00:00:00:01", "up", "--config"]):
        both.same("domif-setlink", "web1", *words, "--print-xml")
    both.same("domif-getlink", "web1", "52:54:00:00:00:01")  # nothing was changed
    assert both.ours("domif-setlink", "web1", "vnet99", "up", "--print-xml").returncode == 1
    for duration in "0", "1":  # there is no agent, and no such sleep
        words = ["dompmsuspend", "web1", "mem", "--duration", duration]
        ours, theirs = both.ours(*words), both.theirs(*words)
        assert ours.stderr.splitlines()[0] == theirs.stderr.splitlines()[0] and ours.returncode == theirs.returncode
    native = ["domxml-to-native", "qemu-argv"]
    document = both.daemon.write("dump.xml", virsh(both.daemon, "dumpxml", "web1", "--inactive").stdout)
    for words in (["--xml", document], ["--domain", "web1"], ["--domain", "web1", "--xml", document], [document]):
        both.same(*native, *words)


def test_parts_of_documents(both):
    """--xpath and --wrap, of whatever has a document; options that only say what happens anyway."""
    both.ours("pool-define-as", "p", "dir", "--target", both.daemon.root / "p")
    both.ours("pool-build", "p")
    both.ours("pool-start", "p")
    both.ours("vol-create-as", "p", "v", "1M")
    both.ours("nwfilter-define", both.daemon.write("f.xml", "<filter name='f' chain='root'/>"))
    for words in (("pool-dumpxml", "p", "--xpath", "//target/path"),
                  ("pool-dumpxml", "p", "--inactive", "--xpath", "/pool/name"),
                  ("vol-dumpxml", "v", "--pool", "p", "--xpath", "//name", "--wrap"),
                  ("nwfilter-dumpxml", "f", "--xpath", "//uuid"),
                  ("iface-dumpxml", "lo", "--xpath", "/interface/@name"),
                  ("nodedev-dumpxml", "computer", "--xpath", "/device/name")):
        both.same(*words)
    both.ours("define", both.path)
    both.ours("start", "web1")
    assert both.ours("cpu-stats", "web1", "--total").stdout.startswith("Total:\n\tcpu_time ")
    assert both.ours("dommemstat", "web1", "--live").stdout.startswith("actual 131072\n")
    both.ours("destroy", "web1")


def test_what_failed_of_pools_and_volumes(both):
    """The line that says what failed names the same thing; the reason behind it may be ours."""
    folder = both.daemon.root / "p"
    xml = both.daemon.write("v.xml", "<volume><name>v</name><capacity>4096</capacity></volume>")
    for words in (("pool-define-as", "p", "dir", "--target", folder), ("pool-build", "p"),
                  ("pool-start", "p"), ("vol-create-as", "p", "v", "1M")):
        assert both.ours(*words).returncode == 0
    for words in (("pool-define-as", "q", "dir", "--target", folder), ("pool-build", "p", "--overwrite"),
                  ("pool-create-as", "q", "dir", "--target", folder / "none"), ("pool-refresh", "none"),
                  ("find-storage-pool-sources-as", "dir"), ("vol-create-as", "p", "v", "1M"),
                  ("vol-create", "p", xml), ("vol-create-from", "p", xml, "v", "--inputpool", "p"),
                  ("vol-create-from", "p", xml, "v", "--inputpool", "none"),
                  ("vol-create-from", "p", xml, "none", "--inputpool", "p"),
                  ("vol-create-from", "p", xml, "none"), ("vol-create-from", "none", xml, "v"),
                  ("vol-create-from", "none", xml, "v", "--inputpool", "p"),
                  ("vol-create-as", "p", "w", "1M", "--backing-vol", "none"),
                  ("vol-clone", "v", "w", "--pool", "none"),
                  ("vol-clone", "v", "v", "p"), ("vol-clone", "none", "w", "--pool", "p"),
                  ("vol-resize", "v", "4096", "--pool", "p"), ("vol-resize", "none", "1M", "--pool", "p"),
                  ("vol-delete", "none", "p"), ("vol-wipe", "none", "--pool", "p"),
                  ("vol-info", "none", "--pool", "p"), ("vol-info", "none"), ("vol-name", "none"),
                  ("vol-pool", "none"), ("vol-key", "none"), ("vol-path", "none", "--pool", "p")):
        theirs, ours = both.theirs(*words), both.ours(*words)
        assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout), (words, ours.stderr)
        assert ours.stderr.splitlines()[:1] == theirs.stderr.splitlines()[:1], words


def test_what_scripts_look_at(both):
    """Ends of lines, blank lines, groups of statistics, names of keys, more than one screen."""
    two = "<video><model type='virtio' heads='2'/></video><video><model type='bochs'/></video>"
    document = xml_for("web2", boot=False, devices="<graphics type='vnc'/>" + two)
    virsh(both.daemon, "define", both.path)
    virsh(both.daemon, "define", both.daemon.write("web2.xml", document))
    for words in (["--table", "--name"], ["--all", "--with-snapshot"], ["--all", "--with-checkpoint"],
                  ["--all", "--without-snapshot"]):
        both.same("list", *words)
    both.same("iothreadinfo", "web1")
    both.daemon.env.update(EDITOR="true", VISUAL="true")
    both.same("edit", "web1")
    virsh(both.daemon, "start", "web1", "--paused")
    virsh(both.daemon, "start", "web2", "--paused")
    core = both.daemon.root / "core"
    for words in (["domstats", "--state"], ["domstats", "web1", "--block"], ["domblkstat", "web1"],
                  ["inject-nmi", "web1"], ["domblkstat", "web1", "vda"],
                  ["dump", "web1", core, "--memory-only"],
                  ["send-key", "web1", "KEY_LEFTCTRL", "KEY_A"],
                  ["send-key", "web1", "--codeset", "linux", "30"], ["cpu-stats", "web1", "--start", "9999"]):
        both.same(*words)
    for run in both.ours, both.theirs:
        assert run("cpu-stats", "web1", "--start", "0").returncode == 1
    shot = both.daemon.root / "shot.png"
    for screen, code in (0, 0), (1, 0), (2, 0), (3, 1):
        assert both.same("screenshot", "web2", shot, "--screen", screen).returncode == code


def test_saved_definition_is_no_live_one(both):
    """What only a running guest has is not in what a saved one shows, nor in a transient one without it."""
    saved = both.daemon.root / "web1.save"
    virsh(both.daemon, "create", both.path, "--paused")
    documents = [virsh(both.daemon, "dumpxml", "web1", "--inactive").stdout]
    virsh(both.daemon, "save", "web1", saved)
    documents.append(both.same("save-image-dumpxml", saved).stdout)
    for document in documents:
        assert "<alias " not in document and "/dev/pts" not in document
        assert " id=" not in document.split(">")[0]
    virsh(both.daemon, "save-image-define", saved, both.daemon.write("saved.xml", documents[1]))
    virsh(both.daemon, "restore", saved)
    assert "<alias name='virtio-disk0'/>" in virsh(both.daemon, "dumpxml", "web1").stdout


def test_events_of_the_monitor(both):
    virsh(both.daemon, "define", both.path)
    virsh(both.daemon, "start", "web1", "--paused")
    words = ["qemu-monitor-event", "--domain", "web1", "--timeout", "60", "--event"]
    for run in both.theirs, both.ours:
        with concurrent.futures.ThreadPoolExecutor(1) as beside:
            heard = beside.submit(run, *words, "resume", "--no-case")
            while not heard.done():  # until it listens
                virsh(both.daemon, "resume", "web1", ok=None)
                virsh(both.daemon, "suspend", "web1", ok=None)
        assert heard.result().returncode == 0
        # virsh may hear another before it has unregistered
        assert re.fullmatch(r"(event RESUME at [0-9]+\.[0-9]{6} for domain 'web1': <null>\n)+"
                            r"events received: [0-9]+\n\n", heard.result().stdout)
    assert both.ours(*words, "(", "--regex").returncode == 1
    both.same("qemu-monitor-event", "--timeout", "1", "--event", "NOPE")
