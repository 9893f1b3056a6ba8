/* Rows: one row states every fact about one field of a struct, and the one machine in this room
 * reads the rows: XML, JSON, command-line arguments, defaults, checks, copies, comparison,
 * schema and random values all come from them. Rows hold data, not functions.
 *
 * A struct described by rows begins with a ShapeHead. Its rows are a static const array; a Shape
 * names the struct, its size and its rows. Shapes are immutable; every function here may be called
 * on any thread as long as no one else changes the same object.
 *
 * XML paths: "name" (an element's text), "@type" (an attribute), "driver/@cache" (an attribute of a
 * child), "." (the element's own text). Several rows may share an element.
 *
 * Neighbours: base/ below; model/ and ops/ write rows; xml.c json.c args.c life.c docs.c random.c
 * are the readers. */
#pragma once

#include <stddef.h>

#include "base/enums.h"
#include "base/notes.h"
#include "base/opt.h"

typedef struct Shape Shape;
typedef struct Row Row;
typedef struct ShapeExtra ShapeExtra;

/* First member of every shaped struct: where it stood in its document, and what no row knows. */
typedef struct ShapeHead {
	ShapeExtra *extra;	/* XML without a row, kept for printing; see xml.c */
	ShapeExtra *last_extra; /* end of that list */
	int line;		/* line of the XML element; 0 where there was none */
} ShapeHead;

typedef enum RowKind {	/* the C type of the member */
	ROW_FLAG,	/* gboolean: an element that is there or not (XML); a switch (arguments) */
	ROW_TRI,	/* Tri: words "yes/no" unless .words says otherwise */
	ROW_INT,	/* OptInt */
	ROW_UINT,	/* OptUint */
	ROW_SIZE,	/* OptUint in bytes; XML text with a sibling attribute @unit */
	ROW_STRING,	/* char * */
	ROW_ENUM,	/* an enum (int); .of is its EnumTable */
	ROW_UUID,	/* char *: lower case, with dashes */
	ROW_MAC,	/* char *: lower case */
	ROW_CPUSET,	/* char *: "0-3,^2" as libvirt writes sets */
	ROW_STRUCT,	/* T *, NULL where absent; .of is its Shape */
	ROW_INLINE,	/* T embedded: its rows count as rows of this struct; .of is its Shape. In
			 * JSON it is an object of its own where its rows have an element of their own */
	ROW_LIST,	/* GPtrArray * of T *, NULL where empty; .of is its Shape */
	ROW_STRINGS,	/* GPtrArray * of char *, NULL where empty */
	ROW_XML,	/* char *: a subtree kept as it stands */
} RowKind;

typedef enum RowFlags {
	ROW_REQUIRED = 1 << 0,
	ROW_LIVE = 1 << 1,	 /* only meaningful on a running guest: dropped from definitions */
	ROW_SECRET = 1 << 2,	 /* printed only where SHAPE_XML_SECRETS asks for it */
	ROW_HEX = 1 << 3,	 /* unsigned numbers print as 0x..; .digits says how wide */
	ROW_POSITIONAL = 1 << 4, /* arguments: by place, not by --name */
	ROW_HOT = 1 << 5,	 /* may change on a running guest */
	ROW_INTERNAL = 1 << 6,	 /* not in XML at all, only in JSON and memory */
	ROW_EMPTY_OK = 1 << 7,	 /* an empty string is a value (attributes such as name='') */
	ROW_REST = 1 << 8,	 /* arguments: takes every remaining word */
	ROW_IMPLIED = 1 << 10,	 /* TRI attributes: yes where the element stands without it */
	ROW_VERBATIM = 1 << 9,	 /* text whose surrounding white space counts */
	ROW_PATH = 1 << 10,	 /* arguments: a file; made absolute where the words are read */
	ROW_NAME_OR_PATH = 1 << 11, /* arguments: a file where it has a slash, otherwise a name; what has
				     * "://" is an address, and stays as it is */
} RowFlags;

