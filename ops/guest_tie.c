/* The verb `tie`: a stream whose end is a guest's end, for those who start guests with --autodestroy through
 * a door where calls have no connection of their own. See tie.h. */
#include "ops/tie.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/core.h"
#include "ops/families.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/socket.h>

typedef struct End {
	CoreGuest *guest;
	int id;
} End;

static void end_run(gpointer data)
{
	g_autofree End *end = data;
	g_autoptr(GuestSnap) snap = core_guest_snap(end->guest);
	g_autoptr(GError) error = NULL;
	if (snap->id == end->id && !core_guest_destroy(end->guest, FALSE, &error))
		log_warning(snap->name, "its connection has gone, but it cannot be ended: %s",
			    error->message);
	core_guest_unref(end->guest);
}

void op_end_run(Core *core, const char *uuid, int id)
{
	CoreGuest *guest = core_find_by(core, CORE_BY_UUID, uuid, NULL);
	if (!guest)
		return;
	End *end = g_new(End, 1);
	*end = (End){ guest, id };
	lane_beside(end_run, end);
}

/* One stream; it ends with its reader or with the guest's run. */
typedef struct Tie {
	Core *core;
	char uuid[37];
	int id, fd;
	guint source, subscription;
} Tie;

static void tie_free(Tie *tie)
{
	core_unsubscribe(tie->core, tie->subscription);
	g_clear_handle_id(&tie->source, g_source_remove);
	fd_clear(&tie->fd);
	g_free(tie);
}

static gboolean on_reader(int fd, GIOCondition condition, gpointer data)
{
	Tie *tie = data;
	char dropped[256];
	ssize_t n = recv(fd, dropped, sizeof dropped, MSG_DONTWAIT);
	if (!(condition & (G_IO_HUP | G_IO_ERR)) && (n > 0 || (n < 0 && errno == EAGAIN)))
		return G_SOURCE_CONTINUE;
	tie->source = 0;
	op_end_run(tie->core, tie->uuid, tie->id);
	tie_free(tie);
	return G_SOURCE_REMOVE;
}

static void on_event(const CoreEvent *event, gpointer data)
{
	Tie *tie = data;
	if (!g_strcmp0(event->event, "stopped") && g_str_equal(event->uuid, tie->uuid))
		tie_free(tie);
}

static gboolean tie_guest(OpCall *call, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	int ends[2];
	if (snap->id < 0)
		return guest_not_running(snap->name, error);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return fail_errno(error, errno, "cannot make a stream");
	Tie *tie = g_new0(Tie, 1);
	*tie = (Tie){ .core = call->core, .id = snap->id, .fd = ends[1] };
	g_strlcpy(tie->uuid, snap->uuid, sizeof tie->uuid);
	tie->subscription = core_subscribe(call->core, on_event, tie);
	tie->source = g_unix_fd_add(ends[1], G_IO_IN, on_reader, tie);
	call->stream_fd = ends[0];
	return TRUE;
}

static const Op ops[] = {
	{ .name = "tie", .family = "Guests", .method = "GET", .route = "/v1/guests/{guest}/tie",
	  .target = OP_ON_GUEST, .perm = OP_PERM_WRITE, .lane = OP_READ, .show = OP_SHOW_STREAM,
	  .doc = "Have a running guest end when this command does", .fn = tie_guest },
};

const OpFamily op_family_guest_tie = { ops, G_N_ELEMENTS(ops) };
