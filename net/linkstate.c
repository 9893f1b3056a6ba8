/* How an interface was: remembered, moved to another, put back. See hostlink.h. */
#include "net/hostlink.h"

#include <jansson.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#define ITEMS_MAX 10000 /* addresses or routes of one interface that a file may hold */

LinkState *linkstate_take(const HostLinks *all, const char *name)
{
	LinkState *state = g_new0(LinkState, 1);
	const LinkInfo *link = hostlinks_find(all, name);
	g_strlcpy(state->name, name, sizeof state->name);
	state->addresses = g_array_new(FALSE, TRUE, sizeof(AddressInfo));
	state->routes = g_array_new(FALSE, TRUE, sizeof(RouteInfo));
	if (!link)
		return state;
	const LinkInfo *master = hostlinks_at(all, link->master);
	state->existed = TRUE;
	state->info = *link;
	g_strlcpy(state->master, master ? master->name : "", sizeof state->master);
	for (guint i = 0; i < all->addresses->len; i++) {
		AddressInfo *a = &g_array_index(all->addresses, AddressInfo, i);
		if (a->index == link->index && a->own)
			g_array_append_val(state->addresses, *a);
	}
	for (guint gateways = 0; gateways < 2; gateways++) /* those that others need first */
		for (guint i = 0; i < all->routes->len; i++) {
			RouteInfo *r = &g_array_index(all->routes, RouteInfo, i);
			if (r->index == link->index && r->protocol != RTPROT_KERNEL &&
			    (r->gateway.family != 0) == (gateways == 1))
				g_array_append_val(state->routes, *r);
		}
	return state;
}

void linkstate_free(LinkState *state)
{
	if (!state)
		return;
	g_array_unref(state->addresses);
	g_array_unref(state->routes);
	g_free(state);
}

static gboolean has_lifetime(const AddressInfo *address)
{
	return address->valid != G_MAXUINT32;
}

gboolean linkstate_clear(Netlink *nl, const LinkState *state, GError **error)
{
	LinkInfo now;
	if (!netlink_link(nl, state->name, &now, NULL))
		return TRUE;
	for (guint i = 0; i < state->routes->len; i++)
		if (!netlink_delete_route(nl, state->name, &g_array_index(state->routes, RouteInfo, i),
					  error))
			return FALSE;
	for (guint i = 0; i < state->addresses->len; i++) {
		const AddressInfo *a = &g_array_index(state->addresses, AddressInfo, i);
		if (!netlink_delete_address(nl, state->name, &a->address, a->prefix, error))
			return FALSE;
	}
	return TRUE;
}

gboolean linkstate_move(Netlink *nl, const LinkState *from, const char *to, gboolean fixed, GError **error)
{
	for (guint i = 0; i < from->addresses->len; i++) {
		const AddressInfo *a = &g_array_index(from->addresses, AddressInfo, i);
		if (!(fixed && has_lifetime(a)) && !netlink_put_address(nl, to, a, error))
			return FALSE;
	}
	if (!linkstate_clear(nl, from, error))
		return FALSE;
	for (guint i = 0; i < from->routes->len; i++) {
		const RouteInfo *r = &g_array_index(from->routes, RouteInfo, i);
		/* what came with a lease comes again with the next */
		gboolean ours = r->protocol == RTPROT_STATIC || r->protocol == RTPROT_BOOT;
		if ((ours || !fixed) && !netlink_put_route(nl, to, r, error))
			return FALSE;
	}
	return TRUE;
}

/* ---- putting back ---- */

static gboolean make_again(Netlink *nl, const LinkState *state, GError **error)
{
	BridgeOptions options = { .mac = state->info.mac,
				  .stp = state->info.stp,
				  .delay = state->info.delay / 100 };
	LinkChange remark = { .alias = state->info.alias };
	return netlink_add_bridge(nl, state->name, &options, error) &&
	       (!*state->info.alias || netlink_change(nl, state->name, &remark, error));
}

