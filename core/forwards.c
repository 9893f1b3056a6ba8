/* See forwards.h. A look every two seconds, as long as there is any forward, finds guests that began, ended
 * or changed their addresses; the rules are written where that changes something. */
#include "core/forwards.h"

#include <jansson.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "core/addresses.h"
#include "core/internal.h"
#include "host/file.h"
#include "host/nft.h"
#include "net/forward.h"
#include "net/plug.h"

#define LOOK_MS 2000
#define FORWARDS_MAX 4096
#define FILE_LIMIT (1024 * 1024)

typedef struct Entry {
	CoreForward forward;
	int run; /* id of the run that has it from QEMU; -1: none */
} Entry;

struct CoreForwards {
	GMutex work; /* held while rules change */
	GMutex lock; /* of the list, for moments */
	GPtrArray *list; /* Entry */
	char *applied; /* what the rules say now, as text; under work */
	guint timer;   /* main */
	gint looking;  /* atomic: a look is on its way */
};

static void forward_clear(gpointer data)
{
	g_free(((CoreForward *)data)->guest);
	g_free(data);
}

static char *path_of(Core *core)
{
	return g_build_filename(core->paths->lib, "port-forwards.json", NULL);
}

/* ---- the file ---- */

static gboolean save(Core *core, GError **error)
{
	json_t *all = json_array();
	g_mutex_lock(&core->forwards->lock);
	for (guint i = 0; i < core->forwards->list->len; i++) {
		const CoreForward *one = core->forwards->list->pdata[i];
		json_array_append_new(all, json_pack("{s:s, s:s, s:b, s:i, s:i}", "uuid", one->uuid, "guest",
						     one->guest, "udp", one->udp, "port", one->port, "to",
						     one->to));
	}
	g_mutex_unlock(&core->forwards->lock);
	g_autofree char *text = json_dumps(all, JSON_INDENT(1));
	g_autofree char *path = path_of(core);
	json_decref(all);
	return file_write(path, text, strlen(text), 0600, FILE_DURABLE, error);
}

static Entry *entry_new(const char *guest, const char *uuid, gboolean udp, guint16 port, guint16 to)
{
	Entry *entry = g_new0(Entry, 1);
	entry->forward = (CoreForward){ .guest = g_strdup(guest), .udp = udp, .port = port, .to = to };
	g_strlcpy(entry->forward.uuid, uuid, sizeof entry->forward.uuid);
	entry->run = -1;
	return entry;
}

static void read_one(Core *core, json_t *item)
{
	const char *uuid = json_string_value(json_object_get(item, "uuid"));
	const char *guest = json_string_value(json_object_get(item, "guest"));
	json_int_t port = json_integer_value(json_object_get(item, "port"));
	json_int_t to = json_integer_value(json_object_get(item, "to"));
	if (uuid && guest && port > 0 && port < 65536 && to > 0 && to < 65536)
		g_ptr_array_add(core->forwards->list,
				entry_new(guest, uuid, json_is_true(json_object_get(item, "udp")),
					  (guint16)port, (guint16)to));
}

/* ---- a look: a pool thread ---- */

static const Interface *user_interface(const Guest *live)
{
	SHAPE_EACH (Interface, interface, live->interfaces)
		if (!interface->target && interface->info.alias &&
		    (interface->type == INTERFACE_USER || plug_kind(interface) != PLUG_NONE ||
		     interface->type == INTERFACE_NETWORK))
			return interface;
	return NULL;
}

static const char *bridge_of(const Guest *live)
{
	SHAPE_EACH (Interface, interface, live->interfaces)
		if (plug_kind(interface) == PLUG_BRIDGE && interface->source)
			return interface->source->bridge;
	return "";
}

/* Has QEMU listen, or stop: on the guest's lane. */
typedef struct UserTask {
	CoreGuest *guest;
	char *command;
} UserTask;

static void run_user_task(gpointer data)
{
	UserTask *task = data;
	g_autoptr(GError) error = NULL;
	g_autofree char *said = core_guest_ask(task->guest, ENGINE_ASK_HUMAN, task->command, &error);
	if (!said || *g_strstrip(said))
		log_warning(NULL, "%s: %s", task->command, said ? said : error->message);
	core_guest_unref(task->guest);
	g_free(task->command);
	g_free(task);
}

static void tell_qemu(CoreGuest *guest, const Interface *interface, const CoreForward *forward, gboolean on)
{
	UserTask *task = g_new(UserTask, 1);
	const char *protocol = forward->udp ? "udp" : "tcp";
	task->guest = core_guest_ref(guest);
	task->command = on ? g_strdup_printf("hostfwd_add host%s %s::%u-:%u", interface->info.alias,
					     protocol, forward->port, forward->to) :
			     g_strdup_printf("hostfwd_remove host%s %s::%u", interface->info.alias, protocol,
					     forward->port);
	lane_post(core_guest_lane(guest), run_user_task, task);
}

