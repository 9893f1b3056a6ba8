/* dnsmasq as a process: started, found again, watched, ended. See dnsmasq.h.
 *
 * It makes itself a daemon, and its parent ends once it serves: so a start tells what went wrong. Its
 * end is seen through a pidfd on the main loop; a new one is started on a pool thread. */
#include "net/dnsmasq.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/lane.h"
#include "base/log.h"
#include "host/file.h"
#include "host/process.h"
#include "host/spawn.h"
#include "net/forward.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define START_MS 20000
#define END_MS 3000    /* until SIGKILL */
#define MAX_TEXT (4u << 20)
#define MAX_WAIT 60    /* seconds between two attempts to start it again */
#define CALM 60	       /* seconds that it must have run for the next attempt to be the first again */

typedef struct Watch {
	Dnsmasq *dnsmasq; /* a reference */
	int pidfd;	  /* its own */
	guint source;
} Watch;

struct Dnsmasq {
	gint refs; /* the owner's, and one of each watch, timer or restart under way */
	NetConfig config;
	char *name;
	char *object;	   /* "network default", for the log */
	GMutex lock;	   /* all below */
	gboolean left;	   /* it is not ours to start any more */
	DnsmasqFiles files;
	int pidfd;
	Watch *watch;	   /* of the present process; older ones go when theirs has ended */
	guint wait;	   /* seconds before the next attempt; 0: at once */
	gint64 since;	   /* monotonic: when it was started */
};

char *dnsmasq_path(const NetConfig *config, const char *network, const char *what)
{
	return g_strdup_printf("%s/%s.%s", config->run, network, what);
}

char *net_lease_path(const NetConfig *config, const char *network)
{
	return g_strdup_printf("%s/%s.leases", config->lib, network);
}

static void drop(Dnsmasq *d)
{
	if (!g_atomic_int_dec_and_test(&d->refs))
		return;
	fd_clear(&d->pidfd);
	dnsmasq_files_clear(&d->files);
	g_mutex_clear(&d->lock);
	g_free((char *)d->config.run);
	g_free((char *)d->config.lib);
	g_free(d->name);
	g_free(d->object);
	g_free(d);
}

/* ---- the process ---- */

/* Whether the process @pid was started with the configuration @conf. */
static gboolean is_ours(pid_t pid, const char *conf)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", (int)pid);
	g_autofree char *line = NULL, *wanted = g_strdup_printf("--conf-file=%s", conf);
	gsize length = 0;
	if (!g_file_get_contents(path, &line, &length, NULL))
		return FALSE;
	for (gsize at = 0; at < length; at += strlen(line + at) + 1)
		if (g_str_equal(line + at, wanted))
			return TRUE;
	return FALSE;
}

/* A pidfd of the dnsmasq of @network, or -1 where none runs. */
static int find_process(const NetConfig *config, const char *network)
{
	g_autofree char *conf = dnsmasq_path(config, network, "conf");
	g_autofree char *path = dnsmasq_path(config, network, "pid");
	g_autofree char *said = file_read(path, 64, NULL, NULL);
	guint64 ticks;
	pid_t pid = said ? (pid_t)g_ascii_strtoll(said, NULL, 10) : 0;
	if (pid <= 0 || !process_start_time(pid, &ticks, NULL) || !is_ours(pid, conf))
		return -1;
	int pidfd = process_open(pid, ticks, NULL);
	/* A zombie still has a pid. */
	if (pidfd >= 0 && !process_alive(pidfd))
		fd_clear(&pidfd);
	return pidfd;
}

static gboolean write_files(const NetConfig *config, const char *network, const DnsmasqFiles *files,
			    GError **error)
{
	const struct {
		const char *what, *text;
	} all[] = { { "conf", files->conf }, { "hosts", files->hosts }, { "names", files->names } };
	for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
		g_autofree char *path = dnsmasq_path(config, network, all[i].what);
		/* Readable by the user that dnsmasq becomes. */
		if (!file_write(path, all[i].text, strlen(all[i].text), 0644, FILE_CACHE, error))
			return FALSE;
	}
	return TRUE;
}

static void remove_files(const NetConfig *config, const char *network)
{
	static const char *const all[] = { "conf", "hosts", "names", "pid" };
	for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
		g_autofree char *path = dnsmasq_path(config, network, all[i]);
		g_unlink(path);
	}
}

/* Who has what dnsmasq asked for, and what to do; NULL where it complains of something else. Its words are
 * "... listening socket for 192.0.2.1: Address already in use" and "... bind DHCP server socket: ...". */
