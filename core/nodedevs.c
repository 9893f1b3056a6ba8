/* See nodedevs.h. Nothing is read before somebody asks: a daemon whose clients never look at devices pays
 * nothing. From then on a list is kept: the socket's news wake the main loop, which only queues them; the
 * lane looks at the devices they name, publishes a new list and tells what changed. Where news were lost,
 * and after changes of definitions, all is looked at again and compared. */
#include "core/nodedevs.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/hostdevs.h"
#include "core/internal.h"

#include <glib-unix.h>
#include <string.h>
#include <unistd.h>

#define MAX_PENDING 4096 /* news that wait; more, and everything is looked at */
#define NEWS_AT_ONCE 256 /* that the main loop takes before others have their turn */


typedef struct CoreNodedevs {
	Lane *lane;
	GMutex lock;
	GPtrArray *list; /* NodeDev *, by name; replaced, never changed; NULL: not read yet; under lock */
	gboolean watching, warned; /* under lock */
	GPtrArray *pending; /* Uevent *; under lock */
	gboolean all;	    /* everything has to be looked at; under lock */
	gboolean posted;    /* the lane will come; under lock */
	int fd;
	guint source;
} CoreNodedevs;

static void pending_free(gpointer data)
{
	uevent_clear(data);
	g_free(data);
}

CoreNodedevs *core_nodedevs_new(void)
{
	CoreNodedevs *nodedevs = g_new0(CoreNodedevs, 1);
	nodedevs->lane = lane_new();
	nodedevs->fd = -1;
	nodedevs->pending = g_ptr_array_new_with_free_func(pending_free);
	g_mutex_init(&nodedevs->lock);
	return nodedevs;
}

void core_nodedevs_close(CoreNodedevs *nodedevs)
{
	g_mutex_lock(&nodedevs->lock);
	g_clear_handle_id(&nodedevs->source, g_source_remove);
	g_mutex_unlock(&nodedevs->lock);
}

void core_nodedevs_free(CoreNodedevs *nodedevs)
{
	fd_clear(&nodedevs->fd);
	g_clear_pointer(&nodedevs->list, g_ptr_array_unref);
	g_ptr_array_unref(nodedevs->pending);
	g_mutex_clear(&nodedevs->lock);
	lane_unref(nodedevs->lane);
	g_free(nodedevs);
}

/* ---- telling ---- */

static void tell(Core *core, const NodeDev *dev, const char *event)
{
	CoreEvent *news = g_new0(CoreEvent, 1);
	news->kind = event ? "nodedev-lifecycle" : "nodedev-update";
	news->event = event;
	news->object = g_strdup(dev->name);
	news->id = -1;
	news->time = g_get_real_time();
	core_publish(core, news);
}

/* One device before and after; either may be NULL. */
static void tell_change(Core *core, const NodeDev *old, const NodeDev *new)
{
	gboolean was = old && old->active, is = new && new->active;
	gboolean was_defined = old && old->kind == NODE_MDEV && old->persistent;
	gboolean is_defined = new && new->kind == NODE_MDEV && new->persistent;
	if (!was_defined && is_defined)
		tell(core, new, "defined");
	if (was != is)
		tell(core, is ? new : old, is ? "created" : "deleted");
	if (was_defined && !is_defined)
		tell(core, old, "undefined");
}

/* Both are sorted by name. */
static void tell_changes(Core *core, const GPtrArray *old, const GPtrArray *new)
{
	for (guint i = 0, k = 0; i < old->len || k < new->len;) {
		const NodeDev *a = i < old->len ? old->pdata[i] : NULL, *b = k < new->len ? new->pdata[k] :
			NULL;
		int order = !a ? 1 : !b ? -1 : strcmp(a->name, b->name);
		tell_change(core, order <= 0 ? a : NULL, order >= 0 ? b : NULL);
		i += order <= 0;
		k += order >= 0;
	}
}

/* ---- the list; lane ---- */

