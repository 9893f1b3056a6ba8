/* Tests of engine/qemu/helpers and swtpm with the real programs: what a start makes, what a stop or
 * a failure leaves (nothing), what a later daemon can take up, and that QEMU accepts TPM, UEFI and
 * shared folder together. What is not installed is skipped. */
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "engine/qemu/firmware.h"
#include "engine/qemu/helpers.h"
#include "host/file.h"
#include "host/process.h"
#include "host/qmp.h"
#include "host/socket.h"

/* One daemon's folders. */
typedef struct World {
	char *root, *run, *state, *socket;
	Guest *guest;
	Tpm *tpm;
} World;

#define XML                                                                                        \
	"<domain type='kvm'><name>web1</name><uuid>c7a5fdbd-cdaf-9455-926a-d65c16db1809</uuid>"    \
	"<memory>65536</memory><vcpu>1</vcpu><os firmware='efi'><type arch='x86_64' "              \
	"machine='pc-q35-7.2'>hvm</type><firmware><feature enabled='no' name='secure-boot'/>"      \
	"</firmware></os><devices><tpm model='tpm-crb'><backend type='emulator' version='2.0'/>"   \
	"</tpm><filesystem type='mount'><driver type='virtiofs'/><source dir='/usr/share'/>"       \
	"<target dir='share'/></filesystem></devices></domain>"

static void world_open(World *world, G_GNUC_UNUSED gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	world->root = g_dir_make_tmp("lodge-helpers-XXXXXX", NULL);
	g_assert_cmpint(chmod(world->root, 0711), ==, 0);
	world->run = g_build_filename(world->root, "run", NULL);
	world->state = g_build_filename(world->root, "lib", "tpm", "uuid", NULL);
	world->socket = g_build_filename(world->run, "swtpm.sock", NULL);
	g_assert_cmpint(mkdir(world->run, 0711), ==, 0);
	g_autofree char *lib = g_build_filename(world->root, "lib", NULL);
	g_assert_cmpint(mkdir(lib, 0711), ==, 0);
	world->guest = guest_from_xml(XML, -1, "test", NULL, &error);
	g_assert_no_error(error);
	world->tpm = g_ptr_array_index(world->guest->tpms, 0);
}

static void world_close(World *world, G_GNUC_UNUSED gconstpointer data)
{
	g_assert_true(file_remove_tree(world->root, NULL));
	guest_free(world->guest);
	g_free(world->root);
	g_free(world->run);
	g_free(world->state);
	g_free(world->socket);
}

static gboolean lacks(const char *program)
{
	g_autofree char *path = g_find_program_in_path(program);
	if (!path)
		g_test_skip("not installed");
	return !path;
}

static QemuHelper *start(const World *world, const HostUser *user, GError **error)
{
	return qemu_swtpm_start(world->guest, world->tpm, world->run, world->state, user, NULL, 0,
				error);
}

/* Spares the second that keys and certificates take: swtpm fills an empty folder by itself. */
static void make_empty_state(const World *world)
{
	g_assert_cmpint(g_mkdir_with_parents(world->state, 0700), ==, 0);
}

static char *state_file(const World *world, const char *name, gsize *length)
{
	g_autofree char *path = g_build_filename(world->state, name, NULL);
	return file_read(path, 1 << 20, length, NULL);
}

