"""Other clients of libvirt's, as they are: Sys::Virt, ruby-libvirt, virt-viewer, virt-manager, and those that watch
guests: collectd, Munin. Those whose package is not there are left out."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from lodgetest import wait_until
from virttest import uri

PERL = """
use Sys::Virt;
my $c = Sys::Virt->new(uri => $ARGV[0]);
my $d = $c->get_domain_by_name("web1");
print join(" ", $c->get_library_version, map { $_->get_name } $c->list_all_domains), "\\n";
$d->create(Sys::Virt::Domain::START_PAUSED);
print $d->get_info->{state}, " ", $d->is_active, " ", $d->is_persistent, "\\n";
my @stats = $c->get_all_domain_stats(Sys::Virt::Domain::STATS_STATE, [], 0);
print scalar(@stats), "\\n";
my $stream = $c->new_stream();
my $bytes = "";
my $type = $d->screenshot($stream, 0, 0);
$stream->recv_all(sub { $bytes .= substr($_[1], 0, $_[2]); return $_[2]; });
$stream->finish;
print $type, " ", substr($bytes, 1, 3), "\\n";
$d->destroy;
eval { $c->get_domain_by_name("none") };
print $@->code, "\\n";
"""
RUBY = """
require 'libvirt'
c = Libvirt::open(ARGV[0])
d = c.lookup_domain_by_name('web1')
puts [c.libversion, c.list_defined_domains.join, c.num_of_defined_domains, c.node_info.nodes > 0].join(' ')
d.create(Libvirt::Domain::START_PAUSED)
puts [d.info.state, d.vcpus.size, d.scheduler_parameters['cpu_shares'], d.memory_peek(0, 16).size].join(' ')
d.scheduler_parameters = { 'cpu_shares' => 512 }
pool = c.create_storage_pool_xml("<pool type='dir'><name>p</name><target><path>#{ARGV[1]}</path></target></pool>")
vol = pool.create_volume_xml('<volume><name>v</name><capacity>1048576</capacity></volume>')
up, sent = c.stream, 0
vol.upload(up, 0, 5)
up.sendall { sent += 1; sent == 1 ? [5, 'hello'] : [0, ''] }
up.finish
down, bytes = c.stream, ''
vol.download(down, 0, 5)
down.recvall { |data, _| bytes += data; data.size }
down.finish
puts bytes
d.destroy
begin
  c.lookup_domain_by_name('none')
rescue Libvirt::RetrieveError => e
  puts e.libvirt_code
end
"""
VGA = "<video><model type='vga'/></video><graphics type='vnc' port='-1' autoport='yes'/>"


COLLECTD = """
Interval 1
Hostname "h"
FQDNLookup false
BaseDir "{0}"
PIDFile "{0}/pid"
TypesDB "/usr/share/collectd/types.db"
LoadPlugin logfile
<Plugin logfile>
  LogLevel info
  File "{0}/log"
</Plugin>
LoadPlugin csv
<Plugin csv>
  DataDir "{0}/csv"
</Plugin>
LoadPlugin virt
<Plugin virt>
  Connection "{1}"
  ExtraStats "disk domain_state memory pcpu vcpupin disk_allocation disk_capacity"
