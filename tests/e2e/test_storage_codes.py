"""The numbers of errors that clients branch on, for pools and volumes: as libvirt 9.0 answers the same calls
(measured there)."""
import os

import libvirt

from virttest import connection

UUID = "11111111-1111-1111-1111-111111111111"
FROM_STORAGE = libvirt.VIR_FROM_STORAGE


def pool_xml(name, path, more="", kind="dir"):
    return f"<pool type='{kind}'><name>{name}</name>{more}<target><path>{path}</path></target></pool>"


def volume_xml(name, format="raw", more="", target=""):
    return (f"<volume><name>{name}</name><capacity>1048576</capacity><allocation>0</allocation>"
            f"<target><format type='{format}'/>{target}</target>{more}</volume>")


def backing(path, format):
    return f"<backingStore><path>{path}</path><format type='{format}'/></backingStore>"


def code_of(call):
    """The number of its error, 0 without one."""
    try:
        call()
    except libvirt.libvirtError as error:
        return error.get_error_code()
    return 0


def check(rows):
    wrong = [f"{what}: {got}, libvirt has {code}" for code, what, call in rows
             if (got := code_of(call)) != code]
    assert not wrong, "\n".join(wrong)


def download(conn, volume, offset, length):
    stream, got = conn.newStream(), b""
    volume.download(stream, offset, length)
    while part := stream.recv(65536):
        got += part
    stream.finish()
    return got


def upload(conn, volume, offset, data):
    stream = conn.newStream()
    volume.upload(stream, offset, 0)
    stream.send(data)
    stream.finish()


def test_pools(daemon):
    with connection(daemon) as conn:
        (daemon.root / "a").mkdir()
        (daemon.root / "t").mkdir()
        a = conn.storagePoolDefineXML(pool_xml("a", daemon.root / "a", f"<uuid>{UUID}</uuid>"))
        a.create()
        off = conn.storagePoolDefineXML(pool_xml("off", daemon.root / "off"))
        transient = conn.storagePoolCreateXML(pool_xml("t", daemon.root / "t"))
        define, z = conn.storagePoolDefineXML, daemon.root / "z"
        check((
            (49, "by name", lambda: conn.storagePoolLookupByName("no")),
            (49, "by uuid", lambda: conn.storagePoolLookupByUUIDString(UUID.replace("1", "2"))),
            (49, "by path", lambda: conn.storagePoolLookupByTargetPath("/no")),
            (49, "by path, inactive", lambda: conn.storagePoolLookupByTargetPath(str(daemon.root / "off"))),
            (27, "another root", lambda: define("<domain/>")),
            (27, "no type", lambda: define("<pool><name>x</name></pool>")),
            (27, "a type that is none", lambda: define(pool_xml("x", "/x", kind="nonsense"))),
            (27, "no name", lambda: define("<pool type='dir'><target><path>/x</path></target></pool>")),
            (27, "no path", lambda: define("<pool type='dir'><name>x</name></pool>")),
            (27, "a slash", lambda: define(pool_xml("x/y", "/x"))),
            (27, "no host", lambda: define(pool_xml("n", "/n", kind="netfs"))),
            (9, "name taken", lambda: define(pool_xml("a", z, f"<uuid>{UUID.replace('1', '2')}</uuid>"))),
            (9, "uuid taken", lambda: define(pool_xml("b", z, f"<uuid>{UUID}</uuid>"))),
            (9, "path taken", lambda: define(pool_xml("b", daemon.root / "a"))),
            (8, "flags", lambda: define(pool_xml("b", z), 1 << 20)),
            (55, "create, active",
             lambda: conn.storagePoolCreateXML(pool_xml("a", z, f"<uuid>{UUID}</uuid>"))),
            (38, "create, no folder", lambda: conn.storagePoolCreateXML(pool_xml("m", daemon.root / "m"))),
            (38, "start, no folder", off.create), (55, "start, active", a.create),
            (55, "stop, inactive", off.destroy), (55, "undefine, active", a.undefine),
            (55, "delete, active", a.delete), (55, "build, active", a.build),
            (8, "build, both", lambda: off.build(12)), (55, "refresh, inactive", off.refresh),
            (55, "list, inactive", off.listVolumes), (55, "list all, inactive", off.listAllVolumes),
            (55, "count, inactive", off.numOfVolumes), (38, "delete, no folder", off.delete),
            (55, "undefine, transient", transient.undefine),
        ))
        off.undefine()
        check([(49, f"{call.__name__}, undefined", call)
               for call in (off.create, off.info, off.XMLDesc, off.undefine, off.refresh)])


