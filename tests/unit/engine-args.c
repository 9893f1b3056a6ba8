/* The command line of guests: each definition in tests/golden/guest-args against the words that stand
 * beside it (CASE.args, one a line, then the files and the commands of the monitor), and against
 * QEMU itself, which is started with them on empty images and must take every option.
 *
 * LODGE_BLESS=1 writes the .args files anew. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "engine/qemu/command.h"
#include "host/file.h"
#include "host/process.h"
#include "host/qmp.h"
#include "host/spawn.h"
#include "image/tool.h"
#include "model/alias.h"
#include "model/assign.h"
#include "model/defaults.h"

#define QEMU "/usr/bin/qemu-system-x86_64"
#define TIMEOUT_MS 20000

/* What cannot run on a machine that builds: hardware, servers, QEMU's optional block drivers. */
static const char *const not_run[] = { "cpu-hyperv", "disks-fdgroup", "disks-network", "disks-sources",
				       "disks-vhost-user", "hostdevs", "hugepages", "launch-security",
				       "vsock", NULL };

static char *scratch; /* a folder of this run */
static volatile pid_t running[2]; /* QEMU and swtpm: not to be left behind by a test that aborts */

static void end_running(int sig)
{
	for (guint i = 0; i < G_N_ELEMENTS(running); i++)
		if (running[i] > 0)
			kill(running[i], SIGKILL);
	signal(sig, SIG_DFL);
	raise(sig);
}

/* ---- building ---- */

static char *golden(const char *name, const char *suffix)
{
	g_autofree char *file = g_strconcat(name, suffix, NULL);
	return g_build_filename(g_getenv("LODGE_SOURCE"), "tests", "golden", "guest-args", file, NULL);
}

static Guest *read_guest(const char *name)
{
	g_autofree char *path = golden(name, ".xml"), *xml = NULL;
	g_autoptr(GError) error = NULL;
	gsize length;
	g_assert_true(g_file_get_contents(path, &xml, &length, NULL));
	g_autoptr(Guest) guest = guest_from_xml(xml, (gssize)length, path, NULL, &error);
	g_assert_no_error(error);
	g_assert_true(guest_fill_defaults(guest, NULL, &error) || !error);
	g_assert_no_error(error);
	guest_assign_addresses(guest, &error);
	g_assert_no_error(error);
	guest_assign_aliases(guest);
	return g_steal_pointer(&guest);
}

/* What a client gave: "both" for reading and writing, "one" for writing. */
static GHashTable *given_groups(void)
{
	static int fds[] = { 0, 1 };
	static EngineFdGroup both = { fds, 2, FALSE }, one = { fds, 1, TRUE };
	GHashTable *groups = g_hash_table_new(g_str_hash, g_str_equal);
	g_hash_table_insert(groups, (gpointer) "both", &both);
	g_hash_table_insert(groups, (gpointer) "one", &one);
	return groups;
}

static QemuCommand *build(Guest *guest, const QemuCaps *caps, gboolean kvm, const char *tpm)
{
	static const EngineSev sev = { .cbitpos = { 51, TRUE }, .reduced_phys_bits = { 1, TRUE } };
	g_autoptr(GHashTable) groups = given_groups();
	g_autoptr(GError) error = NULL;
	g_auto(Notes) notes = { 0 };
	QemuSetup setup = { .caps = caps, .kvm = kvm, .binary = QEMU,
			    .run_dir = caps ? scratch : "/run/lodge/guest", .tpm_socket = tpm,
			    .fd_groups = groups, .sev = &sev, .now = 1700000000 };
	QemuCommand *command = qemu_command_new(guest, &setup, &notes, &error);
	g_assert_no_error(error);
	g_assert_nonnull(command);
	return command;
}

/* ---- golden ---- */

static const char *const kinds[] = { "monitor", "file", "plain", "listen", "connect", "tap", "vhost",
				     "passt", "given", "secret", "scratch", "data", "vsock" };

