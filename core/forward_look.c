/* Forwards at work: where each leads now, and who has to be told: the rules of this host, or QEMU. See
 * forwards.h. */
#include "core/forwards_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "core/address_book.h"
#include "core/internal.h"
#include "host/file.h"
#include "net/plug.h"

/* ---- user mode ---- */

gboolean forward_is_passt(const Interface *interface)
{
	return interface->type == INTERFACE_USER && !g_strcmp0(interface->backend_type, "passt");
}

/* Without a name on this host nothing of ours connects it. */
static gboolean in_user_mode(const Interface *interface)
{
	return !interface->target && interface->info.alias &&
	       (interface->type == INTERFACE_USER || plug_kind(interface) != PLUG_NONE ||
		interface->type == INTERFACE_NETWORK);
}

const Interface *forward_user_interface(const Guest *live)
{
	SHAPE_EACH (Interface, interface, live->interfaces)
		if (in_user_mode(interface))
			return interface;
	return NULL;
}

typedef struct UserTask {
	CoreGuest *guest;
	char *alias;
	ForwardSpec spec;
	gboolean on;
	GError **error; /* NULL: nobody waits, and the task frees itself */
} UserTask;

/* Whether "info usernet" says that QEMU listens at that port:
 * "  TCP[HOST_FORWARD]  13       127.0.0.1  8081       10.0.2.15    80     0     0". */
static gboolean listens(const char *usernet, gboolean udp, guint port)
{
	g_auto(GStrv) lines = g_strsplit(usernet, "\n", 4096);
	for (guint i = 0; lines[i]; i++) {
		char protocol[4];
		guint at;
		if (sscanf(lines[i], " %3[A-Z][HOST_FORWARD] %*d %*s %u", protocol, &at) == 2 && at == port &&
		    g_str_equal(protocol, udp ? "UDP" : "TCP"))
			return TRUE;
	}
	return FALSE;
}

static gboolean ask_port(UserTask *task, guint n, GError **error)
{
	const ForwardSpec *spec = &task->spec;
	guint port = spec->first + n;
	g_autoptr(GString) command = g_string_new(NULL);
	g_string_printf(command, "%s host%s %s:%s:%u", task->on ? "hostfwd_add" : "hostfwd_remove",
			task->alias, spec->udp ? "udp" : "tcp", spec->address, port);
	if (task->on)
		g_string_append_printf(command, "-:%u", spec->to + n);
	g_autofree char *said = core_guest_ask(task->guest, ENGINE_ASK_HUMAN, command->str, error);
	if (!said)
		return FALSE;
	/* QEMU says "host forwarding rule for ... removed" where it went well */
	if (!task->on || !*g_strstrip(said))
		return TRUE;
	return fail(error, LODGE_ERROR_IN_USE,
		    "QEMU cannot listen at port %u/%s%s: %s", port, spec->udp ? "udp" : "tcp",
		    port < 1024 ? " (ports below 1024 are root's: see sysctl "
				  "net.ipv4.ip_unprivileged_port_start)" : "", said);
}

static gboolean ask_ports(UserTask *task, GError **error)
{
	g_autofree char *usernet = core_guest_ask(task->guest, ENGINE_ASK_HUMAN, "info usernet", error);
	guint count = task->spec.last - task->spec.first + 1u;
	if (!usernet)
		return FALSE;
	for (guint n = 0; n < count; n++) {
		if (listens(usernet, task->spec.udp, task->spec.first + n) == task->on ||
		    ask_port(task, n, error))
			continue;
		task->on = FALSE; /* those before it go again */
		while (n-- > 0)
			ask_port(task, n, NULL);
		return FALSE;
	}
	return TRUE;
}

static void run_user_task(gpointer data)
{
	UserTask *task = data;
	g_autoptr(GError) why = NULL;
	if (task->error) {
		ask_ports(task, task->error);
		return;
	}
	if (!ask_ports(task, &why))
		log_warning(NULL, "%s", why->message);
	core_guest_unref(task->guest);
	g_free(task->alias);
	g_free(task);
}

