/* The verb that gives a guest open files for its disks. Descriptors come with libvirt's messages, or are
 * taken from the calling process, which then holds the group as long as it lives. Facts: pidfd_getfd(2).
 * Neighbours: core/fd_groups.h keeps them. */
#include "base/fd.h"
#include "core/fd_groups.h"
#include "ops/families.h"
#include "ops/tie.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_FDS 32 /* of one group: as many as come with a message of libvirt's */

typedef struct FdsArgs {
	ShapeHead head;
	char *name, *pass_fds;
	gboolean seclabel_writable, seclabel_restore;
} FdsArgs;

static const Row fds_rows[] = {
	STRING(FdsArgs, name, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED, .doc = "name of the group"),
	STRING(FdsArgs, pass_fds, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "numbers of descriptors of the calling process: 3,4"),
	FLAG(FdsArgs, seclabel_writable, NULL, .doc = "the only one is for writing, whatever the disk is"),
	FLAG(FdsArgs, seclabel_restore, NULL, .doc = "taken and without effect: nothing is relabelled"),
};
static const Shape fds_args = SHAPE("dom-fd-associate-args", FdsArgs, fds_rows);

typedef struct FdsResult {
	ShapeHead head;
	OptUint number;
	char *uuid;
} FdsResult;

static const Row result_rows[] = {
	UINT(FdsResult, number, NULL, .doc = "Group"),
	UUID(FdsResult, uuid, NULL),
};
static const Shape fds_result = SHAPE("dom-fd-associate-result", FdsResult, result_rows);

/* A group of a process, until that ends. */
typedef struct Holder {
	Core *core;
	char uuid[37];
	guint number, source;
	int pidfd;
} Holder;

static GPtrArray *holders; /* Holder; main */

static void holder_free(gpointer data)
{
	Holder *holder = data;
	core_fds_forget(holder->core, holder->uuid, holder->number);
	g_clear_handle_id(&holder->source, g_source_remove);
	fd_clear(&holder->pidfd);
	g_free(holder);
}

static gboolean on_holder_end(G_GNUC_UNUSED int pidfd, G_GNUC_UNUSED GIOCondition condition, gpointer data)
{
	((Holder *)data)->source = 0;
	g_ptr_array_remove_fast(holders, data);
	return G_SOURCE_REMOVE;
}

/* Those whose group was given anew, or whose guest has gone, hold nothing any more. */
static void drop_idle_holders(void)
{
	for (guint i = holders->len; i-- > 0;) {
		const Holder *holder = g_ptr_array_index(holders, i);
		if (!core_fds_known(holder->core, holder->uuid, holder->number))
			g_ptr_array_remove_index_fast(holders, i);
	}
}

/* Takes @pidfd. */
static void hold(Core *core, const char *uuid, guint number, int pidfd)
{
	Holder *holder = g_new0(Holder, 1);
	*holder = (Holder){ .core = core, .number = number, .pidfd = pidfd };
	g_strlcpy(holder->uuid, uuid, sizeof holder->uuid);
	if (!holders)
		holders = g_ptr_array_new_with_free_func(holder_free);
	drop_idle_holders();
	g_ptr_array_add(holders, holder);
	holder->source = g_unix_fd_add(pidfd, G_IO_IN, on_holder_end, holder);
}

/* Whether the process @pidfd is the caller's still: another may have that number by now, and one that has
 * started a program of more rights than its user's (setuid) is root's in /proc. */
static gboolean is_callers(const OpCall *call, int pidfd, GError **error)
{
	g_autofree char *path = g_strdup_printf("/proc/%d", (int)call->caller.pid);
	struct stat st;
	gboolean own = stat(path, &st) == 0 && st.st_uid == call->caller.uid &&
		       syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) == 0;
	return own || fail(error, LODGE_ERROR_DENIED,
			   "process %d is not what has asked any more: nothing is taken from it",
			   (int)call->caller.pid);
}

/* The process at the other end; -1: the door gives the descriptors itself. */
static gboolean caller_process(const OpCall *call, int *pidfd, GError **error)
{
	*pidfd = -1;
	if (g_str_equal(call->caller.door, "libvirt"))
		return TRUE;
	if (!call->caller.pid)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "file descriptors are taken from this host's processes, by its unix socket");
	*pidfd = (int)syscall(SYS_pidfd_open, call->caller.pid, 0);
	if (*pidfd < 0)
		return fail_errno(error, errno, "the calling process %d", (int)call->caller.pid);
	return is_callers(call, *pidfd, error);
}

static int take(int pidfd, int number, GError **error)
{
	int fd = pidfd < 0 ? fcntl(number, F_DUPFD_CLOEXEC, 3)
			   : (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	if (fd < 0 && errno == EBADF)
		fail(error, LODGE_ERROR_INVALID, "file descriptor %d is not open", number);
	else if (fd < 0)
		fail_errno(error, errno, "cannot take file descriptor %d of the calling process", number);
	return fd;
}

static gboolean take_all(const FdsArgs *args, int pidfd, int *fds, guint *n, GError **error)
{
	g_auto(GStrv) words = g_strsplit(args->pass_fds, ",", -1);
	for (char **word = words; *word; word++) {
		guint64 number;
		if (!g_ascii_string_to_unsigned(*word, 10, 0, G_MAXINT32, &number, NULL))
			return fail(error, LODGE_ERROR_INVALID, "\"%s\" is no list of file descriptors: 3,4",
				    args->pass_fds);
		if (*n == MAX_FDS)
			return fail(error, LODGE_ERROR_INVALID, "a group has %d file descriptors at most",
				    MAX_FDS);
		fds[*n] = take(pidfd, (int)number, error);
		if (fds[*n] < 0)
			return FALSE;
		(*n)++;
	}
	return *n || fail(error, LODGE_ERROR_INVALID, "say which file descriptors: 3,4");
}

static gboolean fd_associate(OpCall *call, GError **error)
{
	const FdsArgs *args = call->args;
	FdsResult *result = call->result;
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	int fds[MAX_FDS];
	guint n = 0, number = 0;
	autofd int pidfd = -1;
	if (caller_process(call, &pidfd, error) && take_all(args, pidfd, fds, &n, error) &&
	    (pidfd < 0 || is_callers(call, pidfd, error))) /* it was, all the while */
		number = core_fds_give(call->guest, args->name, fds, n, args->seclabel_writable, error);
	for (guint i = 0; i < n; i++)
		fd_clear(&fds[i]);
	if (!number)
		return FALSE;
	result->number = OPT_UINT(number);
	result->uuid = g_strdup(snap->uuid);
	if (pidfd >= 0)
		hold(call->core, snap->uuid, number, fd_steal(&pidfd));
	return TRUE;
}

gboolean op_fds_known(Core *core, const char *uuid, unsigned number)
{
	return core_fds_known(core, uuid, number);
}

void op_forget_fds(Core *core, const char *uuid, unsigned number)
{
	core_fds_forget(core, uuid, number);
}

static const Op ops[] = {
	{ .name = "dom-fd-associate", .family = "Guests", .target = OP_ON_GUEST, .method = "POST",
	  .route = "/v1/guests/{guest}/fds", .perm = OP_PERM_WRITE, .lane = OP_READ, .args = &fds_args,
	  .result = &fds_result, .show = OP_SHOW_MESSAGE, .said = "",
	  .doc = "Give a guest open files of this process for its disks", .fn = fd_associate },
};

const OpFamily op_family_guest_fds = { ops, G_N_ELEMENTS(ops) };
