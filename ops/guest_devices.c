/* Verbs that show a guest's disks, interfaces, screens and terminals, and what QEMU and the host count
 * for them. Names, options and texts are virsh's, so that scripts that parse them go on working.
 * Neighbours: guest_show.c shows the guest as a whole; guest_tune.c changes what it may use. */
#include "ops/use.h"
#include "base/fd.h"
#include "host/netdev.h"
#include "image/format.h"
#include "image/qcow2.h"
#include "ops/families.h"
#include "ops/params.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ON_GUEST(perm_, lane_)                                                                     \
	.family = "Guests", .target = OP_ON_GUEST, .method = "GET", .perm = perm_, .lane = lane_

/* ---- shared ---- */

typedef struct InactiveArgs {
	ShapeHead head;
	gboolean inactive, details;
} InactiveArgs;

typedef struct Text {
	ShapeHead head;
	char *text;
} Text;

static const Row text_rows[] = { STRING(Text, text, NULL, .flags = ROW_VERBATIM) };
static const Shape text_shape = SHAPE("told", Text, text_rows);

static Definition *running(OpCall *call, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	if (snap->live)
		return definition_ref(snap->live);
	guest_not_running(snap->name, error);
	return NULL;
}

/* ---- domblklist ---- */

static const Row blklist_rows[] = {
	FLAG(InactiveArgs, inactive, NULL, .doc = "of what the next start will use"),
	FLAG(InactiveArgs, details, NULL, .doc = "also type and device"),
};
static const Shape blklist_args = SHAPE("domblklist-args", InactiveArgs, blklist_rows);

typedef struct Block {
	ShapeHead head;
	DiskType type;
	DiskDevice device;
	char *target, *source;
} Block;

/* Columns that are INTERNAL stand in the table only where an item has them. */
static const Row block_rows[] = {
	ENUM(Block, type, NULL, disk_types, .flags = ROW_INTERNAL, .doc = "Type"),
	ENUM(Block, device, NULL, disk_devices, .flags = ROW_INTERNAL, .doc = "Device"),
	STRING(Block, target, NULL, .doc = "Target"),
	STRING(Block, source, NULL, .doc = "Source"),
};
static const Shape block_shape = SHAPE("block-device", Block, block_rows);

typedef struct Devices {
	ShapeHead head;
	GPtrArray *devices;
} Devices;

static const Row blklist_result_rows[] = { LIST(Devices, devices, NULL, block_shape) };
static const Shape blklist_shape = SHAPE("block-devices", Devices, blklist_result_rows);

static gboolean domblklist(OpCall *call, GError **error)
{
	const InactiveArgs *args = call->args;
	Devices *result = call->result;
	g_autoptr(Definition) definition =
		core_guest_definition(call->guest, args->inactive, error);
	if (!definition)
		return FALSE;
	SHAPE_EACH (Disk, disk, definition->guest->disks) {
		Block *block = shape_new(&block_shape);
		if (args->details) {
			block->type = disk->type ? disk->type : DISK_FILE;
			block->device = disk->device ? disk->device : DISK_DEVICE_DISK;
		}
		block->target = g_strdup(disk->target);
		block->source = g_strdup(disk_source_name(disk));
		shape_append(&result->devices, &block_shape, block);
	}
	return TRUE;
}

/* ---- domiflist ---- */

static const Row iflist_rows[] = {
	FLAG(InactiveArgs, inactive, NULL, .doc = "of what the next start will use"),
};
static const Shape iflist_args = SHAPE("domiflist-args", InactiveArgs, iflist_rows);

typedef struct Nic {
	ShapeHead head;
	char *name;
	InterfaceType type;
	char *source, *model, *mac;
} Nic;

static const Row nic_rows[] = {
	STRING(Nic, name, NULL, .doc = "Interface"),
	ENUM(Nic, type, NULL, interface_types, .doc = "Type"),
	STRING(Nic, source, NULL, .doc = "Source"),
	STRING(Nic, model, NULL, .doc = "Model"),
	MAC(Nic, mac, NULL, .doc = "MAC"),
};
static const Shape nic_shape = SHAPE("network-device", Nic, nic_rows);
static const Row iflist_result_rows[] = { LIST(Devices, devices, NULL, nic_shape) };
static const Shape iflist_shape = SHAPE("network-devices", Devices, iflist_result_rows);

