/* One value as text and back: the kinds of rows, in one table. Used by XML, arguments, defaults and
 * JSON strings alike. Neighbours: shape.h; every reader in this room. */
#include "shape/shape.h"
#include "base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers ---- */

static gboolean parse_unsigned(const char *text, guint64 *value)
{
	gboolean hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	if (!g_ascii_isxdigit(*digits))
		return FALSE;
	char *end = NULL;
	errno = 0;
	*value = strtoull(digits, &end, hex ? 16 : 10);
	return errno == 0 && *end == '\0' && end != digits;
}

static gboolean parse_signed(const char *text, gint64 *value)
{
	guint64 magnitude = 0;
	gboolean negative = *text == '-';
	if (!parse_unsigned(text + (negative || *text == '+'), &magnitude))
		return FALSE;
	if (magnitude > (guint64)G_MAXINT64 + (negative ? 1 : 0))
		return FALSE;
	*value = negative ? (gint64)(0 - magnitude) : (gint64)magnitude;
	return TRUE;
}

gboolean size_from_text(const char *text, const char *unit, const char *otherwise, guint64 *bytes,
			GError **error)
{
	/* Names as libvirt's virScaleInteger knows them: KiB and K are 1024, KB is 1000. */
	static const char letters[] = "KMGTPE";
	guint64 number = 0;
	if (!parse_unsigned(text, &number))
		return fail_with(error, LODGE_ERROR_INVALID, LODGE_DETAIL_SIZE, "\"%s\" is not a size", text);
	if (!unit || !*unit)
		unit = otherwise && *otherwise ? otherwise : "b";
	if (!g_ascii_strcasecmp(unit, "b") || !g_ascii_strcasecmp(unit, "byte") ||
	    !g_ascii_strcasecmp(unit, "bytes")) {
		*bytes = number;
		return TRUE;
	}
	const char *letter = strchr(letters, g_ascii_toupper(*unit));
	const char *rest = unit + 1;
	guint64 base = !*rest || !g_ascii_strcasecmp(rest, "iB") ? 1024
		       : !g_ascii_strcasecmp(rest, "B")		  ? 1000
								  : 0;
	if (!letter || !base)
		return fail_with(error, LODGE_ERROR_INVALID, LODGE_DETAIL_UNIT,
				 "\"%s\" is not a unit of size", unit);
	for (const char *l = letters; l <= letter; l++)
		if (!g_uint64_checked_mul(&number, number, base))
			return fail_with(error, LODGE_ERROR_INVALID, LODGE_DETAIL_TOO_LARGE,
					 "%s %s is too large", text, unit);
	*bytes = number;
	return TRUE;
}

/* "10G", "512 MiB": number and unit in one word, as arguments have them. */
static gboolean size_from_word(const Row *row, const char *text, guint64 *bytes, GError **error)
{
	gsize digits = strspn(text, "0123456789");
	g_autofree char *number = g_strndup(text, digits);
	const char *unit = text + digits;
	while (*unit == ' ')
		unit++;
	return size_from_text(digits ? number : text, unit, row->words, bytes, error);
}

static gboolean bad(GError **error, const char *text, const char *what)
{
	g_autofree char *cut = g_strndup(text, 80);
	g_autofree char *shown = g_utf8_make_valid(cut, -1);
	return fail(error, LODGE_ERROR_INVALID, "\"%s\" is not %s", shown, what);
}

static gboolean set_int(const Row *row, void *at, const char *text, GError **error)
{
	gint64 v = 0;
	if (!parse_signed(text, &v))
		return bad(error, text, "a whole number");
	if ((row->min || row->max) && (v < row->min || v > row->max))
		return fail(error, LODGE_ERROR_INVALID,
			    "%s is out of range %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, text,
			    row->min, row->max);
	*(OptInt *)at = OPT_INT(v);
	return TRUE;
}

static gboolean in_bounds(const Row *row, guint64 v, const char *text, GError **error)
{
	if ((row->min || row->max) &&
	    (v < (guint64)row->min || (row->max && v > (guint64)row->max)))
		return fail(error, LODGE_ERROR_INVALID,
			    "%s is out of range %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, text,
			    row->min, row->max ? row->max : G_MAXINT64);
	return TRUE;
}

