/* Error codes and the one law of errors.
 *
 * The law: `GError **error` is the last parameter; the result tells too (FALSE, NULL or -1); the
 * callee never looks at *error; outputs are untouched on failure. Only front doors (cli/, wire/,
 * daemon/) log or exit. A message names the object, the place and the remedy, starts in lower case
 * and ends without a full stop.
 *
 * Neighbours: every room. ops/errors.c maps these codes to HTTP statuses and exit codes. */
#pragma once

#include <glib.h>

typedef enum LodgeError {
	LODGE_ERROR_INTERNAL,	 /* a bug of ours */
	LODGE_ERROR_INVALID,	 /* an argument, XML or JSON that cannot be right */
	LODGE_ERROR_UNSUPPORTED, /* a right configuration that this host or QEMU cannot do */
	LODGE_ERROR_NOT_FOUND,
	LODGE_ERROR_EXISTS, /* name or uuid taken */
	LODGE_ERROR_STATE,  /* not possible in the state the object is in */
	LODGE_ERROR_IN_USE, /* a resource another object holds */
	LODGE_ERROR_DENIED,
	LODGE_ERROR_TIMEOUT,
	LODGE_ERROR_ABORTED,  /* the caller, or abort, ended the work */
	LODGE_ERROR_SYSTEM,   /* the operating system refused: errno in the text */
	LODGE_ERROR_NO_SPACE, /* ENOSPC, EDQUOT */
	LODGE_ERROR_ENGINE,   /* QEMU refused or died */
	LODGE_ERROR_GONE,     /* the daemon or connection went away */
} LodgeError;

#define LODGE_ERROR (lodge_error_quark())

/* The GError domain of all codes above. Any thread. */
GQuark lodge_error_quark(void);

/* The code as a word for JSON and logs ("not-found"); static. Any thread. */
const char *lodge_error_name(LodgeError code);

/* Sets @error and returns FALSE, so that `return fail(...)` reads well. Any thread. */
gboolean fail(GError **error, LodgeError code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* As fail(), with ": " and the text of @errnum added; ENOSPC and EDQUOT become NO_SPACE, and a
 * code of SYSTEM is refined to NOT_FOUND or DENIED where errno says so. Any thread. */
gboolean fail_errno(GError **error, int errnum, const char *format, ...) G_GNUC_PRINTF(3, 4);
