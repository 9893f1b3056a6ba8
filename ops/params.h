/* Numbers and words with names, as many verbs give them: "cpu_shares=1024", "block.0.rd.bytes=0". Their
 * names and types are libvirt's, and so are typed parameters on the wire without any further table.
 * Neighbours: verbs of statistics, limits and jobs fill them; wire/libvirt/params.c sends them. */
#pragma once

#include "shape/shape.h"

typedef enum ParamType { /* virTypedParameterType */
	PARAM_INT = 1,
	PARAM_UINT,
	PARAM_LLONG,
	PARAM_ULLONG,
	PARAM_DOUBLE,
	PARAM_BOOLEAN,
	PARAM_STRING,
} ParamType;

typedef struct Param {
	ShapeHead head;
	char *name;
	ParamType type;
	OptInt number; /* of numbers and booleans */
	char *text;    /* of strings; of doubles */
} Param;

extern const Shape param_shape;

/* A result that is nothing but parameters, and their text for people. */
typedef struct Params {
	ShapeHead head;
	char *text;
	GPtrArray *params; /* Param */
} Params;

extern const Shape params_shape;

/* Append to @list, making it where it is NULL. Any thread. */
void param_add(GPtrArray **list, ParamType type, const char *name, gint64 value);
void param_addf(GPtrArray **list, ParamType type, gint64 value, const char *format, ...)
	G_GNUC_PRINTF(4, 5);
void param_add_text(GPtrArray **list, const char *name, const char *text);
void param_add_double(GPtrArray **list, const char *name, double value);

/* "NAME=VALUE" lines, each with @indent before; strings as they are. Appends to @out. */
void params_print(GString *out, const GPtrArray *list, const char *indent);
/* "NAME           : VALUE" lines, as virsh shows limits; the caller frees. */
char *params_table(const GPtrArray *list);
/* The value as text; the caller frees it. */
char *param_value(const Param *param);
