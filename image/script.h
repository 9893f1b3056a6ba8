/* Runs a recipe script and reads what it says; the private half of build.h. */
#pragma once

#include "image/build.h"

/* image_record_read()'s other half; durable. */
gboolean image_record_write(const char *path, const ImageRecord *record, GError **error);

/* Runs @argv in a session of its own until it and all that it started have ended. Lines `progress
 * PERCENT TEXT` go to how->progress; `package NAME VERSION` to @packages. Codes of errors as
 * image_build() has them. Blocks; any thread. */
gboolean script_run(const ImageBuild *how, const char *const *argv, GPtrArray *packages,
		    GError **error);
