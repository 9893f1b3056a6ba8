/* The host: rows of procedures.
 * How to read a row: internal.h, LvProc; signatures: codec.h; the list of tables: procs.c. */
#include "wire/libvirt/internal.h"

#define CPU .refuses = { .domain = LV_FROM_CPU }

/* clang-format off */
static const LvProc rows[] = {
	/* ---- the host ---- */
	{ 4, "connect_get_version", "", "hv_ver:u64", .op = "host engine", .give = "hv_ver=version" },
	{ 5, "connect_get_max_vcpus", "type:str?", "max_vcpus:i32", .op = "maxvcpus",
	  .take = "type=type", .give = "max_vcpus=max_vcpus" },
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
	  "models:str<8192> ret:i32", .op = "cpu-models", .take = "arch=arch", .after = lv_after_models },
	{ 122, "node_get_security_model", "", "model:i8<257> doi:i8<257>", .op = "host seclabel",
	  .after = lv_after_security_model },
	{ 203, "connect_get_sysinfo", "flags:u32", "sysinfo:str", .op = "sysinfo", .give = "sysinfo=text" },
	{ 250, "node_suspend_for_duration", "target:u32 duration:u64 flags:u32", "",
	  .op = "nodesuspend", .take = "duration=duration", .before = lv_before_node_sleep },
	{ 288, "node_set_memory_parameters", "params:typed_param<64> flags:u32", "",
	  .op = "node-memory-tune", .before = lv_before_params },
	{ 289, "node_get_memory_parameters", "nparams:i32 flags:u32",
	  "params:typed_param<64> nparams:i32", .op = "node-memory-tune", .flags = 4,
	  .after = lv_after_params },
	{ 340, "node_get_free_pages", "pages:u32<1024> startCell:i32 cellCount:u32 flags:u32",
	  "counts:u64<1024>", .op = "freepages", .before = lv_before_pages, .after = lv_after_pages },
	{ 347, "node_alloc_pages",
	  "pageSizes:u32<1024> pageCounts:u64<1024> startCell:i32 cellCount:u32 flags:u32", "ret:i32",
	  .op = "allocpages", .flags = 1, .before = lv_before_alloc,
	  .after = lv_after_alloc },
	{ 158, "connect_compare_cpu", "xml:str flags:u32", "result:i32", .op = "cpu-compare", .flags = 3, CPU,
	  .take = "file=xml error=flags&1 validate=flags&2", .give = "result=result" },
	{ 162, "connect_baseline_cpu", "xmlCPUs:str<256> flags:u32", "cpu:str", .op = "cpu-baseline",
	  .flags = 3, CPU, .take = "features=flags&1 migratable=flags&2", .before = lv_before_cpus,
	  .give = "cpu=text" },
	{ 393, "connect_compare_hypervisor_cpu",
	  "emulator:str? arch:str? machine:str? virttype:str? xmlCPU:str flags:u32", "result:i32",
	  .op = "hypervisor-cpu-compare", .flags = 3, CPU, .give = "result=result",
	  .take = "file=xmlCPU emulator=emulator arch=arch machine=machine virttype=virttype "
		  "error=flags&1 validate=flags&2" },
	{ 394, "connect_baseline_hypervisor_cpu",
	  "emulator:str? arch:str? machine:str? virttype:str? xmlCPUs:str<256> flags:u32", "cpu:str",
	  .op = "hypervisor-cpu-baseline", .flags = 3, CPU, .before = lv_before_cpus, .give = "cpu=text",
	  .take = "emulator=emulator arch=arch machine=machine virttype=virttype features=flags&1 "
		  "migratable=flags&2" },
	{ 342, "connect_get_domain_capabilities",
	  "emulatorbin:str? arch:str? machine:str? virttype:str? flags:u32", "capabilities:str",
	  .op = "domcapabilities", .give = "capabilities=text",
	  .take = "emulatorbin=emulatorbin arch=arch machine=machine virttype=virttype" },
};
/* clang-format on */

const LvProcs lv_procs_node = { LV_REMOTE, rows, G_N_ELEMENTS(rows) };
