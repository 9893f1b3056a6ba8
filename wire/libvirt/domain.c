/* What rows cannot say about guests: lists in libvirt's forms, reasons of states, streams.
 * Neighbours: procs.c has the rows; the verbs are in ops/guest_*.c. */
#include "ops/reason.h"
#include "ops/tie.h"
#include "wire/libvirt/objects.h"

#include <string.h>

/* ---- one guest ---- */

gboolean lv_before_define(G_GNUC_UNUSED LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	LV_ARG(gboolean, op, "need_uuid") = TRUE; /* libvirt never changes a guest by its name alone */
	return TRUE;
}

gboolean lv_before_autostart(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	LV_ARG(gboolean, op, "disable") = lv_arg(call, "autostart")->i == 0;
	return TRUE;
}

gboolean lv_after_active(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	lv_put(call, "active")->i = LV_RESULT(OptInt, op, "id").set;
	return TRUE;
}

gboolean lv_after_state(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	int state = LV_RESULT(int, op, "state");
	lv_put(call, "state")->i = state;
	lv_put(call, "reason")->i = reason_number(state, lv_word(op->op->result, op->result, "reason"));
	return TRUE;
}

gboolean lv_after_messages(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	const char *warning = LV_RESULT(char *, op, "warning");
	WireValue *messages = lv_put_list(call, lv_put(call, "msgs"), warning ? 1 : 0, 0);
	if (warning)
		messages[0].s = warning;
	return TRUE;
}

gboolean lv_before_max_vcpus(G_GNUC_UNUSED LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	LV_ARG(gboolean, op, "maximum") = TRUE;
	return TRUE;
}

/* VIR_DOMAIN_SAVE_PARAM_*. */
static const WireValue *save_param(const LvCall *call, const char *name)
{
	const WireValue *params = lv_arg(call, "params");
	for (guint i = 0; i < params->n; i++)
		if (g_str_equal(params->items[i].items[0].s, name))
			return &params->items[i].items[1];
	return NULL;
}

gboolean lv_is_managed(const LvCall *call)
{
	return !save_param(call, "file");
}

gboolean lv_before_save_params(LvCall *call, OpCall *op, GError **error)
{
	static const char *const names[] = { "file", "dxml", NULL };
	const WireValue *params = lv_arg(call, "params"), *file = save_param(call, "file");
	const WireValue *xml = save_param(call, "dxml");
	for (guint i = 0; i < params->n; i++) {
		const WireValue *fields = params->items[i].items;
		if (!g_strv_contains(names, fields[0].s))
			return lv_fail(error, LV_ERR_INVALID_ARG, "parameter '%s' not supported",
				       fields[0].s);
		if (fields[1].n != WIRE_PARAM_STRING)
			return lv_fail(error, LV_ERR_INVALID_ARG, "invalid type for parameter '%s', expected "
				       "string", fields[0].s);
	}
	if (!file && g_str_equal(op->op->name, "restore"))
		return lv_fail(error, LV_ERR_INVALID_ARG, "missing mandatory parameter 'file'");
	if (file)
		LV_ARG(char *, op, "path") = g_strdup(file->s);
	if (xml)
		LV_ARG(char *, op, "xml") = g_strdup(xml->s);
	return TRUE;
}

gboolean lv_before_native(LvCall *call, OpCall *op, GError **error)
{
	const char *format = lv_arg(call, "nativeFormat")->s;
	if (g_strcmp0(format, "qemu-argv"))
		return lv_fail(error, LV_ERR_INVALID_ARG, "unsupported config type %s", format);
	LV_ARG(int, op, "format") = 1;
	return TRUE;
}

/* VIR_MEMORY_VIRTUAL and _PHYSICAL: one of both. */
gboolean lv_before_peek(LvCall *call, OpCall *op, GError **error)
{
	guint64 flags = lv_arg(call, "flags")->u;
	if (flags != 1 && flags != 2)
		return lv_fail(error, LV_ERR_INVALID_ARG,
			       "flags must be VIR_MEMORY_VIRTUAL or VIR_MEMORY_PHYSICAL");
	LV_ARG(int, op, "kind") = flags == 1 ? 2 : 1;
	return TRUE;
}

