/* Formats by their magic; see format.h. One row per magic. */
#include "image/format.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/open.h"
#include "host/why.h"

const EnumTable image_formats =
	ENUM_TABLE("disk format", "raw", "qcow2", "qcow", "vmdk", "vdi", "vhdx", "vpc", "luks");

#define SECTOR 512

typedef enum SizeKind { SIZE_NONE, SIZE_BE64, SIZE_LE64, SIZE_SECTORS_LE64 } SizeKind;

/* Where a format shows itself and where it keeps the size of the disk. */
static const struct {
	ImageFormat format;
	gboolean at_end; /* in the last sector of the file */
	guint offset;
	const char *magic;
	guint length;
	SizeKind size_kind;
	guint size_offset;
} magics[] = {
	{ IMAGE_QCOW2, FALSE, 0, "QFI\xfb\0\0\0\2", 8, SIZE_BE64, 24 },
	{ IMAGE_QCOW2, FALSE, 0, "QFI\xfb\0\0\0\3", 8, SIZE_BE64, 24 },
	{ IMAGE_QCOW, FALSE, 0, "QFI\xfb\0\0\0\1", 8, SIZE_BE64, 24 },
	{ IMAGE_VMDK, FALSE, 0, "KDMV", 4, SIZE_SECTORS_LE64, 12 },
	{ IMAGE_VMDK, FALSE, 0, "COWD", 4, SIZE_NONE, 0 },
	{ IMAGE_VMDK, FALSE, 0, "# Disk DescriptorFile", 21, SIZE_NONE, 0 },
	{ IMAGE_VDI, FALSE, 64, "\x7f\x10\xda\xbe", 4, SIZE_LE64, 368 },
	{ IMAGE_VHDX, FALSE, 0, "vhdxfile", 8, SIZE_NONE, 0 },
	{ IMAGE_VPC, FALSE, 0, "conectix", 8, SIZE_BE64, 48 },
	{ IMAGE_LUKS, FALSE, 0, "LUKS\xba\xbe\0\1", 8, SIZE_NONE, 0 },
	{ IMAGE_VPC, TRUE, 0, "conectix", 8, SIZE_BE64, 48 },
};

int image_open(const char *path, GError **error)
{
	/* Not blocking: a fifo or a device without medium must not hold us up. */
	autofd int fd = host_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0) {
		fail_open(error, errno, path, FALSE, "image \"%s\" cannot be opened", path);
		return -1;
	}
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
		fail(error, LODGE_ERROR_INVALID, "\"%s\" is no disk image, but a %s", path,
		     S_ISDIR(st.st_mode) ? "folder" : "special file");
		return -1;
	}
	return fd_steal(&fd);
}

gssize image_read_at(int fd, void *buffer, gsize length, guint64 offset)
{
	gsize done = 0;
	while (done < length) {
		gssize n = pread(fd, (char *)buffer + done, length - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		done += (gsize)n;
	}
	return (gssize)done;
}

static OptUint size_at(const guint8 *sector, SizeKind kind, guint offset)
{
	guint64 raw;
	memcpy(&raw, sector + offset, sizeof(raw));
	guint64 le = GUINT64_FROM_LE(raw), be = GUINT64_FROM_BE(raw);
	if (kind == SIZE_BE64 && be <= G_MAXINT64)
		return OPT_UINT(be);
	if (kind == SIZE_LE64 && le <= G_MAXINT64)
		return OPT_UINT(le);
	if (kind == SIZE_SECTORS_LE64 && le <= G_MAXINT64 / SECTOR)
		return OPT_UINT(le * SECTOR);
	return (OptUint){ 0 };
}

gboolean image_probe(int fd, const char *name, ImageFacts *facts, GError **error)
{
	struct stat st;
	off_t end = lseek(fd, 0, SEEK_END); /* block devices have no st_size */
	if (end < 0 || fstat(fd, &st) < 0)
		return fail_errno(error, errno, "image \"%s\" cannot be examined", name);
	guint8 sectors[2][SECTOR] = { 0 }; /* the first, the last */
	if (image_read_at(fd, sectors[0], SECTOR, 0) < 0 ||
	    (end >= 2 * SECTOR && image_read_at(fd, sectors[1], SECTOR, (guint64)end - SECTOR) < 0))
		return fail_errno(error, errno, "image \"%s\" cannot be read", name);
	ImageFacts found = { .format = IMAGE_RAW,
			     .size = OPT_UINT((guint64)end),
			     .allocated = (guint64)st.st_blocks * 512 };
	for (guint i = 0; i < G_N_ELEMENTS(magics) && found.format == IMAGE_RAW; i++) {
		const guint8 *sector = sectors[magics[i].at_end];
		if (memcmp(sector + magics[i].offset, magics[i].magic, magics[i].length) != 0)
			continue;
		found.format = magics[i].format;
		found.size = size_at(sector, magics[i].size_kind, magics[i].size_offset);
	}
	*facts = found;
	return TRUE;
}

ImageFormat image_probe_format(int fd, const char *name, GError **error)
{
	ImageFacts facts;
	return image_probe(fd, name, &facts, error) ? facts.format : 0;
}
