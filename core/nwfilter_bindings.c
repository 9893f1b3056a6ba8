/* Which port has which filter. Each binding is a file below run/nwfilter-bindings, written before the
 * rules are made, so that a daemon that comes later takes up or removes all of them; the addresses that
 * were learned stand beside it, or a guest would be cut off until it says something again.
 * See nwfilters.h. */
#include <glib-unix.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/internal.h"
#include "core/nwfilters.h"
#include "host/file.h"
#include "host/netlink.h"
#include "net/filter_host.h"

#define FILE_LIMIT (64 * 1024)
#define ADDRESSES_MAX 4 /* of one port: the newest count */

typedef struct Bound {
	FilterBinding *doc;
	GPtrArray *addresses; /* char *: learned; under the table's lock */
	gboolean learns;      /* waits for its address */
	guint source;	      /* main: of the socket */
	int fd;
} Bound;

struct CoreFilters {
	GMutex work; /* held while rules change */
	GMutex lock; /* of the table, for moments */
	GHashTable *by_port; /* name -> Bound */
};

static void bound_free(gpointer data)
{
	Bound *bound = data;
	if (bound->source)
		g_source_remove(bound->source);
	fd_clear(&bound->fd);
	g_ptr_array_unref(bound->addresses);
	shape_free(&filter_binding_shape, bound->doc);
	g_free(bound);
}

struct CoreFilters *filters_new(void)
{
	struct CoreFilters *filters = g_new0(struct CoreFilters, 1);
	g_mutex_init(&filters->work);
	g_mutex_init(&filters->lock);
	filters->by_port = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, bound_free);
	return filters;
}

void filters_free(struct CoreFilters *filters)
{
	if (!filters)
		return;
	g_hash_table_unref(filters->by_port);
	g_mutex_clear(&filters->work);
	g_mutex_clear(&filters->lock);
	g_free(filters);
}

void filters_close(Core *core)
{
	GHashTableIter iter;
	gpointer value;
	g_autoptr(GArray) sources = g_array_new(FALSE, FALSE, sizeof(guint));
	g_mutex_lock(&core->filters->lock);
	g_hash_table_iter_init(&iter, core->filters->by_port);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		Bound *bound = value;
		if (bound->source)
			g_array_append_val(sources, bound->source);
		bound->source = 0;
	}
	g_mutex_unlock(&core->filters->lock);
	for (guint i = 0; i < sources->len; i++) /* each drops a reference to the core */
		g_source_remove(g_array_index(sources, guint, i));
}

/* ---- filters by name, as they are now ---- */

typedef struct Finder {
	Core *core;
	const Filter *instead; /* of what has that name */
	GPtrArray *snaps;      /* held: what was found lives as long */
} Finder;

static const Filter *find(gpointer data, const char *name)
{
	Finder *finder = data;
	if (finder->instead && g_str_equal(finder->instead->name, name))
		return finder->instead;
	g_autoptr(CoreObject) object =
		core_object_find_by(finder->core, CORE_NWFILTER, CORE_BY_NAME, name, NULL);
	if (!object)
		return NULL;
	ObjectSnap *snap = core_object_snap(object);
	g_ptr_array_add(finder->snaps, snap);
	return object_snap_document(snap, FALSE);
}

static void finder_begin(Finder *finder, Core *core, const Filter *instead)
{
	*finder = (Finder){ core, instead,
			    g_ptr_array_new_with_free_func((GDestroyNotify)object_snap_unref) };
}

static void finder_end(Finder *finder)
{
	g_ptr_array_unref(finder->snaps);
}

/* ---- files ---- */

static char *folder_of(Core *core)
{
	return g_build_filename(core->paths->run, "nwfilter-bindings", NULL);
}

static char *path_of(Core *core, const char *port, const char *suffix)
{
	return g_strdup_printf("%s/nwfilter-bindings/%s%s", core->paths->run, port, suffix);
}

static gboolean write_binding(Core *core, const FilterBinding *binding, GError **error)
{
	g_autofree char *folder = folder_of(core);
	g_autofree char *path = path_of(core, binding->port, ".xml");
	g_autofree char *xml = shape_to_xml(&filter_binding_shape, "filterbinding", binding, 0);
	if (g_mkdir_with_parents(folder, 0700) < 0)
		return fail_errno(error, errno, "cannot create the folder %s", folder);
	return file_write(path, xml, strlen(xml), 0600, FILE_CACHE, error);
}

