/* The program tc, for those files of this room that bound bandwidths. */
#pragma once

#include <glib.h>

/* Runs the lines of @batch. UNSUPPORTED where tc is missing or a line fails; with @may_fail lines may, and
 * the others are done all the same. Not on the main loop: takes a millisecond or two. */
gboolean tc_batch(const GString *batch, gboolean may_fail, GError **error);
