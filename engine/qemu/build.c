/* See build.h. */
#include "engine/qemu/build.h"

#include <string.h>

/* ---- words ---- */

void add(Build *build, const char *word)
{
	g_ptr_array_add(build->command->argv, g_strdup(word));
}

void add_option(Build *build, const char *option, char *value)
{
	add(build, option);
	g_ptr_array_add(build->command->argv, value);
}

void add_json(Build *build, const char *option, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);
	add(build, option);
	g_ptr_array_add(build->command->argv, g_strdup(text));
	free(text);
	json_decref(json);
}

void add_after_start(Build *build, const char *execute, json_t *arguments)
{
	json_t *command = json_object();
	put(command, "execute", execute);
	json_object_set_new(command, "arguments", arguments);
	g_ptr_array_add(build->command->after_start, command);
}

char *opt_escape(const char *text)
{
	GString *out = g_string_new(NULL);
	for (; *text; text++) {
		g_string_append_c(out, *text);
		if (*text == ',')
			g_string_append_c(out, ',');
	}
	return g_string_free(out, FALSE);
}

void opt_put(GString *option, const char *key, const char *value)
{
	if (!value)
		return;
	g_autofree char *escaped = opt_escape(value);
	g_string_append_printf(option, ",%s=%s", key, escaped);
}

void opt_put_switch(GString *option, const char *key, Tri value)
{
	if (value != TRI_ABSENT)
		opt_put(option, key, value == TRI_YES ? "on" : "off");
}

/* ---- JSON ---- */

void put(json_t *json, const char *key, const char *value)
{
	if (value)
		json_object_set_new(json, key, json_string(value));
}

void put_tri(json_t *json, const char *key, Tri value)
{
	if (value != TRI_ABSENT)
		put_bool(json, key, value == TRI_YES);
}

void put_switch(json_t *json, const char *key, Tri value)
{
	if (value != TRI_ABSENT)
		put(json, key, value == TRI_YES ? "on" : "off");
}

void put_uint(json_t *json, const char *key, OptUint value)
{
	if (value.set)
		put_int(json, key, (gint64)MIN(value.v, (guint64)G_MAXINT64));
}

void put_int(json_t *json, const char *key, gint64 value)
{
	json_object_set_new(json, key, json_integer(value));
}

void put_bool(json_t *json, const char *key, gboolean value)
{
	json_object_set_new(json, key, json_boolean(value));
}

void put_rows(json_t *json, const PropRow *rows, guint n, gconstpointer object)
{
	for (guint i = 0; i < n; i++) {
		const void *member = (const char *)object + rows[i].offset;
		switch (rows[i].kind) {
		case PROP_STRING:
			put(json, rows[i].key, *(char *const *)member);
			break;
		case PROP_TRI:
			put_tri(json, rows[i].key, *(const Tri *)member);
			break;
		case PROP_SWITCH:
			put_switch(json, rows[i].key, *(const Tri *)member);
			break;
		case PROP_UINT:
			put_uint(json, rows[i].key, *(const OptUint *)member);
			break;
		}
	}
}

const char *name_lookup(const NameRow *rows, guint n, const char *name)
{
	for (guint i = 0; i < n; i++)
		if (!g_strcmp0(rows[i].name, name))
			return rows[i].device;
	return NULL;
}

/* ---- files ---- */

#define FIRST_FD 3

QemuFd *add_fd(Build *build, QemuFdKind kind, const char *path, int flags, const char *what)
{
	QemuFd *fd = g_new0(QemuFd, 1);
	fd->kind = kind;
	fd->number = FIRST_FD + (int)build->command->fds->len;
	fd->set = -1;
	fd->path = g_strdup(path);
	fd->flags = flags;
	fd->what = g_strdup(what);
	g_ptr_array_add(build->command->fds, fd);
	return fd;
}

static void put_in_set(Build *build, QemuFd *fd, int set)
{
	g_autoptr(GString) option = g_string_new(NULL);
	fd->set = set;
	g_string_printf(option, "fd=%d,set=%d", fd->number, set);
	opt_put(option, "opaque", fd->what);
	add_option(build, "-add-fd", g_strdup(option->str));
}

static char *add_one(Build *build, QemuFdKind kind, const char *path, int flags, const char *what)
{
	int set = build->n_sets++;
	put_in_set(build, add_fd(build, kind, path, flags, what), set);
	return g_strdup_printf("/dev/fdset/%d", set);
}

char *add_fdset(Build *build, const char *path, int flags, const char *what)
{
	return add_one(build, QEMU_FD_FILE, path, flags, what);
}

char *add_scratch(Build *build, const char *path, const char *what)
{
	return add_one(build, QEMU_FD_SCRATCH, path, 0, what);
}

