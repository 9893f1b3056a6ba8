/* A network as configuration of dnsmasq: its manual says what each line means. See dnsmasq.h. */
#include "net/dnsmasq.h"

#include <string.h>

static gboolean has_dns(const Network *network)
{
	return !network->dns || network->dns->enable != TRI_NO;
}

static gboolean is_v6(const NetworkIp *ip)
{
	return strchr(ip->address, ':') != NULL;
}

static gboolean has_dhcp(const NetworkIp *ip)
{
	return shape_len(ip->ranges) || shape_len(ip->hosts);
}

gboolean dnsmasq_wanted(const Network *network)
{
	SHAPE_EACH (NetworkIp, ip, network->ips)
		if (has_dns(network) || has_dhcp(ip) || is_v6(ip) || ip->tftp_root)
			return TRUE;
	return FALSE;
}

/* ",3600", ",infinite" or nothing. */
static void put_lease(GString *s, OptUint expiry, const char *unit)
{
	guint32 seconds = network_lease_seconds(expiry, unit);
	if (seconds == 0)
		g_string_append(s, ",infinite");
	else if (seconds != G_MAXUINT32)
		g_string_append_printf(s, ",%u", seconds);
}

/* ---- DNS ---- */

/* "122.168.192.in-addr.arpa", where the prefix ends between two labels; NULL otherwise. */
static char *reverse_zone(const NetworkIp *ip)
{
	Inet inet;
	guint prefix;
	if (!network_ip_read(ip, &inet, &prefix, NULL) || !prefix)
		return NULL;
	gboolean v6 = inet.family == AF_INET6;
	guint bits = v6 ? 4 : 8;
	if (prefix % bits)
		return NULL;
	GString *zone = g_string_new(NULL);
	for (guint i = prefix / bits; i--;)
		if (v6)
			g_string_append_printf(zone, "%x.", inet.bytes[i / 2] >> (i % 2 ? 0 : 4) & 15);
		else
			g_string_append_printf(zone, "%u.", inet.bytes[i]);
	g_string_append(zone, v6 ? "ip6.arpa" : "in-addr.arpa");
	return g_string_free(zone, FALSE);
}

/* TRUE where servers are named that are asked instead of the host's. */
static gboolean put_forwarders(GString *s, const NetworkDns *dns)
{
	gboolean instead = FALSE;
	SHAPE_EACH (DnsForwarder, to, dns->forwarders) {
		g_string_append(s, "server=");
		if (to->domain)
			g_string_append_printf(s, "/%s/", to->domain);
		g_string_append_printf(s, "%s\n", to->addr ? to->addr : "#");
		instead |= to->addr && !to->domain;
	}
	return instead;
}

static void put_records(GString *s, const NetworkDns *dns)
{
	SHAPE_EACH (DnsTxt, txt, dns->txts)
		g_string_append_printf(s, "txt-record=%s%s%s\n", txt->name, txt->value ? "," : "",
				       txt->value ? txt->value : "");
	SHAPE_EACH (DnsSrv, srv, dns->srvs) {
		g_string_append_printf(s, "srv-host=_%s._%s%s%s", srv->service, srv->protocol,
				       srv->domain ? "." : "", srv->domain ? srv->domain : "");
		if (srv->target)
			g_string_append_printf(s, ",%s", srv->target);
		if (srv->target && (srv->port.set || srv->priority.set || srv->weight.set))
			g_string_append_printf(s,
					       ",%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT
					       ",%" G_GUINT64_FORMAT, opt_uint_or(srv->port, 1),
					       opt_uint_or(srv->priority, 0), opt_uint_or(srv->weight, 0));
		g_string_append_c(s, '\n');
	}
}

static void put_dns(GString *s, const Network *live)
{
	const NetworkDns *dns = live->dns;
	gboolean isolated = !network_mode(live);
	if (!has_dns(live)) {
		g_string_append(s, "port=0\n");
		return;
	}
	if (dns && dns->forward_plain_names == TRI_NO)
		g_string_append(s, "domain-needed\nlocal=//\n");
	if (live->domain && live->domain_local_only == TRI_YES)
		g_string_append_printf(s, "local=/%s/\n", live->domain);
	SHAPE_EACH (NetworkIp, ip, live->ips) {
		g_autofree char *zone = ip->local_ptr == TRI_YES ? reverse_zone(ip) : NULL;
		if (zone)
			g_string_append_printf(s, "local=/%s/\n", zone);
	}
	/* Guests that cannot get out do not ask through us either. */
	if ((dns && put_forwarders(s, dns)) || isolated)
		g_string_append(s, "no-resolv\n");
	if (dns)
		put_records(s, dns);
}

/* ---- DHCP ---- */

static void put_range4(GString *s, const NetworkIp *ip, guint prefix, guint64 *leases)
{
	char mask_text[INET_TEXT];
	Inet mask = inet_mask(AF_INET, prefix), start, end;
	inet_to_text(&mask, mask_text);
	SHAPE_EACH (DhcpRange, range, ip->ranges) {
		g_string_append_printf(s, "dhcp-range=%s,%s,%s", range->start, range->end, mask_text);
		put_lease(s, range->expiry, range->unit);
		g_string_append_c(s, '\n');
		if (inet_from_text(range->start, AF_INET, &start, NULL) &&
		    inet_from_text(range->end, AF_INET, &end, NULL))
			*leases += inet_span(&start, &end);
	}
	if (!shape_len(ip->ranges) && shape_len(ip->hosts))
		g_string_append_printf(s, "dhcp-range=%s,static,%s\n", ip->address, mask_text);
	*leases += shape_len(ip->hosts);
	if (ip->bootp_file)
		g_string_append_printf(s, "dhcp-boot=%s%s%s\n", ip->bootp_file, ip->bootp_server ? ",," : "",
				       ip->bootp_server ? ip->bootp_server : "");
}

