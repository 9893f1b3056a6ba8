/* One call: found in the table, its arguments read, given to a verb or answered here, and its reply
 * written. What a row says with `take` and `give` is compiled at its first call.
 * Neighbours: client.c gives the bytes; procs.c the rows; ops/dispatch.c runs the verbs. */
#include "base/fd.h"
#include "base/log.h"
#include "wire/libvirt/login.h"

#include <stdlib.h>
#include <string.h>

#define SPARE_CALLS 64

/* ---- rows, compiled ---- */

typedef struct Taken { /* "paused=flags&1" */
	const Row *row;
	int field;
	guint64 mask, factor;
} Taken;

typedef struct Given { /* "maxMem=max_memory/1024" */
	int field;
	const Row *row;
	guint64 divisor;
} Given;

typedef struct LvPlan {
	const WireType *args, *reply;
	const Op *op;
	int target, flags; /* indices among args; -1 */
	int object;	   /* index among reply of an object that the result gives; -1 */
	Taken *taken;
	Given *given;
	guint n_taken, n_given;
} Plan;

static const Row *row_of(const Shape *shape, const char *name)
{
	for (guint i = 0; shape && i < shape->n; i++)
		if (g_str_equal(shape->rows[i].name, name))
			return &shape->rows[i];
	g_error("libvirt: no member \"%s\" in %s", name, shape ? shape->name : "nothing");
}

gpointer lv_member(const Shape *shape, gpointer object, const char *name)
{
	return (guint8 *)object + row_of(shape, name)->offset;
}

const char *lv_word(const Shape *shape, gpointer object, const char *name)
{
	const Row *row = row_of(shape, name);
	return enum_name(row->of, *(const int *)((const guint8 *)object + row->offset));
}

/* The number behind @mark in @word, which it cuts off; @otherwise where there is none. */
static guint64 cut_number(char *word, char mark, guint64 otherwise)
{
	char *at = strchr(word, mark);
	if (!at)
		return otherwise;
	*at = '\0';
	return strtoull(at + 1, NULL, 0);
}

/* The kinds that take() knows. */
static gboolean can_take(RowKind kind)
{
	static const gboolean kinds[] = {
		[ROW_FLAG] = TRUE, [ROW_TRI] = TRUE,	 [ROW_INT] = TRUE,    [ROW_UINT] = TRUE,
		[ROW_SIZE] = TRUE, [ROW_ENUM] = TRUE,	 [ROW_UUID] = TRUE,   [ROW_STRINGS] = TRUE,
		[ROW_MAC] = TRUE,  [ROW_CPUSET] = TRUE, [ROW_STRING] = TRUE, [ROW_XML] = TRUE,
	};
	return kind < G_N_ELEMENTS(kinds) && kinds[kind];
}

static void plan_take(Plan *plan, const LvProc *proc)
{
	g_auto(GStrv) words = g_strsplit(proc->take ? proc->take : "", " ", -1);
	plan->taken = g_new0(Taken, g_strv_length(words) + 1);
	for (char **word = words; *word && **word; word++) {
		char *field = strchr(*word, '=');
		*field++ = '\0';
		Taken *taken = &plan->taken[plan->n_taken++];
		taken->mask = cut_number(field, '&', 0);
		taken->factor = cut_number(field, '*', 1);
		taken->row = row_of(plan->op->args, *word);
		taken->field = wire_field(plan->args, field);
		g_assert(taken->field >= 0 && can_take(taken->row->kind));
	}
}

static void plan_give(Plan *plan, const LvProc *proc)
{
	g_auto(GStrv) words = g_strsplit(proc->give ? proc->give : "", " ", -1);
	plan->given = g_new0(Given, g_strv_length(words) + 1);
	for (char **word = words; *word && **word; word++) {
		char *member = strchr(*word, '=');
		*member++ = '\0';
		Given *given = &plan->given[plan->n_given++];
		given->divisor = cut_number(member, '/', 1);
		given->row = row_of(plan->op->result, member);
		given->field = wire_field(plan->reply, *word);
		g_assert(given->field >= 0);
	}
	plan->object = -1;
	if (!proc->after && plan->op)
		for (guint i = 0; i < plan->reply->n; i++)
			if (plan->reply->fields[i].type && !plan->reply->fields[i].list)
				plan->object = (int)i;
}

