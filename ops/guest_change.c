/* Verbs that change one thing of a guest while it runs, or of what its next start will use: a link, what the
 * guest's ends do, when a disk that grows is told of. Names, options and texts are virsh's.
 * Neighbours: tune.h has what the verbs that change share; guest_bounds.c bounds what it may use. */
#include "core/core.h"
#include "ops/families.h"
#include "ops/tune.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define ON_GUEST(method_, perm_, lane_)                                                            \
	.family = "Guests", .target = OP_ON_GUEST, .method = method_, .perm = perm_, .lane = lane_
#define CONFIG_ROW(T) FLAG(T, config, NULL, .doc = "of what the next start will use")
#define LIVE_ROW(T) FLAG(T, live, NULL, .doc = "of what runs")

/* ---- domif-setlink, domif-getlink ---- */

typedef enum Link { LINK_UP = 1, LINK_DOWN } Link;
static const EnumTable links = ENUM_TABLE("state of a link", "up", "down");

typedef struct LinkArgs {
	ShapeHead head;
	char *interface;
	Link state;
	gboolean config;
} LinkArgs;

#define NIC_ROW                                                                                    \
	STRING(LinkArgs, interface, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,                  \
	       .doc = "its MAC address, or its name on the host")
static const Row setlink_rows[] = {
	NIC_ROW,
	ENUM(LinkArgs, state, NULL, links, .flags = ROW_POSITIONAL | ROW_REQUIRED, .doc = "up or down"),
	CONFIG_ROW(LinkArgs),
};
static const Shape setlink_args = SHAPE("domif-setlink-args", LinkArgs, setlink_rows);
static const Row getlink_rows[] = { NIC_ROW, CONFIG_ROW(LinkArgs) };
static const Shape getlink_args = SHAPE("domif-getlink-args", LinkArgs, getlink_rows);

static Interface *find_nic(const Guest *guest, const char *name, GError **error)
{
	SHAPE_EACH (Interface, interface, guest->interfaces)
		if (!g_strcmp0(interface->target, name) ||
		    (interface->mac && g_ascii_strcasecmp(interface->mac, name) == 0))
			return interface;
	fail(error, LODGE_ERROR_INVALID, "guest \"%s\" has no interface (interface: %s)", guest->name, name);
	return NULL;
}

static gboolean edit_link(Guest *guest, gpointer data, GError **error)
{
	const LinkArgs *args = data;
	Interface *nic = find_nic(guest, args->interface, error);
	if (!nic)
		return FALSE;
	g_free(nic->link_state);
	nic->link_state = g_strdup(enum_name(&links, (int)args->state));
	return TRUE;
}

static gboolean link_now(OpCall *call, G_GNUC_UNUSED const Guest *before, const Guest *wanted,
			 GError **error)
{
	const LinkArgs *args = call->args;
	const Interface *nic = find_nic(wanted, args->interface, error);
	if (!nic)
		return FALSE;
	json_t *done = tune_ask(call, "set_link", json_pack("{s:s, s:b}", "name", nic->info.alias, "up",
							    args->state == LINK_UP), error);
	json_decref(done);
	return done != NULL;
}

static gboolean setlink(OpCall *call, GError **error)
{
	const LinkArgs *args = call->args;
	return tune_change(call, FALSE, args->config, edit_link, link_now, error);
}

typedef struct LinkResult {
	ShapeHead head;
	char *interface;
	Link state;
	char *text;
} LinkResult;

static const Row link_rows[] = {
	STRING(LinkResult, interface, NULL, .doc = "Interface"),
	ENUM(LinkResult, state, NULL, links, .doc = "State"),
	STRING(LinkResult, text, NULL),
};
static const Shape link_shape = SHAPE("link", LinkResult, link_rows);

static gboolean getlink(OpCall *call, GError **error)
{
	const LinkArgs *args = call->args;
	LinkResult *result = call->result;
	g_autoptr(Definition) definition = core_guest_definition(call->guest, args->config, error);
	const Interface *nic = definition ? find_nic(definition->guest, args->interface, error) : NULL;
	if (!nic)
		return FALSE;
	result->interface = g_strdup(args->interface);
	result->state = g_strcmp0(nic->link_state, "down") ? LINK_UP : LINK_DOWN;
	result->text = g_strdup_printf("%s %s", args->interface, enum_name(&links, (int)result->state));
	return TRUE;
}

/* ---- set-lifecycle-action ---- */

typedef enum End { END_POWEROFF = 1, END_REBOOT, END_CRASH } End; /* virDomainLifecycle + 1 */
static const EnumTable ends = ENUM_TABLE("end of a guest", "poweroff", "reboot", "crash");

typedef struct ActionArgs {
	ShapeHead head;
	End type;
	GuestAction action;
	gboolean config, live;
} ActionArgs;

static const Row action_rows[] = {
	ENUM(ActionArgs, type, NULL, ends, .flags = ROW_POSITIONAL | ROW_REQUIRED, .doc = "which end"),
	ENUM(ActionArgs, action, NULL, guest_actions, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	     .doc = "what follows"),
	CONFIG_ROW(ActionArgs), LIVE_ROW(ActionArgs),
};