static char *holder_of(const char *said)
{
	static const char before[] = "listening socket for ";
	const char *address = strstr(said, before);
	gboolean dns = address != NULL;
	g_autofree char *who = NULL;
	if (!strstr(said, "Address already in use"))
		return NULL;
	ForwardSpec spec = { .udp = TRUE, .first = dns ? 53 : 67, .last = dns ? 53 : 67 };
	const char *end = dns ? strstr(address, ": ") : NULL;
	if (end)
		g_strlcpy(spec.address, address + strlen(before),
			  MIN(sizeof spec.address, (gsize)(end - address) - strlen(before) + 1));
	gboolean known = forward_taken(&spec, &who);
	spec.udp = FALSE;
	known = known || (dns && forward_taken(&spec, &who));
	return g_strdup_printf(": %s%s%s", known ? who : "another server listens there", "; end it, ",
			       dns ? "let it listen on its own addresses only, or say <dns enable='no'/>" :
				     "or give the network no <dhcp>");
}

/* Starts one that reads the files that are there; returns its pidfd, or -1. */
static int launch(const NetConfig *config, const char *network, GError **error)
{
	g_autofree char *conf = dnsmasq_path(config, network, "conf");
	g_autofree char *option = g_strdup_printf("--conf-file=%s", conf);
	g_autofree char *program = g_find_program_in_path("dnsmasq"), *said = NULL;
	const char *argv[] = { program, option, NULL };
	Spawn how = { .argv = argv };
	int status = 0;
	if (!program) {
		fail(error, LODGE_ERROR_UNSUPPORTED,
		     "the program dnsmasq, which gives out addresses and names, is missing: install the "
		     "package dnsmasq-base");
		return -1;
	}
	if (!spawn_run(&how, START_MS, &said, &status, error))
		return -1;
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		g_autofree char *holder = holder_of(g_strstrip(said));
		fail(error, holder ? LODGE_ERROR_IN_USE : LODGE_ERROR_SYSTEM,
		     "dnsmasq of network \"%s\": %s%s", network,
		     *said ? said : "failed without a word", holder ? holder : "");
		return -1;
	}
	int pidfd = find_process(config, network);
	if (pidfd < 0)
		fail(error, LODGE_ERROR_SYSTEM,
		     "dnsmasq of network \"%s\" ended at once: see the system's log", network);
	return pidfd;
}

static gboolean end_process(int pidfd, GError **error)
{
	return process_kill_wait(pidfd, END_MS, error);
}

/* ---- watching ---- */

static void watch(Dnsmasq *d);

/* Pool thread: a new one in the place of the one that ended. Takes a reference. */
static void restart(gpointer data)
{
	Dnsmasq *d = data;
	g_autoptr(GError) error = NULL;
	g_mutex_lock(&d->lock);
	if (!d->left && d->pidfd < 0) {
		d->pidfd = write_files(&d->config, d->name, &d->files, &error)
				   ? launch(&d->config, d->name, &error) : -1;
		d->since = g_get_monotonic_time();
		if (d->pidfd < 0)
			log_warning(d->object, "%s; the next attempt comes in %u s", error->message,
				    MAX(d->wait, 1));
		else
			log_info(d->object, "dnsmasq runs again");
		watch(d);
	}
	g_mutex_unlock(&d->lock);
	drop(d);
}

static gboolean restart_now(gpointer data)
{
	lane_beside(restart, data);
	return G_SOURCE_REMOVE;
}

/* Takes over the reference; lock held. */
static void restart_later(Dnsmasq *d)
{
	guint wait = d->wait;
	d->wait = MIN(MAX(wait * 2, 1), MAX_WAIT);
	if (wait)
		g_timeout_add_seconds(wait, restart_now, d);
	else
		lane_beside(restart, d);
}

/* Main loop. */
static void ended(ProcessEnd end, gpointer data)
{
	Watch *w = data;
	Dnsmasq *d = w->dnsmasq;
	g_autofree char *how = process_end_text(end);
	g_mutex_lock(&d->lock);
	gboolean mine = d->watch == w;
	if (mine) {
		log_warning(d->object, "dnsmasq %s; it is started again", how);
		d->watch = NULL;
		fd_clear(&d->pidfd);
		if (g_get_monotonic_time() - d->since > CALM * G_USEC_PER_SEC)
			d->wait = 0;
		restart_later(d);
	}
	g_mutex_unlock(&d->lock);
	fd_clear(&w->pidfd);
	g_free(w);
	if (!mine)
		drop(d);
}

/* Watches the process, or tries again where there is none; lock held. */
static void watch(Dnsmasq *d)
{
	g_atomic_int_inc(&d->refs);
	if (d->pidfd < 0) {
		restart_later(d);
		return;
	}
	d->watch = g_new(Watch, 1);
	*d->watch = (Watch){ .dnsmasq = d, .pidfd = fcntl(d->pidfd, F_DUPFD_CLOEXEC, 0) };
	d->watch->source = process_watch(d->watch->pidfd, ended, d->watch);
}

