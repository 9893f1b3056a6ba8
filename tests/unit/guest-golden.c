/* Definitions as they come out of define: tests/golden/guest-xml/CASE.xml is completed for a QEMU 7.2
 * and printed; CASE.out.xml is what must come, notes first as comments, or CASE.err the refusal.
 * LODGE_BLESS=1 writes them anew.
 *
 * The expected files agree with libvirt 9.0 where it accepts the document, but for the cases that
 * DIFFERENCES beside them explains. */
#include "base/error.h"
#include "engine/qemu/adapt.h"
#include "model/alias.h"

#include <glib/gstdio.h>
#include <string.h>

/* ---- a QEMU that is the same everywhere ---- */

static void add_machine(QemuCaps *caps, const char *name, const char *alias, gboolean dflt)
{
	QemuMachine *m = g_new0(QemuMachine, 1);
	m->name = g_strdup(name);
	m->alias = g_strdup(alias);
	m->is_default = dflt;
	m->cpu_max = 255;
	g_ptr_array_add(caps->machines, m);
}

static void add_cpus(GPtrArray *list, const char *const *names, const char *lacks)
{
	for (; *names; names++) {
		QemuCpu *cpu = g_new0(QemuCpu, 1);
		const char *missing[] = { lacks, NULL };
		cpu->name = g_strdup(**names == '!' ? *names + 1 : *names);
		cpu->usable = **names != '!';
		cpu->missing = cpu->usable ? NULL : g_strdupv((char **)missing);
		g_ptr_array_add(list, cpu);
	}
}

/* Lives as long as the program: what is returned by engines does, too. */
static const QemuCaps *caps_of(gboolean kvm)
{
	static const char *const all[] = { "qemu64", "Nehalem", "SandyBridge", "IvyBridge",
					   "IvyBridge-IBRS", "Haswell", "Haswell-noTSX",
					   "Skylake-Client", "EPYC", "EPYC-Rome", NULL };
	/* an Ivy Bridge */
	static const char *const host[] = { "!qemu64", "Nehalem", "SandyBridge", "IvyBridge",
					    "IvyBridge-IBRS", "!Haswell", "!Haswell-noTSX",
					    "!Skylake-Client", "!EPYC", "!EPYC-Rome", NULL };
	static QemuCaps *made[2];
	if (made[kvm])
		return made[kvm];
	QemuCaps *caps = made[kvm] = g_new0(QemuCaps, 1);
	caps->binary = g_strdup("/usr/bin/qemu-system-x86_64");
	caps->arch = g_strdup("x86_64");
	caps->version = 7002000;
	caps->kvm = kvm;
	caps->machines = g_ptr_array_new();
	caps->cpus_tcg = g_ptr_array_new();
	caps->cpus_kvm = g_ptr_array_new();
	caps->devices = g_hash_table_new(g_str_hash, g_str_equal);
	caps->objects = g_hash_table_new(g_str_hash, g_str_equal);
	add_machine(caps, "pc-i440fx-7.2", "pc", TRUE);
	add_machine(caps, "pc-i440fx-6.2", NULL, FALSE);
	add_machine(caps, "pc-i440fx-5.0", NULL, FALSE);
	add_machine(caps, "pc-q35-7.2", "q35", FALSE);
	add_machine(caps, "pc-q35-6.2", NULL, FALSE);
	add_machine(caps, "isapc", NULL, FALSE);
	add_machine(caps, "microvm", NULL, FALSE);
	add_cpus(caps->cpus_tcg, all, NULL);
	if (kvm)
		add_cpus(caps->cpus_kvm, host, "avx2");
	return caps;
}

/* ---- one case ---- */

static char *folder(void)
{
	return g_build_filename(g_getenv("LODGE_SOURCE"), "tests", "golden", "guest-xml", NULL);
}

static void complete_again(const Guest *guest, const QemuCaps *caps)
{
	g_autoptr(GError) error = NULL;
	g_auto(Notes) notes = { 0 };
	g_autoptr(Guest) again = guest_copy(guest);
	gboolean ok = qemu_complete_with(again, caps, &notes, &error);
	g_assert_no_error(error);
	g_assert_true(ok);
	g_assert_cmpuint(notes_count(&notes), ==, 0);
	g_autoptr(GPtrArray) diff = shape_diff(&guest_shape, guest, again);
	if (diff->len)
		g_error("%s: the second run changes %s", guest->name,
			(char *)g_ptr_array_index(diff, 0));
}

/* What is printed must be read as the same. */
static void read_again(const Guest *guest, const char *xml)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Guest) again = guest_from_xml(xml, -1, NULL, NULL, &error);
	g_assert_no_error(error);
	g_autoptr(GPtrArray) diff = shape_diff(&guest_shape, guest, again);
	if (diff->len)
		g_error("%s: printed and read again, %s differs", guest->name,
			(char *)g_ptr_array_index(diff, 0));
}

