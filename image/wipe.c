/* See wipe.h. A pass is a pattern of one or three bytes, or random; an algorithm is a row of them. */
#include "image/wipe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/open.h"
#include "host/why.h"
#include "image/lock.h"

const EnumTable image_wipes = ENUM_TABLE("wipe algorithm", "zero", "nnsa", "dod", "bsi", "gutmann",
					 "schneier", "pfitzner7", "pfitzner33", "random", "trim");

#define BUFFER (3u << 18) /* a multiple of every pattern's length and of a page */

/* Words: `rand`, or the bytes of a pattern in hexadecimal. */
static const char *const passes[] = {
	[IMAGE_WIPE_ZERO] = "00",
	[IMAGE_WIPE_NNSA] = "rand rand 00",
	[IMAGE_WIPE_DOD] = "rand 00 ff",
	[IMAGE_WIPE_BSI] = "ff fe fd fb f7 ef df bf 7f",
	[IMAGE_WIPE_GUTMANN] = "rand rand rand rand 55 aa 924924 492492 249249 00 11 22 33 44 55 66 77 "
			       "88 99 aa bb cc dd ee ff 924924 492492 249249 6db6db b6db6d db6db6 rand "
			       "rand rand rand",
	[IMAGE_WIPE_SCHNEIER] = "00 ff rand rand rand rand rand",
	[IMAGE_WIPE_PFITZNER7] = "rand rand rand rand rand rand rand",
	[IMAGE_WIPE_PFITZNER33] = "rand rand rand rand rand rand rand rand rand rand rand rand rand rand "
				  "rand rand rand rand rand rand rand rand rand rand rand rand rand rand "
				  "rand rand rand rand rand",
	[IMAGE_WIPE_RANDOM] = "rand",
	[IMAGE_WIPE_TRIM] = "",
};

typedef struct Wiping {
	int fd;
	guint64 length;
	const ImageWork *work;
	guint8 *buffer;
	guint pass, n_passes;
} Wiping;

static gboolean fill_random(guint8 *buffer, gsize length)
{
	for (gsize done = 0; done < length;) {
		gssize n = getrandom(buffer + done, MIN(length - done, 256), 0);
		if (n < 0 && errno != EINTR)
			return FALSE;
		done += (gsize)MAX(n, 0);
	}
	return TRUE;
}

static void fill_pattern(guint8 *buffer, const char *word)
{
	gsize n = strlen(word) / 2;
	for (gsize i = 0; i < BUFFER; i++) {
		const char *digits = word + i % n * 2;
		buffer[i] = (guint8)(g_ascii_xdigit_value(digits[0]) << 4 | g_ascii_xdigit_value(digits[1]));
	}
}

static gboolean tell(const Wiping *w, guint64 done, GError **error)
{
	const ImageWork *work = w->work;
	double share = (w->pass + (double)done / (double)MAX(w->length, 1)) / w->n_passes;
	if (work && work->progress)
		work->progress(share, work->data);
	return !work || !g_cancellable_is_cancelled(work->cancel) ||
	       fail(error, LODGE_ERROR_ABORTED, "it was cancelled; part of it is overwritten");
}

/* Overwrites from @done to @end. */
static gboolean write_data(Wiping *w, guint64 done, guint64 end, gboolean random, GError **error)
{
	while (done < end) {
		/* A pattern goes on where it stopped. */
		gsize skip = done % 3, length = (gsize)MIN(end - done, BUFFER - 3);
		if (random && !fill_random(w->buffer, BUFFER))
			return fail_errno(error, errno, "there are no random numbers");
		gssize n = pwrite(w->fd, w->buffer + skip, length, (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno(error, errno, "it cannot be written");
		done += (guint64)n;
		if (!tell(w, done, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean run_pass(Wiping *w, const char *word, GError **error)
{
	gboolean random = g_str_equal(word, "rand");
	if (!random)
		fill_pattern(w->buffer, word);
	for (guint64 at = 0; at < w->length;) {
		off_t data = lseek(w->fd, (off_t)at, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			break; /* a hole to the end */
		off_t hole = data < 0 ? -1 : lseek(w->fd, data, SEEK_HOLE);
		guint64 end = hole < 0 ? w->length : MIN((guint64)hole, w->length);
		if (!write_data(w, data < 0 ? at : (guint64)data, end, random, error))
			return FALSE;
		at = end;
	}
	return fsync(w->fd) == 0 || fail_errno(error, errno, "it cannot be written");
}

static gboolean trim(const Wiping *w, GError **error)
{
	guint64 range[2] = { 0, w->length };
	struct stat st;
	gboolean ok = fstat(w->fd, &st) == 0;
	if (ok && S_ISBLK(st.st_mode))
		ok = ioctl(w->fd, BLKDISCARD, range) == 0;
	else if (ok && w->length)
		ok = fallocate(w->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)w->length) == 0;
	if (ok && fsync(w->fd) == 0)
		return TRUE;
	if (errno == EOPNOTSUPP)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "it is on a disk or file system that cannot be told so (trim)");
	return fail_errno(error, errno, "it cannot be trimmed");
}

static gboolean wipe(Wiping *w, ImageWipe algorithm, GError **error)
{
	if (algorithm == IMAGE_WIPE_TRIM)
		return trim(w, error);
	g_auto(GStrv) words = g_strsplit(passes[algorithm], " ", -1);
	w->n_passes = g_strv_length(words);
	w->buffer = g_malloc(BUFFER);
	gboolean ok = TRUE;
	for (w->pass = 0; ok && w->pass < w->n_passes; w->pass++)
		ok = run_pass(w, words[w->pass], error);
	g_free(w->buffer);
	return ok;
}

gboolean image_wipe(const char *path, ImageWipe algorithm, const ImageWork *work, GError **error)
{
	autofd int fd = host_open(path, O_RDWR | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0)
		return fail_open(error, errno, path, TRUE, "image \"%s\" cannot be wiped", path);
	off_t end = lseek(fd, 0, SEEK_END);
	if (end < 0)
		return fail_errno(error, errno, "image \"%s\" cannot be examined", path);
	if (!enum_name(&image_wipes, (int)algorithm))
		return fail(error, LODGE_ERROR_INVALID, "image \"%s\": no such way to wipe it", path);
	if (!image_lock(fd, path, IMAGE_USE_WRITE, error))
		return FALSE;
	Wiping w = { .fd = fd, .length = (guint64)end, .work = work };
	if (wipe(&w, algorithm, error))
		return TRUE;
	g_prefix_error(error, "image \"%s\" is not wiped: ", path);
	return FALSE;
}
