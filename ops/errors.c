/* What an error code is to a door: an HTTP status, an exit code, libvirt's words. The table also documents
 * the exit codes (`lodge help`, manual). Neighbours: base/error.h has the codes; libvirt's numbers are its
 * protocol's affair (wire/libvirt/errors.c). */
#include "ops/ops.h"
#include "ops/transfer.h"

#include <string.h>

static const OpErrorRow rows[] = {
	[LODGE_ERROR_INTERNAL] = { 500, 1, "a bug in Lodge", "internal error: " },
	[LODGE_ERROR_INVALID] = { 400, 2, "the command line or a document is wrong",
				 "invalid argument: " },
	[LODGE_ERROR_UNSUPPORTED] = { 422, 8, "this host or its QEMU cannot do that",
				 "unsupported configuration: " },
	[LODGE_ERROR_NOT_FOUND] = { 404, 3, "there is no such thing", "" },
	[LODGE_ERROR_EXISTS] = { 409, 5, "the name or uuid is taken", "operation failed: " },
	[LODGE_ERROR_STATE] = { 409, 4, "not possible in the state it is in",
				 "Requested operation is not valid: " },
	[LODGE_ERROR_IN_USE] = { 409, 5, "in use by something else", "resource busy: " },
	[LODGE_ERROR_DENIED] = { 403, 6, "not allowed", "operation forbidden: " },
	[LODGE_ERROR_TIMEOUT] = { 504, 7, "it took too long", "Timed out during operation: " },
	[LODGE_ERROR_ABORTED] = { 409, 130, "interrupted", "operation aborted: " },
	[LODGE_ERROR_SYSTEM] = { 500, 1, "the operating system refused", "" },
	[LODGE_ERROR_NO_SPACE] = { 507, 9, "no space left", "" },
	[LODGE_ERROR_ENGINE] = { 502, 1, "QEMU refused or died", "internal error: " },
	[LODGE_ERROR_GONE] = { 503, 10, "no daemon, or it went away", "" },
};

const OpErrorRow *op_error_row(LodgeError code)
{
	return &rows[(guint)code < G_N_ELEMENTS(rows) ? code : LODGE_ERROR_INTERNAL];
}

LodgeError op_error_code(const char *name)
{
	for (guint i = 0; i < G_N_ELEMENTS(rows); i++)
		if (g_str_equal(lodge_error_name(i), name))
			return i;
	return LODGE_ERROR_INTERNAL;
}

LodgeError op_error_of(const GError *error)
{
	if (error->domain == LODGE_ERROR)
		return error->code;
	if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
		return LODGE_ERROR_ABORTED;
	return LODGE_ERROR_SYSTEM;
}

gboolean op_transfer_failed(const char *bytes, gsize n, GError **error)
{
	g_autofree char *text = g_utf8_make_valid(bytes, (gssize)n);
	char *message = strchr(text, '\n');
	if (!message)
		return fail(error, LODGE_ERROR_SYSTEM, "%s", text);
	*message++ = '\0';
	return fail(error, op_error_code(text), "%s", message);
}

int op_http_status(const GError *error)
{
	return error ? op_error_row(op_error_of(error))->http_status : 200;
}

int op_exit_code(const GError *error)
{
	return error ? op_error_row(op_error_of(error))->exit_code : 0;
}