/* Aliases go away again. */
static void go_live(const Guest *guest, const char *xml)
{
	g_autoptr(Guest) live = guest_copy(guest);
	guest_assign_aliases(live);
	guest_drop_live(live);
	g_autofree char *back = guest_to_xml(live, SHAPE_XML_SECRETS);
	g_assert_cmpstr(back, ==, xml);
}

/* The outcome as text; *refused says of which kind. */
static char *complete(const char *path, const QemuCaps *caps, gboolean *refused)
{
	g_autoptr(GError) error = NULL;
	g_auto(Notes) notes = { 0 };
	g_autofree char *xml = NULL, *name = g_path_get_basename(path);
	gsize length;
	g_assert_true(g_file_get_contents(path, &xml, &length, NULL));
	g_autoptr(Guest) guest = guest_from_xml(xml, (gssize)length, name, &notes, &error);
	*refused = !guest || !qemu_complete_with(guest, caps, &notes, &error);
	if (*refused)
		return g_strconcat(error->message, "\n", NULL);
	complete_again(guest, caps);
	g_autofree char *printed = guest_to_xml(guest, SHAPE_XML_SECRETS);
	read_again(guest, printed);
	go_live(guest, printed);
	GString *text = g_string_new(NULL);
	for (guint i = 0; i < notes_count(&notes); i++)
		g_string_append_printf(text, "<!-- note: %s -->\n", notes_get(&notes, i));
	return g_string_free(g_string_append(text, printed), FALSE);
}

static void test_case(gconstpointer data)
{
	const char *path = data;
	gboolean refused;
	gsize stem = strlen(path) - strlen(".xml");
	const QemuCaps *caps = caps_of(strstr(path, "kvm-") != NULL);
	g_autofree char *text = complete(path, caps, &refused);
	g_autofree char *wanted = g_strdup_printf("%.*s%s", (int)stem, path,
						  refused ? ".err" : ".out.xml");
	g_autofree char *other = g_strdup_printf("%.*s%s", (int)stem, path,
						 refused ? ".out.xml" : ".err");
	if (g_getenv("LODGE_BLESS")) {
		g_assert_true(g_file_set_contents(wanted, text, -1, NULL));
		g_remove(other);
		return;
	}
	g_autofree char *expected = NULL;
	if (!g_file_get_contents(wanted, &expected, NULL, NULL))
		g_error("%s is missing (LODGE_BLESS=1 writes it); got:\n%s", wanted, text);
	g_assert_cmpstr(text, ==, expected);
}

/* ---- libvirt's schema ---- */

#define SCHEMA "/usr/share/libvirt/schemas/domain.rng"

/* Documents with what libvirt 9.0 does not know. */
static const char *const newer[] = { "unknown.xml", "crypto.xml", NULL };

/* "validates" lines are no news. */
static char *complaints(const char *said)
{
	GString *text = g_string_new(NULL);
	g_auto(GStrv) lines = g_strsplit(said, "\n", -1);
	for (char **line = lines; *line; line++)
		if (**line && !g_str_has_suffix(*line, " validates"))
			g_string_append_printf(text, "%s\n", *line);
	return g_string_free(text, FALSE);
}

/* What is printed is valid, where the document had nothing unknown in it. */
static void test_schema(gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	GPtrArray *cases = (GPtrArray *)data;
	g_autofree char *tool = g_find_program_in_path("xmllint");
	if (!tool || !g_file_test(SCHEMA, G_FILE_TEST_EXISTS)) {
		g_test_skip("needs xmllint and " SCHEMA " (packages libxml2-utils, libvirt-daemon)");
		return;
	}
	g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(argv, g_strdup(tool));
	g_ptr_array_add(argv, g_strdup("--noout"));
	g_ptr_array_add(argv, g_strdup("--relaxng"));
	g_ptr_array_add(argv, g_strdup(SCHEMA));
	for (guint i = 0; i < cases->len; i++) {
		const char *path = g_ptr_array_index(cases, i);
		g_autofree char *out = g_strdup_printf("%.*s.out.xml",
						       (int)(strlen(path) - strlen(".xml")), path);
		g_autofree char *name = g_path_get_basename(path);
		if (g_file_test(out, G_FILE_TEST_EXISTS) && !g_strv_contains(newer, name))
			g_ptr_array_add(argv, g_steal_pointer(&out));
	}
	g_ptr_array_add(argv, NULL);
	g_autofree char *said = NULL;
	int status = -1;
	g_spawn_sync(NULL, (char **)argv->pdata, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL,
		     &said, &status, &error);
	g_assert_no_error(error);
	g_autofree char *why = complaints(said);
	if (status)
		g_error("not valid by libvirt's schema:\n%s", why);
}

static int by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_autofree char *dir = folder();
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
		g_autofree char *path = g_strdup_printf("/guest/golden/%.*s",
							(int)(strlen(name) - strlen(".xml")), name);
		g_test_add_data_func(path, g_ptr_array_index(cases, i), test_case);
	}
	g_test_add_data_func("/guest/schema/libvirt", cases, test_schema);
	return g_test_run();
}
