/* Verbs that bound what a guest may use of memory, processors and disks' bandwidth. Each without a value
 * shows what stands. Names, options and texts are virsh's, names of parameters libvirt's.
 * Neighbours: guest_tune.c changes how much it has; engine/ and host/cgroup.h do it. */
#include "model/guest_parts.h"
#include "net/plug.h"
#include "ops/families.h"
#include "ops/params.h"
#include "ops/tune.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ON_GUEST(perm_, lane_)                                                                     \
	.family = "Limits", .target = OP_ON_GUEST, .method = "POST", .perm = perm_, .lane = lane_

#define WHEN_ROWS(T)                                                                               \
	FLAG(T, config, NULL, .doc = "of what the next start will use"),                           \
		FLAG(T, live, NULL, .doc = "of what runs"),                                        \
		FLAG(T, current, NULL, .doc = "of what runs, or of what the next start will use")

/* What is shown: the parameters as a table. */
static gboolean shown(OpCall *call)
{
	Params *result = call->result;
	result->text = params_table(result->params);
	return TRUE;
}

/* Memory and processor time, in the guest's control group. */
static gboolean bound_now(OpCall *call, const Guest *before, const Guest *wanted, GError **error)
{
	json_t *both = json_pack("[o, o]", shape_to_json(&guest_shape, before, SHAPE_XML_LIVE),
				 shape_to_json(&guest_shape, wanted, SHAPE_XML_LIVE));
	char *text = json_dumps(both, JSON_COMPACT);
	g_autofree char *done = core_guest_ask(call->guest, ENGINE_ASK_BOUND, text, error);
	free(text);
	json_decref(both);
	return done != NULL;
}

/* ---- memtune ---- */

typedef struct MemtuneArgs {
	ShapeHead head;
	char *hard_limit, *soft_limit, *swap_hard_limit, *min_guarantee;
	gboolean config, live, current;
} MemtuneArgs;

#define LIMIT(m) STRING(MemtuneArgs, m, NULL, .doc = "in KiB where no unit is said; -1: no limit")
static const Row memtune_rows[] = {
	LIMIT(hard_limit), LIMIT(soft_limit), LIMIT(swap_hard_limit), LIMIT(min_guarantee),
	WHEN_ROWS(MemtuneArgs),
};
static const Shape memtune_args = SHAPE("memtune-args", MemtuneArgs, memtune_rows);

#define UNLIMITED G_GUINT64_CONSTANT(9007199254740991) /* KiB: VIR_DOMAIN_MEMORY_PARAM_UNLIMITED */

static const struct {
	const char *name;
	size_t given, member;
} limits[] = {
	{ "hard_limit", offsetof(MemtuneArgs, hard_limit), offsetof(MemoryTune, hard_limit) },
	{ "soft_limit", offsetof(MemtuneArgs, soft_limit), offsetof(MemoryTune, soft_limit) },
	{ "swap_hard_limit", offsetof(MemtuneArgs, swap_hard_limit), offsetof(MemoryTune, swap_hard_limit) },
	{ "min_guarantee", offsetof(MemtuneArgs, min_guarantee), offsetof(MemoryTune, min_guarantee) },
};

static const char *given_limit(const MemtuneArgs *args, guint i)
{
	return *(char *const *)((const char *)args + limits[i].given);
}

/* "4G", "1024 MiB", "1024"; without a unit KiB. */
static gboolean parse_size(const char *text, guint64 *bytes, GError **error)
{
	gsize digits = strspn(text, "0123456789");
	g_autofree char *number = g_strndup(text, digits);
	const char *unit = text + digits + strspn(text + digits, " ");
	return size_from_text(number, *unit ? unit : NULL, "KiB", bytes, error);
}