static void describe_fd(GString *text, const QemuFd *fd)
{
	g_string_append_printf(text, "fd %d: %s", fd->number, kinds[fd->kind]);
	if (fd->path)
		g_string_append_printf(text, " %s", fd->path);
	if (fd->kind == QEMU_FD_FILE)
		g_string_append_printf(text, " %s%s%s%s",
				       (fd->flags & O_ACCMODE) == O_RDONLY ? "read" :
				       (fd->flags & O_ACCMODE) == O_RDWR   ? "read-write" : "write",
				       fd->flags & O_CREAT ? " create" : "",
				       fd->flags & O_APPEND ? " append" : "",
				       fd->flags & O_TRUNC ? " truncate" : "");
	g_string_append_printf(text, " (%s)\n", fd->what);
}

static char *describe(const QemuCommand *command)
{
	GString *text = g_string_new(NULL);
	for (guint i = 0; command->argv->pdata[i]; i++)
		g_string_append_printf(text, "%s\n", (char *)command->argv->pdata[i]);
	for (guint i = 0; command->env->pdata[i]; i++)
		g_string_append_printf(text, "env: %s\n", (char *)command->env->pdata[i]);
	for (guint i = 0; i < command->fds->len; i++)
		describe_fd(text, command->fds->pdata[i]);
	for (guint i = 0; i < command->after_start->len; i++) {
		char *json = json_dumps(command->after_start->pdata[i], JSON_COMPACT);
		g_string_append_printf(text, "qmp: %s\n", json);
		free(json);
	}
	return g_string_free(text, FALSE);
}

static void test_golden(gconstpointer data)
{
	const char *name = data;
	g_autoptr(Guest) guest = read_guest(name);
	gboolean kvm = guest->type == GUEST_KVM;
	g_autoptr(QemuCommand) command = build(guest, NULL, kvm, "/run/lodge/guest/tpm.sock");
	g_autofree char *now = describe(command), *path = golden(name, ".args"), *then = NULL;
	if (g_getenv("LODGE_BLESS"))
		g_assert_true(g_file_set_contents(path, now, -1, NULL));
	if (!g_file_get_contents(path, &then, NULL, NULL))
		g_error("%s is missing: run with LODGE_BLESS=1 and look at it", path);
	g_assert_cmpstr(now, ==, then);
}

/* ---- the world that a run needs ---- */

static void run_tool(const char *const *argv)
{
	g_autoptr(GError) error = NULL;
	const ImageTool how = { .argv = argv };
	image_tool_run(&how, NULL, &error);
	g_assert_no_error(error);
}

/* An empty image of @format, made once and then shared: QEMU writes nothing to it. */
static char *image_of(const char *format, const char *name)
{
	g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_MD5, name, -1);
	char *path = g_strdup_printf("%s/%.8s.%s", scratch, sum, format);
	if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
		const char *const argv[] = { "create", "-q", "-f", format, path,
					     strstr(name, "floppy") ? "1440k" : "2M", NULL };
		run_tool(argv);
	}
	return path;
}

static char *encrypted_image(const char *format)
{
	char *path = g_strdup_printf("%s/encrypted.%s", scratch, format);
	if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
		gboolean luks = g_str_equal(format, "luks");
		const char *const argv[] = { "create", "-q", "-f", format,
					     "--object", "secret,id=s,data=secret", "-o",
					     luks ? "key-secret=s,iter-time=10" :
						    "encrypt.format=luks,encrypt.key-secret=s,"
						    "encrypt.iter-time=10",
					     path, "1M", NULL };
		run_tool(argv);
	}
	return path;
}

static const char *format_of(const Guest *guest, const char *path)
{
	SHAPE_EACH (Disk, disk, guest->disks) {
		if (!g_strcmp0(disk_source_name(disk), path))
			return disk->driver_type ? enum_name(&disk_formats, disk->driver_type) : "raw";
		for (const DiskBacking *b = disk->backing; b && b->source; b = b->backing)
			if (!g_strcmp0(b->source->file, path))
				return enum_name(&disk_formats, b->format);
	}
	return NULL;
}

static gboolean is_encrypted(const Guest *guest, const char *path)
{
	SHAPE_EACH (Disk, disk, guest->disks)
		if (!g_strcmp0(disk_source_name(disk), path))
			return disk->encryption != NULL;
	return FALSE;
}

