/* Runs the host's storage tools (mount, lvs, parted, ...): a fixed environment, a time limit, bounded
 * output, and errors that name the tool, what it said, or the package that has it.
 * Neighbours: the files of pool types. Blocks: never on the main loop. */
#pragma once

#include <gio/gio.h>

#define POOL_TOOL_MS 60000 /* for what should be quick */
#define POOL_TOOL_LONG_MS (30 * 60000) /* for what writes much: mkfs, wiping */

/* The tool's path; NULL with UNSUPPORTED and the package that has it. The caller frees it. Any thread. */
char *pool_tool_find(const char *name, GError **error);
/* Whether @name, and all further names up to NULL, are there. */
gboolean pool_tools_are_there(GError **error, const char *name, ...) G_GNUC_NULL_TERMINATED;
/* A run with more than words. Members may be NULL or 0. */
typedef struct PoolTool {
	const char *about;	 /* begins messages; must be said */
	const char *const *argv; /* NULL at the end; must be said */
	int ms;			 /* POOL_TOOL_MS where 0 */
	const char *input;	 /* for its standard input */
	const char *const *env;	 /* "NAME=VALUE", further ones; NULL at the end */
	GBytes *secret;		 /* becomes its file 9: "/dev/fd/9" */
} PoolTool;
#define POOL_TOOL_SECRET "/dev/fd/9"

gboolean pool_tool_do(const PoolTool *how, char **out, GError **error);
/* Runs @argv (NULL at the end) to its end, at most @ms. @out (may be NULL) receives what it said, freed
 * by the caller. An exit other than 0 is SYSTEM with the tool's words. @about begins messages. */
gboolean pool_tool_run(const char *about, const char *const *argv, int ms, char **out, GError **error);
/* The same with words, NULL at the end. */
gboolean pool_tool(const char *about, char **out, GError **error, ...) G_GNUC_NULL_TERMINATED;
/* The answer as JSON; warnings before the first '{' or '[' are dropped. NULL on failure. A new
 * reference. */
struct json_t *pool_tool_json(const char *about, GError **error, ...) G_GNUC_NULL_TERMINATED;