static void write_addresses(Core *core, const char *port, const GPtrArray *addresses)
{
	g_autofree char *path = path_of(core, port, ".addresses");
	g_autoptr(GString) text = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	for (guint i = 0; i < addresses->len; i++)
		g_string_append_printf(text, "%s\n", (char *)addresses->pdata[i]);
	if (!file_write(path, text->str, text->len, 0600, FILE_CACHE, &error))
		log_warning(NULL, "%s", error->message);
}

static void remove_files(Core *core, const char *port)
{
	static const char *const suffixes[] = { ".xml", ".addresses" };
	for (guint i = 0; i < G_N_ELEMENTS(suffixes); i++) {
		g_autofree char *path = path_of(core, port, suffixes[i]);
		g_autoptr(GError) error = NULL;
		if (!file_remove(path, &error))
			log_warning(NULL, "%s", error->message);
	}
}

/* ---- the table ---- */

static GPtrArray *addresses_of(Core *core, const char *port)
{
	GPtrArray *copy = g_ptr_array_new_with_free_func(g_free);
	g_mutex_lock(&core->filters->lock);
	const Bound *bound = g_hash_table_lookup(core->filters->by_port, port);
	for (guint i = 0; bound && i < bound->addresses->len; i++)
		g_ptr_array_add(copy, g_strdup(bound->addresses->pdata[i]));
	g_mutex_unlock(&core->filters->lock);
	return copy;
}

static gboolean is_bound(Core *core, const char *port)
{
	g_mutex_lock(&core->filters->lock);
	gboolean found = g_hash_table_contains(core->filters->by_port, port);
	g_mutex_unlock(&core->filters->lock);
	return found;
}

static void set_learns(Core *core, const char *port, gboolean learns)
{
	g_mutex_lock(&core->filters->lock);
	Bound *bound = g_hash_table_lookup(core->filters->by_port, port);
	if (bound)
		bound->learns = learns;
	g_mutex_unlock(&core->filters->lock);
}

/* Rules for @binding; work lock held. */
static gboolean apply(Core *core, const FilterBinding *binding, GError **error)
{
	Finder finder;
	gboolean learns = FALSE;
	g_autoptr(GPtrArray) addresses = addresses_of(core, binding->port);
	finder_begin(&finder, core, NULL);
	gboolean ok = filter_host_apply(binding, addresses, find, &finder, &learns, error);
	finder_end(&finder);
	if (ok)
		set_learns(core, binding->port, learns);
	return ok;
}

static void add(Core *core, const FilterBinding *binding, GPtrArray *addresses)
{
	Bound *bound = g_new0(Bound, 1);
	bound->doc = shape_copy(&filter_binding_shape, binding);
	bound->addresses = addresses;
	bound->fd = -1;
	g_mutex_lock(&core->filters->lock);
	g_hash_table_replace(core->filters->by_port, g_strdup(binding->port), bound);
	g_mutex_unlock(&core->filters->lock);
}

static gboolean forget_on_main(gpointer data)
{
	bound_free(data);
	return G_SOURCE_REMOVE;
}

static void drop(Core *core, const char *port)
{
	gpointer name = NULL, bound = NULL;
	g_mutex_lock(&core->filters->lock);
	g_hash_table_steal_extended(core->filters->by_port, port, &name, &bound);
	g_mutex_unlock(&core->filters->lock);
	g_free(name);
	if (bound) /* its socket is the main loop's */
		g_idle_add(forget_on_main, bound);
}

static gboolean bind_locked(Core *core, const FilterBinding *binding, guint flags, GError **error)
{
	gboolean there = is_bound(core, binding->port);
	if (there && !(flags & CORE_FILTER_REPLACE))
		return fail(error, LODGE_ERROR_EXISTS, "port \"%s\" has a network filter already: "
			    "nwfilter-binding-delete removes it", binding->port);
	if (!write_binding(core, binding, error))
		return FALSE;
	if (there)
		drop(core, binding->port);
	add(core, binding, g_ptr_array_new_with_free_func(g_free));
	if (apply(core, binding, error))
		return TRUE;
	drop(core, binding->port);
	filter_host_remove(binding->port, NULL);
	remove_files(core, binding->port);
	return FALSE;
}

