/* What a guest may use, and what it used: rows of procedures.
 * How to read a row: internal.h, LvProc; signatures: codec.h; the list of tables: procs.c. */
#include "wire/libvirt/internal.h"

/* clang-format off */
static const LvProc set_max_memory_flags = {
	204, "domain_set_memory_flags", "dom:domain memory:u64 flags:u32", "", .op = "setmaxmem", .flags = 6,
	.take = "size=memory*1024 config=flags&2",
};

static const LvProc rows[] = {
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
};
/* clang-format on */

const LvProcs lv_procs_tune = { LV_REMOTE, rows, G_N_ELEMENTS(rows) };
