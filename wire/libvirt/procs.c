/* The table of procedures: to add one, add a row. Numbers, names, arguments and replies are the
 * protocol's; a row without a verb names the function that answers. A procedure that is not here
 * answers that it is not supported. Neighbours: call.c reads the rows; codec.h explains signatures. */
#include "wire/libvirt/internal.h"

#define DOM "dom:domain"
#define LOOKUP .missing = LV_ERR_NO_DOMAIN
#define DOM_FLAGS "dom:domain flags:u32"

/* clang-format off */
static const LvProc set_max_memory_flags = {
	204, "domain_set_memory_flags", "dom:domain memory:u64 flags:u32", "", .op = "setmaxmem", .flags = 6,
	.take = "size=memory*1024 config=flags&2",
};

static const LvProc remote[] = {
	/* ---- the connection ---- */
	{ 1, "connect_open", "name:str? flags:u32", "", .fn = lv_open, .flags = 1, .before_open = TRUE },
	{ 2, "connect_close", "", "", .fn = lv_done, .before_open = TRUE },
	{ 3, "connect_get_type", "", "type:str", .fn = lv_get_type },
	{ 59, "connect_get_hostname", "", "hostname:str", .fn = lv_hostname },
	{ 60, "connect_supports_feature", "feature:i32", "supported:i32",
	  .fn = lv_supports_feature, .before_open = TRUE },
	{ 66, "auth_list", "", "types:auth_type<20>", .fn = lv_auth_list, .before_open = TRUE },
	{ 110, "connect_get_uri", "", "uri:str", .fn = lv_uri },
	{ 149, "connect_is_secure", "", "secure:i32", .fn = lv_yes },
	{ 157, "connect_get_lib_version", "", "lib_ver:u64", .fn = lv_lib_version },
	{ 360, "connect_register_close_callback", "", "", .fn = lv_done },
	{ 361, "connect_unregister_close_callback", "", "", .fn = lv_done },

	/* ---- the host ---- */
	{ 4, "connect_get_version", "", "hv_ver:u64", .op = "host engine", .give = "hv_ver=version" },
	{ 5, "connect_get_max_vcpus", "type:str?", "max_vcpus:i32", .op = "host engine",
	  .after = lv_after_max_vcpus },
	{ 6, "node_get_info", "",
	  "model:i8[32] memory:u64 cpus:i32 mhz:i32 nodes:i32 sockets:i32 cores:i32 threads:i32",
	  .op = "host node", .after = lv_after_model,
	  .give = "memory=memory/1024 cpus=cpus mhz=mhz nodes=nodes sockets=sockets cores=cores "
		  "threads=threads" },
	{ 7, "connect_get_capabilities", "", "capabilities:str", .op = "capabilities",
	  .give = "capabilities=text" },
	{ 101, "node_get_cells_free_memory", "startCell:i32 maxcells:i32", "cells:u64<1024>",
	  .op = "host memstats", .before = lv_before_cell, .after = lv_after_cell },
	{ 102, "node_get_free_memory", "", "freeMem:u64", .op = "host memstats", .give = "freeMem=free" },
	{ 227, "node_get_cpu_stats", "cpuNum:i32 nparams:i32 flags:u32",
	  "params:node_get_cpu_stats<16> nparams:i32", .op = "host cpustats",
	  .before = lv_before_cpustats, .after = lv_after_cpustats },
	{ 228, "node_get_memory_stats", "nparams:i32 cellNum:i32 flags:u32",
	  "params:node_get_memory_stats<16> nparams:i32", .op = "host memstats",
	  .before = lv_before_memstats, .after = lv_after_memstats },
	{ 293, "node_get_cpu_map", "need_map:i32 need_online:i32 flags:u32",
	  "cpumap:opaque<2048> online:u32 ret:i32", .op = "host cpumap", .after = lv_after_cpumap },
	{ 312, "connect_get_cpu_model_names", "arch:str need_results:i32 flags:u32",
	  "models:str<8192> ret:i32", .op = "host engine", .after = lv_after_models },
	{ 342, "connect_get_domain_capabilities",
	  "emulatorbin:str? arch:str? machine:str? virttype:str? flags:u32", "capabilities:str",
	  .op = "domcapabilities", .give = "capabilities=text",
	  .take = "emulatorbin=emulatorbin arch=arch machine=machine virttype=virttype" },

	/* ---- finding guests ---- */
	{ 21, "connect_list_defined_domains", "maxnames:i32", "names:str<16384>",
	  .op = "list", .before = lv_before_inactive, .after = lv_after_names },
	{ 22, "domain_lookup_by_id", "id:i32", "dom:domain", .op = "lookup", .take = "id=id", LOOKUP },
	{ 23, "domain_lookup_by_name", "name:str", "dom:domain",
	  .op = "lookup", .take = "name=name", LOOKUP },
	{ 24, "domain_lookup_by_uuid", "uuid:uuid", "dom:domain",
	  .op = "lookup", .take = "uuid=uuid", LOOKUP },
	{ 25, "connect_num_of_defined_domains", "", "num:i32",
	  .op = "list", .before = lv_before_inactive, .after = lv_after_count },
	{ 37, "connect_list_domains", "maxids:i32", "ids:i32<16384>", .op = "list", .after = lv_after_ids },
	{ 51, "connect_num_of_domains", "", "num:i32", .op = "list", .after = lv_after_count },
	{ 273, "connect_list_all_domains", "need_results:i32 flags:u32", "domains:domain<16384> ret:u32",
	  .op = "list", .flags = 0xffff, .before = lv_before_list_all, .after = lv_after_list_all },

	/* ---- what a guest is ---- */
	{ 14, "domain_get_xml_desc", DOM_FLAGS, "xml:str", .op = "dumpxml", .flags = 0xf,
	  .take = "inactive=flags&2 security_info=flags&1", .give = "xml=text" },
	{ 15, "domain_get_autostart", DOM, "autostart:i32", .op = "info", .give = "autostart=autostart" },
	{ 16, "domain_get_info", DOM, "state:u8 maxMem:u64 memory:u64 nrVirtCpu:u16 cpuTime:u64",
	  .op = "usage", .give = "state=state maxMem=max_memory/1024 memory=memory/1024 nrVirtCpu=vcpus "
			 "cpuTime=cpu_time" },
	{ 17, "domain_get_max_memory", DOM, "memory:u64", .op = "info", .give = "memory=max_memory/1024" },
	{ 18, "domain_get_max_vcpus", DOM, "num:i32", .op = "vcpucount", .give = "num=count",
	  .before = lv_before_max_vcpus },
	{ 19, "domain_get_os_type", DOM, "type:str", .op = "info", .give = "type=os_type" },
	{ 20, "domain_get_vcpus", "dom:domain maxinfo:i32 maplen:i32",
	  "info:vcpu_info<16384> cpumaps:opaque<8388608>", .op = "vcpuinfo", .after = lv_after_vcpus },
	{ 64, "domain_block_stats", "dom:domain path:str",
	  "rd_req:i64 rd_bytes:i64 wr_req:i64 wr_bytes:i64 errs:i64", .op = "disk-stats",
	  .take = "device=path", .after = lv_after_errs,
	  .give = "rd_req=rd_operations rd_bytes=rd_bytes wr_req=wr_operations wr_bytes=wr_bytes" },
	{ 150, "domain_is_active", DOM, "active:i32", .op = "ids", .after = lv_after_active },
	{ 151, "domain_is_persistent", DOM, "persistent:i32", .op = "info",
	  .give = "persistent=persistent" },
	{ 194, "domain_get_block_info", "dom:domain path:str flags:u32",
	  "allocation:u64 capacity:u64 physical:u64", .op = "domblkinfo", .take = "device=path",
	  .after = lv_after_sizes, .missing = LV_ERR_INVALID_ARG },
	{ 200, "domain_get_vcpus_flags", DOM_FLAGS, "num:i32", .op = "vcpucount", .flags = 7,
	  .take = "live=flags&1 config=flags&2 maximum=flags&4", .give = "num=count" },
	{ 229, "domain_get_control_info", DOM_FLAGS, "state:u32 details:u32 stateTime:u64",
	  .op = "domcontrol", .after = lv_after_control },
	{ 243, "domain_block_stats_flags", "dom:domain path:str nparams:i32 flags:u32",
	  "params:typed_param<16> nparams:i32", .op = "disk-stats", .flags = 4, .take = "device=path",
	  .after = lv_after_block },
	{ 202, "domain_is_updated", DOM, "updated:i32", .op = "info", .give = "updated=updated" },
	{ 212, "domain_get_state", DOM_FLAGS, "state:i32 reason:i32", .op = "state",
	  .after = lv_after_state },
	{ 264, "domain_set_metadata",
	  "dom:domain type:i32 metadata:str? key:str? uri:str? flags:u32", "",
	  .op = "metadata", .flags = 3, .before = lv_before_metadata,
	  .take = "text=metadata key=key uri=uri live=flags&1 config=flags&2" },
	{ 265, "domain_get_metadata", "dom:domain type:i32 uri:str? flags:u32", "metadata:str",
	  .op = "notes", .flags = 3, .take = "live=flags&1 config=flags&2 uri=uri",
	  .give = "metadata=text", .before = lv_before_metadata, .missing = LV_ERR_NO_METADATA },
	{ 344, "connect_get_all_domain_stats", "doms:domain<16384> stats:u32 flags:u32",
	  "retStats:domain_stats_record<16384>", .op = "domstats", .flags = 0xe00000ff,
	  .before = lv_before_stats, .after = lv_after_stats },
	{ 426, "domain_get_messages", DOM_FLAGS, "msgs:str<2048>", .op = "info", .flags = 3,
	  .after = lv_after_messages },

	/* ---- the life of a guest ---- */
	{ 9, "domain_create", DOM, "", .op = "start" },
	{ 10, "domain_create_xml", "xml_desc:str flags:u32", "dom:domain", .op = "create", .flags = 0xd,
	  .take = "xml=xml_desc paused=flags&1" },
	{ 11, "domain_define_xml", "xml:str", "dom:domain", .op = "define", .take = "xml=xml" },
	{ 12, "domain_destroy", DOM, "", .op = "destroy" },
	{ 27, "domain_reboot", DOM_FLAGS, "", .op = "reboot", .flags = 3, .before = lv_before_mode },
	{ 28, "domain_resume", DOM, "", .op = "resume" },
	{ 29, "domain_set_autostart", "dom:domain autostart:i32", "", .op = "autostart",
	  .before = lv_before_autostart },
	{ 33, "domain_shutdown", DOM, "", .op = "shutdown" },
	{ 34, "domain_suspend", DOM, "", .op = "suspend" },
	{ 35, "domain_undefine", DOM, "", .op = "undefine" },
	{ 196, "domain_create_with_flags", DOM_FLAGS, "dom:domain", .op = "start", .flags = 0x2d,
	  .take = "paused=flags&1 force_boot=flags&8 reset_nvram=flags&32" },
	{ 210, "domain_inject_nmi", DOM_FLAGS, "", .op = "inject-nmi" },
	{ 231, "domain_undefine_flags", DOM_FLAGS, "", .op = "undefine", .flags = 0x7f,
	  .take = "managed_save=flags&1 nvram=flags&4 keep_nvram=flags&8 tpm=flags&32 "
		  "keep_tpm=flags&64" },
	{ 234, "domain_destroy_flags", DOM_FLAGS, "", .op = "destroy", .flags = 1,
	  .take = "graceful=flags&1" },
	{ 245, "domain_reset", DOM_FLAGS, "", .op = "reset" },
	{ 258, "domain_shutdown_flags", DOM_FLAGS, "", .op = "shutdown", .flags = 3,
	  .before = lv_before_mode },
	{ 350, "domain_define_xml_flags", "xml:str flags:u32", "dom:domain", .op = "define", .flags = 1,
	  .take = "xml=xml validate=flags&1" },
	{ 358, "domain_rename", "dom:domain new_name:str? flags:u32", "retcode:i32", .op = "rename",
	  .take = "new_name=new_name" },

	{ 226, "domain_send_key", "dom:domain codeset:u32 holdtime:u32 keycodes:u32<16> flags:u32", "",
	  .op = "send-key", .take = "holdtime=holdtime", .before = lv_before_keys },

	/* ---- giving a guest more or less ---- */
	{ 30, "domain_set_max_memory", "dom:domain memory:u64", "", .op = "setmaxmem",
	  .take = "size=memory*1024" },
	{ 31, "domain_set_memory", "dom:domain memory:u64", "", .op = "setmem",
	  .take = "size=memory*1024" },
	{ 32, "domain_set_vcpus", "dom:domain nvcpus:u32", "", .op = "setvcpus", .take = "count=nvcpus" },
	{ 199, "domain_set_vcpus_flags", "dom:domain nvcpus:u32 flags:u32", "", .op = "setvcpus",
	  .flags = 6, .take = "count=nvcpus config=flags&2 maximum=flags&4" },
	{ 204, "domain_set_memory_flags", "dom:domain memory:u64 flags:u32", "", .op = "setmem",
	  .flags = 3, .take = "size=memory*1024 live=flags&1 config=flags&2", .other_flag = 4,
	  .other = &set_max_memory_flags },

	/* ---- inside a guest ---- */
	{ 261, "domain_pm_suspend_for_duration", "dom:domain target:u32 duration:u64 flags:u32", "",
	  .op = "dompmsuspend", .before = lv_before_sleep },
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

	/* ---- guests in files ---- */
	{ 54, "domain_restore", "from:str", "", .op = "restore", .take = "path=from" },
	{ 55, "domain_save", "dom:domain to:str", "", .op = "save", .take = "path=to" },
	{ 182, "domain_managed_save", DOM_FLAGS, "", .op = "managedsave", .flags = 7,
	  .take = "running=flags&2 paused=flags&4" },
	{ 159, "domain_memory_stats", "dom:domain maxStats:u32 flags:u32",
	  "stats:domain_memory_stat<1024>", .op = "dommemstat", .after = lv_after_memory },
	{ 183, "domain_has_managed_save_image", DOM_FLAGS, "result:i32", .op = "managedsave-exists",
	  .give = "result=managed_save" },
	{ 184, "domain_managed_save_remove", DOM_FLAGS, "", .op = "managedsave-remove" },
	{ 232, "domain_save_flags", "dom:domain to:str dxml:str? flags:u32", "", .op = "save", .flags = 7,
	  .take = "path=to running=flags&2 paused=flags&4", .before = lv_before_save },
	{ 233, "domain_restore_flags", "from:str dxml:str? flags:u32", "", .op = "restore", .flags = 7,
	  .take = "path=from xml=dxml running=flags&2 paused=flags&4" },
	{ 235, "domain_save_image_get_xml_desc", "file:str flags:u32", "xml:str",
	  .op = "save-image-dumpxml", .flags = 1, .take = "path=file security_info=flags&1",
	  .give = "xml=text" },
	{ 388, "domain_managed_save_get_xml_desc", DOM_FLAGS, "xml:str", .op = "managedsave-dumpxml",
	  .flags = 1, .give = "xml=text" },

	/* ---- streams ---- */
	{ 201, "domain_open_console", "dom:domain dev_name:str? flags:u32", "", .op = "console",
	  .flags = 3, .take = "devname=dev_name force=flags&1", .after = lv_after_stream,
	  .missing = LV_ERR_INVALID_ARG },
	{ 211, "domain_screenshot", "dom:domain screen:u32 flags:u32", "mime:str?", .op = "screenshot",
	  .give = "mime=type", .after = lv_after_screenshot },

	{ 343, "domain_open_graphics_fd", "dom:domain idx:u32 flags:u32", "", .op = "open-graphics",
	  .flags = 1, .take = "index=idx no_password=flags&1", .after = lv_after_fd,
	  .missing = LV_ERR_INVALID_ARG },

	/* ---- events ---- */
	{ 105, "connect_domain_event_register", "", "cb_registered:i32", .fn = lv_event_register },
	{ 106, "connect_domain_event_deregister", "", "cb_registered:i32", .fn = lv_event_deregister },
	{ 167, "connect_domain_event_register_any", "eventID:i32", "", .fn = lv_event_register_any },
	{ 168, "connect_domain_event_deregister_any", "eventID:i32", "", .fn = lv_event_deregister_any },
	{ 316, "connect_domain_event_callback_register_any", "eventID:i32 dom:domain?", "callbackID:i32",
	  .fn = lv_event_callback_register },
	{ 317, "connect_domain_event_callback_deregister_any", "callbackID:i32", "",
	  .fn = lv_event_callback_deregister },
};

