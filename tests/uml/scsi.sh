# Pools of SCSI units, of an iSCSI target that the kernel logs in to, and of multipath devices. Run by init.
. "${0%/*}/../lab/words.sh"
begin
trap 'cat /mnt/log' ERR
host=$(basename /sys/bus/pseudo/drivers/scsi_debug/adapter*/host*) # a disk in memory
until_true ls /dev/sda

# ---- scsi ----
cat >/mnt/pool.xml <<-X
	<pool type='scsi'><name>hba</name><source><adapter type='scsi_host' name='scsi_$host'/></source>
	<target><path>/dev</path></target></pool>
X
has defined pool-define /mnt/pool.xml
has started pool-start hba
has "8.00 MiB" vol-list hba --details
has "<key>" vol-dumpxml unit:0:0:0 hba
head -c 8M /dev/urandom >/mnt/data
has '' vol-upload unit:0:0:0 /mnt/data hba
cmp /mnt/data /dev/sda
has '' vol-download unit:0:0:0 /mnt/back hba
cmp /mnt/data /mnt/back
has wiped vol-wipe unit:0:0:0 hba
cmp -n 1048576 /dev/zero /dev/sda
refuses "does not support" vol-create-as hba a 4M
refuses "does not support" vol-delete unit:0:0:0 hba
echo 2 >/sys/bus/pseudo/drivers/scsi_debug/max_luns # a unit more, which the adapter is asked for
has refreshed pool-refresh hba
has unit:0:0:1 vol-list hba
has destroyed pool-destroy hba
sed -i "s/name='scsi_host[0-9]*/name='scsi_host77/; s/hba/none/" /mnt/pool.xml
has defined pool-define /mnt/pool.xml
refuses scsi_host77 pool-start none
echo "SCSI: tried"

# ---- mpath ----
command -v dmsetup >/dev/null || { echo "multipath: lvm2 is not installed"; exit; }
echo "0 $(blockdev --getsz /dev/sda) multipath 0 0 1 1 service-time 0 1 1 8:0 1" >/mnt/table
dmsetup --noudevsync create mpatha /mnt/table
dmsetup mknodes
has defined pool-define-as paths mpath --target /dev/mapper
has started pool-start paths
has "/dev/mapper/mpatha" vol-list paths
has "8.00 MiB" vol-info mpatha paths
has '' vol-upload mpatha /mnt/data paths
cmp /mnt/data /dev/mapper/mpatha
has destroyed pool-destroy paths
dmsetup --noudevsync remove mpatha
echo "multipath: tried"

# ---- iscsi ----
if ! command -v iscsiadm >/dev/null || ! command -v tgtd >/dev/null; then
	echo "iSCSI: open-iscsi or tgt is not installed"
	exit
fi
mkdir -p /run/lock
cp -r /etc/iscsi /mnt/iscsi
mount --bind /mnt/iscsi /etc/iscsi
echo InitiatorName=iqn.2004-01.example.org:uml >/etc/iscsi/initiatorname.iscsi
sed -i 's/^iscsid.startup.*//; s/login_timeout = .*/login_timeout = 5/; s/login_retry_max = .*/login_retry_max = 1/' /etc/iscsi/iscsid.conf
TARGET=iqn.2004-01.example.org:disks
tgtd -f >/mnt/tgtd.log 2>&1 &
until_true tgtadm --op show --mode system >/dev/null
truncate -s 16M /mnt/lun.img
tgtadm --lld iscsi --op new --mode target --tid 1 --targetname $TARGET
tgtadm --lld iscsi --op new --mode logicalunit --tid 1 --lun 1 --backing-store /mnt/lun.img
tgtadm --lld iscsi --op new --mode account --user me --password secret-words
tgtadm --lld iscsi --op bind --mode account --tid 1 --user me
tgtadm --lld iscsi --op bind --mode target --tid 1 --initiator-address ALL
iscsid -f >/mnt/iscsid.log 2>&1 &
echo "<secret ephemeral='no' private='yes'><usage type='iscsi'><target>chap</target></usage></secret>" >/mnt/secret.xml
has created secret-define /mnt/secret.xml
SECRET=$(l secret-list | grep -o '[0-9a-f]\{8\}-[0-9a-f-]\{27\}')
has set secret-set-value "$SECRET" "$(printf wrong-words-now | base64)"
cat >/mnt/pool.xml <<-X
	<pool type='iscsi'><name>san</name><source><host name='127.0.0.1'/><device path='$TARGET'/>
	<auth type='chap' username='me'><secret usage='chap'/></auth></source>
	<target><path>/dev</path></target></pool>
X
has $TARGET find-storage-pool-sources-as iscsi 127.0.0.1
has defined pool-define /mnt/pool.xml
refuses "authorization" pool-start san
has set secret-set-value "$SECRET" "$(printf secret-words | base64)"
has started pool-start san
has "16.00 MiB" vol-info unit:0:0:1 san
has '' vol-upload unit:0:0:1 /mnt/data san
cat >/mnt/guest.xml <<-X
	<domain type='qemu'><name>web</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
	<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><disk type='volume' device='disk'>
	<driver name='qemu' type='raw'/><source pool='san' volume='unit:0:0:1' mode='host'/><target dev='vda'/></disk>
	<memballoon model='none'/></devices></domain>
X
has defined define /mnt/guest.xml
has started start web
has /dev/sd domblklist web
crash # the session, the guest and the pool are found again
begin
has running state web
has active pool-list
refuses 'web' vol-wipe unit:0:0:1 san
has destroyed destroy web
has destroyed pool-destroy san
[ -z "$(ls /sys/class/iscsi_session)" ]
sync
cmp -n 8388608 /mnt/data /mnt/lun.img
echo "iSCSI: tried"
