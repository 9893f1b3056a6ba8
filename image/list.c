/* Lists images; see list.h. */
#include "image/list.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "image/build.h"
#include "image/chain.h"
#include "image/qcow2.h"

static const Row info_rows[] = {
	STRING(ImageInfo, name, NULL, .flags = ROW_REQUIRED, .doc = "Name"),
	ENUM(ImageInfo, format, NULL, image_formats, .doc = "Format"),
	SIZE(ImageInfo, size, NULL, .doc = "Size"),
	SIZE(ImageInfo, used, NULL, .doc = "Used"),
	STRING(ImageInfo, os, NULL, .doc = "System"),
	STRING(ImageInfo, backing, NULL, .doc = "Backing file"),
	STRING(ImageInfo, login, NULL),
	STRING(ImageInfo, built, NULL),
	STRING(ImageInfo, path, NULL),
};
const Shape image_info_shape = SHAPE("image", ImageInfo, info_rows);

static const Row list_rows[] = {
	LIST(ImageList, images, NULL, image_info_shape, .doc = "Images"),
};
const Shape image_list_shape = SHAPE("images", ImageList, list_rows);

/* Ends of names that are not images: records, and what a build has beside its result. */
static const char *const others[] = { ".json", ".part", ".lock" };

static gboolean may_be_image(const char *name)
{
	for (guint i = 0; i < G_N_ELEMENTS(others); i++)
		if (g_str_has_suffix(name, others[i]))
			return FALSE;
	return *name != '.';
}

static void fill_from_record(ImageInfo *info, const char *image)
{
	ImageRecord *record = image_record_read(image, NULL);
	if (!record)
		return;
	info->os = g_strdup(record->os);
	info->login = g_strdup(record->login);
	info->built = g_strdup(record->built);
	shape_free(&image_record_shape, record);
}

/* What the header says; of a linked image also whose system is below. */
static gboolean fill_from_header(ImageInfo *info, int fd, GError **error)
{
	ImageFacts facts;
	if (!image_probe(fd, info->path, &facts, error))
		return FALSE;
	info->format = (int)facts.format;
	info->size = facts.size;
	info->used = OPT_UINT(facts.allocated);
	if (facts.format != IMAGE_QCOW2)
		return TRUE;
	g_auto(Qcow2Header) header = { 0 };
	if (!qcow2_read(fd, info->path, &header, error))
		return FALSE;
	info->size = OPT_UINT(header.size);
	if (!header.backing_file)
		return TRUE;
	info->backing = g_utf8_make_valid(header.backing_file, -1);
	g_autofree char *below =
		image_resolve(info->path, header.backing_file, "backing file", NULL);
	if (below && !info->os)
		fill_from_record(info, below);
	return TRUE;
}

static ImageInfo *read_image(const char *folder, const char *file, GError **error)
{
	ImageInfo *info = shape_new(&image_info_shape);
	g_autofree char *valid = g_utf8_make_valid(file, -1);
	info->name = g_str_has_suffix(valid, ".qcow2")
			     ? g_strndup(valid, strlen(valid) - strlen(".qcow2"))
			     : g_steal_pointer(&valid);
	info->path = g_build_filename(folder, file, NULL);
	autofd int fd = image_open(info->path, error);
	if (fd >= 0) {
		fill_from_record(info, info->path);
		if (fill_from_header(info, fd, error))
			return info;
	}
	shape_free(&image_info_shape, info);
	return NULL;
}

static int by_name(gconstpointer a, gconstpointer b)
{
	return strcmp((*(const ImageInfo *const *)a)->name, (*(const ImageInfo *const *)b)->name);
}

static gboolean is_file(const char *folder, const char *name)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	struct stat st;
	return stat(path, &st) == 0 && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode));
}

gboolean image_list(const char *folder, ImageList *list, Notes *notes, GError **error)
{
	if (access(folder, F_OK) < 0 && errno == ENOENT)
		return TRUE;
	g_autoptr(GError) problem = NULL;
	g_autoptr(GDir) dir = g_dir_open(folder, 0, &problem);
	if (!dir)
		return fail(error, LODGE_ERROR_SYSTEM, "%s", problem->message);
	guint looked_at = 0;
	for (const char *file; (file = g_dir_read_name(dir));) {
		if (looked_at++ == IMAGE_LIST_MAX) {
			notes_add(notes, "folder \"%s\": only the first %d entries are listed",
				  folder, IMAGE_LIST_MAX);
			break;
		}
		if (!may_be_image(file) || !is_file(folder, file))
			continue;
		g_autoptr(GError) unread = NULL;
		ImageInfo *info = read_image(folder, file, &unread);
		if (info)
			shape_append(&list->images, &image_info_shape, info);
		else
			notes_add(notes, "%s", unread->message);
	}
	if (list->images)
		g_ptr_array_sort(list->images, by_name);
	return TRUE;
}

char *image_find(const char *folder, const char *name, GError **error)
{
	if (strchr(name, '/')) {
		if (access(name, F_OK) == 0)
			return g_strdup(name);
		fail_errno(error, errno, "image \"%s\" cannot be used", name);
		return NULL;
	}
	static const char *const ends[] = { ".qcow2", "" };
	for (guint i = 0; i < G_N_ELEMENTS(ends); i++) {
		g_autofree char *file = g_strconcat(name, ends[i], NULL);
		if (may_be_image(file) && is_file(folder, file))
			return g_build_filename(folder, file, NULL);
	}
	fail(error, LODGE_ERROR_NOT_FOUND,
	     "there is no image \"%s\" in %s; see `lodge image list`, or build one with `lodge "
	     "image "
	     "build %s`",
	     name, folder, name);
	return NULL;
}
