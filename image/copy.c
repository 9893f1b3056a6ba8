/* Copies of whole images; see copy.h. */
#include "image/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/why.h"
#include "image/chain.h"
#include "image/header.h"
#include "image/lock.h"
#include "image/part.h"
#include "image/resize.h"
#include "image/trust.h"

typedef struct Copying {
	const ImageCopy *how;
	ImageCreate to; /* with what was not said filled in */
	ImageHeader header; /* of what is read */
	int from;
	gboolean chained; /* something is below it */
} Copying;

static gboolean same_secret(const ImageSecret *a, const ImageSecret *b)
{
	return !b || (a && a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0);
}

/* Whether the bytes of the file are what is wanted, but perhaps for the size. */
static gboolean bytes_will_do(const Copying *c)
{
	const ImageCreate *to = &c->to;
	const ImageHeader *h = &c->header;
	if (to->format != c->how->from_format || c->chained || h->data_file || h->extents || h->snapshots ||
	    c->how->compressed || to->backing || to->options)
		return FALSE;
	return to->preallocation <= IMAGE_PREALLOC_OFF && same_secret(c->how->from_secret, to->secret) &&
	       (!to->cluster_size || to->cluster_size == h->cluster_size) &&
	       (!to->compat || to->compat == h->compat) && (!to->lazy_refcounts || h->lazy_refcounts) &&
	       (!to->extended_l2 || h->extended_l2);
}

static gboolean no_copy(const Copying *c, GError **error)
{
	g_prefix_error(error, "image \"%s\" cannot be copied to \"%s\": ", c->how->from, c->to.path);
	return FALSE;
}

/* ---- bytes as they are ---- */

static gboolean clone_bytes(const Copying *c, int to, gboolean *done, GError **error)
{
	*done = c->how->reflink != IMAGE_REFLINK_NEVER && ioctl(to, FICLONE, c->from) == 0;
	if (*done || c->how->reflink != IMAGE_REFLINK_ALWAYS)
		return TRUE;
	fail_with(error, LODGE_ERROR_UNSUPPORTED, LODGE_DETAIL_NO_REFLINK,
		  "a reflink is asked for, but the file system cannot do that here: %s", g_strerror(errno));
	return no_copy(c, error);
}

static gboolean copy_bytes(const Copying *c, int to, GError **error)
{
	gboolean done = FALSE;
	if (!clone_bytes(c, to, &done, error))
		return FALSE;
	if (!done && ftruncate(to, (off_t)c->header.physical) < 0 && !c->how->device) {
		fail_errno(error, errno, "it cannot be written");
		return no_copy(c, error);
	}
	return done || image_copy_range(c->from, 0, to, 0, c->header.physical, c->to.flush, c->to.work,
					error) ||
	       no_copy(c, error);
}

/* ---- through qemu-img ---- */

/* A value among options: commas are doubled; the caller frees it. */
static char *quote(const char *text)
{
	g_auto(GStrv) parts = g_strsplit(text, ",", -1);
	return g_strjoinv(",,", parts);
}

/* The source as --image-opts has it: with its secret where it has one. */
static char *source_words(const Copying *c)
{
	g_autofree char *file = quote(c->how->from);
	const char *format = enum_name(&image_formats, (int)c->how->from_format);
	const char *key = ",encrypt.key-secret=lodgefrom,encrypt.format=luks";
	if (!c->how->from_secret)
		key = "";
	else if (c->how->from_format == IMAGE_LUKS)
		key = ",key-secret=lodgefrom";
	else if (c->header.crypt == IMAGE_CRYPT_AES)
		key = ",encrypt.key-secret=lodgefrom,encrypt.format=aes";
	struct stat st; /* there are files below /dev, too: /dev/shm */
	gboolean device = stat(c->how->from, &st) == 0 && S_ISBLK(st.st_mode);
	return g_strdup_printf("driver=%s%s,file.driver=%s,file.filename=%s", format, key,
			       device ? "host_device" : "file", file);
}

