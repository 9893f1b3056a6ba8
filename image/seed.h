/* Cloud-init: what a guest is told at its first boot, as a small CD that it finds by its label (the
 * NoCloud source: https://cloudinit.readthedocs.io/en/latest/reference/datasources/nocloud.html). The
 * texts are kept beside the CD in lib/seed/UUID/, so that they can be changed later.
 *
 * Neighbours: ops/cloud_init.c has the verbs, ops/run.c makes seeds; core/undefine.c removes them. */
#pragma once

#include <glib.h>

/* The texts; each may be NULL. */
typedef struct ImageSeed {
	char *user_data, *meta_data, *network_config, *vendor_data;
} ImageSeed;

void image_seed_clear(ImageSeed *seed);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ImageSeed, image_seed_clear)

/* What is said by plain options; members may be NULL. */
typedef struct SeedWords {
	const char *uuid, *name; /* of the guest; needed */
	const char *hostname;	 /* NULL: the guest's name */
	const char *user;	 /* made, may become root without a password; NULL: the image's own user */
	const char *ssh_keys;	 /* lines as in authorized_keys, for that user */
	guint64 instance;	 /* counts up where the guest is to take it for a new machine */
} SeedWords;

/* Fills what @seed lacks from @words. Of texts that are given the words become an addition
 * (vendor-data), which the texts may overrule. INVALID names what cannot be. Any thread. */
gboolean image_seed_complete(ImageSeed *seed, const SeedWords *words, GError **error);

/* The folder of the guest @uuid below @lib, and the CD in it; the caller frees them. */
char *image_seed_folder(const char *lib, const char *uuid);
char *image_seed_path(const char *lib, const char *uuid);

/* Writes texts and CD, in place of what was there; a crash leaves the old or the new CD. UNSUPPORTED
 * where xorriso is missing. At most 1 MiB of each text. Any thread; takes about 20 ms. */
gboolean image_seed_write(const char *lib, const char *uuid, const ImageSeed *seed, GError **error);

/* Removes all of it; what is not there is fine. Any thread. */
void image_seed_remove(const char *lib, const char *uuid);

/* Reads the texts back; those that are not there are NULL. NOT_FOUND where the guest has none. */
gboolean image_seed_read(const char *lib, const char *uuid, ImageSeed *seed, GError **error);
