/* The connection, events and the QEMU program: rows of procedures.
 * How to read a row: internal.h, LvProc; signatures: codec.h; the list of tables: procs.c. */
#include "wire/libvirt/internal.h"

/* clang-format off */
static const LvProc rows[] = {
	/* ---- the connection ---- */
	{ 1, "connect_open", "name:str? flags:u32", "", .fn = lv_open, .before_open = TRUE,
	  .flags = 7 }, /* 2 and 4: what clients of a person's daemon say to themselves */
	{ 2, "connect_close", "", "", .fn = lv_bye, .before_open = TRUE },
	{ 3, "connect_get_type", "", "type:str", .fn = lv_get_type },
	{ 59, "connect_get_hostname", "", "hostname:str", .fn = lv_hostname },
	{ 60, "connect_supports_feature", "feature:i32", "supported:i32",
	  .fn = lv_supports_feature, .before_open = TRUE },
	{ 110, "connect_get_uri", "", "uri:str", .fn = lv_uri },
	{ 157, "connect_get_lib_version", "", "lib_ver:u64", .fn = lv_lib_version },
	{ 360, "connect_register_close_callback", "", "", .fn = lv_done },
	{ 361, "connect_unregister_close_callback", "", "", .fn = lv_done },

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

static const LvProc qemu_rows[] = {
	{ 1, "domain_monitor_command", "dom:domain cmd:str flags:u32", "result:str",
	  .op = "qemu-monitor-command", .flags = 1, .take = "command=cmd hmp=flags&1",
	  .give = "result=text" },
	{ 3, "domain_agent_command", "dom:domain cmd:str timeout:i32 flags:u32", "result:str?",
	  .op = "qemu-agent-command", .take = "cmd=cmd", .give = "result=text",
	  .before = lv_before_agent_command },
	{ 4, "connect_domain_monitor_event_register", "dom:domain? event:str? flags:u32",
	  "callbackID:i32", .flags = 3, .fn = lv_monitor_event_register },
	{ 5, "connect_domain_monitor_event_deregister", "callbackID:i32", "",
	  .fn = lv_event_callback_deregister },
};
/* clang-format on */

const LvProcs lv_procs_connect = { LV_REMOTE, rows, G_N_ELEMENTS(rows) };
const LvProcs lv_procs_qemu = { LV_QEMU, qemu_rows, G_N_ELEMENTS(qemu_rows) };