/* The argument that names the verb's target. */
static const char *target_field(const Op *op)
{
	static const char *const fields[] = {
		[OP_ON_GUEST] = "dom",	       [OP_ON_POOL] = "pool",	  [OP_ON_NETWORK] = "net",
		[OP_ON_NWFILTER] = "nwfilter", [OP_ON_SECRET] = "secret",
		[OP_ON_NODEDEV] = "name",
		[OP_ON_INTERFACE] = "iface",
	};
	return op && op->target != OP_ON_DAEMON ? fields[op->target] : NULL;
}

static const Plan *plan_of(const LvProc *proc)
{
	static GHashTable *plans;
	if (!plans)
		plans = g_hash_table_new(NULL, NULL);
	Plan *plan = g_hash_table_lookup(plans, proc);
	if (plan)
		return plan;
	plan = g_new0(Plan, 1);
	plan->args = wire_type(proc->args);
	plan->reply = wire_type(proc->reply);
	plan->op = proc->op ? op_find(proc->op) : NULL;
	if (!plan->args || !plan->reply || (proc->op && !plan->op))
		g_error("libvirt: the row of %s is wrong", proc->name);
	const char *target = target_field(plan->op);
	plan->target = target ? wire_field(plan->args, target) : -1;
	plan->flags = wire_field(plan->args, "flags");
	plan_take(plan, proc);
	plan_give(plan, proc);
	g_hash_table_insert(plans, (gpointer)proc, plan);
	return plan;
}

void lv_proc_check(const LvProc *proc)
{
	const Plan *plan = plan_of(proc);
	gboolean no_target = target_field(plan->op) && plan->target < 0 && !proc->before;
	if ((!plan->op && !proc->fn && !proc->later) || no_target)
		g_error("libvirt: the row of %s is wrong", proc->name);
	if (proc->other)
		lv_proc_check(proc->other);
}

/* ---- calls ---- */

static LvCall *spare;
static guint n_spare;

static LvCall *call_new(LvClient *client, const LvProc *proc, const LvHeader *header)
{
	LvCall *call = spare;
	if (call) {
		spare = call->next;
		n_spare--;
	} else {
		call = g_new0(LvCall, 1);
	}
	call->client = lv_client_ref(client);
	call->proc = proc;
	call->plan = plan_of(proc);
	call->header = *header;
	call->n_fds = 0;
	call->reply_fd = -1;
	client->calls++;
	return call;
}

static void reading_add(LvCall *call, OpCall *op)
{
	LvClient *client = call->client;
	call->reads = op;
	call->before = NULL;
	call->next = client->reading;
	if (call->next)
		call->next->before = call;
	client->reading = call;
}

static void reading_remove(LvCall *call)
{
	if (!call->reads)
		return;
	call->reads = NULL;
	if (call->next)
		call->next->before = call->before;
	if (call->before)
		call->before->next = call->next;
	else
		call->client->reading = call->next;
}

/* Who connects, asks for much and goes, again and again, would otherwise have all of it done. */
void lv_calls_abandon(LvClient *client)
{
	for (LvCall *call; (call = client->reading);) {
		OpCall *op = call->reads;
		reading_remove(call);
		g_cancellable_cancel(op->cancel); /* may end the call */
	}
}

static void call_free(LvCall *call)
{
	LvClient *client = call->client;
	reading_remove(call);
	for (guint i = 0; i < call->n_fds; i++)
		fd_clear(&call->fds[i]);
	fd_clear(&call->reply_fd);
	wire_arena_clear(&call->arena);
	if (n_spare < SPARE_CALLS) {
		call->next = spare;
		spare = call;
		n_spare++;
	} else {
		g_free(call);
	}
	client->calls--;
	lv_client_resume(client);
	lv_client_unref(client);
}

