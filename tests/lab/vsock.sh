# Addresses of vsock: no two guests have one, whatever became of the daemon that gave it.
guest() { # guest NAME CID
	cat >/mnt/$1.xml <<-X
		<domain type='qemu'><name>$1</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
		<os><type arch='x86_64' machine='pc'>hvm</type></os>
		<devices><vsock>$2</vsock><memballoon model='none'/></devices></domain>
	X
	has defined define /mnt/$1.xml
}
begin
guest one "<cid auto='yes'/>"
guest two "<cid auto='yes'/>"
guest fixed "<cid auto='no' address='4'/>"
modprobe -r vhost_vsock
rm -f /dev/vhost-vsock
refuses 'vhost_vsock' start one
modprobe vhost_vsock
until_true [ -c /dev/vhost-vsock ]
has started start one
has "address='3'" dumpxml one
crash
begin
has started start two
has "address='4'" dumpxml two
has "address='3'" dumpxml one
refuses 'the address 4 is in use' start fixed
crash
kill -9 "$(pidof qemu-system-x86_64 | tr ' ' '\n' | while read -r p; do grep -lz guest=two /proc/$p/cmdline; done | tr -dc 0-9)"
begin
until_true has 'shut off' domstate two
has started start fixed
has "address='4'" dumpxml fixed
has started start two
has "address='5'" dumpxml two
