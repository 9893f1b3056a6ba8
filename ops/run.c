/* `run`: from an image and a name to a running guest, with defaults that suit a server: q35, virtio,
 * a disk linked to the image, a serial console, the guest agent's channel. What fails half way leaves
 * nothing behind. */
#include "ops/run.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/undefine.h"
#include "host/file.h"
#include "image/build.h"
#include "image/list.h"
#include "image/overlay.h"
#include "ops/cloud_init.h"
#include "ops/families.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct RunArgs {
	ShapeHead head;
	char *name, *image;
	OptUint memory, vcpus, disk_size;
	gboolean paused;
	char *cloud_init, *meta_data, *network_config, *hostname, *user, *ssh_key;
} RunArgs;

#define MIB (G_GINT64_CONSTANT(1) << 20)

static const Row run_rows[] = {
	STRING(RunArgs, name, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED, .doc = "name of the guest"),
	STRING(RunArgs, image, NULL, .flags = ROW_NAME_OR_PATH, .opt = 'i', .dflt = "debian-12",
	       .doc = "image that its disk is linked to: a name of \"lodge image list\", or a file"),
	SIZE(RunArgs, memory, NULL, .opt = 'm', .words = "MiB", .dflt = "1024", .min = 16 * MIB,
	     .max = G_MAXINT64, .doc = "memory"),
	UINT(RunArgs, vcpus, NULL, .opt = 'c', .dflt = "2", .min = 1, .max = 4096, .doc = "CPUs"),
	SIZE(RunArgs, disk_size, NULL, .opt = 's', .words = "GiB",
	     .doc = "size of its disk, at least the image's, which it has where nothing is said"),
	FLAG(RunArgs, paused, NULL, .doc = "do not let its CPUs run yet"),
	CLOUD_INIT_ROWS(RunArgs),
};
static const Shape run_args = SHAPE("run-args", RunArgs, run_rows);

typedef struct Ran {
	ShapeHead head;
	char *name, *uuid, *image, *disk, *login, *hint;
	OptInt id;
} Ran;

static const Row ran_rows[] = {
	STRING(Ran, name, NULL, .doc = "Name"), UUID(Ran, uuid, NULL, .doc = "UUID"),
	INT(Ran, id, NULL, .doc = "Id"),	STRING(Ran, image, NULL, .doc = "Image"),
	STRING(Ran, disk, NULL, .doc = "Disk"), STRING(Ran, login, NULL, .doc = "Login"),
	STRING(Ran, hint, NULL),
};
static const Shape ran_shape = SHAPE("ran", Ran, ran_rows);

static CloudInitArgs cloud_init_of(const RunArgs *args)
{
	return (CloudInitArgs){ .cloud_init = args->cloud_init, .meta_data = args->meta_data,
				.network_config = args->network_config, .hostname = args->hostname,
				.user = args->user, .ssh_key = args->ssh_key };
}

/* Its CD of cloud-init as a device, or nothing; the caller frees it. Kernels of cloud images may know no
 * controllers but virtio's: Debian's has no AHCI. */
static char *seed_drive(const RunArgs *args, const char *seed)
{
	const CloudInitArgs said = cloud_init_of(args);
	if (!cloud_init_said(&said))
		return g_strdup("");
	return g_markup_printf_escaped("    <disk type='file' device='cdrom'>\n"
				       "      <driver name='qemu' type='raw'/>\n"
				       "      <source file='%s'/>\n"
				       "      <target dev='sda' bus='scsi'/>\n"
				       "      <readonly/>\n"
				       "    </disk>\n"
				       "    <controller type='scsi' model='virtio-scsi'/>\n", seed);
}

/* The document of a guest with @disk and the devices @drives; the caller frees it. */
static char *document(const RunArgs *args, const char *uuid, const char *disk, const char *drives)
{
	g_autofree char *first = g_markup_printf_escaped(
		"<domain type='kvm'>\n"
		"  <name>%s</name>\n"
		"  <uuid>%s</uuid>\n"
		"  <memory unit='KiB'>%" G_GUINT64_FORMAT "</memory>\n"
		"  <vcpu>%" G_GUINT64_FORMAT "</vcpu>\n"
		"  <os>\n    <type arch='x86_64' machine='q35'>hvm</type>\n    <boot dev='hd'/>\n  </os>\n"
		"  <features>\n    <acpi/>\n    <apic/>\n  </features>\n"
		"  <cpu mode='maximum'/>\n"
		"  <clock offset='utc'/>\n"
		"  <devices>\n"
		"    <disk type='file' device='disk'>\n"
		"      <driver name='qemu' type='qcow2' discard='unmap'/>\n"
		"      <source file='%s'/>\n"
		"      <target dev='vda' bus='virtio'/>\n"
		"    </disk>\n",
		args->name, uuid, args->memory.v >> 10, args->vcpus.v, disk);
	static const char rest[] =
		"    <interface type='user'>\n      <model type='virtio'/>\n    </interface>\n"
		"    <serial type='pty'/>\n"
		"    <console type='pty'/>\n"
		"    <channel type='unix'>\n"
		"      <target type='virtio' name='org.qemu.guest_agent.0'/>\n"
		"    </channel>\n"
		"    <graphics type='vnc'>\n      <listen type='none'/>\n    </graphics>\n"
		"    <video>\n      <model type='virtio'/>\n    </video>\n"
		"    <rng model='virtio'>\n      <backend model='random'>/dev/urandom</backend>\n    </rng>\n"
		"    <memballoon model='virtio'/>\n"
		"  </devices>\n"
		"</domain>\n";
	return g_strconcat(first, drives, rest, NULL);
}

