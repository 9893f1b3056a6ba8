"""Cloud-init: the CD that a guest finds, kept with it, changed, taken out and put in, and gone with it."""
import os
import subprocess

import pytest

from lodgetest import READY, ROOT, guest_files

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0d0b3u1c0cX5q1bqv5m3V9Q0X5k1o3u7d8e9f0a1b2 me@here\n"


def on_cd(seed, name):
    """A file of the CD, as another program reads it."""
    done = subprocess.run(["xorriso", "-osirrox", "on", "-indev", str(seed), "-extract", f"/{name}",
                           f"{seed}.out"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    out = seed.parent / f"{seed.name}.out"
    text = out.read_text()
    out.chmod(0o600)
    out.unlink()
    return text


def test_cloud_init(daemon, tmp_path):
    image = tmp_path / "empty.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "8M"], check=True)
    (tmp_path / "key.pub").write_text(KEY)
    (tmp_path / "user-data").write_text("#cloud-config\npackages: [htop]\n")
    (tmp_path / "net").write_text("version: 2\n")
    daemon.lodge("run", "web1", "--image", str(image), "--memory", "64M", "--hostname", "web1.example.org",
                 "--user", "admin", "--ssh-key", str(tmp_path / "key.pub"), "--paused")
    uuid = daemon.lodge("domuuid", "web1").out.strip()
    seed = daemon.root / "lib" / "seed" / uuid / "seed.iso"
    assert f"{seed}" in daemon.lodge("dumpxml", "web1").out
    user = on_cd(seed, "user-data")
    assert user.startswith("#cloud-config\n") and KEY.strip() in user and '"admin"' in user
    meta = on_cd(seed, "meta-data")
    assert "web1.example.org" in meta and f"instance-id: {uuid}-1" in meta
    label = subprocess.run(["xorriso", "-indev", str(seed), "-pvd_info"], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, timeout=60).stdout
    assert "cidata" in label.lower()
    # changed later: what is given as files, and what words add to it
    daemon.lodge("cloud-init", "set", "web1", "--cloud-init", str(tmp_path / "user-data"), "--network-config",
                 str(tmp_path / "net"), "--hostname", "web2", "--new-instance")
    assert on_cd(seed, "user-data") == "#cloud-config\npackages: [htop]\n"
    assert on_cd(seed, "network-config") == "version: 2\n"
    assert "web2" in on_cd(seed, "vendor-data") and f"{uuid}-2" in on_cd(seed, "meta-data")
    assert "htop" in daemon.lodge("cloud-init", "show", "web1").out
    daemon.lodge("cloud-init", "detach", "web1")
    assert f"{seed}" not in daemon.lodge("dumpxml", "--inactive", "web1").out
    daemon.lodge("cloud-init", "attach", "web1")
    assert f"{seed}" in daemon.lodge("dumpxml", "--inactive", "web1").out
    for wrong in (["--hostname", "a b"], ["--user", "ro:ot"], ["--cloud-init", str(tmp_path / "none")]):
        assert daemon.lodge("cloud-init", "set", "web1", *wrong, ok=False).code != 0
    daemon.lodge("destroy", "web1")
    daemon.lodge("undefine", "web1")
    assert not seed.parent.exists()
    assert daemon.lodge("run", "bad", "--image", str(image), "--user", "no good", ok=False).code != 0
    assert list((daemon.root / "lib" / "seed").iterdir()) == []
    assert not list((daemon.root / "images").glob("bad*"))


@pytest.mark.timeout(400)  # the first run fetches packages
def test_guest_with_cloud_init(daemon, tmp_path):
    """A real guest finds the CD and does what it says."""
    (tmp_path / "key.pub").write_text(KEY)
    (tmp_path / "user-data").write_text("#cloud-config\nbootcmd:\n- echo ran > /run/lodge-was-here\n")
    (tmp_path / "net").write_text("version: 2\nethernets:\n  eth0:\n    addresses: [192.0.2.7/24]\n")
    (tmp_path / "disk.img").write_bytes(bytes(1 << 20))
    daemon.define("web1", memory=512, flavour=("seeded",),
                  devices=f"<disk type='file' device='disk'><source file='{tmp_path}/disk.img'/>"
                          "<target dev='vda' bus='virtio'/></disk>"
                          "<interface type='user'><model type='virtio'/></interface>")
    daemon.lodge("cloud-init", "set", "web1", "--cloud-init", tmp_path / "user-data", "--hostname", "db7", "--user",
                 "lodger", "--ssh-key", tmp_path / "key.pub", "--network-config", tmp_path / "net")
    daemon.lodge("start", "web1")
    console = daemon.console("web1")
    console.expect(READY)
    text = console.run("seeded", 240).replace("\r", "")
    said = dict(line.split(": ", 1) for line in text.splitlines() if line.startswith("RESULT-"))
    assert said["RESULT-hostname"] == "db7", text
    assert said["RESULT-keys"] == KEY.strip() and "/home/lodger:/bin/bash" in said["RESULT-user"]
    assert said["RESULT-sudo"] == "lodger ALL=(ALL) NOPASSWD:ALL"
    assert "192.0.2.7/24" in said["RESULT-address"] and said["RESULT-ran"] == "ran"
    daemon.lodge("destroy", "web1")
    daemon.lodge("cloud-init", "detach", "web1")
    assert "cdrom" not in daemon.lodge("dumpxml", "web1").out
    assert daemon.lodge("cloud-init", "detach", "web1", ok=False).code
    daemon.lodge("cloud-init", "attach", "web1")
    assert "cdrom" in daemon.lodge("dumpxml", "web1").out


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.timeout(400)  # the first run fetches packages
def test_what_cloud_init_makes_of_it(daemon, tmp_path):
    """Debian's cloud-init, on this machine's files with a layer of their own above, does what the CD says."""
    image = tmp_path / "empty.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "8M"], check=True)
    (tmp_path / "key.pub").write_text(KEY)
    (tmp_path / "net").write_text("version: 2\nethernets:\n  enp1s0:\n    dhcp4: true\n")
    daemon.lodge("run", "web1", "--image", str(image), "--memory", "64M", "--hostname", "db7", "--user", "lodger",
                 "--ssh-key", str(tmp_path / "key.pub"), "--network-config", str(tmp_path / "net"), "--paused")
    seed = daemon.root / "lib" / "seed" / daemon.lodge("domuuid", "web1").out.strip() / "seed.iso"
    folder, work = tmp_path / "seed", tmp_path / "work"
    work.mkdir()
    folder.mkdir()
    for name in ("user-data", "meta-data", "network-config"):
        (folder / name).write_text(on_cd(seed, name))
    done = subprocess.run(["unshare", "--mount", "--uts", "--net", "--pid", "--fork", "bash", "-eu",
                           ROOT / "tests" / "guest" / "cloud-init", guest_files("cloud") / "tree", folder, work],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=170)
    if "no overlay here" in done.stdout:
        pytest.skip(done.stdout)
    assert done.returncode == 0, done.stdout[-4000:]
    said = dict(line.split(": ", 1) for line in done.stdout.splitlines() if line.startswith("RESULT-"))
    assert said["RESULT-hostname"] == "db7" and said["RESULT-file"] == "db7"
    assert said["RESULT-keys"] == KEY.strip()
    assert "/home/lodger:/bin/bash" in said["RESULT-user"]
    assert said["RESULT-sudo"] == "lodger ALL=(ALL) NOPASSWD:ALL"
    assert "enp1s0" in said["RESULT-network"]
    assert said["RESULT-valid"] == "yes"
