"""Pools that need a kernel of their own, in a user-mode Linux: LVM and NFS (tests/uml/storage.sh), SCSI, iSCSI and
multipath (tests/uml/scsi.sh). The sanitizers' memory map does not fit there, so it runs the plain build."""
import contextlib
import os
import signal
import subprocess

import pytest

from lodgetest import ROOT, guest_files

PLAIN = ROOT / "build" / "lodge"


@pytest.mark.skipif(os.geteuid() != 0 or not PLAIN.exists(), reason="needs root and build/lodge (make)")
@pytest.mark.timeout(900)  # the first run fetches packages
@pytest.mark.parametrize("script", ["storage", "scsi"])
def test_pools(tmp_path, script):
    files = guest_files("uml")
    words = [files / "linux", "mem=512M", "rootfstype=hostfs", "rootflags=/", "ro", "quiet", "con=null",
             "con0=null,fd:1", f"uml_dir={tmp_path}", f"init={ROOT}/tests/uml/init",
             f"run={ROOT}/tests/uml/{script}.sh", f"uml={files}", f"lodge={PLAIN}"]
    uml = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           env={**os.environ, "TMPDIR": str(tmp_path)}, start_new_session=True)
    try:
        said = uml.communicate(timeout=700)[0].decode(errors="replace")
    finally:
        with contextlib.suppress(ProcessLookupError):  # its processes are a guest's, and outlive the first
            os.killpg(uml.pid, signal.SIGKILL)
    if not any(word in said for word in ("PASSED", "FAILED", "$ ")):
        pytest.skip(f"user-mode Linux does not run here: {said[-2000:]}")
    assert "PASSED" in said, said[-8000:]
    print(said)