gboolean core_filter_bind(Core *core, const FilterBinding *binding, guint flags, GError **error)
{
	g_mutex_lock(&core->filters->work);
	gboolean ok = bind_locked(core, binding, flags, error);
	g_mutex_unlock(&core->filters->work);
	return ok;
}

gboolean core_filter_unbind(Core *core, const char *port)
{
	g_autoptr(GError) error = NULL;
	g_mutex_lock(&core->filters->work);
	gboolean there = is_bound(core, port);
	/* The next guest's interface may have that name: a tool that was killed is asked again. */
	if (there && !filter_host_remove(port, NULL) && !filter_host_remove(port, &error))
		log_warning(NULL, "rules of %s are left: %s", port, error->message);
	drop(core, port);
	if (there)
		remove_files(core, port);
	g_mutex_unlock(&core->filters->work);
	return there;
}

/* ---- what lists show ---- */

static gint by_port(gconstpointer a, gconstpointer b)
{
	const FilterBinding *x = *(FilterBinding *const *)a, *y = *(FilterBinding *const *)b;
	return strcmp(x->port, y->port);
}

static void free_binding(gpointer binding)
{
	shape_free(&filter_binding_shape, binding);
}

GPtrArray *core_filter_bindings(Core *core)
{
	GPtrArray *list = g_ptr_array_new_with_free_func(free_binding);
	GHashTableIter iter;
	gpointer value;
	g_mutex_lock(&core->filters->lock);
	g_hash_table_iter_init(&iter, core->filters->by_port);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		g_ptr_array_add(list, shape_copy(&filter_binding_shape, ((Bound *)value)->doc));
	g_mutex_unlock(&core->filters->lock);
	g_ptr_array_sort(list, by_port);
	return list;
}

FilterBinding *core_filter_binding(Core *core, const char *port, GError **error)
{
	g_mutex_lock(&core->filters->lock);
	const Bound *bound = g_hash_table_lookup(core->filters->by_port, port);
	FilterBinding *copy = bound ? shape_copy(&filter_binding_shape, bound->doc) : NULL;
	g_mutex_unlock(&core->filters->lock);
	if (!copy)
		fail(error, LODGE_ERROR_NOT_FOUND,
		     "port \"%s\" has no network filter: \"lodge nwfilter-binding-list\" shows those that do",
		     port);
	return copy;
}

/* ---- addresses ---- */

typedef struct Watch { /* of one port, on its way between threads */
	Core *core;
	char *port;
} Watch;

static Watch *watch_new(Core *core, const char *port)
{
	Watch *watch = g_new(Watch, 1);
	g_atomic_int_inc(&core->refs);
	*watch = (Watch){ core, g_strdup(port) };
	return watch;
}

static void watch_free(gpointer data)
{
	Watch *watch = data;
	core_unref(watch->core);
	g_free(watch->port);
	g_free(watch);
}

/* A pool thread: the rules with the address that is known now. */
static void apply_learned(gpointer data)
{
	Watch *watch = data;
	Core *core = watch->core;
	g_autoptr(GError) error = NULL;
	g_mutex_lock(&core->filters->work);
	FilterBinding *binding = core_filter_binding(core, watch->port, NULL);
	if (binding) {
		g_autoptr(GPtrArray) addresses = addresses_of(core, watch->port);
		write_addresses(core, watch->port, addresses);
		if (!apply(core, binding, &error))
			log_warning(NULL, "%s", error->message);
		free_binding(binding);
	}
	g_mutex_unlock(&core->filters->work);
	watch_free(watch);
}

static const char *parameter_of(const FilterBinding *binding, const char *name)
{
	SHAPE_EACH (FilterParameter, parameter, binding->parameters)
		if (g_str_equal(parameter->name, name))
			return parameter->value;
	return NULL;
}

/* CTRL_IP_LEARNING is libvirt's name for how the address is found. */
static gboolean only_dhcp(const FilterBinding *binding)
{
	return !g_strcmp0(parameter_of(binding, "CTRL_IP_LEARNING"), "dhcp");
}