struct Row {
	RowKind kind;
	const char *name;  /* the member; JSON key; "--name" with dashes for arguments */
	const char *xml;   /* path, NULL for arguments and results */
	size_t offset;
	const void *of;	   /* EnumTable or Shape, by kind */
	guint flags;	   /* RowFlags */
	guint64 when;	   /* bits of the shape's discriminator; 0: always. See SHAPE_WHEN */
	gint64 min, max;   /* of numbers; both 0: the whole range of the type */
	guint digits;	   /* ROW_HEX: zero-padded width */
	const char *words; /* ROW_TRI: "on/off"; ROW_SIZE: unit meant where none is said, "KiB" */
	const char *dflt;  /* the value that stands where none is said, as XML text */
	char opt;	   /* arguments: one-letter form */
	const char *doc;   /* one line for schema, manual and --help; no full stop */
};

struct Shape {
	const char *name; /* "disk": for messages and schema */
	size_t size;
	const Row *rows;
	guint n;
	const Row *discriminator; /* an ENUM row that .when refers to, or NULL */
	/* What no single row can say; called by shape_check() after the rows. NULL: nothing. */
	gboolean (*check)(gconstpointer object, Notes *notes, GError **error);
};

#define SHAPE_WHEN(value) (G_GUINT64_CONSTANT(1) << (value))

/* The member's offset, refused by the compiler where its type is not @type. */
#define SHAPE_OFFSET(T, member, type)                                                              \
	(offsetof(T, member) +                                                                     \
	 0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((T *)0)->member), type) ? 1 : -1]))
/* Enums are ints of their own type: their size is what can be checked. */
#define SHAPE_ENUM_OFFSET(T, member)                                                               \
	(offsetof(T, member) + 0 * sizeof(char[sizeof(((T *)0)->member) == sizeof(int) ? 1 : -1]))
