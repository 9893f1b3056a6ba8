/* Verbs of cloud-init: what a guest is told at its first boot, kept with it. `run` makes it, these show and
 * change it, take its CD out of the guest and put it in again.
 * Neighbours: image/seed.h makes the CD; run.c. */
#include "ops/cloud_init.h"

#include <string.h>

#include "core/core.h"
#include "host/file.h"
#include "ops/families.h"

#define TEXT_MAX (1u << 20)

gboolean cloud_init_said(const CloudInitArgs *args)
{
	return args->cloud_init || args->meta_data || args->network_config || args->hostname || args->user ||
	       args->ssh_key || args->new_instance;
}

/* The file's text in place of what was there; nothing where no file is named. */
static gboolean take_file(const char *path, char **text, GError **error)
{
	if (!path)
		return TRUE;
	gsize length = 0;
	char *data = file_read(path, TEXT_MAX, &length, error);
	if (!data)
		return FALSE;
	g_free(*text);
	*text = data;
	return strlen(data) == length ||
	       fail(error, LODGE_ERROR_INVALID, "%s has a NUL byte in it", path);
}

/* The count in "instance-id: UUID-COUNT", so that a new one can follow. */
static guint64 instance_of(const char *meta_data, const char *uuid)
{
	const char *at = meta_data ? strstr(meta_data, uuid) : NULL;
	return at && at[strlen(uuid)] == '-' ? g_ascii_strtoull(at + strlen(uuid) + 1, NULL, 10) : 1;
}

/* What was made from plain words before is made anew where words are said. */
static void drop_made(ImageSeed *seed, const CloudInitArgs *args, gboolean own_meta)
{
	if (!args->meta_data && own_meta && (args->hostname || args->new_instance))
		g_clear_pointer(&seed->meta_data, g_free);
	gboolean words = args->hostname || args->user || args->ssh_key;
	if (words && !args->cloud_init && seed->user_data &&
	    g_str_has_prefix(seed->user_data, "#cloud-config\n{"))
		g_clear_pointer(&seed->user_data, g_free);
}

gboolean cloud_init_write(const char *lib, const char *uuid, const char *name, const CloudInitArgs *args,
			  GError **error)
{
	g_auto(ImageSeed) seed = { 0 };
	g_autofree char *keys = NULL;
	image_seed_read(lib, uuid, &seed, NULL);
	guint64 instance = instance_of(seed.meta_data, uuid) + (args->new_instance ? 1 : 0);
	drop_made(&seed, args, seed.meta_data && strstr(seed.meta_data, uuid));
	const SeedWords words = { .uuid = uuid, .name = name, .hostname = args->hostname,
				  .user = args->user, .ssh_keys = NULL, .instance = instance };
	SeedWords said = words;
	if (!take_file(args->cloud_init, &seed.user_data, error) ||
	    !take_file(args->meta_data, &seed.meta_data, error) ||
	    !take_file(args->network_config, &seed.network_config, error) ||
	    !take_file(args->ssh_key, &keys, error))
		return FALSE;
	said.ssh_keys = keys;
	return image_seed_complete(&seed, &said, error) && image_seed_write(lib, uuid, &seed, error);
}

/* ---- the verbs ---- */

typedef struct Shown {
	ShapeHead head;
	char *text, *path;
} Shown;

static const Row shown_rows[] = {
	STRING(Shown, text, NULL),
	STRING(Shown, path, NULL, .doc = "File"),
};
static const Shape shown_shape = SHAPE("cloud-init", Shown, shown_rows);

static const char *lib_of(OpCall *call)
{
	return core_paths(call->core)->lib;
}

static gboolean show(OpCall *call, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	g_auto(ImageSeed) seed = { 0 };
	if (!image_seed_read(lib_of(call), snap->uuid, &seed, error)) {
		g_prefix_error(error, "guest \"%s\": ", snap->name);
		return FALSE;
	}
	const struct { const char *name, *text; } parts[] = {
		{ "meta-data", seed.meta_data }, { "user-data", seed.user_data },
		{ "vendor-data", seed.vendor_data }, { "network-config", seed.network_config },
	};
	GString *text = g_string_new(NULL);
	for (guint i = 0; i < G_N_ELEMENTS(parts); i++)
		if (parts[i].text)
			g_string_append_printf(text, "==> %s <==\n%s%s", parts[i].name, parts[i].text,
					       g_str_has_suffix(parts[i].text, "\n") ? "" : "\n");
	Shown *shown = call->result;
	g_autofree char *all = g_string_free(text, FALSE);
	shown->text = g_utf8_make_valid(all, -1);
	shown->path = image_seed_path(lib_of(call), snap->uuid);
	return TRUE;
}

static const Row set_rows[] = {
	CLOUD_INIT_ROWS(CloudInitArgs),
	FLAG(CloudInitArgs, new_instance, NULL, .doc = "let the guest do all of it again at its next boot"),
};
static const Shape set_args = SHAPE("cloud-init-args", CloudInitArgs, set_rows);

/* The CD of the seed @path among the disks; shape_len() where there is none. */
static guint find_cd(const Guest *guest, const char *path)
{
	guint n = shape_len(guest->disks);
	for (guint i = 0; i < n; i++)
		if (!g_strcmp0(disk_source_name(g_ptr_array_index(guest->disks, i)), path))
			return i;
	return n;
}

static gboolean is_taken(const Guest *guest, const char *target)
{
	SHAPE_EACH (Disk, disk, guest->disks)
		if (!g_strcmp0(disk->target, target))
			return TRUE;
	return FALSE;
}