static gboolean edit_memtune(Guest *guest, gpointer data, GError **error)
{
	const MemtuneArgs *args = data;
	if (args->min_guarantee)
		return fail(error, LODGE_ERROR_INVALID, "parameter 'min_guarantee' not supported: QEMU has "
			    "no such thing");
	if (!guest->memtune)
		guest->memtune = shape_new(&memory_tune_shape);
	for (guint i = 0; i < G_N_ELEMENTS(limits); i++) {
		OptUint *member = (OptUint *)((char *)guest->memtune + limits[i].member);
		const char *text = given_limit(args, i);
		guint64 bytes = 0;
		if (!text)
			continue;
		if (!g_str_equal(text, "-1") && !parse_size(text, &bytes, error)) {
			g_prefix_error(error, "%s: ", limits[i].name);
			return FALSE;
		}
		gboolean none = g_str_equal(text, "-1") || bytes / 1024 >= UNLIMITED;
		*member = none ? (OptUint){ 0 } : OPT_UINT(bytes);
	}
	OptUint hard = guest->memtune->hard_limit, swap = guest->memtune->swap_hard_limit;
	return !swap.set || (hard.set && hard.v <= swap.v) ||
	       fail(error, LODGE_ERROR_INVALID,
		    "memory hard_limit tunable value must be lower than or equal to swap_hard_limit");
}

static gboolean show_memtune(OpCall *call, gboolean config, GError **error)
{
	Params *result = call->result;
	g_autoptr(Definition) definition = core_guest_definition(call->guest, config, error);
	if (!definition)
		return FALSE;
	const MemoryTune *tune = definition->guest->memtune;
	GString *out = g_string_new(NULL);
	for (guint i = 0; i < G_N_ELEMENTS(limits); i++) {
		OptUint value = tune ? *(const OptUint *)((const char *)tune + limits[i].member) :
				       (OptUint){ 0 };
		gboolean guarantee = g_str_equal(limits[i].name, "min_guarantee");
		guint64 kib = value.set ? value.v / 1024 : UNLIMITED;
		if (guarantee && !value.set) /* a guarantee is nothing, not all */
			continue;
		param_add(&result->params, PARAM_ULLONG, limits[i].name, (gint64)kib);
		if (value.set)
			g_string_append_printf(out, "%-15s: %" G_GUINT64_FORMAT "\n", limits[i].name, kib);
		else
			g_string_append_printf(out, "%-15s: unlimited\n", limits[i].name);
	}
	result->text = g_string_free(out, FALSE);
	return TRUE;
}

static gboolean memtune(OpCall *call, GError **error)
{
	const MemtuneArgs *args = call->args;
	for (guint i = 0; i < G_N_ELEMENTS(limits); i++)
		if (given_limit(args, i))
			return tune_change(call, args->live, args->config, edit_memtune, bound_now, error);
	return show_memtune(call, args->config, error);
}

/* ---- schedinfo ---- */

typedef struct SchedArgs {
	ShapeHead head;
	GPtrArray *set;
	gboolean config, live, current;
} SchedArgs;

static const Row sched_rows[] = {
	STRINGS(SchedArgs, set, NULL, .flags = ROW_POSITIONAL | ROW_REST,
		.doc = "NAME=VALUE, such as cpu_shares=2048"),
	WHEN_ROWS(SchedArgs),
};
static const Shape sched_args = SHAPE("schedinfo-args", SchedArgs, sched_rows);

static const struct {
	const char *name;
	size_t member;
	gboolean is_signed;
	gint64 usual;
} sched_members[] = {
	{ "cpu_shares", offsetof(CpuTune, shares), FALSE, 1024 },
	{ "vcpu_period", offsetof(CpuTune, period), FALSE, 100000 },
	{ "vcpu_quota", offsetof(CpuTune, quota), TRUE, -1 },
	{ "emulator_period", offsetof(CpuTune, emulator_period), FALSE, 100000 },
	{ "emulator_quota", offsetof(CpuTune, emulator_quota), TRUE, -1 },
	{ "global_period", offsetof(CpuTune, global_period), FALSE, 100000 },
	{ "global_quota", offsetof(CpuTune, global_quota), TRUE, -1 },
	{ "iothread_period", offsetof(CpuTune, iothread_period), FALSE, 100000 },
	{ "iothread_quota", offsetof(CpuTune, iothread_quota), TRUE, -1 },
};

