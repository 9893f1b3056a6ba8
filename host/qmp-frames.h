/* Cuts a stream of bytes into JSON messages, one per line, as QEMU's monitor and guest agent send
 * them. Bytes come from a process that a guest may have taken over: size and depth are bounded.
 * Neighbours: qmp.c feeds it from the socket, a fuzz target from files. */
#pragma once

#include <glib.h>
#include <jansson.h>

#define QMP_MESSAGE_MAX ((gsize)16 * 1024 * 1024)

typedef struct QmpFrames {
	GByteArray *rest; /* the line that has not ended yet; NULL where empty */
} QmpFrames;

/* @message is a JSON object, lent for the call. */
typedef void (*QmpMessageFn)(json_t *message, gpointer data);

/* Takes @length more bytes and calls @fn for each message that is complete with them. FALSE where
 * the stream is not the protocol: a line over QMP_MESSAGE_MAX, no JSON (deeper than jansson's 2048
 * levels included), no object; it cannot be used any more then. One thread at a time. */
gboolean qmp_frames_feed(QmpFrames *frames, const char *bytes, gsize length, QmpMessageFn fn,
			 gpointer data, GError **error);

/* Frees what is kept, not the struct. */
void qmp_frames_clear(QmpFrames *frames);

/* Reads one JSON text. Whole numbers above INT64_MAX, which QEMU sends for unsigned 64-bit values
 * and jansson refuses, become reals (about 16 digits of them hold); all others stay exact. NULL on
 * failure. A new reference. Any thread. */
json_t *qmp_json_load(const char *text, gsize length, GError **error);