static void put_range6(GString *s, const NetworkIp *ip, guint prefix, guint64 *leases)
{
	Inet start, end;
	SHAPE_EACH (DhcpRange, range, ip->ranges) {
		g_string_append_printf(s, "dhcp-range=%s,%s,%u", range->start, range->end, prefix);
		put_lease(s, range->expiry, range->unit);
		g_string_append_c(s, '\n');
		if (inet_from_text(range->start, AF_INET6, &start, NULL) &&
		    inet_from_text(range->end, AF_INET6, &end, NULL))
			*leases += inet_span(&start, &end);
	}
	if (!shape_len(ip->ranges) && shape_len(ip->hosts))
		g_string_append_printf(s, "dhcp-range=%s,static,%u\n", ip->address, prefix);
	else if (!shape_len(ip->ranges))
		g_string_append_printf(s, "dhcp-range=%s,ra-only\n", ip->address);
	*leases += shape_len(ip->hosts);
}

static void put_dhcp(GString *s, const Network *live)
{
	guint64 leases = 0;
	gboolean dhcp4 = FALSE, v6 = FALSE, tftp = FALSE;
	SHAPE_EACH (NetworkIp, ip, live->ips) {
		Inet inet;
		guint prefix;
		if (!network_ip_read(ip, &inet, &prefix, NULL))
			continue;
		if (ip->tftp_root) {
			g_string_append_printf(s, "%stftp-root=%s\n", tftp ? "" : "enable-tftp\n",
					       ip->tftp_root);
			tftp = TRUE;
		}
		if (inet.family == AF_INET6)
			put_range6(s, ip, prefix, &leases);
		else if (has_dhcp(ip))
			put_range4(s, ip, prefix, &leases);
		v6 |= inet.family == AF_INET6;
		dhcp4 |= inet.family == AF_INET && has_dhcp(ip);
	}
	/* A lifetime of 0: this host is no router for who cannot get out. */
	if (v6)
		g_string_append(s, network_mode(live) ? "enable-ra\n" : "enable-ra\nra-param=*,0,0\n");
	if (!dhcp4 && !leases)
		return;
	g_string_append_printf(s,
			       "dhcp-no-override\ndhcp-authoritative\ndhcp-lease-max=%" G_GUINT64_FORMAT
			       "\n", MAX(leases, 1));
	if (!network_mode(live)) /* no gateway that leads nowhere */
		g_string_append(s, "dhcp-option=3\n");
	if (live->mtu.set)
		g_string_append_printf(s, "dhcp-option=option:mtu,%" G_GUINT64_FORMAT "\n", live->mtu.v);
}

static char *hosts_text(const Network *live)
{
	GString *s = g_string_new(NULL);
	SHAPE_EACH (NetworkIp, ip, live->ips)
		SHAPE_EACH (DhcpHost, host, ip->hosts) {
			gboolean v6 = is_v6(ip);
			if (host->id)
				g_string_append_printf(s, "id:%s", host->id);
			else if (host->mac)
				g_string_append(s, host->mac);
			if (host->name && (host->id || host->mac))
				g_string_append_printf(s, ",%s", host->name);
			else if (host->name)
				g_string_append(s, host->name);
			if (host->ip)
				g_string_append_printf(s, v6 ? ",[%s]" : ",%s", host->ip);
			put_lease(s, host->expiry, host->unit);
			g_string_append_c(s, '\n');
		}
	return g_string_free(s, FALSE);
}

static char *names_text(const Network *live)
{
	GString *s = g_string_new(NULL);
	SHAPE_EACH (DnsHost, host, live->dns ? live->dns->hosts : NULL) {
		g_string_append(s, host->ip);
		for (guint i = 0; i < shape_len(host->names); i++)
			g_string_append_printf(s, "\t%s", (char *)host->names->pdata[i]);
		g_string_append_c(s, '\n');
	}
	return g_string_free(s, FALSE);
}

void dnsmasq_files(const NetConfig *config, const Network *live, DnsmasqFiles *files)
{
	GString *s = g_string_new("# Written by lodge for each start of the network; changes are lost: use "
				  "lodge net-edit.\n");
	g_autofree char *pid = dnsmasq_path(config, live->name, "pid");
	g_autofree char *hosts = dnsmasq_path(config, live->name, "hosts");
	g_autofree char *names = dnsmasq_path(config, live->name, "names");
	g_autofree char *leases = net_lease_path(config, live->name);
	g_string_append_printf(s,
			       "strict-order\npid-file=%s\nexcept-interface=lo\nbind-dynamic\ninterface=%s\n"
			       "dhcp-leasefile=%s\ndhcp-hostsfile=%s\naddn-hosts=%s\n",
			       pid, live->bridge, leases, hosts, names);
	if (live->domain)
		g_string_append_printf(s, "domain=%s\nexpand-hosts\n", live->domain);
	put_dns(s, live);
	put_dhcp(s, live);
	SHAPE_EACH (DnsmasqOption, option, live->dnsmasq_options)
		g_string_append_printf(s, "%s\n", option->value);
	files->conf = g_string_free(s, FALSE);
	files->hosts = hosts_text(live);
	files->names = names_text(live);
}

void dnsmasq_files_clear(DnsmasqFiles *files)
{
	g_clear_pointer(&files->conf, g_free);
	g_clear_pointer(&files->hosts, g_free);
	g_clear_pointer(&files->names, g_free);
}