static gboolean exists(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

static void expect_nothing_left(const World *world)
{
	g_autofree char *draft = g_strconcat(world->state, ".new", NULL);
	g_assert_false(exists(world->socket));
	g_assert_false(exists(draft));
}

/* ---- swtpm ---- */

static void test_start_and_stop(World *world, G_GNUC_UNUSED gconstpointer data)
{
	if (lacks("swtpm") || lacks("swtpm_setup"))
		return;
	g_autoptr(GError) error = NULL;
	gsize before = 0, after = 0;
	QemuHelper *helper = start(world, NULL, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(qemu_helper_socket(helper), ==, world->socket);
	g_assert_cmpstr(qemu_helper_name(helper), ==, "swtpm");
	g_assert_true(qemu_helper_alive(helper));
	autofd int fd = socket_connect(world->socket, &error);
	g_assert_no_error(error);
	autofd int watch = process_open(qemu_helper_pid(helper), 0, NULL);
	g_assert_cmpint(watch, ==, -1); /* the time of its start counts, too */
	g_autofree char *made = state_file(world, "tpm2-00.permall", &before);
	g_assert_cmpuint(before, >, 4000); /* it has certificates */
	pid_t pid = qemu_helper_pid(helper);
	qemu_helper_stop(helper);
	g_assert_cmpint(kill(pid, 0), ==, -1); /* reaped */
	expect_nothing_left(world);
	helper = start(world, NULL, &error);
	g_assert_no_error(error);
	g_autofree char *kept = state_file(world, "tpm2-00.permall", &after);
	g_assert_cmpmem(made, before, kept, after);
	qemu_helper_stop(helper);
}

static void test_version_1(World *world, G_GNUC_UNUSED gconstpointer data)
{
	if (lacks("swtpm") || lacks("swtpm_setup"))
		return;
	g_autoptr(GError) error = NULL;
	g_free(world->tpm->backend_version);
	world->tpm->backend_version = g_strdup("1.2");
	QemuHelper *helper = start(world, NULL, &error);
	g_assert_no_error(error);
	qemu_helper_stop(helper);
	g_autofree char *state = state_file(world, "tpm-00.permall", NULL);
	g_assert_nonnull(state);
	world->tpm->backend_version[0] = '2';
	world->tpm->backend_version[2] = '0';
	g_assert_null(start(world, NULL, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_INVALID);
	g_assert_nonnull(strstr(error->message, world->state));
	g_clear_error(&error);
	g_clear_pointer(&world->tpm->backend_version, g_free); /* what is there decides */
	helper = start(world, NULL, &error);
	g_assert_no_error(error);
	qemu_helper_stop(helper);
	expect_nothing_left(world);
}

static void test_other_user(World *world, G_GNUC_UNUSED gconstpointer data)
{
	if (lacks("swtpm") || lacks("swtpm_setup"))
		return;
	struct passwd *nobody = getpwnam("nobody");
	if (geteuid() != 0 || !nobody) {
		g_test_skip("needs root");
		return;
	}
	g_autoptr(GError) error = NULL;
	struct stat st;
	HostUser user = { .name = (char *)"nobody", .uid = nobody->pw_uid, .gid = nobody->pw_gid };
	umask(077); /* the daemon's */
	g_autofree char *ca = g_build_filename(world->root, "lib", "tpm", "ca", NULL);
	QemuHelper *helper = start(world, &user, &error);
	g_assert_no_error(error);
	g_autofree char *proc = g_strdup_printf("/proc/%d", (int)qemu_helper_pid(helper));
	g_assert_cmpint(stat(proc, &st), ==, 0);
	g_assert_cmpuint(st.st_uid, ==, user.uid);
	g_assert_cmpint(stat(world->socket, &st), ==, 0);
	g_assert_cmpuint(st.st_uid, ==, user.uid);
	g_assert_cmpuint(st.st_mode & 0777, ==, 0600);
	g_assert_cmpint(stat(world->state, &st), ==, 0);
	g_assert_cmpuint(st.st_uid, ==, user.uid);
	g_assert_cmpuint(st.st_mode & 0777, ==, 0700);
	qemu_helper_stop(helper);
	g_assert_cmpint(stat(ca, &st), ==, 0);
	g_assert_cmpuint(st.st_uid, ==, user.uid);
	g_assert_true(file_remove_tree(world->state, NULL));
	make_empty_state(world);
	g_autofree char *file = g_build_filename(world->state, "tpm2-00.volatilestate", NULL);
	g_assert_true(g_file_set_contents(file, "", 0, NULL)); /* root's, to be handed over */
	helper = start(world, &user, &error);
	g_assert_no_error(error);
	qemu_helper_stop(helper);
	g_assert_cmpint(lstat(file, &st), ==, 0);
	g_assert_cmpuint(st.st_uid, ==, user.uid);
}

static void test_killed(World *world, G_GNUC_UNUSED gconstpointer data)
{
	if (lacks("swtpm"))
		return;
	g_autoptr(GError) error = NULL;
	make_empty_state(world);
	QemuHelper *helper = start(world, NULL, &error);
	g_assert_no_error(error);
	g_assert_cmpint(kill(qemu_helper_pid(helper), SIGKILL), ==, 0);
	for (int i = 0; i < 6000 && qemu_helper_alive(helper); i++)
		g_usleep(10000);
	g_assert_false(qemu_helper_alive(helper));
	qemu_helper_stop(helper);
	expect_nothing_left(world);
}

/* A new daemon stops what an earlier one started; a record of something that is gone is no error.
 */
static void test_adopt(World *world, G_GNUC_UNUSED gconstpointer data)
{
	if (lacks("swtpm"))
		return;
	g_autoptr(GError) error = NULL;
	make_empty_state(world);
	QemuHelper *helper = start(world, NULL, &error);
	g_assert_no_error(error);
	pid_t pid = qemu_helper_pid(helper);
	g_autofree char *record = qemu_helper_record(helper);
	qemu_helper_free(helper);
	helper = qemu_helper_adopt(record, &error);
	g_assert_no_error(error);
	g_assert_cmpint(qemu_helper_pid(helper), ==, pid);
	g_assert_true(qemu_helper_alive(helper));
	g_assert_cmpstr(qemu_helper_socket(helper), ==, world->socket);
	qemu_helper_stop(helper);
	expect_nothing_left(world);
	g_assert_true(g_file_set_contents(world->socket, "left behind", -1, NULL));
	helper = qemu_helper_adopt(record, &error);
	g_assert_no_error(error);
	g_assert_false(qemu_helper_alive(helper));
	qemu_helper_stop(helper);
	expect_nothing_left(world);
}

static void test_bad_records(void)
{
	static const char *const records[] = {
		NULL,
		"",
		"{",
		"[]",
		"{\"name\":\"x\",\"socket\":\"/s\",\"pid\":1,\"ticks\":1}",
		"{\"name\":\"x\",\"socket\":\"s\",\"pid\":10,\"ticks\":1}",
		"{\"name\":\"x\",\"socket\":\"/s\",\"pid\":-10,\"ticks\":1}",
		"{\"name\":\"x\",\"socket\":\"/s\",\"pid\":99999999999,\"ticks\":1}",
		"{\"name\":\"x\",\"socket\":\"/s\",\"pid\":\"10\",\"ticks\":1}",
	};
	for (guint i = 0; i < G_N_ELEMENTS(records); i++) {
		g_autoptr(GError) error = NULL;
		g_assert_null(qemu_helper_adopt(records[i], &error));
		g_assert_error(error, LODGE_ERROR, LODGE_ERROR_INVALID);
	}
}

/* ---- what may be missing or broken ---- */

/* A PATH with one folder: @script as the program @name, and links to the real @others. */
static char *narrow_path(const World *world, const char *name, const char *script,
			 const char *const *others)
{
	char *bin = g_build_filename(world->root, "bin", NULL);
	g_assert_cmpint(mkdir(bin, 0755), ==, 0);
	if (name) {
		g_autofree char *path = g_build_filename(bin, name, NULL);
		g_assert_true(g_file_set_contents_full(path, script, -1, 0, 0755, NULL));
	}
	for (; others && *others; others++) {
		g_autofree char *real = g_find_program_in_path(*others);
		g_autofree char *link = g_build_filename(bin, *others, NULL);
		g_assert_true(!real || symlink(real, link) == 0);
	}
	return bin;
}

static void start_fails(World *world, const char *name, const char *script,
			const char *const *others, LodgeError code, const char *word)
{
	g_autofree char *old = g_strdup(g_getenv("PATH"));
	g_autofree char *bin = narrow_path(world, name, script, others);
	g_autoptr(GError) error = NULL;
	g_setenv("PATH", bin, TRUE);
	QemuHelper *helper = start(world, NULL, &error);
	g_setenv("PATH", old, TRUE);
	g_assert_null(helper);
	g_assert_error(error, LODGE_ERROR, (int)code);
	g_assert_nonnull(strstr(error->message, word));
	expect_nothing_left(world);
}

static void test_no_swtpm(World *world, G_GNUC_UNUSED gconstpointer data)
{
	start_fails(world, NULL, NULL, NULL, LODGE_ERROR_UNSUPPORTED, "install the packages swtpm");
	g_assert_false(exists(world->state));
}

static void test_swtpm_ends(World *world, G_GNUC_UNUSED gconstpointer data)
{
	start_fails(world, "swtpm", "#!/bin/sh\nexit 1\n", NULL, LODGE_ERROR_ENGINE,
		    "ended at once");
}

static void test_setup_fails(World *world, G_GNUC_UNUSED gconstpointer data)
{
	static const char *const others[] = { "swtpm", NULL };
	if (lacks("swtpm"))
		return;
	start_fails(world, "swtpm_setup",
		    "#!/bin/sh\necho first >\"$3/half\"\necho some\necho the reason\nexit 1\n",
		    others, LODGE_ERROR_ENGINE, "swtpm_setup failed: the reason");
	g_assert_false(exists(world->state));
}

static void test_no_setup(World *world, G_GNUC_UNUSED gconstpointer data)
{
	static const char *const others[] = { "swtpm", NULL };
	if (lacks("swtpm"))
		return;
	g_autofree char *old = g_strdup(g_getenv("PATH"));
	g_autofree char *bin = narrow_path(world, NULL, NULL, others);
	g_autoptr(GError) error = NULL;
	g_setenv("PATH", bin, TRUE);
	QemuHelper *helper = start(world, NULL, &error);
	g_setenv("PATH", old, TRUE);
	g_assert_no_error(error);
	qemu_helper_stop(helper);
	expect_nothing_left(world);
}

static void test_encryption(World *world, G_GNUC_UNUSED gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	world->tpm->encryption_secret = g_strdup("c7a5fdbd-cdaf-9455-926a-d65c16db1809");
	g_assert_null(start(world, NULL, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_UNSUPPORTED);
	g_assert_false(exists(world->state));
}

/* ---- virtiofsd ---- */

static void test_virtiofsd_refusals(World *world, G_GNUC_UNUSED gconstpointer data)
{
	static const struct {
		const char *dir;
		LodgeError code;
	} cases[] = {
		{ NULL, LODGE_ERROR_INVALID },
		{ "relative", LODGE_ERROR_INVALID },
		{ "/nowhere/at/all", LODGE_ERROR_NOT_FOUND },
		{ "/tmp,cache=always", LODGE_ERROR_UNSUPPORTED },
	};
	Filesystem *fs = g_ptr_array_index(world->guest->filesystems, 0);
	g_assert_true(qemu_virtiofsd_wanted(fs));
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_free(fs->source_dir);
		fs->source_dir = g_strdup(cases[i].dir);
		g_assert_null(
			qemu_virtiofsd_start(world->guest, fs, world->run, NULL, NULL, 0, &error));
		g_assert_error(error, LODGE_ERROR, (int)cases[i].code);
	}
	fs->source_socket = g_strdup("/run/other.sock");
	g_assert_false(qemu_virtiofsd_wanted(fs));
}

/* ---- all parts together ---- */

/* The program's words of @world, for messages. */
static char *log_text(const World *world)
{
	g_autofree char *path = g_build_filename(world->root, "log", NULL);
	return file_read(path, 1 << 20, NULL, NULL);
}

/* A QEMU that stays stopped; its monitor is number 3, @peer number 4. */
typedef struct Machine {
	GPtrArray *argv;
	SpawnChild child;
	Qmp *qmp;
	int log;
} Machine;

static void add_words(GPtrArray *argv, ...)
{
	va_list words;
	va_start(words, argv);
	for (char *word; (word = va_arg(words, char *));)
		g_ptr_array_add(argv, g_strdup(word));
	va_end(words);
}

static Machine machine_new(const World *world, const char *more)
{
	g_autofree char *log_path = g_build_filename(world->root, "log", NULL);
	Machine machine = { .argv = g_ptr_array_new_with_free_func(g_free),
			    .log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
					0600) };
	g_assert_cmpint(machine.log, >, 0);
	add_words(machine.argv, "qemu-system-x86_64", "-S", "-nodefaults", "-display", "none",
		  "-accel", "tcg", "-m", "64", "-chardev", "socket,id=mon,fd=3,server=on,wait=off",
		  "-mon", "chardev=mon,mode=control", "-machine", NULL);
	g_ptr_array_add(machine.argv, g_strconcat("pc-q35-7.2", more, NULL));
	return machine;
}

static void machine_start(Machine *machine, const World *world, int peer)
{
	g_autofree char *monitor = g_build_filename(world->run, "monitor.sock", NULL);
	g_autoptr(GError) error = NULL;
	autofd int listener = socket_listen(monitor, 0600, &error);
	g_assert_no_error(error);
	const SpawnFd fds[] = { { listener, 3 }, { peer, 4 } };
	g_ptr_array_add(machine->argv, NULL);
	const Spawn how = { .argv = (const char *const *)machine->argv->pdata,
			    .fds = fds,
			    .n_fds = 2,
			    .output = machine->log };
	g_assert_true(spawn(&how, &machine->child, &error));
	g_assert_no_error(error);
	fd_clear(&listener);
	machine->qmp = qmp_connect(monitor, "test", NULL, NULL, &error);
	g_assert_no_error(error);
}

static guint machine_count(const Machine *machine, const World *world, const char *query)
{
	g_autoptr(GError) error = NULL;
	json_t *list = qmp_call(machine->qmp, query, NULL, 20000, &error);
	g_autofree char *words = log_text(world);
	if (!list)
		g_error("%s: %s; the log says: %s", query, error->message, words);
	guint n = (guint)json_array_size(list);
	json_decref(list);
	return n;
}

/* Ends it; @helper ends by itself then. */
static void machine_stop(Machine *machine, const QemuHelper *helper)
{
	json_t *end = qmp_call(machine->qmp, "quit", NULL, 20000, NULL);
	json_decref(end);
	g_assert_true(process_wait(machine->child.pidfd, 20000));
	for (int i = 0; i < 6000 && qemu_helper_alive(helper); i++)
		g_usleep(10000);
	g_assert_false(qemu_helper_alive(helper));
	g_assert_cmpint(waitpid(machine->child.pid, NULL, 0), ==, machine->child.pid);
	qmp_close(machine->qmp);
	qmp_unref(machine->qmp);
	close(machine->child.pidfd);
	close(machine->log);
	g_ptr_array_unref(machine->argv);
}

static void add_flash(GPtrArray *argv, const char *name, const char *path, const char *readonly)
{
	add_words(argv, "-blockdev", NULL);
	g_ptr_array_add(argv,
			g_strdup_printf("{\"driver\":\"file\",\"filename\":\"%s\",\"node-name\":"
					"\"%s-file\",\"read-only\":%s}",
					path, name, readonly));
	add_words(argv, "-blockdev", NULL);
	g_ptr_array_add(argv,
			g_strdup_printf("{\"driver\":\"raw\",\"file\":\"%s-file\",\"node-name\":"
					"\"%s\",\"read-only\":%s}",
					name, name, readonly));
}

static void test_firmware_and_tpm(World *world, G_GNUC_UNUSED gconstpointer data)
{
	if (lacks("swtpm") || lacks("qemu-system-x86_64"))
		return;
	g_autoptr(GError) error = NULL;
	g_autofree char *nvram = g_build_filename(world->root, "lib", "nvram", NULL);
	if (!qemu_firmware_complete(world->guest, nvram, NULL, &error) ||
	    !qemu_nvram_prepare(world->guest, FALSE, &error)) {
		g_test_skip(error->message);
		return;
	}
	make_empty_state(world);
	Machine machine = machine_new(world, ",pflash0=code,pflash1=vars");
	add_words(machine.argv, "-chardev", "socket,id=chrtpm,fd=4", "-tpmdev",
		  "emulator,id=tpm0,chardev=chrtpm", "-device", "tpm-crb,tpmdev=tpm0", NULL);
	add_flash(machine.argv, "code", world->guest->os.loader, "true");
	add_flash(machine.argv, "vars", world->guest->os.nvram, "false");
	QemuHelper *helper = qemu_swtpm_start(world->guest, world->tpm, world->run, world->state,
					      NULL, NULL, machine.log, &error);
	g_assert_no_error(error);
	autofd int peer = socket_connect(world->socket, &error);
	g_assert_no_error(error);
	machine_start(&machine, world, peer);
	fd_clear(&peer);
	g_assert_cmpuint(machine_count(&machine, world, "query-tpm"), ==, 1);
	g_assert_cmpuint(machine_count(&machine, world, "query-named-block-nodes"), ==, 4);
	machine_stop(&machine, helper);
	qemu_helper_stop(helper);
	expect_nothing_left(world);
}

static int wait_of(const char *line)
{
	int status = -1;
	return g_spawn_command_line_sync(line, NULL, NULL, &status, NULL) ? status : -1;
}

static void test_shared_folder(World *world, G_GNUC_UNUSED gconstpointer data)
{
	if (lacks("qemu-system-x86_64"))
		return;
	if (!g_spawn_check_wait_status(wait_of("unshare --mount true"), NULL)) {
		g_test_skip("virtiofsd needs mount namespaces: a plain chroot has none");
		return;
	}
	g_autoptr(GError) error = NULL;
	Filesystem *fs = g_ptr_array_index(world->guest->filesystems, 0);
	fs->info.alias = g_strdup("fs0");
	Machine machine = machine_new(world, ",memory-backend=ram");
	QemuHelper *helper =
		qemu_virtiofsd_start(world->guest, fs, world->run, NULL, NULL, machine.log, &error);
	if (g_error_matches(error, LODGE_ERROR, LODGE_ERROR_UNSUPPORTED)) {
		g_test_skip(error->message);
		close(machine.log);
		g_ptr_array_unref(machine.argv);
		return;
	}
	g_assert_no_error(error);
	g_usleep(200000); /* it waits, however late we come */
	autofd int peer = socket_connect(qemu_helper_socket(helper), &error);
	g_assert_no_error(error);
	add_words(machine.argv, "-object", "memory-backend-memfd,id=ram,size=64M,share=on",
		  "-chardev", "socket,id=charfs0,fd=4", "-device",
		  "vhost-user-fs-pci,chardev=charfs0,tag=share", NULL);
	machine_start(&machine, world, peer);
	fd_clear(&peer);
	g_assert_cmpuint(machine_count(&machine, world, "query-pci"), ==, 1);
	g_autofree char *socket = g_strdup(qemu_helper_socket(helper));
	machine_stop(&machine, helper);
	qemu_helper_stop(helper);
	g_assert_false(exists(socket));
}

#define TEST(path, fn) g_test_add("/helpers/" path, World, NULL, world_open, fn, world_close)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	TEST("swtpm/start", test_start_and_stop);
	TEST("swtpm/version-1.2", test_version_1);
	TEST("swtpm/other-user", test_other_user);
	TEST("swtpm/killed", test_killed);
	TEST("swtpm/adopt", test_adopt);
	g_test_add_func("/helpers/bad-records", test_bad_records);
	TEST("swtpm/missing", test_no_swtpm);
	TEST("swtpm/ends", test_swtpm_ends);
	TEST("swtpm/setup-fails", test_setup_fails);
	TEST("swtpm/no-setup", test_no_setup);
	TEST("swtpm/encryption", test_encryption);
	TEST("virtiofsd/refusals", test_virtiofsd_refusals);
	TEST("qemu/firmware-and-tpm", test_firmware_and_tpm);
	TEST("qemu/shared-folder", test_shared_folder);
	return g_test_run();
}
