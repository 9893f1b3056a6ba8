/* What a guest may use, and what it used: rows of procedures.
 * How to read a row: internal.h, LvProc; signatures: codec.h; the list of tables: procs.c. */
#include "wire/libvirt/internal.h"

#define GET_PARAMS "dom:domain nparams:i32 flags:u32"
#define PARAMS(most) "params:typed_param<" #most "> nparams:i32"
#define SET_PARAMS(most) "dom:domain params:typed_param<" #most "> flags:u32"
#define SET_FLAGS .flags = 3, .take = "live=flags&1 config=flags&2", .before = lv_before_params
#define GET_FLAGS .flags = 7, .take = "live=flags&1 config=flags&2", .after = lv_after_params

/* virDomainDirtyRateCalcFlags: of the two other modes at most one. */
/* The forms without flags are about the running guest alone. */
static gboolean before_live(G_GNUC_UNUSED LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	LV_ARG(gboolean, op, "live") = TRUE;
	return TRUE;
}

static gboolean before_live_pin(LvCall *call, OpCall *op, GError **error)
{
	return before_live(call, op, error) && lv_before_pin(call, op, error);
}

static gboolean before_dirty(LvCall *call, OpCall *op, GError **error)
{
	guint64 flags = lv_arg(call, "flags")->u;
	gint64 seconds = lv_arg(call, "seconds")->i;
	if (seconds < 1 || seconds > 60)
		return lv_fail(error, LV_ERR_CONFIG_UNSUPPORTED,
			       "seconds=%d is invalid, please choose value within [1, 60].", (int)seconds);
	if (flags == 3)
		return lv_fail(error, LV_ERR_INVALID_ARG,
			       "the modes dirty-bitmap and dirty-ring exclude each other");
	LV_ARG(OptUint, op, "seconds") = OPT_UINT((guint64)seconds);
	LV_ARG(int, op, "mode") = (int)flags + 1;
	return TRUE;
}

/* clang-format off */
static const LvProc set_max_memory_flags = {
	204, "domain_set_memory_flags", "dom:domain memory:u64 flags:u32", "", .op = "setmaxmem", .flags = 6,
	.take = "size=memory*1024 config=flags&2",
};

/* VIR_DOMAIN_VCPU_GUEST: those that the guest's agent switches. */
static const LvProc set_vcpus_inside = {
	199, "domain_set_vcpus_flags", "dom:domain nvcpus:u32 flags:u32", "", .op = "guestvcpus-count",
	.flags = 9, .take = "count=nvcpus",
};

