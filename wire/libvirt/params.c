/* Typed parameters: a verb's list of them as the reply's, and the client's as a verb's arguments of the
 * same names. Neighbours: ops/params.h has the list; the rows of procs_*.c name the functions. */
#include "ops/params.h"
#include "wire/libvirt/internal.h"

#include <string.h>

/* ---- to the client ---- */

static void put_value(LvCall *call, WireValue *value, const Param *param)
{
	value->n = param->type;
	if (param->type == PARAM_STRING)
		value->s = wire_strdup(&call->arena, param->text);
	else if (param->type == PARAM_DOUBLE)
		value->d = g_ascii_strtod(param->text, NULL);
	else
		value->i = param->number.v;
}

void lv_put_params(LvCall *call, WireValue *value, const GPtrArray *params, guint most)
{
	guint n = MIN(shape_len(params), most);
	WireValue *items = lv_put_list(call, value, n, 2);
	for (guint i = 0; i < n; i++) {
		const Param *param = g_ptr_array_index(params, i);
		items[i].items[0].s = wire_strdup(&call->arena, param->name);
		put_value(call, &items[i].items[1], param);
	}
}

/* Whether the call has the argument, or the reply the field, @name. */
static gboolean has(const char *signature, const char *name)
{
	return wire_field(wire_type(signature), name) >= 0;
}

/* "nparams" of the call: 0 asks how many there are. */
void lv_reply_params(LvCall *call, const GPtrArray *params)
{
	gint64 most = has(call->proc->args, "nparams") ? lv_arg(call, "nparams")->i : G_MAXINT;
	lv_put_params(call, lv_put(call, "params"), params, (guint)CLAMP(most, 0, G_MAXINT));
	if (has(call->proc->reply, "nparams"))
		lv_put(call, "nparams")->i = most > 0 ? lv_put(call, "params")->n : shape_len(params);
}

gboolean lv_after_params(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	lv_reply_params(call, LV_RESULT(GPtrArray *, op, "params"));
	return TRUE;
}

/* ---- from the client ---- */

/* The value as a word on a command line; the caller frees it. */
static char *text_of(const WireValue *value)
{
	switch ((WireParam)value->n) {
	case WIRE_PARAM_STRING:
		return g_strdup(value->s);
	case WIRE_PARAM_DOUBLE:
		return g_strdup_printf("%f", value->d);
	case WIRE_PARAM_UINT:
	case WIRE_PARAM_ULLONG:
		return g_strdup_printf("%" G_GUINT64_FORMAT, value->u);
	case WIRE_PARAM_BOOLEAN:
		return g_strdup(value->u ? "yes" : "no");
	default:
		return g_strdup_printf("%" G_GINT64_FORMAT, value->i);
	}
}

/* Whether the argument's row has libvirt's name: '.' and '-' stand for '_', and virsh says some in
 * the plural. */
static gboolean same_name(const char *own, const char *name)
{
	for (; *own && *name; own++, name++)
		if (*own != *name && !(*own == '_' && (*name == '.' || *name == '-')))
			return FALSE;
	return *own == *name || (!*name && g_str_equal(own, "s"));
}

static const Row *row_of(const Shape *shape, const char *name)
{
	for (guint i = 0; i < shape->n; i++)
		if (same_name(shape->rows[i].name, name))
			return &shape->rows[i];
	return NULL;
}

gboolean lv_take_params(LvCall *call, OpCall *op, GError **error)
{
	const WireValue *params = lv_arg(call, "params");
	for (guint i = 0; i < params->n; i++) {
		const WireValue *fields = params->items[i].items;
		const Row *row = row_of(op->op->args, fields[0].s);
		g_autofree char *text = text_of(&fields[1]);
		if (!row)
			return lv_fail(error, LV_ERR_INVALID_ARG, "parameter '%s' not supported",
				       fields[0].s);
		if (!shape_arg_from_text(row, op->args, text, error)) {
			g_prefix_error(error, "%s: ", fields[0].s);
			return FALSE;
		}
	}
	return TRUE;
}

gboolean lv_before_params(LvCall *call, OpCall *op, GError **error)
{
	if (!lv_arg(call, "params")->n)
		return lv_fail(error, LV_ERR_INVALID_ARG, "there are no parameters");
	return lv_take_params(call, op, error);
}

/* The same for verbs that take "NAME=VALUE" words. */
gboolean lv_before_pairs(LvCall *call, OpCall *op, GError **error)
{
	const WireValue *params = lv_arg(call, "params");
	if (!params->n)
		return lv_fail(error, LV_ERR_INVALID_ARG, "there are no parameters");
	for (guint i = 0; i < params->n; i++) {
		const WireValue *fields = params->items[i].items;
		g_autofree char *text = text_of(&fields[1]);
		shape_append(&LV_ARG(GPtrArray *, op, "set"), NULL,
			     g_strdup_printf("%s=%s", fields[0].s, text));
	}
	return TRUE;
}
