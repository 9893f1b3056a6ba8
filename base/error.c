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

G_DEFINE_QUARK(lodge-error-quark, lodge_error)

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
