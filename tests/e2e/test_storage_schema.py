"""libvirt's schemas of pools and volumes and Lodge: what they call valid is taken, or refused for what it means;
what Lodge prints is valid by them."""
import re
import shutil
import subprocess
from xml.etree import ElementTree

import libvirt
import pytest

import rnggen
from virttest import connection

pytestmark = pytest.mark.skipif(not (shutil.which("xmllint") and (rnggen.SCHEMAS / "storagepool.rng").exists()),
                                reason="xmllint or libvirt's schemas are not installed")
PATHS = "<choice><value>/data/a</value><value>/data/b</value></choice>"
NARROW = {"absFilePath": PATHS, "absDirPath": PATHS, "filePath": PATHS}
KINDS = "dir fs netfs logical disk iscsi iscsidirect scsi mpath rbd gluster zfs".split()
EACH = 8
UUID = "3f2ad1a0-8d0f-4b57-9c39-0a7a2c6f4c11"


def schema_of(name):
    schema = rnggen.Schema(rnggen.SCHEMAS / f"{name}.rng")
    for define, pattern in NARROW.items():
        if define in schema.defines:
            schema.replace(define, pattern)
    return schema


def invalid(schema, folder):
    """Names of the files that the schema refuses."""
    files = sorted(map(str, folder.iterdir()))
    done = subprocess.run(["xmllint", "--noout", "--relaxng", rnggen.SCHEMAS / f"{schema}.rng", *files], text=True,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return {name: done.stderr for name in re.findall(r"([^/\n]*)\.xml fails to validate", done.stderr)}


def narrowed(pool):
    """Without values that only a type of the schema allows: texts as uuids, ports below 0, exabytes."""
    for secret in pool.iter("secret"):
        if "uuid" in secret.attrib:
            secret.set("uuid", UUID)
    for host in pool.iter("host"):
        if host.get("port", "").startswith("-"):
            del host.attrib["port"]
        if host.get("name", "").startswith("-"):
            host.set("name", "server")
    for size in ("capacity", "allocation", "available"):
        for element in pool.findall(size):
            pool.remove(element)
    return pool


def simple(volume, choice):
    """Of the formats those that can be made, and options of qcow2 only there. What is there already (key, source)
    is told and not asked for."""
    for part in ("key", "source", "backingStore"):
        for element in volume.findall(part):
            volume.remove(element)
    for size in volume.findall("capacity") + volume.findall("allocation") + volume.findall("physical"):
        size.attrib.pop("unit", None)
    if volume.find("capacity") is None:  # the schema lets it be, libvirt does not
        ElementTree.SubElement(volume, "capacity").text = "9"
    for target in volume.findall("target"):
        for odd in target.findall("permissions") + target.findall("encryption") + target.findall("clusterSize"):
            target.remove(odd)
        for format in target.findall("format"):
            format.set("type", choice)
        for compat in target.findall("compat"):
            compat.text = "1.1"
        if target.find("format") is None or choice != "qcow2":
            for odd in target.findall("compat") + target.findall("features"):
                target.remove(odd)
    return volume


def named(xml, name):
    """The document with a name of its own and without a uuid, so that none stands in another's way."""
    for old in xml.findall("uuid"):
        xml.remove(old)
    for element in xml.findall("name"):
        element.text = name
    return ElementTree.tostring(xml, encoding="unicode")


def test_random_pools(daemon, tmp_path):
    schema, given, printed, refused = schema_of("storagepool"), tmp_path / "given", tmp_path / "printed", {}
    given.mkdir()
    printed.mkdir()
    for kind in KINDS:
        for i in range(EACH):
            pool = ElementTree.Element("pool")
            rnggen.Generator(schema, f"{kind}{i}", often=0.5).all(schema.defines["pool" + kind], pool)
            if pool[0].tag == "pool":
                pool = pool[0]
            (given / f"{kind}-{i}.xml").write_text(named(narrowed(pool), f"{kind}-{i}"))
    odd = invalid("storagepool", given)
    with connection(daemon) as conn:
        for path in sorted(given.iterdir()):
            if path.stem in odd:
                continue
            try:
                pool = conn.storagePoolDefineXML(path.read_text())
            except libvirt.libvirtError as error:
                assert error.get_error_code() != libvirt.VIR_ERR_INTERNAL_ERROR, f"{path.stem}: {error}"
                refused[path.stem] = str(error)
                continue
            (printed / path.name).write_text(pool.XMLDesc(libvirt.VIR_STORAGE_XML_INACTIVE))
            pool.undefine()
        for kind in ("sheepdog", "vstorage"):
            with pytest.raises(libvirt.libvirtError, match=f"pools of type {kind} are not supported"):
                conn.storagePoolDefineXML(f"<pool type='{kind}'><name>x</name><source><host name='h'/><name>n</name>"
                                          "</source><target><path>/x</path></target></pool>")
        own = conn.storagePoolDefineXML("<pool type='logical'><source><name>vg7</name></source></pool>")
        assert own.name() == "vg7"
    assert not invalid("storagepool", printed)
    taken = len(list(printed.iterdir()))
    assert taken > 5 * len(refused), "\n".join(f"{name}: {why}" for name, why in sorted(refused.items()))


def test_random_volumes(daemon, tmp_path):
    schema, given, printed, refused = schema_of("storagevol"), tmp_path / "given", tmp_path / "printed", {}
    given.mkdir()
    printed.mkdir()
    for i in range(10 * EACH):
        volume = rnggen.Generator(schema, f"volume{i}", often=0.5).document()
        simple(volume, ["raw", "qcow2", "vmdk", "vdi", "qcow2"][i % 5])
        (given / f"v{i}.xml").write_text(named(volume, f"v{i}"))
    odd = invalid("storagevol", given)
    with connection(daemon) as conn:
        pool = conn.storagePoolLookupByName("default")
        for path in sorted(given.iterdir()):
            if path.stem in odd:
                continue
            try:
                volume = pool.createXML(path.read_text())
            except libvirt.libvirtError as error:
                assert error.get_error_code() != libvirt.VIR_ERR_INTERNAL_ERROR, f"{path.stem}: {error}"
                refused[path.stem] = str(error)
                continue
            (printed / path.name).write_text(volume.XMLDesc())
            volume.delete()
    assert not invalid("storagevol", printed)
    taken = len(list(printed.iterdir()))
    assert taken > 5 * len(refused), "\n".join(f"{name}: {why}" for name, why in sorted(refused.items()))
