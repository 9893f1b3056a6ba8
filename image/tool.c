/* qemu-img as a child; see tool.h. Its output is read as it comes: progress is `  (12.34/100%)\r`
 * (util/qemu-progress.c of QEMU), the rest is the result; its complaints come apart. */
#include "image/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/open.h"
#include "host/process.h"

#define OUTPUT_MAX (16u << 20)
#define COMPLAINT_MAX 8192
#define BUSY "Unable to get accurate CPU usage" /* crypto/pbkdf.c of QEMU */
#define TRIES 20

/* What its complaints mean; the first that fits. */
static const struct {
	const char *words;
	LodgeError code;
} meanings[] = {
	{ "No space left on device", LODGE_ERROR_NO_SPACE },
	{ "Disk quota exceeded", LODGE_ERROR_NO_SPACE },
	{ "Is another process using the image", LODGE_ERROR_IN_USE },
	{ "Permission denied", LODGE_ERROR_DENIED },
	{ "Operation not permitted", LODGE_ERROR_DENIED },
	{ "No such file or directory", LODGE_ERROR_NOT_FOUND },
	{ "Unknown driver", LODGE_ERROR_UNSUPPORTED },
	{ "Unknown file format", LODGE_ERROR_UNSUPPORTED },
};

typedef struct Running {
	const ImageTool *how;
	SpawnChild child;
	int out, err;	    /* -1 at their end */
	GString *text;	    /* standard output, progress taken out */
	GString *complaint; /* the end of standard error */
	gboolean cancelled;
} Running;

/* ---- finding it ---- */