/* What virsh calls the source: whatever attribute says where the interface leads. */
static const char *nic_source(const InterfaceSource *source)
{
	if (!source)
		return NULL;
	const char *const names[] = { source->network, source->bridge, source->dev, source->path,
				      source->address, source->name };
	for (guint i = 0; i < G_N_ELEMENTS(names); i++)
		if (names[i])
			return names[i];
	return NULL;
}

static gboolean domiflist(OpCall *call, GError **error)
{
	const InactiveArgs *args = call->args;
	Devices *result = call->result;
	g_autoptr(Definition) definition =
		core_guest_definition(call->guest, args->inactive, error);
	if (!definition)
		return FALSE;
	SHAPE_EACH (Interface, interface, definition->guest->interfaces) {
		Nic *nic = shape_new(&nic_shape);
		nic->name = g_strdup(interface->target);
		nic->type = interface->type;
		nic->source = g_strdup(nic_source(interface->source));
		nic->model = g_strdup(interface->model);
		nic->mac = g_strdup(interface->mac);
		shape_append(&result->devices, &nic_shape, nic);
	}
	return TRUE;
}

/* ---- domblkinfo ---- */

typedef struct BlkinfoArgs {
	ShapeHead head;
	char *device;
	gboolean human, all;
} BlkinfoArgs;

static const Row blkinfo_rows[] = {
	STRING(BlkinfoArgs, device, NULL, .flags = ROW_POSITIONAL,
	       .doc = "target or source of a disk, such as vda"),
	FLAG(BlkinfoArgs, human, NULL, .doc = "shows sizes in units for people"),
	FLAG(BlkinfoArgs, all, NULL, .doc = "of every disk"),
};
static const Shape blkinfo_args = SHAPE("domblkinfo-args", BlkinfoArgs, blkinfo_rows);

typedef struct Sizes {
	ShapeHead head;
	char *target;
	OptUint capacity, allocation, physical;
} Sizes;

static const Row sizes_rows[] = {
	STRING(Sizes, target, NULL, .doc = "Target"),
	UINT(Sizes, capacity, NULL, .doc = "Capacity"),
	UINT(Sizes, allocation, NULL, .doc = "Allocation"),
	UINT(Sizes, physical, NULL, .doc = "Physical"),
};
static const Shape sizes_shape = SHAPE("disk-sizes", Sizes, sizes_rows);

static const Row sizes_list_rows[] = { LIST(Devices, devices, NULL, sizes_shape) };
static const Shape sizes_list = SHAPE("disk-sizes-list", Devices, sizes_list_rows);

static const Disk *disk_named(const Guest *guest, const char *name, GError **error)
{
	SHAPE_EACH (Disk, disk, guest->disks)
		if (g_strcmp0(disk->target, name) == 0 ||
		    g_strcmp0(disk_source_name(disk), name) == 0)
			return disk;
	fail(error, LODGE_ERROR_INVALID, "guest \"%s\" has no disk \"%s\"; domblklist shows those it has",
	     guest->name, name);
	return NULL;
}

/* The disk inside the image: the format is what the definition says; a guest writes raw ones. */
static gboolean capacity_of(const Disk *disk, int fd, const char *path, guint64 physical,
			    guint64 *capacity, GError **error)
{
	ImageFacts facts = { 0 };
	*capacity = physical;
	if (disk->driver_type == DISK_FORMAT_RAW || !disk->driver_type)
		return TRUE;
	if (!image_probe(fd, path, &facts, error))
		return FALSE;
	*capacity = opt_uint_or(facts.size, physical);
	return TRUE;
}

