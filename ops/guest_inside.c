/* Verbs that show what is in a guest, as its agent tells it: names, users, file systems, addresses, CPUs.
 * Names, options and columns are virsh's. Facts: QEMU's qga/qapi-schema.json. */
#include <string.h>

#include "core/addresses.h"
#include "engine/agent.h"
#include "ops/agent.h"
#include "ops/families.h"

#define ON_GUEST(method_, perm_)                                                                   \
	.family = "Guest agent", .target = OP_ON_GUEST, .method = method_, .perm = perm_,          \
	.lane = OP_BESIDE

static const EnumTable agent_alone = ENUM_TABLE("source", "agent");

/* ---- domhostname ---- */

typedef struct SourceArgs {
	ShapeHead head;
	int source;
} SourceArgs;

static const Row source_rows[] = {
	ENUM(SourceArgs, source, NULL, agent_alone, .dflt = "agent", .doc = "who is asked"),
};
static const Shape source_args = SHAPE("domhostname-args", SourceArgs, source_rows);

typedef struct Hostname {
	ShapeHead head;
	char *text;
} Hostname;

static const Row hostname_rows[] = { STRING(Hostname, text, NULL, .doc = "Name") };
static const Shape hostname_shape = SHAPE("hostname", Hostname, hostname_rows);

static gboolean hostname(OpCall *call, GError **error)
{
	json_t *answer = ask_agent(call, "guest-get-host-name", NULL, error);
	char *name = agent_text(answer, "host-name");
	((Hostname *)call->result)->text = name;
	if (answer && !name)
		fail(error, LODGE_ERROR_ENGINE, "the guest agent returned no name");
	json_decref(answer);
	return name != NULL;
}

/* ---- guestinfo ---- */

static const EnumTable param_types = ENUM_TABLE("type", "string", "int", "uint", "ullong", "boolean");
enum { PARAM_STRING = 1, PARAM_INT, PARAM_UINT, PARAM_ULLONG, PARAM_BOOLEAN };

typedef struct Param {
	ShapeHead head;
	char *name, *value;
	int type;
} Param;

static const Row param_rows[] = {
	STRING(Param, name, NULL, .doc = "Name"),
	STRING(Param, value, NULL, .flags = ROW_EMPTY_OK, .doc = "Value"),
	ENUM(Param, type, NULL, param_types),
};
static const Shape param_shape = SHAPE("guest-info", Param, param_rows);

typedef struct GuestInfo {
	ShapeHead head;
	GPtrArray *params;
} GuestInfo;

static const Row guest_info_rows[] = { LIST(GuestInfo, params, NULL, param_shape) };
static const Shape guest_info_shape = SHAPE("guest-infos", GuestInfo, guest_info_rows);

static void add(GuestInfo *info, char *name, int type, char *value)
{
	Param *param = shape_new(&param_shape);
	*param = (Param){ .name = name, .value = value, .type = type };
	shape_append(&info->params, &param_shape, param);
}

/* The member @key of @object as PREFIX.@name, if it is there. */
typedef struct Field {
	const char *key, *name;
	int type;
} Field;

static char *value_text(json_t *value, const Field *field)
{
	if (field->type == PARAM_STRING)
		return agent_clean_text(json_string_value(value), 4096);
	if (field->type == PARAM_BOOLEAN)
		return json_is_boolean(value) ? g_strdup(json_is_true(value) ? "yes" : "no") : NULL;
	return json_is_number(value) ? g_strdup_printf("%.0f", json_number_value(value)) : NULL;
}

static void add_fields(GuestInfo *info, const char *prefix, json_t *object, const Field *fields,
		       guint n)
{
	for (guint i = 0; i < n; i++) {
		char *value = value_text(json_object_get(object, fields[i].key), &fields[i]);
		if (value)
			add(info, g_strconcat(prefix, fields[i].name, NULL), fields[i].type, value);
	}
}

/* PREFIXcount; returns it. */
static size_t add_count(GuestInfo *info, const char *prefix, json_t *list)
{
	size_t n = json_array_size(list);
	add(info, g_strconcat(prefix, "count", NULL), PARAM_UINT, g_strdup_printf("%zu", n));
	return n;
}

