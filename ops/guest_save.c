/* Verbs that put guests to sleep in files and wake them up. Names, options and messages are virsh's. */
#include "core/core.h"
#include "core/save.h"
#include "ops/families.h"

#define ON_GUEST(method_, perm_, lane_)                                                            \
	.family = "Guests", .target = OP_ON_GUEST, .method = method_, .perm = perm_, .lane = lane_

typedef struct SaveArgs {
	ShapeHead head;
	char *path;
	char *xml;
	gboolean bypass_cache, running, paused, reset_nvram;
} SaveArgs;

static guint flags_of(const SaveArgs *args)
{
	return (args->running ? SAVE_RUNNING : 0) | (args->paused ? SAVE_PAUSED : 0) |
	       (args->bypass_cache ? SAVE_PAST_CACHE : 0) | (args->reset_nvram ? SAVE_RESET_NVRAM : 0);
}

static gboolean check_state(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const SaveArgs *args = object;
	return !(args->running && args->paused) ||
	       fail(error, LODGE_ERROR_INVALID, "--running and --paused exclude each other");
}

#define PATH_ROW(doc_)                                                                             \
	STRING(SaveArgs, path, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED | ROW_PATH, .doc = doc_)
#define CACHE_ROW                                                                                  \
	FLAG(SaveArgs, bypass_cache, NULL, .doc = "the file does not stay in the host's memory")
#define STATE_ROWS                                                                                 \
	FLAG(SaveArgs, running, NULL, .doc = "it runs when it is restored"),                       \
		FLAG(SaveArgs, paused, NULL, .doc = "it is paused when it is restored")
#define XML_ROW(doc_) RAWXML(SaveArgs, xml, NULL, .doc = doc_)

static void tell(gpointer data, double fraction)
{
	op_progress(data, fraction, "memory");
}

static EngineProgress progress_of(OpCall *call)
{
	return (EngineProgress){ .tell = tell, .data = call, .cancel = call->cancel };
}

/* ---- to a file ---- */

static const Row save_rows[] = {
	PATH_ROW("file that it is saved to"), CACHE_ROW,
	XML_ROW("file with another definition of the same guest"), STATE_ROWS,
};
static const Shape save_args = SHAPE("save-args", SaveArgs, save_rows, .check = check_state);

static gboolean save(OpCall *call, GError **error)
{
	const SaveArgs *args = call->args;
	EngineProgress progress = progress_of(call);
	return core_guest_save(call->guest, args->path, args->xml, flags_of(args), &progress, error);
}

typedef struct Restored {
	ShapeHead head;
	char *name, *uuid;
	OptInt id;
} Restored;

static const Row restored_rows[] = {
	STRING(Restored, name, NULL, .doc = "Name"),
	UUID(Restored, uuid, NULL, .doc = "UUID"),
	INT(Restored, id, NULL, .doc = "Id"),
};
static const Shape restored_shape = SHAPE("restored", Restored, restored_rows);

static const Row restore_rows[] = {
	PATH_ROW("file that it was saved to"), CACHE_ROW,
	XML_ROW("file with another definition of the same guest"), STATE_ROWS,
	FLAG(SaveArgs, reset_nvram, NULL, .doc = "make UEFI's variables anew"),
};
static const Shape restore_args = SHAPE("restore-args", SaveArgs, restore_rows,
					.check = check_state);

static gboolean restore(OpCall *call, GError **error)
{
	const SaveArgs *args = call->args;
	g_autoptr(CoreGuest) guest = core_restore(call->core, args->path, args->xml, flags_of(args),
						  &call->notes, error);
	if (!guest)
		return FALSE;
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	Restored *result = call->result;
	result->name = g_strdup(snap->name);
	result->uuid = g_strdup(snap->uuid);
	result->id = OPT_INT(snap->id);
	return TRUE;
}

typedef struct Text {
	ShapeHead head;
	char *text;
} Text;

static const Row text_rows[] = { STRING(Text, text, NULL) };
static const Shape text_shape = SHAPE("saved-xml", Text, text_rows);

typedef struct DumpArgs {
	ShapeHead head;
	char *path;
	gboolean security_info;
} DumpArgs;

static const Row dump_rows[] = {
	STRING(DumpArgs, path, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED | ROW_PATH,
	       .doc = "file that it was saved to"),
	FLAG(DumpArgs, security_info, NULL, .doc = "with passwords"),
};
static const Shape dump_args = SHAPE("save-image-dumpxml-args", DumpArgs, dump_rows);

static gboolean image_xml(OpCall *call, GError **error)
{
	const DumpArgs *args = call->args;
	Text *result = call->result;
	guint flags = args->security_info ? SHAPE_XML_SECRETS : 0;
	result->text = core_saved_xml(args->path, flags, error);
	return result->text != NULL;
}

static const Row define_rows[] = {
	PATH_ROW("file that it was saved to"),
	RAWXML(SaveArgs, xml, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "file with the definition that it is to have, - for standard input"),
	STATE_ROWS,
};
static const Shape define_args = SHAPE("save-image-define-args", SaveArgs, define_rows,
				       .check = check_state);

static gboolean image_define(OpCall *call, GError **error)
{
	const SaveArgs *args = call->args;
	return core_saved_define(args->path, args->xml, flags_of(args), &call->notes, error);
}

/* ---- managed ---- */

static const Row managed_rows[] = {
	CACHE_ROW, XML_ROW("file with another definition of the same guest"), STATE_ROWS,
};
static const Shape managed_args = SHAPE("managedsave-args", SaveArgs, managed_rows,
					.check = check_state);

static gboolean managed_save(OpCall *call, GError **error)
{
	const SaveArgs *args = call->args;
	EngineProgress progress = progress_of(call);
	return core_guest_managed_save(call->guest, args->xml, flags_of(args), &progress, error);
}

