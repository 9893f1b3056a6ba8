/* A network's own bridge: made, addressed, filtered, served by dnsmasq, and removed. Each step is done
 * only where it is not done yet, so that a start, and taking up what a crash left, are the same.
 *
 * The bridge carries the network's uuid as its remark (ip link shows "alias"): so nobody takes a bridge
 * of somebody else's for it. See kind.h. */
#include "base/error.h"
#include "base/log.h"
#include "host/netlink.h"
#include "host/nft.h"
#include "net/firewall.h"
#include "net/floor.h"
#include "net/kind.h"
#include "net/plug.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* One start at a time looks whether subnet and bridge are free, and takes them. */
static GMutex claim_lock;

static char *remark(const Network *live)
{
	return g_strdup_printf("lodge network %s", live->uuid);
}

/* ---- bridge ---- */

static gboolean write_sysctl(const char *path, const char *value)
{
	g_autofree char *has = NULL;
	if (g_file_get_contents(path, &has, NULL, NULL) && g_str_equal(g_strstrip(has), value))
		return TRUE;
	FILE *file = fopen(path, "we");
	if (!file)
		return FALSE;
	gboolean ok = fputs(value, file) >= 0;
	return fclose(file) == 0 && ok;
}

static gboolean has_family(const Network *live, int family)
{
	SHAPE_EACH (NetworkIp, ip, live->ips)
		if ((strchr(ip->address, ':') != NULL) == (family == AF_INET6))
			return TRUE;
	return FALSE;
}

/* The bridge is no client of router advertisements; without an address of ours it has no IPv6. */
static void tune_bridge(const Network *live)
{
	static const char *const off[] = { "accept_ra", "autoconf" };
	for (guint i = 0; i < G_N_ELEMENTS(off); i++) {
		g_autofree char *path =
			g_strdup_printf("/proc/sys/net/ipv6/conf/%s/%s", live->bridge, off[i]);
		write_sysctl(path, "0");
	}
	g_autofree char *path = g_strdup_printf("/proc/sys/net/ipv6/conf/%s/disable_ipv6", live->bridge);
	write_sysctl(path, has_family(live, AF_INET6) ? "0" : "1");
}

/* Routers do not listen to advertisements of other routers, unless told to (accept_ra 2): an interface
 * that lives of them would lose its address. */
static void keep_advertisements(void)
{
	GDir *all = g_dir_open("/proc/sys/net/ipv6/conf", 0, NULL);
	for (const char *name; all && (name = g_dir_read_name(all));) {
		g_autofree char *path = g_strdup_printf("/proc/sys/net/ipv6/conf/%s/accept_ra", name);
		g_autofree char *has = NULL;
		if (g_file_get_contents(path, &has, NULL, NULL) && *has == '1' &&
		    !g_str_equal(name, "all") && !g_str_equal(name, "default"))
			write_sysctl(path, "2");
	}
	if (all)
		g_dir_close(all);
}

static gboolean enable_forwarding(const Net *net, GError **error)
{
	static const char v4[] = "/proc/sys/net/ipv4/ip_forward";
	static const char v6[] = "/proc/sys/net/ipv6/conf/all/forwarding";
	g_autofree char *has = NULL;
	if (!net->kind->forwards)
		return TRUE;
	if (has_family(net->live, AF_INET) && !write_sysctl(v4, "1"))
		return fail(error, LODGE_ERROR_SYSTEM, "the host does not forward IPv4: cannot write %s", v4);
	if (!has_family(net->live, AF_INET6) ||
	    (g_file_get_contents(v6, &has, NULL, NULL) && *has == '1'))
		return TRUE;
	keep_advertisements();
	return write_sysctl(v6, "1") ||
	       fail(error, LODGE_ERROR_SYSTEM, "the host does not forward IPv6: cannot write %s", v6);
}

/* Whether any of its ports may be in a VLAN. */
static gboolean has_vlans(const Network *live)
{
	SHAPE_EACH (PortGroup, group, live->portgroups)
		if (shape_len(group->vlan_tags))
			return TRUE;
	return shape_len(live->vlan_tags) > 0;
}

/* The host, with its addresses, DHCP and names, is where the network's guests are. */
static gboolean join_own_vlan(const Network *live, Netlink *nl, GError **error)
{
	if (shape_len(live->vlan_tags) != 1 || !g_strcmp0(live->vlan_trunk, "yes"))
		return TRUE;
	const VlanTag *tag = live->vlan_tags->pdata[0];
	PortVlan vlan = { .tag = (guint16)opt_uint_or(tag->id, 0), .native = TRUE, .untagged = TRUE };
	return netlink_set_vlans(nl, live->bridge, TRUE, &vlan, 1, error);
}