static void fill_users(GuestInfo *info, json_t *users)
{
	static const Field fields[] = { { "user", "name", PARAM_STRING },
					{ "domain", "domain", PARAM_STRING } };
	size_t n = add_count(info, "user.", users);
	for (size_t i = 0; i < n; i++) {
		json_t *user = json_array_get(users, i);
		g_autofree char *prefix = g_strdup_printf("user.%zu.", i);
		add_fields(info, prefix, user, fields, G_N_ELEMENTS(fields));
		double since = json_number_value(json_object_get(user, "login-time"));
		add(info, g_strconcat(prefix, "login-time", NULL), PARAM_ULLONG,
		    g_strdup_printf("%.0f", since * 1000));
	}
}

static void fill_os(GuestInfo *info, json_t *os)
{
	static const char *const keys[] = { "id", "name", "pretty-name", "version", "version-id",
					    "kernel-release", "kernel-version", "machine", "variant",
					    "variant-id" };
	for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
		const Field field = { keys[i], keys[i], PARAM_STRING };
		add_fields(info, "os.", os, &field, 1);
	}
}

static void fill_timezone(GuestInfo *info, json_t *zone)
{
	static const Field fields[] = { { "zone", "name", PARAM_STRING },
					{ "offset", "offset", PARAM_INT } };
	add_fields(info, "timezone.", zone, fields, G_N_ELEMENTS(fields));
}

static void fill_hostname(GuestInfo *info, json_t *name)
{
	static const Field field = { "host-name", "hostname", PARAM_STRING };
	add_fields(info, "", name, &field, 1);
}

/* ---- disks as the definition names them ---- */

static gboolean is(json_t *object, const char *key, OptUint wanted)
{
	return (guint64)json_integer_value(json_object_get(object, key)) == opt_uint_or(wanted, 0);
}

static gboolean is_pci(json_t *pci, const Address *address)
{
	return address && address->type == ADDRESS_PCI && is(pci, "domain", address->domain) &&
	       is(pci, "bus", address->bus) && is(pci, "slot", address->slot) &&
	       is(pci, "function", address->function);
}

static gboolean sits_on(const Guest *live, json_t *pci, const Address *drive)
{
	SHAPE_EACH (Controller, controller, live->controllers)
		if (opt_uint_or(controller->index, 0) == opt_uint_or(drive->controller, 0) &&
		    is_pci(pci, controller->info.address))
			return TRUE;
	return FALSE;
}

/* "vda" of a disk that the agent tells the place of; NULL where it is none of the definition's. */
static const char *disk_at(const Guest *live, json_t *place)
{
	json_t *pci = json_object_get(place, "pci-controller");
	SHAPE_EACH (Disk, disk, live->disks) {
		const Address *address = disk->info.address;
		if (is_pci(pci, address))
			return disk->target;
		if (address && address->type == ADDRESS_DRIVE && is(place, "bus", address->bus) &&
		    is(place, "target", address->target) && is(place, "unit", address->unit) &&
		    sits_on(live, pci, address))
			return disk->target;
	}
	return NULL;
}

static void add_alias(GuestInfo *info, const char *prefix, const Guest *live, json_t *place)
{
	const char *alias = disk_at(live, place);
	if (alias)
		add(info, g_strconcat(prefix, "alias", NULL), PARAM_STRING, g_strdup(alias));
}

static void fill_fs(GuestInfo *info, const Guest *live, json_t *list)
{
	static const Field fields[] = { { "name", "name", PARAM_STRING },
					{ "mountpoint", "mountpoint", PARAM_STRING },
					{ "type", "fstype", PARAM_STRING },
					{ "total-bytes", "total-bytes", PARAM_ULLONG },
					{ "used-bytes", "used-bytes", PARAM_ULLONG } };
	static const Field disk_fields[] = { { "serial", "serial", PARAM_STRING },
					     { "dev", "device", PARAM_STRING } };
	size_t n = add_count(info, "fs.", list);
	for (size_t i = 0; i < n; i++) {
		json_t *fs = json_array_get(list, i);
		g_autofree char *prefix = g_strdup_printf("fs.%zu.", i);
		g_autofree char *disks = g_strconcat(prefix, "disk.", NULL);
		add_fields(info, prefix, fs, fields, G_N_ELEMENTS(fields));
		size_t k;
		json_t *disk, *places = json_object_get(fs, "disk");
		add_count(info, disks, places);
		json_array_foreach(places, k, disk) {
			g_autofree char *each = g_strdup_printf("%s%zu.", disks, k);
			add_alias(info, each, live, disk);
			add_fields(info, each, disk, disk_fields, G_N_ELEMENTS(disk_fields));
		}
	}
}

