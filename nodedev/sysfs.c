/* See sysfs.h. Source: the kernel's Documentation/filesystems/sysfs; udev's database: systemd's
 * device-private.c (lines "S:link", "E:name=value"). */
#include "nodedev/sysfs.h"
#include "base/error.h"
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_TEXT 4096
#define MAX_UDEV (64u << 10) /* bytes of a device's entry in udev's database */
#define MAX_NAMES 65536

static char *place(const NodeTree *tree, const char *path, const char *name)
{
	return name ? g_strconcat(tree->root, path, "/", name, NULL) : g_strconcat(tree->root, path, NULL);
}

gsize sysfs_bytes(const NodeTree *tree, const char *path, const char *name, guint8 *bytes, gsize size)
{
	g_autofree char *file = place(tree, path, name);
	autofd int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	gsize n = 0;
	while (fd >= 0 && n < size) {
		ssize_t got = read(fd, bytes + n, size - n);
		if (got <= 0)
			break;
		n += (gsize)got;
	}
	return n;
}

char *sysfs_text(const NodeTree *tree, const char *path, const char *name)
{
	char buffer[MAX_TEXT + 1];
	gsize n = sysfs_bytes(tree, path, name, (guint8 *)buffer, MAX_TEXT);
	buffer[n] = '\0';
	g_strstrip(buffer);
	return *buffer ? g_utf8_make_valid(buffer, -1) : NULL;
}

OptUint sysfs_uint(const NodeTree *tree, const char *path, const char *name, guint base)
{
	g_autofree char *text = sysfs_text(tree, path, name);
	char *end = NULL;
	if (!text || !g_ascii_isxdigit(*text))
		return (OptUint){ 0 };
	guint64 value = g_ascii_strtoull(text, &end, base);
	return *end ? (OptUint){ 0 } : OPT_UINT(value);
}

OptInt sysfs_int(const NodeTree *tree, const char *path, const char *name)
{
	g_autofree char *text = sysfs_text(tree, path, name);
	char *end = NULL;
	gint64 value = text ? g_ascii_strtoll(text, &end, 10) : 0;
	return text && end != text && !*end ? OPT_INT(value) : (OptInt){ 0 };
}

char *sysfs_link(const NodeTree *tree, const char *path, const char *name)
{
	g_autofree char *file = place(tree, path, name);
	g_autofree char *target = g_file_read_link(file, NULL);
	return target ? g_path_get_basename(target) : NULL;
}

gboolean sysfs_exists(const NodeTree *tree, const char *path, const char *name)
{
	g_autofree char *file = place(tree, path, name);
	return access(file, F_OK) == 0;
}

static gint by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

GPtrArray *sysfs_names(const NodeTree *tree, const char *path, const char *name)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *folder = place(tree, path, name);
	DIR *dir = opendir(folder);
	struct dirent *entry;
	while (dir && names->len < MAX_NAMES && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			g_ptr_array_add(names, g_strdup(entry->d_name));
	if (dir)
		closedir(dir);
	g_ptr_array_sort(names, by_name);
	return names;
}

char *sysfs_resolve(const NodeTree *tree, const char *path)
{
	g_autofree char *link = place(tree, path, NULL);
	g_autofree char *target = g_file_read_link(link, NULL);
	const char *rest = target;
	while (rest && g_str_has_prefix(rest, "../"))
		rest += 3;
	if (!rest || !g_str_has_prefix(rest, "devices/") || strstr(rest, "/../"))
		return NULL;
	return g_strconcat("/sys/", rest, NULL);
}

gboolean sysfs_write(const NodeTree *tree, const char *path, const char *name, const char *text,
		     GError **error)
{
	g_autofree char *file = place(tree, path, name);
	autofd int fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return fail_errno(error, errno, "%s", file);
	size_t n = strlen(text);
	if (write(fd, text, n) != (ssize_t)n)
		return fail_errno(error, errno, "%s: the kernel refuses \"%.*s\"", file,
				  (int)strcspn(text, "\n"), text);
	return TRUE;
}

/* ---- properties ---- */

struct NodeProperties {
	GHashTable *values; /* char * to char * */
	GPtrArray *links;
};

static void take_line(NodeProperties *properties, char *line)
{
	char *value = strchr(line, '=');
	if (!value)
		return;
	*value++ = '\0';
	g_hash_table_replace(properties->values, g_strdup(line), g_utf8_make_valid(value, -1));
}

static void take_udev_line(NodeProperties *properties, char *line)
{
	if (g_str_has_prefix(line, "E:"))
		take_line(properties, line + 2);
	if (g_str_has_prefix(line, "S:"))
		g_ptr_array_add(properties->links, g_strconcat("/dev/", line + 2, NULL));
}

static void take_file(NodeProperties *properties, const NodeTree *tree, const char *path, const char *name,
		      gsize size, void (*take)(NodeProperties *, char *))
{
	g_autofree char *text = g_malloc(size + 1);
	gsize n = sysfs_bytes(tree, path, name, (guint8 *)text, size);
	text[n] = '\0';
	char *rest = NULL;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		take(properties, line);
}

/* The name of its entry in udev's database: b8:0, c116:2, n3, +pci:0000:00:02.0. */
static char *udev_id(const NodeProperties *properties, const NodeTree *tree, const char *path)
{
	const char *major = node_property(properties, "MAJOR"), *minor = node_property(properties, "MINOR");
	const char *index = node_property(properties, "IFINDEX");
	g_autofree char *subsystem = sysfs_link(tree, path, "subsystem");
	if (major && minor)
		return g_strdup_printf("%c%s:%s", !g_strcmp0(subsystem, "block") ? 'b' : 'c', major, minor);
	if (index)
		return g_strdup_printf("n%s", index);
	return subsystem ? g_strdup_printf("+%s:%s", subsystem, strrchr(path, '/') + 1) : NULL;
}

NodeProperties *node_properties(const NodeTree *tree, const char *path, gboolean udev)
{
	NodeProperties *properties = g_new0(NodeProperties, 1);
	properties->values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	properties->links = g_ptr_array_new_with_free_func(g_free);
	take_file(properties, tree, path, "uevent", MAX_TEXT, take_line);
	g_autofree char *id = udev ? udev_id(properties, tree, path) : NULL;
	if (id && !strchr(id, '/'))
		take_file(properties, tree, "/run/udev/data", id, MAX_UDEV, take_udev_line);
	g_ptr_array_sort(properties->links, by_name);
	return properties;
}

const char *node_property(const NodeProperties *properties, const char *name)
{
	return g_hash_table_lookup(properties->values, name);
}

const GPtrArray *node_property_links(const NodeProperties *properties)
{
	return properties->links;
}

void node_properties_free(NodeProperties *properties)
{
	g_hash_table_unref(properties->values);
	g_ptr_array_unref(properties->links);
	g_free(properties);
}
