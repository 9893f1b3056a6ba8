/* See config.h. */
#include "daemon/config.h"
#include "base/error.h"
#include "daemon/syntax.h"

#include <string.h>

#define MAX_CONFIG 65536 /* bytes */

static const EnumTable log_levels = ENUM_TABLE("log level", "debug", "info", "warning", "error");

static const Row rows[] = {
	STRING(Config, user, NULL, .doc = "QEMU runs as this user where root runs the daemon"),
	STRING(Config, group, NULL, .doc = "members may use the socket of root's daemon"),
	STRING(Config, libvirt_folder, NULL,
	       .doc = "also serve libvirt's clients here: /run/libvirt makes this host's virsh find us"),
	STRING(Config, qemu, NULL, .doc = "path of the emulator"),
	TRI(Config, default_network, NULL,
	    .doc = "define the network 'default' where the daemon is new; not said: without --root"),
	TRI(Config, require_kvm, NULL, .dflt = "no",
	    .doc = "refuse guests of type kvm where KVM does not work, instead of emulating"),
	TRI(Config, flush_first, NULL, .dflt = "no",
	    .doc = "answer once a new, copied or uploaded volume is on the disk, instead of a moment before"),
	ENUM(Config, log_level, NULL, log_levels, .dflt = "info", .doc = "what goes to the log"),
	INLINE(Config, libvirt, NULL, LibvirtConfig, libvirt_config_shape),
};

const Shape config_shape = SHAPE("configuration", Config, rows);

/* Keys of libvirtd.conf that mean something to libvirtd's own workings: a file may go on having them. */
static const char *const without_meaning[] = {
	"access_drivers", "admin_keepalive_count", "admin_keepalive_interval",
	"admin_keepalive_required", "admin_max_client_requests", "admin_max_clients",
	"admin_max_queued_clients", "admin_max_workers", "admin_min_workers", "audit_level",
	"audit_logging", "host_uuid", "host_uuid_source", "keepalive_required", "log_filters",
	"log_outputs", "max_queued_clients", "max_workers", "mdns_adv", "mdns_name", "min_workers",
	"ovs_timeout", "prio_workers", "unix_sock_admin_perms", NULL,
};

void config_free(Config *config)
{
	shape_free(&config_shape, config);
}

/* Whether both are the same key: '-' is '_'. */
static gboolean is_key(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if ((*a == '-' ? '_' : *a) != (*b == '-' ? '_' : *b))
			return FALSE;
	return *a == *b;
}

/* The row of @key, and in *object what it is a member of. */
static const Row *find_key(Config *config, const char *key, gpointer *object)
{
	const Shape *const shapes[] = { &config_shape, &libvirt_config_shape };
	gpointer const objects[] = { config, &config->libvirt };
	if (g_str_equal(key, "unix_sock_dir")) /* libvirtd's name for it */
		key = "libvirt_folder";
	for (guint s = 0; s < G_N_ELEMENTS(shapes); s++)
		for (guint i = 0; i < shapes[s]->n; i++)
			if (shapes[s]->rows[i].kind != ROW_INLINE &&
			    is_key(shapes[s]->rows[i].name, key)) {
				*object = objects[s];
				return &shapes[s]->rows[i];
			}
	return NULL;
}

static gboolean take_values(const Row *row, gpointer object, const SyntaxLine *line, GError **error)
{
	if (line->is_list && row->kind != ROW_STRINGS)
		return fail(error, LODGE_ERROR_INVALID, "a list makes no sense here");
	for (char **value = line->values; *value; value++) {
		const char *text = *value;
		/* libvirtd counts its levels from 1, as we do */
		if (row->of == &log_levels && g_ascii_isdigit(*text) && text[1] == '\0')
			text = enum_name(&log_levels, *text - '0');
		if (!shape_arg_from_text(row, object, text ? text : *value, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean take_line(Config *config, const SyntaxLine *line, GError **error)
{
	gpointer object = NULL;
	const Row *row = find_key(config, line->key, &object);
	g_autoptr(GError) why = NULL;
	if (!row && g_strv_contains(without_meaning, line->key)) {
		log_info(NULL, "the key %s of the configuration has no meaning here", line->key);
		return TRUE;
	}
	if (!row)
		return fail(error, LODGE_ERROR_INVALID, "there is no key \"%s\"", line->key);
	if (!take_values(row, object, line, &why))
		return fail(error, LODGE_ERROR_INVALID, "%s: %s", line->key, why->message);
	return TRUE;
}

static gboolean take_lines(Config *config, const char *text, guint *at, GError **error)
{
	g_autoptr(GPtrArray) lines = syntax_read(text, at, error);
	for (guint i = 0; lines && i < lines->len; i++) {
		const SyntaxLine *line = g_ptr_array_index(lines, i);
		*at = line->line;
		if (!take_line(config, line, error))
			return FALSE;
	}
	return lines != NULL;
}

Config *config_read(const char *path, GError **error)
{
	g_autoptr(Config) config = shape_new(&config_shape);
	g_autofree char *text = NULL;
	gsize len = 0;
	guint line = 0;
	g_autoptr(GError) why = NULL;
	if (!g_file_get_contents(path, &text, &len, &why)) {
		if (!g_error_matches(why, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
			fail(error, LODGE_ERROR_SYSTEM, "%s", why->message);
			return NULL;
		}
		g_clear_error(&why);
	} else if (len > MAX_CONFIG || memchr(text, 0, len)) {
		fail(error, LODGE_ERROR_INVALID, "%s is not a configuration file", path);
		return NULL;
	}
	if (!take_lines(config, text ? text : "", &line, &why)) {
		fail(error, LODGE_ERROR_INVALID, "%s, line %u: %s", path, line, why->message);
		return NULL;
	}
	shape_defaults(&config_shape, config);
	if (!shape_check(&config_shape, config, NULL, &why)) {
		fail(error, LODGE_ERROR_INVALID, "%s: %s", path, why->message);
		return NULL;
	}
	return g_steal_pointer(&config);
}