static void fill_disks(GuestInfo *info, const Guest *live, json_t *list)
{
	static const Field fields[] = { { "name", "name", PARAM_STRING },
					{ "partition", "partition", PARAM_BOOLEAN } };
	static const Field place_fields[] = { { "serial", "serial", PARAM_STRING },
					      { "bus-type", "guest_bus", PARAM_STRING } };
	size_t n = add_count(info, "disk.", list);
	for (size_t i = 0; i < n; i++) {
		json_t *disk = json_array_get(list, i), *place = json_object_get(disk, "address");
		g_autofree char *prefix = g_strdup_printf("disk.%zu.", i);
		add_fields(info, prefix, disk, fields, G_N_ELEMENTS(fields));
		if (place)
			add_alias(info, prefix, live, place);
		add_fields(info, prefix, place, place_fields, G_N_ELEMENTS(place_fields));
		const Field alias = { "alias", "guest_alias", PARAM_STRING };
		add_fields(info, prefix, disk, &alias, 1);
	}
}

static void fill_interfaces(GuestInfo *info, json_t *list)
{
	static const Field fields[] = { { "name", "name", PARAM_STRING },
					{ "hardware-address", "hwaddr", PARAM_STRING } };
	static const Field address_fields[] = { { "ip-address-type", "type", PARAM_STRING },
						{ "ip-address", "addr", PARAM_STRING },
						{ "prefix", "prefix", PARAM_UINT } };
	size_t n = add_count(info, "if.", list);
	for (size_t i = 0; i < n; i++) {
		json_t *net = json_array_get(list, i), *address;
		json_t *addresses = json_object_get(net, "ip-addresses");
		g_autofree char *prefix = g_strdup_printf("if.%zu.", i);
		g_autofree char *addrs = g_strconcat(prefix, "addr.", NULL);
		add_fields(info, prefix, net, fields, G_N_ELEMENTS(fields));
		size_t k;
		add_count(info, addrs, addresses);
		json_array_foreach(addresses, k, address) {
			g_autofree char *each = g_strdup_printf("%s%zu.", addrs, k);
			add_fields(info, each, address, address_fields,
				   G_N_ELEMENTS(address_fields));
		}
	}
}

typedef struct InfoArgs {
	ShapeHead head;
	gboolean user, os, timezone, hostname, filesystem, disk, interface;
} InfoArgs;

static const Row info_args_rows[] = {
	FLAG(InfoArgs, user, NULL, .doc = "who is logged in"),
	FLAG(InfoArgs, os, NULL, .doc = "the operating system"),
	FLAG(InfoArgs, timezone, NULL, .doc = "the time zone"),
	FLAG(InfoArgs, hostname, NULL, .doc = "its name"),
	FLAG(InfoArgs, filesystem, NULL, .doc = "what is mounted"),
	FLAG(InfoArgs, disk, NULL, .doc = "its disks"),
	FLAG(InfoArgs, interface, NULL, .doc = "its network addresses"),
};
static const Shape info_args = SHAPE("guestinfo-args", InfoArgs, info_args_rows);

/* One kind of information, in virsh's order. */
static const struct {
	size_t wanted; /* offset of the flag */
	const char *command;
	gboolean list;
	void (*fill)(GuestInfo *info, json_t *answer);
	void (*fill_with)(GuestInfo *info, const Guest *live, json_t *answer);
} kinds[] = {
	{ offsetof(InfoArgs, user), "guest-get-users", TRUE, fill_users, NULL },
	{ offsetof(InfoArgs, os), "guest-get-osinfo", FALSE, fill_os, NULL },
	{ offsetof(InfoArgs, timezone), "guest-get-timezone", FALSE, fill_timezone, NULL },
	{ offsetof(InfoArgs, hostname), "guest-get-host-name", FALSE, fill_hostname, NULL },
	{ offsetof(InfoArgs, filesystem), "guest-get-fsinfo", TRUE, NULL, fill_fs },
	{ offsetof(InfoArgs, disk), "guest-get-disks", TRUE, NULL, fill_disks },
	{ offsetof(InfoArgs, interface), "guest-network-get-interfaces", TRUE, fill_interfaces, NULL },
};

