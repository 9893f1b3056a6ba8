/* The host: rows of procedures.
 * How to read a row: internal.h, LvProc; signatures: codec.h; the list of tables: procs.c. */
#include "wire/libvirt/internal.h"

/* clang-format off */
static const LvProc rows[] = {
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
};
/* clang-format on */

const LvProcs lv_procs_node = { LV_REMOTE, rows, G_N_ELEMENTS(rows) };
