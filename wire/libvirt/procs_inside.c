/* What is done and seen within a guest by its agent: rows of procedures.
 * How to read a row: internal.h, LvProc; signatures: codec.h; the list of tables: procs.c. */
#include "wire/libvirt/internal.h"

/* clang-format off */
static const LvProc rows[] = {
	/* ---- inside a guest ---- */
	{ 261, "domain_pm_suspend_for_duration", "dom:domain target:u32 duration:u64 flags:u32", "",
	  .op = "dompmsuspend", .before = lv_before_sleep, .refuses.domain = LV_FROM_QEMU },
	{ 267, "domain_pm_wakeup", DOM_FLAGS, "", .op = "dompmwakeup" },
	{ 277, "domain_get_hostname", DOM_FLAGS, "hostname:str", .op = "domhostname", .flags = 2,
	  .give = "hostname=text" },
	{ 294, "domain_fstrim", "dom:domain mountPoint:str? minimum:u64 flags:u32", "",
	  .op = "domfstrim", .take = "minimum=minimum" },
	{ 335, "domain_fsfreeze", "dom:domain mountpoints:str<256> flags:u32", "filesystems:i32",
	  .op = "domfsfreeze", .take = "mountpoint=mountpoints", .give = "filesystems=count" },
	{ 336, "domain_fsthaw", "dom:domain mountpoints:str<256> flags:u32", "filesystems:i32",
	  .op = "domfsthaw", .give = "filesystems=count" },
	{ 337, "domain_get_time", DOM_FLAGS, "seconds:i64 nseconds:u32", .op = "domtime",
	  .give = "seconds=seconds nseconds=nanoseconds" },
	{ 338, "domain_set_time", "dom:domain seconds:i64 nseconds:u32 flags:u32", "", .op = "domtime",
	  .flags = 1, .before = lv_before_set_time },
	{ 349, "domain_get_fsinfo", DOM_FLAGS, "info:domain_fsinfo<256> ret:u32", .op = "domfsinfo",
	  .after = lv_after_fsinfo },
	{ 371, "domain_get_guest_vcpus", DOM_FLAGS, "params:typed_param<64>", .op = "guestvcpus",
	  .after = lv_after_guest_vcpus },
	{ 372, "domain_set_guest_vcpus", "dom:domain cpumap:str state:i32 flags:u32", "",
	  .op = "guestvcpus", .before = lv_before_guest_vcpus },
	{ 420, "domain_agent_set_response_timeout", "dom:domain timeout:i32 flags:u32", "result:i32",
	  .op = "guest-agent-timeout", .take = "timeout=timeout" },
	{ 418, "domain_get_guest_info", "dom:domain types:u32 flags:u32", "params:typed_param<2048>",
	  .op = "guestinfo", .before = lv_before_guest_info, .after = lv_after_guest_info,
	  .refuses.domain = LV_FROM_QEMU },
	{ 353, "domain_interface_addresses", "dom:domain source:u32 flags:u32",
	  "ifaces:domain_interface<2048>", .op = "domifaddr", .before = lv_before_agent_source,
	  .after = lv_after_addresses },
	{ 357, "domain_set_user_password", "dom:domain user:str? password:str? flags:u32", "",
	  .op = "set-user-password", .flags = 1,
	  .take = "user=user password=password encrypted=flags&1" },
	{ 424, "domain_authorized_ssh_keys_get", "dom:domain user:str flags:u32", "keys:str<2048>",
	  .op = "get-user-sshkeys", .take = "user=user", .give = "keys=keys" },
	{ 425, "domain_authorized_ssh_keys_set", "dom:domain user:str keys:str<2048> flags:u32", "",
	  .op = "set-user-sshkeys", .flags = 3, .take = "user=user", .before = lv_before_set_keys },
};
/* clang-format on */

const LvProcs lv_procs_inside = { LV_REMOTE, rows, G_N_ELEMENTS(rows) };
