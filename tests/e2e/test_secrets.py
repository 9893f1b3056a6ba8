"""Secrets: virsh's and lodge's verbs, values that stay where they belong, and encrypted disks that need them."""
import base64
import subprocess

import libvirt
from lodgetest import BOOT_SECONDS, PROMPT, READY, run_image_tool, wait_until
from virttest import EventLoop, connection, refused, virsh

UUID = "0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f"
NO_SECRET, INVALID_SECRET, FORBIDDEN, DENIED = 66, 65, 29, 29


def xml(uuid=UUID, ephemeral="no", private="no", usage="<usage type='volume'><volume>/x.img</volume></usage>"):
    return (f"<secret ephemeral='{ephemeral}' private='{private}'><uuid>{uuid}</uuid>"
            f"<description>for tests</description>{usage}</secret>")


def test_virsh(daemon):
    path = daemon.write("s.xml", xml())
    assert f"Secret {UUID} created" in virsh(daemon, "secret-define", path).stdout
    assert "volume /x.img" in virsh(daemon, "secret-list").stdout
    text = virsh(daemon, "secret-dumpxml", UUID).stdout
    assert "ephemeral='no' private='no'" in text and "<volume>/x.img</volume>" in text
    assert "does not have a value" in virsh(daemon, "secret-get-value", UUID, ok=False).stderr
    value = base64.b64encode(b"open\0sesame\xff").decode()
    assert "Secret value set" in virsh(daemon, "secret-set-value", UUID, value).stdout
    assert value in virsh(daemon, "secret-get-value", UUID).stdout
    for read in (("secret-get-value", UUID), ("secret-set-value", UUID, value), ("secret-undefine", UUID)):
        assert virsh(daemon, *read, read_only=True, ok=False).returncode
    assert "<secret" in virsh(daemon, "secret-dumpxml", UUID, read_only=True).stdout
    files = list((daemon.root / "lib" / "secrets").iterdir())
    assert [file.name for file in files] == [UUID] and files[0].stat().st_mode & 0o777 == 0o600
    assert files[0].read_bytes() == b"open\0sesame\xff"
    assert "sesame" not in (daemon.root / "etc" / "secrets" / f"{UUID}.xml").read_text()
    daemon.restart()
    assert value in virsh(daemon, "secret-get-value", UUID).stdout
    assert f"Secret {UUID} deleted" in virsh(daemon, "secret-undefine", UUID).stdout
    assert not list((daemon.root / "lib" / "secrets").iterdir())
    assert UUID not in virsh(daemon, "secret-list").stdout


def test_lodge(daemon):
    assert f"Secret {UUID} created" in daemon.lodge("secret-define", daemon.write("s.xml", xml())).out
    assert UUID in daemon.lodge("secret-list").out
    plain = daemon.write("plain", "a b\n")
    daemon.lodge("secret-set-value", UUID, "--file", plain, "--plain")
    assert daemon.lodge("secret-get-value", UUID, "--plain").out == "a b\n"
    daemon.lodge("secret-set-value", UUID, "--interactive", input="typed\n")
    assert daemon.lodge("secret-get-value", UUID).out.strip() == base64.b64encode(b"typed").decode()
    for words in (["not base64!"], [], ["YQ==", "--interactive"], ["--file", daemon.root / "none"]):
        daemon.lodge("secret-set-value", UUID, *words, ok=False)
    assert daemon.lodge("secret-get-value", UUID, "--plain").out == "typed"
    assert daemon.lodge("secret-undefine", UUID).out.strip() == f"Secret {UUID} deleted"


def test_python_and_events(daemon):
    EventLoop.start()
    with connection(daemon) as conn:
        heard = []
        conn.secretEventRegisterAny(None, libvirt.VIR_SECRET_EVENT_ID_LIFECYCLE,
                                    lambda c, s, event, detail, o: heard.append((s.UUIDString(), event)), None)
        conn.secretEventRegisterAny(None, libvirt.VIR_SECRET_EVENT_ID_VALUE_CHANGED,
                                    lambda c, s, o: heard.append((s.UUIDString(), "value")), None)
        ceph = "<usage type='ceph'><name>client.admin secret</name></usage>"
        secret = conn.secretDefineXML(xml(usage=ceph))
        assert (secret.UUIDString(), secret.usageType(), secret.usageID()) == (UUID, 2, "client.admin secret")
        secret.setValue(b"\0\1\2")
        assert secret.value() == b"\0\1\2"
        assert conn.secretLookupByUsage(2, "client.admin secret").UUIDString() == UUID
        assert conn.secretLookupByUUIDString(UUID).usageID() == "client.admin secret"
        assert conn.numOfSecrets() == 1 and conn.listSecrets() == [UUID]
        refused(lambda: conn.secretLookupByUsage(3, "client.admin secret"), NO_SECRET)
        refused(lambda: conn.secretLookupByUUIDString(UUID[::-1]), NO_SECRET)
        # another one for the same, and the same for another
        other = UUID.replace("0a81", "0b81")
        refused(lambda: conn.secretDefineXML(xml(uuid=other, usage=ceph)), 9)
        refused(lambda: conn.secretDefineXML(xml()), 9)
        conn.secretDefineXML(xml(private="yes", usage=ceph))
        refused(secret.value, FORBIDDEN)
        refused(lambda: conn.secretDefineXML(xml(usage=ceph)), 27)
        conn.secretDefineXML(xml(uuid=other, ephemeral="yes", usage=""))
        flags = {libvirt.VIR_CONNECT_LIST_SECRETS_EPHEMERAL: [other],
                 libvirt.VIR_CONNECT_LIST_SECRETS_NO_EPHEMERAL: [UUID],
                 libvirt.VIR_CONNECT_LIST_SECRETS_PRIVATE: [UUID], 0: [UUID, other]}
        for flag, found in flags.items():
            assert sorted(s.UUIDString() for s in conn.listAllSecrets(flag)) == sorted(found)
        secret.undefine()
        wait_until(lambda: (UUID, libvirt.VIR_SECRET_EVENT_UNDEFINED) in heard, 60, "the events are there")
        assert heard[:2] == [(UUID, libvirt.VIR_SECRET_EVENT_DEFINED), (UUID, "value")]


