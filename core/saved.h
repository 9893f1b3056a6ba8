/* The file of a saved guest, in libvirt's format, so that either can read what the other wrote: a
 * header, the live definition as XML, QEMU's stream. Facts: libvirt's qemu_saveimage.h.
 * Neighbours: save.c is the user; adopt.c mends documents in copies. */
#pragma once

#include "image/part.h"
#include "model/guest.h"

typedef struct Saved {
	Guest *guest; /* the live definition */
	gboolean was_running;
	int fd; /* at the stream; a pipe where the file is compressed */
	pid_t child; /* who uncompresses it; 0: nobody */
	int pidfd;
	char *xml; /* the definition as it stands */
	guint64 room, stream; /* bytes that the definition may take; where the stream begins */
} Saved;

/* A file in the making. It has no name until it is whole, so that a crash leaves nothing, and what had
 * the name before stays until then. Devices are written where they are. */
typedef struct SavedPart {
	ImagePart part; /* .path NULL: a device or link, written in place */
	int fd;		/* positioned at the stream; that of .part, or of the device */
} SavedPart;

/* Begins the file @path with the definition of @live, marked as unfinished. The caller ends it with
 * saved_finish() or saved_drop(). Any thread. */
gboolean saved_begin(const char *path, const Guest *live, gboolean was_running, SavedPart *saved,
		     GError **error);
/* The stream is whole: marks the file as finished, has it on the disk and gives it its name. Ends @saved,
 * also on failure. */
gboolean saved_finish(SavedPart *saved, const char *path, GError **error);
/* Nothing of it stays. */
void saved_drop(SavedPart *saved);
/* Which file it will be, for saved_is_finished(); 0 for a device. */
guint64 saved_inode(const SavedPart *saved);
/* Whether @path is the finished file that a daemon before had begun with that inode. */
gboolean saved_is_finished(const char *path, guint64 inode);
/* Opens a finished file; without @stream only its beginning is read. The caller frees with saved_clear(). Any
 * thread. */
gboolean saved_open(const char *path, gboolean stream, Saved *saved, GError **error);
void saved_clear(Saved *saved);
/* The file @path with another definition (NULL: its own) or state (absent: its own): a copy, as long as the
 * guest's memory where the file system cannot share blocks, takes its place at once when it is whole. */
gboolean saved_rewrite(const char *path, const Guest *live, Tri running, GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Saved, saved_clear)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SavedPart, saved_drop)