static gboolean add_kind(OpCall *call, guint kind, const Guest *live, GError **error)
{
	GuestInfo *info = call->result;
	json_t *answer = ask_agent(call, kinds[kind].command, NULL, error);
	gboolean ok = answer && (!kinds[kind].list || agent_list(answer, NULL, error));
	if (ok && kinds[kind].fill)
		kinds[kind].fill(info, answer);
	else if (ok)
		kinds[kind].fill_with(info, live, answer);
	json_decref(answer);
	if (ok && shape_len(info->params) > AGENT_LIST_MAX)
		return fail(error, LODGE_ERROR_ENGINE, "the guest agent tells more than %d things; ask for "
			    "one kind at a time", AGENT_LIST_MAX);
	return ok;
}

static gboolean is_wanted(const InfoArgs *args, guint kind)
{
	return *(const gboolean *)((const char *)args + kinds[kind].wanted);
}

/* What was asked for has to be there; where nothing is said, what the agent knows. */
static gboolean guest_info(OpCall *call, GError **error)
{
	const InfoArgs *args = call->args;
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	static const Guest none;
	const Guest *live = snap->live ? snap->live->guest : &none;
	gboolean some = FALSE;
	for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
		some = some || is_wanted(args, i);
	for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
		g_autoptr(GError) why = NULL;
		if ((some && !is_wanted(args, i)) || add_kind(call, i, live, &why))
			continue;
		if (!some && (g_error_matches(why, LODGE_ERROR, LODGE_ERROR_UNSUPPORTED) ||
			      g_error_matches(why, LODGE_ERROR, LODGE_ERROR_ENGINE)) &&
		    core_guest_agent_state(call->guest) == AGENT_CONNECTED)
			continue;
		g_propagate_error(error, g_steal_pointer(&why));
		return FALSE;
	}
	return TRUE;
}

/* ---- guestvcpus ---- */

typedef struct CpuArgs {
	ShapeHead head;
	char *cpulist;
	gboolean enable, disable;
} CpuArgs;

static const Row cpu_args_rows[] = {
	CPUSET(CpuArgs, cpulist, NULL, .doc = "these CPUs: 1-3,5"),
	FLAG(CpuArgs, enable, NULL, .doc = "the guest uses them"),
	FLAG(CpuArgs, disable, NULL, .doc = "it does not use them any more"),
};

static gboolean check_cpus(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const CpuArgs *args = object;
	if (args->enable && args->disable)
		return fail(error, LODGE_ERROR_INVALID, "--enable and --disable exclude each other");
	return !args->cpulist == !(args->enable || args->disable) ||
	       fail(error, LODGE_ERROR_INVALID, "--cpulist goes with --enable or --disable");
}

static const Shape cpu_args = SHAPE("guestvcpus-args", CpuArgs, cpu_args_rows, .check = check_cpus);

typedef struct Cpus {
	ShapeHead head;
	char *vcpus, *online, *offlinable;
} Cpus;

static const Row cpus_rows[] = {
	STRING(Cpus, vcpus, NULL, .flags = ROW_EMPTY_OK, .doc = "vcpus"),
	STRING(Cpus, online, NULL, .flags = ROW_EMPTY_OK, .doc = "online"),
	STRING(Cpus, offlinable, NULL, .flags = ROW_EMPTY_OK, .doc = "offlinable"),
};
static const Shape cpus_shape = SHAPE("guest-cpus", Cpus, cpus_rows);

#define CPU_MAX 4096 /* more no machine of QEMU's has */

/* "0-3,5" of the marked ones. */
static char *set_text(const gboolean *marked)
{
	GString *text = g_string_new(NULL);
	for (guint i = 0; i < CPU_MAX; i++) {
		if (!marked[i])
			continue;
		guint last = i;
		while (last + 1 < CPU_MAX && marked[last + 1])
			last++;
		g_string_append_printf(text, "%s%u", text->len ? "," : "", i);
		if (last > i)
			g_string_append_printf(text, "-%u", last);
		i = last;
	}
	return g_string_free(text, FALSE);
}

