"""What bench/run measures of volumes, each against its floor: a full clone, linked clones in a batch, a new
qcow2 volume, upload and download by stream. The floor is the file system by itself, and qemu-img where
libvirt has nothing better."""
import os
import shutil
import subprocess
import time

BATCH = 100
CHUNK = 262120  # bytes in a packet of libvirt's streams
VOLUME = """<volume><name>{0}</name><capacity unit='MiB'>{1}</capacity><allocation>0</allocation>
<target><format type='{2}'/></target>{3}</volume>"""


def ms(function, *words):
    began = time.perf_counter()
    function(*words)
    return (time.perf_counter() - began) * 1000


def qemu_img(*words):
    subprocess.run(["qemu-img", *map(str, words)], check=True, stdout=subprocess.DEVNULL)


def copy(source, target):
    """The floor of a full clone: milliseconds without and with a flush."""
    os.sync()
    with open(source, "rb") as a, open(target, "wb") as b:
        began = time.perf_counter()
        while os.copy_file_range(a.fileno(), b.fileno(), 1 << 30):
            pass
        copied = time.perf_counter()
        os.fsync(b.fileno())
        flushed = time.perf_counter()
    os.unlink(target)
    return (copied - began) * 1000, (flushed - began) * 1000


def write_header(path, header):
    """The floor of a new volume: a file with what `qemu-img create` writes."""
    with open(path, "wb") as file:
        file.write(header)


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Volumes:
    """The pool `bench` of one peer, in a folder of its own; @size of the image that is copied, in MiB;
    @client: bench-stream."""

    def __init__(self, peer, folder, size, client):
        self.peer, self.folder, self.size, self.client = peer, folder, size, client
        folder.mkdir()
        self.source = folder / "source.qcow2"
        qemu_img("create", "-q", "-f", "qcow2", self.source, f"{size}M")
        qemu_img("bench", "-w", "-q", "-f", "qcow2", "-c", size, "-s", "1M", "-d", 8, "--pattern", 7,
                 self.source)
        self.raw = folder / "source.img"
        with open(self.raw, "wb") as raw:
            part = os.urandom(1 << 20)
            for _ in range(size):
                raw.write(part)
        self.pool = peer.pool("bench", folder)
        self.pool.create()

    def end(self):
        self.pool.destroy()
        self.pool.undefine()
        shutil.rmtree(self.folder)

    def volume(self, name, format="qcow2", more=""):
        return self.pool.createXML(VOLUME.format(name, self.size, format, more))

    def remove(self, *names):
        for name in names:
            self.pool.storageVolLookupByName(name).delete()

    def clone(self, source, format):
        """Of a file of the pool, from a disk that has nothing to write."""
        os.sync()
        volume = self.pool.storageVolLookupByName(source.name)
        xml = VOLUME.format("clone", self.size, format, "")
        took = ms(lambda: self.pool.createXMLFrom(xml, volume))
        self.remove("clone")
        return took

    def linked(self):
        backing = f"<backingStore><path>{self.source}</path><format type='qcow2'/></backingStore>"
        names = [f"linked{i}" for i in range(BATCH)]
        took = ms(lambda: [self.volume(name, more=backing) for name in names]) / BATCH
        self.remove(*names)
        return took

    def create(self):
        took = ms(self.volume, "new")
        self.remove("new")
        return took

    def stream(self, moves):
        """Upload and download of the source's bytes as a raw volume: milliseconds, and the daemon's
        processor time, of each of @moves."""
        volume, found = self.volume("stream", "raw"), []
        for move in moves:
            before = cpu_seconds(self.peer.pid)
            took = ms(move, volume)
            found.append((took, (cpu_seconds(self.peer.pid) - before) * 1000))
        volume.delete()
        return found

    def streams(self):
        """By python3-libvirt, by virsh, and by bench-stream, which only reads and writes packets."""
        return [found for way in ("python", "virsh", "raw")
                for found in self.stream((getattr(self, f"upload_{way}"), getattr(self, f"download_{way}")))]

    def virsh(self, *words):
        uri = f"qemu+unix:///system?socket={self.peer.libvirt_socket}"
        subprocess.run(["virsh", "-q", "-c", uri, *map(str, words)], check=True, stdout=subprocess.DEVNULL)

    def upload_virsh(self, volume):
        self.virsh("vol-upload", volume.path(), self.source)

    def download_virsh(self, volume):
        target = self.folder.parent / "downloaded"
        self.virsh("vol-download", volume.path(), target)
        target.unlink()

    def run_client(self, *words):
        subprocess.run([self.client, *map(str, words)], check=True, stdout=subprocess.DEVNULL)

    def upload_raw(self, volume):
        self.run_client("upload", self.peer.libvirt_socket, self.source, volume.path())

    def download_raw(self, volume):
        target = self.folder.parent / "downloaded"
        self.run_client("download", self.peer.libvirt_socket, volume.path(), target)
        target.unlink()

    def upload_python(self, volume):
        stream = self.pool.connect().newStream()
        volume.upload(stream, 0, 0)
        with open(self.source, "rb") as source:
            while part := source.read(CHUNK):
                stream.send(part)
        stream.finish()

    def download_python(self, volume):
        stream = self.pool.connect().newStream()
        volume.download(stream, 0, 0)
        with open(self.folder.parent / "downloaded", "wb") as target:
            while part := stream.recv(CHUNK):
                target.write(part)
        stream.finish()
        os.unlink(self.folder.parent / "downloaded")