/* Microseconds, where there is a limit: the kernel's cpu.cfs_quota_us. */
#define QUOTA_LEAST 1000
#define QUOTA_MOST ((G_GINT64_CONSTANT(1) << 44) - 1)

static gboolean set_sched(CpuTune *tune, const char *pair, GError **error)
{
	gsize n = strcspn(pair, "=");
	for (guint i = 0; i < G_N_ELEMENTS(sched_members); i++) {
		const char *name = sched_members[i].name;
		char *member = (char *)tune + sched_members[i].member;
		gint64 value;
		if (strlen(name) != n || strncmp(name, pair, n) != 0 || pair[n] != '=')
			continue;
		gboolean is_signed = sched_members[i].is_signed;
		if (!g_ascii_string_to_signed(pair + n + 1, 10, is_signed ? -1 : 0, G_MAXINT64 / 1000,
					      &value, NULL))
			return fail(error, LODGE_ERROR_INVALID, "%s: \"%s\" is no number that it can have",
				    name, pair + n + 1);
		if (is_signed && value > 0 && (value < QUOTA_LEAST || value > QUOTA_MOST))
			return fail(error, LODGE_ERROR_INVALID, "value of '%s' is out of range [%d, %"
				    G_GINT64_FORMAT "]; -1 is for no limit", name, QUOTA_LEAST, QUOTA_MOST);
		if (is_signed)
			*(OptInt *)member = OPT_INT(value);
		else
			*(OptUint *)member = OPT_UINT((guint64)value);
		return TRUE;
	}
	return fail(error, LODGE_ERROR_INVALID, "\"%s\" is not NAME=VALUE of the scheduler; schedinfo "
		    "without words shows the names", pair);
}

static gboolean edit_sched(Guest *guest, gpointer data, GError **error)
{
	const SchedArgs *args = data;
	if (!guest->cputune)
		guest->cputune = shape_new(&cpu_tune_shape);
	for (guint i = 0; i < args->set->len; i++)
		if (!set_sched(guest->cputune, g_ptr_array_index(args->set, i), error))
			return FALSE;
	return TRUE;
}

/* What is not said is what the kernel does by itself; of the definition it is 0, as libvirt has it. */
static gint64 sched_value(const CpuTune *tune, guint i, gboolean runs)
{
	const char *member = tune ? (const char *)tune + sched_members[i].member : NULL;
	gint64 usual = runs ? sched_members[i].usual : 0;
	if (!member)
		return usual;
	return sched_members[i].is_signed ? opt_int_or(*(const OptInt *)member, usual)
					  : (gint64)opt_uint_or(*(const OptUint *)member, (guint64)usual);
}

/* 0 of all but the shares changes nothing of what runs. */
static void tell_sched(OpCall *call, const GPtrArray *set)
{
	json_t *params = json_object();
	for (guint i = 0; i < set->len; i++) {
		g_auto(GStrv) pair = g_strsplit(g_ptr_array_index(set, i), "=", 2);
		gint64 value = g_ascii_strtoll(pair[1], NULL, 10);
		g_autofree char *name = g_strconcat("cputune.", pair[0], NULL);
		if (value || g_str_equal(pair[0], "cpu_shares"))
			json_object_set_new(params, name, json_integer(value));
	}
	tune_tell(call, params);
}

static gboolean schedinfo(OpCall *call, GError **error)
{
	const SchedArgs *args = call->args;
	Params *result = call->result;
	gboolean live = tune_is_live(call, args->live, args->config);
	if (shape_len(args->set) &&
	    !tune_change(call, args->live, args->config, edit_sched, bound_now, error))
		return FALSE;
	if (shape_len(args->set) && live)
		tell_sched(call, args->set);
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	g_autoptr(Definition) definition = core_guest_definition(call->guest, args->config, error);
	if (!definition)
		return FALSE;
	for (guint i = 0; i < G_N_ELEMENTS(sched_members); i++)
		param_add(&result->params, sched_members[i].is_signed ? PARAM_LLONG : PARAM_ULLONG,
			  sched_members[i].name,
			  sched_value(definition->guest->cputune, i, snap->live && !args->config));
	g_autofree char *table = params_table(result->params);
	result->text = g_strdup_printf("%-15s: %s\n%s", "Scheduler", "posix", table);
	return TRUE;
}