gboolean linkstate_restore(Netlink *nl, const LinkState *state, GError **error)
{
	LinkInfo now;
	gboolean there = netlink_link(nl, state->name, &now, NULL);
	if (!state->existed)
		return !there || netlink_delete(nl, state->name, error);
	if (!there && g_str_equal(state->info.kind, "bridge"))
		return make_again(nl, state, error);
	LinkChange change = { .mtu = state->info.mtu };
	if (there && memcmp(now.mac, state->info.mac, sizeof now.mac) != 0)
		change.mac = state->info.mac;
	return !there || (change.mtu == now.mtu && !change.mac) ||
	       netlink_change(nl, state->name, &change, error);
}

gboolean linkstate_restore_master(Netlink *nl, const LinkState *state, GError **error)
{
	LinkInfo now, master;
	if (!state->existed || !netlink_link(nl, state->name, &now, NULL))
		return TRUE;
	LinkChange change = { .up = state->info.up ? TRI_YES : TRI_NO };
	if (*state->master && netlink_link(nl, state->master, &master, NULL) && master.index != now.master)
		change.master = state->master;
	else if (!*state->master && now.master)
		change.master = "";
	return netlink_change(nl, state->name, &change, error);
}

static gboolean had(const LinkState *state, const AddressInfo *address)
{
	for (guint i = 0; i < state->addresses->len; i++) {
		const AddressInfo *a = &g_array_index(state->addresses, AddressInfo, i);
		if (!inet_compare(&a->address, &address->address) && a->prefix == address->prefix)
			return TRUE;
	}
	return FALSE;
}

gboolean linkstate_restore_addresses(Netlink *nl, const LinkState *state, GError **error)
{
	LinkInfo now;
	if (!state->existed || !netlink_link(nl, state->name, &now, NULL))
		return TRUE;
	g_autoptr(GArray) addresses = netlink_addresses(nl, error);
	for (guint i = 0; addresses && i < addresses->len; i++) {
		const AddressInfo *a = &g_array_index(addresses, AddressInfo, i);
		if (a->index == now.index && a->own && !has_lifetime(a) && !had(state, a) &&
		    !netlink_delete_address(nl, state->name, &a->address, a->prefix, error))
			return FALSE;
	}
	for (guint i = 0; addresses && i < state->addresses->len; i++)
		if (!netlink_put_address(nl, state->name, &g_array_index(state->addresses, AddressInfo, i),
					 error))
			return FALSE;
	for (guint i = 0; addresses && state->info.up && i < state->routes->len; i++)
		if (!netlink_put_route(nl, state->name, &g_array_index(state->routes, RouteInfo, i), error))
			return FALSE;
	return addresses != NULL;
}

/* ---- in a file ---- */

static json_t *inet_json(const Inet *inet)
{
	char text[INET_TEXT];
	return inet->family ? json_string(inet_to_text(inet, text)) : json_string("");
}

static gboolean inet_of(json_t *item, const char *key, Inet *inet)
{
	const char *text = json_string_value(json_object_get(item, key));
	*inet = (Inet){ 0 };
	return text && (!*text || inet_from_text(text, AF_UNSPEC, inet, NULL));
}

