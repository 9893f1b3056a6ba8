/* The start of a guest: folder, files, helpers, process, monitor, consoles, CPUs; in this order, and
 * undone as a whole where a step fails. See run.h. */
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "engine/qemu/run.h"
#include "host/process.h"
#include "host/spawn.h"
#include "image/keeper.h"
#include "model/alias.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define ENDS_MS 2000
#define START_MS 60000 /* QEMU with much memory to allocate may take long */

/* ---- before the process ---- */

static gboolean make_run_dir(EngineRun *run, GError **error)
{
	g_autofree char *above = g_path_get_dirname(run->run_dir);
	/* QEMU's user passes through to its own */
	if (g_mkdir_with_parents(above, 0711) < 0 || chmod(above, 0711) < 0 ||
	    (mkdir(run->run_dir, 0700) < 0 && errno != EEXIST))
		return fail_errno(error, errno, "cannot create the folder %s", run->run_dir);
	const HostUser *user = qemu_host.user;
	if (user && getuid() == 0 && chown(run->run_dir, user->uid, user->gid) < 0)
		return fail_errno(error, errno, "cannot give %s to %s", run->run_dir, user->name);
	return TRUE;
}

/* KVM where it works; elsewhere the guest is emulated and its owner told, or refused. */
static gboolean choose_accel(Guest *live, gboolean *kvm, Notes *notes, GError **error)
{
	*kvm = live->type == GUEST_KVM && qemu_host.kvm;
	if (live->type != GUEST_KVM || *kvm)
		return TRUE;
	if (qemu_host.config.require_kvm)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "guest \"%s\" is of type kvm, but KVM does not work here: %s; the "
			    "configuration says require-kvm", live->name, qemu_host.kvm_why_not);
	notes_add(notes, "guest \"%s\" is emulated, which is slow: %s", live->name,
		  qemu_host.kvm_why_not);
	live->type = GUEST_QEMU;
	return TRUE;
}

static int open_log(EngineRun *run, goffset *end, GError **error)
{
	g_autofree char *folder = g_path_get_dirname(run->log_path);
	g_mkdir_with_parents(folder, 0700);
	int fd = open(run->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		fail_errno(error, errno, "cannot open %s", run->log_path);
	else
		*end = lseek(fd, 0, SEEK_END);
	return fd;
}

static void log_command(int log, const QemuCommand *command)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autofree char *stamp = g_date_time_format(now, "%Y-%m-%d %H:%M:%S+0000");
	g_autoptr(GString) line = g_string_new(stamp);
	g_string_append(line, ": starting up:");
	for (guint i = 0; i + 1 < command->argv->len; i++) {
		g_autofree char *word = g_shell_quote(g_ptr_array_index(command->argv, i));
		g_string_append_printf(line, " %s", word);
	}
	g_string_append_c(line, '\n');
	if (write(log, line->str, line->len) < 0)
		log_warning(NULL, "cannot write a guest's log");
}

/* A program beside QEMU for each TPM and each shared folder of virtiofs, and one for reservations. */
static gboolean start_helpers(EngineRun *run, const Guest *live, int log, GError **error)
{
	g_autofree char *state = engine_tpm_folder(qemu_host.config.paths, live->uuid);
	SHAPE_EACH (Tpm, tpm, live->tpms) {
		if (!qemu_swtpm_wanted(tpm))
			continue;
		QemuHelper *helper = qemu_swtpm_start(live, tpm, run->run_dir, state,
						      qemu_host.user, run->cgroup, log, error);
		if (!helper)
			return FALSE;
		g_ptr_array_add(run->helpers, helper);
	}
	SHAPE_EACH (Filesystem, fs, live->filesystems) {
		if (!qemu_virtiofsd_wanted(fs))
			continue;
		QemuHelper *helper =
			qemu_virtiofsd_start(live, fs, run->run_dir, qemu_host.user, run->cgroup,
					     log, error);
		if (!helper)
			return FALSE;
		g_ptr_array_add(run->helpers, helper);
	}
	if (!qemu_reservations_wanted(live))
		return TRUE;
	QemuHelper *helper = qemu_reservations_start(live->name, run->run_dir, qemu_host.user, run->cgroup,
						     log, error);
	if (!helper)
		return FALSE;
	g_ptr_array_add(run->helpers, helper);
	run_watch_helper(run, helper);
	return TRUE;
}

static const QemuHelper *find_swtpm(const EngineRun *run)
{
	for (guint i = 0; i < run->helpers->len; i++) {
		const QemuHelper *helper = g_ptr_array_index(run->helpers, i);
		if (g_str_equal(qemu_helper_name(helper), "swtpm"))
			return helper;
	}
	return NULL;
}

/* ---- the process ---- */

