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
	g_assert_cmpint(none->flush_first, ==, TRI_NO);
	g_assert_null(none->user);
}

static void test_keys(void)
{
	g_autofree char *message = NULL;
	g_autoptr(Config) config = read_text("# about us\n\n user = qemu \nrequire-kvm=yes\n"
					     "log-level = debug\nflush-first = yes\n"
					     "qemu = /opt/qemu = new\n", &message);
	g_assert_cmpstr(message, ==, NULL);
	g_assert_cmpstr(config->user, ==, "qemu");
	g_assert_cmpstr(config->qemu, ==, "/opt/qemu = new");
	g_assert_cmpint(config->require_kvm, ==, TRI_YES);
	g_assert_cmpint(config->flush_first, ==, TRI_YES);
	g_assert_cmpint(config->log_level, ==, 1 + LOG_LEVEL_DEBUG);
}

/* A file that was written for libvirtd. */
static void test_libvirtd(void)
{
	g_autofree char *message = NULL;
	g_autoptr(Config) config = read_text(
		"listen_tls = 1\nlisten_tcp = 0 # not that\ntls_port = \"17000\"\n"
		"auth_unix_rw = \"sasl\"\nunix_sock_rw_perms = '0770'\nunix_sock_group = \"libvirt\"\n"
		"tls_allowed_dn_list = [\"C=GB,O=Red # Hat\", # one\n  'CN=b',\n\n]\n"
		"sasl_allowed_username_list = []\nkeepalive_interval = -1\nmax_clients = 100\n"
		"key_file = \"\"\"/a\"b\"\"\"\nlog_level = 3\nmin_workers = 5\nunix_sock_dir = \"/run/x\"\n"
		"access_drivers = [ \"polkit\" ]\n", &message);
	g_assert_cmpstr(message, ==, NULL);
	const LibvirtConfig *own = &config->libvirt;
	g_assert_true(own->listen_tls && !own->listen_tcp);
	g_assert_cmpstr(own->tls_port, ==, "17000");
	g_assert_cmpstr(own->tcp_port, ==, "16509");
	g_assert_cmpint(own->auth_unix_rw, ==, LIBVIRT_AUTH_SASL);
	g_assert_cmpint(own->auth_unix_ro, ==, LIBVIRT_AUTH_NONE);
	g_assert_cmpint(own->auth_tcp, ==, LIBVIRT_AUTH_SASL);
	g_assert_cmpuint(shape_len(own->tls_allowed_dn_list), ==, 2);
	g_assert_cmpstr(g_ptr_array_index(own->tls_allowed_dn_list, 0), ==, "C=GB,O=Red # Hat");
	g_assert_cmpint(own->keepalive_interval.v, ==, -1);
	g_assert_cmpuint(own->max_clients.v, ==, 100);
	g_assert_cmpstr(own->key_file, ==, "/a\"b");
	g_assert_cmpstr(own->ca_file, ==, "/etc/pki/CA/cacert.pem");
	g_assert_cmpstr(config->libvirt_folder, ==, "/run/x");
	g_assert_cmpint(config->log_level, ==, 1 + LOG_LEVEL_WARNING);
	mode_t rw, ro;
	libvirt_config_modes(own, 0600, &rw, &ro);
	g_assert_cmpint(rw, ==, 0770);
	g_assert_cmpint(ro, ==, 0666);
}

/* Who may reach the sockets where nothing is said. */
static void test_modes(void)
{
	mode_t rw, ro;
	g_autofree char *message = NULL;
	g_autoptr(Config) usual = read_text("", &message);
	libvirt_config_modes(&usual->libvirt, 0660, &rw, &ro);
	g_assert_cmpint(rw, ==, 0660);
	g_assert_cmpint(ro, ==, 0666);
	g_assert_false(usual->libvirt.listen_tls || usual->libvirt.listen_tcp);
	g_autoptr(Config) asked = read_text("auth_unix_rw = \"polkit\"", &message);
	libvirt_config_modes(&asked->libvirt, 0660, &rw, &ro);
	g_assert_cmpint(rw, ==, 0666);
}

static void test_errors(void)
{
	static const struct { const char *text, *says; } cases[] = {
		{ "user = a\nwhatever = 3\n", "line 2: there is no key \"whatever\"" },
		{ "just words\n", "line 1: \"just words\" is not" },
		{ "\nrequire-kvm = perhaps\n", "line 2: require-kvm: \"perhaps\"" },
		{ "log-level = loud\n", "line 1: log-level" },
		{ "user = \"a\nqemu = b\n", "line 1: the text in quotes has no end" },
		{ "user = \"a\" b\n", "line 1: there is something behind the value" },
		{ "\ntls_allowed_dn_list = [ \"a\" \"b\" ]\n", "line 2: the list has no ]" },
		{ "tls_allowed_dn_list = [ \"a\",\n", "line 1: a list is" },
		{ "user = [ \"a\" ]\n", "line 1: user: a list makes no sense here" },
		{ "auth_tls = \"sassl\"\n", "line 1: auth_tls: \"sassl\"" },
		{ "auth_tcp = \"polkit\"\n", "polkit knows only people of this host" },
		{ "unix_sock_rw_perms = \"0999\"\n", "\"0999\" is not a set of permission bits" },
		{ "max_clients = 0\n", "line 1: max_clients" },
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
	g_test_add_func("/config/libvirtd", test_libvirtd);
	g_test_add_func("/config/modes", test_modes);
	g_test_add_func("/config/errors", test_errors);
	return g_test_run();
}
