"""Images and a full disk, and a daemon that is killed while it copies: nothing is left, nothing is lost."""
import os
import signal
import subprocess
import time

import pytest

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")


@pytest.fixture
def small(tmp_path):
    """A folder with room for 8 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8M", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@root_only
def test_full_disk(daemon, tmp_path, small):
    big = tmp_path / "big.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", "preallocation=full", big, "16M"],
                   check=True)
    daemon.lodge("pool-create-as", "small", "dir", "--target", small)
    daemon.lodge("vol-create-as", "small", "kept", "1M", "--allocation", "1M", "--format", "raw")
    for words in (["vol-create-as", "small", "a", "32M", "--allocation", "32M", "--format", "raw"],
                  ["image", "import", big, "--pool", "small", "--name", "b"]):
        answer = daemon.lodge(*words, ok=False)
        assert "No space left" in answer.err, answer
        assert sorted(os.listdir(small)) == ["kept"], words
    daemon.lodge("vol-create-as", "small", "after", "1G", "--format", "qcow2")
    assert sorted(os.listdir(small)) == ["after", "kept"]
    daemon.lodge("pool-destroy", "small")


@root_only
def test_killed_in_import(daemon, tmp_path):
    """A part of a process that is gone goes at the next start; the import is simply done again."""
    source = tmp_path / "source.raw"
    source.write_bytes(os.urandom(1 << 20) * 64)
    images = daemon.root / "images"
    work = subprocess.Popen([*daemon_words(daemon), "image", "import", source, "--name", "copy"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.05)  # anywhere in it: also before and after
    daemon.process.send_signal(signal.SIGKILL)
    daemon.process.wait(60)
    work.wait(60)
    daemon.start()
    if not (images / "copy.img").exists():
        daemon.lodge("image", "import", source, "--name", "copy")
    assert (images / "copy.img").read_bytes() == source.read_bytes()
    assert [f for f in os.listdir(images) if f.startswith(".")] == []


def daemon_words(daemon):
    from lodgetest import LODGE
    return [LODGE, "--root", daemon.root, "--no-start"]
