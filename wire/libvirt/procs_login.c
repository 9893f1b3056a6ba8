/* Who a client is: rows of procedures.
 * How to read a row: internal.h, LvProc; signatures: codec.h; the list of tables: procs.c. */
#include "wire/libvirt/login.h"

#define ANYONE .before_login = TRUE, .before_open = TRUE
#define DATA "nil:i32 data:i8<65536>"

/* clang-format off */
static const LvProc rows[] = {
	{ 66, "auth_list", "", "types:auth_type<20>", .fn = lv_auth_list, ANYONE },
	{ 67, "auth_sasl_init", "", "mechlist:str", .later = lv_sasl_init, ANYONE },
	{ 68, "auth_sasl_start", "mech:str " DATA, "complete:i32 " DATA, .later = lv_sasl_start, ANYONE },
	{ 69, "auth_sasl_step", DATA, "complete:i32 " DATA, .later = lv_sasl_step_call, ANYONE },
	{ 70, "auth_polkit", "", "complete:i32", .later = lv_polkit, ANYONE },
	{ 149, "connect_is_secure", "", "secure:i32", .fn = lv_is_secure },
};
/* clang-format on */

const LvProcs lv_procs_login = { LV_REMOTE, rows, G_N_ELEMENTS(rows) };
