/* net-update: adds, changes or removes one element of a network. One row per section says what the
 * element is, where the list of them is, and when two of them are the same. See network.h. */
#include "base/error.h"
#include "model/network.h"

#include <string.h>

const EnumTable network_commands = ENUM_TABLE("command", "modify", "delete", "add-last", "add-first");
const EnumTable network_sections =
	ENUM_TABLE("section", "bridge", "domain", "ip", "ip-dhcp-host", "ip-dhcp-range", "forward",
		   "forward-interface", "forward-pf", "portgroup", "dns-host", "dns-txt", "dns-srv");

/* ---- when two elements are the same ---- */

/* Both say it, and the same. */
static gboolean same(const char *a, const char *b)
{
	return a && b && g_ascii_strcasecmp(a, b) == 0;
}

/* @wanted says nothing, or the same. */
static gboolean fits(const char *has, const char *wanted)
{
	return !wanted || same(has, wanted);
}

static gboolean fits_number(OptUint has, OptUint wanted)
{
	return !wanted.set || (has.set && has.v == wanted.v);
}

static gboolean host_clashes(gconstpointer a, gconstpointer b)
{
	const DhcpHost *has = a, *new = b;
	return same(has->mac, new->mac) || same(has->id, new->id) || same(has->ip, new->ip) ||
	       (same(has->name, new->name) && !has->id == !new->id);
}

/* Which one a modification means. Where none is, the one that has the address is: then a guest got another
 * card. The name alone is no better word than that. */
static gboolean host_means(gconstpointer a, gconstpointer b)
{
	const DhcpHost *has = a, *new = b;
	if (new->mac || new->id)
		return same(has->mac, new->mac) || same(has->id, new->id);
	return same(has->name, new->name);
}

static gboolean host_has_address(gconstpointer a, gconstpointer b)
{
	return same(((const DhcpHost *)a)->ip, ((const DhcpHost *)b)->ip);
}

static gboolean host_fits(gconstpointer a, gconstpointer b)
{
	const DhcpHost *has = a, *wanted = b;
	return fits(has->mac, wanted->mac) && fits(has->id, wanted->id) &&
	       fits(has->name, wanted->name) && fits(has->ip, wanted->ip);
}

static gboolean range_same(gconstpointer a, gconstpointer b)
{
	const DhcpRange *has = a, *new = b;
	return same(has->start, new->start) && same(has->end, new->end);
}

static gboolean interface_same(gconstpointer a, gconstpointer b)
{
	return !g_strcmp0(((const ForwardInterface *)a)->dev, ((const ForwardInterface *)b)->dev);
}

static gboolean portgroup_same(gconstpointer a, gconstpointer b)
{
	return !g_strcmp0(((const PortGroup *)a)->name, ((const PortGroup *)b)->name);
}

static gboolean has_name(const DnsHost *host, const char *name)
{
	for (guint i = 0; i < shape_len(host->names); i++)
		if (same(host->names->pdata[i], name))
			return TRUE;
	return FALSE;
}

static gboolean dns_host_clashes(gconstpointer a, gconstpointer b)
{
	const DnsHost *has = a, *new = b;
	for (guint i = 0; i < shape_len(new->names); i++)
		if (has_name(has, new->names->pdata[i]))
			return TRUE;
	return same(has->ip, new->ip);
}

static gboolean dns_host_fits(gconstpointer a, gconstpointer b)
{
	const DnsHost *has = a, *wanted = b;
	for (guint i = 0; i < shape_len(wanted->names); i++)
		if (!has_name(has, wanted->names->pdata[i]))
			return FALSE;
	return fits(has->ip, wanted->ip);
}

static gboolean txt_same(gconstpointer a, gconstpointer b)
{
	return same(((const DnsTxt *)a)->name, ((const DnsTxt *)b)->name);
}

static gboolean srv_fits(gconstpointer a, gconstpointer b)
{
	const DnsSrv *has = a, *wanted = b;
	return fits(has->service, wanted->service) && fits(has->protocol, wanted->protocol) &&
	       fits(has->domain, wanted->domain) && fits(has->target, wanted->target) &&
	       fits_number(has->port, wanted->port) && fits_number(has->priority, wanted->priority) &&
	       fits_number(has->weight, wanted->weight);
}

static gboolean srv_same(gconstpointer a, gconstpointer b)
{
	return srv_fits(a, b) && srv_fits(b, a);
}

/* ---- sections ---- */