static GPtrArray *environment(const QemuCommand *command)
{
	GPtrArray *env = g_ptr_array_new();
	g_ptr_array_add(env, (gpointer) "LC_ALL=C");
	g_ptr_array_add(env, (gpointer) "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	g_ptr_array_add(env, (gpointer) "HOME=/");
	for (guint i = 0; command->env && i + 1 < command->env->len; i++)
		g_ptr_array_add(env, g_ptr_array_index(command->env, i));
	g_ptr_array_add(env, NULL);
	return env;
}

/* Devices that read and write the guest's memory by themselves: all of it has to stay where it is. */
static gboolean has_vfio(const Guest *live)
{
	SHAPE_EACH (Interface, interface, live->interfaces)
		if (interface->source && interface->source->pci)
			return TRUE;
	SHAPE_EACH (Disk, disk, live->disks)
		if (disk->type == DISK_NVME)
			return TRUE;
	return shape_len(live->hostdevs) > 0;
}

static gboolean spawn_qemu(EngineRun *run, const QemuCommand *command, const Guest *live,
			   const int *fds, int log, GError **error)
{
	g_autoptr(GPtrArray) env = environment(command);
	g_autofree SpawnFd *map = g_new(SpawnFd, command->fds->len + 1);
	for (guint i = 0; i < command->fds->len; i++) {
		const QemuFd *want = g_ptr_array_index(command->fds, i);
		map[i] = (SpawnFd){ .from = fds[i], .to = want->number };
	}
	gboolean locks = live->memory_backing && live->memory_backing->locked;
	SpawnLimit memlock = { RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY };
	Spawn how = { .argv = (const char *const *)command->argv->pdata,
		      .env = (const char *const *)env->pdata,
		      .fds = map, .n_fds = command->fds->len, .output = log,
		      .user = getuid() == 0 ? qemu_host.user : NULL,
		      .limits = &memlock,
		      .n_limits = locks || has_vfio(live) ? 1 : 0 };
	if (run->cgroup)
		cgroup_apply(run->cgroup, &how);
	SpawnChild child;
	if (!spawn(&how, &child, error))
		return FALSE;
	run->pid = child.pid;
	run->pidfd = child.pidfd;
	run_watch(run);
	return process_start_time(run->pid, &run->ticks, error);
}

/* Other hosts are told which images it writes, before it can write them. */
static gboolean spawn_with_leases(EngineRun *run, const QemuCommand *command, const Guest *live,
				  const int *fds, int log, Notes *notes, GError **error)
{
	g_autofree char *holder = g_strdup_printf("guest \"%s\"", run->name);
	g_autoptr(ImageKeeper) keeper = NULL;
	if (!image_keeper_start(run->writes, holder, log, &keeper, notes, error)) {
		g_prefix_error(error, "guest \"%s\": ", run->name);
		return FALSE;
	}
	return spawn_qemu(run, command, live, fds, log, error) && image_keeper_bind(keeper, run->pid, error);
}

static gboolean launch(EngineRun *run, const QemuCommand *command, const Guest *live, int log, Notes *notes,
		       GError **error)
{
	g_autofree int *fds = g_new(int, command->fds->len + 1);
	for (guint i = 0; i < command->fds->len; i++)
		fds[i] = -1;
	gboolean ok = run_open_fds(run, command, live, fds, error) &&
		      spawn_with_leases(run, command, live, fds, log, notes, error);
	/* at once, that of the monitor above all: a QEMU that dies early is noticed only then */
	for (guint i = 0; i < command->fds->len; i++)
		fd_clear(&fds[i]);
	if (!ok)
		return FALSE;
	run->qmp = qmp_connect(run->monitor_path, run->name, &run_monitor_handlers, run_ref(run),
			       error);
	if (!run->qmp)
		run_unref(run);
	return run->qmp != NULL;
}

/* ---- the monitor ---- */

static const char *pty_of(json_t *chardevs, const char *id)
{
	size_t i;
	json_t *chardev;
	json_array_foreach(chardevs, i, chardev) {
		const char *label = json_string_value(json_object_get(chardev, "label"));
		const char *file = json_string_value(json_object_get(chardev, "filename"));
		if (!g_strcmp0(label, id) && file && g_str_has_prefix(file, "pty:"))
			return file + strlen("pty:");
	}
	return NULL;
}

static void set_pty(Chardev *chardev, const char *path)
{
	if (!shape_len(chardev->backend.sources))
		shape_append(&chardev->backend.sources, NULL, g_new0(ChardevSource, 1));
	ChardevSource *source = g_ptr_array_index(chardev->backend.sources, 0);
	g_free(source->path);
	source->path = g_strdup(path);
}

/* Puts the ptys that QEMU made into the definition: <source path='/dev/pts/3'/>. */
static void fill_ptys(Guest *live, json_t *chardevs)
{
	GPtrArray *lists[] = { live->serials, live->parallels, live->consoles, live->channels };
	for (guint i = 0; i < G_N_ELEMENTS(lists); i++) {
		SHAPE_EACH (Chardev, chardev, lists[i]) {
			if (chardev->type != CHARDEV_PTY || !chardev->info.alias)
				continue;
			g_autofree char *id = qemu_chardev_id(chardev->info.alias);
			const char *path = pty_of(chardevs, id);
			if (path)
				set_pty(chardev, path);
		}
	}
	/* the first console is the first serial port seen again */
	Chardev *serial = shape_len(live->serials) ? g_ptr_array_index(live->serials, 0) : NULL;
	Chardev *console = shape_len(live->consoles) ? g_ptr_array_index(live->consoles, 0) : NULL;
	const ChardevSource *from = serial ? chardev_source(&serial->backend) : NULL;
	if (from && from->path && console && console->type == CHARDEV_PTY &&
	    !g_strcmp0(console->target_type, "serial"))
		set_pty(console, from->path);
	SHAPE_EACH (Chardev, tty, live->consoles) {
		const ChardevSource *source = chardev_source(&tty->backend);
		if (tty->type == CHARDEV_PTY && source && source->path)
			tty->tty = g_strdup(source->path);
	}
}

static void open_console(EngineRun *run, const Chardev *chardev)
{
	const ChardevSource *source = chardev_source(&chardev->backend);
	if (chardev->type != CHARDEV_PTY || !source || !source->path || !chardev->info.alias)
		return;
	int fd = open(source->path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		log_error(run->name, "cannot open %s: %s", source->path, g_strerror(errno));
	else
		run->sink.console(run->sink.owner, chardev->info.alias, fd);
}

void run_open_consoles(EngineRun *run, const Guest *live)
{
	SHAPE_EACH (Chardev, serial, live->serials)
		open_console(run, serial);
	SHAPE_EACH (Chardev, console, live->consoles)
		if (g_strcmp0(console->target_type, "serial"))
			open_console(run, console);
}

/* The port that VNC found. */
static void fill_vnc_port(Guest *live, json_t *vnc)
{
	const char *service = json_string_value(json_object_get(vnc, "service"));
	SHAPE_EACH (Graphics, graphics, live->graphics)
		if (graphics->type == GRAPHICS_VNC && service && qemu_graphics_listens(graphics))
			graphics->port = OPT_INT(g_ascii_strtoll(service, NULL, 10));
}

static gboolean wants_vnc(const Guest *live)
{
	SHAPE_EACH (Graphics, graphics, live->graphics)
		if (graphics->type == GRAPHICS_VNC && qemu_graphics_listens(graphics))
			return TRUE;
	return FALSE;
}

/* What could not stand on the command line, and what QEMU made of it; one round trip. */
static gboolean configure(EngineRun *run, const QemuCommand *command, Guest *live, GError **error)
{
	guint n = command->after_start->len;
	g_autofree QmpItem *items = g_new0(QmpItem, n + 2);
	for (guint i = 0; i < n; i++) {
		json_t *item = g_ptr_array_index(command->after_start, i);
		items[i].command = json_string_value(json_object_get(item, "execute"));
		items[i].arguments = json_incref(json_object_get(item, "arguments"));
	}
	items[n].command = "query-chardev";
	guint count = n + 1;
	if (wants_vnc(live))
		items[count++].command = "query-vnc";
	gboolean ok = qmp_batch(run->qmp, items, count, START_MS, error);
	if (ok) {
		fill_ptys(live, items[n].result);
		run_fill_channels(run, live, items[n].result);
		if (count > n + 1)
			fill_vnc_port(live, items[n + 1].result);
	}
	qmp_items_clear(items, count);
	return ok;
}

static gboolean go(EngineRun *run, Guest *live, const EngineStart *how, GError **error)
{
	if (how->stream && !run_load(run, how->stream, error))
		return FALSE;
	if (how->loaded && !how->loaded(how->loaded_data, error))
		return FALSE;
	g_atomic_int_set(&run->quiet, FALSE);
	if (how->stream)
		run_refresh_channels(run, live, QMP_MS); /* open already */
	if (how->paused)
		return process_alive(run->pidfd) ||
		       fail(error, LODGE_ERROR_ENGINE, "QEMU ended at once");
	json_t *result = qmp_call(run->qmp, "cont", NULL, START_MS, error);
	json_decref(result);
	return result != NULL;
}

/* @line without the time and the program's name in front. */
static const char *bare_words(const char *line)
{
	const char *name = strstr(line, "Z qemu-system-");
	const char *colon = name ? strstr(name, ": ") : NULL;
	return colon && g_ascii_isdigit(*line) ? colon + 2 : line;
}

/* What QEMU said of itself since @log_from, without what it says of every start. */
static char *last_words(const EngineRun *run, goffset log_from)
{
	g_autofree char *tail = run_log_tail(run, log_from);
	g_auto(GStrv) lines = g_strsplit(tail, ";", -1);
	GString *words = g_string_new(NULL);
	for (guint i = 0; lines[i]; i++)
		if (*g_strchug(lines[i]) && !g_str_has_prefix(lines[i], "char device redirected to "))
			g_string_append_printf(words, "%s%s", words->len ? "; " : "",
					       bare_words(lines[i]));
	return g_string_free(words, FALSE);
}

/* Whatever step noticed it: where QEMU has ended, that is the reason, and its own words say more. */
static void explain(const EngineRun *run, goffset log_from, GError **error)
{
	/* a closed monitor is that of a process which is about to end */
	gboolean closed = g_error_matches(*error, LODGE_ERROR, LODGE_ERROR_GONE);
	if (run->pidfd < 0 || !process_wait(run->pidfd, closed ? ENDS_MS : 0))
		return;
	g_autofree char *words = last_words(run, log_from);
	g_clear_error(error);
	fail(error, LODGE_ERROR_ENGINE, "guest \"%s\": QEMU does not start: %s", run->name,
	     *words ? words : "it ended without a word");
}

/* The stream is handed over later: QEMU waits for it. */
static void expect_stream(QemuCommand *command)
{
	g_ptr_array_insert(command->argv, (gint)command->argv->len - 1, g_strdup("-incoming"));
	g_ptr_array_insert(command->argv, (gint)command->argv->len - 1, g_strdup("defer"));
}

static gboolean start_process(EngineRun *run, Guest *live, gboolean kvm, const EngineStart *how,
			      Notes *notes, GError **error)
{
	goffset log_end = 0;
	autofd int log = open_log(run, &log_end, error);
	if (log < 0 || !start_helpers(run, live, log, error))
		return FALSE;
	const QemuHelper *tpm = find_swtpm(run);
	const QemuCaps *caps = qemu_caps_get(live->emulator ? live->emulator : qemu_host.binary,
					     qemu_host.config.paths->lib, error);
	if (!caps)
		return FALSE;
	QemuSetup setup = { .caps = caps, .kvm = kvm, .binary = caps->binary,
			    .run_dir = run->run_dir,
			    .tpm_socket = tpm ? qemu_helper_socket(tpm) : NULL,
			    .plugs = how->plugs, .n_plugs = how->n_plugs, .fd_groups = how->fd_groups,
			    .sev = live->launch_security ? qemu_sev(caps->binary) : NULL,
			    .now = g_get_real_time() / G_USEC_PER_SEC };
	g_autoptr(QemuCommand) command = qemu_command_new(live, &setup, notes, error);
	if (!command)
		return FALSE;
	SHAPE_EACH (Hostdev, device, live->hostdevs) /* found for this start alone: no part of a document */
		if (device->type == HOSTDEV_SCSI)
			g_clear_pointer(&device->block, g_free);
	if (how->stream)
		expect_stream(command);
	log_command(log, command);
	log_end = lseek(log, 0, SEEK_END);
	g_autoptr(GError) why = NULL;
	if (launch(run, command, live, log, notes, &why)) {
		run->sink.spawned(run->sink.owner, run);
		if (configure(run, command, live, &why)) {
			run_open_consoles(run, live);
			if (run_plug_vcpus(run, live, &why) && run_pin(run, live, &why) &&
			    run_count(run, live, NULL, &why) && go(run, live, how, &why))
				return TRUE;
		}
	}
	explain(run, log_end, &why);
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

EngineRun *run_start(Guest *live, const EngineStart *how, const EngineSink *sink, Notes *notes,
		     GError **error)
{
	EngineRun *run = run_new(live, sink);
	gboolean kvm = FALSE;
	run->how = how;
	run_clean(run); /* what an earlier run may have left */
	run->cgroup = cgroup_make(qemu_host.cgroups, live->uuid, NULL);
	g_autoptr(GError) unbounded = NULL;
	if (!run_bound(run, NULL, live, &unbounded)) /* as asked, as far as this host can */
		notes_add(notes, "%s", unbounded->message);
	guest_assign_aliases(live);
	if (make_run_dir(run, error) && choose_accel(live, &kvm, notes, error) &&
	    run_prepare(run, live, how, notes, error) &&
	    start_process(run, live, kvm, how, notes, error))
		return run;
	sink->spawned(sink->owner, NULL);
	run_clean(run);
	run_unref(run);
	return NULL;
}
