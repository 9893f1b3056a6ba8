/* Properties of rows on random guests: what is printed and read again is the same, in XML and JSON;
 * copies are equal; nothing differs from itself; one change is seen. */
#include "base/error.h"
#include "model/guest.h"

#include <jansson.h>
#include <string.h>

#define SEEDS 500

typedef void (*Property)(Guest *guest, guint seed);

static void for_all(gconstpointer data)
{
	Property property = *(const Property *)data;
	for (guint seed = 0; seed < SEEDS; seed++) {
		GRand *rand = g_rand_new_with_seed(seed);
		g_autoptr(Guest) guest = shape_random(&guest_shape, rand, 2 + seed % 3);
		property(guest, seed);
		g_rand_free(rand);
	}
}

/* Fails with the first difference and the seed, by which the guest can be had again. */
static void assert_same(const Guest *guest, const Guest *again, guint seed)
{
	g_autoptr(GPtrArray) diff = shape_diff(&guest_shape, guest, again);
	if (diff->len)
		g_error("seed %u: %s differs", seed, (char *)g_ptr_array_index(diff, 0));
	g_assert_true(shape_equal(&guest_shape, guest, again));
}

static void xml_and_back(Guest *guest, guint seed)
{
	g_autoptr(GError) error = NULL;
	g_auto(Notes) notes = { 0 };
	g_autofree char *xml = guest_to_xml(guest, SHAPE_XML_LIVE | SHAPE_XML_SECRETS);
	g_autoptr(Guest) again =
		shape_from_xml(&guest_shape, "domain", xml, -1, NULL, &notes, &error);
	if (!again)
		g_error("seed %u: %s\n%s", seed, error->message, xml);
	assert_same(guest, again, seed);
	g_autofree char *xml2 = guest_to_xml(again, SHAPE_XML_LIVE | SHAPE_XML_SECRETS);
	g_assert_cmpstr(xml, ==, xml2);
}

static void json_and_back(Guest *guest, guint seed)
{
	g_autoptr(GError) error = NULL;
	json_t *json = shape_to_json(&guest_shape, guest, SHAPE_XML_LIVE | SHAPE_XML_SECRETS);
	g_autoptr(Guest) again = shape_from_json(&guest_shape, json, &error);
	if (!again)
		g_error("seed %u: %s", seed, error->message);
	assert_same(guest, again, seed);
	json_decref(json);
}

static void copies(Guest *guest, guint seed)
{
	g_autoptr(Guest) copy = guest_copy(guest);
	assert_same(guest, copy, seed);
}

static void one_change(Guest *guest, G_GNUC_UNUSED guint seed)
{
	g_autoptr(Guest) copy = guest_copy(guest);
	g_free(copy->name);
	copy->name = g_strdup("another name");
	copy->memory = OPT_UINT(opt_uint_or(guest->memory, 0) + 1024);
	g_autoptr(GPtrArray) diff = shape_diff(&guest_shape, guest, copy);
	g_assert_cmpuint(diff->len, ==, 2);
	g_assert_cmpstr(g_ptr_array_index(diff, 0), ==, "name");
	g_assert_cmpstr(g_ptr_array_index(diff, 1), ==, "memory");
	g_assert_false(shape_equal(&guest_shape, guest, copy));
}

static void without_live(Guest *guest, guint seed)
{
	g_autoptr(GError) error = NULL;
	shape_drop_live(&guest_shape, guest);
	g_autofree char *with = guest_to_xml(guest, SHAPE_XML_LIVE | SHAPE_XML_SECRETS);
	g_autofree char *without = guest_to_xml(guest, SHAPE_XML_SECRETS);
	if (g_strcmp0(with, without))
		g_error("seed %u: a live member is left", seed);
}

static void defaults_once(Guest *guest, guint seed)
{
	shape_defaults(&guest_shape, guest);
	g_autoptr(Guest) copy = guest_copy(guest);
	shape_defaults(&guest_shape, copy);
	assert_same(guest, copy, seed);
}

/* ---- the rows themselves ---- */

static void collect_keys(const Shape *shape, GHashTable *keys, const char *name)
{
	for (guint i = 0; i < shape->n; i++) {
		const Row *row = &shape->rows[i];
		if (row_is_flat(row)) {
			collect_keys(row->of, keys, name);
			continue;
		}
		const Row *other = g_hash_table_lookup(keys, row->name);
		if (other && (!row->when || !other->when || (row->when & other->when)))
			g_error("%s: two rows are called \"%s\"", name, row->name);
		g_hash_table_insert(keys, (gpointer)row->name, (gpointer)row);
	}
}

static void check_keys(const Shape *shape, GHashTable *seen)
{
	if (!g_hash_table_add(seen, (gpointer)shape))
		return;
	g_autoptr(GHashTable) keys = g_hash_table_new(g_str_hash, g_str_equal);
	collect_keys(shape, keys, shape->name);
	for (guint i = 0; i < shape->n; i++) {
		const Row *row = &shape->rows[i];
		if (row->kind == ROW_STRUCT || row->kind == ROW_LIST || row->kind == ROW_INLINE)
			check_keys(row->of, seen);
		if (row->kind != ROW_INLINE && !row->doc)
			g_error("%s: row %s has no documentation", shape->name, row->name);
	}
}

static void test_keys(void)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	check_keys(&guest_shape, seen);
	g_assert_cmpuint(g_hash_table_size(seen), >, 50);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *path;
		Property property;
	} properties[] = {
		{ "/shape/property/xml", xml_and_back },
		{ "/shape/property/json", json_and_back },
		{ "/shape/property/copy", copies },
		{ "/shape/property/change", one_change },
		{ "/shape/property/live", without_live },
		{ "/shape/property/defaults", defaults_once },
	};
	g_test_init(&argc, &argv, NULL);
	for (guint i = 0; i < G_N_ELEMENTS(properties); i++)
		g_test_add_data_func(properties[i].path, &properties[i].property, for_all);
	g_test_add_func("/shape/property/keys", test_keys);
	return g_test_run();
}