/* ---- numatune ---- */

typedef struct NumaArgs {
	ShapeHead head;
	int mode;
	char *nodeset;
	gboolean config, live, current;
} NumaArgs;

/* In the order of virDomainNumatuneMemMode. */
static const EnumTable numa_modes = ENUM_TABLE("mode", "strict", "preferred", "interleave", "restrictive");

static const Row numa_rows[] = {
	ENUM(NumaArgs, mode, NULL, numa_modes, .doc = "how strictly"),
	CPUSET(NumaArgs, nodeset, NULL, .doc = "the host's NUMA nodes: 0-1,3"),
	WHEN_ROWS(NumaArgs),
};
static const Shape numa_args = SHAPE("numatune-args", NumaArgs, numa_rows);

static gboolean edit_numa(Guest *guest, gpointer data, G_GNUC_UNUSED GError **error)
{
	const NumaArgs *args = data;
	if (!guest->numatune)
		guest->numatune = shape_new(&numa_tune_shape);
	NumaTune *tune = guest->numatune;
	if (args->mode || !tune->mode) {
		g_free(tune->mode);
		tune->mode = g_strdup(args->mode ? enum_name(&numa_modes, args->mode) : "strict");
	}
	if (args->nodeset) {
		g_free(tune->nodeset);
		tune->nodeset = g_strdup(args->nodeset);
		g_clear_pointer(&tune->placement, g_free);
	}
	return tune->nodeset || fail(error, LODGE_ERROR_INVALID, "say the nodes: --nodeset 0");
}

static gboolean has_nodes(const char *nodeset, GError **error)
{
	cpu_set_t nodes;
	if (!tune_cpuset(nodeset, &nodes, error))
		return FALSE;
	for (guint i = 0; i < CPU_SETSIZE; i++) {
		g_autofree char *path = g_strdup_printf("/sys/devices/system/node/node%u", i);
		if (CPU_ISSET(i, &nodes) && access(path, F_OK) < 0)
			return fail(error, LODGE_ERROR_UNSUPPORTED, "NUMA node %u is unavailable", i);
	}
	return TRUE;
}

/* QEMU has bound the memory by itself where a mode other than restrictive was said: that stays. */
static gboolean numa_now(OpCall *call, const Guest *before, const Guest *wanted, GError **error)
{
	const NumaTune *was = before->numatune, *is = wanted->numatune;
	if (was && was->mode && g_strcmp0(was->mode, is->mode))
		return fail(error, LODGE_ERROR_STATE, "can't change numatune mode for running domain");
	if (was && !g_strcmp0(was->nodeset, is->nodeset))
		return TRUE;
	if (was && was->mode && !g_strcmp0(was->mode, "strict"))
		return fail(error, LODGE_ERROR_STATE,
			    "can't change nodeset for strict mode for running domain");
	if (was && was->mode && g_strcmp0(was->mode, "restrictive"))
		return fail(error, LODGE_ERROR_STATE,
			    "change of nodeset for running domain requires restrictive numa mode");
	return has_nodes(is->nodeset, error) && bound_now(call, before, wanted, error);
}