def test_volumes(daemon):
    with connection(daemon) as conn:
        (daemon.root / "a").mkdir()
        pool = conn.storagePoolDefineXML(pool_xml("a", daemon.root / "a"))
        pool.create()
        off = conn.storagePoolDefineXML(pool_xml("off", daemon.root / "off"))
        v, q = pool.createXML(volume_xml("v")), pool.createXML(volume_xml("q", "qcow2"))
        make = pool.createXML
        check((
            (50, "by name", lambda: pool.storageVolLookupByName("no")),
            (55, "by name, inactive", lambda: off.storageVolLookupByName("no")),
            (50, "by key", lambda: conn.storageVolLookupByKey("/no/key")),
            (50, "by path", lambda: conn.storageVolLookupByPath("/no/path")),
            (27, "another root", lambda: make("<pool type='dir'><name>x</name></pool>")),
            (27, "no name", lambda: make("<volume><capacity>1</capacity></volume>")),
            (27, "no capacity", lambda: make("<volume><name>n</name></volume>")),
            (27, "capacity", lambda: make("<volume><name>n</name><capacity>x</capacity></volume>")),
            (90, "name taken", lambda: make(volume_xml("v"))),
            (67, "format", lambda: make(volume_xml("f", "nonsense"))),
            (67, "base's format", lambda: make(volume_xml("b", "qcow2", backing(v.path(), "nonsense")))),
            (8, "flags", lambda: make(volume_xml("f"), 1 << 20)),
            (55, "inactive", lambda: off.createXML(volume_xml("i"))),
            (27, "compat", lambda: make(volume_xml("c", "qcow2", target="<compat>9</compat>"))),
            (55, "copy, inactive", lambda: off.createXMLFrom(volume_xml("n"), v)),
            (8, "smaller", lambda: v.resize(512)), (8, "resize's flags", lambda: v.resize(1 << 21, 1 << 20)),
            (8, "way of wiping", lambda: v.wipePattern(77)), (8, "wipe's flags", lambda: v.wipe(4)),
            (8, "delete's flags", lambda: v.delete(1 << 20)),
            (8, "info's flags", lambda: v.infoFlags(1 << 8)),
            (0, "a download behind the end", lambda: download(conn, v, 1 << 40, 0)),
            (0, "a download over the end", lambda: download(conn, v, 0, 1 << 40)),
            (0, "an upload over the end", lambda: upload(conn, v, 0, b"x" * 250000 * 5)),
        ))
        assert v.info()[1] == 1250000 == len(download(conn, v, 0, 0))
        v.delete()
        check([(50, f"{what}, deleted", call) for what, call in (
            ("info", v.info), ("delete", v.delete), ("download", lambda: download(conn, v, 0, 0)),
            ("copy", lambda: pool.createXMLFrom(volume_xml("n"), v)))])
        pool.destroy()
        check([(55, f"{call.__name__}, stopped", call) for call in (q.info, q.XMLDesc, q.delete)])
        assert q.storagePoolLookupByVolume().name() == "a"
        pool.undefine()
        gone = [("resize", lambda: q.resize(1 << 30)), ("create", lambda: make(volume_xml("n"))),
                ("download", lambda: q.download(conn.newStream(), 0, 0)),
                *((call.__name__, call) for call in (q.info, q.XMLDesc, q.path, q.delete, q.wipe,
                                                     q.storagePoolLookupByVolume))]
        check([(49, f"{what}, without the pool", call) for what, call in gone])
        try:
            q.info()
        except libvirt.libvirtError as error:
            assert error.get_error_domain() == FROM_STORAGE and "Storage pool not found" in str(error)