static GPtrArray *list_ref(CoreNodedevs *nodedevs)
{
	g_mutex_lock(&nodedevs->lock);
	GPtrArray *list = nodedevs->list ? g_ptr_array_ref(nodedevs->list) : NULL;
	g_mutex_unlock(&nodedevs->lock);
	return list;
}

/* Takes @list. */
static void list_set(CoreNodedevs *nodedevs, GPtrArray *list)
{
	g_mutex_lock(&nodedevs->lock);
	GPtrArray *old = nodedevs->list;
	nodedevs->list = list;
	g_mutex_unlock(&nodedevs->lock);
	if (old)
		g_ptr_array_unref(old);
}

static void look_at_all(Core *core)
{
	CoreNodedevs *nodedevs = core->nodedevs;
	g_autoptr(GPtrArray) old = list_ref(nodedevs);
	GPtrArray *new = nodedev_scan(&core_node_tree);
	if (old)
		tell_changes(core, old, new);
	list_set(nodedevs, new);
}

/* ---- news; lane ---- */

/* The devices by path, active ones; and by name those that are only defined. */
static GHashTable *index_new(const GPtrArray *list)
{
	GHashTable *index =
		g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)node_dev_unref);
	for (guint i = 0; i < list->len; i++) {
		NodeDev *dev = list->pdata[i];
		g_hash_table_replace(index, dev->active && dev->path ? dev->path : dev->name,
				     node_dev_ref(dev));
	}
	return index;
}

static gint by_name(gconstpointer a, gconstpointer b)
{
	return strcmp((*(NodeDev *const *)a)->name, (*(NodeDev *const *)b)->name);
}

static GPtrArray *list_of(GHashTable *index)
{
	GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)node_dev_unref);
	GHashTableIter iter;
	gpointer value;
	g_hash_table_iter_init(&iter, index);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		g_ptr_array_add(list, node_dev_ref(value));
	g_ptr_array_sort(list, by_name);
	return list;
}

static void forget(Core *core, GHashTable *index, const char *path)
{
	const NodeDev *dev = g_hash_table_lookup(index, path);
	if (!dev)
		return;
	tell(core, dev, "deleted");
	g_hash_table_remove(index, path);
}

static void set_parent(GHashTable *index, NodeDev *dev)
{
	g_autofree char *path = g_path_get_dirname(dev->path);
	const NodeDev *found = NULL;
	for (char *slash; !(found = g_hash_table_lookup(index, path)) && (slash = strrchr(path, '/'));)
		*slash = '\0';
	dev->parent = g_strdup(found ? found->name : NODE_COMPUTER);
}

/* FALSE: this alone does not tell enough. */
static gboolean take_one(Core *core, GHashTable *index, const Uevent *event)
{
	if (event->old_path)
		forget(core, index, event->old_path);
	if (g_str_equal(event->action, "remove")) {
		const NodeDev *dev = g_hash_table_lookup(index, event->path);
		if (dev && dev->kind == NODE_MDEV) /* it may be defined, too */
			return FALSE;
		forget(core, index, event->path);
		return TRUE;
	}
	const NodeDev *old = g_hash_table_lookup(index, event->path);
	g_autoptr(NodeDev) dev = nodedev_look(&core_node_tree, event->path);
	if (dev && dev->kind == NODE_MDEV && !old)
		return FALSE;
	if (!dev || (old && dev->kind == NODE_MDEV))
		return TRUE;
	set_parent(index, dev);
	if (old && !g_str_equal(old->name, dev->name)) {
		forget(core, index, event->path);
		old = NULL;
	}
	tell(core, dev, old ? NULL : "created");
	g_hash_table_replace(index, dev->path, node_dev_ref(dev));
	return TRUE;
}

static gboolean take_all(Core *core, const GPtrArray *events)
{
	g_autoptr(GPtrArray) list = list_ref(core->nodedevs);
	gboolean enough = list != NULL;
	GHashTable *index = list ? index_new(list) : NULL;
	for (guint i = 0; i < events->len && index; i++)
		enough &= take_one(core, index, events->pdata[i]);
	if (!index)
		return FALSE;
	list_set(core->nodedevs, list_of(index));
	g_hash_table_unref(index);
	return enough;
}

