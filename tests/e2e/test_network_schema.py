"""libvirt's schemas of networks and filters, and Lodge: what Lodge prints of random valid documents is valid, and
what it refuses of them it refuses for what they say together, as libvirt does."""
import re
import shutil
import subprocess
from xml.etree import ElementTree

import libvirt
import pytest

import rnggen
from virttest import connection

pytestmark = pytest.mark.skipif(not (shutil.which("xmllint") and (rnggen.SCHEMAS / "network.rng").exists()),
                                reason="xmllint or libvirt's schemas are not installed")
EACH = 120
XML_ERROR = 27


def invalid(schema, folder):
    files = sorted(map(str, folder.iterdir()))
    done = subprocess.run(["xmllint", "--noout", "--relaxng", rnggen.SCHEMAS / schema, *files], text=True,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return set(re.findall(r"([^/\n]*)\.xml fails to validate", done.stderr))


def named(document, number):
    """Each has a name of its own."""
    if document.tag == "filter":
        document.set("name", f"n{number}")
    else:
        document.find("name").text = f"n{number}"
    return ElementTree.tostring(document, encoding="unicode")


# Of random networks few make sense: most have addresses of no subnet, or devices that their mode has no use for.
@pytest.mark.parametrize("schema, least", [("nwfilter.rng", EACH * 0.8), ("network.rng", 5)])
def test_random_documents(daemon, tmp_path, schema, least):
    given, printed = tmp_path / "given", tmp_path / "printed"
    given.mkdir()
    printed.mkdir()
    grammar = rnggen.Schema(rnggen.SCHEMAS / schema)
    for i in range(EACH):
        document = rnggen.Generator(grammar, f"{schema}{i}", often=0.4).document()
        (given / f"{i:03}.xml").write_text(named(document, i))
    odd = invalid(schema, given)  # by a bound that the generator does not know
    with connection(daemon) as conn:
        define = conn.nwfilterDefineXML if schema == "nwfilter.rng" else conn.networkDefineXML
        for path in sorted(given.iterdir()):
            if path.stem in odd:
                continue
            try:
                made = define(path.read_text())
            except libvirt.libvirtError as error:
                assert error.get_error_code() in (XML_ERROR, libvirt.VIR_ERR_CONFIG_UNSUPPORTED), f"{path}: {error}"
                continue
            (printed / path.name).write_text(made.XMLDesc(0))
            made.undefine()
    assert not invalid(schema, printed)
    assert len(list(printed.iterdir())) >= least
