/* The configuration file: keys, defaults, and errors that name the line. */
#include "daemon/config.h"

#include <glib/gstdio.h>
#include <string.h>

static Config *read_text(const char *text, char **message)
{
	g_autofree char *folder = g_dir_make_tmp("lodge-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, "lodge.conf", NULL);
	g_autoptr(GError) error = NULL;
	g_assert_true(g_file_set_contents(path, text, -1, NULL));
	Config *config = config_read(path, &error);
	g_assert_true((config != NULL) == (error == NULL));
	*message = error ? g_strdup(error->message) : NULL;
	g_unlink(path);
	g_rmdir(folder);
	return config;
}

static void test_defaults(void)
{
	g_autoptr(Config) none = config_read("/does/not/exist/lodge.conf", NULL);
	g_assert_cmpint(none->log_level, ==, 1 + LOG_LEVEL_INFO);
	g_assert_cmpint(none->require_kvm, ==, TRI_NO);
	g_assert_null(none->user);
}

static void test_keys(void)
{
	g_autofree char *message = NULL;
	g_autoptr(Config) config = read_text("# about us\n\n user = qemu \nrequire-kvm=yes\n"
					     "log-level = debug\nqemu = /opt/qemu = new\n", &message);
	g_assert_cmpstr(message, ==, NULL);
	g_assert_cmpstr(config->user, ==, "qemu");
	g_assert_cmpstr(config->qemu, ==, "/opt/qemu = new");
	g_assert_cmpint(config->require_kvm, ==, TRI_YES);
	g_assert_cmpint(config->log_level, ==, 1 + LOG_LEVEL_DEBUG);
}

static void test_errors(void)
{
	static const struct { const char *text, *says; } cases[] = {
		{ "user = a\nwhatever = 3\n", "line 2: there is no key \"whatever\"" },
		{ "just words\n", "line 1: \"just words\" is not" },
		{ "\nrequire-kvm = perhaps\n", "line 2: require-kvm: \"perhaps\"" },
		{ "log-level = loud\n", "line 1: log-level" },
	};
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *message = NULL;
		g_assert_null(read_text(cases[i].text, &message));
		if (!strstr(message, cases[i].says))
			g_error("\"%s\" says \"%s\"", cases[i].text, message);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/config/defaults", test_defaults);
	g_test_add_func("/config/keys", test_keys);
	g_test_add_func("/config/errors", test_errors);
	return g_test_run();
}
