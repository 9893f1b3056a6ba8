# Pools that need a kernel of one's own: LVM on a loop device, NFS from a server that refuses root. Run by init.
OWNER=12345
export LD_LIBRARY_PATH=$UML/nfs/usr/lib/x86_64-linux-gnu
. "${0%/*}/../lab/words.sh"

# ---- the server; it takes new clients ten seconds later, so LVM comes first ----
mkdir -p /var/lib/nfs /mnt/export /mnt/root
mount -t overlay -o lowerdir="$UML/nfs/sbin:/usr/sbin" overlay /usr/sbin
mount -t nfsd nfsd /proc/fs/nfsd
echo 10 >/proc/fs/nfsd/nfsv4leasetime
echo 10 >/proc/fs/nfsd/nfsv4gracetime
NFS=$UML/nfs/usr/sbin
"$NFS/exportfs" -o rw,insecure,root_squash,no_subtree_check,fsid=0 127.0.0.1:/mnt/export 2>/dev/null || : # no /etc/exports
"$NFS/rpc.nfsd" -N 3 1
"$NFS/rpc.mountd" -N 3 2>/dev/null
chmod 755 /mnt/export
chown $OWNER:$OWNER /mnt/export

begin
trap 'cat /mnt/log' ERR

# ---- logical ----
if command -v lvs >/dev/null && [ -d /etc/lvm ]; then
	mount -t tmpfs tmpfs /etc/lvm
	printf 'activation { udev_sync = 0\n udev_rules = 0 }\ndevices { obtain_device_list_from_udev = 0 }\n' \
		>/etc/lvm/lvm.conf
	truncate -s 64M /mnt/pv.img
	device=$(losetup -f --show /mnt/pv.img)
	cat >/mnt/pool.xml <<-X
		<pool type='logical'><name>vg</name><source><device path='$device'/><name>lodgevg</name></source>
		<target><path>/dev/lodgevg</path></target></pool>
	X
	has defined pool-define /mnt/pool.xml
	has built pool-build vg
	has started pool-start vg
	has "60.00 MiB" pool-info vg
	has created vol-create-as vg a 8M
	has "successfully changed" vol-resize a 12M vg
	has "12.00 MiB" vol-list vg --details
	has "<extent start='0'" vol-dumpxml a vg
	head -c 12M /dev/urandom >/mnt/data
	has '' vol-upload a /mnt/data vg
	cmp -n 12582912 /mnt/data /dev/lodgevg/a
	has cloned vol-clone a c vg
	cmp -n 12582912 /mnt/data /dev/lodgevg/c
	has '' vol-download c /mnt/back vg
	cmp /mnt/data /mnt/back
	echo "<volume><name>s</name><capacity>4194304</capacity><backingStore><path>/dev/lodgevg/a</path>
		</backingStore></volume>" >/mnt/volume.xml
	has created vol-create vg /mnt/volume.xml
	has /dev/lodgevg/a vol-dumpxml s vg
	refuses "is based on" vol-delete a vg
	has deleted vol-delete s vg
	has deleted vol-delete a vg
	refuses "lvcreate" vol-create-as vg large 1G
	has lodgevg find-storage-pool-sources logical
	has destroyed pool-destroy vg
	[ ! -e /dev/lodgevg/c ]
	has started pool-start vg
	has "/dev/lodgevg/c" vol-list vg
	has destroyed pool-destroy vg
	has deleted pool-delete vg
	[ -z "$(vgs --noheadings)" ]
	echo "LVM: tried"
else
	echo "LVM: lvm2 is not installed"
fi

# ---- netfs ----
cat >/mnt/pool.xml <<-X
	<pool type='netfs'><name>net</name><source><host name='127.0.0.1'/><dir path='/'/><format type='nfs'/>
	<protocol ver='4.2'/></source><target><path>/mnt/net</path></target></pool>
X
has defined pool-define /mnt/pool.xml
has built pool-build net
has started pool-start net
# root is nobody there: files are made, read and removed as the folder's owner
has created vol-create-as net disk.img 4M
has created vol-create-as net other.qcow2 64M --format qcow2
has created vol-create-as net old.qcow2 64M --format qcow2 --backing-vol other.qcow2 --backing-vol-format qcow2
has "64.00 MiB" vol-info other.qcow2 net
[ "$(stat -c '%u %a' /mnt/export/disk.img)" = "$OWNER 600" ]
has wiped vol-wipe disk.img net
cat >/mnt/guest.xml <<-X
	<domain type='qemu'><name>web</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
	<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><disk type='volume' device='disk'>
	<driver name='qemu' type='raw'/><source pool='net' volume='disk.img'/><target dev='vda'/></disk>
	<memballoon model='none'/></devices></domain>
X
has defined define /mnt/guest.xml
has started start web
grep -q 'guest \\"web\\"' /mnt/export/.disk.img.lease
refuses 'guest "web"' vol-delete disk.img net
refuses 'guest "web"' image resize -f raw /mnt/net/disk.img 8M
has "successfully changed" vol-resize disk.img 8M net
has "8.00 MiB" vol-info disk.img net
has destroyed destroy web
until_true [ ! -e /mnt/export/.disk.img.lease ]
# whom the server lets nobody be is named
chown 0:0 /mnt/export/disk.img
refuses "root_squash" start web
chown $OWNER:$OWNER /mnt/export/disk.img
# another host has it
echo '{"holder": "guest \"far\"", "host": "alpha", "boot": "x", "pid": 1}' >/mnt/export/.disk.img.lease
chown $OWNER:$OWNER /mnt/export/.disk.img.lease
refuses 'guest "far" on host alpha' start web
touch -d '2 minutes ago' /mnt/export/.disk.img.lease
has started start web
has destroyed destroy web
has deleted vol-delete old.qcow2 net
has destroyed pool-destroy net
echo "NFS: tried"
