"""go-libvirt, which has its own idea of the wire: found that a pointer may be "there" by any number but 0,
and that a download may end without a finish."""
import os
import pathlib
import shutil
import subprocess

import pytest

SOURCES = pathlib.Path("/usr/share/gocode")

pytestmark = pytest.mark.skipif(
    not shutil.which("go") or not (SOURCES / "src/github.com/digitalocean/go-libvirt").is_dir(),
    reason="golang-go or golang-github-digitalocean-go-libvirt-dev is not installed")


def test_go_libvirt(daemon, tmp_path):
    client = pathlib.Path(__file__).parent / "go_client"
    env = {**os.environ, "GO111MODULE": "off", "GOPATH": str(SOURCES), "GOCACHE": str(tmp_path / "cache"),
           "GOFLAGS": "-buildvcs=false"}
    subprocess.run(["go", "build", "-o", tmp_path / "client", "."], cwd=client, env=env, check=True, timeout=170)
    done = subprocess.run([tmp_path / "client", daemon.root / "run" / "libvirt-sock"], timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
