/* Verbs that define guests and change the state they are in. Messages are virsh's. */
#include "core/core.h"
#include "core/undefine.h"
#include "ops/families.h"

#include <errno.h>
#include <unistd.h>

#define GUEST_WRITE(lane_)                                                                         \
	.family = "Guests", .target = OP_ON_GUEST, .perm = OP_PERM_WRITE, .lane = lane_,           \
	.method = "POST", .show = OP_SHOW_MESSAGE

/* What every verb that makes a guest answers. */
typedef struct Made {
	ShapeHead head;
	char *name, *uuid;
	OptInt id;
} Made;

static const Row made_rows[] = {
	STRING(Made, name, NULL, .doc = "Name"),
	UUID(Made, uuid, NULL, .doc = "UUID"),
	INT(Made, id, NULL, .doc = "Id"),
};
static const Shape made_shape = SHAPE("made", Made, made_rows);

/* Takes @guest. */
static gboolean tell_made(OpCall *call, CoreGuest *guest)
{
	Made *made = call->result;
	g_autoptr(CoreGuest) own = guest;
	if (!own)
		return FALSE;
	g_autoptr(GuestSnap) snap = core_guest_snap(own);
	made->name = g_strdup(snap->name);
	made->uuid = g_strdup(snap->uuid);
	if (snap->id >= 0)
		made->id = OPT_INT(snap->id);
	return TRUE;
}

/* ---- define, create, undefine ---- */

typedef struct DefineArgs {
	ShapeHead head;
	char *xml;
	gboolean validate, need_uuid;
	gboolean paused, autodestroy, reset_nvram;
} DefineArgs;

/* The daemon's part of it: it ends those that an earlier one had. The rest is the door's, by "tie". */
#define TIED_DOC "end it when the connection that started it ends"
#define NEED_UUID_ROW                                                                              \
	FLAG(DefineArgs, need_uuid, NULL,                                                          \
	     .doc = "refuse a document without <uuid> whose name is another guest's, as libvirt does")

static guint define_flags(const DefineArgs *args)
{
	return (args->validate ? CORE_DEFINE_VALIDATE : 0) |
	       (args->need_uuid ? CORE_DEFINE_NEED_UUID : 0) |
	       (args->paused ? CORE_DEFINE_PAUSED : 0) |
	       (args->autodestroy ? CORE_DEFINE_AUTODESTROY : 0) |
	       (args->reset_nvram ? CORE_DEFINE_RESET_NVRAM : 0);
}

static const Row define_rows[] = {
	RAWXML(DefineArgs, xml, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "file with the <domain> document, - for standard input"),
	FLAG(DefineArgs, validate, NULL, .doc = "refuse elements that are not known"),
	NEED_UUID_ROW,
};
static const Shape define_args = SHAPE("define-args", DefineArgs, define_rows);

static gboolean define(OpCall *call, GError **error)
{
	const DefineArgs *args = call->args;
	return tell_made(call, core_define(call->core, args->xml, define_flags(args), &call->notes,
					   error));
}

static const Row create_rows[] = {
	RAWXML(DefineArgs, xml, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "file with the <domain> document, - for standard input"),
	FLAG(DefineArgs, paused, NULL, .doc = "do not let its CPUs run yet"),
	FLAG(DefineArgs, autodestroy, NULL, .doc = TIED_DOC),
	FLAG(DefineArgs, validate, NULL, .doc = "refuse elements that are not known"),
	FLAG(DefineArgs, reset_nvram, NULL, .doc = "make UEFI's variables anew"),
	NEED_UUID_ROW,
};
static const Shape create_args = SHAPE("create-args", DefineArgs, create_rows);

static gboolean create(OpCall *call, GError **error)
{
	const DefineArgs *args = call->args;
	return tell_made(call, core_create(call->core, args->xml, define_flags(args), &call->notes,
					   error));
}

typedef struct UndefineArgs {
	ShapeHead head;
	gboolean nvram, keep_nvram, tpm, keep_tpm, managed_save, remove_all_storage, wipe_storage;
	char *storage;
} UndefineArgs;

static const Row undefine_rows[] = {
	FLAG(UndefineArgs, nvram, NULL, .doc = "also remove the file with UEFI's variables"),
	FLAG(UndefineArgs, keep_nvram, NULL, .doc = "keep the file with UEFI's variables"),
	FLAG(UndefineArgs, tpm, NULL, .doc = "remove the TPM's state also where it is persistent"),
	FLAG(UndefineArgs, keep_tpm, NULL, .doc = "keep the TPM's state"),
	FLAG(UndefineArgs, managed_save, NULL, .doc = "also remove what managedsave has saved"),
	STRING(UndefineArgs, storage, NULL,
	       .doc = "also remove the files of these disks: targets or paths, a comma between"),
	FLAG(UndefineArgs, remove_all_storage, NULL,
	     .doc = "also remove the files of all disks that it writes alone"),
	FLAG(UndefineArgs, wipe_storage, NULL, .doc = "overwrite those files before they are removed"),
};

