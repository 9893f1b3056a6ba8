/* Overwrites what is in an image or device, so that nobody reads it afterwards; the file stays, with
 * its size. Patterns are those of scrub(1), by the names that `virsh vol-wipe --algorithm` has.
 * Neighbours: lock.h refuses what is in use; pool/ is the caller. */
#pragma once

#include "base/enums.h"
#include "image/tool.h"

typedef enum ImageWipe { /* virStorageVolWipeAlgorithm + 1 */
			 IMAGE_WIPE_ZERO = 1,
			 IMAGE_WIPE_NNSA,	/* NNSA NAP-14.1-C: random, random, zero */
			 IMAGE_WIPE_DOD,	/* DoD 5220.22-M, section 8-306: random, 0x00, 0xff */
			 IMAGE_WIPE_BSI,	/* 0xff fe fd fb f7 ef df bf 7f */
			 IMAGE_WIPE_GUTMANN,	/* 35 passes */
			 IMAGE_WIPE_SCHNEIER,	/* 0x00, 0xff, five times random */
			 IMAGE_WIPE_PFITZNER7,	/* seven times random */
			 IMAGE_WIPE_PFITZNER33, /* 33 times random */
			 IMAGE_WIPE_RANDOM,	/* once random */
			 IMAGE_WIPE_TRIM,	/* the disk is told that the space is free */
} ImageWipe;
extern const EnumTable image_wipes;

/* Overwrites all bytes of the file or device @path, each pass flushed. A sparse file is written where it
 * holds data, its holes hold nothing; TRIM frees all of it. IN_USE names who has it open; ABORTED after
 * a cancel: then part of it is overwritten. Any thread; blocks for long. */
gboolean image_wipe(const char *path, ImageWipe algorithm, const ImageWork *work, GError **error);
