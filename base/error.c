/* See error.h. */
#include "base/error.h"

#include <errno.h>

static const char *const names[] = {
	[LODGE_ERROR_INTERNAL] = "internal",	   [LODGE_ERROR_INVALID] = "invalid",
	[LODGE_ERROR_UNSUPPORTED] = "unsupported", [LODGE_ERROR_NOT_FOUND] = "not-found",
	[LODGE_ERROR_EXISTS] = "exists",	   [LODGE_ERROR_STATE] = "state",
	[LODGE_ERROR_IN_USE] = "in-use",	   [LODGE_ERROR_DENIED] = "denied",
	[LODGE_ERROR_TIMEOUT] = "timeout",	   [LODGE_ERROR_ABORTED] = "aborted",
	[LODGE_ERROR_SYSTEM] = "system",	   [LODGE_ERROR_NO_SPACE] = "no-space",
	[LODGE_ERROR_ENGINE] = "engine",	   [LODGE_ERROR_GONE] = "gone",
};

static const char *const details[LODGE_DETAILS] = {
	[LODGE_DETAIL_SYNTAX] = "syntax",
	[LODGE_DETAIL_ROOT] = "root",
	[LODGE_DETAIL_UNKNOWN] = "unknown",
	[LODGE_DETAIL_MISSING] = "missing",
	[LODGE_DETAIL_WORD] = "word",
	[LODGE_DETAIL_SIZE] = "size",
	[LODGE_DETAIL_UNIT] = "unit",
	[LODGE_DETAIL_TOO_LARGE] = "too-large",
	[LODGE_DETAIL_TOO_LONG] = "too-long",
	[LODGE_DETAIL_UUID] = "uuid",
	[LODGE_DETAIL_MAC] = "mac",
	[LODGE_DETAIL_ADDRESS] = "address",
	[LODGE_DETAIL_ADDRESS6] = "address6",
	[LODGE_DETAIL_CHARACTER] = "character",
	[LODGE_DETAIL_LOOP] = "loop",
	[LODGE_DETAIL_OPTIONS] = "options",
	[LODGE_DETAIL_TARGET] = "target",
	[LODGE_DETAIL_ALREADY] = "already",
	[LODGE_DETAIL_NO_SECRET] = "no-secret",
	[LODGE_DETAIL_NO_DEVICE] = "no-device",
	[LODGE_DETAIL_NO_SAVE] = "no-save",
	[LODGE_DETAIL_NO_BACKING] = "no-backing",
	[LODGE_DETAIL_NO_REFLINK] = "no-reflink",
	[LODGE_DETAIL_NO_SEARCH] = "no-search",
	[LODGE_DETAIL_NO_AGENT] = "no-agent",
	[LODGE_DETAIL_AGENT_SILENT] = "agent-silent",
	[LODGE_DETAIL_BRIDGE_TAKEN] = "bridge-taken",
	[LODGE_DETAIL_SUBNET_TAKEN] = "subnet-taken",
};

/* What goes with each GError of our domain: GLib allocates, copies and frees it. */
typedef struct LodgeErrorPrivate {
	LodgeDetail detail;
	char *where;
} LodgeErrorPrivate;

static void lodge_error_private_init(G_GNUC_UNUSED LodgeErrorPrivate *own)
{
}

static void lodge_error_private_copy(const LodgeErrorPrivate *from, LodgeErrorPrivate *to)
{
	*to = (LodgeErrorPrivate){ from->detail, g_strdup(from->where) };
}

static void lodge_error_private_clear(LodgeErrorPrivate *own)
{
	g_free(own->where);
}

G_DEFINE_EXTENDED_ERROR(LodgeError, lodge_error)

const char *lodge_error_name(LodgeError code)
{
	return (guint)code < G_N_ELEMENTS(names) ? names[code] : "internal";
}

gboolean fail(GError **error, LodgeError code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	if (error)
		*error = g_error_new_valist(LODGE_ERROR, (int)code, format, args);
	va_end(args);
	return FALSE;
}

gboolean fail_with(GError **error, LodgeError code, LodgeDetail detail, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	if (error) {
		*error = g_error_new_valist(LODGE_ERROR, (int)code, format, args);
		lodge_error_get_private(*error)->detail = detail;
	}
	va_end(args);
	return FALSE;
}

gboolean error_detail(GError **error, LodgeDetail detail, const char *where)
{
	if (!error || !*error || (*error)->domain != LODGE_ERROR)
		return FALSE;
	LodgeErrorPrivate *own = lodge_error_get_private(*error);
	if (!own->detail)
		own->detail = detail;
	if (!own->where)
		own->where = g_strdup(where);
	return FALSE;
}

LodgeDetail lodge_error_detail(const GError *error)
{
	return error->domain == LODGE_ERROR ? lodge_error_get_private(error)->detail : LODGE_DETAIL_NONE;
}

const char *lodge_error_where(const GError *error)
{
	return error->domain == LODGE_ERROR ? lodge_error_get_private(error)->where : NULL;
}

const char *lodge_detail_name(LodgeDetail detail)
{
	return (guint)detail < G_N_ELEMENTS(details) ? details[detail] : NULL;
}

LodgeDetail lodge_detail_of(const char *name)
{
	for (guint i = 1; name && i < G_N_ELEMENTS(details); i++)
		if (g_str_equal(details[i], name))
			return (LodgeDetail)i;
	return LODGE_DETAIL_NONE;
}

static LodgeError code_of_errno(int errnum)
{
	switch (errnum) {
	case ENOSPC:
	case EDQUOT:
		return LODGE_ERROR_NO_SPACE;
	case ENOENT:
		return LODGE_ERROR_NOT_FOUND;
	case EACCES:
	case EPERM:
		return LODGE_ERROR_DENIED;
	default:
		return LODGE_ERROR_SYSTEM;
	}
}

gboolean fail_errno(GError **error, int errnum, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	return fail(error, code_of_errno(errnum), "%s: %s", text, g_strerror(errnum));
}
