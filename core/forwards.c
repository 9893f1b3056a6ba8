/* See forwards.h; forward_look.c puts to work what stands in the list. */
#include "core/forwards_internal.h"

#include <jansson.h>
#include <string.h>

#include "base/error.h"
#include "core/address_book.h"
#include "core/internal.h"
#include "host/file.h"
#include "host/netlink.h"

#define FORWARDS_MAX 4096
#define FILE_LIMIT (4 * 1024 * 1024)

/* ---- entries ---- */

ForwardEntry *forward_entry_new(const char *guest, const char *uuid, const ForwardSpec *spec)
{
	ForwardEntry *entry = g_new0(ForwardEntry, 1);
	entry->forward = (CoreForward){ .guest = g_strdup(guest), .spec = *spec };
	g_strlcpy(entry->forward.uuid, uuid, sizeof entry->forward.uuid);
	entry->run = -1;
	return entry;
}

void forward_entry_free(gpointer data)
{
	ForwardEntry *entry = data;
	g_free(entry->forward.guest);
	g_free(entry->mac);
	g_free(entry);
}

static void forward_clear(gpointer data)
{
	g_free(((CoreForward *)data)->guest);
	g_free(data);
}

gboolean forward_same(const CoreForward *a, const CoreForward *b)
{
	const ForwardSpec *one = &a->spec, *other = &b->spec;
	return g_str_equal(a->uuid, b->uuid) && one->udp == other->udp && one->first == other->first &&
	       one->last == other->last && g_str_equal(one->address, other->address) &&
	       g_str_equal(one->dev, other->dev);
}

void forward_drop(Core *core, const CoreForward *one)
{
	g_mutex_lock(&core->forwards->lock);
	for (guint i = 0; i < core->forwards->list->len; i++)
		if (forward_same(core->forwards->list->pdata[i], one)) {
			g_ptr_array_remove_index(core->forwards->list, i);
			break;
		}
	g_mutex_unlock(&core->forwards->lock);
}

gboolean forwards_any(Core *core)
{
	g_mutex_lock(&core->forwards->lock);
	gboolean any = core->forwards->list->len > 0;
	g_mutex_unlock(&core->forwards->lock);
	return any;
}

/* ---- the file ---- */

static char *path_of(Core *core)
{
	return g_build_filename(core->paths->lib, "port-forwards.json", NULL);
}

gboolean forwards_save(Core *core, GError **error)
{
	json_t *all = json_array();
	g_mutex_lock(&core->forwards->lock);
	for (guint i = 0; i < core->forwards->list->len; i++) {
		const CoreForward *one = core->forwards->list->pdata[i];
		const ForwardSpec *spec = &one->spec;
		if (!one->defined)
			json_array_append_new(
				all, json_pack("{s:s, s:s, s:b, s:i, s:i, s:i, s:s, s:s}", "uuid", one->uuid,
					       "guest", one->guest, "udp", spec->udp, "port", spec->first,
					       "last", spec->last, "to", spec->to, "address", spec->address,
					       "dev", spec->dev));
	}
	g_mutex_unlock(&core->forwards->lock);
	g_autofree char *text = json_dumps(all, JSON_INDENT(1));
	g_autofree char *path = path_of(core);
	json_decref(all);
	return file_write(path, text, strlen(text), 0600, FILE_DURABLE, error);
}

static const char *text_of(json_t *item, const char *key)
{
	const char *text = json_string_value(json_object_get(item, key));
	return text ? text : "";
}

static void read_one(Core *core, json_t *item)
{
	json_int_t port = json_integer_value(json_object_get(item, "port"));
	json_int_t last = json_integer_value(json_object_get(item, "last"));
	json_int_t to = json_integer_value(json_object_get(item, "to"));
	last = last ? last : port;
	if (!*text_of(item, "uuid") || !*text_of(item, "guest") || port < 1 || last < port || last > 65535 ||
	    to < 1 || to + last - port > 65535)
		return;
	ForwardSpec spec = { .udp = json_is_true(json_object_get(item, "udp")), .first = (guint16)port,
			     .last = (guint16)last, .to = (guint16)to };
	g_strlcpy(spec.address, text_of(item, "address"), sizeof spec.address);
	g_strlcpy(spec.dev, text_of(item, "dev"), sizeof spec.dev);
	g_ptr_array_add(core->forwards->list,
			forward_entry_new(text_of(item, "guest"), text_of(item, "uuid"), &spec));
}

/* ---- what is in the way ---- */

static guint ports_of(const ForwardSpec *spec)
{
	return spec->last - spec->first + 1u;
}