static void on_lane(gpointer data)
{
	Core *core = data;
	CoreNodedevs *nodedevs = core->nodedevs;
	g_mutex_lock(&nodedevs->lock);
	g_autoptr(GPtrArray) events = nodedevs->pending;
	gboolean all = nodedevs->all || !nodedevs->list;
	nodedevs->pending = g_ptr_array_new_with_free_func(pending_free);
	nodedevs->all = nodedevs->posted = FALSE;
	g_mutex_unlock(&nodedevs->lock);
	if (all || !take_all(core, events))
		look_at_all(core);
	core_unref(core);
}

/* ---- the socket; main ---- */

/* With the lock held. */
static void post(Core *core)
{
	if (core->nodedevs->posted)
		return;
	core->nodedevs->posted = TRUE;
	g_atomic_int_inc(&core->refs);
	lane_post(core->nodedevs->lane, on_lane, core);
}

static void queue(Core *core, NodeNews news, const Uevent *event)
{
	CoreNodedevs *nodedevs = core->nodedevs;
	g_mutex_lock(&nodedevs->lock);
	if (news == NODE_NEWS_LOST || nodedevs->pending->len >= MAX_PENDING) {
		nodedevs->all = TRUE;
		g_ptr_array_set_size(nodedevs->pending, 0);
	}
	if (news == NODE_NEWS_EVENT && !nodedevs->all)
		g_ptr_array_add(nodedevs->pending, g_memdup2(event, sizeof *event));
	else if (news == NODE_NEWS_EVENT)
		uevent_clear((Uevent *)event);
	post(core);
	g_mutex_unlock(&nodedevs->lock);
}

static gboolean on_news(int fd, G_GNUC_UNUSED GIOCondition condition, gpointer data)
{
	Uevent event;
	NodeNews news = NODE_NEWS_OTHER;
	for (guint i = 0; i < NEWS_AT_ONCE && news != NODE_NEWS_NONE; i++) {
		news = nodedev_heard(fd, &event);
		if (news >= NODE_NEWS_EVENT)
			queue(data, news, &event);
	}
	return G_SOURCE_CONTINUE;
}

void core_nodedevs_watch(Core *core)
{
	CoreNodedevs *nodedevs = core->nodedevs;
	g_autoptr(GError) error = NULL;
	g_mutex_lock(&nodedevs->lock);
	gboolean first = !nodedevs->warned;
	if (!nodedevs->watching && (nodedevs->fd = nodedev_watch(&error)) >= 0) {
		nodedevs->watching = TRUE;
		nodedevs->source = g_unix_fd_add(nodedevs->fd, G_IO_IN, on_news, core);
		post(core);
	}
	nodedevs->warned |= error != NULL;
	g_mutex_unlock(&nodedevs->lock);
	if (error && first)
		log_warning(NULL, "no events of node devices: %s", error->message);
}

/* ---- what verbs ask ---- */

typedef struct Asked {
	Core *core;
	gboolean anew;
} Asked;

static void ask_on_lane(gpointer data)
{
	const Asked *asked = data;
	CoreNodedevs *nodedevs = asked->core->nodedevs;
	g_mutex_lock(&nodedevs->lock);
	gboolean known = nodedevs->list && nodedevs->watching;
	g_mutex_unlock(&nodedevs->lock);
	if (!known || asked->anew)
		look_at_all(asked->core);
}

static void look_anew(Core *core)
{
	Asked asked = { core, TRUE };
	lane_run(core->nodedevs->lane, ask_on_lane, &asked);
}

GPtrArray *core_nodedevs(Core *core)
{
	CoreNodedevs *nodedevs = core->nodedevs;
	core_nodedevs_watch(core);
	g_mutex_lock(&nodedevs->lock);
	GPtrArray *list = nodedevs->list && nodedevs->watching ? g_ptr_array_ref(nodedevs->list) : NULL;
	g_mutex_unlock(&nodedevs->lock);
	if (list)
		return list;
	Asked asked = { core, FALSE };
	lane_run(nodedevs->lane, ask_on_lane, &asked);
	return list_ref(nodedevs);
}