/* The agent's list, by the CPUs' numbers, with one bit looked at. @what NULL: all. */
static char *cpus_with(json_t *list, const char *what)
{
	g_autofree gboolean *marked = g_new0(gboolean, CPU_MAX);
	size_t i;
	json_t *cpu;
	json_array_foreach(list, i, cpu) {
		json_int_t id = json_integer_value(json_object_get(cpu, "logical-id"));
		if (id >= 0 && id < CPU_MAX)
			marked[id] = !what || json_is_true(json_object_get(cpu, what));
	}
	return set_text(marked);
}

static gboolean is_in_set(const char *set, guint64 id)
{
	gboolean in = FALSE;
	g_auto(GStrv) parts = g_strsplit(set, ",", -1);
	for (char **part = parts; *part; part++) {
		gboolean out = **part == '^';
		char *end = NULL;
		guint64 first = g_ascii_strtoull(*part + out, &end, 10);
		guint64 last = *end == '-' ? g_ascii_strtoull(end + 1, NULL, 10) : first;
		if (id >= first && id <= last)
			in = !out;
	}
	return in;
}

/* Sets those that can be set; answers with how many the agent did before one failed. */
static gboolean set_cpus(OpCall *call, json_t *list, const CpuArgs *args, GError **error)
{
	json_t *wanted = json_array(), *cpu;
	size_t i;
	json_array_foreach(list, i, cpu) {
		json_int_t id = json_integer_value(json_object_get(cpu, "logical-id"));
		if (is_in_set(args->cpulist, (guint64)id))
			json_array_append_new(wanted, json_pack("{s:I, s:b}", "logical-id", id,
								"online", args->enable));
	}
	json_int_t n = (json_int_t)json_array_size(wanted);
	if (n == 0) {
		json_decref(wanted);
		return fail(error, LODGE_ERROR_INVALID, "the guest has none of the CPUs %s",
			    args->cpulist);
	}
	json_t *answer = ask_agent(call, "guest-set-vcpus", json_pack("{s:o}", "vcpus", wanted), error);
	json_int_t done = json_integer_value(answer);
	gboolean ok = answer != NULL;
	json_decref(answer);
	if (ok && done != n)
		return fail(error, LODGE_ERROR_ENGINE, "the guest set %" G_GINT64_FORMAT " of %"
			    G_GINT64_FORMAT " CPUs", (gint64)done, (gint64)n);
	return ok;
}

static gboolean guest_cpus(OpCall *call, GError **error)
{
	const CpuArgs *args = call->args;
	Cpus *result = call->result;
	json_t *answer = ask_agent(call, "guest-get-vcpus", NULL, error);
	json_t *list = answer ? agent_list(answer, NULL, error) : NULL;
	gboolean ok = list != NULL;
	if (ok && args->cpulist) {
		ok = set_cpus(call, list, args, error);
	} else if (ok) {
		result->vcpus = cpus_with(list, NULL);
		result->online = cpus_with(list, "online");
		result->offlinable = cpus_with(list, "can-offline");
	}
	json_decref(answer);
	return ok;
}

/* ---- how many CPUs it uses: setvcpus and vcpucount --guest ---- */

typedef struct CountArgs {
	ShapeHead head;
	OptUint count;
	gboolean maximum;
} CountArgs;

static const Row count_rows[] = {
	UINT(CountArgs, count, NULL, .min = 1, .max = CPU_MAX, .flags = ROW_POSITIONAL,
	     .doc = "use so many; nothing: show how many it uses"),
	FLAG(CountArgs, maximum, NULL, .doc = "how many it could use"),
};
static const Shape count_args = SHAPE("guestvcpus-count-args", CountArgs, count_rows);

typedef struct CpuCount {
	ShapeHead head;
	OptUint count;
	char *text;
} CpuCount;

static const Row counted_rows[] = {
	UINT(CpuCount, count, NULL, .doc = "CPU(s)"),
	STRING(CpuCount, text, NULL),
};
static const Shape counted_shape = SHAPE("guest-cpu-count", CpuCount, counted_rows);