char *add_given(Build *build, const char *group, const EngineFdGroup *given, const char *what)
{
	int set = build->n_sets++;
	for (guint i = 0; i < given->n; i++) {
		QemuFd *fd = add_fd(build, QEMU_FD_GIVEN, group, 0, what);
		fd->queue = i;
		put_in_set(build, fd, set);
	}
	return g_strdup_printf("/dev/fdset/%d", set);
}

char *add_plain(Build *build, const char *path, const char *what)
{
	QemuFd *fd = add_fd(build, QEMU_FD_PLAIN, path, O_RDONLY, what);
	return g_strdup_printf("/dev/fd/%d", fd->number);
}

static void add_secret_object(Build *build, const char *id, const QemuFd *fd)
{
	g_autofree char *file = g_strdup_printf("/dev/fd/%d", fd->number);
	json_t *object = json_object();
	put(object, "qom-type", "secret");
	put(object, "id", id);
	put(object, "file", file);
	add_json(build, "-object", object);
}

gboolean add_secret(Build *build, const char *id, const SecretRef *ref, const char *what,
		    GError **error)
{
	if (!ref || (!ref->uuid && !ref->usage))
		return invalid(build, error, "%s: <secret> names neither uuid nor usage", what);
	QemuFd *fd = add_fd(build, QEMU_FD_SECRET, ref->uuid ? ref->uuid : ref->usage, O_RDONLY,
			    what);
	fd->usage = !ref->uuid;
	fd->type = g_strdup(ref->type);
	add_secret_object(build, id, fd);
	return TRUE;
}

void add_secret_text(Build *build, const char *id, const char *text, const char *what)
{
	QemuFd *fd = add_fd(build, QEMU_FD_DATA, NULL, O_RDONLY, what);
	fd->data = g_strdup(text);
	add_secret_object(build, id, fd);
}

/* ---- errors ---- */

static gboolean fail_va(const Build *build, GError **error, LodgeError code, const char *format,
			va_list args)
{
	g_autofree char *text = g_strdup_vprintf(format, args);
	return fail(error, code, "guest \"%s\": %s", build->guest->name, text);
}

gboolean unsupported(const Build *build, GError **error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fail_va(build, error, LODGE_ERROR_UNSUPPORTED, format, args);
	va_end(args);
	return FALSE;
}

gboolean invalid(const Build *build, GError **error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fail_va(build, error, LODGE_ERROR_INVALID, format, args);
	va_end(args);
	return FALSE;
}

/* ---- devices ---- */

json_t *device_new(const char *driver, const DeviceInfo *info)
{
	json_t *device = json_object();
	put(device, "driver", driver);
	put(device, "id", info->alias);
	return device;
}

static char *as_words(json_t *device)
{
	GString *words = g_string_new(NULL);
	const char *key;
	json_t *value;
	json_object_foreach(device, key, value) {
		g_autofree char *number = json_is_integer(value) ?
			g_strdup_printf("%" G_GINT64_FORMAT, (gint64)json_integer_value(value)) : NULL;
		opt_put(words, key, json_is_string(value) ? json_string_value(value) :
				    json_is_true(value)	  ? "on" :
				    json_is_false(value)  ? "off" : number);
	}
	return g_string_free(g_string_erase(words, 0, 1), FALSE);
}

/* QEMU makes all devices that are words before those that are JSON: where the guest brings words of its
 * own, all are, so that its come last and find their places free. */
gboolean add_device(Build *build, json_t *device, const char *what, GError **error)
{
	const char *driver = json_string_value(json_object_get(device, "driver"));
	const QemuCaps *caps = build->setup->caps;
	if (caps && !qemu_caps_has_device(caps, driver)) {
		unsupported(build, error,
			    "%s: this QEMU (%s) has no device \"%s\"; choose another model or install "
			    "the package that brings it", what, caps->binary, driver);
		json_decref(device);
		return FALSE;
	}
	if (build->plain) {
		add_option(build, "-device", as_words(device));
		json_decref(device);
	} else {
		add_json(build, "-device", device);
	}
	return TRUE;
}

const char *controller_alias(const Build *build, ControllerType type, guint64 index)
{
	SHAPE_EACH (Controller, controller, build->guest->controllers)
		if (controller->type == type && opt_uint_or(controller->index, 0) == index &&
		    !controller->master_startport.set)
			return controller->info.alias;
	return NULL;
}

static gboolean put_bus(Build *build, json_t *device, const char *alias, const char *format,
			const DeviceInfo *info, GError **error)
{
	if (!alias)
		return invalid(build, error,
			       "device \"%s\" has an address on a controller that is not there",
			       info->alias ? info->alias : "");
	g_autofree char *bus = g_strdup_printf("%s%s", alias, format);
	put(device, "bus", bus);
	return TRUE;
}