static gboolean check_undefine(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const UndefineArgs *args = object;
	if (args->nvram && args->keep_nvram)
		return fail(error, LODGE_ERROR_INVALID, "choose one of --nvram and --keep-nvram");
	if (args->tpm && args->keep_tpm)
		return fail(error, LODGE_ERROR_INVALID, "choose one of --tpm and --keep-tpm");
	return TRUE;
}

static const Shape undefine_args =
	SHAPE("undefine-args", UndefineArgs, undefine_rows, .check = check_undefine);

static gboolean undefine(OpCall *call, GError **error)
{
	const UndefineArgs *args = call->args;
	guint flags = (args->nvram ? UNDEFINE_NVRAM : 0) |
		      (args->keep_nvram ? UNDEFINE_KEEP_NVRAM : 0) | (args->tpm ? UNDEFINE_TPM : 0) |
		      (args->keep_tpm ? UNDEFINE_KEEP_TPM : 0) |
		      (args->managed_save ? UNDEFINE_MANAGED_SAVE : 0) |
		      (args->remove_all_storage ? UNDEFINE_ALL_DISKS : 0);
	g_auto(GStrv) names = g_strsplit(args->storage ? args->storage : "", ",", -1);
	g_autoptr(GPtrArray) disks = g_ptr_array_new();
	for (char **name = names; *name; name++)
		if (**name)
			g_ptr_array_add(disks, *name);
	const ImageWork wipe = { .cancel = call->cancel };
	return core_guest_undefine(call->guest, flags, disks, args->wipe_storage ? &wipe : NULL, &call->notes,
				   error);
}

/* ---- start and the signals ---- */

typedef struct StartArgs {
	ShapeHead head;
	gboolean paused, autodestroy, bypass_cache, force_boot, reset_nvram;
} StartArgs;

static const Row start_rows[] = {
	FLAG(StartArgs, paused, NULL, .doc = "do not let its CPUs run yet"),
	FLAG(StartArgs, autodestroy, NULL, .doc = TIED_DOC),
	FLAG(StartArgs, bypass_cache, NULL,
	     .doc = "what managedsave has saved does not stay in the host's memory"),
	FLAG(StartArgs, force_boot, NULL, .doc = "drop what managedsave has saved, and boot"),
	FLAG(StartArgs, reset_nvram, NULL, .doc = "make UEFI's variables anew"),
};
static const Shape start_args = SHAPE("start-args", StartArgs, start_rows);

static gboolean start(OpCall *call, GError **error)
{
	const StartArgs *args = call->args;
	guint flags = (args->paused ? CORE_START_PAUSED : 0) |
		      (args->force_boot ? CORE_START_FORCE_BOOT : 0) |
		      (args->bypass_cache ? CORE_START_PAST_CACHE : 0) |
		      (args->autodestroy ? CORE_START_AUTODESTROY : 0) |
		      (args->reset_nvram ? CORE_START_RESET_NVRAM : 0);
	return core_guest_start(call->guest, flags, &call->notes, error) &&
	       tell_made(call, core_guest_ref(call->guest));
}

static gboolean reset(OpCall *call, GError **error)
{
	return core_guest_signal(call->guest, ENGINE_RESET, error);
}

static gboolean suspend(OpCall *call, GError **error)
{
	return core_guest_signal(call->guest, ENGINE_PAUSE, error);
}

static gboolean resume(OpCall *call, GError **error)
{
	return core_guest_signal(call->guest, ENGINE_RESUME, error);
}

static gboolean inject_nmi(OpCall *call, GError **error)
{
	return core_guest_signal(call->guest, ENGINE_NMI, error);
}

typedef struct DestroyArgs {
	ShapeHead head;
	gboolean graceful, remove_logs;
} DestroyArgs;

static const Row destroy_rows[] = {
	FLAG(DestroyArgs, graceful, NULL, .doc = "let QEMU write what it holds before it ends"),
	FLAG(DestroyArgs, remove_logs, NULL, .doc = "also remove its log"),
};
static const Shape destroy_args = SHAPE("destroy-args", DestroyArgs, destroy_rows);

static gboolean destroy(OpCall *call, GError **error)
{
	const DestroyArgs *args = call->args;
	g_autofree char *log = core_guest_log_path(call->guest);
	if (!core_guest_destroy(call->guest, args->graceful, error))
		return FALSE;
	if (args->remove_logs && unlink(log) < 0 && errno != ENOENT)
		notes_add(&call->notes, "%s is left: %s", log, g_strerror(errno));
	return TRUE;
}

/* ---- autostart, rename ---- */

typedef struct AutostartArgs {
	ShapeHead head;
	gboolean disable;
} AutostartArgs;

