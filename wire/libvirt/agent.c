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
		return lv_fail(error, LV_ERR_ARGUMENT_UNSUPPORTED, "Unknown IP address data source %u",
			       (guint)source);
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

/* ---- file systems, CPUs, and all the agent knows ---- */

gboolean lv_after_fsinfo(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	enum { MOST = 256 };
	const Shape *shape = op->op->result->rows[0].of;
	const GPtrArray *list = LV_RESULT(GPtrArray *, op, "file_systems");
	guint n = MIN(shape_len(list), MOST);
	WireValue *infos = lv_put_list(call, lv_put(call, "info"), n, 4);
	for (guint i = 0; i < n; i++) {
		gpointer one = g_ptr_array_index(list, i);
		const GPtrArray *targets = LV_MEMBER(GPtrArray *, shape, one, "target");
		infos[i].items[0].s = LV_MEMBER(char *, shape, one, "mountpoint");
		infos[i].items[1].s = LV_MEMBER(char *, shape, one, "name");
		infos[i].items[2].s = LV_MEMBER(char *, shape, one, "type");
		guint disks = MIN(shape_len(targets), MOST);
		WireValue *names = lv_put_list(call, &infos[i].items[3], disks, 0);
		for (guint k = 0; k < disks; k++)
			names[k].s = g_ptr_array_index(targets, k);
	}
	lv_put(call, "ret")->u = n;
	return TRUE;
}

gboolean lv_after_guest_vcpus(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	static const char *const names[] = { "vcpus", "online", "offlinable" };
	Params *all = shape_new(&params_shape);
	for (guint i = 0; i < G_N_ELEMENTS(names); i++)
		param_add_text(&all->params, names[i], LV_RESULT(char *, op, names[i]));
	lv_reply_params(call, all->params);
	shape_free(&params_shape, all);
	return TRUE;
}

gboolean lv_before_guest_vcpus(LvCall *call, OpCall *op, GError **error)
{
	gint64 state = lv_arg(call, "state")->i;
	if (state != 0 && state != 1)
		return lv_fail(error, LV_ERR_INVALID_ARG, "unsupported state value");
	LV_ARG(char *, op, "cpulist") = g_strdup(lv_arg(call, "cpumap")->s);
	LV_ARG(gboolean, op, state ? "enable" : "disable") = TRUE;
	return TRUE;
}

gboolean lv_before_guest_info(LvCall *call, OpCall *op, GError **error)
{
	static const char *const types[] = { /* in the order of virDomainGuestInfoTypes; 0 asks for all */
		"user", "os", "timezone", "hostname", "filesystem", "disk", "interface",
	};
	guint64 asked = lv_arg(call, "types")->u;
	if (asked >> G_N_ELEMENTS(types))
		return lv_fail(error, LV_ERR_INVALID_ARG, "unsupported guest information types '0x%x'",
			       (guint)asked);
	for (guint i = 0; i < G_N_ELEMENTS(types); i++)
		if (asked & 1u << i)
			LV_ARG(gboolean, op, types[i]) = TRUE;
	return TRUE;
}

/* The verb keeps values as text, with the word for their type beside. */
gboolean lv_after_guest_info(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	static const struct {
		const char *word;
		ParamType type;
	} types[] = {
		{ "string", PARAM_STRING }, { "int", PARAM_INT },	  { "uint", PARAM_UINT },
		{ "ullong", PARAM_ULLONG }, { "boolean", PARAM_BOOLEAN },
	};
	const Shape *shape = op->op->result->rows[0].of;
	const GPtrArray *list = LV_RESULT(GPtrArray *, op, "params");
	Params *all = shape_new(&params_shape);
	for (guint i = 0; i < shape_len(list); i++) {
		gpointer one = g_ptr_array_index(list, i);
		const char *name = LV_MEMBER(char *, shape, one, "name");
		const char *value = LV_MEMBER(char *, shape, one, "value");
		const char *word = lv_word(shape, one, "type");
		for (guint k = 0; k < G_N_ELEMENTS(types); k++)
			if (!g_strcmp0(types[k].word, word) && k == 0)
				param_add_text(&all->params, name, value);
			else if (!g_strcmp0(types[k].word, word))
				param_add(&all->params, types[k].type, name,
					  g_strcmp0(value, "yes")
						  ? g_ascii_strtoll(value ? value : "0", NULL, 10)
						  : 1);
	}
	lv_reply_params(call, all->params);
	shape_free(&params_shape, all);
	return TRUE;
}
