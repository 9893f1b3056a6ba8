/* QEMU as an engine: the vtable, and what is learned once. See engine.h and run.h. */
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "engine/qemu/adapt.h"
#include "engine/qemu/firmware.h"
#include "engine/qemu/run.h"
#include "host/facts.h"
#include "host/open.h"
#include "host/process.h"

#include <fcntl.h>

#define TERM_MS 5000 /* destroy --graceful: until SIGKILL follows */

QemuHost qemu_host;

static gboolean probe(const EngineConfig *config, G_GNUC_UNUSED Notes *notes, GError **error)
{
	qemu_host.config = *config;
	qemu_host.binary = host_find_qemu(config->qemu);
	qemu_host.user = host_user_for_qemu(config->user, error);
	if (!qemu_host.user)
		return FALSE;
	/* daemons with a root of their own have groups of their own */
	const char *root = config->paths->root;
	g_autofree char *tree = root ? g_strdup_printf("lodge-%08x", g_str_hash(root)) : NULL;
	qemu_host.cgroups = cgroup_tree_open(tree ? tree : "lodge");
	if (cgroup_tree_why_not(qemu_host.cgroups))
		log_info(NULL, "guests run without cgroups: %s",
			 cgroup_tree_why_not(qemu_host.cgroups));
	host_open_set_user(qemu_host.user);
	qemu_host.kvm = host_kvm_usable(qemu_host.user, &qemu_host.kvm_why_not);
	return TRUE;
}

static gboolean check(Guest *guest, Notes *notes, GError **error)
{
	g_autofree char *nvram = run_nvram_folder();
	return qemu_complete(guest, &qemu_host.config, notes, error) &&
	       qemu_firmware_complete(guest, nvram, notes, error);
}

static gboolean end(EngineRun *run, gboolean graceful, GError **error)
{
	return process_kill_wait(run->pidfd, graceful ? TERM_MS : 0, error);
}

static void stop(EngineRun *run)
{
	run_clean(run);
	run_unref(run);
}

/* QEMU may create no file: it writes into ours, which it gets as an fd. */
static gboolean screenshot(EngineRun *run, int fd, const EngineScreen *screen, GError **error)
{
	g_autofree char *again = g_strdup_printf("/proc/self/fd/%d", fd);
	autofd int writer = open(again, O_WRONLY | O_CLOEXEC);
	if (writer < 0)
		return fail_errno(error, errno, "cannot write the screenshot");
	json_t *set = qmp_call_fd(run->qmp, "add-fd", json_object(), writer, QMP_MS, error);
	if (!set)
		return FALSE;
	json_int_t id = json_integer_value(json_object_get(set, "fdset-id"));
	json_decref(set);
	g_autofree char *name = g_strdup_printf("/dev/fdset/%" JSON_INTEGER_FORMAT, id);
	json_t *arguments = json_pack("{s:s, s:s}", "filename", name, "format", "png");
	if (screen) {
		json_object_set_new(arguments, "device", json_string(screen->alias));
		json_object_set_new(arguments, "head", json_integer(screen->head));
	}
	json_t *done = qmp_call(run->qmp, "screendump", arguments, QMP_MS, error);
	json_decref(qmp_call(run->qmp, "remove-fd", json_pack("{s:I}", "fdset-id", id), QMP_MS,
			     NULL));
	json_decref(done);
	return done != NULL;
}

static gboolean write_what(EngineRun *run, EngineWrite what, int fd, const EngineProgress *progress,
			   GError **error)
{
	if (what >= ENGINE_DUMP_ELF)
		return run_dump(run, what, fd, progress, error);
	return what == ENGINE_MEMORY ? run_save(run, fd, progress, error)
				     : screenshot(run, fd, progress ? progress->screen : NULL, error);
}

const Engine qemu_engine = {
	.name = "qemu",
	.probe = probe,
	.check = check,
	.start = run_start,
	.adopt = run_adopt,
	.record = run_record,
	.signal = run_signal,
	.write = write_what,
	.ask = run_ask,
	.screen = run_screen,
	.describe = run_describe,
	.native = run_native,
	.cpus = run_cpus,
	.measure = run_measure,
	.kill = end,
	.stop = stop,
};
