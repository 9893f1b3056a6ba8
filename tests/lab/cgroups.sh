# Limits of guests in control groups of version 2, with every controller there.
begin
cat >/mnt/guest.xml <<-X
	<domain type='qemu'><name>web</name><memory unit='MiB'>64</memory><vcpu>2</vcpu>
	<cputune><shares>512</shares><period>100000</period><quota>50000</quota></cputune>
	<memtune><hard_limit unit='MiB'>700</hard_limit></memtune>
	<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><memballoon model='none'/></devices></domain>
X
has defined define /mnt/guest.xml
has started start web
group=$(echo /sys/fs/cgroup/lodge-*/guest-*)
[ "$(cat "$group/cpu.weight")" = 20 ]            # 512 of the 1 to 10,000 that stand for 2 to 262,144
[ "$(cat "$group/cpu.max")" = "100000 100000" ]  # each of two vCPUs
[ "$(cat "$group/memory.max")" = 734003200 ]
pidof qemu-system-x86_64 | grep -qx "$(cat "$group/cgroup.procs")"
has vcpu_quota schedinfo web --live --set vcpu_quota=25000
[ "$(cat "$group/cpu.max")" = "50000 100000" ]
has '' memtune web --live --hard-limit 800M
[ "$(cat "$group/memory.max")" = 838860800 ]
# the guest's bounds outlive the daemon
crash
begin
has running domstate web
has 25000 schedinfo web
[ "$(cat "$group/cpu.max")" = "50000 100000" ]
has destroyed destroy web
until_true [ ! -e "$group" ]
