/* The size of a running guest's disk, changed so that the guest sees it. See run.h and
 * ENGINE_ASK_RESIZE. Facts: block_resize and query-named-block-nodes of QEMU's qapi. */
#include "base/error.h"
#include "engine/qemu/run.h"

#include <stdio.h>
#include <string.h>

#define RESIZE_MS 60000 /* a file system may take its time over a large file */

/* The size of the block node @name now; 0: there is none. */
static guint64 size_of(EngineRun *run, const char *name, GError **error)
{
	json_t *nodes = qmp_call(run->qmp, "query-named-block-nodes",
				 json_pack("{s:b}", "flat", TRUE), QMP_MS, error),
	       *node;
	guint64 size = 0;
	size_t i;
	json_array_foreach(
		nodes, i,
		node) if (!g_strcmp0(json_string_value(json_object_get(node, "node-name")), name))
		size = (guint64)json_integer_value(
			json_object_get(json_object_get(node, "image"), "virtual-size"));
	if (nodes && !size)
		fail(error, LODGE_ERROR_NOT_FOUND, "guest \"%s\": QEMU has no image %s with a size",
		     run->name, name);
	json_decref(nodes);
	return size;
}

/* The node that the guest sees: of a transient disk what lies on its image. The caller frees it. */
static char *node_of(EngineRun *run, guint64 number, guint64 *bytes, GError **error)
{
	char *name = g_strdup_printf("libvirt-%" G_GUINT64_FORMAT "-scratch", number);
	*bytes = size_of(run, name, NULL);
	if (*bytes)
		return name;
	g_free(name);
	name = g_strdup_printf("libvirt-%" G_GUINT64_FORMAT "-format", number);
	*bytes = size_of(run, name, error);
	if (!*bytes)
		g_clear_pointer(&name, g_free);
	return name;
}

char *run_resize(EngineRun *run, const char *text, GError **error)
{
	guint64 number = 0, bytes = 0;
	char how[8] = "";
	if (sscanf(text, "%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %7s", &number, &bytes, how) <
	    2) {
		fail(error, LODGE_ERROR_INTERNAL, "\"%s\" says no size", text);
		return NULL;
	}
	guint64 before;
	g_autofree char *name = node_of(run, number, &before, error);
	if (!name)
		return NULL;
	if (bytes < before && !g_str_equal(how, "shrink")) {
		fail(error, LODGE_ERROR_INVALID,
		     "guest \"%s\": %" G_GUINT64_FORMAT
		     " bytes are less than the disk's %" G_GUINT64_FORMAT
		     "; what lies beyond would be lost, and the guest runs with it",
		     run->name, bytes, before);
		return NULL;
	}
	json_t *done =
		qmp_call(run->qmp, "block_resize",
			 json_pack("{s:s, s:I}", "node-name", name, "size", (json_int_t)bytes),
			 RESIZE_MS, error);
	json_decref(done);
	return done ? g_strdup_printf("%" G_GUINT64_FORMAT, before) : NULL;
}