static const Row autostart_rows[] = {
	FLAG(AutostartArgs, disable, NULL, .doc = "do not start it with the host any more"),
};
static const Shape autostart_args = SHAPE("autostart-args", AutostartArgs, autostart_rows);

typedef struct Autostart {
	ShapeHead head;
	Tri autostart;
	char *done;
} Autostart;

static const Row autostart_result_rows[] = {
	TRI(Autostart, autostart, NULL),
	STRING(Autostart, done, NULL),
};
static const Shape autostart_result = SHAPE("autostart", Autostart, autostart_result_rows);

static gboolean autostart(OpCall *call, GError **error)
{
	gboolean on = !((const AutostartArgs *)call->args)->disable;
	Autostart *result = call->result;
	if (!core_guest_autostart(call->guest, on, error))
		return FALSE;
	result->autostart = on ? TRI_YES : TRI_NO;
	result->done = g_strdup(on ? "marked" : "unmarked");
	return TRUE;
}

typedef struct RenameArgs {
	ShapeHead head;
	char *new_name;
} RenameArgs;

static const Row rename_rows[] = {
	STRING(RenameArgs, new_name, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "what it is called from now on"),
};
static const Shape rename_args = SHAPE("rename-args", RenameArgs, rename_rows);

static gboolean rename_guest(OpCall *call, GError **error)
{
	return core_guest_rename(call->guest, ((const RenameArgs *)call->args)->new_name, error);
}

static const Op ops[] = {
	{ .name = "define", .family = "Guests", .method = "POST", .route = "/v1/guests",
	  .perm = OP_PERM_WRITE, .lane = OP_BESIDE, .args = &define_args, .result = &made_shape,
	  .show = OP_SHOW_MESSAGE, .said = "Domain '{name}' defined from {file}",
	  .doc = "Define a guest from a document, or change its definition", .fn = define },
	{ .name = "undefine", .family = "Guests", .method = "DELETE", .route = "/v1/guests/{guest}",
	  .target = OP_ON_GUEST, .perm = OP_PERM_WRITE, .lane = OP_LANE, .args = &undefine_args,
	  .show = OP_SHOW_MESSAGE, .said = "Domain '{guest}' has been undefined",
	  .doc = "Remove a guest's definition", .fn = undefine },
	{ .name = "create", .family = "Guests", .method = "POST", .route = "/v1/create",
	  .perm = OP_PERM_WRITE, .lane = OP_BESIDE, .args = &create_args, .result = &made_shape,
	  .show = OP_SHOW_MESSAGE, .said = "Domain '{name}' created from {file}",
	  .doc = "Start a guest that is forgotten when it ends", .fn = create },
	{ .name = "start", .route = "/v1/guests/{guest}/start", GUEST_WRITE(OP_LANE),
	  .args = &start_args, .result = &made_shape, .said = "Domain '{guest}' started",
	  .doc = "Start a guest",
	  .fn = start },
	{ .name = "reset", .route = "/v1/guests/{guest}/reset", GUEST_WRITE(OP_LANE),
	  .said = "Domain '{guest}' was reset", .doc = "Press a guest's reset button", .fn = reset },
	{ .name = "destroy", .route = "/v1/guests/{guest}/destroy", GUEST_WRITE(OP_BESIDE),
	  .args = &destroy_args, .said = "Domain '{guest}' destroyed",
	  .doc = "Pull a guest's plug; its definition stays", .fn = destroy },
	{ .name = "suspend", .route = "/v1/guests/{guest}/suspend", GUEST_WRITE(OP_LANE),
	  .said = "Domain '{guest}' suspended", .doc = "Stop a guest's CPUs", .fn = suspend },
	{ .name = "resume", .route = "/v1/guests/{guest}/resume", GUEST_WRITE(OP_LANE),
	  .said = "Domain '{guest}' resumed", .doc = "Let a guest's CPUs run again", .fn = resume },
	{ .name = "inject-nmi", .route = "/v1/guests/{guest}/nmi", GUEST_WRITE(OP_LANE),
	  .said = "", .doc = "Send a guest a non-maskable interrupt",
	  .fn = inject_nmi },
	{ .name = "autostart", .route = "/v1/guests/{guest}/autostart", GUEST_WRITE(OP_LANE),
	  .args = &autostart_args, .result = &autostart_result,
	  .said = "Domain '{guest}' {done} as autostarted",
	  .doc = "Start a guest whenever the host starts", .fn = autostart },
	{ .name = "rename", .alias = "domrename", .route = "/v1/guests/{guest}/rename",
	  GUEST_WRITE(OP_LANE), .args = &rename_args, .said = "Domain successfully renamed",
	  .doc = "Give a guest another name", .fn = rename_guest },
};

const OpFamily op_family_guest_life = { ops, G_N_ELEMENTS(ops) };