static gboolean measure(const Disk *disk, Sizes *sizes, GError **error)
{
	const char *path = disk->source ? (disk->source->file ? disk->source->file : disk->source->dev) :
					  NULL;
	struct stat status;
	guint64 capacity;
	sizes->target = g_strdup(disk->target);
	if (!path) /* an empty drive, or data that is not on this host */
		return TRUE;
	autofd int fd = image_open(path, error);
	if (fd < 0)
		return FALSE;
	if (fstat(fd, &status) < 0)
		return fail_errno(error, errno, "cannot look at %s", path);
	off_t end = lseek(fd, 0, SEEK_END);
	guint64 physical = end > 0 ? (guint64)end : 0;
	if (!capacity_of(disk, fd, path, physical, &capacity, error))
		return FALSE;
	sizes->physical = OPT_UINT(physical);
	sizes->allocation = OPT_UINT(S_ISBLK(status.st_mode) ? physical : (guint64)status.st_blocks * 512);
	sizes->capacity = OPT_UINT(capacity);
	return TRUE;
}

static gboolean domblkinfo(OpCall *call, GError **error)
{
	const BlkinfoArgs *args = call->args;
	Devices *result = call->result;
	g_autoptr(Definition) definition = core_guest_definition(call->guest, FALSE, error);
	if (!definition)
		return FALSE;
	if (!args->device == !args->all)
		return fail(error, LODGE_ERROR_INVALID, "say the disk, or --all");
	const Disk *only = args->all ? NULL : disk_named(definition->guest, args->device, error);
	if (!args->all && !only)
		return FALSE;
	SHAPE_EACH (Disk, disk, definition->guest->disks) {
		if (only && disk != only)
			continue;
		Sizes *sizes = shape_new(&sizes_shape);
		shape_append(&result->devices, &sizes_shape, sizes);
		if (!measure(disk, sizes, error))
			return FALSE;
	}
	return TRUE;
}

/* ---- counters ---- */

typedef struct DeviceArgs {
	ShapeHead head;
	char *device;
	gboolean human;
} DeviceArgs;

static const Row blkstat_rows[] = {
	STRING(DeviceArgs, device, NULL, .flags = ROW_POSITIONAL,
	       .doc = "target or source of a disk; nothing: all disks together"),
	FLAG(DeviceArgs, human, NULL, .doc = "names of the numbers for people"),
};
static const Shape blkstat_args = SHAPE("domblkstat-args", DeviceArgs, blkstat_rows);

static const struct {
	const char *name;
	EngineBlockCounter counter;
	const char *human;
} block_counters[] = {
	{ "rd_req", BLOCK_READS, "number of read operations:" },
	{ "rd_bytes", BLOCK_READ_BYTES, "number of bytes read:" },
	{ "wr_req", BLOCK_WRITES, "number of write operations:" },
	{ "wr_bytes", BLOCK_WRITTEN_BYTES, "number of bytes written:" },
	{ "flush_operations", BLOCK_FLUSHES, "number of flush operations:" },
	{ "rd_total_times", BLOCK_READ_NS, "total duration of reads (ns):" },
	{ "wr_total_times", BLOCK_WRITE_NS, "total duration of writes (ns):" },
	{ "flush_total_times", BLOCK_FLUSH_NS, "total duration of flushes (ns):" },
};

static void add_counters(const EngineBlock *block, guint64 *sums)
{
	const EngineLayer *layer = &g_array_index(block->layers, EngineLayer, 0);
	for (guint k = 0; k < G_N_ELEMENTS(block_counters); k++)
		sums[k] += layer->counters[block_counters[k].counter];
}

static char *show_counters(const DeviceArgs *args, const Disk *disk, const guint64 *sums)
{
	GString *out = g_string_new(NULL);
	if (args->human)
		g_string_append_printf(out, "Device: %s\n", disk ? disk->target : "");
	for (guint i = 0; i < G_N_ELEMENTS(block_counters); i++)
		if (args->human)
			g_string_append_printf(out, " %-32s%" G_GUINT64_FORMAT "\n",
					       block_counters[i].human, sums[i]);
		else
			g_string_append_printf(out, "%s%s%s %" G_GUINT64_FORMAT "\n",
					       disk ? disk->target : "", " ", block_counters[i].name,
					       sums[i]);
	return g_string_free(out, FALSE);
}

