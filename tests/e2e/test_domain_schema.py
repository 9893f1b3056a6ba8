"""libvirt's schema of domains and Lodge: what it calls valid is taken, what Lodge prints is valid by it."""
import json
import pathlib
import platform
import re
import shutil
import subprocess
from xml.etree import ElementTree

import libvirt
import pytest

import rnggen
from virttest import connection

pytestmark = pytest.mark.skipif(not (shutil.which("xmllint") and (rnggen.SCHEMAS / "domain.rng").exists()),
                                reason="xmllint or libvirt's schemas are not installed")

DESCRIPTORS = pathlib.Path("/usr/share/qemu/firmware")
FRAME = ("<domain type='qemu'><name>r</name><memory unit='MiB'>256</memory><vcpu>4</vcpu><iothreads>9</iothreads>"
         "<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os><devices/></domain>")
DEVICES = ("disk controller filesystem interface input sound audio hostdev graphic video console parallel "
           "serial channel smartcard hub redirdev redirfilter rng tpm shmem memorydev watchdog memballoon panic "
           "iommu vsock").split()
PARTS = ("guestcpu sysinfo clock features events pm perf idmap seclabel qemucmdline qemucapabilities "
         "qemudeprecation qemuoverride keywrap launchSecurity metadata blkiotune memtune cputune numatune").split()
# Definitions whose whole range has no meaning for a guest of QEMU on x86.
NARROW = {"cpuset": "<choice><value>0-1</value><value>1,3</value></choice>",
          "absFilePath": "<choice><value>/data/a.img</value><value>/data/b</value></choice>",
          # any attribute with any type and twice; what a character device really has, others test
          "qemucdevSrcDef": "<optional><element name='source'><attribute name='path'/></element></optional>",
          "filePath": "<choice><value>/data/a.img</value><value>/data/b</value></choice>"}
EACH = 8


def documents():
    schema = rnggen.Schema(rnggen.SCHEMAS / "domain.rng")
    for name, pattern in NARROW.items():
        schema.replace(name, pattern)
    for part in DEVICES + PARTS:
        for i in range(EACH):
            domain = ElementTree.fromstring(FRAME)
            place = domain.find("devices") if part in DEVICES else domain
            generator = rnggen.Generator(schema, f"{part}{i}", often=0.5, never={"hostdevcaps"})
            place.extend(generator.parts(part))
            for graphics in domain.iter("graphics"):  # the schema has it or a socket, libvirt prints both
                graphics.attrib.pop("powerControl", None)
            yield f"{part}-{i}", ElementTree.tostring(domain, encoding="unicode")


def invalid(folder):
    """Names of the files that the schema refuses, with its reason."""
    files = sorted(map(str, folder.iterdir()))
    done = subprocess.run(["xmllint", "--noout", "--relaxng", rnggen.SCHEMAS / "domain.rng", *files], text=True,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return set(re.findall(r"([^/\n]*)\.xml fails to validate", done.stderr))


def test_random_documents(daemon, tmp_path):
    given, printed, refused = tmp_path / "given", tmp_path / "printed", []
    given.mkdir()
    printed.mkdir()
    for name, xml in documents():
        (given / f"{name}.xml").write_text(xml)
    odd = invalid(given)  # by a bound that the generator does not know
    flags = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE
    with connection(daemon) as conn:
        for path in sorted(given.iterdir()):
            if path.stem in odd:
                continue
            try:
                guest = conn.defineXML(path.read_text())
            except libvirt.libvirtError as error:
                # What numbers and names mean together, no schema tells: libvirt refuses those, too.
                assert error.get_error_code() != libvirt.VIR_ERR_INTERNAL_ERROR, f"{path.stem}: {error}"
                refused.append(f"{path.stem}: {error}")
                continue
            (printed / path.name).write_text(guest.XMLDesc(flags))
            guest.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
    assert not invalid(printed)
    taken = len(list(printed.iterdir()))
    assert taken > 4 * len(refused), "\n".join(refused)


def test_capabilities(daemon):
    """What the host and a guest can have; loaders are those that descriptors of the host name."""
    files = {}
    for name, words in (("capability", ["capabilities"]), ("domaincaps", ["domcapabilities"]),
                        ("domaincaps-i686", ["domcapabilities", "--arch",
                                               "i686" if platform.machine() == "x86_64" else platform.machine()]),
                        ("domaincaps-q35", ["domcapabilities", "--machine", "q35", "--virttype", "qemu"])):
        files[name] = daemon.write(f"{name}.xml", daemon.lodge(*words).out)
        schema = rnggen.SCHEMAS / f"{name.split('-')[0]}.rng"
        done = subprocess.run(["xmllint", "--noout", "--relaxng", schema, files[name]], text=True, capture_output=True)
        assert done.returncode == 0, done.stderr
    host = ElementTree.parse(files["capability"])
    assert [arch.get("name") for arch in host.iterfind("guest/arch")][-1] in ("x86_64", platform.machine())
    assert host.findtext("host/topology/cells/cell/pages") and host.findtext("host/secmodel/model") == "none"
    if platform.machine() == "x86_64":
        assert host.findtext("host/cpu/model") and host.find("host/cpu/signature") is not None
        assert ElementTree.parse(files["domaincaps-i686"]).findtext("arch") == "i686"
    loaders = ElementTree.parse(files["domaincaps-q35"]).findall("os/loader/value")
    described = [json.loads(path.read_text()) for path in sorted(DESCRIPTORS.glob("*.json"))]
    for loader in loaders:
        assert any(d["mapping"].get("executable", {}).get("filename") == loader.text for d in described)
    if (DESCRIPTORS / "60-edk2-x86_64.json").exists():
        assert loaders and ElementTree.parse(files["domaincaps-q35"]).findtext("os/enum/value") == "efi"