static gboolean numatune(OpCall *call, GError **error)
{
	const NumaArgs *args = call->args;
	Params *result = call->result;
	if (args->mode || args->nodeset)
		return tune_change(call, args->live, args->config, edit_numa, numa_now, error);
	g_autoptr(Definition) definition = core_guest_definition(call->guest, args->config, error);
	if (!definition)
		return FALSE;
	const NumaTune *tune = definition->guest->numatune;
	const char *mode = tune && tune->mode ? tune->mode : "strict";
	const char *nodes = tune && tune->nodeset ? tune->nodeset : "";
	param_add(&result->params, PARAM_INT, "numa_mode", enum_value(&numa_modes, mode) - 1);
	param_add_text(&result->params, "numa_nodeset", nodes);
	result->text = g_strdup_printf("%-15s: %s\n%-15s: %s\n", "numa_mode", mode, "numa_nodeset", nodes);
	return TRUE;
}

/* ---- blkiotune ---- */

typedef struct BlkioArgs {
	ShapeHead head;
	OptUint weight;
	char *device_weights, *device_read_iops_sec, *device_write_iops_sec;
	char *device_read_bytes_sec, *device_write_bytes_sec;
	gboolean config, live, current;
} BlkioArgs;

#define PER_DEVICE(m) STRING(BlkioArgs, m, NULL, .flags = ROW_EMPTY_OK, .doc = "DEVICE,NUMBER,DEVICE,NUMBER")
static const Row blkio_rows[] = {
	UINT(BlkioArgs, weight, NULL, .max = 1000, .doc = "share of the host's disks, 10 to 1000"),
	PER_DEVICE(device_weights), PER_DEVICE(device_read_iops_sec), PER_DEVICE(device_write_iops_sec),
	PER_DEVICE(device_read_bytes_sec), PER_DEVICE(device_write_bytes_sec), WHEN_ROWS(BlkioArgs),
};
static const Shape blkio_args = SHAPE("blkiotune-args", BlkioArgs, blkio_rows);

static const struct {
	const char *name;
	size_t given, member;
} per_device[] = {
	{ "device_weight", offsetof(BlkioArgs, device_weights), offsetof(BlkioDevice, weight) },
	{ "device_read_iops_sec", offsetof(BlkioArgs, device_read_iops_sec),
	  offsetof(BlkioDevice, read_iops_sec) },
	{ "device_write_iops_sec", offsetof(BlkioArgs, device_write_iops_sec),
	  offsetof(BlkioDevice, write_iops_sec) },
	{ "device_read_bytes_sec", offsetof(BlkioArgs, device_read_bytes_sec),
	  offsetof(BlkioDevice, read_bytes_sec) },
	{ "device_write_bytes_sec", offsetof(BlkioArgs, device_write_bytes_sec),
	  offsetof(BlkioDevice, write_bytes_sec) },
};

static BlkioDevice *blkio_device(BlkioTune *tune, const char *path)
{
	SHAPE_EACH (BlkioDevice, device, tune->devices)
		if (!g_strcmp0(device->path, path))
			return device;
	const Shape *shape = NULL;
	for (guint i = 0; i < blkio_tune_shape.n; i++)
		if (blkio_tune_shape.rows[i].kind == ROW_LIST)
			shape = blkio_tune_shape.rows[i].of;
	BlkioDevice *device = shape_new(shape);
	device->path = g_strdup(path);
	shape_append(&tune->devices, shape, device);
	return device;
}

/* "/dev/sda,500,/dev/sdb,0": 0 removes. */
static gboolean set_devices(BlkioTune *tune, const char *text, size_t member, GError **error)
{
	g_auto(GStrv) words = g_strsplit(text, ",", -1);
	for (char **word = words; *word && **word; word += 2) {
		guint64 number;
		if (!word[1] || !g_ascii_string_to_unsigned(word[1], 10, 0, G_MAXINT64, &number, NULL))
			return fail(error, LODGE_ERROR_INVALID, "\"%s\" is not DEVICE,NUMBER,...", text);
		*(OptUint *)((char *)blkio_device(tune, *word) + member) =
			number ? OPT_UINT(number) : (OptUint){ 0 };
	}
	return TRUE;
}