static gboolean fill_blkstat(OpCall *call, const Guest *live, const GuestUse *use, GError **error)
{
	const DeviceArgs *args = call->args;
	guint64 sums[G_N_ELEMENTS(block_counters)] = { 0 };
	const Disk *disk = args->device ? disk_named(live, args->device, error) : NULL;
	gboolean found = !args->device;
	if (args->device && !disk)
		return FALSE;
	for (guint i = 0; i < use->engine->blocks->len; i++) {
		const EngineBlock *block = g_ptr_array_index(use->engine->blocks, i);
		if (!block->layers->len || (disk && g_strcmp0(block->alias, disk->info.alias)))
			continue;
		add_counters(block, sums);
		found = TRUE;
	}
	if (!found)
		return fail(error, LODGE_ERROR_ENGINE, "guest \"%s\": QEMU counts nothing for %s", live->name,
			    args->device);
	((Text *)call->result)->text = show_counters(args, disk, sums);
	return TRUE;
}

static gboolean domblkstat(OpCall *call, G_GNUC_UNUSED GError **error)
{
	return op_fill_from_use(call, ENGINE_STATS_BLOCKS, fill_blkstat);
}

static const Row ifstat_rows[] = {
	STRING(DeviceArgs, device, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "the interface on the host, such as vnet0, or its MAC address"),
};
static const Shape ifstat_args = SHAPE("domifstat-args", DeviceArgs, ifstat_rows);

static const Interface *nic_named(const Guest *guest, const char *name, GError **error)
{
	SHAPE_EACH (Interface, interface, guest->interfaces)
		if (interface->target && (g_str_equal(interface->target, name) ||
					  (interface->mac && g_ascii_strcasecmp(interface->mac, name) == 0)))
			return interface;
	fail(error, LODGE_ERROR_INVALID, "'%s' is not a known interface: guest \"%s\" has none of that "
	     "name on this host", name, guest->name);
	return NULL;
}

/* What the guest receives is what the host's side sends. */
static gboolean domifstat(OpCall *call, GError **error)
{
	static const struct {
		const char *name;
		size_t member;
	} counters[] = {
		{ "rx_bytes", offsetof(NetdevUse, tx_bytes) },
		{ "rx_packets", offsetof(NetdevUse, tx_packets) },
		{ "rx_errs", offsetof(NetdevUse, tx_errs) },
		{ "rx_drop", offsetof(NetdevUse, tx_drop) },
		{ "tx_bytes", offsetof(NetdevUse, rx_bytes) },
		{ "tx_packets", offsetof(NetdevUse, rx_packets) },
		{ "tx_errs", offsetof(NetdevUse, rx_errs) },
		{ "tx_drop", offsetof(NetdevUse, rx_drop) },
	};
	Params *result = call->result;
	g_autoptr(Definition) definition = running(call, error);
	const Interface *nic = definition ? nic_named(definition->guest,
				((const DeviceArgs *)call->args)->device, error) : NULL;
	if (!nic)
		return FALSE;
	g_autoptr(GString) out = g_string_new(NULL);
	g_autoptr(GHashTable) all = netdev_use();
	const NetdevUse *use = g_hash_table_lookup(all, nic->target);
	if (!use)
		return fail(error, LODGE_ERROR_SYSTEM, "the host has no interface %s", nic->target);
	for (guint i = 0; i < G_N_ELEMENTS(counters); i++) {
		guint64 value = *(const guint64 *)((const char *)use + counters[i].member);
		param_add(&result->params, PARAM_LLONG, counters[i].name, (gint64)value);
		g_string_append_printf(out, "%s %s %" G_GUINT64_FORMAT "\n", nic->target, counters[i].name,
				       value);
	}
	result->text = g_strdup(out->str);
	return TRUE;
}

/* ---- domcontrol, domblkerror ---- */