const WireValue *lv_arg(const LvCall *call, const char *name)
{
	int i = wire_field(call->plan->args, name);
	g_assert(i >= 0);
	return &call->args[i];
}

WireValue *lv_put(LvCall *call, const char *name)
{
	int i = wire_field(call->plan->reply, name);
	g_assert(i >= 0);
	return &call->reply[i];
}

WireValue *lv_put_list(LvCall *call, WireValue *value, guint n, guint fields)
{
	value->n = n;
	value->items = wire_alloc(&call->arena, n * sizeof(WireValue));
	WireValue *all = wire_alloc(&call->arena, (gsize)n * fields * sizeof(WireValue));
	for (guint i = 0; i < n && fields; i++) {
		value->items[i].items = all + (gsize)i * fields;
		value->items[i].n = fields;
	}
	return value->items;
}

/* Of a hexadecimal digit; our own texts have no others. */
static inline guint8 nibble(char c)
{
	return (guint8)((c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10) & 15);
}

const guint8 *lv_uuid_bytes(WireArena *arena, const char *text)
{
	guint8 *bytes = wire_alloc(arena, 16);
	for (guint i = 0; text && i < 16; i++) {
		while (*text == '-')
			text++;
		if (!text[0] || !text[1])
			break;
		bytes[i] = (guint8)(nibble(text[0]) << 4 | nibble(text[1]));
		text += 2;
	}
	return bytes;
}

char *lv_uuid_text(const guint8 *bytes)
{
	static const char digits[] = "0123456789abcdef";
	static const guint8 places[] = { 0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34 };
	char *text = g_malloc(37);
	for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
		text[places[i]] = digits[bytes[i] >> 4];
		text[places[i] + 1] = digits[bytes[i] & 15];
	}
	text[8] = text[13] = text[18] = text[23] = '-';
	text[36] = '\0';
	return text;
}

void lv_put_domain(WireArena *arena, WireValue *value, const char *name, const char *uuid, int id)
{
	WireValue *fields = value->items ? value->items : wire_alloc(arena, 3 * sizeof *fields);
	fields[0].s = name ? name : "";
	fields[1].bytes = lv_uuid_bytes(arena, uuid);
	fields[1].n = 16;
	fields[2].i = id;
	value->items = fields;
	value->n = 3;
	value->set = TRUE;
}

static const char *text_member(const Shape *shape, gconstpointer object, const char *name)
{
	return *(char *const *)lv_member(shape, (gpointer)object, name);
}

void lv_put_object(WireArena *arena, WireValue *value, const WireType *type, const Shape *shape,
		   gconstpointer object)
{
	if (!value->items)
		value->items = wire_alloc(arena, type->n * sizeof(WireValue));
	for (guint i = 0; i < type->n; i++) {
		const WireField *field = &type->fields[i];
		WireValue *put = &value->items[i];
		if (field->exactly == 16) {
			put->bytes = lv_uuid_bytes(arena, text_member(shape, object, field->name));
			put->n = 16;
		} else if (field->kind == WIRE_STR) {
			const char *text = text_member(shape, object, field->name);
			put->s = text ? text : "";
		} else {
			put->i = *(const int *)lv_member(shape, (gpointer)object, field->name);
		}
	}
	value->n = type->n;
	value->set = TRUE;
}

/* ---- replies ---- */

