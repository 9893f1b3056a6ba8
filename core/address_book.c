/* See address_book.h. */
#include "core/address_book.h"

#include <glib-unix.h>
#include <linux/neighbour.h>
#include <jansson.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "core/addresses.h"
#include "core/forwards.h"
#include "core/internal.h"
#include "core/network_internal.h"
#include "host/file.h"
#include "host/netlink.h"
#include "net/plug.h"

#define SOON_MS 100	 /* what happens together is one look */
#define APART_MS 1000	 /* between two looks */
#define AGAIN_SECONDS 10 /* a look at what nobody tells of: leases that ended, rules that failed */
#define GUEST_MAX 256	 /* addresses of one guest that are kept */
#define RELEASED_MAX 4096

typedef struct Known {
	char *guest, *dev, *mac;
	char uuid[37];
	char ip[INET_TEXT];
	gboolean ipv6, by_lease;
} Known;

/* What one look found; not changed after it. */
typedef struct Page {
	GPtrArray *all;	     /* Known, owned */
	GHashTable *by_pair; /* "UUID IP" -> Known */
	GHashTable *by_uuid; /* UUID -> GPtrArray of Known */
} Page;

struct CoreBook {
	GMutex lock;
	Page *known; /* replaced as a whole; under lock */
	char *names;	  /* what the file has; of the look */
	GHashTable *released; /* "MAC IP" of leases that ended; of the look */
	gint looking;	  /* atomic: a look is under way */
	gint again;	  /* atomic: something happened meanwhile */
	gint watching;	  /* atomic: there is a guest whose addresses may change */
	/* main */
	gboolean open;
	guint subscription, timer, soon, sources[2];
	int fds[2]; /* inotify, netlink */
	gint64 last;
};

static void known_free(gpointer data)
{
	Known *one = data;
	g_free(one->guest);
	g_free(one->dev);
	g_free(one->mac);
	g_free(one);
}

static Page *page_new(void)
{
	Page *page = g_new(Page, 1);
	*page = (Page){ g_ptr_array_new_with_free_func(known_free),
			g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
			g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
					      (GDestroyNotify)g_ptr_array_unref) };
	return page;
}

static void page_free(Page *page)
{
	if (!page)
		return;
	g_hash_table_unref(page->by_uuid);
	g_hash_table_unref(page->by_pair);
	g_ptr_array_unref(page->all);
	g_free(page);
}

static char *pair_of(const char *owner, const char *ip)
{
	return g_strconcat(owner, " ", ip, NULL);
}

/* Takes @one; an address that the guest has already counts once. */
static void page_add(Page *page, Known *one)
{
	g_autofree char *pair = pair_of(one->uuid, one->ip);
	GPtrArray *own = g_hash_table_lookup(page->by_uuid, one->uuid);
	if ((own && own->len >= GUEST_MAX) || g_hash_table_contains(page->by_pair, pair)) {
		known_free(one);
		return;
	}
	if (!own) {
		own = g_ptr_array_new();
		g_hash_table_insert(page->by_uuid, one->uuid, own);
	}
	g_ptr_array_add(own, one);
	g_ptr_array_add(page->all, one);
	g_hash_table_insert(page->by_pair, g_steal_pointer(&pair), one);
}

/* ---- a look: a pool thread ---- */

/* Fills a table of interfaces on this host: MAC -> snapshot. */
static GHashTable *by_mac(const GPtrArray *snaps)
{
	GHashTable *table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (guint i = 0; i < snaps->len; i++) {
		GuestSnap *snap = snaps->pdata[i];
		SHAPE_EACH (Interface, interface, snap->live ? snap->live->guest->interfaces : NULL)
			if (interface->mac && interface->target)
				g_hash_table_insert(table, g_ascii_strdown(interface->mac, -1), snap);
	}
	return table;
}

static const char *dev_of(const GuestSnap *snap, const char *mac)
{
	SHAPE_EACH (Interface, interface, snap->live->guest->interfaces)
		if (interface->mac && !g_ascii_strcasecmp(interface->mac, mac))
			return interface->target;
	return NULL;
}

static void note(GHashTable *macs, const char *mac, const char *ip, gboolean ipv6, gboolean by_lease,
		 Page *page)
{
	g_autofree char *key = mac ? g_ascii_strdown(mac, -1) : NULL;
	const GuestSnap *snap = key ? g_hash_table_lookup(macs, key) : NULL;
	if (!snap)
		return;
	Known *one = g_new0(Known, 1);
	*one = (Known){ .guest = g_strdup(snap->name), .dev = g_strdup(dev_of(snap, key)),
			.mac = g_steal_pointer(&key), .ipv6 = ipv6, .by_lease = by_lease };
	g_strlcpy(one->uuid, snap->uuid, sizeof one->uuid);
	g_strlcpy(one->ip, ip, sizeof one->ip);
	page_add(page, one);
}

