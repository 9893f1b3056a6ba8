/* JSON text made straight from rows says what the tree says, for random guests and odd strings. */
#include "model/guest.h"

#include <jansson.h>

typedef struct Words {
	ShapeHead head;
	char *a, *b;
	OptInt n;
	OptUint u;
	GPtrArray *list;
} Words;

static const Row rows[] = {
	STRING(Words, a, NULL), STRING(Words, b, NULL), INT(Words, n, NULL), UINT(Words, u, NULL),
	STRINGS(Words, list, NULL),
};
static const Shape words_shape = SHAPE("words", Words, rows);

static void expect_same(const Shape *shape, gconstpointer object, guint flags)
{
	g_autoptr(GString) text = g_string_new(NULL);
	json_error_t where;
	shape_json_text(text, shape, object, flags);
	json_t *read = json_loadb(text->str, text->len, JSON_REJECT_DUPLICATES, &where);
	json_t *tree = shape_to_json(shape, object, flags);
	if (!read)
		g_error("%s: %s", where.text, text->str);
	g_assert_true(json_equal(read, tree));
	json_decref(read);
	json_decref(tree);
}

static void test_guests(void)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(7);
	for (guint i = 0; i < 200; i++) {
		Guest *guest = shape_random(&guest_shape, rand, 4);
		expect_same(&guest_shape, guest, i % 4);
		guest_free(guest);
	}
}

static void test_odd_values(void)
{
	Words words = { .a = (char *)"\"\\/\b\f\n\r\t\001\037 \342\202\254{", .b = (char *)"",
			.n = OPT_INT(G_MININT64), .u = OPT_UINT(G_MAXUINT64) };
	expect_same(&words_shape, &words, 0);
	words.b = (char *)"\377 is no UTF-8";
	words.n = OPT_INT(-1);
	words.u = OPT_UINT(0);
	words.list = g_ptr_array_new();
	g_ptr_array_add(words.list, (char *)"x{");
	g_ptr_array_add(words.list, (char *)"");
	expect_same(&words_shape, &words, 0);
	g_ptr_array_unref(words.list);
	expect_same(&words_shape, &(Words){ 0 }, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/jsontext/guests", test_guests);
	g_test_add_func("/jsontext/odd", test_odd_values);
	return g_test_run();
}