/* Where @one leads now: fills @out and returns TRUE where it takes a rule. */
static gboolean look_at(Core *core, CoreForward *one, int *run, Forward *out)
{
	g_autoptr(CoreGuest) guest = core_find_by(core, CORE_BY_UUID, one->uuid, NULL);
	g_autoptr(GuestSnap) snap = guest ? core_guest_snap(guest) : NULL;
	const Interface *user = snap && snap->live ? user_interface(snap->live->guest) : NULL;
	one->ip[0] = '\0';
	if (!snap || !snap->live) {
		*run = -1;
		return FALSE;
	}
	if (user) {
		if (*run != snap->id)
			tell_qemu(guest, user, one, TRUE);
		*run = snap->id;
		g_strlcpy(one->ip, "user", sizeof one->ip);
		return FALSE;
	}
	g_autofree char *ip = core_guest_ip(guest);
	if (!ip)
		return FALSE;
	*out = (Forward){ .udp = one->udp, .port = one->port, .to = one->to };
	g_strlcpy(one->ip, ip, sizeof one->ip);
	g_strlcpy(out->ip, ip, sizeof out->ip);
	g_strlcpy(out->bridge, bridge_of(snap->live->guest), sizeof out->bridge);
	return TRUE;
}

/* A copy to work on: addresses take time. */
static GPtrArray *entries(Core *core)
{
	GPtrArray *copy = g_ptr_array_new_with_free_func(forward_clear);
	g_mutex_lock(&core->forwards->lock);
	for (guint i = 0; i < core->forwards->list->len; i++) {
		Entry *entry = g_memdup2(core->forwards->list->pdata[i], sizeof(Entry));
		entry->forward.guest = g_strdup(entry->forward.guest);
		g_ptr_array_add(copy, entry);
	}
	g_mutex_unlock(&core->forwards->lock);
	return copy;
}

static gboolean same(const CoreForward *a, const CoreForward *b)
{
	return a->udp == b->udp && a->port == b->port;
}

static void put_back(Core *core, const Entry *seen)
{
	g_mutex_lock(&core->forwards->lock);
	for (guint i = 0; i < core->forwards->list->len; i++) {
		Entry *entry = core->forwards->list->pdata[i];
		if (!same(&entry->forward, &seen->forward))
			continue;
		entry->run = seen->run;
		memcpy(entry->forward.ip, seen->forward.ip, sizeof entry->forward.ip);
	}
	g_mutex_unlock(&core->forwards->lock);
}

/* Work lock held. */
static gboolean refresh(Core *core, GError **error)
{
	struct CoreForwards *forwards = core->forwards;
	g_autoptr(GPtrArray) all = entries(core);
	g_autoptr(GArray) rules = g_array_new(FALSE, TRUE, sizeof(Forward));
	g_autoptr(GString) text = g_string_new(NULL);
	for (guint i = 0; i < all->len; i++) {
		Entry *entry = all->pdata[i];
		Forward rule;
		if (look_at(core, &entry->forward, &entry->run, &rule)) {
			g_array_append_val(rules, rule);
			g_string_append_printf(text, "%d %u %s %u %s\n", rule.udp, rule.port, rule.ip,
					       rule.to, rule.bridge);
		}
		put_back(core, entry);
	}
	const char *why;
	gboolean can = plug_possible(&why) && nft_present();
	if (!g_strcmp0(text->str, forwards->applied) || (!rules->len && !can))
		return TRUE;
	if (!forward_apply((const Forward *)(void *)rules->data, rules->len, error))
		return FALSE;
	g_free(forwards->applied);
	forwards->applied = g_strdup(text->str);
	return TRUE;
}

static void drop(Core *core, const CoreForward *one)
{
	g_mutex_lock(&core->forwards->lock);
	for (guint i = 0; i < core->forwards->list->len; i++)
		if (same(core->forwards->list->pdata[i], one)) {
			g_ptr_array_remove_index(core->forwards->list, i);
			break;
		}
	g_mutex_unlock(&core->forwards->lock);
}

/* Those of guests that are not known any more. Work lock held. */
static void forget_gone(Core *core)
{
	gboolean changed = FALSE;
	g_autoptr(GPtrArray) all = core_forwards(core, NULL);
	for (guint i = 0; i < all->len; i++) {
		const CoreForward *one = all->pdata[i];
		g_autoptr(CoreGuest) guest = core_find_by(core, CORE_BY_UUID, one->uuid, NULL);
		if (guest)
			continue;
		drop(core, one);
		changed = TRUE;
	}
	if (changed)
		save(core, NULL);
}

static void look(gpointer data)
{
	Core *core = data;
	g_autoptr(GError) error = NULL;
	g_mutex_lock(&core->forwards->work);
	forget_gone(core);
	if (!refresh(core, &error))
		log_warning(NULL, "ports are not forwarded: %s", error->message);
	g_mutex_unlock(&core->forwards->work);
	g_atomic_int_set(&core->forwards->looking, FALSE);
	core_unref(core);
}