static gboolean managed_remove(OpCall *call, GError **error)
{
	return core_guest_managed_save_remove(call->guest, error);
}

static const Row managed_dump_rows[] = {
	FLAG(DumpArgs, security_info, NULL, .doc = "with passwords"),
};
static const Shape managed_dump_args =
	SHAPE("managedsave-dumpxml-args", DumpArgs, managed_dump_rows);

/* The file of its managed save, which the caller frees; NULL with STATE. */
static char *managed_path(OpCall *call, GError **error)
{
	g_autofree char *path = core_guest_managed_save_path(call->guest);
	if (core_guest_has_managed_save(call->guest))
		return g_steal_pointer(&path);
	fail(error, LODGE_ERROR_STATE, "guest \"%s\" does not have managed save image", call->target);
	return NULL;
}

static gboolean managed_xml(OpCall *call, GError **error)
{
	const DumpArgs *args = call->args;
	g_autofree char *path = managed_path(call, error);
	Text *result = call->result;
	guint flags = args->security_info ? SHAPE_XML_SECRETS : 0;
	result->text = path ? core_saved_xml(path, flags, error) : NULL;
	return result->text != NULL;
}

static const Row managed_define_rows[] = {
	RAWXML(SaveArgs, xml, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "file with the definition that it is to have, - for standard input"),
	STATE_ROWS,
};
static const Shape managed_define_args = SHAPE("managedsave-define-args", SaveArgs, managed_define_rows,
					       .check = check_state);

static gboolean managed_define(OpCall *call, GError **error)
{
	const SaveArgs *args = call->args;
	g_autofree char *path = managed_path(call, error);
	return path && core_saved_define(path, args->xml, flags_of(args), &call->notes, error);
}

typedef struct Has {
	ShapeHead head;
	Tri managed_save;
} Has;

static const Row has_rows[] = { TRI(Has, managed_save, NULL, .doc = "Managed save") };
static const Shape has_shape = SHAPE("managed-save", Has, has_rows);

static gboolean has_managed(OpCall *call, G_GNUC_UNUSED GError **error)
{
	gboolean there = core_guest_has_managed_save(call->guest);
	((Has *)call->result)->managed_save = there ? TRI_YES : TRI_NO;
	return TRUE;
}

static const Op ops[] = {
	{ .name = "save", .route = "/v1/guests/{guest}/save",
	  ON_GUEST("POST", OP_PERM_WRITE, OP_LANE), .args = &save_args, .is_job = TRUE,
	  .show = OP_SHOW_MESSAGE, .said = "Domain '{guest}' saved to {path}",
	  .doc = "Save a running guest to a file and end it", .fn = save },
	{ .name = "restore", .family = "Guests", .method = "POST", .route = "/v1/restore",
	  .perm = OP_PERM_WRITE, .lane = OP_BESIDE, .args = &restore_args,
	  .result = &restored_shape, .is_job = TRUE, .show = OP_SHOW_MESSAGE,
	  .said = "Domain restored from {path}", .doc = "Start a guest from where it was saved",
	  .fn = restore },
	{ .name = "save-image-dumpxml", .family = "Guests", .method = "GET",
	  .route = "/v1/saved/xml", .perm = OP_PERM_SECRET, .lane = OP_BESIDE,
	  .args = &dump_args, .result = &text_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show the definition in a saved guest's file", .fn = image_xml },
	{ .name = "save-image-define", .family = "Guests", .method = "POST",
	  .route = "/v1/saved/xml", .perm = OP_PERM_WRITE, .lane = OP_BESIDE, .args = &define_args,
	  .show = OP_SHOW_MESSAGE, .said = "State file {path} updated.", .is_job = TRUE,
	  .doc = "Change the definition in a saved guest's file", .fn = image_define },
	{ .name = "managedsave", .route = "/v1/guests/{guest}/managed-save",
	  ON_GUEST("POST", OP_PERM_WRITE, OP_LANE), .args = &managed_args, .is_job = TRUE,
	  .show = OP_SHOW_MESSAGE, .said = "Domain '{guest}' state saved by libvirt",
	  .doc = "Save a running guest so that its next start goes on from there",
	  .fn = managed_save },
	{ .name = "managedsave-remove", .route = "/v1/guests/{guest}/managed-save",
	  ON_GUEST("DELETE", OP_PERM_WRITE, OP_LANE), .show = OP_SHOW_MESSAGE,
	  .said = "Removed managedsave image for domain '{guest}'",
	  .doc = "Forget what managedsave has saved", .fn = managed_remove },
	{ .name = "managedsave-exists", .route = "/v1/guests/{guest}/managed-save",
	  ON_GUEST("GET", OP_PERM_READ, OP_READ), .result = &has_shape, .show = OP_SHOW_FIELDS,
	  .doc = "Show whether a guest has a managed save", .fn = has_managed },
	{ .name = "managedsave-dumpxml", .route = "/v1/guests/{guest}/managed-save/xml",
	  ON_GUEST("GET", OP_PERM_SECRET, OP_BESIDE), .args = &managed_dump_args,
	  .result = &text_shape, .show = OP_SHOW_TEXT, .doc = "Show the definition in a managed save",
	  .fn = managed_xml },
	{ .name = "managedsave-define", .route = "/v1/guests/{guest}/managed-save/xml",
	  ON_GUEST("POST", OP_PERM_WRITE, OP_LANE), .args = &managed_define_args, .is_job = TRUE,
	  .show = OP_SHOW_MESSAGE, .said = "Managed save state file of domain '{guest}' updated.",
	  .doc = "Change the definition in a managed save", .fn = managed_define },
};

const OpFamily op_family_guest_save = { ops, G_N_ELEMENTS(ops) };
