/* Runs QEMU's image tool for what Lodge does not do itself: other formats, conversion, encryption.
 * A secret reaches it as an open file, never as a word of its command line.
 *
 * Neighbours: create.c, copy.c, resize.c and others say the words; cli/ hands whole command lines
 * to it. */
#pragma once

#include <gio/gio.h>

#include "host/spawn.h"

/* How long work is followed and ended by who asked for it. Members may be NULL. */
typedef struct ImageWork {
	/* How far it is, 0..1; on the worker's thread. */
	void (*progress)(double fraction, gpointer data);
	gpointer data;
	GCancellable *cancel;
} ImageWork;

/* A secret for an encrypted image: any bytes. */
typedef struct ImageSecret {
	const void *bytes;
	gsize length;
} ImageSecret;

/* The number that a secret's file has in the tool; see image_secret_object. */
#define IMAGE_SECRET_FD 9
#define IMAGE_FROM_SECRET_FD 10

typedef struct ImageTool {
	const char *const *argv;   /* behind the program's name: "create", "-f", ...; NULL at the end */
	const ImageSecret *secret; /* becomes the file IMAGE_SECRET_FD; NULL: none */
	const ImageSecret *from_secret; /* the same for the image that is read: IMAGE_FROM_SECRET_FD */
	const SpawnFd *fds;	   /* more files for it */
	guint n_fds;
	const char *cwd;	/* where relative names start; NULL: "/" */
	const char *about;	/* begins messages: "image \"/x\" cannot be created" */
	const ImageWork *work;	/* its progress (give it -p) and its cancel; NULL: none */
} ImageTool;

/* The file of qemu-img, which the caller frees: the first in PATH that is not ourselves under that
 * name. NULL with NOT_FOUND and the package that has it. Any thread. */
char *image_tool_find(GError **error);

/* Runs it to its end. @out (may be NULL) receives what it wrote to standard output, at most 16 MiB,
 * which the caller frees. What it complains of is the error: NO_SPACE, IN_USE, DENIED, NOT_FOUND
 * where its words say so, ABORTED after a cancel, SYSTEM otherwise. It never outlives the calling
 * thread. A failure that is only a busy host's ("Unable to get accurate CPU usage", which it says
 * when it cannot measure how fast it hashes) is tried again. Blocks: not on the main loop. */
gboolean image_tool_run(const ImageTool *how, char **out, GError **error);

/* An open file in memory with the bytes of @secret, at its beginning; the caller closes it. -1 on
 * failure. Any thread. */
int image_secret_file(const ImageSecret *secret, GError **error);
