/* Our errors as libvirt's numbers, which clients branch on: the one table of that. Its words stand in
 * ops/errors.c. Neighbours: base/error.h has our codes; details.c is asked where a code is too coarse. */
#include "wire/libvirt/internal.h"

#include <string.h>

#define LEVEL_ERROR 2

/* virErrorNumber of each code. */
static const int numbers[] = {
	[LODGE_ERROR_INTERNAL] = 1,  [LODGE_ERROR_INVALID] = 8, [LODGE_ERROR_UNSUPPORTED] = 67,
	[LODGE_ERROR_NOT_FOUND] = 42, [LODGE_ERROR_EXISTS] = 9,	[LODGE_ERROR_STATE] = 55,
	[LODGE_ERROR_IN_USE] = 87,   [LODGE_ERROR_DENIED] = 29, [LODGE_ERROR_TIMEOUT] = 68,
	[LODGE_ERROR_ABORTED] = 78,  [LODGE_ERROR_SYSTEM] = 38, [LODGE_ERROR_NO_SPACE] = 38,
	[LODGE_ERROR_ENGINE] = 1,    [LODGE_ERROR_GONE] = 6,
};

/* By the target of a verb: the part of libvirt that speaks, and what it says of one that is not there. */
static const struct {
	LvErrorDomain domain;
	int missing;
	const char *words;
} targets[] = {
	[OP_ON_DAEMON] = { LV_FROM_QEMU, 42, "Domain not found: " },
	[OP_ON_GUEST] = { LV_FROM_QEMU, 42, "Domain not found: " },
	[OP_ON_POOL] = { LV_FROM_STORAGE, LV_ERR_NO_STORAGE_POOL, "Storage pool not found: " },
	[OP_ON_NETWORK] = { LV_FROM_NETWORK, LV_ERR_NO_NETWORK, "Network not found: " },
	[OP_ON_NWFILTER] = { LV_FROM_NWFILTER, LV_ERR_NO_NWFILTER, "Network filter not found: " },
	[OP_ON_SECRET] = { LV_FROM_SECRET, LV_ERR_NO_SECRET, "Secret not found: " },
	[OP_ON_NODEDEV] = { LV_FROM_NODEDEV, LV_ERR_NO_NODE_DEVICE, "Node device not found: " },
	[OP_ON_INTERFACE] = { LV_FROM_INTERFACE, LV_ERR_NO_INTERFACE, "Interface not found: " },
};

/* Errors that carry libvirt's number themselves. */
static GQuark lv_quark(void)
{
	return g_quark_from_static_string("libvirt-error");
}

gboolean lv_fail(GError **error, LvErrorCode code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	GError *own = g_error_new_valist(lv_quark(), code, format, args);
	va_end(args);
	g_propagate_error(error, own);
	return FALSE;
}

void lv_send_error(LvClient *client, const LvHeader *header, int code, int domain,
		   const char *message)
{
	static const WireType *type;
	LvHeader own = *header;
	if (!type)
		type = wire_type("code:i32 domain:i32 message:str? level:i32 dom:domain? str1:str? "
				 "str2:str? str3:str? int1:i32 int2:i32 net:error_network?");
	WireValue values[11] = {
		{ .i = code },	      { .i = domain }, { .s = message, .set = TRUE },
		{ .i = LEVEL_ERROR },
	};
	values[8].i = values[9].i = -1;
	own.type = header->type == LV_STREAM || header->type == LV_HOLE ? LV_STREAM : LV_REPLY;
	own.status = LV_ERROR;
	gsize begin = lv_message_begin(client, &own);
	wire_encode(type, values, &client->out, NULL);
	lv_message_end(client, begin);
}

static gboolean takes_xml(const LvProc *proc)
{
	return proc && proc->args && strstr(proc->args, "xml");
}

static OpTarget target_of(const LvProc *proc)
{
	const Op *op = proc && proc->op ? op_find(proc->op) : NULL;
	return !op ? OP_ON_DAEMON : op->target == OP_ON_DAEMON ? op->makes : op->target;
}

