/* passt at work: with the guest's start, and again where it ends or is to have other ports. QEMU listens on a
 * socket that the daemon has bound, and takes the next connection once one has ended; in between its guest
 * has no network. See run.h; passt.c starts one. And qemu-pr-helper, to which QEMU connects anew.
 *
 * Who notices the end is the main loop; core/ has it started again on the guest's lane, and writes down which
 * process it is now. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <jansson.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "engine/qemu/run.h"
#include "host/process.h"
#include "host/socket.h"

#define CALM_S 20 /* who has run so long is started again at once */
#define WAIT_MAX_S 60

typedef struct Watch {
	EngineRun *run; /* a reference */
	int pidfd;
	gint64 since;
} Watch;

/* Not in the guest's folder, which is QEMU's user's: nobody else says where the daemon connects to. */
static char *socket_of(const EngineRun *run, const char *alias)
{
	return g_strdup_printf("%s/passt:%s:%s", qemu_host.config.paths->run, run->name, alias);
}

/* ---- its end ---- */

static gboolean say(gpointer data)
{
	EngineRun *run = data;
	if (!g_atomic_int_get(&run->quiet))
		run->sink.event(run->sink.owner, "helper-ended", NULL);
	run_unref(run);
	return G_SOURCE_REMOVE;
}

static void say_later(EngineRun *run)
{
	int wait = g_atomic_int_get(&run->passt_wait);
	g_atomic_int_set(&run->passt_wait, CLAMP(wait * 2, 1, WAIT_MAX_S));
	g_timeout_add_seconds((guint)wait, say, run_ref(run));
}

/* Main. */
static void ended(G_GNUC_UNUSED ProcessEnd end, gpointer data)
{
	Watch *watch = data;
	if (g_get_monotonic_time() - watch->since > CALM_S * G_USEC_PER_SEC)
		g_atomic_int_set(&watch->run->passt_wait, 0);
	say_later(watch->run);
	run_unref(watch->run);
	close(watch->pidfd);
	g_free(watch);
}

static gboolean is_for_reservations(const QemuHelper *helper)
{
	return g_str_equal(qemu_helper_name(helper), "qemu-pr-helper");
}

/* Whether QEMU connects again once it is back. */
static gboolean comes_again(const QemuHelper *helper)
{
	return qemu_helper_words(helper) || is_for_reservations(helper);
}

void run_watch_helper(EngineRun *run, const QemuHelper *helper)
{
	if (!comes_again(helper))
		return;
	Watch *watch = g_new(Watch, 1);
	*watch = (Watch){ run_ref(run), qemu_helper_pidfd(helper), g_get_monotonic_time() };
	if (watch->pidfd >= 0)
		process_watch(watch->pidfd, ended, watch);
	else
		ended((ProcessEnd){ 0 }, watch);
}

void run_check_helpers(EngineRun *run)
{
	for (guint i = 0; i < run->helpers->len; i++)
		if (comes_again(run->helpers->pdata[i]) && !qemu_helper_alive(run->helpers->pdata[i])) {
			say_later(run);
			return;
		}
}

/* ---- its start ---- */

static QemuHelper *start(EngineRun *run, const Interface *interface, const char *socket, GError **error)
{
	QemuHelper *helper = qemu_passt_start(run->name, interface, run->run_dir, socket, qemu_host.user,
					      run->cgroup, error);
	if (helper)
		run_watch_helper(run, helper);
	return helper;
}

int run_open_passt(EngineRun *run, const Interface *interface, GError **error)
{
	g_autofree char *socket = socket_of(run, interface->info.alias);
	autofd int fd = socket_listen(socket, 0600, error);
	if (fd < 0)
		return -1;
	QemuHelper *helper = start(run, interface, socket, error);
	if (!helper) {
		g_unlink(socket);
		return -1;
	}
	g_ptr_array_add(run->helpers, helper);
	return fd_steal(&fd);
}

static gboolean serve(EngineRun *run, const Interface *interface, QemuHelper **slot, GError **error)
{
	if (!qemu_helper_alive(*slot))
		log_warning(run->name, "passt of interface %s has ended; it is started again",
			    interface->mac);
	qemu_helper_end(*slot);
	QemuHelper *next = start(run, interface, qemu_helper_socket(*slot), error);
	if (!next) {
		say_later(run);
		return FALSE;
	}
	qemu_helper_free(*slot); /* the socket is the next one's */
	*slot = next;
	return TRUE;
}

static char *serve_as(EngineRun *run, const Interface *interface, GError **error)
{
	g_autofree char *words = qemu_passt_words(interface, error);
	g_autofree char *socket = words ? socket_of(run, interface->info.alias) : NULL;
	if (!words)
		return NULL;
	for (guint i = 0; i < run->helpers->len; i++) {
		QemuHelper **slot = (QemuHelper **)&run->helpers->pdata[i];
		if (!g_str_equal(qemu_helper_socket(*slot), socket))
			continue;
		if (qemu_helper_alive(*slot) && !g_strcmp0(qemu_helper_words(*slot), words))
			return g_strdup("");
		return serve(run, interface, slot, error) ? g_strdup("started") : NULL;
	}
	fail(error, LODGE_ERROR_STATE, "interface %s has no passt that could be started again: it comes with "
	     "the guest's next start", interface->mac);
	return NULL;
}

/* ---- reservations ---- */

static QemuHelper *reserve(EngineRun *run, GError **error)
{
	autofd int log = open(run->log_path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	QemuHelper *helper =
		qemu_reservations_start(run->name, run->run_dir, qemu_host.user, run->cgroup, log, error);
	if (helper)
		run_watch_helper(run, helper);
	else
		say_later(run);
	return helper;
}

/* "" where it runs. */
static char *reserve_again(EngineRun *run, GError **error)
{
	for (guint i = 0; i < run->helpers->len; i++) {
		QemuHelper **slot = (QemuHelper **)&run->helpers->pdata[i];
		if (!is_for_reservations(*slot) || qemu_helper_alive(*slot))
			continue;
		log_warning(run->name, "qemu-pr-helper has ended; it is started again");
		qemu_helper_end(*slot);
		QemuHelper *next = reserve(run, error);
		if (!next)
			return NULL;
		qemu_helper_free(*slot);
		*slot = next;
		return g_strdup("started");
	}
	return g_strdup("");
}

/* ---- either ---- */

char *run_passt(EngineRun *run, const char *text, GError **error)
{
	if (g_str_equal(text, "reservations"))
		return reserve_again(run, error);
	json_t *json = json_loads(text, 0, NULL);
	Interface *interface = json ? shape_from_json(&interface_shape, json, error) : NULL;
	json_decref(json);
	if (!interface)
		return NULL;
	char *answer = interface->info.alias ? serve_as(run, interface, error) : NULL;
	shape_free(&interface_shape, interface);
	return answer;
}
