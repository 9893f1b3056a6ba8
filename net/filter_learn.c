/* Which address a guest uses, seen in its frames: ARP (RFC 826), IPv4 (RFC 791), replies of DHCP (RFC
 * 2131). The frames are a stranger's: every length is checked. See filter_host.h. */
#include "net/filter_host.h"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/fd.h"

#define DHCP_FIXED 240 /* bytes up to the options, magic number included */
#define READ_MAX 64    /* frames at once */

static guint be16(const guint8 *p)
{
	return (guint)p[0] << 8 | p[1];
}

/* An address that one host can have. */
static gboolean usable(const guint8 a[4])
{
	return a[0] != 0 && a[0] != 127 && a[0] < 224;
}

static gboolean take(const guint8 *from, guint8 address[4])
{
	if (!usable(from))
		return FALSE;
	memcpy(address, from, 4);
	return TRUE;
}

/* Whether the options say DHCPACK: option 53 is 5. */
static gboolean is_ack(const guint8 *options, gsize length)
{
	for (gsize at = 0; at + 2 < length && options[at] != 255;) {
		if (options[at] == 0) {
			at++;
			continue;
		}
		if (options[at] == 53)
			return options[at + 1] >= 1 && options[at + 2] == 5;
		at += 2 + (gsize)options[at + 1];
	}
	return FALSE;
}

static gboolean read_dhcp(const guint8 *udp, gsize length, const guint8 mac[6], guint8 address[4])
{
	static const guint8 magic[4] = { 99, 130, 83, 99 };
	if (length < 8 + DHCP_FIXED || be16(udp) != 67 || be16(udp + 2) != 68)
		return FALSE;
	const guint8 *dhcp = udp + 8;
	return dhcp[0] == 2 && !memcmp(dhcp + 28, mac, 6) && !memcmp(dhcp + 236, magic, 4) &&
	       is_ack(dhcp + DHCP_FIXED, length - 8 - DHCP_FIXED) && take(dhcp + 16, address);
}

static gboolean read_ip(const guint8 *ip, gsize length, gboolean from_port, const guint8 mac[6],
			gboolean dhcp_only, guint8 address[4])
{
	gsize header = length >= 20 ? (gsize)(ip[0] & 15) * 4 : 0;
	if (header < 20 || length < header || ip[0] >> 4 != 4)
		return FALSE;
	if (from_port)
		return !dhcp_only && take(ip + 12, address);
	return ip[9] == 17 && read_dhcp(ip + header, length - header, mac, address);
}

static gboolean read_arp(const guint8 *arp, gsize length, const guint8 mac[6], guint8 address[4])
{
	static const guint8 ethernet_ip[6] = { 0, 1, 8, 0, 6, 4 };
	return length >= 28 && !memcmp(arp, ethernet_ip, 6) && !memcmp(arp + 8, mac, 6) &&
	       take(arp + 14, address);
}

gboolean filter_learn_frame(const guint8 *frame, gsize length, gboolean from_port, const guint8 mac[6],
			    gboolean dhcp_only, guint8 address[4])
{
	if (length < 14 || (from_port && memcmp(frame + 6, mac, 6)))
		return FALSE;
	guint type = be16(frame + 12);
	if (type == ETH_P_ARP)
		return from_port && !dhcp_only && read_arp(frame + 14, length - 14, mac, address);
	return type == ETH_P_IP && read_ip(frame + 14, length - 14, from_port, mac, dhcp_only, address);
}

int filter_learn_open(const char *port, GError **error)
{
	/* ARP and IPv4 only: load the type, compare, keep FILTER_FRAME_MAX bytes or none */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_ARP, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, FILTER_FRAME_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { G_N_ELEMENTS(code), code };
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = GUINT16_TO_BE(ETH_P_ALL),
				  .sll_ifindex = (int)if_nametoindex(port) };
	autofd int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && at.sll_ifindex &&
	    setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0 &&
	    bind(fd, (struct sockaddr *)&at, sizeof at) == 0)
		return fd_steal(&fd);
	fail_errno(error, errno, "cannot listen on %s", port);
	return -1;
}

gboolean filter_learn_read(int fd, const guint8 mac[6], gboolean dhcp_only, guint8 address[4])
{
	guint8 frame[FILTER_FRAME_MAX];
	for (guint i = 0; i < READ_MAX; i++) {
		struct sockaddr_ll from = { 0 };
		socklen_t size = sizeof from;
		ssize_t n = recvfrom(fd, frame, sizeof frame, 0, (struct sockaddr *)&from, &size);
		if (n < 0)
			return FALSE;
		/* what the host sends into a tap is outgoing: to the guest */
		gboolean from_port = from.sll_pkttype != PACKET_OUTGOING;
		if (filter_learn_frame(frame, (gsize)n, from_port, mac, dhcp_only, address))
			return TRUE;
	}
	return FALSE;
}
