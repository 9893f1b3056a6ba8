/* Finds the daemon, and starts one where none runs: a private one for a person or a --root, the
 * system's for root. */
#include "cli/internal.h"
#include "base/error.h"
#include "host/socket.h"

#include <glib-unix.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_ATTEMPTS 100 /* times 50 ms: while another command starts the same daemon */

static gboolean nobody_there(const GError *error)
{
	return g_error_matches(error, LODGE_ERROR, LODGE_ERROR_GONE) ||
	       g_error_matches(error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND);
}

static int try_connect(const Cli *cli, GError **error)
{
	int fd = socket_connect(cli->paths->socket, error);
	if (fd >= 0)
		g_unix_set_fd_nonblocking(fd, FALSE, NULL);
	return fd;
}

/* Runs `lodge daemon --detach`, which ends when the daemon answers. Its errors are on our standard
 * error. A daemon that another command starts at the same moment holds the lock: that is fine. */
static gboolean start_daemon(const Cli *cli, GError **error)
{
	char *self = g_file_read_link("/proc/self/exe", NULL);
	char *argv[] = { self, "daemon", "--detach", "--root", cli->paths->root, NULL };
	if (!cli->paths->root)
		argv[3] = NULL;
	g_autoptr(GError) why = NULL;
	g_autofree char *said = NULL;
	int status = 0;
	gboolean ok = g_spawn_sync(NULL, argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, &said, &status,
				   &why);
	g_free(self);
	if (!ok)
		return fail(error, LODGE_ERROR_SYSTEM, "cannot start the daemon: %s", why->message);
	int in_use = op_error_row(LODGE_ERROR_IN_USE)->exit_code;
	if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == in_use))
		return TRUE;
	const char *text = g_str_has_prefix(said, "error: ") ? said + 7 : said;
	return fail(error, LODGE_ERROR_GONE, "the daemon did not start: %s", g_strchomp((char *)text));
}

Http *cli_connect(Cli *cli, GError **error)
{
	g_autoptr(GError) why = NULL;
	int fd = try_connect(cli, &why);
	gboolean started = FALSE;
	for (int i = 0; fd < 0 && i < START_ATTEMPTS; i++) {
		gboolean full = g_error_matches(why, LODGE_ERROR, LODGE_ERROR_TIMEOUT);
		if (!full && (!nobody_there(why) || cli->no_start))
			break;
		if (!full && !started && !start_daemon(cli, error))
			return NULL;
		if (full || started)
			g_usleep(50000);
		started |= !full;
		g_clear_error(&why);
		fd = try_connect(cli, &why);
	}
	if (fd < 0 && nobody_there(why))
		fail(error, LODGE_ERROR_GONE, "no daemon answers on %s", cli->paths->socket);
	else if (fd < 0)
		g_propagate_error(error, g_steal_pointer(&why));
	return fd < 0 ? NULL : http_new(fd);
}
