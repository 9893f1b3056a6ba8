/* Runs a fuzz target without libFuzzer: first every file of its corpus (the folders given as
 * arguments), then a bounded number of mutations of them, the same ones each time. So `make check`
 * replays what fuzzing has found, with any compiler, in a few seconds. Prints TAP.
 *
 * An input that kills the target is left in a file, whose name is printed. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <glib.h>

#define MUTATIONS 20000
#define SECONDS 5
#define INPUT_LIMIT (64 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

/* g_assert ends in abort(), g_error in a trap: report those like any other death. */
const char *__asan_default_options(void)
{
	return "handle_abort=1:handle_sigtrap=1";
}

static const GByteArray *current;

static void keep_input(void)
{
	g_autofree char *name = g_strdup_printf("%s/lodge-fuzz-XXXXXX", g_get_tmp_dir());
	int fd = current ? g_mkstemp(name) : -1;
	if (fd < 0)
		return;
	FILE *file = fdopen(fd, "w");
	fwrite(current->data, 1, current->len, file);
	fclose(file);
	fprintf(stderr, "the input that did it (%u bytes) is in %s\n", current->len, name);
}

static void run_target(const GByteArray *input)
{
	/* An exact copy on the heap, so that a read beyond the end is seen. */
	g_autofree uint8_t *copy = g_memdup2(input->data, input->len);
	current = input;
	LLVMFuzzerTestOneInput(copy ? copy : (const uint8_t *)"", input->len);
	current = NULL;
}

static gint by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void load_folder(GPtrArray *corpus, const char *folder)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	for (const char *name; dir && (name = g_dir_read_name(dir));)
		g_ptr_array_add(names, g_build_filename(folder, name, NULL));
	g_ptr_array_sort(names, by_name);
	for (guint i = 0; i < names->len; i++) {
		char *bytes;
		gsize size;
		if (g_file_get_contents(g_ptr_array_index(names, i), &bytes, &size, NULL))
			g_ptr_array_add(corpus, g_byte_array_new_take((guint8 *)bytes, size));
	}
}

/* ---- mutations: each changes @input in one place ---- */

static guint below(GRand *rand, guint n)
{
	return n ? g_rand_int(rand) % n : 0;
}

/* 1 to @most, and no more than are @left. */
static guint some(GRand *rand, guint most, guint left)
{
	guint n = 1 + below(rand, most);
	return MIN(n, left);
}

static void insert_at(GByteArray *input, guint at, const guint8 *bytes, guint n)
{
	guint old = input->len;
	if (!n || old + n > INPUT_LIMIT)
		return;
	g_byte_array_set_size(input, old + n);
	memmove(input->data + at + n, input->data + at, old - at);
	memcpy(input->data + at, bytes, n);
}

static void flip_bit(GByteArray *input, GRand *rand, G_GNUC_UNUSED const GByteArray *other)
{
	if (input->len)
		input->data[below(rand, input->len)] ^= 1u << below(rand, 8);
}

static void set_byte(GByteArray *input, GRand *rand, G_GNUC_UNUSED const GByteArray *other)
{
	static const guint8 telling[] = { 0, '"', '\'', '<', '>', '&', '{', '[', '\n', '-', '9', 0xff };
	if (input->len)
		input->data[below(rand, input->len)] = telling[below(rand, sizeof telling)];
}

static void remove_range(GByteArray *input, GRand *rand, G_GNUC_UNUSED const GByteArray *other)
{
	guint at = below(rand, input->len);
	if (input->len)
		g_byte_array_remove_range(input, at, some(rand, 64, input->len - at));
}

static void repeat_range(GByteArray *input, GRand *rand, G_GNUC_UNUSED const GByteArray *other)
{
	guint at = below(rand, input->len);
	guint n = some(rand, 64, input->len - at);
	g_autofree guint8 *piece = g_memdup2(input->data + at, n);
	for (guint times = 1 + below(rand, 8); n && times; times--)
		insert_at(input, at, piece, n);
}

static void splice_other(GByteArray *input, GRand *rand, const GByteArray *other)
{
	guint from = below(rand, other->len);
	guint n = some(rand, 128, other->len - from);
	g_autofree guint8 *piece = g_memdup2(other->data + from, n);
	insert_at(input, below(rand, input->len + 1), piece, n);
}

static void cut_end(GByteArray *input, GRand *rand, G_GNUC_UNUSED const GByteArray *other)
{
	g_byte_array_set_size(input, below(rand, input->len + 1));
}

static void (*const mutations[])(GByteArray *input, GRand *rand, const GByteArray *other) = {
	flip_bit, set_byte, remove_range, repeat_range, splice_other, cut_end,
};

static guint run_mutations(const GPtrArray *corpus)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(20);
	gint64 until = g_get_monotonic_time() + SECONDS * G_TIME_SPAN_SECOND;
	guint n = 0;
	for (; corpus->len && n < MUTATIONS && g_get_monotonic_time() < until; n++) {
		const GByteArray *from = g_ptr_array_index(corpus, below(rand, corpus->len));
		const GByteArray *other = g_ptr_array_index(corpus, below(rand, corpus->len));
		g_autoptr(GByteArray) input = g_byte_array_sized_new(from->len);
		g_byte_array_append(input, from->data, from->len);
		for (guint times = 1 + below(rand, 4); times; times--)
			mutations[below(rand, G_N_ELEMENTS(mutations))](input, rand, other);
		run_target(input);
	}
	return n;
}

int main(int argc, char **argv)
{
	g_autoptr(GPtrArray) corpus =
		g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref);
	for (int i = 1; i < argc; i++)
		load_folder(corpus, argv[i]);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(keep_input);
	puts("1..2");
	for (guint i = 0; i < corpus->len; i++)
		run_target(g_ptr_array_index(corpus, i));
	printf("%s 1 /corpus # %u files\n", corpus->len ? "ok" : "not ok", corpus->len);
	fflush(stdout);
	guint n = run_mutations(corpus);
	printf("ok 2 /mutations # %u inputs\n", n);
	return corpus->len ? 0 : 1;
}