static gboolean check_action(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const ActionArgs *args = object;
	gboolean always = args->action == GUEST_DESTROY || args->action == GUEST_RESTART;
	if (args->action == GUEST_RENAME_RESTART || (args->type != END_CRASH && !always))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "a guest of QEMU cannot do \"%s\" on %s: use destroy or restart",
			    enum_name(&guest_actions, (int)args->action), enum_name(&ends, (int)args->type));
	return TRUE;
}
static const Shape action_args = SHAPE("set-lifecycle-action-args", ActionArgs, action_rows,
				       .check = check_action);

static gboolean edit_action(Guest *guest, gpointer data, G_GNUC_UNUSED GError **error)
{
	const ActionArgs *args = data;
	GuestAction *const members[] = {
		[END_POWEROFF] = &guest->on_poweroff,
		[END_REBOOT] = &guest->on_reboot,
		[END_CRASH] = &guest->on_crash,
	};
	*members[args->type] = args->action;
	return TRUE;
}

static const char *action_word(GuestAction action)
{
	return enum_name(&guest_actions, action ? (int)action : GUEST_DESTROY);
}

static gboolean action_now(OpCall *call, G_GNUC_UNUSED const Guest *before, const Guest *wanted,
			   GError **error)
{
	g_autofree char *text = g_strdup_printf(
		"%s %s %s", action_word(wanted->on_poweroff),
		wanted->on_reboot ? action_word(wanted->on_reboot) : "restart",
		action_word(wanted->on_crash));
	g_autofree char *done = core_guest_ask(call->guest, ENGINE_ASK_ACTIONS, text, error);
	return done != NULL;
}

static gboolean set_action(OpCall *call, GError **error)
{
	const ActionArgs *args = call->args;
	return tune_change(call, args->live, args->config, edit_action, action_now, error);
}

/* ---- domblkthreshold ---- */

typedef struct ThresholdArgs {
	ShapeHead head;
	char *dev;
	OptUint threshold;
} ThresholdArgs;

static const Row threshold_rows[] = {
	STRING(ThresholdArgs, dev, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "the disk: vda, or vda[2] for one of its backing images"),
	SIZE(ThresholdArgs, threshold, NULL, .words = "b", .flags = ROW_POSITIONAL | ROW_REQUIRED,
	     .doc = "written bytes from which on it is told once; 0: never"),
};
static const Shape threshold_args = SHAPE("domblkthreshold-args", ThresholdArgs, threshold_rows);

/* The number of the image that "vda" or "vda[2]" names; 0: none. */
static guint64 image_of(const Guest *live, const char *dev)
{
	gsize n = strcspn(dev, "[");
	guint64 index = dev[n] ? g_ascii_strtoull(dev + n + 1, NULL, 10) : 0;
	SHAPE_EACH (Disk, disk, live->disks) {
		if (!disk->target || strlen(disk->target) != n || strncmp(disk->target, dev, n) != 0)
			continue;
		if (disk->source && (!dev[n] || disk->source->index.v == index))
			return disk->source->index.v;
		for (const DiskBacking *below = disk->backing; below; below = below->backing)
			if (below->index.set && below->index.v == index)
				return index;
	}
	return 0;
}

static gboolean set_threshold(OpCall *call, GError **error)
{
	const ThresholdArgs *args = call->args;
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	if (!snap->live)
		return guest_not_running(snap->name, error);
	guint64 index = image_of(snap->live->guest, args->dev);
	if (!index)
		return fail(error, LODGE_ERROR_INVALID, "invalid path or disk \"%s\": guest \"%s\" has no "
			    "such image", args->dev, snap->name);
	if (args->threshold.v > G_MAXINT64)
		return fail(error, LODGE_ERROR_INVALID, "a threshold is less than 8 EiB");
	g_autofree char *node = g_strdup_printf("libvirt-%" G_GUINT64_FORMAT "-storage", index);
	json_t *done = tune_ask(call, "block-set-write-threshold",
				json_pack("{s:s, s:I}", "node-name", node, "write-threshold",
					  (json_int_t)args->threshold.v), error);
	json_decref(done);
	return done != NULL;
}

static const Op ops[] = {
	{ .name = "domif-setlink", .route = "/v1/guests/{guest}/interfaces/link",
	  ON_GUEST("POST", OP_PERM_WRITE, OP_LANE), .args = &setlink_args, .show = OP_SHOW_MESSAGE,
	  .said = "Device updated successfully", .doc = "Plug a guest's cable in, or pull it",
	  .fn = setlink },
	{ .name = "domif-getlink", .route = "/v1/guests/{guest}/interfaces/link",
	  ON_GUEST("GET", OP_PERM_READ, OP_BESIDE), .args = &getlink_args, .result = &link_shape,
	  .show = OP_SHOW_TEXT, .doc = "Show whether a guest's cable is plugged in", .fn = getlink },
	{ .name = "set-lifecycle-action", .route = "/v1/guests/{guest}/lifecycle",
	  ON_GUEST("POST", OP_PERM_WRITE, OP_LANE), .args = &action_args, .show = OP_SHOW_MESSAGE,
	  .said = "", .doc = "Change what follows when a guest ends", .fn = set_action },
	{ .name = "domblkthreshold", .route = "/v1/guests/{guest}/disks/threshold",
	  ON_GUEST("POST", OP_PERM_WRITE, OP_LANE), .args = &threshold_args, .show = OP_SHOW_MESSAGE,
	  .said = "", .doc = "Have an event say when a disk's file has grown so far",
	  .fn = set_threshold },
};

const OpFamily op_family_guest_change = { ops, G_N_ELEMENTS(ops) };