static gboolean convert(const Copying *c, const char *target, GError **error)
{
	g_autofree char *source = source_words(c), *options = image_create_options(&c->to);
	g_autofree char *about = g_strdup_printf("image \"%s\" cannot be copied to \"%s\"", c->how->from,
						 c->to.path);
	g_autofree char *backing = c->to.backing ?
		image_resolve(c->to.path, c->to.backing, "backing file", error) : NULL;
	if (c->to.backing && !backing)
		return FALSE;
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	const char *const always[] = { "convert", "-p", "-W", "--image-opts", "-O",
				       enum_name(&image_formats, (int)c->to.format) };
	for (guint i = 0; i < G_N_ELEMENTS(always); i++)
		g_ptr_array_add(argv, (gpointer)always[i]);
	const char *const perhaps[][2] = {
		{ *options ? "-o" : NULL, options },
		{ backing ? "-B" : NULL, backing },
		{ backing ? "-F" : NULL, enum_name(&image_formats, (int)c->to.backing_format) },
		{ c->to.secret ? "--object" : NULL, image_secret_object },
		{ c->how->from_secret ? "--object" : NULL, image_from_secret_object },
	};
	for (guint i = 0; i < G_N_ELEMENTS(perhaps); i++)
		if (perhaps[i][0]) {
			g_ptr_array_add(argv, (gpointer)perhaps[i][0]);
			g_ptr_array_add(argv, (gpointer)perhaps[i][1]);
		}
	if (c->how->compressed)
		g_ptr_array_add(argv, (gpointer)"-c");
	if (c->how->device && c->to.format == IMAGE_RAW)
		g_ptr_array_add(argv, (gpointer)"-n");
	g_ptr_array_add(argv, source);
	g_ptr_array_add(argv, (gpointer)target);
	g_ptr_array_add(argv, NULL);
	const ImageTool tool = { .argv = (const char *const *)argv->pdata, .secret = c->to.secret,
				 .from_secret = c->how->from_secret, .about = about, .work = c->to.work };
	return image_tool_run(&tool, NULL, error);
}

/* The name of the backing file as it was said: relative names do not start where the part is. */
static gboolean rename_backing(const Copying *c, const char *target, GError **error)
{
	if (!c->to.backing || g_path_is_absolute(c->to.backing))
		return TRUE;
	const char *const argv[] = { "rebase", "-q", "-u", "-f", enum_name(&image_formats, (int)c->to.format),
				     "-b", c->to.backing, "-F",
				     enum_name(&image_formats, (int)c->to.backing_format), target, NULL };
	const ImageTool tool = { .argv = argv, .about = c->to.path };
	return image_tool_run(&tool, NULL, error);
}

/* ---- all of it ---- */

static gboolean enlarge(const Copying *c, const char *target, GError **error)
{
	guint64 capacity = opt_uint_or(c->header.capacity, 0);
	if (c->to.size <= capacity)
		return TRUE;
	const ImageResize resize = { .path = target, .format = c->to.format, .size = c->to.size,
				     .preallocation = c->to.preallocation == IMAGE_PREALLOC_METADATA &&
						     c->to.format == IMAGE_RAW ? 0 : c->to.preallocation,
				     .secret = c->to.secret ? c->to.secret : c->how->from_secret };
	return image_resize(&resize, error);
}

static gboolean grows(const Copying *c)
{
	return c->to.size > opt_uint_or(c->header.capacity, 0);
}

