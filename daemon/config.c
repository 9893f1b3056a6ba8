/* See config.h. */
#include "daemon/config.h"
#include "base/error.h"

#include <string.h>

#define MAX_CONFIG 65536 /* bytes */

static const EnumTable log_levels = ENUM_TABLE("log level", "debug", "info", "warning", "error");

static const Row rows[] = {
	STRING(Config, user, NULL, .doc = "QEMU runs as this user where root runs the daemon"),
	STRING(Config, group, NULL, .doc = "members may use the socket of root's daemon"),
	STRING(Config, libvirt_folder, NULL,
	       .doc = "also serve libvirt's clients here: /run/libvirt makes this host's virsh find us"),
	STRING(Config, qemu, NULL, .doc = "path of the emulator"),
	TRI(Config, require_kvm, NULL, .dflt = "no",
	    .doc = "refuse guests of type kvm where KVM does not work, instead of emulating"),
	ENUM(Config, log_level, NULL, log_levels, .dflt = "info", .doc = "what goes to the log"),
};

const Shape config_shape = SHAPE("configuration", Config, rows);

void config_free(Config *config)
{
	shape_free(&config_shape, config);
}

static const Row *find_key(const char *key)
{
	for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *name = shape_arg_name(&rows[i]);
		if (g_str_equal(name, key))
			return &rows[i];
	}
	return NULL;
}

/* One line, without its comment; changes @line. */
static gboolean take_line(Config *config, char *line, GError **error)
{
	g_strstrip(line);
	if (*line == '\0' || *line == '#')
		return TRUE;
	char *value = strchr(line, '=');
	if (!value)
		return fail(error, LODGE_ERROR_INVALID, "\"%s\" is not \"key = value\"", line);
	*value++ = '\0';
	const Row *row = find_key(g_strstrip(line));
	if (!row)
		return fail(error, LODGE_ERROR_INVALID, "there is no key \"%s\"", line);
	g_autoptr(GError) why = NULL;
	if (!shape_arg_from_text(row, config, g_strstrip(value), &why))
		return fail(error, LODGE_ERROR_INVALID, "%s: %s", line, why->message);
	return TRUE;
}

Config *config_read(const char *path, GError **error)
{
	g_autoptr(Config) config = shape_new(&config_shape);
	g_autofree char *text = NULL;
	gsize len = 0;
	g_autoptr(GError) why = NULL;
	if (!g_file_get_contents(path, &text, &len, &why)) {
		if (!g_error_matches(why, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
			fail(error, LODGE_ERROR_SYSTEM, "%s", why->message);
			return NULL;
		}
	} else if (len > MAX_CONFIG || memchr(text, 0, len)) {
		fail(error, LODGE_ERROR_INVALID, "%s is not a configuration file", path);
		return NULL;
	}
	g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
	for (guint i = 0; lines[i]; i++) {
		g_clear_error(&why);
		if (take_line(config, lines[i], &why))
			continue;
		fail(error, LODGE_ERROR_INVALID, "%s, line %u: %s", path, i + 1, why->message);
		return NULL;
	}
	shape_defaults(&config_shape, config);
	return g_steal_pointer(&config);
}
