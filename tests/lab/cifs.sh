# A pool on a share of Samba's, and a guest's raw disk there: locks of QEMU's kind must not cost what it writes.
command -v smbd mount.cifs >/dev/null || { echo "skipped: samba and cifs-utils are not installed"; exit 0; }
modprobe cifs
mkdir -p /mnt/share /mnt/samba /mnt/at /mnt/mounted
cat >/mnt/samba/conf <<X
[global]
interfaces = lo
bind interfaces only = yes
map to guest = Bad User
disable spoolss = yes
log file = /mnt/samba/log
$(for folder in private lock state cache pid ncalrpc; do
	echo "$folder dir = /mnt/samba"; done)
[vm]
path = /mnt/share
read only = no
guest ok = yes
force user = root
X
smbd --foreground -s /mnt/samba/conf & # in a group of its own, which it ends
begin
cat >/mnt/pool.xml <<X
<pool type='netfs'><name>share</name><source><host name='127.0.0.1'/><dir path='vm'/><format type='cifs'/></source>
<target><path>/mnt/at</path></target></pool>
X
cat >/mnt/web.xml <<X
<domain type='qemu'><name>web</name><memory unit='MiB'>64</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><disk type='volume' device='disk'>
<source pool='share' volume='disk.img'/><target dev='vda' bus='virtio'/></disk><memballoon model='none'/></devices></domain>
X
has defined pool-define /mnt/pool.xml
until_true l pool-start share >/dev/null # Samba listens
grep -q ' /mnt/at cifs .*nobrl' /proc/mounts
has created vol-create-as share disk.img 4M
head -c 2000000 /dev/urandom >/mnt/data
l vol-upload disk.img /mnt/data --pool share
cmp -n 2000000 /mnt/data /mnt/share/disk.img
has defined define /mnt/web.xml
has started start web --paused
[ -e /mnt/share/.disk.img.lease ]
l qemu-monitor-command web --hmp 'qemu-io -d /machine/peripheral/virtio-disk0/virtio-backend "write -P 7 0 64k"'
refuses 'guest "web"' image resize /mnt/at/disk.img 8M
has destroyed destroy web
until_true [ ! -e /mnt/share/.disk.img.lease ]
[ "$(od -A n -t u1 -N 4 -j 100 /mnt/share/disk.img)" = "   7   7   7   7" ]
# a mount of somebody else's, with the server's locks
mount -t cifs -o guest //127.0.0.1/vm /mnt/mounted
sed -i "s|type='volume'|type='file'|; s|<source[^/]*/>|<source file='/mnt/mounted/disk.img'/>|" /mnt/web.xml
has defined define /mnt/web.xml
refuses 'with the option nobrl' start web --paused
umount /mnt/mounted
has destroyed pool-destroy share