static guint64 count_online(json_t *list)
{
	guint64 online = 0;
	for (size_t i = 0; i < json_array_size(list); i++)
		online += json_is_true(json_object_get(json_array_get(list, i), "online"));
	return online;
}

/* The CPUs to switch so that @count are in use, as "0,3"; NULL where the guest cannot have so many or few. */
static char *cpus_to_switch(json_t *list, guint64 count, GError **error)
{
	guint64 online = count_online(list);
	gboolean more = count > online;
	guint64 missing = more ? count - online : online - count;
	GString *set = g_string_new(NULL);
	for (size_t i = 0; i < json_array_size(list) && missing > 0; i++) {
		json_t *cpu = json_array_get(list, i);
		gboolean on = json_is_true(json_object_get(cpu, "online"));
		if (on == more || (!more && !json_is_true(json_object_get(cpu, "can-offline"))))
			continue;
		missing--;
		g_string_append_printf(set, "%s%" JSON_INTEGER_FORMAT, set->len ? "," : "",
				       json_integer_value(json_object_get(cpu, "logical-id")));
	}
	if (missing == 0)
		return g_string_free(set, FALSE);
	g_string_free(set, TRUE);
	fail(error, LODGE_ERROR_ENGINE, more ? "the guest has only %" G_GUINT64_FORMAT " CPUs" :
	     "the guest cannot do with less than %" G_GUINT64_FORMAT " CPUs",
	     more ? (guint64)json_array_size(list) : count + missing);
	return NULL;
}

static gboolean use_cpus(OpCall *call, json_t *list, guint64 count, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	guint64 most = snap->live ? guest_vcpus_online(snap->live->guest) : snap->vcpus;
	if (count > most)
		return fail(error, LODGE_ERROR_INVALID, "guest \"%s\" has %" G_GUINT64_FORMAT
			    " CPUs: it cannot use %" G_GUINT64_FORMAT, snap->name, most, count);
	CpuArgs args = { .cpulist = cpus_to_switch(list, count, error),
			 .enable = count > count_online(list) };
	gboolean ok = args.cpulist && (!*args.cpulist || set_cpus(call, list, &args, error));
	g_free(args.cpulist);
	return ok;
}

static gboolean cpu_count(OpCall *call, GError **error)
{
	const CountArgs *args = call->args;
	CpuCount *result = call->result;
	json_t *answer = ask_agent(call, "guest-get-vcpus", NULL, error);
	json_t *list = answer ? agent_list(answer, NULL, error) : NULL;
	gboolean ok = list != NULL;
	if (ok && args->count.set)
		ok = use_cpus(call, list, args->count.v, error);
	guint64 n = !ok ? 0 : args->maximum ? json_array_size(list) :
		    args->count.set ? args->count.v : count_online(list);
	result->count = OPT_UINT(n);
	result->text = g_strdup_printf("%" G_GUINT64_FORMAT, n);
	json_decref(answer);
	return ok;
}

/* ---- domfsinfo ---- */

typedef struct FileSystem {
	ShapeHead head;
	char *mountpoint, *name, *type;
	GPtrArray *target;
} FileSystem;

static const Row fs_rows[] = {
	STRING(FileSystem, mountpoint, NULL, .doc = "Mountpoint"),
	STRING(FileSystem, name, NULL, .doc = "Name"),
	STRING(FileSystem, type, NULL, .doc = "Type"),
	STRINGS(FileSystem, target, NULL, .doc = "Target"),
};
static const Shape fs_shape = SHAPE("file-system", FileSystem, fs_rows);

typedef struct FileSystems {
	ShapeHead head;
	GPtrArray *file_systems;
} FileSystems;

static const Row fs_list_rows[] = { LIST(FileSystems, file_systems, NULL, fs_shape) };
static const Shape fs_list_shape = SHAPE("mounted", FileSystems, fs_list_rows);

static FileSystem *fs_new(json_t *json, const Guest *live)
{
	FileSystem *fs = shape_new(&fs_shape);
	fs->mountpoint = agent_text(json, "mountpoint");
	fs->name = agent_text(json, "name");
	fs->type = agent_text(json, "type");
	size_t i;
	json_t *disk;
	json_array_foreach(json_object_get(json, "disk"), i, disk) {
		const char *target = disk_at(live, disk);
		if (target)
			shape_append(&fs->target, NULL, g_strdup(target));
	}
	return fs;
}

