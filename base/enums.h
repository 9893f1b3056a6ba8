/* Names of enum values: one table per enum, read by shape/, the log and messages.
 * Value 0 always means "absent" and has no name. */
#pragma once

#include <glib.h>

typedef struct EnumTable {
	const char *what;	   /* "disk bus": for messages */
	const char *const *names; /* [0] is NULL (absent); the rest in the order of the enum */
	guint n;		   /* count of names, [0] included */
} EnumTable;

/* static const EnumTable NAME = ENUM_TABLE("what", "first", "second"); first has value 1. */
#define ENUM_TABLE(what_, ...)                                                                     \
	{                                                                                          \
		.what = (what_), .names = (const char *const[]){ NULL, __VA_ARGS__ },              \
		.n = sizeof((const char *const[]){ NULL, __VA_ARGS__ }) / sizeof(const char *)     \
	}

/* The name of @value, or NULL where it is absent or out of range; static. Any thread. */
const char *enum_name(const EnumTable *table, int value);

/* The value of @name, or 0 where the table does not have it. Any thread. */
int enum_value(const EnumTable *table, const char *name);

/* "virtio, ide, scsi": every name, for messages; the caller frees it. Any thread. */
char *enum_choices(const EnumTable *table);