/* Whether the engine answers. */
static void on_control(const GuestUse *use, G_GNUC_UNUSED const GError *error, gpointer data)
{
	OpCall *call = data;
	GError *why = NULL;
	g_autoptr(Definition) live = running(call, &why);
	if (live)
		((Text *)call->result)->text = g_strdup(use && !use->late ? "ok" : "error");
	op_finish(call, why);
}

static gboolean domcontrol(OpCall *call, G_GNUC_UNUSED GError **error)
{
	core_guest_use(call->guest, ENGINE_STATS_VCPUS, on_control, call);
	return TRUE;
}

/* What is wrong with disks, a word for each that has an error. */
typedef struct DiskError {
	ShapeHead head;
	char *disk, *error;
	OptInt number; /* virDomainDiskErrorCode */
} DiskError;

static const Row error_rows[] = {
	STRING(DiskError, disk, NULL, .doc = "Disk"),
	STRING(DiskError, error, NULL, .doc = "Error"),
	INT(DiskError, number, NULL),
};
static const Shape error_shape = SHAPE("disk-error", DiskError, error_rows);

typedef struct DiskErrors {
	ShapeHead head;
	char *text;
	GPtrArray *errors;
} DiskErrors;

static const Row errors_rows[] = {
	STRING(DiskErrors, text, NULL, .flags = ROW_VERBATIM),
	LIST(DiskErrors, errors, NULL, error_shape),
};
static const Shape errors_shape = SHAPE("disk-errors", DiskErrors, errors_rows);

static void add_error(DiskErrors *result, const char *target, gboolean no_space)
{
	DiskError *one = shape_new(&error_shape);
	one->disk = g_strdup(target);
	one->error = g_strdup(no_space ? "no space" : "unspecified error");
	one->number = OPT_INT(no_space ? 2 : 1);
	shape_append(&result->errors, &error_shape, one);
}

static gboolean fill_blkerror(OpCall *call, const Guest *live, const GuestUse *use,
			      G_GNUC_UNUSED GError **error)
{
	DiskErrors *result = call->result;
	GString *out = g_string_new(NULL);
	SHAPE_EACH (Disk, disk, live->disks)
		for (guint i = 0; disk->info.alias && i < use->engine->blocks->len; i++) {
			const EngineBlock *block = g_ptr_array_index(use->engine->blocks, i);
			if (g_str_equal(block->alias, disk->info.alias) && !g_str_equal(block->status, "ok"))
				add_error(result, disk->target, g_str_equal(block->status, "nospace"));
		}
	SHAPE_EACH (DiskError, one, result->errors)
		g_string_append_printf(out, "%s: %s\n", one->disk, one->error);
	if (!out->len)
		g_string_append(out, "No errors found\n");
	result->text = g_string_free(out, FALSE);
	return TRUE;
}

static gboolean domblkerror(OpCall *call, G_GNUC_UNUSED GError **error)
{
	return op_fill_from_use(call, ENGINE_STATS_BLOCKS, fill_blkerror);
}

/* ---- vncdisplay, domdisplay, ttyconsole ---- */

typedef struct DisplayArgs {
	ShapeHead head;
	char *type;
	gboolean include_password, all;
} DisplayArgs;

static const Row display_rows[] = {
	STRING(DisplayArgs, type, NULL, .doc = "only of this type: vnc or spice"),
	FLAG(DisplayArgs, include_password, NULL, .doc = "with the password in it"),
	FLAG(DisplayArgs, all, NULL, .doc = "every screen, not only the first"),
};
static const Shape display_args = SHAPE("domdisplay-args", DisplayArgs, display_rows);

/* Where it listens; the listener's own address, or the short form. */
static const char *listen_address(const Graphics *graphics)
{
	SHAPE_EACH (GraphicsListen, listen, graphics->listens)
		if (listen->address)
			return listen->address;
	return graphics->listen;
}

static const char *listen_socket(const Graphics *graphics)
{
	SHAPE_EACH (GraphicsListen, listen, graphics->listens)
		if (listen->socket)
			return listen->socket;
	return graphics->socket;
}