static void reply(LvCall *call)
{
	if (call->reply_fd >= 0 && call->client->way > LIBVIRT_UNIX_RO) {
		lv_send_error(call->client, &call->header, LV_ERR_NO_SUPPORT, LV_FROM_RPC,
			      "file descriptors go through unix sockets only");
		return;
	}
	LvClient *client = call->client;
	LvHeader header = call->header;
	g_autoptr(GError) error = NULL;
	header.type = call->reply_fd >= 0 ? LV_REPLY_FDS : LV_REPLY;
	header.status = LV_OK;
	gsize begin = lv_message_begin(client, &header);
	if (call->reply_fd >= 0)
		xdr_put_u32(&client->out, 1);
	if (!wire_encode(call->plan->reply, call->reply, &client->out, &error)) {
		lv_message_drop(client, begin);
		lv_send_gerror(client, &call->header, call->proc, error);
	} else if (!lv_message_end(client, begin)) {
		lv_send_error(client, &call->header, LV_ERR_RPC, LV_FROM_RPC,
			      "the reply is larger than the protocol allows: ask for less");
	} else if (call->reply_fd >= 0 && client->server) {
		lv_send_fd(client, fd_steal(&call->reply_fd));
	}
}

void lv_call_reply(LvCall *call)
{
	LvClient *client = call->client;
	if (client->server)
		reply(call);
	if (client->server && client->login && client->login->done)
		lv_login_passed(client);
	call_free(call);
}

void lv_call_refuse(LvCall *call, int code, int domain, const char *message)
{
	if (call->client->server)
		lv_send_error(call->client, &call->header, code, domain, message);
	call_free(call);
}

/* ---- a verb's arguments ---- */

/* As every reader of rows keeps them. */
static gboolean in_bounds(const Row *row, guint64 number)
{
	if (!row->min && !row->max)
		return TRUE;
	if (row->kind == ROW_INT)
		return (gint64)number >= row->min && (gint64)number <= row->max;
	return number >= (guint64)row->min && number <= (guint64)row->max;
}

static gboolean take(const Taken *taken, gpointer args, const WireField *field, const WireValue *value,
		     GError **error)
{
	void *member = (guint8 *)args + taken->row->offset;
	if (field->optional && !value->set)
		return TRUE;
	guint64 number = taken->mask ? (value->u & taken->mask) != 0 : value->u * taken->factor;
	gboolean counts = taken->row->kind == ROW_INT || taken->row->kind == ROW_UINT ||
			  taken->row->kind == ROW_SIZE;
	if (counts && !in_bounds(taken->row, number))
		return lv_fail(error, LV_ERR_INVALID_ARG, "%s: %" G_GINT64_FORMAT " is out of range",
			       field->name, value->i);
	switch (taken->row->kind) {
	case ROW_FLAG:
		*(gboolean *)member = number != 0;
		break;
	case ROW_TRI:
		*(Tri *)member = number ? TRI_YES : TRI_NO;
		break;
	case ROW_INT:
		*(OptInt *)member = OPT_INT((gint64)number);
		break;
	case ROW_UINT:
	case ROW_SIZE:
		*(OptUint *)member = OPT_UINT(number);
		break;
	case ROW_ENUM:
		*(int *)member = (int)number;
		break;
	case ROW_UUID:
		*(char **)member = lv_uuid_text(value->bytes);
		break;
	case ROW_STRINGS:
		for (guint i = 0; field->list && i < value->n; i++)
			shape_append(member, NULL, g_strdup(value->items[i].s));
		if (!field->list)
			shape_append(member, NULL, g_strdup(value->s));
		break;
	case ROW_STRING:
	case ROW_MAC:
	case ROW_CPUSET:
	case ROW_XML:
		*(char **)member = g_strdup(value->s);
		break;
	default:
		g_error("libvirt: no way to take \"%s\"", taken->row->name);
	}
	return TRUE;
}

static gboolean flags_fit(const LvCall *call, const Plan *plan, GError **error)
{
	if (plan->flags < 0)
		return TRUE;
	guint64 odd = call->args[plan->flags].u & ~(guint64)call->proc->flags;
	if (!odd)
		return TRUE;
	return lv_fail(error, LV_ERR_INVALID_ARG, "unsupported flags (0x%" G_GINT64_MODIFIER
		       "x) in %s", odd, call->proc->name);
}

/* ---- the result ---- */

