# What needs a kernel with VLAN filtering, bonds, vhost-net and policing: VLANs and trunks of guests on a bridge,
# isolated ports, portgroups, limits of what guests send, queues, bonds and VLANs of the host.
modprobe -a bridge 8021q bonding vhost_net tun act_police cls_u32 sch_htb sch_ingress dummy
nic() { # nic MAC SOURCE REST: an interface
	echo "<interface type='network'><mac address='52:54:00:00:0a:$1'/><source network='$2'/>
		<model type='virtio'/>${3-}</interface>"
}
guest() { # guest NAME INTERFACE...: runs, but its processors stand still
	local name=$1
	shift
	cat >/mnt/$name.xml <<-X
		<domain type='qemu'><name>$name</name><memory unit='MiB'>32</memory>
		<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>$*<memballoon model='none'/></devices></domain>
	X
	has created create --paused /mnt/$name.xml
}
tap() { l domiflist "$1" | sed -n 's/^ *\(vnet[0-9]*\).*/\1/p' | sed -n "${2:-1}p"; }
vlans() { bridge vlan show dev "$1" | sed "s/^$1 */ /" | grep -o '[0-9].*' | tr '\n' ';' | tr -s ' '; }
is() { [ "$1" = "$2" ] || { echo "it is '$1', not '$2'"; return 1; }; }
begin

# a bridge of the host's, with what people call port groups
ip link add sw0 type bridge vlan_filtering 1
ip link set sw0 up
cat >/mnt/sw.xml <<X
<network><name>sw</name><forward mode='bridge'/><bridge name='sw0'/>
<portgroup name='web' default='yes'><vlan><tag id='10'/></vlan></portgroup>
<portgroup name='db'><vlan><tag id='20'/></vlan></portgroup>
<portgroup name='trunk'><vlan trunk='yes'><tag id='10'/><tag id='20'/><tag id='99' nativeMode='untagged'/></vlan>
</portgroup><portgroup name='all'><vlan trunk='yes'><tag id='7' nativeMode='tagged'/></vlan></portgroup></network>
X
has defined net-define /mnt/sw.xml
has started net-start sw
db=$(nic 02 sw); trunk=$(nic 03 sw); all=$(nic 04 sw)
guest one "$(nic 01 sw)" "${db/network=/portgroup=\'db\' network=}" "${trunk/network=/portgroup=\'trunk\' network=}" \
	"${all/network=/portgroup=\'all\' network=}" "$(nic 05 sw "<vlan><tag id='30'/></vlan><port isolated='yes'/>")"
is "$(vlans "$(tap one 1)")" "10 PVID Egress Untagged;"
is "$(vlans "$(tap one 2)")" "20 PVID Egress Untagged;"
is "$(vlans "$(tap one 3)")" "10;20;99 PVID Egress Untagged;"
is "$(vlans "$(tap one 4)")" "7 PVID;"
is "$(vlans "$(tap one 5)")" "30 PVID Egress Untagged;"
bridge -d link show dev "$(tap one 5)" | grep -q 'isolated on'
bridge -d link show dev "$(tap one 1)" | grep -q 'isolated off'
ip link set sw0 type bridge vlan_filtering 0
sed 's/one/other/; s/0a:/0b:/g' /mnt/one.xml >/mnt/other.xml
refuses 'does not tell VLANs apart' create --paused /mnt/other.xml
has destroyed destroy one

# a bridge of our own; the host is where the guests are
cat >/mnt/own.xml <<X
<network><name>own</name><bridge name='own0'/><vlan><tag id='42'/></vlan>
<ip address='10.42.0.1' netmask='255.255.255.0'><dhcp><range start='10.42.0.10' end='10.42.0.20'/></dhcp></ip></network>
X
has created net-create /mnt/own.xml
is "$(vlans own0)" "42 PVID Egress Untagged;"
guest two "$(nic 11 own)"
is "$(vlans "$(tap two)")" "42 PVID Egress Untagged;"
has destroyed destroy two

# vhost with queues, and limits in both directions
guest three "$(nic 21 own "<driver name='vhost' queues='2'/>
	<bandwidth><inbound average='1000' peak='2000' burst='64'/><outbound average='500' burst='128'/></bandwidth>")"
is "$(ls -l /proc/"$(pidof qemu-system-x86_64)"/fd | grep -c /dev/vhost-net)" 2
is "$(ls -l /proc/"$(pidof qemu-system-x86_64)"/fd | grep -c /dev/net/tun)" 2
tc filter show dev "$(tap three)" parent ffff: | grep -q 'police.*rate 4Mbit burst 128Kb'
tc class show dev "$(tap three)" | grep -q 'rate 8Mbit ceil 16Mbit'
has destroyed destroy three
has destroyed net-destroy own
[ ! -e /sys/class/net/own0 ]