/* ---- on the guest's lane, from a thread that is no lane's ---- */

typedef struct OnLane {
	CoreGuest *guest;
	gboolean (*fn)(CoreGuest *guest, OpCall *call, GError **error);
	OpCall *call;
	GError **error;
	gboolean ok;
} OnLane;

static void run_on_lane(gpointer data)
{
	OnLane *on = data;
	on->ok = on->fn(on->guest, on->call, on->error);
}

static gboolean on_lane(CoreGuest *guest, OpCall *call,
			gboolean (*fn)(CoreGuest *guest, OpCall *call, GError **error), GError **error)
{
	OnLane on = { .guest = guest, .fn = fn, .call = call, .error = error };
	lane_run(core_guest_lane(guest), run_on_lane, &on);
	return on.ok;
}

static gboolean start(CoreGuest *guest, OpCall *call, GError **error)
{
	return core_guest_start(guest, ((const RunArgs *)call->args)->paused, &call->notes, error);
}

static gboolean undefine(CoreGuest *guest, G_GNUC_UNUSED OpCall *call, GError **error)
{
	return core_guest_undefine(guest, UNDEFINE_NVRAM, NULL, NULL, NULL, error);
}

/* ---- the verb ---- */

static gboolean name_is_free(OpCall *call, GError **error)
{
	const char *name = ((const RunArgs *)call->args)->name;
	if (*name == '\0' || *name == '.' || strchr(name, '/'))
		return fail(error, LODGE_ERROR_INVALID, "\"%s\" is no name for a guest", name);
	g_autoptr(CoreGuest) there = core_find(call->core, name, NULL);
	if (!there)
		return TRUE;
	return fail(error, LODGE_ERROR_EXISTS,
		    "there is a guest \"%s\" already; \"lodge start %s\" starts it", name, name);
}

/* The image's file; the caller frees it. */
static char *find_image(const char *folder, const char *name, GError **error)
{
	g_autoptr(GError) why = NULL;
	char *path = image_find(folder, name, &why);
	if (path)
		return path;
	if (g_error_matches(why, LODGE_ERROR, LODGE_ERROR_NOT_FOUND) && image_recipe_find(name, NULL))
		fail(error, LODGE_ERROR_NOT_FOUND,
		     "image %s is not built yet: \"lodge image build %s\" does that", name, name);
	else
		g_propagate_error(error, g_steal_pointer(&why));
	return NULL;
}

/* ---- a disk whose guest is not known yet ---- */

/* While there is a disk and no guest yet, a file in lib/making that has the guest's name says so: what
 * was cut off then leaves no disk behind (op_run_clean). */
static char *making_path(Core *core, const char *name)
{
	return g_build_filename(core_paths(core)->lib, "making", name, NULL);
}

static gboolean begin_making(Core *core, const char *name, const char *disk, GError **error)
{
	g_autofree char *path = making_path(core, name);
	g_autofree char *folder = g_path_get_dirname(path);
	if (g_mkdir_with_parents(folder, 0700) < 0)
		return fail_errno(error, errno, "cannot create the folder %s", folder);
	return file_write(path, disk, strlen(disk), 0600, FILE_CACHE, error);
}

static void end_making(Core *core, const char *name)
{
	g_autofree char *path = making_path(core, name);
	unlink(path);
}

/* Whether @disk was made after @marker was: one that was there before is somebody's. */
static gboolean is_ours(const char *disk, const char *marker)
{
	struct statx made, said;
	if (statx(AT_FDCWD, disk, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &made) < 0 ||
	    statx(AT_FDCWD, marker, AT_SYMLINK_NOFOLLOW, STATX_MTIME, &said) < 0 ||
	    !(made.stx_mask & STATX_BTIME))
		return FALSE;
	return made.stx_btime.tv_sec > said.stx_mtime.tv_sec ||
	       (made.stx_btime.tv_sec == said.stx_mtime.tv_sec &&
		made.stx_btime.tv_nsec >= said.stx_mtime.tv_nsec);
}

