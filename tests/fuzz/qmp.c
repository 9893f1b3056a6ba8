/* Bytes as QEMU's monitor might send them, to the framing of host/qmp-frames: whole, and cut at a
 * place that the first byte names. Both ways must give the same messages. */
#include "host/qmp-frames.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(json_t *message, gpointer data)
{
	g_assert_true(json_is_object(message));
	++*(guint *)data;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	const char *text = (const char *)data + 1;
	size_t length = size - 1, cut = data[0] % (length + 1);
	QmpFrames whole = { 0 }, pieces = { 0 };
	guint n_whole = 0, n_pieces = 0;
	gboolean ok = qmp_frames_feed(&whole, text, length, count, &n_whole, NULL);
	gboolean ok_pieces =
		qmp_frames_feed(&pieces, text, cut, count, &n_pieces, NULL) &&
		qmp_frames_feed(&pieces, text + cut, length - cut, count, &n_pieces, NULL);
	g_assert_true(ok == ok_pieces);
	g_assert_cmpuint(n_whole, ==, n_pieces);
	qmp_frames_clear(&whole);
	qmp_frames_clear(&pieces);
	return 0;
}