static gboolean is_free_of_others(Core *core, const ForwardSpec *wanted, GError **error)
{
	g_autofree char *other = NULL, *theirs = NULL;
	guint ports = ports_of(wanted);
	g_mutex_lock(&core->forwards->lock);
	guint count = core->forwards->list->len;
	for (guint i = 0; i < count; i++) {
		const CoreForward *there = core->forwards->list->pdata[i];
		ports += ports_of(&there->spec);
		if (!other && forward_overlap(&there->spec, wanted)) {
			other = g_strdup(there->guest);
			theirs = forward_text(&there->spec);
		}
	}
	g_mutex_unlock(&core->forwards->lock);
	if (other)
		return fail(error, LODGE_ERROR_IN_USE, "port %s leads to guest \"%s\" already: "
			    "port-forward-remove ends that", theirs, other);
	return (count < FORWARDS_MAX && ports <= FORWARD_PORTS_MAX) ||
	       fail(error, LODGE_ERROR_NO_SPACE, "there are %u forwards of %u ports with it, more than %d of "
		    "%d", count + 1, ports, FORWARDS_MAX, FORWARD_PORTS_MAX);
}

static gboolean is_free(Core *core, const ForwardSpec *wanted, GError **error)
{
	g_autofree char *who = NULL;
	return is_free_of_others(core, wanted, error) &&
	       (!forward_taken(wanted, &who) ||
		fail(error, LODGE_ERROR_IN_USE, "%s: choose another", who));
}

static gboolean is_of_this_host(const char *text, GError **error)
{
	Inet wanted;
	if (!*text)
		return TRUE;
	if (!inet_from_text(text, AF_UNSPEC, &wanted, error))
		return FALSE;
	if (g_str_equal(text, "::1"))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "::1 leads to no guest, for its packets cannot leave this host: use 127.0.0.1");
	if (inet_is_any(&wanted) || (wanted.family == AF_INET && wanted.bytes[0] == 127))
		return TRUE;
	g_autoptr(Netlink) nl = netlink_open(error);
	g_autoptr(GArray) all = nl ? netlink_addresses(nl, error) : NULL;
	for (guint i = 0; all && i < all->len; i++)
		if (!inet_compare(&g_array_index(all, AddressInfo, i).address, &wanted))
			return TRUE;
	return all && fail(error, LODGE_ERROR_NOT_FOUND, "%s is no address of this host", text);
}

/* ---- verbs ---- */

/* What the guest's own network mode cannot do. */
static gboolean check_user(const GuestSnap *snap, const Interface *user, const ForwardSpec *spec,
			   GError **error)
{
	if (forward_is_passt(user))
		return TRUE;
	if (*spec->dev || strchr(spec->address, ':'))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "guest \"%s\" is in user mode: ports are forwarded from addresses of IPv4 alone",
			    snap->name);
	return TRUE;
}

static gboolean add_locked(Core *core, ForwardEntry *entry, GError **error)
{
	CoreForward key = entry->forward; /* the list owns the entry from here on */
	if (!is_free(core, &key.spec, error)) {
		forward_entry_free(entry);
		return FALSE;
	}
	g_mutex_lock(&core->forwards->lock);
	g_ptr_array_add(core->forwards->list, entry);
	g_mutex_unlock(&core->forwards->lock);
	if (forwards_save(core, error) && forwards_refresh(core, error))
		return TRUE;
	forward_drop(core, &key);
	forwards_save(core, NULL);
	return FALSE;
}

static gboolean tell_user_mode(CoreGuest *guest, const Interface *user, const ForwardSpec *spec, gboolean on,
			       GError **error)
{
	return forward_is_passt(user) ? forward_serve(guest, error) :
					forward_ask_qemu(guest, user, spec, on, error);
}

gboolean core_forward_add(CoreGuest *guest, const ForwardSpec *spec, GError **error)
{
	Core *core = guest->core;
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	const Interface *user = snap->live ? forward_user_interface(snap->live->guest) : NULL;
	if ((user && !check_user(snap, user, spec, error)) || !is_of_this_host(spec->address, error))
		return FALSE;
	g_mutex_lock(&core->forwards->work);
	ForwardEntry *entry = forward_entry_new(snap->name, snap->uuid, spec);
	CoreForward key = entry->forward;
	entry->run = user ? snap->id : -1; /* asked below, and waited for */
	gboolean ok = add_locked(core, entry, error);
	g_mutex_unlock(&core->forwards->work);
	if (!ok || !user || tell_user_mode(guest, user, spec, TRUE, error))
		return ok;
	forward_drop(core, &key);
	forwards_save(core, NULL);
	if (forward_is_passt(user)) /* as before */
		forward_serve(guest, NULL);
	return FALSE;
}

/* The one that @spec means, in *found; NOT_FOUND otherwise. */
static gboolean find_one(Core *core, const GuestSnap *snap, const ForwardSpec *spec, CoreForward *found,
			 GError **error)
{
	g_autoptr(GPtrArray) own = core_forwards(core, snap->uuid);
	g_autofree char *text = forward_text(spec);
	guint n = 0;
	for (guint i = 0; i < own->len; i++) {
		const CoreForward *one = own->pdata[i];
		const ForwardSpec *s = &one->spec;
		if (s->udp != spec->udp || s->first != spec->first ||
		    (spec->last > spec->first && s->last != spec->last) ||
		    (*spec->address && !g_str_equal(s->address, spec->address)) ||
		    (*spec->dev && !g_str_equal(s->dev, spec->dev)))
			continue;
		*found = *one;
		found->guest = NULL;
		n++;
	}
	if (n == 0)
		return fail(error, LODGE_ERROR_NOT_FOUND, "port %s does not lead to guest \"%s\"", text,
			    snap->name);
	if (n > 1)
		return fail(error, LODGE_ERROR_INVALID, "port %s leads to guest \"%s\" from %u addresses: "
			    "say which by --bind", text, snap->name, n);
	return !found->defined ||
	       fail(error, LODGE_ERROR_STATE, "port %s leads to guest \"%s\" by the <portForward> of its "
		    "definition: remove it there", text, snap->name);
}