static void give_strings(LvCall *call, const GPtrArray *strings, WireValue *value)
{
	WireValue *items = lv_put_list(call, value, shape_len(strings), 0);
	for (guint i = 0; i < shape_len(strings); i++)
		items[i].s = g_ptr_array_index(strings, i);
}

static void give(LvCall *call, const Given *given, gpointer result, WireValue *value)
{
	const void *member = (const guint8 *)result + given->row->offset;
	value->set = TRUE;
	switch (given->row->kind) {
	case ROW_FLAG:
		value->u = *(const gboolean *)member != 0;
		break;
	case ROW_TRI:
		value->u = *(const Tri *)member == TRI_YES;
		break;
	case ROW_INT:
		value->i = ((const OptInt *)member)->v;
		break;
	case ROW_UINT:
	case ROW_SIZE:
		value->u = ((const OptUint *)member)->v / given->divisor;
		break;
	case ROW_ENUM:
		value->i = *(const int *)member;
		break;
	case ROW_STRINGS:
		give_strings(call, *(GPtrArray *const *)member, value);
		break;
	default:
		value->s = *(char *const *)member;
		value->set = value->s != NULL;
	}
}

/* An object of the reply's composite type, from the result's members of the same names. */
static void give_object(LvCall *call, const OpCall *op, const WireField *field, WireValue *value)
{
	if (wire_field(field->type, "id") >= 0) { /* a domain */
		OptInt id = LV_RESULT(OptInt, op, "id");
		lv_put_domain(&call->arena, value, LV_RESULT(char *, op, "name"),
			      LV_RESULT(char *, op, "uuid"), (int)opt_int_or(id, -1));
		return;
	}
	lv_put_object(&call->arena, value, field->type, op->op->result, op->result);
}

static void on_done(OpCall *op, const GError *error)
{
	LvCall *call = op->door_data;
	const Plan *plan = call->plan;
	g_autoptr(GError) own = NULL;
	if (call->client->server && !error) {
		for (guint i = 0; i < plan->n_given; i++)
			give(call, &plan->given[i], op->result, &call->reply[plan->given[i].field]);
		if (plan->object >= 0)
			give_object(call, op, &plan->reply->fields[plan->object],
				    &call->reply[plan->object]);
		if (!call->proc->after || call->proc->after(call, op, &own))
			reply(call);
		else
			error = own;
	}
	if (!call->client->server && !error && call->proc->unheard)
		call->proc->unheard(call, op);
	gboolean has_target = op->guest || op->object || op->op->target == OP_ON_DAEMON;
	if (call->client->server && error && has_target)
		lv_send_missing(call->client, &call->header, call->proc, op, error);
	else if (call->client->server && error)
		lv_send_gerror(call->client, &call->header, call->proc, error);
	call_free(call);
}

/* Objects travel with name and uuid, secrets with the uuid first: the uuid counts. Node devices
 * have a name alone, interfaces a name first. */
static void name_target(OpCall *op, const WireValue *value)
{
	if (op->op->target == OP_ON_NODEDEV) {
		op->target = g_strdup(value->s);
		return;
	}
	if (op->op->target == OP_ON_INTERFACE) {
		op->target = g_strdup(value->items[0].s);
		return;
	}
	const guint8 *uuid = value->items[op->op->target == OP_ON_SECRET ? 0 : 1].bytes;
	if (!op_target_guest(op, uuid))
		op->target = lv_uuid_text(uuid);
}

