/* What rows cannot say about calls that a guest's agent answers, and about ways to end a guest.
 * Neighbours: procs.c has the rows; the verbs are in ops/guest_agent.c, guest_inside.c, guest_power.c. */
#include "wire/libvirt/internal.h"

#include <string.h>

enum { BY_BUTTON = 1, BY_AGENT = 2 }; /* of VIR_DOMAIN_SHUTDOWN_ and VIR_DOMAIN_REBOOT_ */

gboolean lv_before_mode(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	static const char *const modes[] = { NULL, "acpi", "agent", "acpi,agent" };
	LV_ARG(char *, op, "mode") = g_strdup(modes[lv_arg(call, "flags")->u & (BY_BUTTON | BY_AGENT)]);
	return TRUE;
}

gboolean lv_before_agent_command(LvCall *call, OpCall *op, GError **error)
{
	enum { BLOCK = -2, USUAL = -1, NO_WAIT = 0 }; /* VIR_DOMAIN_QEMU_AGENT_COMMAND_ */
	gint64 timeout = lv_arg(call, "timeout")->i;
	if (timeout < BLOCK)
		return lv_fail(error, LV_ERR_INVALID_ARG, "a timeout of %d s cannot be", (int)timeout);
	LV_ARG(gboolean, op, "block") = timeout == BLOCK;
	LV_ARG(gboolean, op, "async") = timeout == NO_WAIT;
	if (timeout > 0)
		LV_ARG(OptUint, op, "timeout") = OPT_UINT((guint64)timeout);
	return TRUE;
}

gboolean lv_before_set_time(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	gboolean sync = lv_arg(call, "flags")->u & 1;
	LV_ARG(gboolean, op, "sync") = sync;
	if (!sync)
		LV_ARG(OptInt, op, "time") = OPT_INT(lv_arg(call, "seconds")->i);
	return TRUE;
}

gboolean lv_before_sleep(LvCall *call, OpCall *op, GError **error)
{
	guint64 target = lv_arg(call, "target")->u; /* virNodeSuspendTarget: mem, disk, hybrid */
	if (target > 2)
		return lv_fail(error, LV_ERR_INVALID_ARG, "unknown suspend target: %u", (guint)target);
	if (lv_arg(call, "duration")->u)
		return lv_fail(error, LV_ERR_CONFIG_UNSUPPORTED, "a guest sleeps until it is woken: "
			       "duration must be 0");
	LV_ARG(int, op, "target") = (int)target + 1;
	return TRUE;
}

gboolean lv_before_set_keys(LvCall *call, OpCall *op, GError **error)
{
	enum { APPEND = 1, REMOVE = 2 };
	guint64 flags = lv_arg(call, "flags")->u;
	const WireValue *keys = lv_arg(call, "keys");
	GString *text = g_string_new(NULL);
	for (guint i = 0; i < keys->n; i++)
		g_string_append_printf(text, "%s\n", keys->items[i].s);
	LV_ARG(char *, op, "keys") = g_string_free(text, keys->n == 0);
	LV_ARG(gboolean, op, "remove") = (flags & REMOVE) != 0;
	LV_ARG(gboolean, op, "reset") = flags == 0;
	if ((flags & APPEND) && (flags & REMOVE))
		return lv_fail(error, LV_ERR_INVALID_ARG, "keys are appended or removed, not both");
	return TRUE;
}

gboolean lv_before_agent_source(LvCall *call, OpCall *op, GError **error)
{
	guint64 source = lv_arg(call, "source")->u; /* virDomainInterfaceAddressesSource */
	if (source > 2)
		return lv_fail(error, LV_ERR_INVALID_ARG, "unknown source of addresses: %u", (guint)source);
	LV_ARG(int, op, "source") = (int)source + 1;
	return TRUE;
}

/* ---- addresses: one item each becomes one interface with its addresses ---- */

typedef struct Nic {
	WireValue *fields; /* name, MAC, addresses */
} Nic;

static Nic *nic_of(GArray *nics, LvCall *call, const char *name, const char *mac, guint most)
{
	for (guint i = 0; i < nics->len; i++) {
		Nic *nic = &g_array_index(nics, Nic, i);
		if (!g_strcmp0(nic->fields[0].s, name))
			return nic;
	}
	Nic nic = { .fields = wire_alloc(&call->arena, 3 * sizeof(WireValue)) };
	nic.fields[0].s = name;
	nic.fields[1] = (WireValue){ .s = mac, .set = mac != NULL };
	lv_put_list(call, &nic.fields[2], most, 3);
	nic.fields[2].n = 0;
	g_array_append_val(nics, nic);
	return &g_array_index(nics, Nic, nics->len - 1);
}

/* "10.0.2.15/24" into type, address and prefix. */
static void put_address(LvCall *call, WireValue *fields, const char *protocol, const char *text)
{
	char *address = wire_strdup(&call->arena, text);
	char *slash = strchr(address, '/');
	if (slash)
		*slash = '\0';
	fields[0].i = !g_strcmp0(protocol, "ipv6");
	fields[1].s = address;
	fields[2].u = slash ? g_ascii_strtoull(slash + 1, NULL, 10) : 0;
}

gboolean lv_after_addresses(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	const Shape *shape = op->op->result->rows[0].of;
	const GPtrArray *list = LV_RESULT(GPtrArray *, op, "addresses");
	g_autoptr(GArray) nics = g_array_new(FALSE, FALSE, sizeof(Nic));
	guint most = MIN(shape_len(list), 2048);
	for (guint i = 0; i < most; i++) {
		gpointer item = g_ptr_array_index(list, i);
		Nic *nic = nic_of(nics, call, LV_MEMBER(char *, shape, item, "name"),
				  LV_MEMBER(char *, shape, item, "mac"), most);
		const char *address = LV_MEMBER(char *, shape, item, "address");
		if (address)
			put_address(call, nic->fields[2].items[nic->fields[2].n++].items,
				    LV_MEMBER(char *, shape, item, "protocol"), address);
	}
	WireValue *found = lv_put_list(call, lv_put(call, "ifaces"), nics->len, 0);
	for (guint i = 0; i < nics->len; i++)
		found[i].items = g_array_index(nics, Nic, i).fields;
	return TRUE;
}