typedef struct Section {
	const char *element;
	const Shape *shape; /* NULL: cannot be changed alone */
	gboolean (*clashes)(gconstpointer has, gconstpointer new);   /* may not be added beside it */
	gboolean (*fits)(gconstpointer has, gconstpointer wanted);   /* is the one to be deleted */
	gboolean (*means)(gconstpointer has, gconstpointer new);     /* is changed; NULL: never */
	gboolean (*means_else)(gconstpointer has, gconstpointer new); /* ... where none of those is */
} Section;

static const Section sections[] = {
	[NETWORK_SECTION_BRIDGE] = { "bridge" },
	[NETWORK_SECTION_DOMAIN] = { "domain" },
	[NETWORK_SECTION_IP] = { "ip" },
	[NETWORK_SECTION_IP_DHCP_HOST] = { "host", &dhcp_host_shape, host_clashes, host_fits,
					   host_means, host_has_address },
	[NETWORK_SECTION_IP_DHCP_RANGE] = { "range", &dhcp_range_shape, range_same, range_same },
	[NETWORK_SECTION_FORWARD] = { "forward" },
	[NETWORK_SECTION_FORWARD_INTERFACE] = { "interface", &forward_interface_shape, interface_same,
						interface_same },
	[NETWORK_SECTION_FORWARD_PF] = { "pf" },
	[NETWORK_SECTION_PORTGROUP] = { "portgroup", &port_group_shape, portgroup_same, portgroup_same,
					portgroup_same },
	[NETWORK_SECTION_DNS_HOST] = { "host", &dns_host_shape, dns_host_clashes, dns_host_fits },
	[NETWORK_SECTION_DNS_TXT] = { "txt", &dns_txt_shape, txt_same, txt_same },
	[NETWORK_SECTION_DNS_SRV] = { "srv", &dns_srv_shape, srv_same, srv_fits },
};

static gboolean is_v6(const NetworkIp *ip)
{
	return ip->address && strchr(ip->address, ':') != NULL;
}

/* The <ip> with the number @parent or, with -1, the one that has DHCP, or the first, of the family. */
static NetworkIp *find_ip(Network *network, int parent, gboolean v6, GError **error)
{
	NetworkIp *first = NULL;
	if (parent >= 0) {
		if ((guint)parent < shape_len(network->ips))
			return network->ips->pdata[parent];
		fail(error, LODGE_ERROR_STATE, "network \"%s\" has no <ip> with the index %d: %u of them",
		     network->name, parent, shape_len(network->ips));
		return NULL;
	}
	SHAPE_EACH (NetworkIp, ip, network->ips) {
		if (is_v6(ip) != v6)
			continue;
		if (shape_len(ip->ranges) || shape_len(ip->hosts))
			return ip;
		first = first ? first : ip;
	}
	if (!first)
		fail(error, LODGE_ERROR_STATE, "network \"%s\" has no <ip> of family IPv%d",
		     network->name, v6 ? 6 : 4);
	return first;
}

/* The list that @section is about, where the network can have one. */
static GPtrArray **find_list(Network *network, NetworkSection section, int parent, gpointer item,
			     GError **error)
{
	const DhcpHost *host = item;
	const DhcpRange *range = item;
	NetworkIp *ip;
	switch (section) {
	case NETWORK_SECTION_IP_DHCP_HOST:
		ip = find_ip(network, parent, host->id || (host->ip && strchr(host->ip, ':')), error);
		return ip ? &ip->hosts : NULL;
	case NETWORK_SECTION_IP_DHCP_RANGE:
		ip = find_ip(network, parent, range->start && strchr(range->start, ':'), error);
		return ip ? &ip->ranges : NULL;
	case NETWORK_SECTION_PORTGROUP:
		return &network->portgroups;
	case NETWORK_SECTION_FORWARD_INTERFACE:
		if (network->forward)
			return &network->forward->interfaces;
		fail(error, LODGE_ERROR_STATE, "network \"%s\" is isolated: it forwards to no interface",
		     network->name);
		return NULL;
	default:
		if (!network->dns)
			network->dns = g_new0(NetworkDns, 1);
		return section == NETWORK_SECTION_DNS_HOST  ? &network->dns->hosts
		       : section == NETWORK_SECTION_DNS_TXT ? &network->dns->txts
							    : &network->dns->srvs;
	}
}

/* The place of the only one that @like says is it; -1: none, -2: several. */
static int find_one(const GPtrArray *list, gboolean (*like)(gconstpointer, gconstpointer),
		    gconstpointer item)
{
	int found = -1;
	for (guint i = 0; i < shape_len(list); i++)
		if (like(list->pdata[i], item))
			found = found == -1 ? (int)i : -2;
	return found;
}