/* By the family of verbs: the part of libvirt that speaks where the verb has no target of that kind. */
static const struct {
	const char *family;
	LvErrorDomain domain;
} families[] = {
	{ "Storage pools", LV_FROM_STORAGE },
	{ "Volumes", LV_FROM_STORAGE },
	{ "Networks", LV_FROM_NETWORK },
	{ "Network filters", LV_FROM_NWFILTER },
	{ "Secrets", LV_FROM_SECRET },
	{ "Interfaces", LV_FROM_INTERFACE },
	{ "Node devices", LV_FROM_NODEDEV },
};

/* For guests: what all of libvirt's drivers share knows names, states and who may, QEMU's knows the rest. */
static int domain_of(const LvProc *proc, LodgeError code)
{
	if (proc && proc->refuses.domain)
		return proc->refuses.domain;
	const Op *op = proc && proc->op ? op_find(proc->op) : NULL;
	if (target_of(proc) > OP_ON_GUEST)
		return targets[target_of(proc)].domain;
	for (guint i = 0; op && op->family && i < G_N_ELEMENTS(families); i++)
		if (g_str_equal(families[i].family, op->family))
			return families[i].domain;
	if (!op)
		return LV_FROM_RPC;
	return code == LODGE_ERROR_STATE || code == LODGE_ERROR_EXISTS || code == LODGE_ERROR_DENIED ?
		       LV_FROM_DOMAIN : LV_FROM_QEMU;
}

static int number_of(const LvProc *proc, LodgeError code)
{
	int own = !proc			       ? 0
		  : code == LODGE_ERROR_STATE   ? proc->refuses.state
		  : code == LODGE_ERROR_INVALID ? proc->refuses.invalid
		  : code == LODGE_ERROR_UNSUPPORTED ? proc->refuses.unsupported
						: 0;
	return own ? own : numbers[code];
}

static void send_words(LvClient *client, const LvHeader *header, int number, int domain, const char *words,
		       const char *message)
{
	g_autofree char *text = g_strconcat(words, message, NULL);
	lv_send_error(client, header, number, domain, text);
}

void lv_send_gerror(LvClient *client, const LvHeader *header, const LvProc *proc,
		    const GError *error)
{
	OpTarget target = target_of(proc);
	int domain = domain_of(proc, LODGE_ERROR_INVALID);
	if (error->domain == lv_quark()) {
		lv_send_error(client, header, error->code, domain, error->message);
		return;
	}
	LodgeError code = op_error_of(error);
	int number = number_of(proc, code);
	domain = domain_of(proc, code);
	const char *words = op_error_row(code)->words;
	if (code == LODGE_ERROR_NOT_FOUND) {
		number = targets[target].missing;
		words = targets[target].words;
		if (target == OP_ON_GUEST)
			domain = targets[target].domain;
	}
	if (code == LODGE_ERROR_IN_USE && proc && proc->several)
		number = proc->several;
	if (code == LODGE_ERROR_EXISTS && proc && proc->exists) {
		number = proc->exists;
		words = "";
	}
	const char *begins = lv_tell_detail(proc, error, &number, &domain);
	if (!begins && code == LODGE_ERROR_INVALID && takes_xml(proc) && !proc->refuses.invalid)
		begins = lv_tell_document(proc, error, &number, &domain);
	send_words(client, header, number, domain, begins ? begins : words, error->message);
}

void lv_send_missing(LvClient *client, const LvHeader *header, const LvProc *proc, const OpCall *op,
		     const GError *error)
{
	gboolean of_guest = proc->missing == numbers[LODGE_ERROR_NOT_FOUND];
	if (error->domain == lv_quark() || op_error_of(error) != LODGE_ERROR_NOT_FOUND || of_guest) {
		lv_send_gerror(client, header, proc, error);
		return;
	}
	int number = op->missing != OP_ON_DAEMON ? targets[op->missing].missing :
		     proc->missing		 ? proc->missing : LV_ERR_SYSTEM;
	const char *words = number == LV_ERR_NO_STORAGE_VOL ? "Storage volume not found: " : "";
	int domain = domain_of(proc, LODGE_ERROR_NOT_FOUND);
	for (guint i = OP_ON_POOL; i < G_N_ELEMENTS(targets); i++)
		if (targets[i].missing == number && targets[i].words) {
			domain = targets[i].domain;
			words = targets[i].words;
		}
	const char *begins = lv_tell_detail(proc, error, &number, &domain);
	send_words(client, header, number, domain, begins ? begins : words, error->message);
}