/* "localhost" where it listens everywhere: whoever reads this is on the host. */
static char *host_text(const char *address)
{
	if (!address || g_str_equal(address, "0.0.0.0") || g_str_equal(address, "::"))
		return g_strdup("localhost");
	return strchr(address, ':') ? g_strdup_printf("[%s]", address) : g_strdup(address);
}

static gboolean has_port(const Graphics *graphics)
{
	return (graphics->port.set && graphics->port.v > 0) ||
	       (graphics->tls_port.set && graphics->tls_port.v > 0);
}

/* virsh's form: VNC by display number, SPICE by port. NULL: nobody can connect. */
static char *display_uri(const Graphics *graphics, gboolean password)
{
	const char *socket = listen_socket(graphics);
	gboolean vnc = graphics->type == GRAPHICS_VNC;
	if (socket)
		return g_strdup_printf("%s+unix://%s", vnc ? "vnc" : "spice", socket);
	if (!has_port(graphics))
		return NULL;
	g_autofree char *host = host_text(listen_address(graphics));
	g_autofree char *secret = password && graphics->passwd ?
		g_uri_escape_string(graphics->passwd, NULL, FALSE) : NULL;
	GString *uri = g_string_new(vnc ? "vnc://" : "spice://");
	if (vnc && secret)
		g_string_append_printf(uri, ":%s@", secret);
	g_string_append(uri, host);
	if (graphics->port.set && graphics->port.v > 0)
		g_string_append_printf(uri, ":%d", (int)graphics->port.v - (vnc ? 5900 : 0));
	const char *mark = "?";
	if (!vnc && graphics->tls_port.set && graphics->tls_port.v > 0) {
		g_string_append_printf(uri, "?tls-port=%d", (int)graphics->tls_port.v);
		mark = "&";
	}
	if (!vnc && secret)
		g_string_append_printf(uri, "%spassword=%s", mark, secret);
	return g_string_free(uri, FALSE);
}

static gboolean domdisplay(OpCall *call, GError **error)
{
	const DisplayArgs *args = call->args;
	g_autoptr(Definition) definition = running(call, error);
	g_autoptr(GString) out = g_string_new(NULL);
	if (!definition)
		return FALSE;
	if (args->include_password && call->caller.read_only)
		return fail(error, LODGE_ERROR_DENIED, "passwords are not shown on a read-only connection");
	SHAPE_EACH (Graphics, graphics, definition->guest->graphics) {
		const char *type = enum_name(&graphics_types, graphics->type);
		gboolean remote = graphics->type == GRAPHICS_VNC || graphics->type == GRAPHICS_SPICE;
		if (!remote || (args->type && g_strcmp0(args->type, type) != 0))
			continue;
		g_autofree char *uri = display_uri(graphics, args->include_password);
		if (uri)
			g_string_append_printf(out, "%s\n", uri);
		if (uri && !args->all)
			break;
	}
	if (out->len == 0)
		return fail(error, LODGE_ERROR_NOT_FOUND, "No graphical display found: guest \"%s\" has no "
			    "%s%sscreen that listens", definition->guest->name, args->type ? args->type : "",
			    args->type ? " " : "");
	((Text *)call->result)->text = g_strdup(out->str);
	return TRUE;
}

static gboolean vncdisplay(OpCall *call, GError **error)
{
	g_autoptr(Definition) definition = running(call, error);
	if (!definition)
		return FALSE;
	SHAPE_EACH (Graphics, graphics, definition->guest->graphics) {
		const char *socket = listen_socket(graphics), *address = listen_address(graphics);
		if (graphics->type != GRAPHICS_VNC)
			continue;
		if (socket)
			((Text *)call->result)->text = g_strdup(socket);
		else if (graphics->port.set && graphics->port.v > 0)
			((Text *)call->result)->text = g_strdup_printf(
				"%s:%d", !address || g_str_equal(address, "0.0.0.0") ? "" : address,
				(int)graphics->port.v - 5900);
		else
			continue;
		return TRUE;
	}
	return fail(error, LODGE_ERROR_NOT_FOUND, "guest \"%s\" has no VNC display that listens",
		    definition->guest->name);
}

