/* Objects with random valid members, for property tests: what is printed and read again must be
 * the same. See shape.h. */
#include "shape/shape.h"

#include <string.h>

static char *random_word(GRand *rand)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-_./<&'\">\xc3\xa9 x";
	static const char *const awkward[] = { "a'b", "x & y", "<tag>", "\xc3\xa9t\xc3\xa9", "\"q\"" };
	if (g_rand_int_range(rand, 0, 8) == 0)
		return g_strdup(awkward[g_rand_int_range(rand, 0, G_N_ELEMENTS(awkward))]);
	guint len = (guint)g_rand_int_range(rand, 1, 12);
	GString *word = g_string_new(NULL);
	for (guint i = 0; i < len; i++)
		g_string_append_c(word, letters[g_rand_int_range(rand, 0, 36)]);
	return g_string_free(word, FALSE);
}

static char *random_hex(GRand *rand, const char *pattern)
{
	char *text = g_strdup(pattern);
	for (char *c = text; *c; c++)
		if (*c == 'x')
			*c = "0123456789abcdef"[g_rand_int_range(rand, 0, 16)];
	return text;
}

static gint64 random_number(const Row *row, GRand *rand, gboolean is_signed)
{
	gint64 low = row->min, high = row->max;
	if (!low && !high) {
		low = is_signed ? -100000 : 0;
		high = g_rand_boolean(rand) ? 100 : G_MAXINT32;
	} else if (high < low) {
		high = low + 100;
	}
	return low + (gint64)(g_rand_double(rand) * (double)(high - low));
}

static guint64 random_size(const Row *row, GRand *rand)
{
	guint64 unit = 1;
	size_from_text("1", row->words, NULL, &unit, NULL);
	guint64 low = (guint64)row->min, high = row->max ? (guint64)row->max : low + 4096 * unit;
	guint64 v = low + (guint64)(g_rand_double(rand) * (double)(high - low));
	return MAX(v / unit * unit, (low + unit - 1) / unit * unit);
}

static char *random_cpuset(GRand *rand)
{
	guint first = (guint)g_rand_int_range(rand, 0, 8);
	return g_rand_boolean(rand) ? g_strdup_printf("%u", first)
				    : g_strdup_printf("%u-%u,%u", first, first + 2, first + 5);
}

static void random_list(const Row *row, char *at, GRand *rand, guint depth)
{
	guint n = depth ? (guint)g_rand_int_range(rand, 0, 3) : 0;
	for (guint i = 0; i < n; i++)
		shape_append((GPtrArray **)at, row->of,
			     row->kind == ROW_LIST ? shape_random(row->of, rand, depth - 1)
						   : random_word(rand));
}

static int random_enum(const EnumTable *table, GRand *rand)
{
	int v;
	do
		v = g_rand_int_range(rand, 1, (gint32)table->n);
	while (!table->names[v]);
	return v;
}

static void fill(const Shape *shape, char *object, GRand *rand, guint depth);

static void random_value(const Row *row, char *at, GRand *rand, guint depth)
{
	switch (row->kind) {
	case ROW_FLAG:
		*(gboolean *)at = TRUE;
		break;
	case ROW_TRI:
		*(Tri *)at = g_rand_boolean(rand) ? TRI_YES : TRI_NO;
		break;
	case ROW_INT:
		*(OptInt *)at = OPT_INT(random_number(row, rand, TRUE));
		break;
	case ROW_UINT:
		*(OptUint *)at = OPT_UINT((guint64)random_number(row, rand, FALSE));
		break;
	case ROW_SIZE:
		*(OptUint *)at = OPT_UINT(random_size(row, rand));
		break;
	case ROW_STRING:
		*(char **)at = random_word(rand);
		break;
	case ROW_ENUM:
		*(int *)at = random_enum(row->of, rand);
		break;
	case ROW_UUID:
		*(char **)at = random_hex(rand, "xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx");
		break;
	case ROW_MAC:
		*(char **)at = random_hex(rand, "52:54:00:xx:xx:xx");
		break;
	case ROW_CPUSET:
		*(char **)at = random_cpuset(rand);
		break;
	case ROW_STRUCT:
		if (depth)
			*(gpointer *)at = shape_random(row->of, rand, depth - 1);
		break;
	case ROW_INLINE:
		fill(row->of, at, rand, depth);
		break;
	case ROW_LIST:
	case ROW_STRINGS:
		random_list(row, at, rand, depth);
		break;
	case ROW_XML:
		break; /* subtrees are tested by documents */
	}
}

static void fill(const Shape *shape, char *object, GRand *rand, guint depth)
{
	for (guint i = 0; i < shape->n; i++) {
		const Row *row = &shape->rows[i];
		gboolean wanted = (row->flags & ROW_REQUIRED) || row == shape->discriminator ||
				  row->kind == ROW_INLINE || g_rand_int_range(rand, 0, 3) == 0;
		if (wanted && row_applies(shape, row, object))
			random_value(row, object + row->offset, rand, depth);
	}
}

/* Whether a row of the element at @path, or below it, is set. */
static gboolean is_inhabited(const Shape *shape, const char *object, const char *path, size_t len)
{
	for (guint i = 0; i < shape->n; i++) {
		const char *other = shape->rows[i].xml;
		if (other && !strncmp(other, path, len) && (other[len] == '/' || !other[len]) &&
		    row_is_set(&shape->rows[i], object))
			return TRUE;
	}
	return FALSE;
}

/* An element that has something in it is there, and what its being there implies holds. */
static void raise_flags(const Shape *shape, char *object)
{
	for (guint i = 0; i < shape->n; i++) {
		const Row *row = &shape->rows[i];
		const char *attribute = row->xml ? strstr(row->xml, "/@") : NULL;
		gboolean implied = row->kind == ROW_TRI && (row->flags & ROW_IMPLIED) && attribute;
		size_t len = implied ? (size_t)(attribute - row->xml) : row->xml ? strlen(row->xml) : 0;
		if ((row->kind != ROW_FLAG && !implied) || !row->xml || row_is_set(row, object) ||
		    !is_inhabited(shape, object, row->xml, len))
			continue;
		*(int *)(object + row->offset) = implied ? (int)TRI_YES : TRUE;
	}
}

gpointer shape_random(const Shape *shape, GRand *rand, guint depth)
{
	char *object = shape_new(shape);
	fill(shape, object, rand, depth);
	raise_flags(shape, object);
	return object;
}