static gboolean set_uint(const Row *row, void *at, const char *text, GError **error)
{
	guint64 v = 0;
	if (!parse_unsigned(text, &v))
		return bad(error, text, "a whole number of 0 or more");
	if (!in_bounds(row, v, text, error))
		return FALSE;
	*(OptUint *)at = OPT_UINT(v);
	return TRUE;
}

gboolean row_set_size(const Row *row, gpointer object, guint64 bytes, GError **error)
{
	g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, bytes);
	if (!in_bounds(row, bytes, text, error))
		return FALSE;
	guint64 rest = row->words && g_str_equal(row->words, "KiB") ? bytes % 1024 : 0;
	if (rest && !g_uint64_checked_add(&bytes, bytes, 1024 - rest))
		return fail_with(error, LODGE_ERROR_INVALID, LODGE_DETAIL_TOO_LARGE, "%s bytes is too large",
				 text);
	*(OptUint *)((char *)object + row->offset) = OPT_UINT(bytes);
	return TRUE;
}

static gboolean set_size(const Row *row, void *at, const char *text, GError **error)
{
	guint64 v = 0;
	return size_from_word(row, text, &v, error) &&
	       row_set_size(row, (char *)at - row->offset, v, error);
}

char *uint_text(guint64 v, guint base, guint digits, char *buffer)
{
	char *at = buffer + ROW_TEXT_SIZE;
	char *enough = at - MIN(digits, 16) - 1;
	*--at = '\0';
	do
		*--at = "0123456789abcdef"[v % base];
	while (v /= base);
	while (at > enough)
		*--at = '0';
	return at;
}

static const char *get_int(G_GNUC_UNUSED const Row *row, const void *at, char *buffer)
{
	gint64 v = ((const OptInt *)at)->v;
	char *text = uint_text(v < 0 ? -(guint64)v : (guint64)v, 10, 1, buffer);
	if (v < 0)
		*--text = '-';
	return text;
}

static const char *get_uint(const Row *row, const void *at, char *buffer)
{
	guint64 v = ((const OptUint *)at)->v;
	if (!(row->flags & ROW_HEX))
		return uint_text(v, 10, 1, buffer);
	char *text = uint_text(v, 16, row->digits, buffer);
	*--text = 'x';
	*--text = '0';
	return text;
}

/* ---- words ---- */

static gboolean set_flag(G_GNUC_UNUSED const Row *row, void *at, const char *text, GError **error)
{
	if (!*text || g_str_equal(text, "yes") || g_str_equal(text, "true") ||
	    g_str_equal(text, "1"))
		*(gboolean *)at = TRUE;
	else if (g_str_equal(text, "no") || g_str_equal(text, "false") || g_str_equal(text, "0"))
		*(gboolean *)at = FALSE;
	else
		return bad(error, text, "\"yes\" or \"no\"");
	return TRUE;
}

static const char *get_flag(G_GNUC_UNUSED const Row *row, G_GNUC_UNUSED const void *at,
			    G_GNUC_UNUSED char *buffer)
{
	return "yes";
}

/* .words is "yes/no" (the default), "on/off", "enabled/disabled", ... */
static const char *tri_words(const Row *row)
{
	return row->words ? row->words : "yes/no";
}

static gboolean set_tri(const Row *row, void *at, const char *text, GError **error)
{
	const char *words = tri_words(row);
	const char *slash = strchr(words, '/');
	gsize first = (gsize)(slash - words);
	if (strlen(text) == first && !strncmp(text, words, first))
		*(Tri *)at = TRI_YES;
	else if (g_str_equal(text, slash + 1))
		*(Tri *)at = TRI_NO;
	else {
		g_autofree char *yes = g_strndup(words, first);
		g_autofree char *what = g_strdup_printf("\"%s\" or \"%s\"", yes, slash + 1);
		return bad(error, text, what);
	}
	return TRUE;
}

static const char *get_tri(const Row *row, const void *at, char *buffer)
{
	const char *words = tri_words(row);
	const char *slash = strchr(words, '/');
	if (*(const Tri *)at != TRI_YES)
		return slash + 1;
	g_strlcpy(buffer, words, MIN((gsize)(slash - words) + 1, ROW_TEXT_SIZE));
	return buffer;
}

