/* See leases.h. The format is dnsmasq's (lease.c there): "EXPIRY MAC IP NAME CLIENT-ID" for IPv4, then a
 * line "duid SERVER-DUID", then "EXPIRY IAID IP NAME DUID" for IPv6; "*" is nothing. */
#include "net/leases.h"
#include "base/inet.h"
#include "host/file.h"

#include <string.h>

#define MAX_LEASES 65536
#define MAX_FILE (8u << 20) /* bytes */
#define MAC_LENGTH 17 /* as text */

void dhcp_lease_free(DhcpLease *lease)
{
	if (!lease)
		return;
	g_free(lease->mac);
	g_free(lease->iaid);
	g_free(lease->ip);
	g_free(lease->hostname);
	g_free(lease->clientid);
	g_free(lease);
}

static char *word(const char *text)
{
	return g_str_equal(text, "*") ? NULL : g_utf8_make_valid(text, -1);
}

/* "52:54:00:...": dnsmasq puts "06-" (the kind of hardware) before it where it is not Ethernet. */
static char *mac_of(const char *text)
{
	const char *dash = strchr(text, '-');
	return word(dash && dash - text == 2 ? dash + 1 : text);
}

/* The MAC address at the end of a DUID made of one: types 1 (13:14 bytes) and 3, RFC 8415, 11.2, 11.4. */
static char *mac_of_duid(const char *duid)
{
	gsize length = duid ? strlen(duid) : 0;
	gboolean llt = length == 14 * 3 - 1 && g_str_has_prefix(duid, "00:01:00:01:");
	gboolean ll = length == 10 * 3 - 1 && g_str_has_prefix(duid, "00:03:00:01:");
	const char *mac = llt || ll ? duid + length - MAC_LENGTH : "";
	return strspn(mac, "0123456789abcdefABCDEF:") == MAC_LENGTH ? g_strdup(mac) : NULL;
}

static DhcpLease *parse_line(const char *line, gsize length)
{
	g_autofree char *copy = g_strndup(line, length);
	g_auto(GStrv) words = g_strsplit(g_strchomp(copy), " ", 6);
	Inet inet;
	char *end;
	if (g_strv_length(words) < 5)
		return NULL;
	gint64 expiry = g_ascii_strtoll(words[0], &end, 10);
	if (*end || !*words[0] || expiry < 0 || !inet_from_text(words[2], AF_UNSPEC, &inet, NULL))
		return NULL;
	DhcpLease *lease = g_new0(DhcpLease, 1);
	lease->expiry = expiry;
	lease->v6 = inet.family == AF_INET6;
	lease->ip = g_strdup(words[2]);
	lease->hostname = word(words[3]);
	lease->clientid = word(words[4]);
	lease->mac = lease->v6 ? mac_of_duid(lease->clientid) : mac_of(words[1]);
	lease->iaid = lease->v6 ? word(words[1]) : NULL;
	return lease;
}

GPtrArray *leases_parse(const char *text, gsize length)
{
	GPtrArray *leases = g_ptr_array_new_with_free_func((GDestroyNotify)dhcp_lease_free);
	const char *end = text + length;
	while (text < end && leases->len < MAX_LEASES) {
		const char *newline = memchr(text, '\n', (gsize)(end - text));
		const char *stop = newline ? newline : end;
		/* What has no end yet is still being written. */
		DhcpLease *lease = newline ? parse_line(text, (gsize)(stop - text)) : NULL;
		if (lease)
			g_ptr_array_add(leases, lease);
		text = stop + 1;
	}
	return leases;
}

GPtrArray *leases_read(const char *path)
{
	gsize length = 0;
	g_autofree char *text = file_read(path, MAX_FILE, &length, NULL);
	return leases_parse(text ? text : "", length);
}