static gboolean on_timer(gpointer data)
{
	Core *core = data;
	g_mutex_lock(&core->forwards->lock);
	gboolean any = core->forwards->list->len > 0;
	g_mutex_unlock(&core->forwards->lock);
	if (any && g_atomic_int_compare_and_exchange(&core->forwards->looking, FALSE, TRUE)) {
		g_atomic_int_inc(&core->refs);
		lane_beside(look, core);
	}
	return G_SOURCE_CONTINUE;
}

/* The timer runs from the first forward on. */
static void begin_looking(gpointer data)
{
	Core *core = data;
	if (!core->forwards->timer)
		core->forwards->timer = g_timeout_add(LOOK_MS, on_timer, core);
	core_unref(core);
}

/* ---- verbs ---- */

static gboolean is_free(Core *core, const Entry *wanted, GError **error)
{
	g_autofree char *who = NULL;
	g_autofree char *other = NULL;
	const CoreForward *one = &wanted->forward;
	g_mutex_lock(&core->forwards->lock);
	gboolean full = core->forwards->list->len >= FORWARDS_MAX;
	for (guint i = 0; i < core->forwards->list->len; i++) {
		const CoreForward *there = core->forwards->list->pdata[i];
		if (same(there, one))
			other = g_strdup(there->guest);
	}
	g_mutex_unlock(&core->forwards->lock);
	if (full)
		return fail(error, LODGE_ERROR_NO_SPACE, "there are %d forwards already", FORWARDS_MAX);
	if (other)
		return fail(error, LODGE_ERROR_IN_USE,
			    "port %u/%s leads to guest \"%s\" already: port-forward-remove ends that",
			    one->port, one->udp ? "udp" : "tcp", other);
	return !forward_taken(one->udp, one->port, &who) ||
	       fail(error, LODGE_ERROR_IN_USE, "port %u/%s of this host is used by %s: choose another",
		    one->port, one->udp ? "udp" : "tcp", who);
}

static gboolean add_locked(Core *core, Entry *entry, GError **error)
{
	CoreForward key = entry->forward; /* the list owns the entry from here on */
	if (!is_free(core, entry, error)) {
		forward_clear(entry);
		return FALSE;
	}
	g_mutex_lock(&core->forwards->lock);
	g_ptr_array_add(core->forwards->list, entry);
	g_mutex_unlock(&core->forwards->lock);
	if (save(core, error) && refresh(core, error))
		return TRUE;
	drop(core, &key);
	save(core, NULL);
	return FALSE;
}

gboolean core_forward_add(CoreGuest *guest, gboolean udp, guint16 port, guint16 to, GError **error)
{
	Core *core = guest->core;
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	g_mutex_lock(&core->forwards->work);
	gboolean ok = add_locked(core, entry_new(snap->name, snap->uuid, udp, port, to), error);
	g_mutex_unlock(&core->forwards->work);
	if (ok) {
		g_atomic_int_inc(&core->refs);
		lane_to_main(begin_looking, core);
	}
	return ok;
}

static gboolean remove_locked(CoreGuest *guest, const GuestSnap *snap, const CoreForward *one, GError **error)
{
	Core *core = guest->core;
	g_autoptr(GPtrArray) own = core_forwards(core, snap->uuid);
	gboolean found = FALSE;
	for (guint i = 0; i < own->len; i++)
		found |= same(own->pdata[i], one);
	if (!found)
		return fail(error, LODGE_ERROR_NOT_FOUND, "port %u/%s does not lead to guest \"%s\"",
			    one->port, one->udp ? "udp" : "tcp", snap->name);
	const Interface *user = snap->live ? user_interface(snap->live->guest) : NULL;
	if (user)
		tell_qemu(guest, user, one, FALSE);
	drop(core, one);
	return save(core, error) && refresh(core, error);
}

gboolean core_forward_remove(CoreGuest *guest, gboolean udp, guint16 port, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	CoreForward one = { .udp = udp, .port = port };
	g_mutex_lock(&guest->core->forwards->work);
	gboolean ok = remove_locked(guest, snap, &one, error);
	g_mutex_unlock(&guest->core->forwards->work);
	return ok;
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

/* ---- with the daemon ---- */

void forwards_load(Core *core)
{
	struct CoreForwards *forwards = core->forwards = g_new0(struct CoreForwards, 1);
	g_autofree char *path = path_of(core);
	g_autofree char *text = file_read(path, FILE_LIMIT, NULL, NULL);
	json_t *all = text ? json_loads(text, 0, NULL) : NULL, *item;
	size_t i;
	g_mutex_init(&forwards->work);
	g_mutex_init(&forwards->lock);
	forwards->list = g_ptr_array_new_with_free_func(forward_clear);
	json_array_foreach(all, i, item)
		if (i < FORWARDS_MAX)
			read_one(core, item);
	json_decref(all);
	if (forwards->list->len)
		forwards->timer = g_timeout_add(LOOK_MS, on_timer, core);
}

void forwards_close(Core *core)
{
	if (core->forwards)
		g_clear_handle_id(&core->forwards->timer, g_source_remove);
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