/* Whether @dev is the Fibre Channel adapter "WWNN,WWPN". */
static gboolean has_names(const NodeDev *dev, const char *pair)
{
	if (!(dev->caps & NODE_BIT(NODE_FC_HOST)))
		return FALSE;
	g_autoptr(NodeDevice) device = nodedev_read(&core_node_tree, dev, NULL);
	if (!device)
		return FALSE;
	SHAPE_EACH (NodeSubCap, sub, device->capability->caps) {
		g_autofree char *own = g_strdup_printf("%s,%s", sub->wwnn, sub->wwpn);
		if (sub->type == SUB_FC_HOST && !g_ascii_strcasecmp(own, pair))
			return TRUE;
	}
	return FALSE;
}

NodeDev *core_nodedev_find(Core *core, const char *name, GError **error)
{
	g_autoptr(GPtrArray) list = core_nodedevs(core);
	gboolean pair = strchr(name, ',') != NULL;
	for (guint i = 0; i < list->len; i++) {
		NodeDev *dev = list->pdata[i];
		if (pair ? has_names(dev, name) : g_str_equal(dev->name, name))
			return node_dev_ref(dev);
	}
	fail_with(error, LODGE_ERROR_NOT_FOUND, LODGE_DETAIL_TARGET, "no node device with matching name '%s'",
		  name);
	return NULL;
}

NodeDevice *core_nodedev_read(Core *core, const char *name, GError **error)
{
	g_autoptr(NodeDev) dev = core_nodedev_find(core, name, error);
	return dev ? nodedev_read(&core_node_tree, dev, error) : NULL;
}

/* ---- changes ---- */

gboolean core_nodedev_do(Core *core, const char *name, NodeDevFn fn, GError **error)
{
	g_autoptr(NodeDev) dev = core_nodedev_find(core, name, error);
	if (!dev || !hostdevs_hold(core, dev, "somebody who moves it between drivers", error))
		return FALSE;
	gboolean ok = fn(&core_node_tree, dev, error);
	hostdevs_let_go(core, dev);
	if (ok)
		look_anew(core);
	return ok;
}

gboolean core_nodedev_autostart(Core *core, const char *name, gboolean on, GError **error)
{
	g_autoptr(NodeDev) dev = core_nodedev_find(core, name, error);
	gboolean ok = dev && nodedev_autostart(&core_node_tree, dev, on, error);
	if (ok)
		look_anew(core);
	return ok;
}

char *core_nodedev_make(Core *core, const char *xml, gboolean define, gboolean validate, Notes *notes,
			GError **error)
{
	g_autoptr(NodeDevice) device =
		shape_from_xml(&node_device_shape, "device", xml, -1, NULL, notes, error);
	if (!device || !shape_check(&node_device_shape, device, notes, error) ||
	    (validate && !shape_all_known(&node_device_shape, device, error)))
		return NULL;
	g_autoptr(GPtrArray) list = core_nodedevs(core);
	char *name = define ? nodedev_define(&core_node_tree, device, list, error) :
			      nodedev_create(&core_node_tree, device, list, error);
	if (name)
		look_anew(core);
	return name;
}

/* ---- autostart ---- */

static void autostart(gpointer data)
{
	Core *core = data;
	look_at_all(core);
	g_autoptr(GPtrArray) list = list_ref(core->nodedevs);
	for (guint i = 0; i < list->len; i++) {
		const NodeDev *dev = list->pdata[i];
		g_autoptr(GError) error = NULL;
		if (dev->autostart && dev->kind == NODE_MDEV && !dev->active && dev->path &&
		    !nodedev_start(&core_node_tree, dev, &error))
			log_warning(NULL, "node device %s: autostart failed: %s", dev->name, error->message);
	}
	core_unref(core);
}

void core_nodedevs_begin(Core *core)
{
	if (core->paths->root || geteuid() != 0 || access(NODE_MDEVS, F_OK) < 0)
		return;
	g_atomic_int_inc(&core->refs);
	lane_post(core->nodedevs->lane, autostart, core);
}
