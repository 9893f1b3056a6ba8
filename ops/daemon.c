/* Verbs about the daemon itself. */
#include "config.h"
#include "ops/families.h"

#include <unistd.h>

typedef struct Version {
	ShapeHead head;
	char *version;
	char *api;
	OptInt pid;
	OptInt uid;
} Version;

static const Row version_rows[] = {
	STRING(Version, version, NULL, .doc = "Lodge"),
	STRING(Version, api, NULL, .doc = "API"),
	INT(Version, pid, NULL, .doc = "Daemon's pid"),
	INT(Version, uid, NULL, .doc = "Daemon's uid"),
};
static const Shape version_shape = SHAPE("version", Version, version_rows);

static gboolean version(OpCall *call, G_GNUC_UNUSED GError **error)
{
	Version *result = call->result;
	result->version = g_strdup(LODGE_VERSION);
	result->api = g_strdup("v1");
	result->pid = OPT_INT(getpid());
	result->uid = OPT_INT(getuid());
	return TRUE;
}

static const Op ops[] = {
	{ .name = "version", .family = "Host", .method = "GET", .route = "/v1/version",
	  .perm = OP_PERM_READ, .lane = OP_READ, .result = &version_shape, .show = OP_SHOW_FIELDS,
	  .doc = "Show the version of the daemon", .fn = version },
};

const OpFamily op_family_daemon = { ops, G_N_ELEMENTS(ops) };
