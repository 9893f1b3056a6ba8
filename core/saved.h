/* The file of a saved guest, in libvirt's format, so that either can read what the other wrote: a
 * header, the live definition as XML, QEMU's stream. Facts: libvirt's qemu_saveimage.h.
 * Neighbours: save.c is the only user. */
#pragma once

#include "model/guest.h"

typedef struct Saved {
	Guest *guest; /* the live definition */
	gboolean was_running;
	int fd; /* positioned at the stream */
} Saved;

/* Makes the file @path (replacing one) with the definition of @live, marked as unfinished. Returns an
 * fd positioned where the stream goes, the caller's, or -1. Any thread. */
int saved_create(const char *path, const Guest *live, gboolean was_running, GError **error);
/* The stream is whole: marks the file as finished and flushes it. */
gboolean saved_finish(int fd, const char *path, GError **error);
/* Opens a finished file. The caller frees with saved_clear(). */
gboolean saved_open(const char *path, Saved *saved, GError **error);
void saved_clear(Saved *saved);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Saved, saved_clear)