static int open_file(const Guest *guest, const QemuFd *fd)
{
	const char *format = format_of(guest, fd->path);
	g_autofree char *path = NULL;
	if (format && is_encrypted(guest, fd->path))
		path = encrypted_image(g_str_equal(format, "raw") ? "luks" : format);
	else if (format)
		path = image_of(format, fd->path);
	else if (strstr(fd->path, "_VARS.fd"))
		path = g_build_filename(scratch, "vars.fd", NULL);
	else if (fd->flags & O_CREAT)
		path = g_build_filename(scratch, "written", NULL);
	else
		path = g_strdup(fd->path);
	return open(path, fd->flags | O_CLOEXEC, 0600);
}

static int memory_file(const void *bytes, gsize length)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(write(fd, bytes, length), ==, (gssize)length);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* As much of a Linux kernel as QEMU's loader looks at. */
static int kernel_file(void)
{
	guint8 bytes[65536] = { 0 };
	memcpy(bytes + 0x202, "HdrS\x0c\x02", 6); /* magic, protocol 2.12 */
	bytes[0x1f1] = 4;			   /* sectors of set-up code */
	bytes[0x211] = 1;			   /* loaded high */
	memset(bytes + 0x22c, 0x7f, 4);		   /* the initrd may be here */
	bytes[0x239] = 8;			   /* length of the command line: 2048 */
	return memory_file(bytes, sizeof bytes);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	g_strlcpy(address.sun_path, path, sizeof address.sun_path);
	g_unlink(path);
	g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
	g_assert_cmpint(listen(fd, 4), ==, 0);
	return fd;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	g_strlcpy(address.sun_path, path, sizeof address.sun_path);
	for (int i = 0; i < 3000; i++) {
		if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
			return fd;
		g_usleep(20000);
	}
	g_error("nobody listens at %s", path);
	return -1;
}

static int open_fd(const Guest *guest, const QemuFd *fd, const char *monitor)
{
	g_autofree char *path = g_build_filename(scratch, "listen.sock", NULL);
	switch (fd->kind) {
	case QEMU_FD_MONITOR:
		return listen_at(monitor);
	case QEMU_FD_FILE:
		return open_file(guest, fd);
	case QEMU_FD_PLAIN:
		return strstr(fd->what, "kernel") ? kernel_file() : memory_file("data", 4);
	case QEMU_FD_LISTEN:
		return listen_at(path);
	case QEMU_FD_CONNECT:
		return connect_to(fd->path);
	case QEMU_FD_SECRET:
	case QEMU_FD_DATA:
		return memory_file("secret", 6);
	case QEMU_FD_PASST:
	case QEMU_FD_TAP: /* those of an EnginePlug: none here */
	case QEMU_FD_VHOST:
	case QEMU_FD_GIVEN: /* not run */
	case QEMU_FD_SCRATCH:
	case QEMU_FD_VSOCK:
		break;
	}
	return -1;
}

/* ---- a run ---- */

static void start_swtpm(const char *socket, SpawnChild *child)
{
	g_autofree char *state = g_build_filename(scratch, "tpm", NULL);
	g_autofree char *dir = g_strdup_printf("dir=%s", state);
	g_autofree char *control = g_strdup_printf("type=unixio,path=%s", socket);
	g_autoptr(GError) error = NULL;
	const char *const argv[] = { "/usr/bin/swtpm", "socket", "--tpm2", "--terminate", "--tpmstate", dir,
				     "--ctrl", control, NULL };
	Spawn how = { .argv = argv };
	g_mkdir(state, 0700);
	spawn(&how, child, &error);
	g_assert_no_error(error);
	running[1] = child->pid;
}

static void end_child(SpawnChild *child)
{
	for (guint i = 0; i < G_N_ELEMENTS(running); i++)
		if (running[i] == child->pid)
			running[i] = 0;
	if (!process_wait(child->pidfd, 5000)) {
		process_signal(child->pidfd, SIGKILL, NULL);
		process_wait(child->pidfd, -1);
	}
	waitpid(child->pid, NULL, 0);
	fd_clear(&child->pidfd);
}