static gboolean add(GPtrArray **list, const Section *section, gboolean first, gpointer item,
		    const char *where, GError **error)
{
	if (find_one(*list, section->clashes, item) != -1)
		return fail(error, LODGE_ERROR_STATE,
			    "%s has a <%s> like this one already", where, section->element);
	shape_append(list, section->shape, shape_copy(section->shape, item));
	if (first) {
		gpointer last = g_ptr_array_steal_index(*list, (*list)->len - 1);
		g_ptr_array_insert(*list, 0, last);
	}
	return TRUE;
}

static gboolean missing(int at, const Section *section, const char *where, GError **error)
{
	return fail(error, LODGE_ERROR_STATE,
		    at == -1 ? "%s has no such <%s>" : "%s has several <%s> like this: say more of it",
		    where, section->element);
}

static gboolean remove_one(GPtrArray **list, const Section *section, gconstpointer item,
			   const char *where, GError **error)
{
	int at = find_one(*list, section->fits, item);
	if (section->shape == &dns_host_shape && !((const DnsHost *)item)->ip &&
	    !shape_len(((const DnsHost *)item)->names))
		return fail(error, LODGE_ERROR_INVALID, "dns host: say its ip or a <hostname>");
	if (at < 0)
		return missing(at, section, where, error);
	if (section->shape == &forward_interface_shape) {
		const ForwardInterface *used = (*list)->pdata[at];
		if (opt_uint_or(used->connections, 0))
			return fail(error, LODGE_ERROR_IN_USE,
				    "%s: interface %s is used by %" G_GUINT64_FORMAT " guests", where,
				    used->dev, used->connections.v);
	}
	shape_free(section->shape, g_ptr_array_remove_index(*list, (guint)at));
	if (!(*list)->len)
		g_clear_pointer(list, g_ptr_array_unref);
	return TRUE;
}

static gboolean modify(GPtrArray **list, const Section *section, gconstpointer item, const char *where,
		       GError **error)
{
	int at = find_one(*list, section->means, item);
	if (at == -1 && section->means_else)
		at = find_one(*list, section->means_else, item);
	if (at < 0)
		return missing(at, section, where, error);
	shape_free(section->shape, (*list)->pdata[at]);
	(*list)->pdata[at] = shape_copy(section->shape, item);
	return TRUE;
}

static gboolean apply(Network *network, NetworkCommand command, NetworkSection section, int parent,
		      gpointer item, GError **error)
{
	const Section *row = &sections[section];
	g_autofree char *where = g_strdup_printf("network \"%s\"", network->name);
	if (command != NETWORK_DELETE && !shape_check(row->shape, item, NULL, error))
		return FALSE;
	GPtrArray **list = find_list(network, section, parent, item, error);
	if (!list)
		return FALSE;
	gboolean ok = command == NETWORK_DELETE ? remove_one(list, row, item, where, error) :
		      command == NETWORK_MODIFY ? modify(list, row, item, where, error) :
						  add(list, row, command == NETWORK_ADD_FIRST, item, where,
						      error);
	/* the first of them is the device that all goes through: network_fill() */
	if (ok && section == NETWORK_SECTION_FORWARD_INTERFACE)
		g_clear_pointer(&network->forward->dev, g_free);
	return ok;
}

/* An empty <dns> that find_list() made is none. */
static void tidy(Network *network)
{
	NetworkDns *dns = network->dns;
	if (dns && !dns->head.line && !dns->head.extra && !shape_len(dns->hosts) &&
	    !shape_len(dns->txts) && !shape_len(dns->srvs) && !shape_len(dns->forwarders) &&
	    !dns->enable && !dns->forward_plain_names)
		g_clear_pointer(&network->dns, g_free);
}

gboolean network_updates(NetworkCommand command, NetworkSection section, GError **error)
{
	if (!enum_name(&network_commands, (int)command) || !enum_name(&network_sections, (int)section))
		return fail(error, LODGE_ERROR_UNSUPPORTED, "network update: no such command or section");
	const Section *row = &sections[section];
	if (!row->shape)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "<%s> of a network cannot be changed alone: edit the network and start it again",
			    row->element);
	return command != NETWORK_MODIFY || row->means ||
	       fail(error, LODGE_ERROR_UNSUPPORTED,
		    "<%s> cannot be modified: delete it and add the new one", row->element);
}

gboolean network_update(Network *network, NetworkCommand command, NetworkSection section, int parent,
			const char *xml, GError **error)
{
	if (!network_updates(command, section, error))
		return FALSE;
	const Section *row = &sections[section];
	gpointer item = shape_from_xml(row->shape, row->element, xml, -1, NULL, NULL, error);
	if (!item)
		return FALSE;
	gboolean ok = apply(network, command, section, parent, item, error);
	tidy(network);
	shape_free(row->shape, item);
	return ok;
}
