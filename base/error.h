/* Error codes and the one law of errors.
 *
 * The law: `GError **error` is the last parameter; the result tells too (FALSE, NULL or -1); the
 * callee never looks at *error; outputs are untouched on failure. Only front doors (cli/, wire/,
 * daemon/) log or exit. A message names the object, the place and the remedy, starts in lower case
 * and ends without a full stop.
 *
 * A message is for people: no code ever looks into one. Who must tell more apart than codes do asks for the
 * detail and the place, which are said where the error is made (tests/house/manners.py looks for it).
 *
 * Neighbours: every room. ops/errors.c maps these codes to HTTP statuses and exit codes,
 * wire/libvirt/details.c details to libvirt's numbers. */
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

/* What exactly is wrong, where more than the code must be told apart. Travels with the error, also over
 * REST. */
typedef enum LodgeDetail {
	LODGE_DETAIL_NONE,
	/* of a document; lodge_error_where() says where */
	LODGE_DETAIL_SYNTAX, /* it is not XML */
	LODGE_DETAIL_ROOT,   /* a document of another kind */
	LODGE_DETAIL_UNKNOWN, /* an element or attribute that no row knows */
	LODGE_DETAIL_MISSING,
	LODGE_DETAIL_WORD, /* none of the words that may stand there */
	LODGE_DETAIL_SIZE, /* not a number of bytes */
	LODGE_DETAIL_UNIT, /* not a unit of them */
	LODGE_DETAIL_TOO_LARGE,
	LODGE_DETAIL_TOO_LONG,
	LODGE_DETAIL_UUID,
	LODGE_DETAIL_MAC,
	LODGE_DETAIL_ADDRESS, /* not an IP address */
	LODGE_DETAIL_ADDRESS6, /* not an IPv6 address */
	LODGE_DETAIL_CHARACTER, /* one that may not stand in a name */
	LODGE_DETAIL_LOOP,	/* it includes itself */
	/* of a command line */
	LODGE_DETAIL_OPTIONS, /* that cannot be so, or not together */
	/* of what is there */
	LODGE_DETAIL_TARGET, /* what the verb is asked to work on is not there */
	LODGE_DETAIL_ALREADY,
	LODGE_DETAIL_NO_SECRET,
	LODGE_DETAIL_NO_DEVICE,
	LODGE_DETAIL_NO_SAVE,
	LODGE_DETAIL_NO_BACKING, /* the format of the image has none */
	LODGE_DETAIL_NO_REFLINK, /* the file system makes none */
	LODGE_DETAIL_NO_SEARCH,	 /* nobody can look for pools of that kind */
	LODGE_DETAIL_NO_AGENT,
	LODGE_DETAIL_AGENT_SILENT,
	LODGE_DETAIL_BRIDGE_TAKEN,
	LODGE_DETAIL_SUBNET_TAKEN,
	LODGE_DETAILS
} LodgeDetail;

#define LODGE_ERROR (lodge_error_quark())

/* The GError domain of all codes above. Any thread. */
GQuark lodge_error_quark(void);

/* The code as a word for JSON and logs ("not-found"); static. Any thread. */
const char *lodge_error_name(LodgeError code);

/* Sets @error and returns FALSE, so that `return fail(...)` reads well. Any thread. */
gboolean fail(GError **error, LodgeError code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* As fail(), with a detail. Any thread. */
gboolean fail_with(GError **error, LodgeError code, LodgeDetail detail, const char *format, ...)
	G_GNUC_PRINTF(4, 5);

/* Says more of an error that there may be: @detail (0: nothing) and @where in the document, without numbers
 * ("ip/dhcp/range/@start"; "": the document; NULL: nothing; copied). What was said before, nearer to the
 * fault, stays. FALSE, always. Any thread. */
gboolean error_detail(GError **error, LodgeDetail detail, const char *where);

/* What was said of it; 0 and NULL of an error of others. The text is the error's. Any thread. */
LodgeDetail lodge_error_detail(const GError *error);
const char *lodge_error_where(const GError *error);

/* The detail as a word of REST's errors ("no-secret"), static, NULL for 0; and back, 0 where there is no such
 * one. Any thread. */
const char *lodge_detail_name(LodgeDetail detail);
LodgeDetail lodge_detail_of(const char *name);

/* As fail(), with ": " and the text of @errnum added; ENOSPC and EDQUOT become NO_SPACE, and a
 * code of SYSTEM is refined to NOT_FOUND or DENIED where errno says so. Any thread. */
gboolean fail_errno(GError **error, int errnum, const char *format, ...) G_GNUC_PRINTF(3, 4);