static void start(const QemuCommand *command, const Guest *guest, const char *monitor, int output,
		  SpawnChild *child)
{
	g_autofree SpawnFd *fds = g_new0(SpawnFd, command->fds->len);
	g_autoptr(GError) error = NULL;
	for (guint i = 0; i < command->fds->len; i++) {
		const QemuFd *fd = command->fds->pdata[i];
		fds[i] = (SpawnFd){ .from = open_fd(guest, fd, monitor), .to = fd->number };
		if (fds[i].from < 0)
			g_error("%s (%s): %s", fd->path, fd->what, g_strerror(errno));
	}
	Spawn how = { .argv = (const char *const *)command->argv->pdata,
		      .env = (const char *const *)command->env->pdata, .fds = fds,
		      .n_fds = command->fds->len, .output = output };
	spawn(&how, child, &error);
	g_assert_no_error(error);
	running[0] = child->pid;
	for (guint i = 0; i < command->fds->len; i++)
		close(fds[i].from);
}

static char *output_of(int fd)
{
	char bytes[8192];
	ssize_t n = pread(fd, bytes, sizeof bytes - 1, 0);
	return g_strndup(bytes, (gsize)MAX(n, 0));
}

/* The handshake and after_start; what QEMU said where it did not come that far. */
static void talk(const QemuCommand *command, const char *monitor, int output)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Qmp) qmp = qmp_connect(monitor, "guest", NULL, NULL, &error);
	json_t *status = qmp ? qmp_call(qmp, "query-status", NULL, TIMEOUT_MS, &error) : NULL;
	g_autofree char *said = output_of(output);
	if (!status)
		g_error("QEMU does not run: %s\n%s", error->message, said);
	if (strstr(said, "warning: ") && !strstr(said, "TCG doesn't support"))
		g_test_message("%s", said);
	json_decref(status);
	for (guint i = 0; i < command->after_start->len; i++) {
		json_t *item = command->after_start->pdata[i];
		const char *name = json_string_value(json_object_get(item, "execute"));
		json_t *arguments = json_incref(json_object_get(item, "arguments"));
		json_decref(qmp_call(qmp, name, arguments, TIMEOUT_MS, &error));
		g_assert_no_error(error);
	}
	json_decref(qmp_call(qmp, "quit", NULL, TIMEOUT_MS, NULL));
}

/* The machine of a host that does not exist here is replaced by this QEMU's of the same family. */
static void use_local_machine(Guest *guest, const QemuCaps *caps)
{
	const char *family = guest_is_q35(guest) ? "q35" : "pc";
	if (qemu_caps_machine(caps, guest->os.machine))
		return;
	g_free(guest->os.machine);
	guest->os.machine = g_strdup(family);
}

static void test_run(gconstpointer data)
{
	const char *name = data;
	g_autoptr(GError) error = NULL;
	const QemuCaps *caps = qemu_caps_get(QEMU, scratch, &error);
	g_assert_no_error(error);
	g_autoptr(Guest) guest = read_guest(name);
	g_autofree char *monitor = g_build_filename(scratch, "monitor.sock", NULL);
	g_autofree char *tpm = g_build_filename(scratch, "tpm.sock", NULL);
	SpawnChild qemu, swtpm = { .pidfd = -1 };
	autofd int output = memory_file("", 0);
	use_local_machine(guest, caps);
	if (shape_len(guest->tpms))
		start_swtpm(tpm, &swtpm);
	g_autoptr(QemuCommand) command = build(guest, caps, FALSE, tpm);
	start(command, guest, monitor, output, &qemu);
	talk(command, monitor, output);
	end_child(&qemu);
	if (swtpm.pidfd >= 0)
		end_child(&swtpm);
}

/* ---- capabilities ---- */