/* A virtio-scsi controller that is there, or may be made: the first of its kind, in a guest that has a driver
 * for virtio. Cloud images may have no other (Debian's kernel for them knows no AHCI). */
static gboolean may_use_virtio(Guest *guest)
{
	gboolean virtio = FALSE;
	SHAPE_EACH (Disk, disk, guest->disks)
		virtio = virtio || disk->bus == DISK_BUS_VIRTIO;
	SHAPE_EACH (Controller, controller, guest->controllers)
		if (controller->type == CONTROLLER_SCSI)
			return !g_strcmp0(controller->model, "virtio-scsi");
	if (!virtio)
		return FALSE;
	Controller *controller = shape_new(&controller_shape);
	controller->type = CONTROLLER_SCSI;
	controller->index = OPT_UINT(0);
	controller->model = g_strdup("virtio-scsi");
	shape_append(&guest->controllers, &controller_shape, controller);
	return TRUE;
}

static gboolean put_in(Guest *guest, gpointer data, GError **error)
{
	static const char *const targets[] = { "sda", "sdb", "sdc", "sdd", "sde", "sdf" };
	const char *path = data, *free_target = NULL;
	if (find_cd(guest, path) < shape_len(guest->disks))
		return TRUE;
	for (guint i = G_N_ELEMENTS(targets); i-- > 0;)
		if (!is_taken(guest, targets[i]))
			free_target = targets[i];
	if (!free_target)
		return fail(error, LODGE_ERROR_STATE, "guest \"%s\" has no place for one more CD drive",
			    guest->name);
	Disk *disk = shape_new(&disk_shape);
	disk->type = DISK_FILE;
	disk->device = DISK_DEVICE_CDROM;
	disk->driver_name = g_strdup("qemu");
	disk->driver_type = DISK_FORMAT_RAW;
	disk->source = g_new0(DiskSource, 1);
	disk->source->file = g_strdup(path);
	disk->target = g_strdup(free_target);
	disk->bus = may_use_virtio(guest) ? DISK_BUS_SCSI : DISK_BUS_SATA;
	disk->readonly = TRUE;
	shape_append(&guest->disks, &disk_shape, disk);
	return TRUE;
}

static gboolean take_out(Guest *guest, gpointer data, GError **error)
{
	guint at = find_cd(guest, data);
	if (at == shape_len(guest->disks))
		return fail(error, LODGE_ERROR_STATE, "guest \"%s\" has no CD of cloud-init in it",
			    guest->name);
	shape_free(&disk_shape, g_ptr_array_remove_index(guest->disks, at));
	return TRUE;
}

static gboolean set(OpCall *call, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	const CloudInitArgs *args = call->args;
	if (!cloud_init_said(args))
		return fail(error, LODGE_ERROR_INVALID, "say what is to change, such as --cloud-init FILE");
	g_autofree char *path = image_seed_path(lib_of(call), snap->uuid);
	gboolean first = !g_file_test(path, G_FILE_TEST_EXISTS);
	if (!cloud_init_write(lib_of(call), snap->uuid, snap->name, args, error))
		return FALSE;
	if (first && !core_guest_edit(call->guest, FALSE, TRUE, put_in, path, error))
		return FALSE;
	if (snap->live)
		notes_add(&call->notes, "guest \"%s\" is told at its next start", snap->name);
	return TRUE;
}

static gboolean attach(OpCall *call, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	g_autofree char *path = image_seed_path(lib_of(call), snap->uuid);
	if (!g_file_test(path, G_FILE_TEST_EXISTS))
		return fail(error, LODGE_ERROR_NOT_FOUND,
			    "guest \"%s\" has no cloud-init data; \"lodge cloud-init set\" makes it",
			    snap->name);
	return core_guest_edit(call->guest, FALSE, TRUE, put_in, path, error);
}

static gboolean detach(OpCall *call, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	g_autofree char *path = image_seed_path(lib_of(call), snap->uuid);
	return core_guest_edit(call->guest, FALSE, TRUE, take_out, path, error);
}

#define ON_GUEST .family = "Images", .target = OP_ON_GUEST, .lane = OP_LANE

static const Op ops[] = {
	{ .name = "cloud-init show", ON_GUEST, .method = "GET", .route = "/v1/guests/{guest}/cloud-init",
	  .perm = OP_PERM_SECRET, .result = &shown_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show what a guest is told at its first boot", .fn = show },
	{ .name = "cloud-init set", ON_GUEST, .method = "POST", .route = "/v1/guests/{guest}/cloud-init",
	  .perm = OP_PERM_WRITE, .args = &set_args, .said = "Cloud-init data of '{guest}' changed",
	  .doc = "Say or change what a guest is told at its first boot", .fn = set },
	{ .name = "cloud-init attach", ON_GUEST, .method = "POST",
	  .route = "/v1/guests/{guest}/cloud-init/attach", .perm = OP_PERM_WRITE,
	  .said = "The next start of '{guest}' has the CD of cloud-init",
	  .doc = "Put the CD of cloud-init into a guest", .fn = attach },
	{ .name = "cloud-init detach", ON_GUEST, .method = "POST",
	  .route = "/v1/guests/{guest}/cloud-init/detach", .perm = OP_PERM_WRITE,
	  .said = "The next start of '{guest}' is without the CD of cloud-init",
	  .doc = "Take the CD of cloud-init out of a guest", .fn = detach },
};

const OpFamily op_family_cloud_init = { ops, G_N_ELEMENTS(ops) };