static gboolean set_enum(const Row *row, void *at, const char *text, GError **error)
{
	const EnumTable *table = row->of;
	int v = enum_value(table, text);
	if (!v) {
		g_autofree char *choices = enum_choices(table);
		g_autofree char *shown = g_strndup(text, 80);
		return fail_with(error, LODGE_ERROR_INVALID, LODGE_DETAIL_WORD,
				 "\"%s\" is not a %s (one of: %s)", shown, table->what, choices);
	}
	*(int *)at = v;
	return TRUE;
}

static const char *get_enum(const Row *row, const void *at, G_GNUC_UNUSED char *buffer)
{
	return enum_name(row->of, *(const int *)at);
}

static gboolean set_string(const Row *row, void *at, const char *text, GError **error)
{
	if (!*text && !(row->flags & (ROW_EMPTY_OK | ROW_VERBATIM)))
		return fail(error, LODGE_ERROR_INVALID, "the value is empty");
	g_free(*(char **)at);
	*(char **)at = g_strdup(text);
	return TRUE;
}

static const char *get_string(G_GNUC_UNUSED const Row *row, const void *at,
			      G_GNUC_UNUSED char *buffer)
{
	return *(char *const *)at;
}

static void replace(void *at, char *value)
{
	g_free(*(char **)at);
	*(char **)at = value;
}

static gboolean not_uuid(GError **error, const char *text)
{
	bad(error, text, "a UUID");
	return error_detail(error, LODGE_DETAIL_UUID, NULL);
}

/* 32 hex digits; dashes may stand anywhere between pairs (libvirt's virUUIDParse is as lenient). */
static gboolean set_uuid(G_GNUC_UNUSED const Row *row, void *at, const char *text, GError **error)
{
	char hex[33];
	guint n = 0;
	for (const char *c = text; *c; c++) {
		if (*c == '-' || *c == ' ')
			continue;
		if (!g_ascii_isxdigit(*c) || n == 32)
			return not_uuid(error, text);
		hex[n++] = g_ascii_tolower(*c);
	}
	if (n != 32)
		return not_uuid(error, text);
	hex[32] = '\0';
	replace(at, g_strdup_printf("%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
				    hex + 20));
	return TRUE;
}

static gboolean set_mac(G_GNUC_UNUSED const Row *row, void *at, const char *text, GError **error)
{
	guint byte[6];
	const char *c = text;
	for (guint i = 0; i < 6; i++) {
		if (!g_ascii_isxdigit(c[0]) || !g_ascii_isxdigit(c[1]) ||
		    c[2] != (i < 5 ? ':' : '\0'))
			return bad(error, text, "a MAC address") ||
			       error_detail(error, LODGE_DETAIL_MAC, NULL);
		byte[i] = (guint)(g_ascii_xdigit_value(c[0]) * 16 + g_ascii_xdigit_value(c[1]));
		c += 3;
	}
	replace(at, g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", byte[0], byte[1], byte[2],
				    byte[3], byte[4], byte[5]));
	return TRUE;
}

/* One part of a set: "3", "0-7" or "^2"; advances *text past it. */
static gboolean cpuset_part(const char **text, guint limit, guint8 *bits)
{
	char *end = NULL;
	gboolean out = **text == '^';
	const char *from = *text + out;
	if (!g_ascii_isdigit(*from))
		return FALSE;
	guint64 first = g_ascii_strtoull(from, &end, 10), last = first;
	if (*end == '-' && !out) {
		if (!g_ascii_isdigit(end[1]))
			return FALSE;
		last = g_ascii_strtoull(end + 1, &end, 10);
	}
	if (last < first || last >= limit)
		return FALSE;
	for (guint64 i = first; i <= last; i++)
		bits[i] = !out;
	*text = end;
	return TRUE;
}