static gboolean fs_info(OpCall *call, GError **error)
{
	FileSystems *result = call->result;
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	json_t *answer = ask_agent(call, "guest-get-fsinfo", NULL, error);
	json_t *list = answer ? agent_list(answer, NULL, error) : NULL, *fs;
	size_t i;
	json_array_foreach(list, i, fs)
		if (snap->live)
			shape_append(&result->file_systems, &fs_shape, fs_new(fs, snap->live->guest));
	json_decref(answer);
	return list != NULL;
}

/* ---- domifaddr ---- */

typedef enum AddressSource { BY_LEASE = 1, BY_AGENT, BY_ARP } AddressSource; /* libvirt's, plus 1 */
static const EnumTable sources = ENUM_TABLE("source", "lease", "agent", "arp");

typedef struct AddressArgs {
	ShapeHead head;
	char *interface;
	gboolean full;
	int source;
} AddressArgs;

static const Row address_args_rows[] = {
	STRING(AddressArgs, interface, NULL, .doc = "only of this interface, as the guest calls it"),
	FLAG(AddressArgs, full, NULL, .doc = "name and MAC on each line"),
	ENUM(AddressArgs, source, NULL, sources,
	     .doc = "who is asked: lease, arp or agent; the first that knows where nothing is said"),
};
static const Shape address_args = SHAPE("domifaddr-args", AddressArgs, address_args_rows);

typedef struct NetAddress {
	ShapeHead head;
	char *name, *mac, *protocol, *address;
} NetAddress;

static const Row address_rows[] = {
	STRING(NetAddress, name, NULL, .doc = "Name"),
	STRING(NetAddress, mac, NULL, .doc = "MAC address"),
	STRING(NetAddress, protocol, NULL, .doc = "Protocol"),
	STRING(NetAddress, address, NULL, .doc = "Address"),
};
static const Shape address_item = SHAPE("net-address", NetAddress, address_rows);

typedef struct NetAddresses {
	ShapeHead head;
	GPtrArray *addresses;
} NetAddresses;

static const Row addresses_rows[] = { LIST(NetAddresses, addresses, NULL, address_item) };
static const Shape addresses_shape = SHAPE("net-addresses", NetAddresses, addresses_rows);

/* @address NULL: an interface without any. */
static NetAddress *address_new(json_t *net, json_t *address, gboolean first)
{
	NetAddress *item = shape_new(&address_item);
	item->name = first ? agent_text(net, "name") : g_strdup("-");
	item->mac = first ? agent_text(net, "hardware-address") : g_strdup("-");
	item->protocol = agent_text(address, "ip-address-type");
	g_autofree char *ip = agent_text(address, "ip-address");
	if (ip)
		item->address = g_strdup_printf("%s/%" JSON_INTEGER_FORMAT, ip,
						json_integer_value(json_object_get(address, "prefix")));
	if (!item->mac)
		item->mac = g_strdup("N/A");
	if (!item->protocol)
		item->protocol = g_strdup("N/A");
	if (!item->address)
		item->address = g_strdup("N/A");
	return item;
}

static void add_addresses(NetAddresses *result, json_t *net, const AddressArgs *args)
{
	json_t *addresses = json_object_get(net, "ip-addresses"), *address;
	const char *name = json_string_value(json_object_get(net, "name"));
	if (args->interface && g_strcmp0(args->interface, name))
		return;
	if (json_array_size(addresses) == 0)
		shape_append(&result->addresses, &address_item, address_new(net, NULL, TRUE));
	size_t i;
	json_array_foreach(addresses, i, address)
		shape_append(&result->addresses, &address_item,
			     address_new(net, address, i == 0 || args->full));
}