static const LvProc qemu[] = {
	{ 1, "domain_monitor_command", "dom:domain cmd:str flags:u32", "result:str",
	  .op = "qemu-monitor-command", .flags = 1, .take = "command=cmd hmp=flags&1",
	  .give = "result=text" },
	{ 3, "domain_agent_command", "dom:domain cmd:str timeout:i32 flags:u32", "result:str?",
	  .op = "qemu-agent-command", .take = "cmd=cmd", .give = "result=text",
	  .before = lv_before_agent_command },
};
/* clang-format on */

static const struct {
	guint32 number;
	const LvProc *procs;
	guint n;
} programs[] = {
	{ LV_REMOTE, remote, G_N_ELEMENTS(remote) },
	{ LV_QEMU, qemu, G_N_ELEMENTS(qemu) },
};

const LvProc *lv_procs(guint32 program, guint *n)
{
	*n = 0;
	for (guint p = 0; p < G_N_ELEMENTS(programs); p++) {
		if (programs[p].number != program)
			continue;
		*n = programs[p].n;
		return programs[p].procs;
	}
	return NULL;
}

/* By number, for a search without steps. */
#define NUMBERS 512
typedef struct Index {
	const LvProc *by_number[NUMBERS];
} Index;

static const Index *index_of(guint program)
{
	static Index *indices[G_N_ELEMENTS(programs)];
	if (indices[program])
		return indices[program];
	Index *index = g_new0(Index, 1);
	for (guint i = 0; i < programs[program].n; i++)
		index->by_number[programs[program].procs[i].number] = &programs[program].procs[i];
	return indices[program] = index;
}

const LvProc *lv_proc(guint32 program, guint32 number, gboolean *known)
{
	for (guint p = 0; p < G_N_ELEMENTS(programs); p++) {
		if (programs[p].number != program)
			continue;
		*known = TRUE;
		return number < NUMBERS ? index_of(p)->by_number[number] : NULL;
	}
	*known = FALSE;
	return NULL;
}
