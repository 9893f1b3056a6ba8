/* Writes qcow2 images; see overlay.h. The layout is what `qemu-img create` makes: clusters of 64
 * KiB,
 *
 *   0  header, extensions, name of the backing file
 *   1  refcount table (one entry)
 *   2  refcount block (covers 2 GiB of file, far more than the clusters that exist yet)
 *   3  L1 table, all zero: nothing is allocated
 */
#include "image/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/fd.h"
#include "image/chain.h"

#define CLUSTER_BITS 16
#define CLUSTER ((guint64)1 << CLUSTER_BITS)
#define PER_L1_ENTRY (CLUSTER * (CLUSTER / 8)) /* bytes of disk behind one entry: 512 MiB */
#define SIZE_MAX_BYTES ((guint64)1 << 50)      /* 1 PiB: an L1 table of 16 MiB */
#define L1_AT (3 * CLUSTER)
#define HEADER_LENGTH 112
#define BACKING_NAME_MAX 1023
#define EXT_BACKING_FORMAT 0xe2792acau

static void put32(GByteArray *out, guint32 value)
{
	guint32 be = GUINT32_TO_BE(value);
	g_byte_array_append(out, (const guint8 *)&be, sizeof(be));
}

static void put64(GByteArray *out, guint64 value)
{
	guint64 be = GUINT64_TO_BE(value);
	g_byte_array_append(out, (const guint8 *)&be, sizeof(be));
}

static void put_padded(GByteArray *out, const char *text)
{
	static const guint8 zeros[8];
	gsize length = strlen(text);
	g_byte_array_append(out, (const guint8 *)text, (guint)length);
	g_byte_array_append(out, zeros, (guint)(-length & 7));
}

static guint l1_entries(guint64 size)
{
	return (guint)((size + PER_L1_ENTRY - 1) / PER_L1_ENTRY);
}

/* Clusters of the L1 table; QEMU wants one even where nothing is in it. */
static guint l1_clusters(guint64 size)
{
	return MAX(1, (guint)((l1_entries(size) * 8 + CLUSTER - 1) / CLUSTER));
}

/* The first cluster's used part. */
static GByteArray *make_header(guint64 size, const char *backing, const char *format)
{
	GByteArray *h = g_byte_array_new();
	gsize format_length = backing ? 8 + ((strlen(format) + 7) & ~(gsize)7) : 0;
	put32(h, 0x514649fb);
	put32(h, 3);
	put64(h, backing ? HEADER_LENGTH + format_length + 8 : 0);
	put32(h, backing ? (guint32)strlen(backing) : 0);
	put32(h, CLUSTER_BITS);
	put64(h, size);
	put32(h, 0); /* not encrypted */
	put32(h, l1_entries(size));
	put64(h, L1_AT);
	put64(h, CLUSTER); /* refcount table */
	put32(h, 1);
	put32(h, 0); /* no snapshots */
	put64(h, 0);
	put64(h, 0); /* features: incompatible, compatible, autoclear */
	put64(h, 0);
	put64(h, 0);
	put32(h, 4); /* refcounts of 2^4 bits */
	put32(h, HEADER_LENGTH);
	put64(h, 0); /* compression: zlib, and padding */
	if (backing) {
		put32(h, EXT_BACKING_FORMAT);
		put32(h, (guint32)strlen(format));
		put_padded(h, format);
	}
	put64(h, 0); /* end of extensions */
	if (backing)
		g_byte_array_append(h, (const guint8 *)backing, (guint)strlen(backing));
	return h;
}

static gboolean write_at(int fd, const void *data, gsize length, guint64 offset)
{
	for (gsize done = 0; done < length;) {
		gssize n = pwrite(fd, (const char *)data + done, length - done,
				  (off_t)(offset + done));
		if (n < 0 && errno != EINTR)
			return FALSE;
		done += n > 0 ? (gsize)n : 0;
	}
	return TRUE;
}