gboolean forward_ask_qemu(CoreGuest *guest, const Interface *interface, const ForwardSpec *spec, gboolean on,
			  GError **error)
{
	g_autoptr(GError) why = NULL;
	UserTask task = { guest, interface->info.alias, *spec, on, &why };
	lane_run(core_guest_lane(guest), run_user_task, &task);
	if (!why)
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

static void tell_qemu(CoreGuest *guest, const Interface *interface, const ForwardSpec *spec)
{
	UserTask *task = g_new(UserTask, 1);
	*task = (UserTask){ core_guest_ref(guest), g_strdup(interface->info.alias), *spec, TRUE, NULL };
	lane_post(core_guest_lane(guest), run_user_task, task);
}

/* ---- what definitions say ---- */

GArray *forward_specs_of(const Interface *interface, GError **error)
{
	g_autoptr(GArray) specs = g_array_new(FALSE, TRUE, sizeof(ForwardSpec));
	SHAPE_EACH (PortForward, forward, interface->port_forwards) {
		g_autoptr(GArray) ranges = port_forward_ranges(forward, error);
		ForwardSpec spec = { .udp = !g_strcmp0(forward->proto, "udp") };
		if (!ranges)
			return NULL;
		if (!ranges->len || (forward->address && forward->dev)) {
			fail(error, LODGE_ERROR_UNSUPPORTED, "interface %s: portForward: %s", interface->mac,
			     ranges->len ? "address or dev, not both" :
					   "without ports it would take all of this host's: name them by "
					   "<range>");
			return NULL;
		}
		g_strlcpy(spec.address, forward->address ? forward->address : "", sizeof spec.address);
		g_strlcpy(spec.dev, forward->dev ? forward->dev : "", sizeof spec.dev);
		for (guint i = 0; i < ranges->len; i++) {
			const PortRange *range = &g_array_index(ranges, PortRange, i);
			spec.first = range->first;
			spec.last = range->last;
			spec.to = range->to;
			g_array_append_val(specs, spec);
		}
	}
	return g_steal_pointer(&specs);
}

static void add_missing(Core *core, ForwardEntry *entry)
{
	gboolean there = FALSE;
	g_mutex_lock(&core->forwards->lock);
	for (guint i = 0; i < core->forwards->list->len; i++)
		there |= forward_same(core->forwards->list->pdata[i], &entry->forward);
	if (!there)
		g_ptr_array_add(core->forwards->list, entry);
	g_mutex_unlock(&core->forwards->lock);
	if (there)
		forward_entry_free(entry);
}

/* Those of guests that run already: of an earlier daemon, or in user mode, where QEMU or passt has them from
 * its start. */
static void add_defined(Core *core, const GuestSnap *snap)
{
	SHAPE_EACH (Interface, interface, snap->live->guest->interfaces) {
		g_autoptr(GArray) specs =
			shape_len(interface->port_forwards) ? forward_specs_of(interface, NULL) : NULL;
		for (guint i = 0; specs && i < specs->len; i++) {
			ForwardEntry *entry = forward_entry_new(snap->name, snap->uuid,
								&g_array_index(specs, ForwardSpec, i));
			entry->forward.defined = TRUE;
			entry->mac = g_strdup(interface->mac);
			entry->run = in_user_mode(interface) ? snap->id : -1;
			add_missing(core, entry);
		}
	}
}

static void add_all_defined(Core *core)
{
	g_autoptr(GPtrArray) snaps = core_list(core, CORE_LIST_ACTIVE);
	for (guint i = 0; i < snaps->len; i++)
		if (((const GuestSnap *)snaps->pdata[i])->live)
			add_defined(core, snaps->pdata[i]);
}

/* ---- where they lead ---- */

static const Interface *interface_of(const Guest *live, const char *mac)
{
	SHAPE_EACH (Interface, interface, live->interfaces)
		if (mac && interface->mac && !g_ascii_strcasecmp(interface->mac, mac))
			return interface;
	return mac ? NULL : forward_user_interface(live);
}

static const char *bridge_of(const Guest *live, const char *mac)
{
	SHAPE_EACH (Interface, interface, live->interfaces)
		if (plug_kind(interface) == PLUG_BRIDGE && interface->source && interface->source->bridge &&
		    (!mac || (interface->mac && !g_ascii_strcasecmp(interface->mac, mac))))
			return interface->source->bridge;
	return "";
}

static void look_at_running(Core *core, CoreGuest *guest, const GuestSnap *snap, ForwardEntry *entry,
			    Forward *out)
{
	CoreForward *one = &entry->forward;
	const Interface *user = interface_of(snap->live->guest, entry->mac);
	entry->starting = FALSE;
	if (user && in_user_mode(user)) {
		if (entry->run != snap->id && !one->defined && forward_is_passt(user))
			forward_serve_later(guest);
		else if (entry->run != snap->id && !one->defined)
			tell_qemu(guest, user, &one->spec);
		entry->run = snap->id;
		g_strlcpy(one->ip4, "user", sizeof one->ip4);
		return;
	}
	book_find(core, one->uuid, entry->mac, AF_INET, one->ip4);
	book_find(core, one->uuid, entry->mac, AF_INET6, one->ip6);
	*out = (Forward){ .spec = one->spec };
	g_strlcpy(out->ip4, one->ip4, sizeof out->ip4);
	g_strlcpy(out->ip6, one->ip6, sizeof out->ip6);
	g_strlcpy(out->bridge, bridge_of(snap->live->guest, entry->mac), sizeof out->bridge);
}

/* What is to be known of @entry now; FALSE where it is of the past. Fills @out where it takes a rule. */
static gboolean look_at(Core *core, ForwardEntry *entry, Forward *out)
{
	CoreForward *one = &entry->forward;
	g_autoptr(CoreGuest) guest = core_find_by(core, CORE_BY_UUID, one->uuid, NULL);
	g_autoptr(GuestSnap) snap = guest ? core_guest_snap(guest) : NULL;
	*one->ip4 = *one->ip6 = '\0';
	if (snap && g_strcmp0(one->guest, snap->name)) {
		g_free(one->guest);
		one->guest = g_strdup(snap->name);
	}
	if (snap && snap->live) {
		look_at_running(core, guest, snap, entry, out);
		return TRUE;
	}
	entry->run = -1;
	return snap && (!one->defined || entry->starting);
}

/* Copies to work on. */
static GPtrArray *entries(Core *core)
{
	GPtrArray *copy = g_ptr_array_new_with_free_func(forward_entry_free);
	g_mutex_lock(&core->forwards->lock);
	for (guint i = 0; i < core->forwards->list->len; i++) {
		const ForwardEntry *entry = core->forwards->list->pdata[i];
		ForwardEntry *own = g_memdup2(entry, sizeof *entry);
		own->forward.guest = g_strdup(entry->forward.guest);
		own->mac = g_strdup(entry->mac);
		g_ptr_array_add(copy, own);
	}
	g_mutex_unlock(&core->forwards->lock);
	return copy;
}

static void put_back(Core *core, const ForwardEntry *seen)
{
	g_mutex_lock(&core->forwards->lock);
	for (guint i = 0; i < core->forwards->list->len; i++) {
		ForwardEntry *entry = core->forwards->list->pdata[i];
		if (!forward_same(&entry->forward, &seen->forward))
			continue;
		entry->run = seen->run;
		entry->starting = seen->starting;
		memcpy(entry->forward.ip4, seen->forward.ip4, sizeof entry->forward.ip4);
		memcpy(entry->forward.ip6, seen->forward.ip6, sizeof entry->forward.ip6);
		if (g_strcmp0(entry->forward.guest, seen->forward.guest)) {
			g_free(entry->forward.guest);
			entry->forward.guest = g_strdup(seen->forward.guest);
		}
	}
	g_mutex_unlock(&core->forwards->lock);
}

/* ---- the rules ---- */

char *forwards_mark(Core *core)
{
	return g_build_filename(core->paths->run, "port-forwards", NULL);
}

/* What all entries take, of Forward. Those of the past go. */
static GArray *wanted_rules(Core *core)
{
	g_autoptr(GPtrArray) all = entries(core);
	GArray *rules = g_array_new(FALSE, TRUE, sizeof(Forward));
	gboolean forgotten = FALSE;
	for (guint i = 0; i < all->len; i++) {
		ForwardEntry *entry = all->pdata[i];
		Forward rule = { 0 };
		gboolean stays = look_at(core, entry, &rule);
		if (*rule.ip4 || *rule.ip6)
			g_array_append_val(rules, rule);
		if (stays) {
			put_back(core, entry);
			continue;
		}
		forward_drop(core, &entry->forward);
		forgotten |= !entry->forward.defined;
	}
	if (forgotten)
		forwards_save(core, NULL);
	return rules;
}

/* The mark is there before the table is, and goes after it. */
static gboolean apply(Core *core, const GArray *rules, GError **error)
{
	g_autofree char *mark = forwards_mark(core);
	return (!rules->len || file_write(mark, "", 0, 0600, FILE_CACHE, error)) &&
	       forward_apply((const Forward *)(const void *)rules->data, rules->len, error) &&
	       (rules->len || file_remove(mark, error));
}

gboolean forwards_refresh(Core *core, GError **error)
{
	struct CoreForwards *forwards = core->forwards;
	g_autoptr(GArray) rules = wanted_rules(core);
	const Forward *first = (const Forward *)(const void *)rules->data;
	g_autofree char *script = rules->len ? forward_script(first, rules->len) : NULL;
	gboolean doubted = g_atomic_int_compare_and_exchange(&forwards->doubted, TRUE, FALSE);
	if (!g_strcmp0(script, forwards->applied) && !(doubted && script))
		return TRUE;
	if (!apply(core, rules, error))
		return FALSE;
	g_free(forwards->applied);
	forwards->applied = g_steal_pointer(&script);
	return TRUE;
}

void forwards_doubt(Core *core)
{
	g_atomic_int_set(&core->forwards->doubted, TRUE);
}

void forwards_look(Core *core)
{
	g_autoptr(GError) error = NULL;
	g_mutex_lock(&core->forwards->work);
	add_all_defined(core);
	if ((forwards_any(core) || core->forwards->applied) && !forwards_refresh(core, &error))
		log_warning(NULL, "ports are not forwarded: %s", error->message);
	g_mutex_unlock(&core->forwards->work);
}
