/* Values on the wire and the signatures that describe them. A signature is text, as in procs.c:
 *
 *   "dom:domain flags:u32"       fields, each NAME:TYPE
 *   T?                           may be absent
 *   T<16384>                     a list of at most so many
 *   opaque<2048> opaque[16]      bytes, at most or exactly so many
 *   i8[32]                       exactly so many numbers
 *
 * T is a scalar (i8 u8 i16 u16 i32 u32 bool i64 u64 f64), str, uuid, typed_param_value, or a composite
 * of the table in codec.c. It is compiled once into a WireType; two functions read and write values
 * by it.
 *
 * Neighbours: xdr.h below has the bounds; procs.c has the signatures. Main loop's thread. */
#pragma once

#include "base/error.h"
#include "wire/libvirt/xdr.h"

#define WIRE_STRING_MAX 4194304 /* bytes of one string */

/* ---- memory of one message ---- */

typedef struct WireArena {
	struct WireBlock *blocks; /* beyond the first */
	gsize used;
	guint64 first[64]; /* most messages need no more */
} WireArena;

/* @n zeroed bytes that live until wire_arena_clear(). */
gpointer wire_alloc(WireArena *arena, gsize n);
/* A copy of @text; NULL for NULL. */
char *wire_strdup(WireArena *arena, const char *text);
void wire_arena_clear(WireArena *arena);
/* Bytes that it has taken from the heap; for tests. */
gsize wire_arena_size(const WireArena *arena);

/* ---- values ---- */

typedef struct WireValue WireValue;

struct WireValue {
	union {
		gint64 i;
		guint64 u;
		double d;
		const char *s;	     /* NUL at the end; NULL counts as "" */
		const guint8 *bytes; /* opaque, uuid */
		WireValue *items;    /* of a list; of a composite its fields */
	};
	guint32 n;     /* count of bytes or items; the WireParam of a typed_param_value */
	gboolean set;  /* of T?: it is there */
};

typedef enum WireParam { /* what a typed parameter holds: libvirt's virTypedParameterType */
	WIRE_PARAM_INT = 1,
	WIRE_PARAM_UINT,
	WIRE_PARAM_LLONG,
	WIRE_PARAM_ULLONG,
	WIRE_PARAM_DOUBLE,
	WIRE_PARAM_BOOLEAN,
	WIRE_PARAM_STRING,
} WireParam;

typedef enum WireKind {
	WIRE_I8,
	WIRE_U8,
	WIRE_I16,
	WIRE_U16,
	WIRE_I32,
	WIRE_U32,
	WIRE_BOOL,
	WIRE_I64,
	WIRE_U64,
	WIRE_F64,
	WIRE_STR,
	WIRE_OPAQUE, /* .max or .exactly says how many */
	WIRE_PARAM,
	WIRE_STRUCT,
} WireKind;

typedef struct WireType WireType;

typedef struct WireField {
	const char *name; /* interned */
	WireKind kind;
	gboolean optional, list;
	guint32 max, exactly;	/* of bytes, or of items where .list; exactly 0: any up to max */
	const WireType *type;	/* WIRE_STRUCT */
} WireField;

struct WireType {
	const char *name; /* of a composite; NULL: a procedure's arguments or reply */
	guint n;
	gsize least; /* bytes on the wire at least */
	WireField fields[];
};

/* The compiled form of @signature ("" or NULL: no fields), kept for the life of the process; NULL
 * where it cannot be read. */
const WireType *wire_type(const char *signature);

/* The index of the field @name, -1: none. */
int wire_field(const WireType *type, const char *name);

/* Reads @type from @in into a new array of type->n values in @arena; strings and bytes are copied
 * there. NULL: INVALID, @error says at which field. */
WireValue *wire_decode(const WireType *type, XdrIn *in, WireArena *arena, GError **error);
/* Appends @values. FALSE: a value is outside its field's bounds (@error names it), and @out has some
 * of it: the caller cuts it off. */
gboolean wire_encode(const WireType *type, const WireValue *values, XdrOut *out, GError **error);