/* Everything, on the disk. errno on failure. */
static gboolean write_image(int fd, guint64 size, const GByteArray *header)
{
	guint clusters = 3 + l1_clusters(size);
	guint64 block_at = GUINT64_TO_BE(2 * CLUSTER);
	g_autofree guint16 *counts = g_new(guint16, clusters);
	for (guint i = 0; i < clusters; i++)
		counts[i] = GUINT16_TO_BE(1);
	return ftruncate(fd, (off_t)(clusters * CLUSTER)) == 0 &&
	       write_at(fd, header->data, header->len, 0) &&
	       write_at(fd, &block_at, sizeof(block_at), CLUSTER) &&
	       write_at(fd, counts, clusters * sizeof(*counts), 2 * CLUSTER) && fsync(fd) == 0;
}

/* A file without a name in @folder; where the file system has none, one with a name, in @temp. */
static int open_nameless(const char *folder, char **temp)
{
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd;
	*temp = g_build_filename(folder, ".lodge-image-XXXXXX", NULL);
	return g_mkstemp_full(*temp, O_RDWR | O_CLOEXEC, 0600);
}

/* Gives the file its name, unless that is taken. */
static gboolean link_name(int fd, const char *temp, const char *path)
{
	if (temp)
		return link(temp, path) == 0;
	char self[32];
	g_snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0;
}

static gboolean sync_folder(const char *folder)
{
	autofd int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && fsync(fd) == 0;
}

static gboolean write_named(const char *path, guint64 size, const GByteArray *header)
{
	g_autofree char *folder = g_path_get_dirname(path), *temp = NULL;
	autofd int fd = open_nameless(folder, &temp);
	gboolean ok = fd >= 0 && write_image(fd, size, header) && link_name(fd, temp, path) &&
		      sync_folder(folder);
	int saved = errno;
	if (temp)
		unlink(temp);
	errno = saved;
	return ok;
}

static gboolean create(const char *path, guint64 size, const char *backing, const char *format,
		       GError **error)
{
	size = (size + 511) & ~(guint64)511;
	if (size == 0 || size > SIZE_MAX_BYTES)
		return fail(error, LODGE_ERROR_INVALID,
			    "image \"%s\": a disk of %" G_GUINT64_FORMAT " bytes cannot be made",
			    path, size);
	/* Asked for first, so that no work is done in vain; link() decides. */
	gboolean exists = access(path, F_OK) == 0;
	g_autoptr(GByteArray) header = make_header(size, backing, format);
	if (!exists && write_named(path, size, header))
		return TRUE;
	if (exists || errno == EEXIST)
		return fail(error, LODGE_ERROR_EXISTS,
			    "image \"%s\" exists already; remove it or choose another name", path);
	return fail_errno(error, errno, "image \"%s\" cannot be written", path);
}

gboolean image_create(const char *path, guint64 size, GError **error)
{
	return create(path, size, NULL, NULL, error);
}

gboolean image_create_overlay(const char *path, const char *backing, ImageFormat backing_format,
			      guint64 size, GError **error)
{
	const char *format = enum_name(&image_formats, (int)backing_format);
	if (!format)
		return fail(error, LODGE_ERROR_INVALID,
			    "image \"%s\": the format of its backing file \"%s\" must be said",
			    path, backing);
	g_autofree char *resolved = image_resolve(path, backing, "backing file", error);
	if (!resolved)
		return FALSE;
	g_autoptr(GPtrArray) links = image_chain(resolved, backing_format, error);
	if (!links)
		return FALSE;
	const ImageLink *below = g_ptr_array_index(links, 0);
	if (strlen(backing) > BACKING_NAME_MAX)
		return fail(error, LODGE_ERROR_INVALID,
			    "image \"%s\": the name of its backing file is longer than %d bytes",
			    path, BACKING_NAME_MAX);
	if (!below->size.set && size == 0)
		return fail(
			error, LODGE_ERROR_INVALID,
			"image \"%s\": the size of \"%s\" is not known, so a size must be given",
			path, resolved);
	if (size != 0 && size < opt_uint_or(below->size, 0))
		return fail(error, LODGE_ERROR_INVALID,
			    "image \"%s\": %" G_GUINT64_FORMAT
			    " bytes are less than the %" G_GUINT64_FORMAT " of \"%s\" below it",
			    path, size, below->size.v, resolved);
	return create(path, size ? size : below->size.v, backing, format, error);
}
