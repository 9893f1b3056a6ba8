"""A file system for tests that answers for a while and then does not any more: a FUSE server in a few lines,
which shows one empty folder (Linux include/uapi/linux/fuse.h). From SIGUSR1 on whoever asks it waits; its
end frees them.

    hangfs.py FOLDER        prints "ready" once it is mounted
"""
import ctypes
import os
import signal
import struct
import sys

LOOKUP, FORGET, GETATTR, STATFS, INIT, OPENDIR, READDIR, RELEASEDIR, ACCESS = 1, 2, 3, 17, 26, 27, 28, 29, 34
ATTRIBUTES = struct.pack("<6Q10I", 1, 0, 0, 0, 0, 0, 0, 0, 0, 0o40755, 2, 0, 0, 0, 4096, 0)
ANSWERS = {
    INIT: struct.pack("<IIIIHHIIHHIIII", 7, 31, 0, 0, 1, 1, 4096, 0, 0, 0, 0, 0, 0, 0) + bytes(8),
    GETATTR: struct.pack("<QII", 0, 0, 0) + ATTRIBUTES,
    STATFS: struct.pack("<5Q4I", 1000, 900, 900, 10, 10, 4096, 255, 4096, 0) + bytes(24),
    OPENDIR: struct.pack("<QII", 1, 0, 0),
    READDIR: b"", RELEASEDIR: b"", ACCESS: b"",
}


def serve(fd):
    while True:
        _, operation, unique, _ = struct.unpack_from("<IIQQ", os.read(fd, 1 << 20))
        body = ANSWERS.get(operation)
        errno = 0 if body is not None else 2 if operation == LOOKUP else 38
        if operation != FORGET:
            os.write(fd, struct.pack("<IiQ", 16 + len(body or b""), -errno, unique) + (body or b""))


def main():
    fd = os.open("/dev/fuse", os.O_RDWR)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    if libc.mount(b"hangfs", os.fsencode(sys.argv[1]), b"fuse.hangfs", 0, options):
        sys.exit(f"mount: {os.strerror(ctypes.get_errno())}")
    signal.signal(signal.SIGUSR1, lambda *_: signal.pause())
    print("ready", flush=True)
    serve(fd)


if __name__ == "__main__":
    main()