static gboolean ttyconsole(OpCall *call, GError **error)
{
	g_autoptr(Definition) definition = running(call, error);
	if (!definition)
		return FALSE;
	const GPtrArray *const lists[] = { definition->guest->consoles, definition->guest->serials };
	for (guint i = 0; i < G_N_ELEMENTS(lists); i++)
		SHAPE_EACH (Chardev, chardev, lists[i]) {
			const ChardevSource *source = chardev_source(&chardev->backend);
			const char *tty = chardev->tty ? chardev->tty : source ? source->path : NULL;
			if (!tty)
				continue;
			((Text *)call->result)->text = g_strdup(tty);
			return TRUE;
		}
	return fail(error, LODGE_ERROR_NOT_FOUND, "guest \"%s\" has no terminal on this host",
		    definition->guest->name);
}

static const Op ops[] = {
	{ .name = "domblklist", .route = "/v1/guests/{guest}/disks", ON_GUEST(OP_PERM_READ, OP_BESIDE),
	  .args = &blklist_args, .result = &blklist_shape, .show = OP_SHOW_TABLE,
	  .doc = "List a guest's disks", .fn = domblklist },
	{ .name = "domiflist", .route = "/v1/guests/{guest}/interfaces",
	  ON_GUEST(OP_PERM_READ, OP_BESIDE), .args = &iflist_args, .result = &iflist_shape,
	  .show = OP_SHOW_TABLE, .doc = "List a guest's network interfaces", .fn = domiflist },
	{ .name = "domblkinfo", .route = "/v1/guests/{guest}/disks/sizes",
	  ON_GUEST(OP_PERM_READ, OP_BESIDE), .args = &blkinfo_args, .result = &sizes_list,
	  .show = OP_SHOW_CUSTOM, .doc = "Show how large a guest's disks are", .fn = domblkinfo },
	{ .name = "domblkstat", .route = "/v1/guests/{guest}/disks/stats",
	  ON_GUEST(OP_PERM_READ, OP_LATER), .args = &blkstat_args, .result = &text_shape,
	  .show = OP_SHOW_TEXT, .doc = "Show what a guest read and wrote", .fn = domblkstat },
	{ .name = "domblkerror", .route = "/v1/guests/{guest}/disks/errors",
	  ON_GUEST(OP_PERM_READ, OP_LATER), .result = &errors_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show which of a guest's disks failed", .fn = domblkerror },
	{ .name = "domifstat", .route = "/v1/guests/{guest}/interfaces/stats",
	  ON_GUEST(OP_PERM_READ, OP_BESIDE), .args = &ifstat_args, .result = &params_shape,
	  .show = OP_SHOW_TEXT, .doc = "Show what a guest received and sent", .fn = domifstat },
	{ .name = "domcontrol", .route = "/v1/guests/{guest}/control",
	  ON_GUEST(OP_PERM_READ, OP_LATER), .result = &text_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show whether a guest's QEMU can be spoken to", .fn = domcontrol },
	{ .name = "vncdisplay", .route = "/v1/guests/{guest}/vncdisplay",
	  ON_GUEST(OP_PERM_READ, OP_READ), .result = &text_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show where a guest's VNC screen is", .fn = vncdisplay },
	{ .name = "domdisplay", .route = "/v1/guests/{guest}/display",
	  ON_GUEST(OP_PERM_READ, OP_READ), .args = &display_args, .result = &text_shape,
	  .show = OP_SHOW_TEXT, .doc = "Show the address of a guest's screen", .fn = domdisplay },
	{ .name = "ttyconsole", .route = "/v1/guests/{guest}/tty", ON_GUEST(OP_PERM_READ, OP_READ),
	  .result = &text_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show the terminal of a guest's console on the host", .fn = ttyconsole },
};

const OpFamily op_family_guest_devices = { ops, G_N_ELEMENTS(ops) };
