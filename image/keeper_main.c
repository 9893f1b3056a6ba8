/* What a keeper of leases does: see keeper.h. One thread touches the leases, which may hang with
 * the server; the other watches the process that they are kept for. */
#include "image/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "image/lease.h"

#define SAFE_SECONDS (LEASE_EXPIRES - 20)
#define LOOK_MS 1000

typedef struct Kept {
	ImageLease *lease;
	uid_t uid; /* whom the server lets write there */
	gid_t gid;
} Kept;

typedef struct Keeping {
	GArray *kept; /* Kept */
	gint last,
		lost; /* atomic: seconds of the monotonic clock at the last beat; another has one */
	gint over;    /* atomic: no more beats */
} Keeping;

static gint seconds(void)
{
	return (gint)(g_get_monotonic_time() / G_USEC_PER_SEC);
}

/* For this thread's files only. */
static void be(uid_t uid, gid_t gid)
{
	setfsgid(gid);
	setfsuid(uid);
}

static void be_ourselves(void)
{
	be(geteuid(), getegid());
}

/* ---- taking ---- */

/* Where root is nobody (root_squash) the image's owner may, or that of its folder. */
static ImageLease *take_as_owner(const char *image, const char *holder, Kept *kept, GError **error)
{
	g_autofree char *folder = g_path_get_dirname(image);
	const char *const owned[] = { image, folder };
	for (guint i = 0; i < G_N_ELEMENTS(owned); i++) {
		struct stat st;
		if (stat(owned[i], &st) < 0)
			continue;
		g_clear_error(error);
		be(st.st_uid, st.st_gid);
		ImageLease *lease = image_lease_take(image, holder, error);
		be_ourselves();
		kept->uid = st.st_uid;
		kept->gid = st.st_gid;
		if (lease || g_error_matches(*error, LODGE_ERROR, LODGE_ERROR_IN_USE))
			return lease;
	}
	return NULL;
}

/* FALSE with @error where somebody else has it; notes are lines of standard output. */
static gboolean take(Keeping *keeping, const char *image, const char *holder, GError **error)
{
	g_autoptr(GError) why = NULL;
	Kept kept = { .uid = geteuid(), .gid = getegid() };
	kept.lease = image_lease_take(image, holder, &why);
	if (!kept.lease && geteuid() == 0 && g_error_matches(why, LODGE_ERROR, LODGE_ERROR_DENIED))
		kept.lease = take_as_owner(image, holder, &kept, &why);
	if (kept.lease) {
		g_array_append_val(keeping->kept, kept);
	} else if (g_error_matches(why, LODGE_ERROR, LODGE_ERROR_IN_USE)) {
		g_propagate_error(error, g_steal_pointer(&why));
		return FALSE;
	} else {
		printf("~image \"%s\": other hosts are not told that it is in use: %s\n", image,
		       why ? why->message : "no reason given");
	}
	return TRUE;
}

static void drop_all(Keeping *keeping)
{
	for (guint i = 0; i < keeping->kept->len; i++) {
		Kept *kept = &g_array_index(keeping->kept, Kept, i);
		be(kept->uid, kept->gid);
		image_lease_drop(kept->lease);
		be_ourselves();
	}
	g_array_set_size(keeping->kept, 0);
}

/* ---- keeping ---- */

static gpointer beat(gpointer data)
{
	Keeping *keeping = data;
	for (guint tick = 1; !g_atomic_int_get(&keeping->over); tick++) {
		g_usleep(100000);
		if (tick % (10 * LEASE_BEAT))
			continue;
		gboolean all = TRUE;
		for (guint i = 0; i < keeping->kept->len; i++) {
			const Kept *kept = &g_array_index(keeping->kept, Kept, i);
			be(kept->uid, kept->gid);
			LeaseBeat how = image_lease_beat(kept->lease);
			all = all && how == LEASE_KEPT;
			if (how == LEASE_LOST)
				g_atomic_int_set(&keeping->lost, TRUE);
		}
		if (all)
			g_atomic_int_set(&keeping->last, seconds());
	}
	return NULL;
}

static void send_signal(int pidfd, int number, const char *why)
{
	syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0);
	fprintf(stderr, "lodge lease-keeper: %s\n", why);
}

/* Until the process has ended. */
static void watch(Keeping *keeping, int pidfd)
{
	gboolean stopped = FALSE;
	for (struct pollfd end = { .fd = pidfd, .events = POLLIN }; poll(&end, 1, LOOK_MS) <= 0;) {
		gboolean late = seconds() - g_atomic_int_get(&keeping->last) > SAFE_SECONDS;
		if (g_atomic_int_get(&keeping->lost)) {
			send_signal(pidfd, SIGKILL,
				    "another host has taken an image over: the guest is "
				    "ended");
			poll(&end, 1, -1);
			return;
		}
		if (late != stopped)
			send_signal(
				pidfd, late ? SIGSTOP : SIGCONT,
				late ? "the server of an image does not answer: the guest is "
				       "stopped until it "
				       "does"
				     : "the server of an image answers again: the guest goes on");
		stopped = late;
	}
}

/* The number of a process from standard input; 0 at its end. */
static int read_pid(void)
{
	char text[32] = "";
	gsize n = 0;
	for (ssize_t got;
	     n < sizeof text - 1 && (got = read(0, text + n, sizeof text - 1 - n)) != 0;)
		n += got > 0 ? (gsize)got : 0;
	return atoi(text);
}

static void keep(Keeping *keeping)
{
	keeping->last = seconds();
	GThread *thread = g_thread_new("beat", beat, keeping);
	int pid = read_pid();
	int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	if (pidfd >= 0)
		watch(keeping, pidfd);
	g_atomic_int_set(&keeping->over, TRUE);
	g_thread_join(thread);
	drop_all(keeping);
}

int image_keeper_main(int argc, char *const *argv)
{
	Keeping keeping = { .kept = g_array_new(FALSE, FALSE, sizeof(Kept)) };
	g_autoptr(GError) error = NULL;
	gboolean ok = argc > 1;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN); /* it ends with what it is for */
	prctl(PR_SET_NAME, "lodge-lease");
	for (int i = 1; i < argc && ok; i++)
		ok = take(&keeping, argv[i], argv[0], &error);
	if (ok)
		puts("+");
	else
		printf("-%d %s\n", error ? error->code : LODGE_ERROR_INVALID,
		       error ? error->message
			     : "no "
			       "image");
	fflush(stdout);
	freopen("/dev/null", "w", stdout); /* who started it waits for the end of the answer */
	if (ok)
		keep(&keeping);
	else
		drop_all(&keeping);
	g_array_unref(keeping.kept);
	return ok ? 0 : 1;
}