static gboolean make_bridge(const Network *live, Netlink *nl, GError **error)
{
	guint8 mac[6];
	BridgeOptions options = { .mac = mac_from_text(live->mac, mac) ? mac : NULL,
				  .mtu = (guint)opt_uint_or(live->mtu, 0),
				  .stp = live->stp == TRI_YES,
				  .delay = (guint)opt_uint_or(live->delay, 0),
				  .vlan_filtering = has_vlans(live) ||
						    !g_strcmp0(live->mac_table_manager, "libvirt") };
	g_autofree char *alias = remark(live);
	LinkChange change = { .alias = alias };
	if (!netlink_add_bridge(nl, live->bridge, &options, error))
		return FALSE;
	if (join_own_vlan(live, nl, error) && netlink_change(nl, live->bridge, &change, error))
		return TRUE;
	netlink_delete(nl, live->bridge, NULL);
	return FALSE;
}

/* The bridge is there, and ours; @adopt: one without a remark is, too (a crash came before it). */
static gboolean claim_bridge(const Network *live, Netlink *nl, gboolean adopt, GError **error)
{
	LinkInfo info;
	g_autofree char *alias = remark(live);
	if (!netlink_link(nl, live->bridge, &info, NULL))
		return net_subnets_free(live, error) && make_bridge(live, nl, error);
	LinkChange change = { .alias = alias };
	if (g_str_equal(info.kind, "bridge") && g_str_equal(info.alias, alias))
		return TRUE;
	if (g_str_equal(info.kind, "bridge") && adopt && !*info.alias)
		return netlink_change(nl, live->bridge, &change, error);
	return fail(error, LODGE_ERROR_IN_USE,
		    "there is an interface %s already (%s%s%s): choose another bridge name, or none at all",
		    live->bridge, *info.kind ? info.kind : "hardware", *info.alias ? ", " : "", info.alias);
}

static gboolean set_up(const Network *live, Netlink *nl, GError **error)
{
	LinkChange up = { .up = TRI_YES };
	SHAPE_EACH (NetworkIp, ip, live->ips) {
		Inet inet;
		guint prefix;
		if (!network_ip_read(ip, &inet, &prefix, error) ||
		    !netlink_add_address(nl, live->bridge, &inet, prefix, error))
			return FALSE;
	}
	if (!netlink_change(nl, live->bridge, &up, error))
		return FALSE;
	SHAPE_EACH (InterfaceRoute, route, live->routes) {
		Inet to, gateway;
		guint prefix;
		if (!network_route_read(route, &to, &prefix, &gateway, error) ||
		    !netlink_add_route(nl, live->bridge, &to, prefix, &gateway,
				       (guint)opt_uint_or(route->metric, 0), error))
			return FALSE;
	}
	return TRUE;
}

static gboolean claim(Net *net, gboolean adopt, GError **error)
{
	g_autoptr(Netlink) nl = netlink_open(error);
	if (!nl)
		return FALSE;
	g_mutex_lock(&claim_lock);
	gboolean ok = claim_bridge(net->live, nl, adopt, error);
	if (ok)
		tune_bridge(net->live);
	/* Others see the subnet as soon as it has its address. */
	ok = ok && set_up(net->live, nl, error);
	g_mutex_unlock(&claim_lock);
	return ok;
}

/* ---- all of it ---- */

/* Scripts that are being run while other things are done. */
typedef struct RulesRun {
	char *script; /* NULL: there is nothing to do */
	NftRun *nft;
} RulesRun;

/* Whether this daemon has made the table: whoever removes it then makes a script fail, and is answered with
 * a whole one. */
static gint table_made;

typedef char *(*RulesWriter)(const Rules *rules);

static char *rules_text(const Net *net, const Network *live, RulesWriter write)
{
	Rules rules = { .bridge = live->bridge, .network = live };
	net->kind->rules(live, &rules);
	return write(&rules);
}

/* FALSE on failure; otherwise finish_rules() must follow. */
static gboolean begin_rules(const Net *net, const Network *live, RulesWriter write, RulesRun *run,
			    GError **error)
{
	*run = (RulesRun){ 0 };
	if (!net->kind->rules)
		return TRUE;
	run->script = rules_text(net, live, write);
	gboolean made = g_atomic_int_get(&table_made);
	run->nft = nft_begin(made ? rules_within(run->script) : run->script, error);
	if (!run->nft)
		g_clear_pointer(&run->script, g_free);
	return run->nft != NULL;
}

static gboolean finish_rules(RulesRun *run, GError **error)
{
	g_autofree char *script = g_steal_pointer(&run->script);
	gboolean made = g_atomic_int_get(&table_made);
	if (!script)
		return TRUE;
	gboolean ok = nft_finish(run->nft, made ? NULL : error) || (made && nft_run(script, error));
	if (ok)
		g_atomic_int_set(&table_made, 1);
	return ok;
}

static gboolean run_rules(const Net *net, const Network *live, RulesWriter write, GError **error)
{
	RulesRun run;
	return begin_rules(net, live, write, &run, error) && finish_rules(&run, error);
}

/* Before anything is made: programs, and whether it is this daemon's to do. */
static gboolean may_start(const Net *net, GError **error)
{
	if (geteuid())
		return fail(error, LODGE_ERROR_DENIED,
			    "only root may make bridges: ask the system's daemon (sudo lodge net-start "
			    "%s), or use interfaces of type user", net->live->name);
	if (net->kind->rules && !nft_present())
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "the program nft is missing: install the package nftables");
	return TRUE;
}