</Plugin>
"""
# what it writes of a guest with two processors and a disk: the same files with libvirtd 9
WRITTEN = {"disk_allocation-vda", "disk_capacity-vda", "disk_octets-vda", "disk_ops-vda", "memory-total", "ps_cputime",
           "virt_cpu_total", "total_requests-flush-vda"}
MUNIN = pathlib.Path("/usr/share/munin/plugins")


def has_sys_virt():
    return shutil.which("perl") and subprocess.run(["perl", "-MSys::Virt", "-e1"],
                                                   stderr=subprocess.DEVNULL).returncode == 0


@pytest.mark.skipif(not has_sys_virt(), reason="needs libsys-virt-perl")
def test_sys_virt(daemon):
    daemon.define("web1", boot=False, devices=VGA)
    done = subprocess.run(["perl", "-e", PERL, uri(daemon)], text=True, stdout=subprocess.PIPE, timeout=120)
    assert done.stdout.splitlines() == ["9000000 web1", "3 1 1", "1", "image/png PNG", "42"]


def has_ruby():
    return shutil.which("ruby") and subprocess.run(["ruby", "-e", "require 'libvirt'"],
                                                   stderr=subprocess.DEVNULL).returncode == 0


@pytest.mark.skipif(not has_ruby(), reason="needs ruby-libvirt")
def test_ruby_libvirt(daemon):
    daemon.define("web1", boot=False)
    folder = daemon.root / "p"
    folder.mkdir()
    done = subprocess.run(["ruby", "-e", RUBY, uri(daemon), folder], text=True, stdout=subprocess.PIPE, timeout=120)
    assert done.stdout.splitlines() == ["9000000 web1 1 true", "3 1 1024 16", "hello", "42"]


def start_with_disk(daemon, tmp_path):
    image = tmp_path / "disk.img"
    image.touch()
    os.truncate(image, 1 << 20)
    daemon.define("web1", boot=False, devices=f"<disk type='file' device='disk'><source file='{image}'/>"
                  "<target dev='vda' bus='virtio'/></disk>")
    daemon.lodge("start", "web1")  # of a paused guest collectd says nothing


@pytest.mark.skipif(not os.path.exists("/usr/lib/collectd/virt.so"), reason="needs collectd-core")
def test_collectd(daemon, tmp_path):
    start_with_disk(daemon, tmp_path)
    folder = tmp_path / "collectd"
    folder.mkdir()
    (folder / "conf").write_text(COLLECTD.format(folder, uri(daemon)))
    files = folder / "csv" / "web1" / "virt"
    collectd = subprocess.Popen(["/usr/sbin/collectd", "-f", "-C", folder / "conf"])
    try:
        wait_until(lambda: {file.name[:-len("-2000-01-01")] for file in files.glob("*")} >= WRITTEN, 60,
                   "collectd writes of the guest")
        wait_until(lambda: any(",1048576.0" in file.read_text() for file in files.glob("disk_capacity-vda-*")), 60,
                   "its disk is as large as it is")
    finally:
        collectd.terminate()
        collectd.wait(60)
    assert "error" not in (folder / "log").read_text().lower()


@pytest.mark.skipif(not MUNIN.joinpath("libvirt-mem").exists(), reason="needs munin-libvirt-plugins")
@pytest.mark.parametrize("plugin, line", [
    ("cputime", r"web1_cputime\.value \d+"), ("blkstat", r"web1_read\.value \d+"),
    ("mem", r"web1_mem\.value \d+")])
def test_munin(daemon, tmp_path, plugin, line):
    start_with_disk(daemon, tmp_path)
    environment = {**os.environ, "uri": uri(daemon), "MUNIN_PLUGSTATE": str(tmp_path)}
    for words, expected in ((["config"], r"graph_title "), ([], line)):
        done = subprocess.run(["/usr/bin/python3", MUNIN / f"libvirt-{plugin}", *words], env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        if "No module named" in done.stderr:
            pytest.skip("needs python3-libxml2")
        assert re.search(expected, done.stdout), done


@pytest.fixture
def display(tmp_path):
    """The number of an X server that nobody else has."""
    read, write = os.pipe()
    log = open(tmp_path / "x.log", "wb")
    server = subprocess.Popen(["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x900x24", "-nolisten",
                               "tcp"], pass_fds=[write], stdout=log, stderr=log)
    os.close(write)
    with os.fdopen(read) as pipe:
        number = pipe.readline().strip()
    assert number, (tmp_path / "x.log").read_text()
    yield number
    server.kill()
    server.wait()


def needs(*programs):
    missing = [program for program in programs if not shutil.which(program)]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")


def screenshot(display, path):
    """How many colours are on the screen of @display; the picture stays in @path."""
    subprocess.run(["import", "-display", f":{display}", "-window", "root", path], check=True, timeout=60)
    return int(subprocess.run(["identify", "-format", "%k", path], check=True, stdout=subprocess.PIPE,
                              timeout=60).stdout)


@needs("Xvfb", "virt-manager", "dbus-run-session", "import", "unshare")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for a /run/libvirt of its own")
def test_virt_manager(daemon, display, tmp_path):
    """It connects, shows the guest and opens its console, and what it shows is a picture."""
    daemon.define("web1", boot=False, devices=VGA)
    daemon.lodge("start", "web1")
    log = tmp_path / "log"
    mount = f"mkdir -p /run/libvirt && mount --bind {daemon.root}/run /run/libvirt && exec \"$@\""
    command = ["unshare", "--mount", "sh", "-c", mount, "sh", "dbus-run-session", "--", "virt-manager",
               "--no-fork", "--debug", "-c", "qemu:///system", "--show-domain-console", "web1"]
    environment = {**os.environ, "DISPLAY": f":{display}", "HOME": str(tmp_path), "LIBGL_ALWAYS_SOFTWARE": "1",
                   "XDG_RUNTIME_DIR": str(tmp_path)}
    with log.open("wb") as out:
        manager = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                   start_new_session=True)
    try:
        wait_until(lambda: "Viewer connected" in log.read_text(errors="replace"), 180, "the console is open")
        wait_until(lambda: screenshot(display, tmp_path / "screen.png") > 2, 60, "something is on the screen")
    finally:
        os.killpg(manager.pid, 15)
        manager.wait()
        print(log.read_text(errors="replace")[-4000:])


@needs("Xvfb", "virt-viewer", "import")
def test_virt_viewer(daemon, display, tmp_path):
    daemon.define("web1", boot=False, devices=VGA)
    daemon.lodge("start", "web1")
    with (tmp_path / "log").open("wb") as out:
        viewer = subprocess.Popen(["virt-viewer", "--debug", "-c", uri(daemon), "web1"],
                                  env={**os.environ, "DISPLAY": f":{display}", "HOME": str(tmp_path)},
                                  stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        wait_until(lambda: screenshot(display, tmp_path / "screen.png") > 2, 180, "the viewer is there")
        assert viewer.poll() is None
    finally:
        viewer.kill()
        viewer.wait()
        print((tmp_path / "log").read_text(errors="replace")[-4000:])