gboolean lv_after_piece(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	gsize length = 0;
	g_autofree guchar *bytes = g_base64_decode(LV_RESULT(char *, op, "data"), &length);
	guint8 *copy = wire_alloc(&call->arena, MAX(length, 1));
	memcpy(copy, bytes, length);
	lv_put(call, "buffer")->bytes = copy;
	lv_put(call, "buffer")->n = (guint)length;
	return TRUE;
}

/* virDomainCoreDumpFormat: 0 is the usual one, which other formats replace in memory-only dumps. */
gboolean lv_before_dump(LvCall *call, OpCall *op, GError **error)
{
	guint64 format = lv_arg(call, "dumpformat")->u;
	if (format > 4)
		return lv_fail(error, LV_ERR_INVALID_ARG, "unknown core dump format '%u'", (guint)format);
	if (format && !(lv_arg(call, "flags")->u & 16))
		return lv_fail(error, LV_ERR_CONFIG_UNSUPPORTED,
			       "kdump-compressed format is only supported with memory-only dump");
	if (format)
		LV_ARG(int, op, "format") = (int)format + 1;
	return TRUE;
}

/* VIR_DOMAIN_METADATA_DESCRIPTION, _TITLE and _ELEMENT. */
gboolean lv_before_metadata(LvCall *call, OpCall *op, GError **error)
{
	gint64 type = lv_arg(call, "type")->i;
	if (type < 0 || type > 2)
		return lv_fail(error, LV_ERR_INVALID_ARG, "unknown metadata type %d", (int)type);
	LV_ARG(int, op, "what") = (int)type + 1;
	return TRUE;
}

enum { CODESET_LINUX = 0, CODESET_XT = 1, CODESET_QNUM = 9 }; /* virKeycodeSet */

gboolean lv_before_keys(LvCall *call, OpCall *op, GError **error)
{
	const WireValue *codes = lv_arg(call, "keycodes");
	guint64 set = lv_arg(call, "codeset")->u;
	if (set != CODESET_LINUX && set != CODESET_XT && set != CODESET_QNUM)
		return lv_fail(error, LV_ERR_CONFIG_UNSUPPORTED,
			       "the set of key codes %u is not known: use linux", (guint)set);
	LV_ARG(int, op, "codeset") = set == CODESET_LINUX ? 1 : 2;
	GPtrArray **keys = &LV_ARG(GPtrArray *, op, "keys");
	for (guint i = 0; i < codes->n; i++)
		shape_append(keys, NULL, g_strdup_printf("%u", (guint)codes->items[i].u));
	return TRUE;
}

gboolean lv_before_undefine(LvCall *call, G_GNUC_UNUSED OpCall *op, GError **error)
{
	enum { NVRAM = 4, KEEP_NVRAM = 8 };
	guint64 flags = lv_arg(call, "flags")->u;
	return (flags & (NVRAM | KEEP_NVRAM)) != (NVRAM | KEEP_NVRAM) ||
	       lv_fail(error, LV_ERR_OPERATION_INVALID,
		       "Requested operation is not valid: cannot both keep and delete nvram");
}

/* virDomainLifecycle counts from 0; virDomainLifecycleAction has an order of its own. */
gboolean lv_before_lifecycle(LvCall *call, OpCall *op, GError **error)
{
	static const char *const actions[] = { "destroy",  "restart",	       "rename-restart",
					       "preserve", "coredump-destroy", "coredump-restart" };
	guint64 type = lv_arg(call, "type")->u, action = lv_arg(call, "action")->u;
	if (type > 2)
		return lv_fail(error, LV_ERR_INVALID_ARG, "type in virDomainSetLifecycleAction must be "
			       "less than 3");
	if (action >= G_N_ELEMENTS(actions))
		return lv_fail(error, LV_ERR_INVALID_ARG, "action in virDomainSetLifecycleAction must be "
			       "less than %u", (guint)G_N_ELEMENTS(actions));
	const Shape *args = op->op->args;
	LV_ARG(int, op, "type") = (int)type + 1;
	for (guint i = 0; i < args->n; i++)
		if (g_str_equal(args->rows[i].name, "action"))
			return shape_arg_from_text(&args->rows[i], op->args, actions[action], error);
	return TRUE;
}