static const LvProc rows[] = {
	/* ---- giving a guest more or less ---- */
	{ 30, "domain_set_max_memory", "dom:domain memory:u64", "", .op = "setmaxmem",
	  .take = "size=memory*1024" },
	{ 31, "domain_set_memory", "dom:domain memory:u64", "", .op = "setmem",
	  .take = "size=memory*1024", .before = before_live },
	{ 32, "domain_set_vcpus", "dom:domain nvcpus:u32", "", .op = "setvcpus", .take = "count=nvcpus" },
	{ 199, "domain_set_vcpus_flags", "dom:domain nvcpus:u32 flags:u32", "", .op = "setvcpus",
	  .flags = 6, .take = "count=nvcpus config=flags&2 maximum=flags&4", .other_flag = 8,
	  .other = &set_vcpus_inside },
	{ 204, "domain_set_memory_flags", "dom:domain memory:u64 flags:u32", "", .op = "setmem",
	  .flags = 3, .take = "size=memory*1024 live=flags&1 config=flags&2", .other_flag = 4,
	  .other = &set_max_memory_flags },

	{ 427, "domain_start_dirty_rate_calc", "dom:domain seconds:i32 flags:u32", "",
	  .op = "domdirtyrate-calc", .flags = 3, .before = before_dirty },

	/* ---- bounds: typed parameters ---- */
	{ 56, "domain_get_scheduler_type", DOM, "type:str nparams:i32", .op = "schedinfo",
	  .after = lv_after_scheduler },
	{ 57, "domain_get_scheduler_parameters", "dom:domain nparams:i32", "params:typed_param<16>",
	  .op = "schedinfo", .after = lv_after_params },
	{ 58, "domain_set_scheduler_parameters", "dom:domain params:typed_param<16>", "",
	  .op = "schedinfo", .before = lv_before_pairs },
	{ 197, "domain_set_memory_parameters", SET_PARAMS(16), "", .op = "memtune", SET_FLAGS },
	{ 198, "domain_get_memory_parameters", GET_PARAMS, PARAMS(16), .op = "memtune", GET_FLAGS },
	{ 205, "domain_set_blkio_parameters", SET_PARAMS(16), "", .op = "blkiotune", SET_FLAGS },
	{ 206, "domain_get_blkio_parameters", GET_PARAMS, PARAMS(16), .op = "blkiotune", GET_FLAGS },
	{ 219, "domain_set_scheduler_parameters_flags", SET_PARAMS(16), "", .op = "schedinfo", .flags = 3,
	  .take = "live=flags&1 config=flags&2", .before = lv_before_pairs },
	{ 223, "domain_get_scheduler_parameters_flags", GET_PARAMS, "params:typed_param<16>",
	  .op = "schedinfo", GET_FLAGS },
	{ 251, "domain_block_resize", "dom:domain disk:str size:u64 flags:u32", "", .op = "blockresize",
	  .flags = 1, .take = "path=disk", .before = lv_before_disk_size },
	{ 252, "domain_set_block_io_tune", "dom:domain disk:str params:typed_param<32> flags:u32", "",
	  .op = "blkdeviotune", .flags = 3, .take = "device=disk live=flags&1 config=flags&2",
	  .before = lv_before_params },
	{ 253, "domain_get_block_io_tune", "dom:domain disk:str? nparams:i32 flags:u32", PARAMS(32),
	  .op = "blkdeviotune", .flags = 7, .take = "device=disk live=flags&1 config=flags&2",
	  .after = lv_after_params },
	{ 254, "domain_set_numa_parameters", SET_PARAMS(16), "", .op = "numatune", .flags = 3,
	  .take = "live=flags&1 config=flags&2", .before = lv_before_numa },
	{ 255, "domain_get_numa_parameters", GET_PARAMS, PARAMS(16), .op = "numatune", GET_FLAGS },
	{ 256, "domain_set_interface_parameters",
	  "dom:domain device:str params:typed_param<16> flags:u32", "", .op = "domiftune", .flags = 3,
	  .take = "interface=device live=flags&1 config=flags&2", .before = lv_before_rates },
	{ 257, "domain_get_interface_parameters", "dom:domain device:str nparams:i32 flags:u32",
	  PARAMS(16), .op = "domiftune", .flags = 7,
	  .take = "interface=device live=flags&1 config=flags&2", .after = lv_after_params,
	  .refuses.domain = LV_FROM_DOMAIN },
	{ 262, "domain_get_cpu_stats", "dom:domain nparams:u32 start_cpu:i32 ncpus:u32 flags:u32",
	  "params:typed_param<2048> nparams:i32", .op = "cpu-stats", .flags = 4,
	  .before = lv_before_cpu_stats, .after = lv_after_cpu_stats },
	{ 308, "domain_set_memory_stats_period", "dom:domain period:i32 flags:u32", "",
	  .op = "memstat-period", .flags = 3, .take = "period=period live=flags&1 config=flags&2" },

	{ 365, "domain_get_perf_events", DOM_FLAGS, "params:typed_param<64>", .op = "perf", GET_FLAGS },
	{ 366, "domain_set_perf_events", "dom:domain params:typed_param<64> flags:u32", "", .op = "perf",
	  .flags = 3, .take = "live=flags&1 config=flags&2", .before = lv_before_perf },
	{ 384, "domain_set_vcpu", "dom:domain cpumap:str state:i32 flags:u32", "", .op = "setvcpu",
	  .flags = 3, .take = "live=flags&1 config=flags&2", .before = lv_before_vcpu },

	/* ---- encrypted guests ---- */
	{ 395, "node_get_sev_info", "nparams:i32 flags:u32", PARAMS(64), .op = "nodesevinfo",
	  .flags = 4, .refuses = { .unsupported = LV_ERR_OPERATION_UNSUPPORTED }, .after = lv_after_params },
	{ 396, "domain_get_launch_security_info", DOM_FLAGS, "params:typed_param<64>",
	  .op = "domlaunchsecinfo", .flags = 4, .after = lv_after_params },
	{ 439, "domain_set_launch_security_state", "dom:domain params:typed_param<64> flags:u32", "",
	  .op = "domsetlaunchsecstate", .before = lv_before_launch },

	/* ---- descriptors ---- */
	{ 443, "domain_fd_associate", "dom:domain name:str flags:u32", "", .op = "dom-fd-associate",
	  .flags = 3, .take = "name=name seclabel_writable=flags&2 seclabel_restore=flags&1",
	  .before = lv_before_fds, .after = lv_after_fds },

	/* ---- I/O threads ---- */
	{ 351, "domain_get_iothread_info", DOM_FLAGS, "info:domain_iothread_info<16384> ret:u32",
	  .op = "iothreadinfo", .flags = 3, .take = "live=flags&1 config=flags&2",
	  .after = lv_after_iothreads },
	{ 352, "domain_pin_iothread", "dom:domain iothreads_id:u32 cpumap:opaque<2048> flags:u32", "",
	  .op = "iothreadpin", .flags = 3, .take = "id=iothreads_id live=flags&1 config=flags&2",
	  .before = lv_before_pin },
	{ 355, "domain_add_iothread", "dom:domain iothread_id:u32 flags:u32", "", .op = "iothreadadd",
	  .flags = 3, .take = "id=iothread_id live=flags&1 config=flags&2" },
	{ 356, "domain_del_iothread", "dom:domain iothread_id:u32 flags:u32", "", .op = "iothreaddel",
	  .flags = 3, .take = "id=iothread_id live=flags&1 config=flags&2",
	  .refuses.domain = LV_FROM_DOMAIN },
	{ 402, "domain_set_iothread_params",
	  "dom:domain iothread_id:u32 params:typed_param<64> flags:u32", "", .op = "iothreadset",
	  .flags = 3, .take = "id=iothread_id live=flags&1 config=flags&2", .before = lv_before_params },

	/* ---- where it may run ---- */
	{ 26, "domain_pin_vcpu", "dom:domain vcpu:u32 cpumap:opaque<2048>", "", .op = "vcpupin",
	  .take = "vcpu=vcpu", .before = before_live_pin },
	{ 225, "domain_pin_vcpu_flags", "dom:domain vcpu:u32 cpumap:opaque<2048> flags:u32", "",
	  .op = "vcpupin", .flags = 3, .take = "vcpu=vcpu live=flags&1 config=flags&2",
	  .before = lv_before_pin },
	{ 230, "domain_get_vcpu_pin_info", "dom:domain ncpumaps:i32 maplen:i32 flags:u32",
	  "cpumaps:opaque<8388608> num:i32", .op = "vcpupin", .flags = 3,
	  .take = "live=flags&1 config=flags&2", .after = lv_after_pins },
	{ 279, "domain_pin_emulator", "dom:domain cpumap:opaque<2048> flags:u32", "",
	  .op = "emulatorpin", .flags = 3, .take = "live=flags&1 config=flags&2",
	  .before = lv_before_pin },
	{ 280, "domain_get_emulator_pin_info", "dom:domain maplen:i32 flags:u32",
	  "cpumaps:opaque<8388608> ret:i32", .op = "emulatorpin", .flags = 3,
	  .take = "live=flags&1 config=flags&2", .after = lv_after_pins },
};
/* clang-format on */

const LvProcs lv_procs_tune = { LV_REMOTE, rows, G_N_ELEMENTS(rows) };