static void clean_one(Core *core, const char *name)
{
	g_autofree char *marker = making_path(core, name);
	g_autofree char *disk = file_read(marker, PATH_MAX, NULL, NULL);
	g_autoptr(CoreGuest) guest = core_find_by(core, CORE_BY_NAME, name, NULL);
	if (disk && !guest && is_ours(disk, marker) && unlink(disk) == 0)
		log_warning(name, "removed %s: making the guest was interrupted", disk);
	unlink(marker);
}

void op_run_clean(Core *core)
{
	g_autofree char *folder = g_build_filename(core_paths(core)->lib, "making", NULL);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	for (const char *name; dir && (name = g_dir_read_name(dir));)
		clean_one(core, name);
}

/* ---- the disk ---- */

/* A disk on top of @image; images beside it are named without their folder, so that the folder may
 * move. */
static gboolean make_disk(Core *core, const char *image, const RunArgs *args, char **disk,
			  GError **error)
{
	const char *folder = core_paths(core)->images;
	autofd int fd = image_open(image, error);
	ImageFormat format = fd < 0 ? 0 : image_probe_format(fd, image, error);
	if (!format)
		return FALSE;
	g_autofree char *absolute = g_canonicalize_filename(image, NULL);
	g_autofree char *beside = g_path_get_dirname(absolute);
	g_autofree char *base = g_path_get_basename(absolute);
	g_autofree char *path = g_strdup_printf("%s/%s.qcow2", folder, args->name);
	const char *backing = g_str_equal(beside, folder) ? base : absolute;
	if (!begin_making(core, args->name, path, error))
		return FALSE;
	if (!image_create_overlay(path, backing, format, opt_uint_or(args->disk_size, 0), error)) {
		end_making(core, args->name);
		return FALSE;
	}
	*disk = g_steal_pointer(&path);
	return TRUE;
}

/* Defines and starts; nothing of the guest is left on failure. */
static CoreGuest *bring_up(OpCall *call, const char *disk, GError **error)
{
	const char *lib = core_paths(call->core)->lib;
	g_autofree char *uuid = g_uuid_string_random(), *seed = image_seed_path(lib, uuid);
	g_autofree char *drives = seed_drive(call->args, seed);
	g_autofree char *xml = document(call->args, uuid, disk, drives);
	const CloudInitArgs said = cloud_init_of(call->args);
	if (cloud_init_said(&said) &&
	    !cloud_init_write(lib, uuid, ((const RunArgs *)call->args)->name, &said, error))
		return NULL;
	op_progress(call, 0.3, "defining the guest");
	g_autoptr(CoreGuest) guest = core_define(call->core, xml, FALSE, &call->notes, error);
	if (!guest) {
		image_seed_remove(lib, uuid);
		return NULL;
	}
	op_progress(call, 0.5, "starting the guest");
	gboolean ok = !g_cancellable_is_cancelled(call->cancel) ||
		      fail(error, LODGE_ERROR_ABORTED, "the caller went away");
	if (ok && on_lane(guest, call, start, error))
		return g_steal_pointer(&guest);
	on_lane(guest, call, undefine, NULL);
	return NULL;
}

static void tell(OpCall *call, CoreGuest *guest, const char *image, char *disk)
{
	Ran *result = call->result;
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	result->name = g_strdup(snap->name);
	result->uuid = g_strdup(snap->uuid);
	result->image = g_strdup(image);
	result->disk = disk;
	if (snap->id >= 0)
		result->id = OPT_INT(snap->id);
	ImageRecord *record = image_record_read(image, NULL);
	if (!record)
		return;
	result->login = g_strdup(record->login);
	result->hint = g_strdup_printf("; log in: %s", record->login);
	shape_free(&image_record_shape, record);
}

static gboolean run(OpCall *call, GError **error)
{
	const RunArgs *args = call->args;
	const char *folder = core_paths(call->core)->images;
	if (!name_is_free(call, error))
		return FALSE;
	g_autofree char *image = find_image(folder, args->image, error);
	g_autofree char *disk = NULL;
	op_progress(call, 0.1, "making the disk");
	if (!image || !make_disk(call->core, image, args, &disk, error))
		return FALSE;
	g_autoptr(CoreGuest) guest = bring_up(call, disk, error);
	if (!guest)
		unlink(disk);
	end_making(call->core, args->name);
	if (!guest)
		return FALSE;
	tell(call, guest, image, g_steal_pointer(&disk));
	return TRUE;
}

static const Op ops[] = {
	{ .name = "run", .family = "Guests", .method = "POST", .route = "/v1/run",
	  .perm = OP_PERM_WRITE, .lane = OP_BESIDE, .args = &run_args, .result = &ran_shape,
	  .show = OP_SHOW_MESSAGE, .is_job = TRUE,
	  .said = "Domain '{name}' started{hint}",
	  .doc = "Make a guest from an image and start it", .fn = run },
};

const OpFamily op_family_run = { ops, G_N_ELEMENTS(ops) };