static gboolean set_cpuset(G_GNUC_UNUSED const Row *row, void *at, const char *text, GError **error)
{
	enum { LIMIT = 16384 }; /* as libvirt's VIR_DOMAIN_CPUMASK_LEN */
	g_autofree guint8 *bits = g_malloc0(LIMIT + 1);
	g_autofree char *packed = g_strdup(text);
	g_strdelimit(packed, " \t\n", ' ');
	const char *c = packed;
	for (;;) {
		c += strspn(c, " ");
		if (!cpuset_part(&c, LIMIT, bits))
			return bad(error, text, "a set of numbers such as 0-3,^2");
		c += strspn(c, " ");
		if (!*c)
			break;
		if (*c++ != ',')
			return bad(error, text, "a set of numbers such as 0-3,^2");
	}
	GString *out = g_string_new(NULL);
	for (guint i = 0; i < LIMIT; i++) {
		if (!bits[i])
			continue;
		guint first = i;
		while (bits[i + 1])
			i++;
		g_string_append_printf(out, i > first ? "%s%u-%u" : "%s%u", out->len ? "," : "",
				       first, i);
	}
	gboolean any = out->len > 0;
	if (any)
		replace(at, g_strdup(out->str));
	g_string_free(out, TRUE);
	return any || fail(error, LODGE_ERROR_INVALID, "\"%s\" leaves nothing of the set", packed);
}

gboolean set_next_range(const char **set, guint *first, guint *last)
{
	char *end = NULL;
	if (!g_ascii_isdigit(**set))
		return FALSE;
	*first = *last = (guint)g_ascii_strtoull(*set, &end, 10);
	if (*end == '-')
		*last = (guint)g_ascii_strtoull(end + 1, &end, 10);
	*set = *end == ',' ? end + 1 : end;
	return TRUE;
}

static gboolean set_strings(G_GNUC_UNUSED const Row *row, void *at, const char *text,
			    G_GNUC_UNUSED GError **error)
{
	shape_append(at, NULL, g_strdup(text));
	return TRUE;
}

/* ---- the table of kinds ---- */

static const struct {
	gboolean (*set)(const Row *row, void *at, const char *text, GError **error);
	const char *(*get)(const Row *row, const void *at, char *buffer);
} kinds[] = {
	[ROW_FLAG] = { set_flag, get_flag },	   [ROW_TRI] = { set_tri, get_tri },
	[ROW_INT] = { set_int, get_int },	   [ROW_UINT] = { set_uint, get_uint },
	[ROW_SIZE] = { set_size, get_uint },	   [ROW_STRING] = { set_string, get_string },
	[ROW_ENUM] = { set_enum, get_enum },	   [ROW_UUID] = { set_uuid, get_string },
	[ROW_MAC] = { set_mac, get_string },	   [ROW_CPUSET] = { set_cpuset, get_string },
	[ROW_STRINGS] = { set_strings, NULL },	   [ROW_XML] = { set_string, get_string },
};

gboolean row_from_text(const Row *row, gpointer object, const char *text, GError **error)
{
	if (row->kind >= G_N_ELEMENTS(kinds) || !kinds[row->kind].set)
		return fail(error, LODGE_ERROR_INTERNAL, "%s has no text form", row->name);
	return kinds[row->kind].set(row, (char *)object + row->offset, text, error);
}

const char *row_text(const Row *row, gconstpointer object, char *buffer)
{
	if (row->kind >= G_N_ELEMENTS(kinds) || !kinds[row->kind].get || !row_is_set(row, object))
		return NULL;
	return kinds[row->kind].get(row, (const char *)object + row->offset, buffer);
}

char *row_to_text(const Row *row, gconstpointer object)
{
	char buffer[ROW_TEXT_SIZE];
	return g_strdup(row_text(row, object, buffer));
}

gboolean row_is_set(const Row *row, gconstpointer object)
{
	const void *at = (const char *)object + row->offset;
	switch (row->kind) {
	case ROW_FLAG:
	case ROW_TRI:
	case ROW_ENUM:
		return *(const int *)at != 0;
	case ROW_INT:
		return ((const OptInt *)at)->set;
	case ROW_UINT:
	case ROW_SIZE:
		return ((const OptUint *)at)->set;
	case ROW_LIST:
	case ROW_STRINGS:
		return shape_len(*(GPtrArray *const *)at) > 0;
	case ROW_INLINE:
		return TRUE;
	default:
		return *(void *const *)at != NULL;
	}
}

gboolean row_applies(const Shape *shape, const Row *row, gconstpointer object)
{
	if (!row->when || !shape->discriminator)
		return TRUE;
	int v = *(const int *)((const char *)object + shape->discriminator->offset);
	return v >= 0 && v < 64 && (row->when & SHAPE_WHEN(v));
}