static gboolean remove_locked(CoreGuest *guest, const GuestSnap *snap, const ForwardSpec *spec,
			      CoreForward *found, GError **error)
{
	Core *core = guest->core;
	if (!find_one(core, snap, spec, found, error))
		return FALSE;
	forward_drop(core, found);
	return forwards_save(core, error) && forwards_refresh(core, error);
}

gboolean core_forward_remove(CoreGuest *guest, const ForwardSpec *spec, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	const Interface *user = snap->live ? forward_user_interface(snap->live->guest) : NULL;
	CoreForward found = { 0 };
	g_mutex_lock(&guest->core->forwards->work);
	gboolean ok = remove_locked(guest, snap, spec, &found, error);
	g_mutex_unlock(&guest->core->forwards->work);
	return ok && (!user || tell_user_mode(guest, user, &found.spec, FALSE, error));
}

GPtrArray *core_forwards(Core *core, const char *uuid)
{
	GPtrArray *copy = g_ptr_array_new_with_free_func(forward_clear);
	g_mutex_lock(&core->forwards->lock);
	for (guint i = 0; i < core->forwards->list->len; i++) {
		const CoreForward *one = core->forwards->list->pdata[i];
		if (uuid && !g_str_equal(uuid, one->uuid))
			continue;
		CoreForward *own = g_memdup2(one, sizeof *one);
		own->guest = g_strdup(one->guest);
		g_ptr_array_add(copy, own);
	}
	g_mutex_unlock(&core->forwards->lock);
	return copy;
}

/* ---- <portForward> of a guest that starts ---- */

static gboolean plug_one(Core *core, const Guest *owner, const Interface *interface, const ForwardSpec *spec,
			 GError **error)
{
	if (!is_of_this_host(spec->address, error) || !is_free(core, spec, error)) {
		g_prefix_error(error, "interface %s: portForward: ", interface->mac);
		return FALSE;
	}
	ForwardEntry *entry = forward_entry_new(owner->name, owner->uuid, spec);
	entry->forward.defined = entry->starting = TRUE;
	entry->mac = g_strdup(interface->mac);
	g_mutex_lock(&core->forwards->lock);
	g_ptr_array_add(core->forwards->list, entry);
	g_mutex_unlock(&core->forwards->lock);
	return TRUE;
}

gboolean forwards_plug(CoreGuest *guest, const Guest *owner, const Interface *interface, GError **error)
{
	if (!shape_len(interface->port_forwards))
		return TRUE;
	g_autoptr(GArray) specs = forward_specs_of(interface, error);
	gboolean ok = specs != NULL;
	g_mutex_lock(&guest->core->forwards->work);
	for (guint i = 0; ok && i < specs->len; i++)
		ok = plug_one(guest->core, owner, interface, &g_array_index(specs, ForwardSpec, i), error);
	g_mutex_unlock(&guest->core->forwards->work);
	return ok;
}

void forwards_unplug(CoreGuest *guest, const char *uuid)
{
	struct CoreForwards *forwards = guest->core->forwards;
	gboolean any = FALSE;
	g_mutex_lock(&forwards->lock);
	for (guint i = forwards->list->len; i-- > 0;) {
		const CoreForward *one = forwards->list->pdata[i];
		if (!one->defined || !g_str_equal(one->uuid, uuid))
			continue;
		g_ptr_array_remove_index(forwards->list, i);
		any = TRUE;
	}
	g_mutex_unlock(&forwards->lock);
	if (any)
		book_poke(guest->core);
}

/* ---- with the daemon ---- */

void forwards_load(Core *core)
{
	struct CoreForwards *forwards = core->forwards = g_new0(struct CoreForwards, 1);
	g_autofree char *path = path_of(core), *mark = forwards_mark(core);
	g_autofree char *text = file_read(path, FILE_LIMIT, NULL, NULL);
	json_t *all = text ? json_loads(text, 0, NULL) : NULL, *item;
	size_t i;
	g_mutex_init(&forwards->work);
	g_mutex_init(&forwards->lock);
	forwards->list = g_ptr_array_new_with_free_func(forward_entry_free);
	if (g_file_test(mark, G_FILE_TEST_EXISTS))
		forwards->applied = g_strdup("?");
	json_array_foreach(all, i, item)
		if (i < FORWARDS_MAX)
			read_one(core, item);
	json_decref(all);
}

void forwards_free(Core *core)
{
	if (!core->forwards)
		return;
	g_ptr_array_unref(core->forwards->list);
	g_mutex_clear(&core->forwards->work);
	g_mutex_clear(&core->forwards->lock);
	g_free(core->forwards->applied);
	g_free(core->forwards);
}