static void test_caps(void)
{
	g_autoptr(GError) error = NULL;
	const QemuCaps *caps = qemu_caps_get(QEMU, scratch, &error);
	g_assert_no_error(error);
	g_assert_true(qemu_caps_peek(QEMU) == caps);
	g_assert_true(qemu_caps_get(QEMU, scratch, NULL) == caps);
	g_assert_cmpstr(caps->arch, ==, "x86_64");
	g_assert_cmpuint(caps->version, >=, 5000000);
	g_assert_true(qemu_caps_has_device(caps, "virtio-blk-pci"));
	g_assert_false(qemu_caps_has_device(caps, "no-such-device"));
	g_assert_true(qemu_caps_has_object(caps, "memory-backend-memfd"));
	const QemuMachine *q35 = qemu_caps_machine(caps, "q35");
	g_assert_nonnull(q35);
	g_assert_true(q35 == qemu_caps_machine(caps, q35->name));
	g_assert_null(qemu_caps_machine(caps, "pc-i440fx-rhel7.0.0"));
	g_assert_nonnull(qemu_caps_machine(caps, NULL));
	g_assert_nonnull(qemu_caps_cpu(caps, "Haswell-noTSX", FALSE));
	g_assert_null(qemu_caps_cpu(caps, "no-such-cpu", FALSE));
}

