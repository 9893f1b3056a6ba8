/* Scalars that may be absent, so that "not said" and "0" stay different.
 * Neighbours: shape/ reads and writes them, model/ is made of them. */
#pragma once

#include <glib.h>

typedef struct OptInt {
	gint64 v;
	gboolean set;
} OptInt;

typedef struct OptUint {
	guint64 v;
	gboolean set;
} OptUint;

/* yes/no or on/off in XML, true/false in JSON. */
typedef enum Tri { TRI_ABSENT, TRI_YES, TRI_NO } Tri;

#define OPT_INT(value) ((OptInt){ .v = (value), .set = TRUE })
#define OPT_UINT(value) ((OptUint){ .v = (value), .set = TRUE })

static inline gint64 opt_int_or(OptInt o, gint64 otherwise)
{
	return o.set ? o.v : otherwise;
}

static inline guint64 opt_uint_or(OptUint o, guint64 otherwise)
{
	return o.set ? o.v : otherwise;
}