def test_ephemeral(daemon):
    """In memory alone: nothing of it is on the disk, and a restart forgets it."""
    virsh(daemon, "secret-define", daemon.write("s.xml", xml(ephemeral="yes")))
    virsh(daemon, "secret-set-value", UUID, base64.b64encode(b"not-on-the-disk").decode())
    virsh(daemon, "secret-define", daemon.write("s.xml", xml(ephemeral="yes").replace("for tests", "changed")))
    assert "changed" in virsh(daemon, "secret-dumpxml", UUID).stdout
    assert base64.b64encode(b"not-on-the-disk").decode() in virsh(daemon, "secret-get-value", UUID).stdout
    for folder in ("etc", "lib", "run", "log"):
        assert subprocess.run(["grep", "-r", "not-on-the-disk", daemon.root / folder]).returncode == 1
    daemon.restart()
    assert UUID not in virsh(daemon, "secret-list").stdout


def encrypted(daemon, name, image_format, password):
    """An encrypted image whose first bytes are known."""
    raw, path = daemon.root / "raw", daemon.root / name
    raw.write_bytes(b"INSIDE-THE-DISK\n".ljust(1 << 20, b"."))
    prefix = "encrypt." if image_format == "qcow2" else ""
    options = f"{prefix}key-secret=s,{prefix}iter-time=10" + (",encrypt.format=luks" if prefix else "")
    done = run_image_tool(["qemu-img", "convert", "-f", "raw", "-O", image_format, "-o", options, "--object",
                           f"secret,id=s,data={password}", raw, path])
    assert done.returncode == 0, done.stderr
    assert b"INSIDE-THE-DISK" not in path.read_bytes()
    return path


def disk(path, kind, target, secret):
    return (f"<disk type='file' device='disk'><driver name='qemu' type='{kind}'/><source file='{path}'>"
            f"<encryption format='luks'><secret type='passphrase' {secret}/></encryption></source>"
            f"<target dev='{target}' bus='virtio'/></disk>")


def test_encrypted_disks(daemon):
    """Both ways to encrypt, both ways to name a secret; a private one serves guests all the same."""
    images = [encrypted(daemon, "a.qcow2", "qcow2", "one"), encrypted(daemon, "b.luks", "luks", "two")]
    other = UUID.replace("0a81", "0b81")
    usage = f"<usage type='volume'><volume>{images[1]}</volume></usage>"
    devices = disk(images[0], "qcow2", "vda", f"uuid='{UUID}'") + \
        disk(images[1], "raw", "vdb", f"usage='{images[1]}'")
    daemon.define("safe", devices=devices)
    assert "no secret" in daemon.lodge("start", "safe", ok=False).err
    virsh(daemon, "secret-define", daemon.write("s.xml", xml(private="yes")))
    virsh(daemon, "secret-define", daemon.write("t.xml", xml(uuid=other, ephemeral="yes", usage=usage)))
    assert "does not have a value" in daemon.lodge("start", "safe", ok=False).err
    virsh(daemon, "secret-set-value", other, base64.b64encode(b"two").decode())
    virsh(daemon, "secret-set-value", UUID, base64.b64encode(b"wrong").decode())
    assert "nvalid password" in daemon.lodge("start", "safe", ok=False).err
    virsh(daemon, "secret-set-value", UUID, base64.b64encode(b"one").decode())
    daemon.lodge("start", "safe")
    console = daemon.console("safe")
    console.expect(READY, BOOT_SECONDS)
    console.expect(PROMPT)
    assert console.run("head -c 15 /dev/vda").strip().endswith("INSIDE-THE-DISK")
    assert console.run("head -c 15 /dev/vdb").strip().endswith("INSIDE-THE-DISK")
    qemu = daemon.qemu_of("safe")
    with open(f"/proc/{qemu}/cmdline", "rb") as words:
        assert b"one" not in words.read().split(b"\0")
    daemon.lodge("destroy", "safe")
