"""libvirt's schemas of networks, ports, filters, bindings and host interfaces, and Lodge: what Lodge prints of
random valid documents is valid, and what it refuses of them it refuses for what they say together, as libvirt
does."""
import re
import shutil
import subprocess
from xml.etree import ElementTree

import libvirt
import pytest

import rnggen
from nettest import net_daemon  # noqa: F401  (a fixture)
from test_host_bridges import host  # noqa: F401  (a fixture)
from virttest import connection

pytestmark = pytest.mark.skipif(not (shutil.which("xmllint") and (rnggen.SCHEMAS / "network.rng").exists()),
                                reason="xmllint or libvirt's schemas are not installed")
EACH = 120
# what libvirt says of documents, and of a bridge or class that another has
DOCUMENT = (libvirt.VIR_ERR_XML_ERROR, libvirt.VIR_ERR_XML_DETAIL, libvirt.VIR_ERR_CONFIG_UNSUPPORTED,
            libvirt.VIR_ERR_INVALID_ARG, libvirt.VIR_ERR_INTERNAL_ERROR)
NETWORK = "<network><name>base</name><ip address='10.66.0.1' netmask='255.255.255.0'/></network>"


def invalid(schema, folder):
    files = sorted(map(str, folder.iterdir()))
    done = subprocess.run(["xmllint", "--noout", "--relaxng", rnggen.SCHEMAS / schema, *files], text=True,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return set(re.findall(r"([^/\n]*)\.xml fails to validate", done.stderr))


def named(document, number):
    """Each has a name of its own."""
    if document.tag in ("filter", "interface"):
        document.set("name", f"n{number}")
    elif document.tag == "filterbinding":
        document.find("portdev").set("name", f"n{number}")
        document.find("filterref").set("filter", "clean-traffic")
    elif document.tag == "network":
        document.find("name").text = f"n{number}"
    return ElementTree.tostring(document, encoding="unicode")


def walk(conn, tmp_path, schema, define, undefine, least):
    given, printed = tmp_path / "given", tmp_path / "printed"
    given.mkdir()
    printed.mkdir()
    grammar = rnggen.Schema(rnggen.SCHEMAS / schema)
    for i in range(EACH):
        document = rnggen.Generator(grammar, f"{schema}{i}", often=0.4).document()
        (given / f"{i:03}.xml").write_text(named(document, i))
    odd = invalid(schema, given)  # by a bound that the generator does not know
    for path in sorted(given.iterdir()):
        if path.stem in odd:
            continue
        try:
            made = define(path.read_text())
        except libvirt.libvirtError as error:
            assert error.get_error_code() in DOCUMENT, f"{path}: {error.get_error_code()}: {error}"
            continue
        (printed / path.name).write_text(made.XMLDesc(0))
        undefine(made)
    assert not invalid(schema, printed)
    assert len(list(printed.iterdir())) >= least, len(list(printed.iterdir()))


# Of random networks few make sense: most have addresses of no subnet, or devices that their mode has no use for.
@pytest.mark.parametrize("schema, least", [("nwfilter.rng", EACH * 0.8), ("network.rng", 5)])
def test_random_documents(daemon, tmp_path, schema, least):
    with connection(daemon) as conn:
        define = conn.nwfilterDefineXML if schema == "nwfilter.rng" else conn.networkDefineXML
        walk(conn, tmp_path, schema, define, lambda made: made.undefine(), least)


@pytest.mark.parametrize("schema, least", [("networkport.rng", 20), ("nwfilterbinding.rng", 20)])
def test_random_ports_and_bindings(net_daemon, tmp_path, schema, least):
    with connection(net_daemon) as conn:
        network = conn.networkCreateXML(NETWORK)
        define = network.portCreateXML if schema == "networkport.rng" else conn.nwfilterBindingCreateXML
        walk(conn, tmp_path, schema, define, lambda made: made.delete(), least)
        network.destroy()


def test_random_interfaces(host, tmp_path):
    """Most are about hardware that is not there, or ask for what ifupdown's files cannot say."""
    with connection(host) as conn:
        walk(conn, tmp_path, "interface.rng", conn.interfaceDefineXML, lambda made: made.undefine(), 1)