/* ---- guests that end with their connection ---- */

enum { START_AUTODESTROY = 2 }; /* virDomainCreateFlags */

static void tie(LvClient *client, LvTied *tied, const char *uuid)
{
	g_strlcpy(tied->uuid, uuid, sizeof tied->uuid);
	if (!client->tied)
		client->tied = g_array_new(FALSE, FALSE, sizeof *tied);
	g_array_append_val(client->tied, *tied);
}

/* The verb copies them while the call holds them. */
gboolean lv_before_fds(LvCall *call, OpCall *op, GError **error)
{
	GString *numbers = g_string_new(NULL);
	for (guint i = 0; i < call->n_fds; i++)
		g_string_append_printf(numbers, "%s%d", i ? "," : "", call->fds[i]);
	LV_ARG(char *, op, "pass_fds") = g_string_free(numbers, FALSE);
	return call->n_fds > 0 || lv_fail(error, LV_ERR_INVALID_ARG, "there are no file descriptors");
}

/* A client that lives long gives many, mostly in place of others. */
static void drop_idle_fds(LvClient *client)
{
	for (guint i = client->tied ? client->tied->len : 0; i-- > 0;) {
		const LvTied *tied = &g_array_index(client->tied, LvTied, i);
		if (tied->fds && !op_fds_known(lv_core(client), tied->uuid, tied->fds))
			g_array_remove_index_fast(client->tied, i);
	}
}

gboolean lv_after_fds(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	drop_idle_fds(call->client);
	LvTied tied = { .id = -1, .fds = (guint)LV_RESULT(OptUint, op, "number").v };
	tie(call->client, &tied, LV_RESULT(char *, op, "uuid"));
	return TRUE;
}

gboolean lv_after_start(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	LvTied tied = { .id = (int)opt_int_or(LV_RESULT(OptInt, op, "id"), -1) };
	const char *uuid = LV_RESULT(char *, op, "uuid");
	lv_put_domain(&call->arena, lv_put(call, "dom"), LV_RESULT(char *, op, "name"), uuid, tied.id);
	if (!(lv_arg(call, "flags")->u & START_AUTODESTROY))
		return TRUE;
	tie(call->client, &tied, uuid);
	return TRUE;
}

void lv_unheard_start(LvCall *call, OpCall *op)
{
	if (lv_arg(call, "flags")->u & START_AUTODESTROY)
		op_end_run(op->core, LV_RESULT(char *, op, "uuid"),
			   (int)opt_int_or(LV_RESULT(OptInt, op, "id"), -1));
}

void lv_tied_end(LvClient *client)
{
	for (guint i = 0; client->tied && i < client->tied->len; i++) {
		const LvTied *tied = &g_array_index(client->tied, LvTied, i);
		if (tied->fds)
			op_forget_fds(lv_core(client), tied->uuid, tied->fds);
		else
			op_end_run(lv_core(client), tied->uuid, tied->id);
	}
	g_clear_pointer(&client->tied, g_array_unref);
}

/* ---- lists ---- */

/* Flags of virConnectListAllDomains, in pairs that say nothing where both or none is set. */
enum {
	LIST_RUNNING = 1 << 4,
	LIST_PAUSED = 1 << 5,
	LIST_SHUTOFF = 1 << 6,
	LIST_OTHER = 1 << 7,
	LIST_MANAGEDSAVE = 1 << 8,
	LIST_NO_MANAGEDSAVE = 1 << 9,
	LIST_HAS_SNAPSHOT = 1 << 12,
	LIST_HAS_CHECKPOINT = 1 << 14,
};
static const LvListBits list_bits = { .active = 1 << 0, .inactive = 1 << 1, .persistent = 1 << 2,
				      .transient = 1 << 3, .autostart = 1 << 10, .no_autostart = 1 << 11 };

