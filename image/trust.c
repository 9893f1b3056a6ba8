/* See trust.h. */
#include "image/trust.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/error.h"

/* Only root can set the first; a daemon of a person uses the other. */
static const char *attribute(void)
{
	return geteuid() == 0 ? "trusted.lodge.backing" : "user.lodge.backing";
}

static GMutex lock;
static GHashTable *folders; /* real path -> count; under lock */

/* The path without links, or as it is where it is not there; the caller frees it. */
static char *real(const char *path)
{
	char *found = realpath(path, NULL);
	char *copy = found ? g_strdup(found) : g_canonicalize_filename(path, NULL);
	free(found);
	return copy;
}

static void count(const char *folder, int change)
{
	g_autofree char *path = real(folder);
	g_mutex_lock(&lock);
	if (!folders)
		folders = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	int n = GPOINTER_TO_INT(g_hash_table_lookup(folders, path)) + change;
	if (n > 0)
		g_hash_table_replace(folders, g_strdup(path), GINT_TO_POINTER(n));
	else
		g_hash_table_remove(folders, path);
	g_mutex_unlock(&lock);
}

void image_trust_folder(const char *folder)
{
	count(folder, 1);
}

void image_distrust_folder(const char *folder)
{
	count(folder, -1);
}

static gboolean is_below(const char *path, const char *folder)
{
	gsize n = strlen(folder);
	return strncmp(path, folder, n) == 0 && (path[n] == '/' || g_str_equal(folder, "/"));
}

static gboolean in_known_folder(const char *path)
{
	gboolean found = FALSE;
	g_mutex_lock(&lock);
	GHashTableIter iter;
	gpointer folder;
	if (folders) {
		g_hash_table_iter_init(&iter, folders);
		while (!found && g_hash_table_iter_next(&iter, &folder, NULL))
			found = is_below(path, folder);
	}
	g_mutex_unlock(&lock);
	return found;
}

/* Whether the attribute of @image leads to @path. */
static gboolean we_made_it(const char *image, const char *path)
{
	char name[PATH_MAX];
	ssize_t n = getxattr(image, attribute(), name, sizeof name - 1);
	if (n <= 0)
		return FALSE;
	name[n] = '\0';
	g_autofree char *folder = g_path_get_dirname(image);
	g_autofree char *full = g_canonicalize_filename(name, folder), *found = real(full);
	return g_str_equal(found, path);
}

gboolean image_trusted(const char *image, const char *path, const char *what, GError **error)
{
	g_autofree char *from = real(image), *to = real(path), *folder = g_path_get_dirname(from);
	g_autofree char *named = g_canonicalize_filename(path, NULL);
	/* In /dev everything is side by side, and names of logical volumes are links. */
	if ((is_below(to, folder) && !is_below(to, "/dev")) || in_known_folder(to) || we_made_it(from, to) ||
	    (is_below(named, "/dev") && in_known_folder(named)))
		return TRUE;
	g_autofree char *shown = g_strescape(path, NULL);
	return fail(error, LODGE_ERROR_DENIED,
		    "image \"%s\": its header names \"%s\" as its %s, which lies in no folder of images: "
		    "anybody who made the image could have written that. If it is right, name it in the "
		    "guest's definition (<backingStore>), or move it into the image's folder or a pool",
		    image, shown, what);
}

void image_trust_link(int fd, const char *backing)
{
	(void)!fsetxattr(fd, attribute(), backing, strlen(backing), 0);
}