static void run_op(LvCall *call, const Plan *plan)
{
	OpCall *op = op_call_new(lv_core(call->client), plan->op);
	g_autoptr(GError) error = NULL;
	op->caller = call->client->caller;
	op->done = on_done;
	op->door_data = call;
	if (plan->target >= 0)
		name_target(op, &call->args[plan->target]);
	gboolean denied = !op_may(op, &error); /* whatever else is wrong with it */
	for (guint i = 0; i < plan->n_taken && !error; i++)
		take(&plan->taken[i], op->args, &plan->args->fields[plan->taken[i].field],
		     &call->args[plan->taken[i].field], &error);
	if (!error && !op->core)
		fail(&error, LODGE_ERROR_GONE, "there are no guests behind this door");
	else if (!error && (!call->proc->before || call->proc->before(call, op, &error))) {
		if (plan->op->lane != OP_READ && plan->op->perm == OP_PERM_READ)
			reading_add(call, op);
		op_dispatch(op);
		return;
	}
	g_autoptr(GError) missing = NULL;
	gboolean is_there = denied || !op->core || op_find_target(op, &missing);
	op_call_free(op);
	/* that it is not there counts more than what is wrong with the arguments */
	lv_send_gerror(call->client, &call->header, call->proc, is_there ? error : missing);
	call_free(call);
}

/* ---- the beginning ---- */

/* Another row for the same number, where the flags ask for it. */
static void choose_row(LvCall *call)
{
	const LvProc *proc = call->proc;
	if (!call->args || !proc->other)
		return;
	if (proc->other_when ? !proc->other_when(call)
			     : !(call->args[call->plan->flags].u & proc->other_flag))
		return;
	call->proc = proc->other;
	call->plan = plan_of(call->proc);
}

static void run_call(LvCall *call, XdrIn in)
{
	g_autoptr(GError) error = NULL;
	call->args = wire_decode(call->plan->args, &in, &call->arena, &error);
	choose_row(call);
	const Plan *plan = call->plan;
	call->reply = wire_alloc(&call->arena, MAX(plan->reply->n, 1) * sizeof(WireValue));
	if (call->args && xdr_left(&in))
		lv_fail(&error, LV_ERR_RPC, "%s: %u bytes too many", call->proc->name,
			(guint)xdr_left(&in));
	if (!error && flags_fit(call, plan, &error) && plan->op) {
		run_op(call, plan);
		return;
	}
	if (!error && call->proc->later) {
		call->proc->later(call);
		return;
	}
	if (!error && call->proc->fn(call, &error))
		reply(call);
	else
		lv_send_gerror(call->client, &call->header, call->proc, error);
	call_free(call);
}

/* The row that a header asks for; NULL: it was answered with an error. */
static const LvProc *find_proc(LvClient *client, const LvHeader *header)
{
	gboolean known = FALSE;
	const LvProc *proc = lv_proc(header->program, header->procedure, &known);
	g_autofree char *text = NULL;
	int code = LV_ERR_RPC, domain = LV_FROM_RPC;
	if (!known) {
		text = g_strdup_printf("Cannot find program %u version %u", header->program,
				       header->version);
	} else if (header->version != 1) {
		text = g_strdup_printf("program %u has version 1, not %u", header->program,
				       header->version);
	} else if (!proc) {
		code = LV_ERR_NO_SUPPORT;
		domain = LV_FROM_REMOTE;
		text = g_strdup_printf("this function is not supported by the connection driver: "
				       "procedure %u", header->procedure);
	} else if (client->login && !proc->before_login) {
		text = g_strdup("authentication required");
	} else if (!client->opened && !proc->before_open) {
		code = LV_ERR_INTERNAL;
		text = g_strdup("connection not open");
	} else {
		return proc;
	}
	lv_send_error(client, header, code, domain, text);
	return NULL;
}

void lv_call_begin(LvClient *client, const LvHeader *header, XdrIn in, const int *fds, guint n_fds)
{
	const LvProc *proc = find_proc(client, header);
	if (!proc) {
		for (guint i = 0; i < n_fds; i++)
			close(fds[i]);
		return;
	}
	LvCall *call = call_new(client, proc, header);
	if (call->plan->op ? call->plan->op->lane != OP_READ : proc->later != NULL)
		lv_changed(client);
	for (guint i = 0; i < n_fds; i++)
		call->fds[i] = fds[i];
	call->n_fds = n_fds;
	run_call(call, in);
}