static gboolean is_self(const char *path)
{
	struct stat own, other;
	return stat("/proc/self/exe", &own) == 0 && stat(path, &other) == 0 &&
	       own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

char *image_tool_find(GError **error)
{
	const char *path = g_getenv("PATH");
	g_auto(GStrv) folders = g_strsplit(path ? path : "/usr/bin:/bin", ":", -1);
	for (guint i = 0; folders[i]; i++) {
		g_autofree char *file = g_build_filename(folders[i], "qemu-img", NULL);
		if (*folders[i] == '/' && g_file_test(file, G_FILE_TEST_IS_EXECUTABLE) && !is_self(file))
			return g_steal_pointer(&file);
	}
	fail(error, LODGE_ERROR_NOT_FOUND, "qemu-img is not installed; it is in the package qemu-utils");
	return NULL;
}

int image_secret_file(const ImageSecret *secret, GError **error)
{
	autofd int fd = memfd_create("secret", MFD_CLOEXEC);
	if (fd < 0 || write(fd, secret->bytes, secret->length) != (gssize)secret->length ||
	    lseek(fd, 0, SEEK_SET) < 0) {
		fail_errno(error, errno, "a secret cannot be handed on");
		return -1;
	}
	return fd_steal(&fd);
}

/* ---- its output ---- */

/* Takes whole progress marks out of the text: each ends with a carriage return. */
static void take_progress(Running *r)
{
	const ImageWork *work = r->how->work;
	for (char *mark; (mark = strchr(r->text->str, '\r'));) {
		char *open = g_strrstr_len(r->text->str, mark - r->text->str, "(");
		if (open && work && work->progress)
			work->progress(CLAMP(g_ascii_strtod(open + 1, NULL) / 100, 0, 1), work->data);
		gssize from = open ? open - r->text->str : mark - r->text->str;
		while (open && from > 0 && r->text->str[from - 1] == ' ')
			from--;
		g_string_erase(r->text, from, mark - r->text->str - from + 1);
	}
}

static void take_text(Running *r, const char *bytes, gsize length)
{
	if (r->text->len + length <= OUTPUT_MAX)
		g_string_append_len(r->text, bytes, (gssize)length);
	if (r->how->work)
		take_progress(r);
}

static void take_complaint(Running *r, const char *bytes, gsize length)
{
	g_string_append_len(r->complaint, bytes, (gssize)length);
	if (r->complaint->len > COMPLAINT_MAX)
		g_string_erase(r->complaint, 0, (gssize)(r->complaint->len - COMPLAINT_MAX));
}

static void read_pipe(Running *r, int *fd, void (*take)(Running *, const char *, gsize))
{
	char bytes[16384];
	gssize n = read(*fd, bytes, sizeof bytes);
	if (n > 0)
		take(r, bytes, (gsize)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		fd_clear(fd);
}

/* Until both pipes are at their end; it may hang on a dead server, but a cancel always ends it. */
static void follow(Running *r)
{
	GCancellable *cancel = r->how->work ? r->how->work->cancel : NULL;
	int cancel_fd = cancel ? g_cancellable_get_fd(cancel) : -1;
	while (r->out >= 0 || r->err >= 0) {
		struct pollfd fds[] = {
			{ .fd = r->out, .events = POLLIN },
			{ .fd = r->err, .events = POLLIN },
			{ .fd = r->cancelled ? -1 : cancel_fd, .events = POLLIN },
		};
		if (poll(fds, G_N_ELEMENTS(fds), -1) <= 0)
			continue;
		if (fds[0].revents)
			read_pipe(r, &r->out, take_text);
		if (fds[1].revents)
			read_pipe(r, &r->err, take_complaint);
		if (fds[2].revents) {
			r->cancelled = TRUE;
			process_signal(r->child.pidfd, SIGKILL, NULL);
		}
	}
	if (cancel_fd >= 0)
		g_cancellable_release_fd(cancel);
}

static int reap(Running *r)
{
	int status = -1;
	while (waitpid(r->child.pid, &status, 0) < 0 && errno == EINTR)
		;
	fd_clear(&r->child.pidfd);
	return status;
}

/* ---- one run ---- */

/* The secrets as files; -1 where there is none. */
static gboolean open_secrets(const ImageTool *how, int *fds, GError **error)
{
	const ImageSecret *const secrets[] = { how->secret, how->from_secret };
	for (guint i = 0; i < G_N_ELEMENTS(secrets); i++)
		if (secrets[i] && (fds[i] = image_secret_file(secrets[i], error)) < 0)
			return FALSE;
	return TRUE;
}

static gboolean start(Running *r, const char *program, const int *secrets, GError **error)
{
	int out[2], err[2];
	if (pipe2(out, O_CLOEXEC | O_NONBLOCK) < 0)
		return fail_errno(error, errno, "cannot make a pipe");
	autofd int out_write = out[1];
	r->out = out[0];
	if (pipe2(err, O_CLOEXEC | O_NONBLOCK) < 0)
		return fail_errno(error, errno, "cannot make a pipe");
	autofd int err_write = err[1];
	r->err = err[0];
	/* Only our ends never wait. */
	fcntl(out_write, F_SETFL, 0);
	fcntl(err_write, F_SETFL, 0);
	g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(SpawnFd));
	const SpawnFd own[] = { { out_write, 1 }, { err_write, 2 },
				{ secrets[0], IMAGE_SECRET_FD }, { secrets[1], IMAGE_FROM_SECRET_FD } };
	for (guint i = 0; i < G_N_ELEMENTS(own); i++)
		if (own[i].from >= 0)
			g_array_append_val(fds, own[i]);
	if (r->how->n_fds)
		g_array_append_vals(fds, r->how->fds, r->how->n_fds);
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	g_ptr_array_add(argv, (gpointer)program);
	for (guint i = 0; r->how->argv[i]; i++)
		g_ptr_array_add(argv, (gpointer)r->how->argv[i]);
	g_ptr_array_add(argv, NULL);
	const char *const env[] = { "LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	Spawn how = { .argv = (const char *const *)argv->pdata, .env = env, .cwd = r->how->cwd,
		      .fds = (const SpawnFd *)fds->data, .n_fds = fds->len, .tied = TRUE };
	HostUser owner;
	if (host_file_user(&owner)) /* where a server refuses root */
		how.user = &owner;
	return spawn(&how, &r->child, error);
}

/* Its complaint as one line, its own name taken away; the caller frees it. */
static char *complaint_line(const Running *r)
{
	g_autofree char *valid = g_utf8_make_valid(r->complaint->str, (gssize)r->complaint->len);
	g_strstrip(valid);
	g_auto(GStrv) lines = g_strsplit(valid, "\n", -1);
	for (guint i = 0; lines[i]; i++)
		if (g_str_has_prefix(lines[i], "qemu-img: "))
			memmove(lines[i], lines[i] + 10, strlen(lines[i] + 10) + 1);
	return g_strjoinv("; ", lines);
}

static gboolean judge(const Running *r, int status, GError **error)
{
	const char *about = r->how->about ? r->how->about : "qemu-img";
	if (r->cancelled)
		return fail(error, LODGE_ERROR_ABORTED, "%s: it was cancelled", about);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return TRUE;
	g_autofree char *line = complaint_line(r);
	LodgeError code = LODGE_ERROR_SYSTEM;
	for (guint i = G_N_ELEMENTS(meanings); i-- > 0;)
		if (strstr(line, meanings[i].words))
			code = meanings[i].code;
	if (*line)
		return fail(error, code, "%s: %s", about, line);
	g_autofree char *end = process_end_text((ProcessEnd){ TRUE, status });
	return fail(error, code, "%s: qemu-img %s", about, end);
}

/* One try; *busy tells whether another one may do. */
static gboolean try_once(const ImageTool *how, const char *program, char **out, gboolean *busy,
			 GError **error)
{
	int secrets[2] = { -1, -1 };
	Running r = { .how = how, .out = -1, .err = -1, .child.pidfd = -1 };
	gboolean ok = open_secrets(how, secrets, error) && start(&r, program, secrets, error);
	fd_clear(&secrets[0]);
	fd_clear(&secrets[1]);
	if (ok) {
		r.text = g_string_new(NULL);
		r.complaint = g_string_new(NULL);
		follow(&r);
		ok = judge(&r, reap(&r), error);
		*busy = !ok && !r.cancelled && strstr(r.complaint->str, BUSY);
		g_string_free(r.complaint, TRUE);
		char *text = g_string_free(r.text, FALSE);
		if (ok && out)
			*out = text;
		else
			g_free(text);
	}
	fd_clear(&r.out);
	fd_clear(&r.err);
	return ok;
}

gboolean image_tool_run(const ImageTool *how, char **out, GError **error)
{
	g_autofree char *program = image_tool_find(error);
	if (!program)
		return FALSE;
	for (guint left = TRIES;; left--) {
		g_autoptr(GError) why = NULL;
		gboolean busy = FALSE;
		if (try_once(how, program, out, &busy, &why))
			return TRUE;
		if (!busy || left == 0) {
			g_propagate_error(error, g_steal_pointer(&why));
			return FALSE;
		}
		g_usleep(50000);
	}
}