static gboolean copy_to_part(const Copying *c, GError **error)
{
	gboolean bytes = bytes_will_do(c);
	gboolean named = !bytes || (grows(c) && c->to.format != IMAGE_RAW);
	g_auto(ImagePart) part = { .fd = -1 };
	if (!image_part_begin(c->to.path, named, &part, error))
		return FALSE;
	if (bytes && named)
		part.fd = open(part.temp, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	if (bytes && part.fd < 0)
		return fail_errno(error, errno, "image \"%s\" cannot be made", c->to.path);
	gboolean ok = bytes ? copy_bytes(c, part.fd, error) :
			      convert(c, part.temp, error) && rename_backing(c, part.temp, error);
	if (!ok)
		return FALSE;
	if (named ? !enlarge(c, part.temp, error) :
		    grows(c) && ftruncate(part.fd, (off_t)c->to.size) < 0 &&
			    !fail_errno(error, errno, "image \"%s\" cannot be made", c->to.path))
		return FALSE;
	if (part.fd < 0)
		part.fd = open(part.temp, O_RDWR | O_CLOEXEC);
	if (part.fd < 0 || fchmod(part.fd, c->to.mode ? c->to.mode : 0600) < 0)
		return fail_errno(error, errno, "image \"%s\" cannot be made", c->to.path);
	if (c->to.backing)
		image_trust_link(part.fd, c->to.backing);
	return image_part_finish(&part, c->how->replace, c->to.flush, error);
}

/* Holes are not written, so the device is cleared first. */
static gboolean copy_to_device(const Copying *c, GError **error)
{
	if (!bytes_will_do(c))
		return convert(c, c->to.path, error);
	autofd int to = open(c->to.path, O_RDWR | O_CLOEXEC);
	if (to < 0)
		return fail_errno(error, errno, "image \"%s\" cannot be written", c->to.path);
	off_t end = lseek(to, 0, SEEK_END);
	if (end < 0 || (guint64)end < c->header.physical)
		return fail(error, LODGE_ERROR_NO_SPACE, "\"%s\" is smaller than \"%s\"", c->to.path,
			    c->how->from);
	if (!image_lock(to, c->to.path, IMAGE_USE_WRITE, error))
		return FALSE;
	if (fallocate(to, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 0, (off_t)c->header.physical) < 0)
		return convert(c, c->to.path, error);
	if (!image_copy_range(c->from, 0, to, 0, c->header.physical, IMAGE_FLUSH_FIRST, c->to.work, error))
		return no_copy(c, error);
	return fsync(to) == 0 || fail_errno(error, errno, "image \"%s\" cannot be written", c->to.path);
}

static gboolean look(Copying *c, GError **error)
{
	const ImageCopy *how = c->how;
	if (!how->from_format)
		return fail(error, LODGE_ERROR_INVALID, "image \"%s\": its format must be said", how->from);
	if (!how->device && !how->replace && access(c->to.path, F_OK) == 0)
		return fail(error, LODGE_ERROR_EXISTS,
			    "image \"%s\" exists already; remove it or choose another name", c->to.path);
	g_autoptr(GPtrArray) links = image_chain(how->from, how->from_format, error);
	if (!links)
		return FALSE;
	c->chained = links->len > 1;
	c->from = image_open(how->from, error);
	if (c->from < 0 || !image_lock(c->from, how->from, IMAGE_USE_READ, error) ||
	    !image_header_read(c->from, how->from, how->from_format, &c->header, error))
		return FALSE;
	guint64 capacity = opt_uint_or(c->header.capacity, 0);
	if (c->to.size && c->to.size < capacity)
		return fail(error, LODGE_ERROR_INVALID,
			    "image \"%s\": %" G_GUINT64_FORMAT " bytes are less than the %" G_GUINT64_FORMAT
			    " of \"%s\", which is to be copied", c->to.path, c->to.size, capacity, how->from);
	return TRUE;
}

gboolean image_copy(const ImageCopy *how, GError **error)
{
	Copying c = { .how = how, .to = how->to, .from = -1 };
	if (!c.to.format)
		c.to.format = how->from_format;
	g_autoptr(GError) why = NULL;
	gboolean ok = look(&c, &why) && (how->device ? copy_to_device(&c, &why) : copy_to_part(&c, &why));
	fd_clear(&c.from);
	image_header_clear(&c.header);
	return ok || fail_full(error, g_steal_pointer(&why), how->to.path);
}