/* Of all guests together, as far as they talk to the host and through it. */
static gboolean set_limits(const Network *live, GError **error)
{
	return (!live->inbound && !live->outbound) ||
	       (plug_limits(live->bridge, NULL, live->outbound, error) && floor_begin(live, error));
}

/* Zone, limits and dnsmasq. */
static gboolean serve(Net *net, Notes *notes, GError **error)
{
	if (!firewall_zone(net->live, notes, error) || !set_limits(net->live, error))
		return FALSE;
	if (dnsmasq_wanted(net->live))
		net->dnsmasq = dnsmasq_start(&net->config, net->live, error);
	return net->dnsmasq || !dnsmasq_wanted(net->live);
}

/* nft and dnsmasq work side by side: who is ready first gains nothing, for no guest is there yet. Packets
 * are forwarded only once the rules stand. */
static gboolean furnish(Net *net, Notes *notes, GError **error)
{
	g_autoptr(GError) why = NULL;
	RulesRun rules;
	if (!begin_rules(net, net->live, rules_script, &rules, error))
		return FALSE;
	gboolean served = serve(net, notes, &why);
	if (!finish_rules(&rules, error))
		return FALSE;
	if (!served)
		g_propagate_error(error, g_steal_pointer(&why));
	return served && enable_forwarding(net, error);
}

gboolean own_start(Net *net, gboolean adopt, Notes *notes, GError **error)
{
	if (!may_start(net, error))
		return FALSE;
	g_autoptr(GError) why = NULL;
	gboolean claimed = claim(net, adopt, &why);
	if (claimed && furnish(net, notes, &why))
		return TRUE;
	if (claimed && adopt) { /* guests that run stay connected */
		log_warning(net->live->name, "the network is taken up, but not whole: %s", why->message);
		return TRUE;
	}
	if (claimed)
		own_stop(net, NULL);
	g_propagate_prefixed_error(error, g_steal_pointer(&why), "network \"%s\": ", net->live->name);
	return FALSE;
}

/* Removes bridge and rules, unless the name is somebody else's by now. */
static gboolean remove_bridge(Net *net, GError **error)
{
	LinkInfo info;
	const char *bridge = net->live->bridge;
	g_autofree char *alias = remark(net->live);
	g_autoptr(Netlink) nl = netlink_open(error);
	if (!nl)
		return FALSE;
	gboolean there = netlink_link(nl, bridge, &info, NULL);
	if (there && !g_str_equal(info.alias, alias))
		return TRUE;
	return (!there || netlink_delete(nl, bridge, error)) &&
	       run_rules(net, net->live, rules_removal, error);
}

gboolean own_stop(Net *net, GError **error)
{
	g_autoptr(GError) why = NULL;
	if (net->dnsmasq)
		dnsmasq_stop(g_steal_pointer(&net->dnsmasq), &why);
	else
		dnsmasq_sweep(&net->config, net->live->name);
	if (!remove_bridge(net, why ? NULL : &why)) {
		g_propagate_error(error, g_steal_pointer(&why));
		return FALSE;
	}
	if (why)
		log_warning(net->live->name, "%s", why->message);
	return TRUE;
}

/* Whether what only a new start can change is the same. */
static gboolean same_bridge(const Network *a, const Network *b)
{
	gboolean same = !g_strcmp0(a->bridge, b->bridge) && !g_strcmp0(a->mac, b->mac) &&
			a->stp == b->stp && shape_len(a->ips) == shape_len(b->ips) &&
			network_mode(a) == network_mode(b);
	for (guint i = 0; same && i < shape_len(a->ips); i++) {
		const NetworkIp *one = a->ips->pdata[i], *other = b->ips->pdata[i];
		same = !g_strcmp0(one->address, other->address) &&
		       !g_strcmp0(one->netmask, other->netmask) && one->prefix.v == other->prefix.v;
	}
	return same;
}

/* What is changed is mostly about dnsmasq alone. */
static gboolean same_rules(const Net *net, const Network *live)
{
	if (!net->kind->rules)
		return TRUE;
	g_autofree char *old = rules_text(net, net->live, rules_script);
	g_autofree char *new = rules_text(net, live, rules_script);
	return g_str_equal(old, new);
}

gboolean own_change(Net *net, const Network *live, GError **error)
{
	if (!same_bridge(net->live, live))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "network \"%s\": its bridge and addresses change at the next start only",
			    live->name);
	if (net->dnsmasq && !dnsmasq_change(net->dnsmasq, live, error))
		return FALSE;
	if (!net->dnsmasq && dnsmasq_wanted(live))
		net->dnsmasq = dnsmasq_start(&net->config, live, error);
	if (dnsmasq_wanted(live) && !net->dnsmasq)
		return FALSE;
	return same_rules(net, live) || run_rules(net, live, rules_script, error);
}
