/* See helpers.h: the emulated TPM, and the first making of its state.
 *
 * State is made in "STATE_DIR.new" and renamed, so that a crash leaves either none or a whole one.
 * Without swtpm_setup, swtpm makes it by itself when it is first used: the guest then has a TPM
 * without endorsement certificates. */
#include "engine/qemu/helpers_internal.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "host/file.h"
#include "host/socket.h"

#define SETUP_MS 60000
#define READY_MS 10000

#define STATE_1_2 "tpm-00.permall"
#define STATE_2_0 "tpm2-00.permall"

/* One TPM that is being started. */
typedef struct Swtpm {
	const Guest *guest;
	const Tpm *tpm;
	const HostUser *user;
	const Cgroup *cgroup;
	int log_fd;
	const char *state_dir;
	gboolean v2;
} Swtpm;

gboolean qemu_swtpm_wanted(const Tpm *tpm)
{
	return !tpm->backend_type || g_str_equal(tpm->backend_type, "emulator");
}

/* ---- what is asked for ---- */

static gboolean has_state(const char *dir, const char *name)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* What the state is of counts first: 1.2 and 2.0 cannot read each other's. Where nothing is said
 * tpm-tis is 1.2, as libvirt has it. */
static gboolean is_version_2(const Tpm *tpm, const char *state_dir)
{
	const char *said = tpm->backend_version;
	if (said && !g_str_equal(said, "default"))
		return !g_str_equal(said, "1.2");
	if (has_state(state_dir, STATE_2_0) || has_state(state_dir, STATE_1_2))
		return has_state(state_dir, STATE_2_0);
	return g_strcmp0(tpm->model, "tpm-tis") != 0;
}

static gboolean check_tpm(const Guest *live, const Tpm *tpm, GError **error)
{
	if (tpm->encryption_secret)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "guest \"%s\": tpm: backend/encryption: the state of a TPM cannot be "
			    "encrypted yet; remove the element",
			    live->name);
	return TRUE;
}

/* "<active_pcr_banks><sha256/><sha1/></active_pcr_banks>" -> "sha1,sha256", NULL for none. */
static char *pcr_banks(const Tpm *tpm)
{
	static const char *const names[] = { "sha1", "sha256", "sha384", "sha512" };
	GString *list = g_string_new(NULL);
	for (guint i = 0; tpm->banks && i < G_N_ELEMENTS(names); i++) {
		g_autofree char *element = g_strdup_printf("<%s", names[i]);
		if (strstr(tpm->banks, element))
			g_string_append_printf(list, "%s%s", list->len ? "," : "", names[i]);
	}
	return g_string_free(list, list->len == 0);
}

/* ---- folders ---- */

/* Makes @dir for swtpm's user. One that another account owns (a guest that came from elsewhere) is
 * handed over with its files. */
static gboolean own_dir(const char *dir, const HostUser *user, GError **error)
{
	if (mkdir(dir, 0700) && errno != EEXIST)
		return fail_errno(error, errno, "cannot make the folder %s", dir);
	autofd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st))
		return fail_errno(error, errno, "cannot open the folder %s", dir);
	if (!user || geteuid() != 0 || st.st_uid == user->uid)
		return TRUE;
	g_autoptr(GDir) entries = g_dir_open(dir, 0, NULL);
	for (const char *name; entries && (name = g_dir_read_name(entries));)
		if (fchownat(fd, name, user->uid, user->gid, AT_SYMLINK_NOFOLLOW))
			return fail_errno(error, errno, "cannot give %s/%s to %s", dir, name,
					  user->name);
	if (fchown(fd, user->uid, user->gid))
		return fail_errno(error, errno, "cannot give the folder %s to %s", dir, user->name);
	return TRUE;
}

/* The folder of all states: open to pass through, whatever the daemon's umask. */
static gboolean make_parent(const char *parent, GError **error)
{
	struct stat st;
	if (g_mkdir_with_parents(parent, 0700) || stat(parent, &st))
		return fail_errno(error, errno, "cannot make the folder %s", parent);
	if (geteuid() == 0 && !(st.st_mode & S_IXOTH) && chmod(parent, 0711))
		return fail_errno(error, errno, "cannot open the folder %s to swtpm's user", parent);
	return TRUE;
}

