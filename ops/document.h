/* What the verbs that print libvirt's documents of capabilities share. */
#pragma once

#include "ops/ops.h"

typedef struct DocumentText {
	ShapeHead head;
	char *text;
} DocumentText;

extern const Shape document_text_shape;

/* Appends markup: what the arguments say is escaped. */
#define put(out, ...)                                                                              \
	G_STMT_START                                                                               \
	{                                                                                          \
		g_autofree char *put_line = g_markup_printf_escaped(__VA_ARGS__);                  \
		g_string_append(out, put_line);                                                    \
	}                                                                                          \
	G_STMT_END