#define SHAPE_ROW(k, T, m, type, path, ...)                                                        \
	{ .kind = k, .name = #m, .xml = (path), .offset = SHAPE_OFFSET(T, m, type), __VA_ARGS__ }

#define FLAG(T, m, path, ...) SHAPE_ROW(ROW_FLAG, T, m, gboolean, path, __VA_ARGS__)
#define TRI(T, m, path, ...) SHAPE_ROW(ROW_TRI, T, m, Tri, path, __VA_ARGS__)
#define INT(T, m, path, ...) SHAPE_ROW(ROW_INT, T, m, OptInt, path, __VA_ARGS__)
#define UINT(T, m, path, ...) SHAPE_ROW(ROW_UINT, T, m, OptUint, path, __VA_ARGS__)
#define SIZE(T, m, path, ...) SHAPE_ROW(ROW_SIZE, T, m, OptUint, path, __VA_ARGS__)
#define STRING(T, m, path, ...) SHAPE_ROW(ROW_STRING, T, m, char *, path, __VA_ARGS__)
#define UUID(T, m, path, ...) SHAPE_ROW(ROW_UUID, T, m, char *, path, __VA_ARGS__)
#define MAC(T, m, path, ...) SHAPE_ROW(ROW_MAC, T, m, char *, path, __VA_ARGS__)
#define CPUSET(T, m, path, ...) SHAPE_ROW(ROW_CPUSET, T, m, char *, path, __VA_ARGS__)
#define STRINGS(T, m, path, ...) SHAPE_ROW(ROW_STRINGS, T, m, GPtrArray *, path, __VA_ARGS__)
#define RAWXML(T, m, path, ...) SHAPE_ROW(ROW_XML, T, m, char *, path, __VA_ARGS__)
#define ENUM(T, m, path, table, ...)                                                               \
	{ .kind = ROW_ENUM, .name = #m, .xml = (path), .of = &(table),                             \
	  .offset = SHAPE_ENUM_OFFSET(T, m), __VA_ARGS__ }
/* A member of type M * described by the Shape @shape. */
#define STRUCT(T, m, path, M, shape, ...)                                                          \
	SHAPE_ROW(ROW_STRUCT, T, m, M *, path, .of = &(shape), __VA_ARGS__)
#define INLINE(T, m, path, M, shape, ...)                                                          \
	SHAPE_ROW(ROW_INLINE, T, m, M, path, .of = &(shape), __VA_ARGS__)
#define LIST(T, m, path, shape, ...)                                                               \
	SHAPE_ROW(ROW_LIST, T, m, GPtrArray *, path, .of = &(shape), __VA_ARGS__)

/* const Shape NAME = SHAPE("disk", Disk, disk_rows, ...); further members by designator. */
#define SHAPE(name_, T, rows_, ...)                                                                \
	{ .name = (name_), .size = sizeof(T), .rows = (rows_), .n = G_N_ELEMENTS(rows_), __VA_ARGS__ }

/* for (Disk *disk; ...) over a list member that may be NULL:
 *   SHAPE_EACH (Disk, disk, guest->disks) { ... }
 * break and continue do what they do in any loop; disk_i is the index. */
#define SHAPE_EACH(T, var, list)                                                                   \
	for (guint var##_i = 0, var##_done = 1; var##_done && (list) && var##_i < (list)->len;     \
	     var##_i++)                                                                            \
		for (T *var = (var##_done = 0, g_ptr_array_index((list), var##_i)); !var##_done;   \
		     var##_done = 1)

static inline guint shape_len(const GPtrArray *list)
{
	return list ? list->len : 0;
}

/* An embedded struct whose rows share the element, and the JSON object, of the outer one. */
static inline gboolean row_is_flat(const Row *row)
{
	return row->kind == ROW_INLINE && (!row->xml || !*row->xml);
}

/* ---- life.c ---- */

/* A zeroed object of @shape; the caller owns it (shape_free). */
gpointer shape_new(const Shape *shape);
/* Frees @object and all it owns; NULL is fine. */
void shape_free(const Shape *shape, gpointer object);
/* Frees what @object owns and zeroes it; for embedded objects. */
void shape_clear(const Shape *shape, gpointer object);
/* A deep copy, unknown XML included; the caller owns it. */
gpointer shape_copy(const Shape *shape, gconstpointer object);
/* Whether both say the same, unknown XML included. Lines do not count. */
gboolean shape_equal(const Shape *shape, gconstpointer a, gconstpointer b);
/* The places in which @a and @b differ, as paths ("memory", "devices/disks[2]/source/file"); the
 * caller owns the array of char *; empty where equal. */
GPtrArray *shape_diff(const Shape *shape, gconstpointer a, gconstpointer b);
/* Sets every member that is absent and whose row has a default; deep. */
void shape_defaults(const Shape *shape, gpointer object);
/* Removes members whose row is ROW_LIVE; deep. */
void shape_drop_live(const Shape *shape, gpointer object);
/* Appends @item, which the list then owns, to the list member at @list of a row of kind LIST with
 * shape @of (or STRINGS with @of NULL), making the list where it is NULL. */
void shape_append(GPtrArray **list, const Shape *of, gpointer item);

/* ---- check.c ---- */

/* Required members and the `check` of each shape; deep. (Bounds and enums are kept by every reader: no
 * value outside gets into an object.) On failure @error names path and line. */
gboolean shape_check(const Shape *shape, gconstpointer object, Notes *notes, GError **error);

/* Refuses an object that keeps XML which no row knows: @error names element, path and line. */
gboolean shape_all_known(const Shape *shape, gconstpointer object, GError **error);

/* ---- text.c: one value as text, for XML, arguments and defaults alike ---- */

/* Sets the scalar member of @row in @object from @text. On failure @error says what is wrong with
 * the value, without a place; the member is untouched. */
gboolean row_from_text(const Row *row, gpointer object, const char *text, GError **error);
/* The member as text, or NULL where it is absent. The caller frees it. */
char *row_to_text(const Row *row, gconstpointer object);
/* The same without a copy: it lies in @object, in @buffer (of ROW_TEXT_SIZE bytes) or for ever. */
const char *row_text(const Row *row, gconstpointer object, char *buffer);
#define ROW_TEXT_SIZE 32
/* @v in @base (10 or 16) with at least @digits digits, at the end of @buffer (ROW_TEXT_SIZE bytes, of
 * which at least the first eight are left free). */
char *uint_text(guint64 v, guint base, guint digits, char *buffer);
/* Whether the member says anything. */
gboolean row_is_set(const Row *row, gconstpointer object);
/* Whether @row counts for @object: its .when fits the discriminator. */
gboolean row_applies(const Shape *shape, const Row *row, gconstpointer object);
/* Sets the SIZE member of @row, within its bounds. Rows counted in KiB are rounded up to whole ones, as
 * libvirt keeps them: some clients read the number and not the unit. */
gboolean row_set_size(const Row *row, gpointer object, guint64 bytes, GError **error);
/* The next range of a CPUSET as rows keep it ("0-3,5"): advances *set past it. FALSE at its end. */
gboolean set_next_range(const char **set, guint *first, guint *last);
/* Bytes from a number and a unit word ("KiB", "GB", "b", NULL: @otherwise). */
gboolean size_from_text(const char *text, const char *unit, const char *otherwise, guint64 *bytes,
			GError **error);

/* ---- xml.c ---- */

typedef enum ShapeXmlFlags {
	SHAPE_XML_LIVE = 1 << 0,    /* print members that only a running guest has */
	SHAPE_XML_SECRETS = 1 << 1, /* print ROW_SECRET members */
} ShapeXmlFlags;

/* Reads a document whose root element is @root (or, with @root NULL, any). @what names the source
 * in messages ("web1.xml"; NULL for none). Unknown parts are kept, stray text is noted. Bounded:
 * refuses more than 4 MiB, any DTD, nesting beyond libxml2's limit. Returns an object the caller
 * owns, or NULL with place and line in @error. */
gpointer shape_from_xml(const Shape *shape, const char *root, const char *xml, gssize length,
			const char *what, Notes *notes, GError **error);
/* Prints in libvirt's manner (two spaces, single quotes). The caller frees it. */
char *shape_to_xml(const Shape *shape, const char *root, gconstpointer object, guint flags);

/* ---- json.c ---- */

struct json_t;
/* A new reference; members that are absent are left out. Never NULL. @flags: ShapeXmlFlags. */
struct json_t *shape_to_json(const Shape *shape, gconstpointer object, guint flags);
/* Appends the same as compact text, without a tree in between: for long replies (jsontext.c). */
void shape_json_text(GString *out, const Shape *shape, gconstpointer object, guint flags);
/* Strict: unknown keys and wrong types are refused with their path. Returns an object the caller
 * owns, or NULL. */
gpointer shape_from_json(const Shape *shape, struct json_t *json, GError **error);

/* ---- args.c ---- */

/* Reads command-line words into @object: positional rows by place, others as --name VALUE,
 * --name=VALUE, --flag, --no-flag (TRI), -o VALUE, -oVALUE. Positional rows may be named too. Words
 * after "--" are positional. A row of kind XML is called "file" here: the word stands for a file
 * whose content the caller of this function puts in its place. Required rows are looked for. */
gboolean shape_from_args(const Shape *shape, gpointer object, int argc, char *const *argv,
			 GError **error);
/* One argument from text, as on a command line or in a query: booleans as yes/no, on/off, true/false,
 * 1/0 or nothing; sizes with a unit ("4G"); STRINGS gain one more. @error has no place. */
gboolean shape_arg_from_text(const Row *row, gpointer object, const char *text, GError **error);
/* "disk-size": the name of @row on a command line; the caller frees it. */
char *shape_arg_name(const Row *row);

/* ---- docs.c ---- */

/* JSON schema (OpenAPI 3.1 flavour) of the shape; a new reference. Nested shapes appear as
 * "$ref": "#/components/schemas/NAME" and are added to @components (may be NULL: inlined). */
struct json_t *shape_schema(const Shape *shape, struct json_t *components);
/* "NAME [--all] [--timeout SECONDS]": the synopsis of an argument shape. The caller frees it. */
char *shape_synopsis(const Shape *shape);
/* One paragraph per argument for --help, each "  --all   doc". The caller frees it. */
char *shape_help(const Shape *shape);
/* "SECONDS": the word that stands for the value of an argument, by its kind or name; the caller frees
 * it; NULL for switches. */
char *shape_arg_value(const Row *row);

/* ---- random.c: property tests and fuzzing ---- */

/* An object with random valid members (seeded by @rand), nested at most @depth deep. */
gpointer shape_random(const Shape *shape, GRand *rand, guint depth);

/* ---- tree.c ---- */

/* Counts rows of @shape and of all shapes below it, each shape once; for the house test. */
guint shape_count_rows(const Shape *shape);