def encrypted(secret):
    return f"<encryption format='luks'>{secret}</encryption>"


def source(more, kind="iscsi"):
    return pool_xml("s", "/s", f"<source><host name='h'/><device path='iqn.a:b'/>{more}</source>", kind)


def test_documents(daemon):
    """What is wrong with a document is told apart."""
    with connection(daemon) as conn:
        (daemon.root / "a").mkdir()
        pool = conn.storagePoolCreateXML(pool_xml("a", daemon.root / "a"))
        v, define, make = pool.createXML(volume_xml("v")), conn.storagePoolDefineXML, pool.createXML
        for cut in ("", "text", "<pool", "<pool/><pool/>", "<pool>\x01</pool>"):
            as_volume = cut.replace("pool", "volume")
            check(((35, f"define {cut!r}", lambda: define(cut)),
                   (35, f"create {cut!r}", lambda: conn.storagePoolCreateXML(cut)),
                   (35, f"volume {cut!r}", lambda: make(as_volume)),
                   (35, f"clone {cut!r}", lambda: pool.createXMLFrom(as_volume, v))))
        for name in ("x/y", "/x", "../x", ".", ".."):
            check(((55, name, lambda: make(volume_xml(name))),
                   (55, f"clone, {name}", lambda: pool.createXMLFrom(volume_xml(name), v))))
        uuid = f"<secret type='passphrase' uuid='{UUID}'/>"
        chap = "<auth type='chap' {}><secret usage='u'/></auth>".format
        check((
            (67, "a feature", lambda: make(volume_xml("f", "qcow2", target="<features><x/></features>"))),
            *((67, f"format {word}", lambda word=word: make(volume_xml("f", word)))
              for word in ("none", "unknown")),
            *((67, f"tables beforehand, {word}", lambda word=word: make(volume_xml("f", word), 1))
              for word in ("raw", "vmdk", "iso")),
            (67, "tables beforehand, a raw clone",
             lambda: pool.createXMLFrom(volume_xml("f"), v, libvirt.VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA)),
            *((27, f"a size of {size}",
               lambda size=size: make(volume_xml("f").replace("1048576", size)))
              for size in ("0x10", "1 0", "10 K", "10K", "-1", "1.5", str(1 << 64))),
            (38, "a long name", lambda: make(volume_xml("n" * 300))),
            (8, "unit", lambda: make(volume_xml("u").replace("<capacity>", "<capacity unit='foo'>"))),
            (67, "type", lambda: make(volume_xml("u").replace("<volume>", "<volume type='foo'>"))),
            (8, "no secret", lambda: make(volume_xml("e", "qcow2", target=encrypted("")))),
            (66, "no such secret", lambda: make(volume_xml("e", "qcow2", target=encrypted(uuid)))),
            (67, "secret's type",
             lambda: make(volume_xml("e", "raw", target=encrypted(uuid.replace("passphrase", "x"))))),
            (27, "secret without all",
             lambda: make(volume_xml("e", "raw", target=encrypted("<secret type='passphrase'/>")))),
            (3, "raw with a base", lambda: make(volume_xml("b", "raw", backing(v.path(), "raw")))),
            (3, "sources", lambda: conn.findStoragePoolSources("fs", None)),
            (67, "format", lambda: define(source("<dir path='/d'/><format type='x'/>", "netfs"))),
            (67, "login", lambda: define(source(chap("username='u'").replace("chap", "x")))),
            (27, "nobody's login", lambda: define(source(chap("")))),
            (27, "without password", lambda: define(source("<auth type='chap' username='u'/>"))),
        ))
        try:
            make(volume_xml("e", "qcow2", target=encrypted(uuid)))
        except libvirt.libvirtError as error:
            assert error.get_error_domain() == libvirt.VIR_FROM_SECRET and "Secret not found: " in str(error)
        os.unlink(v.path())
        check(((50, "info, vanished", v.info),))
