/* See forward.h. */
#include "net/forward.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/nft.h"

#define TABLE "inet lodge_forward"
#define PROC_MAX (8 * 1024 * 1024) /* of /proc/net/tcp that is looked at */

static const char *proto_of(const ForwardSpec *spec)
{
	return spec->udp ? "udp" : "tcp";
}

char *forward_text(const ForwardSpec *spec)
{
	gboolean v6 = strchr(spec->address, ':') != NULL;
	g_autofree char *host = *spec->address ? g_strdup_printf(v6 ? "[%s]:" : "%s:", spec->address) :
						 g_strdup("");
	g_autofree char *end = spec->last > spec->first ? g_strdup_printf("-%u", spec->last) : g_strdup("");
	return g_strdup_printf("%s%u%s/%s%s%s", host, spec->first, end, proto_of(spec),
			       *spec->dev ? " at " : "", spec->dev);
}

/* ---- which packets ---- */

/* What it takes of @family: FALSE for nothing. *address is "" where that is any. */
static gboolean takes(const ForwardSpec *spec, int family, const char **address)
{
	Inet inet;
	*address = "";
	if (!*spec->address || !inet_from_text(spec->address, AF_UNSPEC, &inet, NULL))
		return TRUE;
	if (!inet_is_any(&inet))
		*address = spec->address;
	return inet.family == family;
}

static gboolean same_family_overlap(const ForwardSpec *a, const ForwardSpec *b, int family)
{
	const char *one, *other;
	return takes(a, family, &one) && takes(b, family, &other) &&
	       (!*one || !*other || g_str_equal(one, other));
}

gboolean forward_overlap(const ForwardSpec *a, const ForwardSpec *b)
{
	if (a->udp != b->udp || a->last < b->first || b->last < a->first)
		return FALSE;
	if (*a->dev && *b->dev && !g_str_equal(a->dev, b->dev))
		return FALSE;
	return same_family_overlap(a, b, AF_INET) || same_family_overlap(a, b, AF_INET6);
}

/* ---- the table ---- */

#define MAP(name, key, value)                                                                       \
	" map " name " {\n  type " key "inet_proto . inet_service : " value " . inet_service\n }\n"
#define DNAT4 "  meta nfproto ipv4 fib daddr type local dnat ip to "
#define DNAT6 "  meta nfproto ipv6 fib daddr type local dnat ip6 to "
#define PORT "meta l4proto . th dport map "

/* What names an address or an interface counts before what does not. */
static const char head[] =
	"add table " TABLE "\ndelete table " TABLE "\n"
	"table " TABLE " {\n"
	MAP("any4", "", "ipv4_addr") MAP("any6", "", "ipv6_addr")
	MAP("at4", "ipv4_addr . ", "ipv4_addr") MAP("at6", "ipv6_addr . ", "ipv6_addr")
	MAP("by4", "ifname . ", "ipv4_addr") MAP("by6", "ifname . ", "ipv6_addr")
	" set hairpin {\n  type ifname . ifname\n }\n"
	" set bridges {\n  type ifname\n }\n"
	/* addresses of the host's own loop must not be reached from a bridge that may route them */
	" chain guard {\n  type filter hook prerouting priority -310; policy accept;\n"
	"  iifname @bridges ip daddr 127.0.0.0/8 drop\n }\n"
	" chain prerouting {\n  type nat hook prerouting priority -100; policy accept;\n"
	DNAT4 "ip daddr . " PORT "@at4\n" DNAT6 "ip6 daddr . " PORT "@at6\n"
	DNAT4 "iifname . " PORT "@by4\n" DNAT6 "iifname . " PORT "@by6\n"
	DNAT4 PORT "@any4\n" DNAT6 PORT "@any6\n }\n"
	" chain output {\n  type nat hook output priority -100; policy accept;\n"
	DNAT4 "ip daddr . " PORT "@at4\n" DNAT6 "ip6 daddr . " PORT "@at6\n"
	/* what comes from ::1 cannot leave by a bridge: refused at once, so that clients go on to IPv4 */
	DNAT4 PORT "@any4\n  ip6 daddr ::1 return\n" DNAT6 PORT "@any6\n }\n"
	/* who answers must answer through this host */
	" chain postrouting {\n  type nat hook postrouting priority 90; policy accept;\n"
	"  ct status dnat ip saddr 127.0.0.0/8 masquerade\n"
	"  ct status dnat iifname . oifname @hairpin masquerade\n }\n}\n";

static void add_ports(GString *s, const ForwardSpec *spec, int family, const char *ip)
{
	const char *address;
	char digit = family == AF_INET ? '4' : '6';
	if (!*ip || !takes(spec, family, &address))
		return;
	const char *map = *address ? "at" : *spec->dev ? "by" : "any";
	g_autofree char *key = *address	  ? g_strdup_printf("%s . ", address) :
			       *spec->dev ? g_strdup_printf("\"%s\" . ", spec->dev) : g_strdup("");
	g_string_append_printf(s, "add element " TABLE " %s%c { ", map, digit);
	for (guint n = 0; n <= (guint)(spec->last - spec->first); n++)
		g_string_append_printf(s, "%s%s%s . %u : %s . %u", n ? ", " : "", key, proto_of(spec),
				       spec->first + n, ip, spec->to + n);
	g_string_append(s, " }\n");
}

