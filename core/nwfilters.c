/* The kind "network filter" of objects: its definitions are always active, and what changes is put to
 * work at once. See nwfilters.h. */
#include "core/nwfilters.h"
#include "base/error.h"
#include "base/log.h"
#include "core/internal.h"
#include "core/kinds.h"
#include "net/filter.h"

static gboolean check(Core *core, gpointer document, G_GNUC_UNUSED gconstpointer old,
		      G_GNUC_UNUSED Notes *notes, GError **error)
{
	filter_complete(document);
	return filters_check(core, document, error);
}

static void changed(CoreObject *object)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(object);
	filters_changed(core_object_core(object), snap->name);
}

static gboolean may_undefine(CoreObject *object, GError **error)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(object);
	g_autofree char *user = filters_user_of(core_object_core(object), snap->name);
	return !user || fail(error, LODGE_ERROR_IN_USE, "network filter \"%s\" is used by %s", snap->name,
			     user);
}

const CoreKind core_kind_nwfilter = {
	.id = CORE_NWFILTER,
	.word = "network filter",
	.list = "nwfilter-list",
	.folder = "nwfilters",
	.root = "filter",
	.event = "nwfilter-lifecycle",
	.shape = &filter_shape,
	.name = offsetof(Filter, name),
	.uuid = offsetof(Filter, uuid),
	.always_active = TRUE,
	.stock = filter_stock,
	.check = check,
	.may_undefine = may_undefine,
	.changed = changed,
};
