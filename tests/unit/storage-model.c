/* Documents of pools and volumes: tests/golden/storage-xml/CASE.xml is completed and printed; CASE.out.xml
 * is what must come (valid by libvirt's schemas), or CASE.err the refusal. LODGE_BLESS=1 writes them
 * anew. Further: random values survive XML and JSON, and names that are tricks are refused. */
#include "base/error.h"
#include "model/volume.h"

#include <string.h>

#define SCHEMAS "/usr/share/libvirt/schemas/"

static gboolean is_volume(const char *path)
{
	g_autofree char *text = NULL;
	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	return strstr(text, "<volume") != NULL && !strstr(text, "<pool");
}

static void same(const Shape *shape, gconstpointer a, gconstpointer b)
{
	g_autoptr(GPtrArray) diff = shape_diff(shape, a, b);
	if (diff->len)
		g_error("%s: printed and read again, %s differs", shape->name,
			(char *)g_ptr_array_index(diff, 0));
}

static char *read_pool(const char *xml, const char *name)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Pool) pool = pool_from_xml(xml, -1, name, NULL, &error);
	if (!pool)
		return g_strdup_printf("!%s\n", error->message);
	g_autofree char *printed = pool_to_xml(pool, 0);
	g_autoptr(Pool) again = pool_from_xml(printed, -1, name, NULL, &error);
	g_assert_no_error(error);
	same(&pool_shape, pool, again);
	return g_steal_pointer(&printed);
}

static char *read_volume(const char *xml, const char *name)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Volume) volume = volume_from_xml(xml, -1, name, NULL, &error);
	if (!volume)
		return g_strdup_printf("!%s\n", error->message);
	g_autofree char *printed = volume_to_xml(volume);
	g_autoptr(Volume) again = volume_from_xml(printed, -1, name, NULL, &error);
	g_assert_no_error(error);
	same(&volume_shape, volume, again);
	return g_steal_pointer(&printed);
}

static void validate(const char *path, gboolean volume)
{
	g_autofree char *tool = g_find_program_in_path("xmllint");
	const char *schema = volume ? SCHEMAS "storagevol.rng" : SCHEMAS "storagepool.rng";
	if (!tool || !g_file_test(schema, G_FILE_TEST_EXISTS))
		return;
	const char *argv[] = { tool, "--noout", "--relaxng", schema, path, NULL };
	g_autofree char *said = NULL;
	int status = -1;
	g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL,
				   NULL, &said, &status, NULL));
	if (status)
		g_error("not valid by libvirt's schema:\n%s", said);
}

static void test_case(gconstpointer data)
{
	const char *path = data;
	g_autofree char *xml = NULL, *name = g_path_get_basename(path);
	g_assert_true(g_file_get_contents(path, &xml, NULL, NULL));
	gboolean volume = is_volume(path);
	g_autofree char *text = volume ? read_volume(xml, name) : read_pool(xml, name);
	gboolean refused = *text == '!';
	g_autofree char *wanted = g_strdup_printf("%.*s%s", (int)(strlen(path) - strlen(".xml")), path,
						  refused ? ".err" : ".out.xml");
	g_autofree char *expected = NULL;
	if (g_getenv("LODGE_BLESS"))
		g_assert_true(g_file_set_contents(wanted, text + refused, -1, NULL));
	if (!g_file_get_contents(wanted, &expected, NULL, NULL))
		g_error("%s is missing (LODGE_BLESS=1 writes it); got:\n%s", wanted, text);
	g_assert_cmpstr(text + refused, ==, expected);
	if (!refused)
		validate(wanted, volume);
}

static void test_random(gconstpointer data)
{
	const Shape *shape = data;
	for (guint32 seed = 1; seed <= 300; seed++) {
		g_autoptr(GError) error = NULL;
		GRand *rand = g_rand_new_with_seed(seed);
		gpointer object = shape_random(shape, rand, 2 + seed % 3);
		g_autofree char *xml = shape_to_xml(shape, shape->name, object,
						    SHAPE_XML_LIVE | SHAPE_XML_SECRETS);
		gpointer again = shape_from_xml(shape, shape->name, xml, -1, NULL, NULL, &error);
		g_assert_no_error(error);
		same(shape, object, again);
		shape_free(shape, object);
		shape_free(shape, again);
		g_rand_free(rand);
	}
}

static void test_names(void)
{
	g_autofree char *page = g_strnfill(4096, 'a'), *most = g_strnfill(255, 'a');
	const char *bad[] = { "", ".", "..", "../x", "/etc/passwd", "a/b", "a\nb", "a\tb", "\x7f",
			      "\xff\xfe", page };
	for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		g_assert_false(volume_check_name(bad[i], &error));
		g_assert_error(error, LODGE_ERROR, LODGE_ERROR_INVALID);
	}
	const char *good[] = { "a.qcow2", "-rf", "ü.img", "...", "a b", most };
	for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
		g_autoptr(GError) error = NULL;
		g_assert_true(volume_check_name(good[i], &error));
		g_assert_no_error(error);
	}
}

static int by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_autofree char *dir =
		g_build_filename(g_getenv("LODGE_SOURCE"), "tests", "golden", "storage-xml", NULL);
	GDir *entries = g_dir_open(dir, 0, NULL);
	GPtrArray *cases = g_ptr_array_new(); /* lives as long as the program */
	g_assert_nonnull(entries);
	for (const char *name; (name = g_dir_read_name(entries));)
		if (g_str_has_suffix(name, ".xml") && !g_str_has_suffix(name, ".out.xml"))
			g_ptr_array_add(cases, g_build_filename(dir, name, NULL));
	g_dir_close(entries);
	g_ptr_array_sort(cases, by_name);
	for (guint i = 0; i < cases->len; i++) {
		g_autofree char *name = g_path_get_basename(g_ptr_array_index(cases, i));
		g_autofree char *path = g_strdup_printf("/storage/golden/%s", name);
		g_test_add_data_func(path, g_ptr_array_index(cases, i), test_case);
	}
	g_test_add_data_func("/storage/random/pool", &pool_shape, test_random);
	g_test_add_data_func("/storage/random/volume", &volume_shape, test_random);
	g_test_add_func("/storage/names", test_names);
	return g_test_run();
}
