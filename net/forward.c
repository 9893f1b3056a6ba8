/* See forward.h. */
#include "net/forward.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/nft.h"

#define TABLE "inet lodge_forward"
#define PROC_MAX (8 * 1024 * 1024) /* of /proc/net/tcp that is looked at */

/* ---- the table ---- */

static const char head[] =
	"add table " TABLE "\ndelete table " TABLE "\n"
	"table " TABLE " {\n"
	" map ports {\n  type inet_proto . inet_service : ipv4_addr . inet_service\n }\n"
	" set hairpin {\n  type ifname . ifname\n }\n"
	" set bridges {\n  type ifname\n }\n"
	/* addresses of the host's own loop must not be reached from a bridge that may route them */
	" chain guard {\n  type filter hook prerouting priority -310; policy accept;\n"
	"  iifname @bridges ip daddr 127.0.0.0/8 drop\n }\n"
	" chain prerouting {\n  type nat hook prerouting priority -100; policy accept;\n"
	"  fib daddr type local dnat ip to meta l4proto . th dport map @ports\n }\n"
	" chain output {\n  type nat hook output priority -100; policy accept;\n"
	"  fib daddr type local dnat ip to meta l4proto . th dport map @ports\n }\n"
	/* who answers must answer through this host */
	" chain postrouting {\n  type nat hook postrouting priority 90; policy accept;\n"
	"  ct status dnat ip saddr 127.0.0.0/8 masquerade\n"
	"  ct status dnat iifname . oifname @hairpin masquerade\n }\n}\n";

/* Packets from 127.0.0.1 may leave by the bridge. */
static void route_loop(const char *bridge)
{
	g_autofree char *path = g_strdup_printf("/proc/sys/net/ipv4/conf/%s/route_localnet", bridge);
	autofd int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "1", 1) < 0)
		return; /* everything but 127.0.0.1 still works */
}

gboolean forward_apply(const Forward *forwards, guint n, GError **error)
{
	if (n == 0)
		return nft_run("add table " TABLE "\ndelete table " TABLE "\n", error);
	g_autoptr(GString) script = g_string_new(head);
	for (guint i = 0; i < n; i++) {
		const Forward *one = &forwards[i];
		g_string_append_printf(script, "add element " TABLE " ports { %s . %u : %s . %u }\n",
				       one->udp ? "udp" : "tcp", one->port, one->ip, one->to);
		if (*one->bridge)
			g_string_append_printf(script,
					       "add element " TABLE " hairpin { \"%s\" . \"%s\" }\n"
					       "add element " TABLE " bridges { \"%s\" }\n", one->bridge,
					       one->bridge, one->bridge);
	}
	if (!nft_run(script->str, error))
		return FALSE;
	for (guint i = 0; i < n; i++)
		if (*forwards[i].bridge)
			route_loop(forwards[i].bridge);
	return TRUE;
}

/* ---- who listens ---- */

/* The inode of the socket at @port in a file such as /proc/net/tcp: proc(5). 0: none. */
static guint64 inode_at(const char *path, gboolean udp, guint16 port)
{
	g_autofree char *text = NULL;
	gsize length = 0;
	if (!g_file_get_contents(path, &text, &length, NULL) || length > PROC_MAX)
		return 0;
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (guint i = 1; lines[i]; i++) {
		guint local = 0, state = 0;
		guint64 inode = 0;
		enum { LISTEN = 10, UNCONNECTED = 7 }; /* TCP_LISTEN, TCP_CLOSE: net/tcp_states.h */
		if (sscanf(lines[i],
			   " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x %*s %*s %*s %*d %*d %" G_GUINT64_FORMAT,
			   &local, &state, &inode) == 3 &&
		    local == port && state == (udp ? UNCONNECTED : LISTEN))
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

gboolean forward_taken(gboolean udp, guint16 port, char **who)
{
	const char *const paths[] = { udp ? "/proc/net/udp" : "/proc/net/tcp",
				      udp ? "/proc/net/udp6" : "/proc/net/tcp6" };
	for (guint i = 0; i < G_N_ELEMENTS(paths); i++) {
		guint64 inode = inode_at(paths[i], udp, port);
		if (!inode)
			continue;
		*who = owner_of(inode);
		return TRUE;
	}
	return FALSE;
}