static gboolean edit_blkio(Guest *guest, gpointer data, GError **error)
{
	const BlkioArgs *args = data;
	if (!guest->blkiotune)
		guest->blkiotune = shape_new(&blkio_tune_shape);
	if (args->weight.set && args->weight.v && args->weight.v < 10)
		return fail(error, LODGE_ERROR_INVALID, "a weight is 10 to 1000, or 0 for none");
	if (args->weight.set)
		guest->blkiotune->weight = args->weight.v ? args->weight : (OptUint){ 0 };
	for (guint i = 0; i < G_N_ELEMENTS(per_device); i++) {
		const char *text = *(char *const *)((const char *)args + per_device[i].given);
		if (text && !set_devices(guest->blkiotune, text, per_device[i].member, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean blkiotune(OpCall *call, GError **error)
{
	const BlkioArgs *args = call->args;
	Params *result = call->result;
	gboolean changes = args->weight.set;
	for (guint i = 0; i < G_N_ELEMENTS(per_device); i++)
		changes |= *(char *const *)((const char *)args + per_device[i].given) != NULL;
	if (changes)
		return tune_change(call, args->live, args->config, edit_blkio, bound_now, error);
	g_autoptr(Definition) definition = core_guest_definition(call->guest, args->config, error);
	if (!definition)
		return FALSE;
	const BlkioTune *tune = definition->guest->blkiotune;
	param_add(&result->params, PARAM_UINT, "weight", tune ? (gint64)opt_uint_or(tune->weight, 0) : 0);
	for (guint i = 0; i < G_N_ELEMENTS(per_device); i++) {
		g_autoptr(GString) text = g_string_new(NULL);
		SHAPE_EACH (BlkioDevice, device, tune ? tune->devices : NULL) {
			OptUint value = *(const OptUint *)((const char *)device + per_device[i].member);
			if (value.set)
				g_string_append_printf(text, "%s%s,%" G_GUINT64_FORMAT, text->len ? "," : "",
						       device->path, value.v);
		}
		param_add_text(&result->params, per_device[i].name, text->str);
	}
	return shown(call);
}

/* ---- domiftune ---- */

typedef struct IftuneArgs {
	ShapeHead head;
	char *interface, *inbound, *outbound;
	gboolean config, live, current;
} IftuneArgs;

#define RATES(m)                                                                                   \
	STRING(IftuneArgs, m, NULL,                                                                \
	       .doc = "AVERAGE,PEAK,BURST,FLOOR in KiB (per second); 0: no limit")
static const Row iftune_rows[] = {
	STRING(IftuneArgs, interface, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "its MAC address, or its name on the host"),
	RATES(inbound), RATES(outbound), WHEN_ROWS(IftuneArgs),
};
static const Shape iftune_args = SHAPE("domiftune-args", IftuneArgs, iftune_rows);

static Interface *nic_of(const Guest *guest, const char *name, GError **error)
{
	SHAPE_EACH (Interface, interface, guest->interfaces)
		if (!g_strcmp0(interface->target, name) ||
		    (interface->mac && g_ascii_strcasecmp(interface->mac, name) == 0))
			return interface;
	fail(error, LODGE_ERROR_INVALID, "Can't find device %s: guest \"%s\" has no such interface", name,
	     guest->name);
	return NULL;
}

static gboolean set_rates(Bandwidth **rates, const char *text, GError **error)
{
	g_auto(GStrv) words = g_strsplit(text, ",", 4);
	guint64 numbers[4] = { 0 };
	for (guint i = 0; i < 4 && words[i]; i++)
		if (*words[i] && !g_ascii_string_to_unsigned(words[i], 10, 0, G_MAXUINT32, &numbers[i], NULL))
			return fail(error, LODGE_ERROR_INVALID,
				    "\"%s\" is not AVERAGE,PEAK,BURST,FLOOR", text);
	if (!numbers[0] && (numbers[1] || numbers[2]))
		return fail(error, LODGE_ERROR_INVALID, "a peak or burst needs an average");
	shape_free(&bandwidth_shape, *rates);
	*rates = NULL;
	if (!numbers[0] && !numbers[3])
		return TRUE;
	OptUint *const members[] = {
		&(*rates = shape_new(&bandwidth_shape))->average, &(*rates)->peak, &(*rates)->burst,
		&(*rates)->floor,
	};
	for (guint i = 0; i < 4; i++)
		if (numbers[i])
			*members[i] = OPT_UINT(numbers[i]);
	return TRUE;
}

static gboolean edit_iftune(Guest *guest, gpointer data, GError **error)
{
	const IftuneArgs *args = data;
	Interface *nic = nic_of(guest, args->interface, error);
	return nic && (!args->inbound || set_rates(&nic->inbound, args->inbound, error)) &&
	       (!args->outbound || set_rates(&nic->outbound, args->outbound, error));
}

static gboolean iftune_now(OpCall *call, G_GNUC_UNUSED const Guest *before, const Guest *wanted,
			   GError **error)
{
	const Interface *nic = nic_of(wanted, ((const IftuneArgs *)call->args)->interface, error);
	if (nic && !nic->target)
		return fail(error, LODGE_ERROR_UNSUPPORTED, "guest \"%s\": interface %s has no device on the "
			    "host that could be bounded: QEMU carries it itself", wanted->name, nic->mac);
	return nic && plug_limits(nic->target, nic->inbound, nic->outbound, error);
}

static void put_rates(GPtrArray **out, const char *way, const Bandwidth *rates)
{
	static const Bandwidth none;
	const Bandwidth *own = rates ? rates : &none;
	param_addf(out, PARAM_UINT, (gint64)own->average.v, "%s.average", way);
	param_addf(out, PARAM_UINT, (gint64)own->peak.v, "%s.peak", way);
	param_addf(out, PARAM_UINT, (gint64)own->burst.v, "%s.burst", way);
	if (g_str_equal(way, "inbound"))
		param_addf(out, PARAM_UINT, (gint64)own->floor.v, "%s.floor", way);
}

static gboolean domiftune(OpCall *call, GError **error)
{
	const IftuneArgs *args = call->args;
	Params *result = call->result;
	if (args->inbound || args->outbound)
		return tune_change(call, args->live, args->config, edit_iftune, iftune_now, error);
	g_autoptr(Definition) definition = core_guest_definition(call->guest, args->config, error);
	const Interface *nic = definition ? nic_of(definition->guest, args->interface, error) : NULL;
	if (!nic)
		return FALSE;
	put_rates(&result->params, "inbound", nic->inbound);
	put_rates(&result->params, "outbound", nic->outbound);
	return shown(call);
}

static const Op ops[] = {
	{ .name = "memtune", .route = "/v1/guests/{guest}/memtune", ON_GUEST(OP_PERM_READ, OP_LANE),
	  .args = &memtune_args, .result = &params_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show or change the limits of a guest's memory", .fn = memtune },
	{ .name = "schedinfo", .route = "/v1/guests/{guest}/schedinfo", ON_GUEST(OP_PERM_READ, OP_LANE),
	  .args = &sched_args, .result = &params_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show or change a guest's share of processor time", .fn = schedinfo },
	{ .name = "numatune", .route = "/v1/guests/{guest}/numatune", ON_GUEST(OP_PERM_READ, OP_LANE),
	  .args = &numa_args, .result = &params_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show or change the NUMA nodes of a guest's memory", .fn = numatune },
	{ .name = "blkiotune", .route = "/v1/guests/{guest}/blkiotune", ON_GUEST(OP_PERM_READ, OP_LANE),
	  .args = &blkio_args, .result = &params_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show or change a guest's share of the host's disks", .fn = blkiotune },
	{ .name = "domiftune", .route = "/v1/guests/{guest}/interfaces/limits",
	  ON_GUEST(OP_PERM_READ, OP_LANE), .args = &iftune_args, .result = &params_shape,
	  .show = OP_SHOW_TEXT, .doc = "Show or change what a guest's interface may carry", .fn = domiftune },
};

const OpFamily op_family_guest_bounds = { ops, G_N_ELEMENTS(ops) };