static void test_caps_missing_binary(void)
{
	g_autoptr(GError) error = NULL;
	g_assert_null(qemu_caps_get("/nonexistent/qemu", NULL, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND);
	g_clear_error(&error);
	g_assert_null(qemu_caps_get("/bin/false", NULL, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_ENGINE);
}

/* ---- refusals ---- */

static const struct {
	const char *name, *devices, *message;
	LodgeError code;
} refusals[] = {
	{ "ide-q35", "<disk type='file'><source file='/a'/><target dev='hda' bus='ide'/></disk>",
	  "no IDE bus", LODGE_ERROR_UNSUPPORTED },
	{ "native", "<disk type='file'><driver name='qemu' io='native'/><source file='/a'/><target "
		    "dev='vda' bus='virtio'/></disk>", "cache='none'", LODGE_ERROR_INVALID },
	{ "video", "<video><model type='xen'/></video>", "video", LODGE_ERROR_UNSUPPORTED },
	{ "sdl", "<graphics type='sdl'/>", "vnc or spice", LODGE_ERROR_UNSUPPORTED },
	{ "tls", "<graphics type='spice' tlsPort='5901'/>", "tlsPort", LODGE_ERROR_UNSUPPORTED },
	{ "udp", "<serial type='udp'/>", "mode='connect'", LODGE_ERROR_INVALID },
};

static void test_refusal(gconstpointer data)
{
	guint i = GPOINTER_TO_UINT(data);
	g_autoptr(GError) error = NULL;
	g_autofree char *xml = g_strdup_printf(
		"<domain type='qemu'><name>g</name><memory unit='MiB'>64</memory><os><type arch='x86_64' "
		"machine='pc-q35-7.2'>hvm</type></os><devices>%s</devices></domain>",
		refusals[i].devices);
	g_autoptr(Guest) guest = guest_from_xml(xml, -1, "test", NULL, &error);
	g_assert_no_error(error);
	QemuSetup setup = { .binary = QEMU, .run_dir = "/run" };
	g_autoptr(QemuCommand) command = NULL;
	/* Some are refused before the command line is written: that is as good. */
	if (guest_fill_defaults(guest, NULL, &error) && guest_assign_addresses(guest, &error)) {
		guest_assign_aliases(guest);
		command = qemu_command_new(guest, &setup, NULL, &error);
		g_assert_null(command);
		g_assert_error(error, LODGE_ERROR, (int)refusals[i].code);
		g_assert_nonnull(strstr(error->message, refusals[i].message));
	}
	g_assert_nonnull(error);
}

/* Parts of a guest that are pointers: one of a random guest's is put into a plain one. */
#define PART(member) { #member, offsetof(Guest, member) }
static const struct {
	const char *name;
	size_t offset;
} parts[] = {
	PART(disks), PART(controllers), PART(filesystems), PART(interfaces), PART(smartcards),
	PART(serials), PART(parallels), PART(consoles), PART(channels), PART(inputs), PART(tpms),
	PART(graphics), PART(sounds), PART(audios), PART(videos), PART(hostdevs), PART(redirdevs),
	PART(redirfilter), PART(hubs), PART(watchdogs), PART(memballoon), PART(rngs), PART(panics),
	PART(shmems), PART(memories), PART(iommu), PART(vsock), PART(cryptos), PART(features), PART(cpu),
	PART(clock), PART(sysinfos), PART(memory_backing), PART(numatune), PART(iothread_ids),
};

static Guest *plain_guest(gboolean q35)
{
	g_autofree char *xml = g_strdup_printf(
		"<domain type='qemu'><name>g</name><memory unit='MiB'>64</memory><maxMemory unit='GiB' "
		"slots='4'>1</maxMemory><os><type arch='x86_64' machine='pc-%s-7.2'>hvm</type></os></domain>",
		q35 ? "q35" : "i440fx");
	return guest_from_xml(xml, -1, "test", NULL, NULL);
}

/* Whatever a definition says, the answer is a command or an error. */
static void test_random(gconstpointer data)
{
	size_t offset = parts[GPOINTER_TO_UINT(data)].offset;
	guint built = 0;
	for (guint i = 0; i < 100; i++) {
		g_autoptr(GRand) rand = g_rand_new_with_seed(i);
		g_autoptr(Guest) random = shape_random(&guest_shape, rand, 2 + i % 3);
		g_autoptr(Guest) guest = plain_guest(i % 2);
		g_autoptr(GError) error = NULL;
		QemuSetup setup = { .binary = QEMU, .run_dir = "/run", .kvm = i % 3 == 0 };
		gpointer *ours = (gpointer *)((char *)guest + offset);
		gpointer *theirs = (gpointer *)((char *)random + offset);
		gpointer kept = *ours;
		*ours = *theirs;
		*theirs = kept;
		if (i % 4 && guest_fill_defaults(guest, NULL, NULL))
			guest_assign_addresses(guest, NULL);
		guest_assign_aliases(guest);
		g_autoptr(QemuCommand) command = qemu_command_new(guest, &setup, NULL, &error);
		g_assert_true((command == NULL) == (error != NULL));
		built += command != NULL;
	}
	g_test_message("%u of 100 can be", built);
}

/* ---- all ---- */

static int by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static GPtrArray *case_names(void)
{
	g_autofree char *path = golden("", "");
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *file;
	g_assert_nonnull(dir);
	while ((file = g_dir_read_name(dir)))
		if (g_str_has_suffix(file, ".xml"))
			g_ptr_array_add(names, g_strndup(file, strlen(file) - 4));
	g_ptr_array_sort(names, by_name);
	return names;
}

static void add_cases(const GPtrArray *names)
{
	for (guint i = 0; i < names->len; i++) {
		g_autofree char *path = g_strdup_printf("/args/golden/%s", (char *)names->pdata[i]);
		g_autofree char *run = g_strdup_printf("/args/run/%s", (char *)names->pdata[i]);
		g_test_add_data_func(path, names->pdata[i], test_golden);
		if (!g_strv_contains(not_run, names->pdata[i]))
			g_test_add_data_func(run, names->pdata[i], test_run);
	}
	for (guint i = 0; i < G_N_ELEMENTS(refusals); i++) {
		g_autofree char *path = g_strdup_printf("/args/refused/%s", refusals[i].name);
		g_test_add_data_func(path, GUINT_TO_POINTER(i), test_refusal);
	}
}

static void remove_scratch(void)
{
	file_remove_tree(scratch, NULL);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	signal(SIGABRT, end_running);
	signal(SIGTRAP, end_running); /* g_error() */
	signal(SIGTERM, end_running);
	scratch = g_dir_make_tmp("lodge-args-XXXXXX", NULL);
	g_autofree char *vars = g_build_filename(scratch, "vars.fd", NULL), *bytes = NULL;
	gsize length;
	if (g_file_get_contents("/usr/share/OVMF/OVMF_VARS_4M.fd", &bytes, &length, NULL))
		g_assert_true(g_file_set_contents(vars, bytes, (gssize)length, NULL));
	g_test_add_func("/caps/known", test_caps);
	g_test_add_func("/caps/missing-binary", test_caps_missing_binary);
	for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
		g_autofree char *path = g_strdup_printf("/args/random/%s", parts[i].name);
		g_test_add_data_func(path, GUINT_TO_POINTER(i), test_random);
	}
	g_autoptr(GPtrArray) names = case_names();
	add_cases(names);
	int status = g_test_run();
	remove_scratch();
	return status;
}