/* The local certificate authority of this daemon: its folder, and what tells the tools of it. */
static char *make_authority(const Swtpm *swtpm, const char *localca, GError **error)
{
	g_autofree char *parent = g_path_get_dirname(swtpm->state_dir);
	g_autofree char *dir = g_build_filename(parent, "ca", NULL);
	g_autofree char *config = g_build_filename(dir, "swtpm_setup.conf", NULL);
	g_autofree char *authority = g_build_filename(dir, "swtpm-localca.conf", NULL);
	g_autofree char *options = g_build_filename(dir, "swtpm-localca.options", NULL);
	const struct {
		const char *path;
		char *text;
	} files[] = {
		{ config, g_strdup_printf("create_certs_tool = %s\n"
					  "create_certs_tool_config = %s\n"
					  "create_certs_tool_options = %s\n",
					  localca, authority, options) },
		{ authority, g_strdup_printf("statedir = %s\nsigningkey = %s/signkey.pem\n"
					     "issuercert = %s/issuercert.pem\n"
					     "certserial = %s/certserial\n",
					     dir, dir, dir, dir) },
		{ options, g_strdup("--platform-manufacturer QEMU\n--platform-version 2.1\n"
				    "--platform-model QEMU\n") },
	};
	gboolean ok = own_dir(dir, swtpm->user, error);
	for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
		ok = ok && (g_file_test(files[i].path, G_FILE_TEST_EXISTS) ||
			    file_write(files[i].path, files[i].text, strlen(files[i].text), 0644,
				       FILE_CACHE, error));
		g_free(files[i].text);
	}
	return ok ? g_steal_pointer(&config) : NULL;
}

/* ---- first use: swtpm_setup ---- */

static gboolean run_setup(const Swtpm *swtpm, GPtrArray *argv, GError **error)
{
	g_autofree char *out = NULL;
	int status = 0;
	g_ptr_array_add(argv, NULL);
	Spawn how = { .argv = (const char *const *)argv->pdata, .same_session = TRUE };
	helper_world(&how, swtpm->user, swtpm->cgroup, 0);
	if (!spawn_run(&how, SETUP_MS, &out, &status, error))
		return FALSE;
	if (status == 0)
		return TRUE;
	char *last = strrchr(g_strchomp(out), '\n');
	return fail(error, LODGE_ERROR_ENGINE, "guest \"%s\": tpm: swtpm_setup failed: %s",
		    swtpm->guest->name, last ? last + 1 : out);
}

static void add_words(GPtrArray *argv, ...)
{
	va_list words;
	va_start(words, argv);
	for (const char *word; (word = va_arg(words, const char *));)
		g_ptr_array_add(argv, g_strdup(word));
	va_end(words);
}

/* Fills the empty folder @dir. */
static gboolean manufacture(const Swtpm *swtpm, const char *setup, const char *dir, GError **error)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *banks = pcr_banks(swtpm->tpm);
	g_autofree char *vmid = g_strdup_printf("%s:%s", swtpm->guest->name, swtpm->guest->uuid);
	g_autofree char *localca = helper_program("swtpm_localca", NULL);
	g_autofree char *certtool = helper_program("certtool", NULL);
	add_words(argv, setup, "--tpm-state", dir, "--vmid", vmid, "--lock-nvram",
		  "--not-overwrite", NULL);
	if (swtpm->v2)
		add_words(argv, "--tpm2", NULL);
	if (swtpm->v2 && banks)
		add_words(argv, "--pcr-banks", banks, NULL);
	if (localca && certtool) {
		g_autofree char *config = make_authority(swtpm, localca, error);
		if (!config)
			return FALSE;
		add_words(argv, "--config", config, "--create-ek-cert", "--create-platform-cert",
			  NULL);
	} else {
		add_words(argv, "--createek", NULL);
	}
	return run_setup(swtpm, argv, error);
}

static gboolean make_state(const Swtpm *swtpm, GError **error)
{
	g_autofree char *setup = helper_program("swtpm_setup", NULL);
	g_autofree char *parent = g_path_get_dirname(swtpm->state_dir);
	g_autofree char *draft = g_strconcat(swtpm->state_dir, ".new", NULL);
	if (!make_parent(parent, error) || !file_remove_tree(draft, error) ||
	    !own_dir(draft, swtpm->user, error))
		return FALSE;
	gboolean ok = TRUE;
	if (setup)
		ok = manufacture(swtpm, setup, draft, error);
	else
		log_warning(swtpm->guest->name, "the TPM gets no certificates: swtpm_setup is not "
						"installed (package swtpm-tools)");
	if (ok && rename(draft, swtpm->state_dir))
		ok = fail_errno(error, errno, "cannot rename %s to %s", draft, swtpm->state_dir);
	if (!ok)
		file_remove_tree(draft, NULL);
	return ok;
}

