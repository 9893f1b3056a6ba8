/* Verbs that bound what a guest's disks may do. Names, options and texts are virsh's.
 * Neighbours: guest_tune.c bounds memory and CPUs; engine/ knows QEMU's words for the limits. */
#include "model/guest_parts.h"
#include "ops/families.h"
#include "ops/params.h"
#include "ops/tune.h"

#include <stdlib.h>

#define ON_GUEST                                                                                   \
	.family = "Limits", .target = OP_ON_GUEST, .method = "POST", .perm = OP_PERM_READ,         \
	.lane = OP_LANE

/* ---- blkdeviotune ---- */

typedef struct IotuneArgs {
	ShapeHead head;
	char *device;
	OptUint total_bytes_sec, read_bytes_sec, write_bytes_sec;
	OptUint total_iops_sec, read_iops_sec, write_iops_sec;
	OptUint total_bytes_sec_max, read_bytes_sec_max, write_bytes_sec_max;
	OptUint total_iops_sec_max, read_iops_sec_max, write_iops_sec_max;
	OptUint size_iops_sec;
	OptUint total_bytes_sec_max_length, read_bytes_sec_max_length, write_bytes_sec_max_length;
	OptUint total_iops_sec_max_length, read_iops_sec_max_length, write_iops_sec_max_length;
	char *group_name;
	gboolean config, live;
} IotuneArgs;

#define BYTES(m, text) SIZE(IotuneArgs, m, NULL, .words = "b", .doc = text)
#define COUNT(m, text) UINT(IotuneArgs, m, NULL, .max = 1000000000000000, .doc = text)

static const Row iotune_rows[] = {
	STRING(IotuneArgs, device, NULL, .flags = ROW_POSITIONAL,
	       .doc = "target or source of a disk, such as vda"),
	BYTES(total_bytes_sec, "bytes per second, both ways; 0: no limit"),
	BYTES(read_bytes_sec, "bytes read per second"),
	BYTES(write_bytes_sec, "bytes written per second"),
	COUNT(total_iops_sec, "requests per second, both ways"),
	COUNT(read_iops_sec, "reads per second"),
	COUNT(write_iops_sec, "writes per second"),
	BYTES(total_bytes_sec_max, "bytes per second in a burst"),
	BYTES(read_bytes_sec_max, "bytes read per second in a burst"),
	BYTES(write_bytes_sec_max, "bytes written per second in a burst"),
	COUNT(total_iops_sec_max, "requests per second in a burst"),
	COUNT(read_iops_sec_max, "reads per second in a burst"),
	COUNT(write_iops_sec_max, "writes per second in a burst"),
	BYTES(size_iops_sec, "bytes that count as one request"),
	STRING(IotuneArgs, group_name, NULL, .doc = "disks of one group share their limits"),
	COUNT(total_bytes_sec_max_length, "seconds a burst may last"),
	COUNT(read_bytes_sec_max_length, "seconds a burst of reads may last"),
	COUNT(write_bytes_sec_max_length, "seconds a burst of writes may last"),
	COUNT(total_iops_sec_max_length, "seconds a burst of requests may last"),
	COUNT(read_iops_sec_max_length, "seconds a burst of reads may last"),
	COUNT(write_iops_sec_max_length, "seconds a burst of writes may last"),
	FLAG(IotuneArgs, config, NULL, .doc = "of what the next start will use"),
	FLAG(IotuneArgs, live, NULL, .doc = "of what runs"),
};
static const Shape iotune_args = SHAPE("blkdeviotune-args", IotuneArgs, iotune_rows);

/* The limits are the rows between the device and the switches. */
#define FIRST_LIMIT 1
#define LAST_LIMIT (G_N_ELEMENTS(iotune_rows) - 3)

static const Row *own_row(const Shape *shape, const char *name)
{
	for (guint i = 0; i < shape->n; i++)
		if (g_str_equal(shape->rows[i].name, name))
			return &shape->rows[i];
	return NULL;
}

static Disk *disk_of(const Guest *guest, const char *name, GError **error)
{
	SHAPE_EACH (Disk, disk, guest->disks)
		if (!g_strcmp0(disk->target, name) || !g_strcmp0(disk_source_name(disk), name))
			return disk;
	fail(error, LODGE_ERROR_INVALID, "guest \"%s\" has no disk \"%s\"; domblklist shows those it has",
	     guest->name, name);
	return NULL;
}

static gboolean changes(const IotuneArgs *args)
{
	for (guint i = FIRST_LIMIT; i <= LAST_LIMIT; i++)
		if (row_is_set(&iotune_rows[i], args))
			return TRUE;
	return FALSE;
}

