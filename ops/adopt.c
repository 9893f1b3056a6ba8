/* Taking over a libvirt host: `adopt` shows what it would do, `adopt --yes` does it, `adopt --undo` takes it
 * back. Neighbours: core/adopt.h. */
#include "core/adopt.h"
#include "ops/families.h"

#include <string.h>

typedef struct AdoptArgs {
	ShapeHead head;
	char *from;
	gboolean yes, undo;
} AdoptArgs;

static const Row args_rows[] = {
	STRING(AdoptArgs, from, NULL, .flags = ROW_PATH,
	       .doc = "folder with a copy of the host's file system, instead of this host"),
	FLAG(AdoptArgs, yes, NULL, .doc = "do it; without this it is only told"),
	FLAG(AdoptArgs, undo, NULL, .doc = "forget what was taken, with the copies that were made"),
};
static const Shape args_shape = SHAPE("adopt-args", AdoptArgs, args_rows);

typedef struct Adopted {
	ShapeHead head;
	GPtrArray *items;
} Adopted;

static const Row result_rows[] = { LIST(Adopted, items, NULL, adopt_item_shape) };
static const Shape result_shape = SHAPE("adopt", Adopted, result_rows);

static void tell(gpointer data, double fraction)
{
	op_progress(data, fraction, "taking over");
}

static guint count(const GPtrArray *items, const char *action)
{
	guint n = 0;
	for (guint i = 0; i < items->len; i++)
		n += strcmp(((const AdoptItem *)items->pdata[i])->action, action) == 0;
	return n;
}

static void say_more(OpCall *call, const AdoptArgs *args, const GPtrArray *items)
{
	if (!args->undo && !args->yes && count(items, "take"))
		notes_add(&call->notes, "nothing was changed: adopt --yes takes what \"take\" stands at; "
			  "libvirt's own files stay as they are");
	if (!args->undo && args->yes && count(items, "taken"))
		notes_add(&call->notes, "what was taken must not be started by libvirt any more: stop "
			  "libvirtd, or take it back with adopt --undo");
}

static gboolean adopt(OpCall *call, GError **error)
{
	const AdoptArgs *args = call->args;
	EngineProgress progress = { .tell = tell, .data = call, .cancel = call->cancel };
	if (args->yes && args->undo)
		return fail(error, LODGE_ERROR_INVALID, "say --yes or --undo, not both");
	g_autoptr(GPtrArray) items = args->undo ? core_unadopt(call->core, error) :
						   core_adopt_plan(call->core, args->from, error);
	if (!items || (args->yes && !core_adopt(call->core, items, &progress, error)))
		return FALSE;
	say_more(call, args, items);
	for (guint i = 0; i < items->len; i++)
		shape_append(&((Adopted *)call->result)->items, &adopt_item_shape, items->pdata[i]);
	g_ptr_array_set_free_func(items, NULL); /* they are the result's */
	return TRUE;
}

static const Op ops[] = {
	{ .name = "adopt", .family = "Host", .method = "POST", .route = "/v1/adopt",
	  .perm = OP_PERM_WRITE, .lane = OP_BESIDE, .is_job = TRUE, .args = &args_shape,
	  .result = &result_shape, .show = OP_SHOW_TABLE,
	  .doc = "Take over guests, networks, pools, filters and secrets of libvirt", .fn = adopt },
};

const OpFamily op_family_adopt = { ops, G_N_ELEMENTS(ops) };
