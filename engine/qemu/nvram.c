/* See firmware.h: the file of a guest's UEFI variables. */
#include "engine/qemu/firmware.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "host/file.h"

#define TEMPLATE_LIMIT (64 * 1024 * 1024)

static gboolean has_variables(const GuestOs *os)
{
	return os->nvram && !g_strcmp0(os->loader_type, "pflash") &&
	       os->loader_stateless != TRI_YES;
}

/* Only a regular file is ever replaced: a device with variables on it is written by QEMU alone. */
static gboolean needs_file(const Guest *live, gboolean reset, gboolean *needs, GError **error)
{
	const char *path = live->os.nvram;
	struct stat st;
	if (stat(path, &st)) {
		if (errno != ENOENT)
			return fail_errno(error, errno, "guest \"%s\": nvram %s", live->name, path);
		*needs = TRUE;
		return TRUE;
	}
	if (reset && !S_ISREG(st.st_mode))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "guest \"%s\": nvram %s is no file and cannot be made anew", live->name,
			    path);
	*needs = reset || (S_ISREG(st.st_mode) && st.st_size == 0);
	return TRUE;
}

static gboolean make_folder(const char *path, GError **error)
{
	g_autofree char *folder = g_path_get_dirname(path);
	if (g_mkdir_with_parents(folder, 0700))
		return fail_errno(error, errno, "cannot make the folder %s", folder);
	return TRUE;
}

gboolean qemu_nvram_prepare(const Guest *live, gboolean reset, GError **error)
{
	const GuestOs *os = &live->os;
	gboolean needs = FALSE;
	gsize length = 0;
	if (!has_variables(os))
		return TRUE;
	if (!needs_file(live, reset, &needs, error))
		return FALSE;
	if (!needs)
		return TRUE;
	if (!os->nvram_template)
		return fail(
			error, LODGE_ERROR_NOT_FOUND,
			"guest \"%s\": there is no nvram %s and nothing to make it from; name a "
			"file with <nvram template='...'>",
			live->name, os->nvram);
	g_autofree char *data = file_read(os->nvram_template, TEMPLATE_LIMIT, &length, error);
	if (!data) {
		g_prefix_error(error, "guest \"%s\": template of the nvram: ", live->name);
		return FALSE;
	}
	g_autofree char *real = realpath(os->nvram, NULL); /* a link stays one */
	const char *path = real ? real : os->nvram;
	return make_folder(path, error) &&
	       file_write(path, data, length, 0600, FILE_DURABLE, error);
}
