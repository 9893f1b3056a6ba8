/* See create.h. */
#include "image/create.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "host/why.h"
#include "image/chain.h"
#include "image/overlay.h"
#include "image/part.h"
#include "image/qcow2_write.h"
#include "image/trust.h"

const EnumTable image_preallocs = ENUM_TABLE("preallocation", "off", "metadata", "falloc", "full");

#define SECTOR 512

/* ---- what is asked for ---- */

static guint64 round_up(guint64 size)
{
	return (size + SECTOR - 1) & ~(guint64)(SECTOR - 1);
}

/* The size of the disk, from what is said and what is below. */
static gboolean find_size(const ImageCreate *how, guint64 *size, GError **error)
{
	if (how->size > G_MAXINT64 - SECTOR)
		return fail_with(error, LODGE_ERROR_INVALID, LODGE_DETAIL_TOO_LARGE,
				 "image \"%s\": a disk of %" G_GUINT64_FORMAT " bytes cannot be made",
				 how->path, how->size);
	*size = round_up(how->size);
	if (!how->backing)
		return *size > 0 || how->format == IMAGE_RAW ||
		       fail(error, LODGE_ERROR_INVALID,
			    "image \"%s\": a disk of 0 bytes cannot be made", how->path);
	g_autofree char *resolved = image_resolve(how->path, how->backing, "backing file", error);
	g_autoptr(GPtrArray) links = NULL;
	if (!resolved || !(links = image_chain(resolved, how->backing_format, error)))
		return FALSE;
	const ImageLink *below = g_ptr_array_index(links, 0);
	if (!below->size.set && *size == 0)
		return fail(error, LODGE_ERROR_INVALID,
			    "image \"%s\": the size of \"%s\" is not known, so a size must be given",
			    how->path, resolved);
	if (*size != 0 && *size < opt_uint_or(below->size, 0))
		return fail(error, LODGE_ERROR_INVALID,
			    "image \"%s\": %" G_GUINT64_FORMAT " bytes are less than the %" G_GUINT64_FORMAT
			    " of \"%s\" below it", how->path, *size, below->size.v, resolved);
	*size = *size ? *size : round_up(below->size.v);
	return TRUE;
}

static gboolean check_options(const ImageCreate *how, GError **error)
{
	gboolean qcow2 = how->format == IMAGE_QCOW2;
	if (!enum_name(&image_formats, (int)how->format))
		return fail(error, LODGE_ERROR_INVALID, "image \"%s\": its format must be said",
			    how->path);
	if (how->backing && !enum_name(&image_formats, (int)how->backing_format))
		return fail(error, LODGE_ERROR_INVALID,
			    "image \"%s\": the format of its backing file \"%s\" must be said",
			    how->path, how->backing);
	if (!qcow2 && (how->cluster_size || how->compat || how->lazy_refcounts || how->extended_l2))
		return fail(error, LODGE_ERROR_INVALID,
			    "image \"%s\": cluster size, compat, lazy_refcounts and extended_l2 are "
			    "options of qcow2, not of %s", how->path,
			    enum_name(&image_formats, (int)how->format));
	if (how->backing && !qcow2 && how->format != IMAGE_QCOW && how->format != IMAGE_VMDK)
		return fail_with(error, LODGE_ERROR_INVALID, LODGE_DETAIL_NO_BACKING,
				 "image \"%s\": an image of format %s has no backing file; use qcow2",
				 how->path, enum_name(&image_formats, (int)how->format));
	if (how->format == IMAGE_LUKS && !how->secret)
		return fail(error, LODGE_ERROR_INVALID, "image \"%s\": luks needs a secret", how->path) ||
		       error_detail(error, LODGE_DETAIL_MISSING, "target/encryption");
	return !how->cluster_size || (how->cluster_size & (how->cluster_size - 1)) == 0 ||
	       fail(error, LODGE_ERROR_INVALID,
		    "image \"%s\": a cluster size must be a power of two from 512 bytes to 2 MiB",
		    how->path);
}

/* ---- written here ---- */

static gboolean is_plain(const ImageCreate *how)
{
	if (how->secret || how->options)
		return FALSE;
	if (how->format == IMAGE_QCOW2)
		return how->preallocation <= IMAGE_PREALLOC_OFF;
	return how->format == IMAGE_RAW && how->preallocation != IMAGE_PREALLOC_FULL &&
	       how->preallocation != IMAGE_PREALLOC_METADATA;
}

static gboolean write_raw(const ImageCreate *how, int fd, guint64 size)
{
	if (ftruncate(fd, (off_t)size) < 0)
		return FALSE;
	if (how->preallocation != IMAGE_PREALLOC_FALLOC || size == 0)
		return TRUE;
	int errnum = posix_fallocate(fd, 0, (off_t)size);
	errno = errnum;
	return errnum == 0;
}

