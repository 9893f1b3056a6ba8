/* Backing chains; see chain.h. */
#include "image/chain.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/why.h"
#include "image/header.h"
#include "image/qcow2.h"
#include "image/trust.h"

static void link_free(gpointer data)
{
	ImageLink *item = data;
	g_free(item->path);
	g_free(item->data_file);
	g_free(item);
}

/* QEMU takes what stands before the first colon for a protocol, unless a slash comes first. */
static gboolean is_file_name(const char *name)
{
	const char *stop = strpbrk(name, ":/");
	return !stop || *stop == '/';
}

char *image_resolve(const char *image, const char *name, const char *what, GError **error)
{
	const char *file = g_str_has_prefix(name, "file:") ? name + strlen("file:") : name;
	g_autofree char *shown = g_strescape(name, NULL);
	if (*file == '\0' || !is_file_name(file)) {
		fail(error, LODGE_ERROR_UNSUPPORTED,
		     "image \"%s\": its %s \"%s\" is not a file of this host; make one image of it "
		     "with "
		     "`qemu-img convert`",
		     image, what, shown);
		return NULL;
	}
	if (g_path_is_absolute(file))
		return g_strdup(file);
	g_autofree char *folder = g_path_get_dirname(image);
	return g_build_filename(folder, file, NULL);
}

/* One walk down a chain. */
typedef struct Walk {
	GPtrArray *links;
	GHashTable *seen; /* "device:inode" */
} Walk;

static gboolean open_link(Walk *walk, const char *path, int *fd, GError **error)
{
	*fd = image_open(path, error);
	struct stat st;
	if (*fd < 0)
		return FALSE;
	if (fstat(*fd, &st) < 0)
		return fail_errno(error, errno, "image \"%s\" cannot be examined", path);
	char *key = g_strdup_printf("%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT, (guint64)st.st_dev,
				    (guint64)st.st_ino);
	if (!g_hash_table_add(walk->seen, key))
		return fail(error, LODGE_ERROR_INVALID,
			    "image \"%s\" is its own backing file, over %u others", path,
			    walk->links->len - 1);
	return TRUE;
}

/* Where the header says no format of its backing file @path: a guess is safe only if that leads to
 * no further file. */
static ImageFormat guess_backing(const char *image, const char *path, GError **error)
{
	autofd int fd = image_open(path, error);
	ImageFormat format = fd < 0 ? 0 : image_probe_format(fd, path, error);
	if (format == IMAGE_QCOW2) {
		g_auto(Qcow2Header) header = { 0 };
		if (!qcow2_read(fd, path, &header, error))
			return 0;
		if (!header.backing_file && !header.data_file)
			return format;
	} else if (format == 0 || format == IMAGE_RAW) {
		return format;
	}
	fail(error, LODGE_ERROR_INVALID,
	     "image \"%s\" does not say the format of its backing file \"%s\"; if it is %s: "
	     "`qemu-img rebase -u -F %s -b %s %s`",
	     image, path, enum_name(&image_formats, (int)format),
	     enum_name(&image_formats, (int)format), path, image);
	return 0;
}

/* The backing file of @link_ by its header, as the next path and format. */
static gboolean next_link(const ImageLink *link_, const ImageHeader *header, char **path,
			  ImageFormat *format, GError **error)
{
	g_autofree char *next =
		image_resolve(link_->path, header->backing, "backing file", error);
	if (!next || !image_trusted(link_->path, next, "backing file", error))
		return FALSE;
	struct stat st;
	if (stat(next, &st) < 0)
		return fail_open(error, errno, next, FALSE,
				 "image \"%s\": its backing file \"%s\" is not there", link_->path, next);
	const char *said = header->backing_format;
	*format = (ImageFormat)(said ? enum_value(&image_formats, said) : 0);
	if (said && *format == 0)
		return fail(
			error, LODGE_ERROR_UNSUPPORTED,
			"image \"%s\": the format \"%s\" of its backing file \"%s\" is not known",
			link_->path, said, next);
	if (!said && (*format = guess_backing(link_->path, next, error)) == 0)
		return FALSE;
	*path = g_steal_pointer(&next);
	return TRUE;
}

static gboolean find_data_file(ImageLink *link_, const ImageHeader *header, GError **error)
{
	if (!header->data_file)
		return TRUE;
	if (!*header->data_file)
		return fail(error, LODGE_ERROR_INVALID,
			    "image \"%s\" has its data in another file, but does not say which",
			    link_->path);
	link_->data_file = image_resolve(link_->path, header->data_file, "data file", error);
	struct stat st;
	if (link_->data_file && !image_trusted(link_->path, link_->data_file, "data file", error))
		return FALSE;
	if (link_->data_file && stat(link_->data_file, &st) < 0)
		return fail_errno(error, errno, "image \"%s\": its data file \"%s\" is not there",
				  link_->path, link_->data_file);
	return link_->data_file != NULL;
}

/* What is said to be of a format must look so; a raw disk may look as it likes. */
static gboolean check_format(int fd, const char *path, ImageFormat format, GError **error)
{
	ImageFacts facts;
	if (!format || format == IMAGE_RAW)
		return TRUE;
	return image_probe(fd, path, &facts, error) &&
	       (facts.format == format ||
		fail(error, LODGE_ERROR_INVALID, "image \"%s\" is said to be %s, but it looks %s", path,
		     enum_name(&image_formats, (int)format), enum_name(&image_formats, (int)facts.format)));
}

/* Refuses what QEMU would complete with files that nobody looked at. */
static gboolean is_whole(const ImageLink *link_, const ImageHeader *header, GError **error)
{
	if (header->extents && header->extents->len)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "image \"%s\" is a list of other files, such as \"%s\"; make one image of them "
			    "with `lodge image convert`", link_->path,
			    (const char *)g_ptr_array_index(header->extents, 0));
	if (header->differencing)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "image \"%s\" holds only what differs from a parent image, which QEMU cannot "
			    "follow for %s; merge them with the program that made it", link_->path,
			    enum_name(&image_formats, (int)header->format));
	return TRUE;
}

/* Adds the link @path, and puts what follows into @path and @format; NULL at the end. */
static gboolean add_link(Walk *walk, char **path, ImageFormat *format, GError **error)
{
	ImageLink *added = g_new0(ImageLink, 1);
	added->path = g_steal_pointer(path);
	g_ptr_array_add(walk->links, added);
	autofd int fd = -1;
	g_auto(ImageHeader) header = { 0 };
	if (!open_link(walk, added->path, &fd, error) ||
	    !check_format(fd, added->path, *format, error) ||
	    !image_header_read(fd, added->path, *format, &header, error) ||
	    !is_whole(added, &header, error) || !find_data_file(added, &header, error))
		return FALSE;
	added->format = header.format;
	added->size = header.capacity;
	added->encrypted = header.crypt != IMAGE_CRYPT_NONE;
	return !header.backing || next_link(added, &header, path, format, error);
}

GPtrArray *image_chain(const char *path, ImageFormat format, GError **error)
{
	g_autoptr(GPtrArray) links = g_ptr_array_new_with_free_func(link_free);
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	Walk walk = { links, seen };
	g_autofree char *next = g_strdup(path);
	while (next) {
		if (links->len == IMAGE_CHAIN_MAX) {
			fail(error, LODGE_ERROR_UNSUPPORTED,
			     "image \"%s\" has more than %d backing files; merge them with "
			     "`qemu-img convert`",
			     path, IMAGE_CHAIN_MAX);
			return NULL;
		}
		if (!add_link(&walk, &next, &format, error))
			return NULL;
	}
	return g_steal_pointer(&links);
}
