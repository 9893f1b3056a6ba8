/* News of devices, from a netlink socket: where udev runs, what it passes on (then its database is already
 * written), else what the kernel sends. Formats: the kernel's lib/kobject_uevent.c ("ACTION@PATH", then
 * KEY=VALUE, each with a NUL); systemd's device-monitor.c for the head of udev's. Fuzzed:
 * tests/fuzz/uevent.c. */
#include "nodedev/internal.h"
#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GROUP_KERNEL 1
#define GROUP_UDEV 2
#define MAX_MESSAGE 16384
#define ROOM (1 << 20) /* bytes that may wait: a thousand taps at once */
#define UDEV_MAGIC 0xfeedcafe

typedef struct UdevHead {
	char prefix[8]; /* "libudev" */
	guint32 magic;	/* big endian */
	guint32 header_size, properties_at, properties_size;
} UdevHead;

int nodedev_watch(GError **error)
{
	gboolean udev = access("/run/udev/control", F_OK) == 0;
	struct sockaddr_nl address = { .nl_family = AF_NETLINK,
				       .nl_groups = udev ? GROUP_UDEV : GROUP_KERNEL };
	int on = 1, room = ROOM;
	autofd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		fail_errno(error, errno, "listening to news of devices");
		return -1;
	}
	return fd_steal(&fd);
}

void uevent_clear(Uevent *event)
{
	g_clear_pointer(&event->action, g_free);
	g_clear_pointer(&event->path, g_free);
	g_clear_pointer(&event->old_path, g_free);
}

/* Where KEY=VALUE begin; -1: in neither format. */
static gssize properties_at(const char *bytes, gsize n)
{
	UdevHead head;
	if (n >= sizeof head && !memcmp(bytes, "libudev", 8)) {
		memcpy(&head, bytes, sizeof head);
		if (GUINT32_FROM_BE(head.magic) != UDEV_MAGIC || head.properties_at > n)
			return -1;
		return (gssize)head.properties_at;
	}
	const char *at = memchr(bytes, '@', n), *end = memchr(bytes, '\0', n);
	return at && end && at < end ? end + 1 - bytes : -1;
}

static void take(char **member, const char *prefix, const char *value)
{
	if (*value != '/' && *prefix)
		return;
	g_free(*member);
	*member = g_strconcat(prefix, value, NULL);
}

gboolean uevent_parse(const char *bytes, gsize n, Uevent *event)
{
	gssize begin = properties_at(bytes, n);
	*event = (Uevent){ 0 };
	for (gsize at = begin < 0 ? n : (gsize)begin; at < n;) {
		gsize length = strnlen(bytes + at, n - at);
		if (at + length == n)
			break; /* cut off */
		if (g_str_has_prefix(bytes + at, "ACTION="))
			take(&event->action, "", bytes + at + strlen("ACTION="));
		if (g_str_has_prefix(bytes + at, "DEVPATH="))
			take(&event->path, "/sys", bytes + at + strlen("DEVPATH="));
		if (g_str_has_prefix(bytes + at, "DEVPATH_OLD="))
			take(&event->old_path, "/sys", bytes + at + strlen("DEVPATH_OLD="));
		at += length + 1;
	}
	if (event->action && event->path && !strstr(event->path, "/.."))
		return TRUE;
	uevent_clear(event);
	return FALSE;
}

/* From the kernel or from root; others can send here, too. */
static gboolean is_trusted(struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) {
			struct ucred who;
			memcpy(&who, CMSG_DATA(c), sizeof who);
			return who.uid == 0;
		}
	return FALSE;
}

NodeNews nodedev_heard(int fd, Uevent *event)
{
	char bytes[MAX_MESSAGE];
	union {
		char room[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	struct iovec part = { bytes, sizeof bytes };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
				  .msg_controllen = sizeof control };
	*event = (Uevent){ 0 };
	ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT);
	if (n < 0)
		return errno == ENOBUFS ? NODE_NEWS_LOST : errno == EINTR ? NODE_NEWS_OTHER : NODE_NEWS_NONE;
	gboolean counts = !(message.msg_flags & MSG_TRUNC) && is_trusted(&message) &&
			  uevent_parse(bytes, (gsize)n, event);
	return counts ? NODE_NEWS_EVENT : NODE_NEWS_OTHER;
}