/* TRUE where the address is a new one; lock held. */
static gboolean note_address(Bound *bound, const guint8 bytes[4])
{
	g_autofree char *text =
		g_strdup_printf("%u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3]);
	if (g_ptr_array_find_with_equal_func(bound->addresses, text, g_str_equal, NULL))
		return FALSE;
	if (bound->addresses->len == ADDRESSES_MAX)
		g_ptr_array_remove_index(bound->addresses, 0);
	g_ptr_array_add(bound->addresses, g_steal_pointer(&text));
	return TRUE;
}

/* With DHCP alone it may get another address later; otherwise the first is the last. */
static gboolean on_frames(gint fd, G_GNUC_UNUSED GIOCondition condition, gpointer data)
{
	Watch *watch = data;
	struct CoreFilters *filters = watch->core->filters;
	guint8 mac[6], address[4];
	gboolean goes_on = TRUE;
	g_mutex_lock(&filters->lock);
	Bound *bound = g_hash_table_lookup(filters->by_port, watch->port);
	if (!bound || bound->fd != fd || (condition & (G_IO_ERR | G_IO_HUP)) ||
	    !mac_from_text(bound->doc->mac, mac)) {
		goes_on = FALSE;
	} else if (filter_learn_read(fd, mac, only_dhcp(bound->doc), address) &&
		   note_address(bound, address)) {
		goes_on = only_dhcp(bound->doc);
		lane_beside(apply_learned, watch_new(watch->core, watch->port));
	}
	if (!goes_on && bound && bound->fd == fd) {
		bound->source = 0;
		fd_clear(&bound->fd);
	}
	g_mutex_unlock(&filters->lock);
	return goes_on;
}

static void begin_watch(gpointer data)
{
	Watch *watch = data;
	struct CoreFilters *filters = watch->core->filters;
	g_autoptr(GError) error = NULL;
	g_mutex_lock(&filters->lock);
	Bound *bound = g_hash_table_lookup(filters->by_port, watch->port);
	gboolean wanted = bound && bound->fd < 0 && (bound->learns || only_dhcp(bound->doc)) &&
			  g_strcmp0(parameter_of(bound->doc, "CTRL_IP_LEARNING"), "none");
	if (wanted) {
		bound->fd = filter_learn_open(watch->port, &error);
		if (bound->fd >= 0)
			bound->source = g_unix_fd_add_full(G_PRIORITY_DEFAULT, bound->fd,
							   G_IO_IN, on_frames,
							   watch_new(watch->core, watch->port), watch_free);
	}
	g_mutex_unlock(&filters->lock);
	if (error)
		log_warning(NULL, "%s", error->message);
	watch_free(watch);
}

void core_filter_watch(Core *core, const char *port)
{
	if (is_bound(core, port))
		lane_to_main(begin_watch, watch_new(core, port));
}

/* ---- changes of filters ---- */

/* What it includes leads back to it. */
static gboolean has_loop(const Filter *filter, Finder *finder)
{
	SHAPE_EACH (FilterReference, reference, filter->references) {
		const Filter *other = find(finder, reference->filter);
		if (g_str_equal(reference->filter, filter->name) ||
		    (other && filter_uses(other, filter->name, find, finder)))
			return TRUE;
	}
	return FALSE;
}

gboolean filters_check(Core *core, const Filter *changed, GError **error)
{
	Finder finder;
	g_autoptr(GPtrArray) bindings = core_filter_bindings(core);
	finder_begin(&finder, core, changed);
	gboolean ok = !has_loop(changed, &finder) ||
		      fail_with(error, LODGE_ERROR_INVALID, LODGE_DETAIL_LOOP,
				"network filter \"%s\" includes itself by its <filterref>s: take one of them "
				"out", changed->name);
	for (guint i = 0; ok && i < bindings->len; i++) {
		const FilterBinding *binding = bindings->pdata[i];
		const Filter *first = find(&finder, binding->filter);
		if (!first || !filter_uses(first, changed->name, find, &finder))
			continue;
		g_autoptr(GPtrArray) addresses = addresses_of(core, binding->port);
		FilterRequest request = { .id = 1, .binding = binding, .addresses = addresses,
					  .find = find, .data = &finder };
		g_autoptr(FilterScript) script = filter_compile(&request, error);
		ok = script != NULL;
		if (!ok)
			g_prefix_error(error, "it is at work on %s: ", binding->port);
	}
	finder_end(&finder);
	return ok;
}

void filters_changed(Core *core, const char *name)
{
	Finder finder;
	g_mutex_lock(&core->filters->work);
	g_autoptr(GPtrArray) bindings = core_filter_bindings(core);
	finder_begin(&finder, core, NULL);
	for (guint i = 0; i < bindings->len; i++) {
		const FilterBinding *binding = bindings->pdata[i];
		const Filter *first = find(&finder, binding->filter);
		g_autoptr(GError) error = NULL;
		if (first && filter_uses(first, name, find, &finder) && !apply(core, binding, &error))
			log_error(NULL, "%s", error->message);
	}
	finder_end(&finder);
	g_mutex_unlock(&core->filters->work);
	for (guint i = 0; i < bindings->len; i++)
		core_filter_watch(core, ((FilterBinding *)bindings->pdata[i])->port);
}

static char *filter_that_includes(Core *core, const char *name)
{
	g_autoptr(GPtrArray) snaps = core_object_list(core, CORE_NWFILTER, CORE_LIST_ACTIVE);
	for (guint i = 0; i < snaps->len; i++) {
		const ObjectSnap *snap = snaps->pdata[i];
		const Filter *filter = object_snap_document(snap, FALSE);
		SHAPE_EACH (FilterReference, reference, filter ? filter->references : NULL)
			if (g_str_equal(reference->filter, name))
				return g_strdup_printf("the network filter \"%s\"", snap->name);
	}
	return NULL;
}

char *filters_user_of(Core *core, const char *name)
{
	g_autoptr(GPtrArray) bindings = core_filter_bindings(core);
	for (guint i = 0; i < bindings->len; i++) {
		const FilterBinding *binding = bindings->pdata[i];
		if (g_str_equal(binding->filter, name))
			return g_strdup_printf("the port %s", binding->port);
	}
	return filter_that_includes(core, name);
}

/* ---- after a restart ---- */

static GPtrArray *read_addresses(Core *core, const char *port)
{
	GPtrArray *addresses = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *path = path_of(core, port, ".addresses");
	g_autofree char *text = file_read(path, FILE_LIMIT, NULL, NULL);
	g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", ADDRESSES_MAX + 1);
	for (guint i = 0; lines[i]; i++)
		if (filter_value_check(FILTER_VALUE_IP, FALSE, lines[i], NULL))
			g_ptr_array_add(addresses, g_strdup(lines[i]));
	return addresses;
}

static void adopt_file(Core *core, const char *path, GHashTable *keep)
{
	g_autoptr(GError) error = NULL;
	gsize length = 0;
	g_autofree char *xml = file_read(path, FILE_LIMIT, &length, &error);
	FilterBinding *binding = xml ? shape_from_xml(&filter_binding_shape, "filterbinding", xml,
						      (gssize)length, path, NULL, &error) : NULL;
	if (binding && shape_check(&filter_binding_shape, binding, NULL, &error)) {
		add(core, binding, read_addresses(core, binding->port));
		g_hash_table_add(keep, g_strdup(binding->port));
		if (apply(core, binding, &error))
			core_filter_watch(core, binding->port);
	}
	if (error)
		log_error(NULL, "a network filter is not at work as it should: %s", error->message);
	if (binding)
		free_binding(binding);
}

void filters_adopt(Core *core)
{
	g_autofree char *folder = folder_of(core);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	g_autoptr(GHashTable) keep = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	if (!dir) /* nothing was ever bound by this daemon */
		return;
	file_sweep(folder);
	g_mutex_lock(&core->filters->work);
	for (const char *file; (file = g_dir_read_name(dir));) {
		g_autofree char *path = g_build_filename(folder, file, NULL);
		if (g_str_has_suffix(file, ".xml"))
			adopt_file(core, path, keep);
	}
	filter_host_sweep(keep);
	g_mutex_unlock(&core->filters->work);
}