static gboolean prepare_state(const Swtpm *swtpm, GError **error)
{
	if (!g_file_test(swtpm->state_dir, G_FILE_TEST_EXISTS))
		return make_state(swtpm, error);
	if (!own_dir(swtpm->state_dir, swtpm->user, error))
		return FALSE;
	if (has_state(swtpm->state_dir, swtpm->v2 ? STATE_1_2 : STATE_2_0) &&
	    !has_state(swtpm->state_dir, swtpm->v2 ? STATE_2_0 : STATE_1_2))
		return fail(error, LODGE_ERROR_INVALID,
			    "guest \"%s\": tpm: the state in %s is of TPM %s; say "
			    "backend/@version='%s' "
			    "or remove that folder and with it the guest's keys",
			    swtpm->guest->name, swtpm->state_dir, swtpm->v2 ? "1.2" : "2.0",
			    swtpm->v2 ? "1.2" : "2.0");
	return TRUE;
}

/* ---- swtpm ---- */

static QemuHelper *start_process(const Swtpm *swtpm, const char *socket, GError **error)
{
	g_autofree char *state = g_strdup_printf("dir=%s,mode=0600", swtpm->state_dir);
	g_autofree char *level = swtpm->tpm->debug && swtpm->log_fd > 0
					 ? g_strdup_printf("fd=2,level=%s", swtpm->tpm->debug)
					 : NULL;
	const char *argv[] = { "swtpm",	     "socket", "--ctrl",      "type=unixio,fd=3",
			       "--tpmstate", state,    "--terminate", NULL,
			       NULL,	     NULL,     NULL };
	guint n = 7;
	if (swtpm->v2)
		argv[n++] = "--tpm2";
	if (level) {
		argv[n++] = "--log";
		argv[n++] = level;
	}
	autofd int listener = helper_listen(socket, swtpm->user, error);
	if (listener < 0)
		return NULL;
	const SpawnFd fds[] = { { .from = listener, .to = 3 } };
	Spawn how = { .argv = argv, .fds = fds, .n_fds = 1 };
	helper_world(&how, swtpm->user, swtpm->cgroup, swtpm->log_fd);
	return helper_spawn("swtpm", socket, &how, error);
}

/* CMD_GET_CAPABILITY over the control socket: whoever answers is ready for QEMU. A process that has
 * ended closes the connection. */
static gboolean answers(const char *socket)
{
	static const guint8 command[] = { 0, 0, 0, 1 };
	guint8 answer[8];
	autofd int fd = socket_connect(socket, NULL);
	struct pollfd watch = { .fd = fd, .events = POLLIN };
	return fd >= 0 && send(fd, command, sizeof command, MSG_NOSIGNAL) == sizeof command &&
	       poll(&watch, 1, READY_MS) > 0 && recv(fd, answer, sizeof answer, 0) > 0;
}

static gboolean wait_ready(const Swtpm *swtpm, const QemuHelper *helper, GError **error)
{
	if (answers(qemu_helper_socket(helper)))
		return TRUE;
	if (helper_wait(helper, 100))
		return fail(
			error, LODGE_ERROR_ENGINE,
			"guest \"%s\": tpm: swtpm ended at once; its words are in the guest's log, "
			"its state is in %s",
			swtpm->guest->name, swtpm->state_dir);
	return fail(error, LODGE_ERROR_TIMEOUT,
		    "guest \"%s\": tpm: swtpm did not answer within %d s", swtpm->guest->name,
		    READY_MS / 1000);
}

QemuHelper *qemu_swtpm_start(const Guest *live, const Tpm *tpm, const char *run_dir,
			     const char *state_dir, const HostUser *user, const Cgroup *cgroup,
			     int log_fd, GError **error)
{
	const Swtpm swtpm = { .guest = live,
			      .tpm = tpm,
			      .user = user,
			      .cgroup = cgroup,
			      .log_fd = log_fd,
			      .state_dir = state_dir,
			      .v2 = is_version_2(tpm, state_dir) };
	g_autofree char *socket = g_build_filename(run_dir, "swtpm.sock", NULL);
	g_autofree char *program = helper_program("swtpm", NULL);
	if (!check_tpm(live, tpm, error))
		return NULL;
	if (!program) {
		fail(error, LODGE_ERROR_UNSUPPORTED,
		     "guest \"%s\": tpm: swtpm is not installed; install the packages swtpm and "
		     "swtpm-tools",
		     live->name);
		return NULL;
	}
	if (!prepare_state(&swtpm, error))
		return NULL;
	g_autoptr(QemuHelper) helper = start_process(&swtpm, socket, error);
	if (!helper || !wait_ready(&swtpm, helper, error))
		return NULL;
	return g_steal_pointer(&helper);
}
