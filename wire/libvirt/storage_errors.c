/* What libvirt tells apart of what is wrong with pools and volumes, by our words. Taken from what libvirt 9.0
 * answers to the calls of tests/e2e/test_storage_codes.py. Neighbours: errors.c asks. */
#include "wire/libvirt/storage.h"

#include <string.h>

enum { NO_SUPPORT = 3, INVALID_ARG = 8, DETAIL = 35, SYSTEM = 38, INVALID = 55, NO_SECRET = 66,
       UNSUPPORTED = 67, TOO_LARGE = 82 }; /* virErrorNumber */

/* The first that fits counts. */
static const struct {
	const char *words;
	int number, domain; /* 0: storage's own */
	const char *begins; /* libvirt's words before ours */
} rows[] = {
	{ "not well-formed XML", DETAIL, 0, "" },
	{ "there is no secret", NO_SECRET, LV_FROM_SECRET, "Secret not found: " },
	{ "the name of the volume has", SYSTEM, 0, "" },
	{ "volume name \"", INVALID, 0, "Requested operation is not valid: " },
	{ "is not a unit of size", INVALID_ARG, 0, "invalid argument: " },
	{ "a disk of 18446744073709551615 bytes", TOO_LARGE, 0, "numerical overflow: " },
	{ "encryption needs a <secret>", INVALID_ARG, 0, "invalid argument: " },
	{ "is not a type of secret", UNSUPPORTED, 0, "unsupported configuration: " },
	{ "is not a type of volume", UNSUPPORTED, 0, "unsupported configuration: " },
	{ "is not a type of login", UNSUPPORTED, 0, "unsupported configuration: " },
	{ "is not a format of a pool", UNSUPPORTED, 0, "unsupported configuration: " },
	{ "initiator/iqn", UNSUPPORTED, 0, "unsupported configuration: " },
	{ "luks needs a secret", UNSUPPORTED, 0, "unsupported configuration: " },
	{ "an image of format raw has no", NO_SUPPORT, 0, "this function is not supported: " },
	{ "sources that cannot be looked for", NO_SUPPORT, 0, "this function is not supported: " },
	{ "a reflink is asked for", SYSTEM, 0, "" },
	{ "there is no device", INVALID_ARG, 0, "invalid argument: " },
};

const char *lv_tell_storage(const char *message, int *number, int *domain)
{
	for (guint i = 0; *domain == LV_FROM_STORAGE && i < G_N_ELEMENTS(rows); i++) {
		if (!strstr(message, rows[i].words))
			continue;
		*number = rows[i].number;
		*domain = rows[i].domain ? rows[i].domain : *domain;
		return rows[i].begins;
	}
	return NULL;
}