/* Nobody starts it again; its watch ends with it. Lock held. */
static void unwatch(Dnsmasq *d)
{
	d->left = TRUE;
	d->watch = NULL;
}

/* ---- for own.c ---- */

/* Whether the file is what it should be. */
static gboolean is_written(const NetConfig *config, const char *network, const char *what,
			   const char *text)
{
	g_autofree char *path = dnsmasq_path(config, network, what);
	g_autofree char *has = file_read(path, MAX_TEXT, NULL, NULL);
	return has && g_str_equal(has, text);
}

/* The running one, made to read what is new; -1 where none runs, or where it must be another. */
static int take_up(const NetConfig *config, const char *network, const DnsmasqFiles *files)
{
	autofd int pidfd = find_process(config, network);
	if (pidfd < 0)
		return -1;
	if (!is_written(config, network, "conf", files->conf)) {
		end_process(pidfd, NULL);
		return -1;
	}
	if (is_written(config, network, "hosts", files->hosts) &&
	    is_written(config, network, "names", files->names))
		return fd_steal(&pidfd);
	if (!write_files(config, network, files, NULL) || !process_signal(pidfd, SIGHUP, NULL))
		return -1;
	return fd_steal(&pidfd);
}

Dnsmasq *dnsmasq_start(const NetConfig *config, const Network *live, GError **error)
{
	DnsmasqFiles files;
	dnsmasq_files(config, live, &files);
	int pidfd = take_up(config, live->name, &files);
	if (pidfd < 0 && write_files(config, live->name, &files, error))
		pidfd = launch(config, live->name, error);
	if (pidfd < 0) {
		remove_files(config, live->name);
		dnsmasq_files_clear(&files);
		return NULL;
	}
	Dnsmasq *d = g_new0(Dnsmasq, 1);
	d->refs = 1;
	d->config.run = g_strdup(config->run);
	d->config.lib = g_strdup(config->lib);
	d->name = g_strdup(live->name);
	d->object = g_strdup_printf("network %s", live->name);
	g_mutex_init(&d->lock);
	d->files = files;
	d->pidfd = pidfd;
	d->since = g_get_monotonic_time();
	g_mutex_lock(&d->lock);
	watch(d);
	g_mutex_unlock(&d->lock);
	return d;
}

/* Another process with the configuration of d->files; lock held. */
static gboolean replace(Dnsmasq *d, GError **error)
{
	unwatch(d);
	if (d->pidfd >= 0)
		end_process(d->pidfd, NULL);
	fd_clear(&d->pidfd);
	d->left = FALSE;
	d->pidfd = launch(&d->config, d->name, error);
	d->since = g_get_monotonic_time();
	gboolean ok = d->pidfd >= 0;
	watch(d);
	return ok;
}

gboolean dnsmasq_change(Dnsmasq *d, const Network *live, GError **error)
{
	DnsmasqFiles files;
	dnsmasq_files(&d->config, live, &files);
	g_mutex_lock(&d->lock);
	gboolean same = g_str_equal(files.conf, d->files.conf);
	gboolean ok = write_files(&d->config, d->name, &files, error);
	if (ok) {
		DnsmasqFiles old = d->files;
		d->files = files;
		files = old;
		ok = !same ? replace(d, error) : d->pidfd < 0 || process_signal(d->pidfd, SIGHUP, error);
	}
	g_mutex_unlock(&d->lock);
	dnsmasq_files_clear(&files);
	return ok;
}

gboolean dnsmasq_stop(Dnsmasq *d, GError **error)
{
	g_mutex_lock(&d->lock);
	unwatch(d);
	gboolean ok = d->pidfd < 0 || end_process(d->pidfd, error);
	if (ok)
		remove_files(&d->config, d->name);
	g_mutex_unlock(&d->lock);
	drop(d);
	return ok;
}

void dnsmasq_leave(Dnsmasq *d)
{
	if (!d)
		return;
	g_mutex_lock(&d->lock);
	Watch *w = d->watch;
	unwatch(d);
	g_mutex_unlock(&d->lock);
	if (w && g_source_remove(w->source)) {
		fd_clear(&w->pidfd);
		g_free(w);
		drop(d);
	}
	drop(d);
}

void dnsmasq_sweep(const NetConfig *config, const char *network)
{
	autofd int pidfd = find_process(config, network);
	if (pidfd >= 0)
		end_process(pidfd, NULL);
	remove_files(config, network);
}