/* A limit of its own kind replaces the others: both ways or each way, not both. */
static gboolean edit_iotune(Guest *guest, gpointer data, GError **error)
{
	const IotuneArgs *args = data;
	Disk *disk = disk_of(guest, args->device, error);
	if (!disk)
		return FALSE;
	if (!disk->tune)
		disk->tune = shape_new(&disk_tune_shape);
	for (guint i = FIRST_LIMIT; i <= LAST_LIMIT; i++) {
		const Row *own = own_row(&disk_tune_shape, iotune_rows[i].name);
		g_autofree char *text = NULL;
		if (!row_is_set(&iotune_rows[i], args))
			continue;
		if (iotune_rows[i].kind == ROW_STRING)
			text = g_strdup(args->group_name);
		else
			text = g_strdup_printf("%" G_GUINT64_FORMAT,
				((const OptUint *)((const char *)args + iotune_rows[i].offset))->v);
		if (!row_from_text(own, disk->tune, text, error)) {
			g_prefix_error(error, "%s: ", iotune_rows[i].name);
			return FALSE;
		}
	}
	const DiskTune *tune = disk->tune;
	if ((tune->total_bytes_sec.v && (tune->read_bytes_sec.v || tune->write_bytes_sec.v)) ||
	    (tune->total_iops_sec.v && (tune->read_iops_sec.v || tune->write_iops_sec.v)))
		return fail(error, LODGE_ERROR_INVALID, "disk %s: a total and a limit for reads or writes "
			    "exclude each other; 0 removes one", disk->target);
	return TRUE;
}

/* The disk as it would be is what the engine is told. */
static gboolean limit_now(OpCall *call, const Guest *live, GError **error)
{
	g_autoptr(Guest) wanted = guest_copy(live);
	if (!edit_iotune(wanted, call->args, error))
		return FALSE;
	Disk *disk = disk_of(wanted, ((const IotuneArgs *)call->args)->device, error);
	json_t *json = disk ? shape_to_json(&disk_shape, disk, SHAPE_XML_LIVE) : NULL;
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	g_autofree char *answer =
		text ? core_guest_ask(call->guest, ENGINE_ASK_LIMITS, text, error) : NULL;
	free(text);
	json_decref(json);
	return answer != NULL;
}

static void tell_limits(OpCall *call, const IotuneArgs *args)
{
	json_t *params = json_pack("{s:s}", "blkdeviotune.disk", args->device);
	for (guint i = FIRST_LIMIT; i <= LAST_LIMIT; i++) {
		g_autofree char *name = g_strconcat("blkdeviotune.", iotune_rows[i].name, NULL);
		if (!row_is_set(&iotune_rows[i], args))
			continue;
		if (iotune_rows[i].kind == ROW_STRING)
			json_object_set_new(params, name, json_string(args->group_name));
		else
			json_object_set_new(params, name, json_integer((json_int_t)
				((const OptUint *)((const char *)args + iotune_rows[i].offset))->v));
	}
	tune_tell(call, params);
}

/* Without a disk, what could be said of one. */
static gboolean show_iotune(OpCall *call, const IotuneArgs *args, GError **error)
{
	Params *result = call->result;
	g_autoptr(Definition) definition = core_guest_definition(call->guest, args->config, error);
	const Disk *disk =
		definition && args->device ? disk_of(definition->guest, args->device, error) : NULL;
	if (!definition || (args->device && !disk))
		return FALSE;
	for (guint i = FIRST_LIMIT; i <= LAST_LIMIT; i++) {
		const Row *own = own_row(&disk_tune_shape, iotune_rows[i].name);
		g_autofree char *value = disk && disk->tune ? row_to_text(own, disk->tune) : NULL;
		if (iotune_rows[i].kind == ROW_STRING)
			param_add_text(&result->params, iotune_rows[i].name, value);
		else
			param_add(&result->params, PARAM_ULLONG, iotune_rows[i].name,
				  value ? g_ascii_strtoll(value, NULL, 10) : 0);
	}
	result->text = params_table(result->params);
	return TRUE;
}

static gboolean blkdeviotune(OpCall *call, GError **error)
{
	const IotuneArgs *args = call->args;
	if (!changes(args))
		return show_iotune(call, args, error);
	if (!args->device)
		return fail(error, LODGE_ERROR_INVALID, "say which disk, such as vda");
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	gboolean live = args->live || (!args->config && snap->live);
	if (!tune_may_write(call, error))
		return FALSE;
	if (live && !snap->live)
		return guest_not_running(snap->name, error);
	if ((live && !limit_now(call, snap->live->guest, error)) ||
	    !tune_edit(call, live, args->config || !live, edit_iotune, call->args, error))
		return FALSE;
	if (live)
		tell_limits(call, args);
	return TRUE;
}

static const Op ops[] = {
	{ .name = "blkdeviotune", .route = "/v1/guests/{guest}/disks/limits", ON_GUEST,
	  .args = &iotune_args, .result = &params_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show or change what a guest's disk may do", .fn = blkdeviotune },
};

const OpFamily op_family_guest_disk_limits = { ops, G_N_ELEMENTS(ops) };