char *forward_script(const Forward *forwards, guint n)
{
	if (n == 0)
		return g_strdup("add table " TABLE "\ndelete table " TABLE "\n");
	GString *script = g_string_new(head);
	for (guint i = 0; i < n; i++) {
		const Forward *one = &forwards[i];
		add_ports(script, &one->spec, AF_INET, one->ip4);
		add_ports(script, &one->spec, AF_INET6, one->ip6);
		if (*one->bridge)
			g_string_append_printf(script,
					       "add element " TABLE " hairpin { \"%s\" . \"%s\" }\n"
					       "add element " TABLE " bridges { \"%s\" }\n", one->bridge,
					       one->bridge, one->bridge);
	}
	return g_string_free(script, FALSE);
}

/* A switch of the kernel's; where it cannot be set, what needs it alone does not work. */
static void turn_on(const char *path)
{
	g_autofree char *has = NULL;
	autofd int fd = -1;
	if (g_file_get_contents(path, &has, NULL, NULL) && *has == '1')
		return;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "1", 1) < 0)
		return;
}

/* Packets from 127.0.0.1 may leave by the bridge. */
static void route_loop(const char *bridge)
{
	g_autofree char *path = g_strdup_printf("/proc/sys/net/ipv4/conf/%s/route_localnet", bridge);
	turn_on(path);
}

gboolean forward_apply(const Forward *forwards, guint n, GError **error)
{
	g_autofree char *script = forward_script(forwards, n);
	if (!nft_run(script, error))
		return FALSE;
	if (n > 0) /* a bridge of the host's has no network of ours that did so */
		turn_on("/proc/sys/net/ipv4/ip_forward");
	for (guint i = 0; i < n; i++)
		if (*forwards[i].bridge)
			route_loop(forwards[i].bridge);
	return TRUE;
}

/* ---- who listens ---- */

/* "0100007F" or four such words, in the byte order of this machine: proc(5). */
static gboolean read_hex(const char *text, int family, Inet *inet)
{
	guint words = family == AF_INET ? 1 : 4;
	*inet = (Inet){ .family = family };
	for (guint i = 0; i < words; i++) {
		guint32 word;
		if (sscanf(text + (gsize)8 * i, "%8x", &word) != 1)
			return FALSE;
		memcpy(inet->bytes + (gsize)4 * i, &word, sizeof word);
	}
	return TRUE;
}

/* Whether who listens at @inet has packets that @spec would take; "::" listens for IPv4, too. */
static gboolean in_the_way(const ForwardSpec *spec, const Inet *inet)
{
	ForwardSpec theirs = *spec;
	char text[INET_TEXT];
	*theirs.dev = '\0';
	g_strlcpy(theirs.address, inet_to_text(inet, text), sizeof theirs.address);
	if (inet->family == AF_INET6 && inet_is_any(inet))
		*theirs.address = '\0';
	return forward_overlap(spec, &theirs);
}

/* The inode of a socket in the way, in a file such as /proc/net/tcp: proc(5). 0: none. */
static guint64 inode_at(const char *path, int family, const ForwardSpec *spec, guint *port)
{
	enum { LISTEN = 10, UNCONNECTED = 7 }; /* TCP_LISTEN, TCP_CLOSE: net/tcp_states.h */
	g_autofree char *text = NULL;
	gsize length = 0;
	if (!g_file_get_contents(path, &text, &length, NULL) || length > PROC_MAX)
		return 0;
	for (char *line = strchr(text, '\n'); line && *++line; line = strchr(line, '\n')) {
		char address[33];
		guint state = 0;
		guint64 inode = 0;
		Inet inet;
		if (sscanf(line,
			   " %*d: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x %*s %*s %*s %*d %*d %" G_GUINT64_FORMAT,
			   address, port, &state, &inode) == 4 &&
		    *port >= spec->first && *port <= spec->last &&
		    state == (spec->udp ? UNCONNECTED : LISTEN) && read_hex(address, family, &inet) &&
		    in_the_way(spec, &inet))
			return inode;
	}
	return 0;
}

static gboolean has_socket(const char *pid, guint64 inode)
{
	g_autofree char *folder = g_strdup_printf("/proc/%s/fd", pid);
	g_autofree char *wanted = g_strdup_printf("socket:[%" G_GUINT64_FORMAT "]", inode);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	for (const char *name; dir && (name = g_dir_read_name(dir));) {
		g_autofree char *path = g_build_filename(folder, name, NULL);
		g_autofree char *target = g_file_read_link(path, NULL);
		if (target && g_str_equal(target, wanted))
			return TRUE;
	}
	return FALSE;
}

static char *owner_of(guint64 inode)
{
	g_autoptr(GDir) dir = g_dir_open("/proc", 0, NULL);
	for (const char *pid; dir && (pid = g_dir_read_name(dir));) {
		if (!g_ascii_isdigit(*pid) || !has_socket(pid, inode))
			continue;
		g_autofree char *path = g_strdup_printf("/proc/%s/comm", pid);
		g_autofree char *name = NULL;
		g_file_get_contents(path, &name, NULL, NULL);
		return g_strdup_printf("%s (pid %s)", name ? g_strstrip(name) : "a program", pid);
	}
	return g_strdup("another program");
}

gboolean forward_taken(const ForwardSpec *spec, char **who)
{
	static const struct {
		const char *tcp, *udp;
		int family;
	} files[] = { { "/proc/net/tcp", "/proc/net/udp", AF_INET },
		      { "/proc/net/tcp6", "/proc/net/udp6", AF_INET6 } };
	for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
		guint port = 0;
		guint64 inode = inode_at(spec->udp ? files[i].udp : files[i].tcp, files[i].family, spec,
					 &port);
		if (!inode)
			continue;
		g_autofree char *owner = owner_of(inode);
		*who = g_strdup_printf("port %u/%s of this host is used by %s", port, proto_of(spec), owner);
		return TRUE;
	}
	return FALSE;
}