static gboolean write_plain(const ImageCreate *how, guint64 size, GError **error)
{
	Qcow2New image = { .size = size, .version = how->compat, .lazy_refcounts = how->lazy_refcounts,
			   .extended_l2 = how->extended_l2, .backing = how->backing,
			   .backing_format = enum_name(&image_formats, (int)how->backing_format) };
	if (how->cluster_size)
		image.cluster_bits = (guint)__builtin_ctzll(how->cluster_size);
	gboolean qcow2 = how->format == IMAGE_QCOW2;
	if (qcow2 && !qcow2_new_check(&image, error)) {
		g_prefix_error(error, "image \"%s\": ", how->path);
		return FALSE;
	}
	g_auto(ImagePart) part = { .fd = -1 };
	if (!image_part_begin(how->path, FALSE, &part, error))
		return FALSE;
	gboolean ok = qcow2 ? qcow2_new_write(part.fd, &image) : write_raw(how, part.fd, size);
	if (!ok || (how->mode && fchmod(part.fd, how->mode) < 0))
		return fail_errno(error, errno, "image \"%s\" cannot be written", how->path);
	if (how->backing)
		image_trust_link(part.fd, how->backing);
	return image_part_finish(&part, FALSE, how->flush, error);
}

/* ---- written by qemu-img ---- */

static void add_option(GString *options, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void add_option(GString *options, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	if (options->len)
		g_string_append_c(options, ',');
	g_string_append_vprintf(options, format, args);
	va_end(args);
}

char *image_create_options(const ImageCreate *how)
{
	GString *options = g_string_new(NULL);
	if (how->preallocation)
		add_option(options, "preallocation=%s",
			   enum_name(&image_preallocs, (int)how->preallocation));
	if (how->cluster_size)
		add_option(options, "cluster_size=%" G_GUINT64_FORMAT, how->cluster_size);
	if (how->compat)
		add_option(options, "compat=%s", how->compat == 2 ? "0.10" : "1.1");
	if (how->lazy_refcounts)
		add_option(options, "lazy_refcounts=on");
	if (how->extended_l2)
		add_option(options, "extended_l2=on");
	if (how->secret && how->format == IMAGE_LUKS)
		add_option(options, "key-secret=lodge");
	if (how->secret && how->format != IMAGE_LUKS)
		add_option(options, "encrypt.format=luks,encrypt.key-secret=lodge");
	if (how->options)
		add_option(options, "%s", how->options);
	return g_string_free(options, FALSE);
}

#define TEXT_OF(n) #n
#define NUMBER_TEXT(n) TEXT_OF(n)
const char image_secret_object[] = "secret,id=lodge,file=/dev/fd/" NUMBER_TEXT(IMAGE_SECRET_FD);
const char image_from_secret_object[] = "secret,id=lodgefrom,file=/dev/fd/" NUMBER_TEXT(IMAGE_FROM_SECRET_FD);

static gboolean run_create(const ImageCreate *how, const char *to, guint64 size, GError **error)
{
	g_autofree char *options = image_create_options(how);
	g_autofree char *bytes = g_strdup_printf("%" G_GUINT64_FORMAT, size);
	g_autofree char *about = g_strdup_printf("image \"%s\" cannot be created", how->path);
	const char *argv[20];
	guint n = 0;
	argv[n++] = "create";
	argv[n++] = "-q";
	argv[n++] = "-f";
	argv[n++] = enum_name(&image_formats, (int)how->format);
	if (how->secret) {
		argv[n++] = "--object";
		argv[n++] = image_secret_object;
	}
	if (*options) {
		argv[n++] = "-o";
		argv[n++] = options;
	}
	if (how->backing) { /* looked at before; relative names do not start where the part is */
		argv[n++] = "-u";
		argv[n++] = "-b";
		argv[n++] = how->backing;
		argv[n++] = "-F";
		argv[n++] = enum_name(&image_formats, (int)how->backing_format);
	}
	argv[n++] = to;
	argv[n++] = bytes;
	argv[n] = NULL;
	const ImageTool tool = { .argv = argv, .secret = how->secret, .about = about,
				 .work = how->work };
	return image_tool_run(&tool, NULL, error);
}

static gboolean make_by_tool(const ImageCreate *how, guint64 size, GError **error)
{
	g_auto(ImagePart) part = { .fd = -1 };
	if (!image_part_begin(how->path, TRUE, &part, error) ||
	    !run_create(how, part.temp, size, error))
		return FALSE;
	part.fd = open(part.temp, O_RDWR | O_CLOEXEC);
	if (part.fd < 0 || fchmod(part.fd, how->mode ? how->mode : 0600) < 0)
		return fail_errno(error, errno, "image \"%s\" cannot be written", how->path);
	if (how->backing)
		image_trust_link(part.fd, how->backing);
	return image_part_finish(&part, FALSE, how->flush, error);
}

gboolean image_make(const ImageCreate *how, GError **error)
{
	guint64 size = 0;
	if (!check_options(how, error) || !find_size(how, &size, error))
		return FALSE;
	/* Asked for first, so that no work is done in vain; the part's end decides. */
	if (access(how->path, F_OK) == 0)
		return fail(error, LODGE_ERROR_EXISTS,
			    "image \"%s\" exists already; remove it or choose another name", how->path);
	g_autoptr(GError) why = NULL;
	return (is_plain(how) ? write_plain(how, size, &why) : make_by_tool(how, size, &why)) ||
	       fail_full(error, g_steal_pointer(&why), how->path);
}

/* ---- overlay.h ---- */

gboolean image_create(const char *path, guint64 size, GError **error)
{
	const ImageCreate how = { .path = path, .format = IMAGE_QCOW2, .size = size };
	return image_make(&how, error);
}

gboolean image_create_overlay(const char *path, const char *backing, ImageFormat backing_format,
			      guint64 size, GError **error)
{
	const ImageCreate how = { .path = path, .format = IMAGE_QCOW2, .size = size,
				  .backing = backing, .backing_format = backing_format };
	return image_make(&how, error);
}
