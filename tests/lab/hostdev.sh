# PCI devices on their way to guests and back (managed='yes'), with an IOMMU: two functions of one group.
modprobe vfio-pci
set -- /sys/bus/pci/drivers/e1000e/0000:*.0
first=$(basename "$1")
both="$first ${first%0}1"
driver() { for at in $both; do [ "$(basename "$(readlink /sys/bus/pci/devices/$at/driver)")" = "$1" ] || return 1; done; }
device() { # device ADDRESS: as a guest's document has it
	local IFS=:.
	set -- $1
	echo "<hostdev mode='subsystem' type='pci' managed='yes'>
		<source><address domain='0x$1' bus='0x$2' slot='0x$3' function='0x$4'/></source></hostdev>"
}
guest() { # guest NAME DEVICES
	cat >/mnt/$1.xml <<-X
		<domain type='qemu'><name>$1</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
		<os><type arch='x86_64' machine='q35'>hvm</type></os>
		<devices>$2<memballoon model='none'/></devices></domain>
	X
	has defined define /mnt/$1.xml
}
begin
all=$(for at in $both; do device $at; done)
guest half "$(device $first)"
guest one "$all"
guest two "$all"
until_true driver e1000e
ip address add 192.0.2.7/24 dev "$(ls /sys/bus/pci/devices/$first/net)"
refuses "is in the same IOMMU group" start half
driver e1000e # untouched, addresses too
has "with 192.0.2.7 goes with it" start one
driver vfio-pci
refuses 'is in use by guest "one"' start two
refuses 'is in use by guest "one"' nodedev-reattach "pci_$(echo $first | tr :. __)"
# QEMU is killed; then the daemon and QEMU: the host has them again
kill -9 "$(pidof qemu-system-x86_64)"
until_true driver e1000e
has started start two
crash
driver vfio-pci
kill -9 "$(pidof qemu-system-x86_64)"
begin
until_true driver e1000e
[ -z "$(ls /mnt/root/run/hostdevs)" ]