static void note_leases(Core *core, GHashTable *macs, Page *page)
{
	g_autoptr(GPtrArray) networks =
		core->objects[CORE_NETWORK] ? core_object_all(core, CORE_NETWORK) : g_ptr_array_new();
	gint64 now = g_get_real_time() / G_USEC_PER_SEC;
	for (guint i = 0; i < networks->len; i++) {
		g_autoptr(ObjectSnap) snap = core_object_snap(networks->pdata[i]);
		g_autoptr(GPtrArray) leases = snap->live ? core_network_leases(networks->pdata[i]) : NULL;
		for (guint k = 0; leases && k < leases->len; k++) {
			const DhcpLease *lease = leases->pdata[k];
			if (lease->expiry == LEASE_NEVER || lease->expiry > now)
				note(macs, lease->mac, lease->ip, lease->v6, TRUE, page);
		}
	}
}

/* Those whose state is in @states, without those in @released (NULL: none). */
static void note_states(const GArray *all, guint states, GHashTable *macs, GHashTable *released,
			Page *page)
{
	for (guint i = 0; i < all->len; i++) {
		const NeighbourInfo *one = &g_array_index(all, NeighbourInfo, i);
		const guint8 *m = one->mac;
		gboolean ipv6 = one->address.family == AF_INET6;
		char ip[INET_TEXT], mac[18];
		g_snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4],
			   m[5]);
		inet_to_text(&one->address, ip);
		g_autofree char *pair = pair_of(mac, ip);
		if ((one->state & states) && !(ipv6 && g_str_has_prefix(ip, "fe80:")) &&
		    !(released && g_hash_table_contains(released, pair)))
			note(macs, mac, ip, ipv6, FALSE, page);
	}
}

/* What answers comes first. An entry that only lies there counts, too, unless it is of a lease that ended:
 * the kernel keeps those for long. */
static void note_neighbours(GHashTable *macs, GHashTable *released, Page *page)
{
	g_autoptr(Netlink) nl = netlink_open(NULL);
	g_autoptr(GArray) all = nl ? netlink_neighbours(nl, NULL) : NULL;
	if (!all)
		return;
	note_states(all, NUD_REACHABLE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT, macs, NULL, page);
	note_states(all, NUD_STALE, macs, released, page);
}

/* Leases that were in @old and are in @page, which has leases alone so far, no more. */
static void note_released(GHashTable *released, const Page *old, const Page *page)
{
	if (g_hash_table_size(released) > RELEASED_MAX)
		g_hash_table_remove_all(released);
	for (guint i = 0; old && i < old->all->len; i++) {
		const Known *one = old->all->pdata[i];
		if (one->by_lease)
			g_hash_table_add(released, pair_of(one->mac, one->ip));
	}
	for (guint i = 0; i < page->all->len; i++) {
		const Known *one = page->all->pdata[i];
		g_autofree char *pair = pair_of(one->mac, one->ip);
		g_hash_table_remove(released, pair);
	}
}

/* ---- what changed ---- */

static void tell(Core *core, const Known *one, const char *what)
{
	json_t *json = json_pack("{s:s?, s:s, s:s, s:s}", "interface", one->dev, "mac", one->mac, "address",
				 one->ip, "family", one->ipv6 ? "ipv6" : "ipv4");
	CoreEvent *event = g_new0(CoreEvent, 1);
	g_autofree char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	*event = (CoreEvent){ .kind = "address", .event = what, .detail = one->by_lease ? "lease" : "arp",
			      .guest = g_strdup(one->guest), .id = -1, .time = g_get_real_time(),
			      .json = g_strdup(text) };
	g_strlcpy(event->uuid, one->uuid, sizeof event->uuid);
	g_autoptr(CoreGuest) guest = core_find_by(core, CORE_BY_UUID, one->uuid, NULL);
	g_autoptr(GuestSnap) snap = guest ? core_guest_snap(guest) : NULL;
	event->id = snap ? snap->id : -1;
	json_decref(json);
	core_publish(core, event);
}

/* Those of @a that @b has not. */
static void tell_differences(Core *core, const Page *a, const Page *b, const char *what)
{
	for (guint i = 0; a && i < a->all->len; i++) {
		const Known *one = a->all->pdata[i];
		g_autofree char *pair = pair_of(one->uuid, one->ip);
		if (!b || !g_hash_table_contains(b->by_pair, pair))
			tell(core, one, what);
	}
}