gboolean lv_before_list_all(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	guint64 flags = lv_arg(call, "flags")->u;
	lv_list_filter(op, flags, &list_bits);
	LV_ARG(gboolean, op, "name") = LV_ARG(gboolean, op, "uuid") = LV_ARG(gboolean, op, "id") = TRUE;
	LV_ARG(gboolean, op, "state_running") = (flags & LIST_RUNNING) != 0;
	LV_ARG(gboolean, op, "state_paused") = (flags & LIST_PAUSED) != 0;
	LV_ARG(gboolean, op, "state_shutoff") = (flags & LIST_SHUTOFF) != 0;
	LV_ARG(gboolean, op, "state_other") = (flags & LIST_OTHER) != 0;
	LV_ARG(gboolean, op, "with_managed_save") = (flags & LIST_MANAGEDSAVE) != 0;
	LV_ARG(gboolean, op, "without_managed_save") = (flags & LIST_NO_MANAGEDSAVE) != 0;
	return TRUE;
}

/* No guest has a snapshot or a checkpoint: who asks for those with one gets none. */
static gboolean asks_for_none(guint64 flags)
{
	return lv_only(flags, LIST_HAS_SNAPSHOT, LIST_HAS_SNAPSHOT << 1) ||
	       lv_only(flags, LIST_HAS_CHECKPOINT, LIST_HAS_CHECKPOINT << 1);
}

gboolean lv_after_list_all(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	const Shape *shape;
	const GPtrArray *list = lv_listed(op, &shape);
	guint n = asks_for_none(lv_arg(call, "flags")->u) ? 0 : list->len;
	guint sent = lv_arg(call, "need_results")->i ? n : 0;
	WireValue *items = lv_put_list(call, lv_put(call, "domains"), sent, 3);
	gsize name = (gsize)lv_member(shape, NULL, "name"), uuid = (gsize)lv_member(shape, NULL, "uuid");
	gsize id = (gsize)lv_member(shape, NULL, "id");
	for (guint i = 0; i < sent; i++) {
		const guint8 *item = g_ptr_array_index(list, i);
		lv_put_domain(&call->arena, &items[i], *(char *const *)(item + name),
			      *(char *const *)(item + uuid),
			      (int)opt_int_or(*(const OptInt *)(item + id), -1));
	}
	lv_put(call, "ret")->u = n;
	return TRUE;
}

gboolean lv_after_ids(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	const Shape *shape;
	const GPtrArray *list = lv_listed(op, &shape);
	guint n = (guint)CLAMP(lv_arg(call, "maxids")->i, 0, (gint64)list->len);
	WireValue *ids = lv_put_list(call, lv_put(call, "ids"), n, 0);
	for (guint i = 0; i < n; i++)
		ids[i].i = LV_MEMBER(OptInt, shape, list->pdata[i], "id").v;
	return TRUE;
}

/* ---- streams ---- */

/* The client's own socket, which came with the call, becomes the screen's. */
gboolean lv_before_graphics(LvCall *call, OpCall *op, GError **error)
{
	if (!call->n_fds)
		return lv_fail(error, LV_ERR_INVALID_ARG, "the call brings no file descriptor");
	op->stream_fd = call->fds[0];
	call->fds[0] = -1;
	return TRUE;
}

/* Who may only read a console has taken none: libvirt's clients get it whole or not at all. */
gboolean lv_after_stream(LvCall *call, OpCall *op, GError **error)
{
	if (notes_count(&op->notes))
		return lv_fail(error, LV_ERR_OPERATION_FAILED,
			       "operation failed: Active console session exists for this domain");
	lv_stream_open(call, op->stream_fd);
	op->stream_fd = -1;
	return TRUE;
}

gboolean lv_after_fd(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	call->reply_fd = op->stream_fd;
	op->stream_fd = -1;
	return TRUE;
}

gboolean lv_after_screenshot(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	gsize length;
	guchar *png = g_base64_decode(LV_RESULT(char *, op, "data"), &length);
	lv_stream_open_bytes(call, g_bytes_new_take(png, length));
	return TRUE;
}