json_t *linkstate_to_json(const LinkState *state)
{
	const LinkInfo *info = &state->info;
	char mac[18];
	json_t *addresses = json_array(), *routes = json_array();
	g_snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", info->mac[0], info->mac[1],
		   info->mac[2], info->mac[3], info->mac[4], info->mac[5]);
	for (guint i = 0; i < state->addresses->len; i++) {
		const AddressInfo *a = &g_array_index(state->addresses, AddressInfo, i);
		json_array_append_new(addresses,
				      json_pack("{s:o, s:o, s:i, s:I, s:I}", "address",
						inet_json(&a->address), "broadcast", inet_json(&a->broadcast),
						"prefix", (int)a->prefix, "valid", (json_int_t)a->valid,
						"preferred", (json_int_t)a->preferred));
	}
	for (guint i = 0; i < state->routes->len; i++) {
		const RouteInfo *r = &g_array_index(state->routes, RouteInfo, i);
		json_array_append_new(routes, json_pack("{s:o, s:i, s:o, s:o, s:I, s:i, s:i, s:i}", "to",
							inet_json(&r->to), "prefix", (int)r->prefix,
							"gateway", inet_json(&r->gateway), "source",
							inet_json(&r->source), "metric",
							(json_int_t)r->metric, "protocol", (int)r->protocol,
							"scope", (int)r->scope, "flags", (int)r->flags));
	}
	return json_pack("{s:s, s:b, s:s, s:s, s:s, s:i, s:b, s:b, s:i, s:s, s:o, s:o}", "name",
			 state->name, "existed", state->existed, "master", state->master, "kind",
			 info->kind, "mac", mac, "mtu", (int)info->mtu, "up", info->up, "stp", info->stp,
			 "delay", (int)info->delay, "remark", info->alias, "addresses", addresses, "routes",
			 routes);
}

static guint number(json_t *item, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(item, key));
	return n >= 0 && n <= G_MAXUINT32 ? (guint)n : 0;
}

static gboolean read_addresses(LinkState *state, json_t *list)
{
	for (size_t i = 0; i < json_array_size(list) && i < ITEMS_MAX; i++) {
		json_t *item = json_array_get(list, i);
		AddressInfo a = { .own = TRUE,
				  .prefix = number(item, "prefix"),
				  .valid = number(item, "valid"),
				  .preferred = number(item, "preferred") };
		if (!inet_of(item, "address", &a.address) || !inet_of(item, "broadcast", &a.broadcast) ||
		    !a.address.family || a.prefix > inet_bits(&a.address))
			return FALSE;
		g_array_append_val(state->addresses, a);
	}
	return TRUE;
}

static gboolean read_routes(LinkState *state, json_t *list)
{
	for (size_t i = 0; i < json_array_size(list) && i < ITEMS_MAX; i++) {
		json_t *item = json_array_get(list, i);
		RouteInfo r = { .prefix = number(item, "prefix"),
				.metric = number(item, "metric"),
				.protocol = number(item, "protocol"),
				.scope = number(item, "scope"),
				.flags = number(item, "flags") };
		if (!inet_of(item, "to", &r.to) || !inet_of(item, "gateway", &r.gateway) ||
		    !inet_of(item, "source", &r.source))
			return FALSE;
		r.to.family = r.to.family ? r.to.family : r.gateway.family;
		if (!r.to.family || r.prefix > inet_bits(&r.to))
			return FALSE;
		g_array_append_val(state->routes, r);
	}
	return TRUE;
}

static void copy_text(json_t *item, const char *key, char *to, gsize room)
{
	const char *text = json_string_value(json_object_get(item, key));
	g_strlcpy(to, text ? text : "", room);
}

LinkState *linkstate_from_json(json_t *json)
{
	LinkState *state = g_new0(LinkState, 1);
	char mac[32];
	state->addresses = g_array_new(FALSE, TRUE, sizeof(AddressInfo));
	state->routes = g_array_new(FALSE, TRUE, sizeof(RouteInfo));
	copy_text(json, "name", state->name, sizeof state->name);
	copy_text(json, "master", state->master, sizeof state->master);
	copy_text(json, "kind", state->info.kind, sizeof state->info.kind);
	copy_text(json, "remark", state->info.alias, sizeof state->info.alias);
	copy_text(json, "mac", mac, sizeof mac);
	state->existed = json_is_true(json_object_get(json, "existed"));
	state->info.up = json_is_true(json_object_get(json, "up"));
	state->info.stp = json_is_true(json_object_get(json, "stp"));
	state->info.mtu = number(json, "mtu");
	state->info.delay = number(json, "delay");
	if (hostif_name_ok(state->name, NULL) && mac_from_text(mac, state->info.mac) &&
	    read_addresses(state, json_object_get(json, "addresses")) &&
	    read_routes(state, json_object_get(json, "routes")))
		return state;
	linkstate_free(state);
	return NULL;
}