/* A neighbour that the kernel forgot for want of room or use still has its address, as far as anybody knows:
 * unless it is of another by now, or the interface has another of that family. */
static void keep_forgotten(const Page *old, GHashTable *macs, Page *page)
{
	g_autoptr(GHashTable) ips = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GHashTable) with4 = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GHashTable) with6 = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; i < page->all->len; i++) {
		Known *one = page->all->pdata[i];
		g_hash_table_add(ips, one->ip);
		g_hash_table_add(one->ipv6 ? with6 : with4, one->mac);
	}
	for (guint i = 0; old && i < old->all->len; i++) {
		const Known *one = old->all->pdata[i];
		if (!one->by_lease && !g_hash_table_contains(ips, one->ip) &&
		    !g_hash_table_contains(one->ipv6 ? with6 : with4, one->mac))
			note(macs, one->mac, one->ip, one->ipv6, FALSE, page);
	}
}

/* ---- the file of names ---- */

/* Whether a resolver would ask for it: letters, digits, hyphens, dots between. */
static gboolean is_host_name(const char *name)
{
	gsize length = strlen(name);
	for (const char *c = name; *c; c++)
		if (!g_ascii_isalnum(*c) && *c != '-' && !(*c == '.' && c > name && c[-1] != '.' && c[1]))
			return FALSE;
	return length > 0 && length <= 240 && *name != '-' && name[length - 1] != '-';
}

static void write_names(Core *core, const GPtrArray *all)
{
	g_autoptr(GString) text = g_string_new("# Written by lodge: addresses of guests, for nss_lodge.\n");
	g_autofree char *path = g_build_filename(core->paths->run, "names", NULL);
	g_autoptr(GError) error = NULL;
	for (guint i = 0; i < all->len; i++) {
		const Known *one = all->pdata[i];
		g_autofree char *name = g_ascii_strdown(one->guest, -1);
		if (is_host_name(name))
			g_string_append_printf(text, "%s %s.lodge\n", one->ip, name);
	}
	/* one of a daemon before may have names of guests that are no more */
	gboolean none = !all->len && !core->book->names && !g_file_test(path, G_FILE_TEST_EXISTS);
	if (none || !g_strcmp0(text->str, core->book->names))
		return;
	if (!file_write(path, text->str, text->len, 0644, FILE_CACHE, &error)) {
		log_warning(NULL, "%s", error->message);
		return;
	}
	g_free(core->book->names);
	core->book->names = g_string_free(g_steal_pointer(&text), FALSE);
}

static void look_done(gpointer data);

static void look(gpointer data)
{
	Core *core = data;
	struct CoreBook *book = core->book;
	g_autoptr(GPtrArray) snaps = core_list(core, CORE_LIST_ACTIVE);
	g_autoptr(GHashTable) macs = by_mac(snaps);
	Page *known = page_new();
	gboolean any = g_hash_table_size(macs) > 0;
	g_atomic_int_set(&book->watching, any);
	if (any) {
		note_leases(core, macs, known);
		note_released(book->released, book->known, known);
		note_neighbours(macs, book->released, known);
		keep_forgotten(book->known, macs, known);
	}
	g_mutex_lock(&book->lock);
	Page *old = book->known;
	book->known = known; /* changed by this thread alone: the next look comes after this one */
	g_mutex_unlock(&book->lock);
	write_names(core, known->all);
	tell_differences(core, old, known, "removed");
	tell_differences(core, known, old, "added");
	page_free(old);
	forwards_look(core);
	lane_to_main(look_done, core);
}

/* ---- when: main ---- */

static void plan(Core *core);

static gboolean on_told(int fd, G_GNUC_UNUSED GIOCondition condition, gpointer data)
{
	Core *core = data;
	struct CoreBook *book = core->book;
	book->sources[fd == book->fds[0] ? 0 : 1] = 0;
	plan(core);
	return G_SOURCE_REMOVE; /* until the look: it empties the socket first */
}

static void listen_again(Core *core)
{
	struct CoreBook *book = core->book;
	for (guint i = 0; i < G_N_ELEMENTS(book->fds); i++) {
		gboolean wanted = book->open && g_atomic_int_get(&book->watching) && book->fds[i] >= 0;
		if (wanted && !book->sources[i])
			book->sources[i] = g_unix_fd_add(book->fds[i], G_IO_IN, on_told, core);
		else if (!wanted)
			g_clear_handle_id(&book->sources[i], g_source_remove);
	}
}

