/* See resize.h. */
#include "image/resize.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/open.h"
#include "host/why.h"
#include "image/chain.h"
#include "image/header.h"
#include "image/lock.h"

/* qemu-img's words for an image with a secret; the caller frees it. */
static char *locked_words(const ImageResize *how)
{
	g_auto(GStrv) parts = g_strsplit(how->path, ",", -1);
	g_autofree char *file = g_strjoinv(",,", parts);
	return g_strdup_printf("driver=%s,encrypt.format=luks,encrypt.key-secret=lodge,file.filename=%s",
			       enum_name(&image_formats, (int)how->format), file);
}

/* The tool opens what the header names, and writes to its data file: only where that may be. */
static gboolean may_open(const ImageResize *how, GError **error)
{
	g_autoptr(GPtrArray) links = image_chain(how->path, how->format, error);
	return links != NULL;
}

static gboolean resize_by_tool(const ImageResize *how, GError **error)
{
	g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, how->size);
	g_autofree char *about = g_strdup_printf("image \"%s\" cannot be resized", how->path);
	g_autofree char *prealloc = g_strdup_printf("--preallocation=%s", how->preallocation ?
		enum_name(&image_preallocs, (int)how->preallocation) : "off");
	g_autofree char *words = how->secret ? locked_words(how) : NULL;
	const char *argv[12];
	guint n = 0;
	argv[n++] = "resize";
	argv[n++] = "-q";
	argv[n++] = how->secret ? "--image-opts" : "-f";
	argv[n++] = how->secret ? "--object" : enum_name(&image_formats, (int)how->format);
	if (how->secret)
		argv[n++] = image_secret_object;
	if (how->shrink)
		argv[n++] = "--shrink";
	if (how->preallocation > IMAGE_PREALLOC_OFF)
		argv[n++] = prealloc;
	argv[n++] = words ? words : how->path;
	argv[n++] = size;
	argv[n] = NULL;
	const ImageTool tool = { .argv = argv, .secret = how->secret, .about = about, .work = how->work };
	return image_tool_run(&tool, NULL, error);
}

/* Makes the file as long as the disk and what stands before it: the header of LUKS, which does not tell the
 * size, so that no key is needed. */
static gboolean resize_file(const ImageResize *how, int fd, const ImageHeader *header, GError **error)
{
	int errnum = 0;
	guint64 before = header->physical, extra = before - opt_uint_or(header->capacity, before), after;
	if (!g_uint64_checked_add(&after, how->size, extra) || after > G_MAXINT64)
		return fail(error, LODGE_ERROR_INVALID, "image \"%s\": the size is too large", how->path);
	if (after > before && how->preallocation >= IMAGE_PREALLOC_FALLOC)
		errnum = posix_fallocate(fd, (off_t)before, (off_t)(after - before));
	else if (ftruncate(fd, (off_t)after) < 0)
		errnum = errno;
	if (errnum == 0 && fsync(fd) < 0)
		errnum = errno;
	if (errnum == 0)
		return TRUE;
	if (after > before && ftruncate(fd, (off_t)before) < 0)
		errnum = errno;
	return fail_errno(error, errnum, "image \"%s\" cannot be resized", how->path);
}

/* What QEMU says of internal snapshots is short; and of encryption, that a parameter is missing. */
static gboolean check_header(const ImageResize *how, const ImageHeader *header, GError **error)
{
	gboolean shrinks = how->size < opt_uint_or(header->capacity, 0);
	if (shrinks && !how->shrink)
		return fail(error, LODGE_ERROR_INVALID,
			    "image \"%s\": %" G_GUINT64_FORMAT " bytes are less than its %" G_GUINT64_FORMAT
			    "; what lies beyond would be lost: say that it may shrink", how->path, how->size,
			    opt_uint_or(header->capacity, 0));
	if (header->snapshots && (shrinks || header->compat == 2))
		return fail(error, LODGE_ERROR_INVALID,
			    "image \"%s\" has %u internal snapshots: it cannot %s; delete them first "
			    "(qemu-img snapshot -l lists them, -d deletes one)%s", how->path,
			    header->snapshots, shrinks ? "shrink" : "change its size",
			    shrinks ? "" : ", or bring it to version 1.1 (qemu-img amend -o compat=1.1)");
	if (header->crypt != IMAGE_CRYPT_NONE && how->format != IMAGE_LUKS && !how->secret)
		return fail(error, LODGE_ERROR_INVALID,
			    "image \"%s\" is encrypted: its size cannot change without its secret (define "
			    "one with usage volume and this path)", how->path);
	return TRUE;
}

gboolean image_resize(const ImageResize *how, GError **error)
{
	autofd int fd = host_open(how->path, O_RDWR | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0)
		return fail_open(error, errno, how->path, TRUE, "image \"%s\" cannot be resized", how->path);
	g_auto(ImageHeader) header = { 0 };
	if (!image_header_read(fd, how->path, how->format, &header, error))
		return FALSE;
	if (!check_header(how, &header, error))
		return FALSE;
	g_autoptr(GError) why = NULL;
	/* the tool takes the lock itself */
	gboolean by_tool = how->format != IMAGE_RAW && how->format != IMAGE_LUKS, ok;
	if (by_tool)
		ok = image_lock_check(fd, how->path, IMAGE_USE_WRITE, &why) && may_open(how, &why) &&
		     resize_by_tool(how, &why);
	else
		ok = image_lock(fd, how->path, IMAGE_USE_WRITE, &why) && resize_file(how, fd, &header, &why);
	return ok || fail_full(error, g_steal_pointer(&why), how->path);
}