static gboolean put_pci(Build *build, json_t *device, const DeviceInfo *info, GError **error)
{
	const Address *address = info->address;
	guint64 index = opt_uint_or(address->bus, 0);
	guint64 function = opt_uint_or(address->function, 0);
	const char *root = build->q35 ? "pcie.0" : "pci.0";
	const char *alias = index ? controller_alias(build, CONTROLLER_PCI, index) : root;
	if (!put_bus(build, device, alias, "", info, error))
		return FALSE;
	put_tri(device, "multifunction", address->multifunction);
	g_autofree char *addr =
		function ? g_strdup_printf("0x%" G_GINT64_MODIFIER "x.0x%" G_GINT64_MODIFIER "x",
					   opt_uint_or(address->slot, 0), function) :
			   g_strdup_printf("0x%" G_GINT64_MODIFIER "x",
					   opt_uint_or(address->slot, 0));
	put(device, "addr", addr);
	return TRUE;
}

/* Addresses of drives are disk.c's, as their meaning is the controller's. */
static gboolean put_address(Build *build, json_t *device, const DeviceInfo *info, GError **error)
{
	const Address *address = info->address;
	guint64 index = opt_uint_or(address->controller, 0);
	switch (address->type) {
	case ADDRESS_PCI:
		return put_pci(build, device, info, error);
	case ADDRESS_USB:
		index = opt_uint_or(address->bus, 0);
		put(device, "port", address->port);
		return put_bus(build, device, controller_alias(build, CONTROLLER_USB, index), ".0",
			       info, error);
	case ADDRESS_VIRTIO_SERIAL:
		put_uint(device, "nr", address->port_number);
		return put_bus(build, device,
			       controller_alias(build, CONTROLLER_VIRTIO_SERIAL, index), ".0",
			       info, error);
	case ADDRESS_CCID:
		put_uint(device, "slot", address->slot);
		return put_bus(build, device, controller_alias(build, CONTROLLER_CCID, index), ".0",
			       info, error);
	case ADDRESS_ISA:
		put_uint(device, "iobase", address->iobase);
		put_uint(device, "irq", address->irq);
		return TRUE;
	case ADDRESS_DIMM:
		put_uint(device, "slot", address->dimm_slot);
		put_uint(device, "addr", address->base);
		return TRUE;
	case ADDRESS_DRIVE:
	case ADDRESS_UNASSIGNED:
	case ADDRESS_MDEV:
		return TRUE;
	default:
		return unsupported(build, error,
				   "device \"%s\": addresses of type \"%s\" do not exist on this "
				   "machine type; use pci", info->alias ? info->alias : "",
				   enum_name(&address_types, address->type));
	}
}

static void put_rom(json_t *device, const Rom *rom)
{
	if (!rom)
		return;
	if (rom->bar != TRI_ABSENT)
		put_int(device, "rombar", rom->bar == TRI_YES);
	put(device, "romfile", rom->enabled == TRI_NO ? "" : rom->file);
}

OptUint boot_index(const Build *build, const DeviceInfo *info)
{
	gpointer index = g_hash_table_lookup(build->boot, info);
	return index ? OPT_UINT(GPOINTER_TO_UINT(index)) : info->boot_order;
}

gboolean put_place(Build *build, json_t *device, const DeviceInfo *info, GError **error)
{
	put_uint(device, "bootindex", boot_index(build, info));
	put_uint(device, "acpi-index", info->acpi_index);
	put_rom(device, info->rom);
	return !info->address || put_address(build, device, info, error);
}

void put_virtio(json_t *device, const VirtioOptions *options)
{
	static const PropRow rows[] = {
		PROP(VirtioOptions, iommu, "iommu_platform", PROP_TRI),
		PROP(VirtioOptions, ats, "ats", PROP_TRI),
		PROP(VirtioOptions, packed, "packed", PROP_TRI),
		PROP(VirtioOptions, page_per_vq, "page-per-vq", PROP_TRI),
	};
	put_rows(device, rows, G_N_ELEMENTS(rows), options);
}

const char *virtio_driver(const char *stem, const char *model)
{
	const char *suffix = "";
	if (model && g_str_has_suffix(model, "-non-transitional"))
		suffix = "-non-transitional";
	else if (model && g_str_has_suffix(model, "-transitional"))
		suffix = "-transitional";
	g_autofree char *driver = g_strdup_printf("%s-pci%s", stem, suffix);
	return g_intern_string(driver);
}

gboolean add_simple(Build *build, const char *driver, const DeviceInfo *info, const char *what,
		    GError **error)
{
	json_t *device = device_new(driver, info);
	if (put_place(build, device, info, error))
		return add_device(build, device, what, error);
	json_decref(device);
	return FALSE;
}