static void drain(int fd)
{
	char dropped[16384];
	for (guint i = 0; fd >= 0 && i < 64; i++)
		if (read(fd, dropped, sizeof dropped) <= 0 && errno != ENOBUFS)
			return;
}

static gboolean on_soon(gpointer data)
{
	Core *core = data;
	struct CoreBook *book = core->book;
	book->soon = 0;
	book->last = g_get_monotonic_time();
	for (guint i = 0; i < G_N_ELEMENTS(book->fds); i++)
		drain(book->fds[i]);
	g_atomic_int_set(&book->looking, TRUE);
	g_atomic_int_inc(&core->refs);
	lane_beside(look, core);
	return G_SOURCE_REMOVE;
}

static void plan(Core *core)
{
	struct CoreBook *book = core->book;
	gint64 since = (g_get_monotonic_time() - book->last) / 1000;
	if (!book->open || book->soon)
		return;
	if (g_atomic_int_get(&book->looking)) {
		g_atomic_int_set(&book->again, TRUE);
		return;
	}
	gint64 wait = book->last ? APART_MS - since : SOON_MS;
	book->soon = g_timeout_add((guint)CLAMP(wait, SOON_MS, APART_MS), on_soon, core);
}

static void look_done(gpointer data)
{
	Core *core = data;
	struct CoreBook *book = core->book;
	g_atomic_int_set(&book->looking, FALSE);
	listen_again(core);
	if (g_atomic_int_compare_and_exchange(&book->again, TRUE, FALSE))
		plan(core);
	core_unref(core);
}

static void poke(gpointer data)
{
	plan(data);
	core_unref(data);
}

void book_poke(Core *core)
{
	g_atomic_int_inc(&core->refs);
	lane_to_main(poke, core);
}

static void on_event(const CoreEvent *event, gpointer data)
{
	gboolean network = g_str_equal(event->kind, "network-lifecycle");
	if (network) /* whoever starts one anew may mend what a flush of all rules took away */
		forwards_doubt(data);
	if (network || g_str_equal(event->kind, "lifecycle"))
		plan(data);
}

static gboolean on_timer(gpointer data)
{
	Core *core = data;
	if (g_atomic_int_get(&core->book->watching) || forwards_any(core))
		plan(core);
	return G_SOURCE_CONTINUE;
}

/* ---- with the daemon ---- */

void book_begin(Core *core)
{
	struct CoreBook *book = core->book = g_new0(struct CoreBook, 1);
	NetConfig config = network_config(core);
	const char *why;
	gboolean can = plug_possible(&why);
	g_mutex_init(&book->lock);
	book->released = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	book->open = TRUE;
	book->fds[0] = can ? inotify_init1(IN_CLOEXEC | IN_NONBLOCK) : -1;
	book->fds[1] = can ? netlink_watch_neighbours(NULL) : -1;
	if (book->fds[0] >= 0 &&
	    inotify_add_watch(book->fds[0], config.lib, IN_CLOSE_WRITE | IN_MODIFY | IN_MOVED_TO) < 0)
		fd_clear(&book->fds[0]);
	book->subscription = core_subscribe(core, on_event, core);
	book->timer = g_timeout_add_seconds(AGAIN_SECONDS, on_timer, core);
	plan(core);
}

gboolean book_find(Core *core, const char *uuid, const char *mac, int family, char *text)
{
	gboolean found = FALSE;
	g_mutex_lock(&core->book->lock);
	const Page *page = core->book->known;
	const GPtrArray *own = page ? g_hash_table_lookup(page->by_uuid, uuid) : NULL;
	for (guint i = 0; own && i < own->len && !found; i++) {
		const Known *one = own->pdata[i];
		found = one->ipv6 == (family == AF_INET6) && (!mac || !g_ascii_strcasecmp(mac, one->mac));
		if (found)
			g_strlcpy(text, one->ip, INET_TEXT);
	}
	g_mutex_unlock(&core->book->lock);
	return found;
}

void book_close(Core *core)
{
	struct CoreBook *book = core->book;
	if (!book)
		return;
	book->open = FALSE;
	core_unsubscribe(core, book->subscription);
	g_clear_handle_id(&book->timer, g_source_remove);
	g_clear_handle_id(&book->soon, g_source_remove);
	listen_again(core);
}

void book_free(Core *core)
{
	struct CoreBook *book = core->book;
	if (!book)
		return;
	for (guint i = 0; i < G_N_ELEMENTS(book->fds); i++)
		fd_clear(&book->fds[i]);
	g_clear_pointer(&book->known, page_free);
	g_hash_table_unref(book->released);
	g_mutex_clear(&book->lock);
	g_free(book->names);
	g_free(book);
}