/* What this host knows itself: names are those of its own interfaces. */
static void host_addresses(OpCall *call, CoreAddressSource source)
{
	NetAddresses *result = call->result;
	const AddressArgs *args = call->args;
	g_autoptr(GPtrArray) list = core_guest_addresses(call->guest, source);
	const char *before = NULL;
	for (guint i = 0; i < list->len && i < AGENT_LIST_MAX; i++) {
		const CoreAddress *address = list->pdata[i];
		gboolean first = args->full || g_strcmp0(before, address->name) != 0;
		if (args->interface && g_strcmp0(args->interface, address->name))
			continue;
		NetAddress *item = shape_new(&address_item);
		item->name = g_strdup(first ? address->name : "-");
		item->mac = g_strdup(first ? address->mac : "-");
		item->protocol = g_strdup(address->ipv6 ? "ipv6" : "ipv4");
		item->address = g_strdup_printf("%s/%u", address->ip, address->prefix);
		shape_append(&result->addresses, &address_item, item);
		before = address->name;
	}
}

static gboolean is_running(OpCall *call, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	return snap->live || guest_not_running(snap->name, error);
}

static gboolean agent_addresses(OpCall *call, GError **error);

static gboolean net_addresses(OpCall *call, GError **error)
{
	const NetAddresses *result = call->result;
	AddressSource source = (AddressSource)((const AddressArgs *)call->args)->source;
	gboolean may_ask = !call->caller.read_only; /* as libvirt: leases and neighbours are for all */
	if (source == BY_AGENT && !may_ask)
		return fail(error, LODGE_ERROR_DENIED,
			    "a read-only connection does not ask the guest agent: --source lease and arp "
			    "do without it");
	if (!is_running(call, error))
		return FALSE;
	if (source == BY_AGENT)
		return agent_addresses(call, error);
	if (source != BY_ARP)
		host_addresses(call, CORE_ADDRESS_LEASE);
	if (source == BY_ARP || (!source && !shape_len(result->addresses)))
		host_addresses(call, CORE_ADDRESS_ARP);
	if (!source && may_ask && !shape_len(result->addresses))
		agent_addresses(call, NULL); /* there may be none: that is no error here */
	return TRUE;
}

static gboolean agent_addresses(OpCall *call, GError **error)
{
	NetAddresses *result = call->result;
	json_t *answer = ask_agent(call, "guest-network-get-interfaces", NULL, error);
	json_t *list = answer ? agent_list(answer, NULL, error) : NULL, *net;
	size_t i;
	json_array_foreach(list, i, net)
		if (shape_len(result->addresses) < AGENT_LIST_MAX)
			add_addresses(result, net, call->args);
	json_decref(answer);
	return list != NULL;
}

static const Op ops[] = {
	{ .name = "domhostname", .route = "/v1/guests/{guest}/hostname",
	  ON_GUEST("GET", OP_PERM_SECRET), .args = &source_args, .result = &hostname_shape,
	  .show = OP_SHOW_TEXT, .doc = "Show a guest's own name", .fn = hostname },
	{ .name = "guestinfo", .route = "/v1/guests/{guest}/inside",
	  ON_GUEST("GET", OP_PERM_SECRET), .args = &info_args, .result = &guest_info_shape,
	  .show = OP_SHOW_FIELDS, .doc = "Show what a guest's agent knows", .fn = guest_info },
	{ .name = "guestvcpus", .route = "/v1/guests/{guest}/inside/cpus",
	  ON_GUEST("POST", OP_PERM_WRITE), .args = &cpu_args, .result = &cpus_shape,
	  .show = OP_SHOW_FIELDS, .doc = "Show or change which CPUs a guest uses", .fn = guest_cpus },
	{ .name = "guestvcpus-count", .route = "/v1/guests/{guest}/inside/cpus/count",
	  ON_GUEST("POST", OP_PERM_WRITE), .args = &count_args, .result = &counted_shape,
	  .show = OP_SHOW_TEXT, .doc = "Show or change how many CPUs the system in a guest uses",
	  .fn = cpu_count },
	{ .name = "domfsinfo", .route = "/v1/guests/{guest}/file-systems",
	  ON_GUEST("GET", OP_PERM_SECRET), .result = &fs_list_shape, .show = OP_SHOW_TABLE,
	  .doc = "Show what is mounted in a guest", .fn = fs_info },
	{ .name = "domifaddr", .route = "/v1/guests/{guest}/addresses",
	  ON_GUEST("GET", OP_PERM_READ), .args = &address_args, .result = &addresses_shape,
	  .show = OP_SHOW_TABLE, .doc = "Show a guest's network addresses", .fn = net_addresses },
};

const OpFamily op_family_guest_inside = { ops, G_N_ELEMENTS(ops) };
