/* Words of a command line, and what is said about them. */
#include "base/error.h"
#include "shape/shape.h"

#include <jansson.h>
#include <string.h>

static const EnumTable colours = ENUM_TABLE("colour", "red", "green");

typedef struct Sample {
	ShapeHead head;
	char *name;
	gboolean all;
	Tri persistent;
	OptUint memory;
	OptInt count;
	int colour;
	GPtrArray *extra;
	char *xml;
} Sample;

static const Row rows[] = {
	STRING(Sample, name, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED, .doc = "whose"),
	FLAG(Sample, all, NULL, .opt = 'a', .doc = "everything"),
	TRI(Sample, persistent, NULL, .doc = "keep it"),
	SIZE(Sample, memory, NULL, .words = "MiB", .opt = 'm', .doc = "how much"),
	INT(Sample, count, NULL, .min = -5, .max = 5, .opt = 'n', .dflt = "1", .doc = "how many"),
	ENUM(Sample, colour, NULL, colours, .doc = "which"),
	STRINGS(Sample, extra, NULL, .doc = "more, again and again"),
	RAWXML(Sample, xml, NULL, .doc = "a document"),
};
static const Shape shape = SHAPE("sample", Sample, rows);

/* Reads the words of @line; NULL with the message in *message. */
static Sample *read_line(const char *line, char **message)
{
	g_auto(GStrv) words = g_strsplit(line, " ", -1);
	g_autoptr(GError) error = NULL;
	Sample *sample = shape_new(&shape);
	if (shape_from_args(&shape, sample, (int)g_strv_length(words), words, &error))
		return sample;
	shape_free(&shape, sample);
	g_free(*message);
	*message = g_strdup(error->message);
	return NULL;
}

static void test_all_forms(void)
{
	g_autofree char *message = NULL;
	Sample *s = read_line("--memory 4G -a vm1 -n-3 --no-persistent --colour=green --extra x --extra y",
			      &message);
	g_assert_cmpstr(message, ==, NULL);
	g_assert_cmpstr(s->name, ==, "vm1");
	g_assert_true(s->all);
	g_assert_cmpint(s->persistent, ==, TRI_NO);
	g_assert_cmpuint(s->memory.v, ==, G_GUINT64_CONSTANT(4) << 30);
	g_assert_cmpint(s->count.v, ==, -3);
	g_assert_cmpint(s->colour, ==, 2);
	g_assert_cmpuint(shape_len(s->extra), ==, 2);
	shape_free(&shape, s);
}

static void test_units(void)
{
	static const struct { const char *line; guint64 bytes; } cases[] = {
		{ "v -m 2", 2u << 20 },	  { "v -m2KiB", 2u << 10 },   { "v --memory=7b", 7 },
		{ "v -m 1G", 1u << 30 },  { "v -m 1GB", 1000000000 },
	};
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *message = NULL;
		Sample *s = read_line(cases[i].line, &message);
		g_assert_cmpstr(message, ==, NULL);
		g_assert_cmpuint(s->memory.v, ==, cases[i].bytes);
		shape_free(&shape, s);
	}
}

static void test_named_positional_and_dashes(void)
{
	g_autofree char *message = NULL;
	Sample *s = read_line("--name vm2", &message);
	g_assert_cmpstr(s->name, ==, "vm2");
	shape_free(&shape, s);
	s = read_line("-a -- --odd", &message);
	g_assert_cmpstr(s->name, ==, "--odd");
	shape_free(&shape, s);
	s = read_line("vm3 --file x.xml", &message);
	g_assert_cmpstr(s->xml, ==, "x.xml");
	shape_free(&shape, s);
}

static void test_refusals(void)
{
	static const struct { const char *line, *says; } cases[] = {
		{ "-a", "name is missing" },
		{ "v --nothing", "no option --nothing" },
		{ "v -z", "no option -z" },
		{ "v w", "\"w\" is one argument too many" },
		{ "v --memory", "--memory needs a value" },
		{ "v --memory lots", "--memory" },
		{ "v --colour blue", "--colour" },
		{ "v --count 1 --count 2", "--count is given twice" },
		{ "v --all=maybe", "neither yes nor no" },
		{ "v --no-all", "no option --no-all" },
		{ "v --memory 99999999999999999999", "--memory" },
		{ "v --memory -1", "--memory" },
	};
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *message = NULL;
		g_assert_null(read_line(cases[i].line, &message));
		if (!strstr(message, cases[i].says))
			g_error("\"%s\" says \"%s\", not \"%s\"", cases[i].line, message, cases[i].says);
	}
}

static void test_synopsis_and_help(void)
{
	g_autofree char *synopsis = shape_synopsis(&shape);
	g_assert_cmpstr(synopsis, ==,
			"NAME [--all] [--[no-]persistent] [--memory SIZE] [--count NUMBER] "
			"[--colour COLOUR] [--extra EXTRA] [--file FILE]");
	g_autofree char *help = shape_help(&shape);
	g_assert_nonnull(strstr(help, "-a, --all"));
	g_assert_nonnull(strstr(help, "red, green"));
	g_assert_nonnull(strstr(help, "[1]"));
}

static void test_schema(void)
{
	json_t *components = json_object();
	json_t *schema = shape_schema(&shape, components);
	json_t *members = json_object_get(schema, "properties");
	g_assert_cmpuint(json_object_size(members), ==, G_N_ELEMENTS(rows));
	json_t *count = json_object_get(members, "count");
	g_assert_cmpint(json_integer_value(json_object_get(count, "minimum")), ==, -5);
	json_t *colour = json_object_get(json_object_get(members, "colour"), "enum");
	g_assert_cmpuint(json_array_size(colour), ==, 2);
	g_assert_cmpuint(json_array_size(json_object_get(schema, "required")), ==, 1);
	json_decref(schema);
	json_decref(components);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/args/forms", test_all_forms);
	g_test_add_func("/args/units", test_units);
	g_test_add_func("/args/positional", test_named_positional_and_dashes);
	g_test_add_func("/args/refusals", test_refusals);
	g_test_add_func("/docs/synopsis", test_synopsis_and_help);
	g_test_add_func("/docs/schema", test_schema);
	return g_test_run();
}
