/* `lodge console`: a guest's serial console on this terminal, or between pipes.
 *
 * The terminal is raw meanwhile and is restored on every way out: Ctrl-], the guest's end, an error,
 * a signal. Where standard input is no terminal its bytes are sent as they come; after its end, output
 * is followed until --timeout has gone by or the guest ends. */
#include "cli/internal.h"
#include "base/fd.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>

#define ESCAPE 0x1d /* Ctrl-] */

typedef struct ConsoleArgs {
	ShapeHead head;
	char *devname;
	gboolean force, safe, no_history, read_only;
	OptUint timeout;
} ConsoleArgs;

static const Row console_rows[] = {
	STRING(ConsoleArgs, devname, NULL, .flags = ROW_POSITIONAL,
	       .doc = "alias of another serial port or console, such as serial1"),
	FLAG(ConsoleArgs, force, NULL, .doc = "take the keyboard from who has it"),
	FLAG(ConsoleArgs, safe, NULL, .doc = "accepted for virsh's sake: sessions never clash here"),
	FLAG(ConsoleArgs, no_history, NULL, .doc = "only what is printed from now on"),
	FLAG(ConsoleArgs, read_only, NULL, .doc = "watch without typing"),
	UINT(ConsoleArgs, timeout, NULL, .max = 86400,
	     .doc = "leave so many seconds after standard input ended (without: when the guest ends)"),
};
const Shape console_args = SHAPE("console-words", ConsoleArgs, console_rows);

/* ---- the terminal ---- */

static struct termios saved;
static volatile sig_atomic_t is_raw, told_to_end;

static void restore_terminal(void)
{
	if (is_raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
	is_raw = 0;
}

static void on_signal(G_GNUC_UNUSED int number)
{
	told_to_end = 1;
}

static void make_raw(void)
{
	if (tcgetattr(STDIN_FILENO, &saved) < 0)
		return;
	struct termios raw = saved;
	cfmakeraw(&raw);
	atexit(restore_terminal);
	is_raw = 1;
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

static void watch_signals(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction action = { .sa_handler = on_signal };
	for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
		sigaction(numbers[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* ---- bytes ---- */

typedef struct Session {
	int fd;
	gboolean terminal; /* standard input is one */
	gboolean input_open;
	gint64 deadline; /* monotonic; 0: none */
	guint timeout;	 /* seconds after the end of input; 0: none */
} Session;

static gboolean send_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
		if (n < 0 && (errno != EINTR || told_to_end))
			return FALSE;
		bytes += MAX(n, 0);
		length -= (size_t)MAX(n, 0);
	}
	return TRUE;
}

static void input_ended(Session *session)
{
	session->input_open = FALSE;
	if (session->timeout > 0)
		session->deadline = g_get_monotonic_time() + session->timeout * G_USEC_PER_SEC;
}

/* FALSE: leave. */
static gboolean take_input(Session *session)
{
	char buffer[4096];
	ssize_t n = read(STDIN_FILENO, buffer, sizeof buffer);
	if (n <= 0) {
		if (n == 0 || errno != EINTR)
			input_ended(session);
		return TRUE;
	}
	char *escape = session->terminal ? memchr(buffer, ESCAPE, (size_t)n) : NULL;
	return send_all(session->fd, buffer, escape ? (size_t)(escape - buffer) : (size_t)n) && !escape;
}

static gboolean take_output(const Session *session)
{
	char buffer[16384];
	ssize_t n = recv(session->fd, buffer, sizeof buffer, 0);
	if (n < 0)
		return errno == EINTR;
	return n > 0 && show_bytes(buffer, (gsize)n);
}

static int time_left(const Session *session)
{
	if (!session->deadline)
		return -1;
	gint64 left = (session->deadline - g_get_monotonic_time()) / 1000;
	return (int)CLAMP(left, 0, G_MAXINT);
}

static void run_session(Session *session)
{
	while (!told_to_end) {
		struct pollfd fds[3] = { { .fd = session->fd, .events = POLLIN },
					 { .fd = session->input_open ? STDIN_FILENO : -1,
					   .events = POLLIN },
					 { .fd = STDOUT_FILENO } };
		int n = poll(fds, 3, time_left(session));
		if (n == 0 || (n > 0 && (fds[2].revents & (POLLERR | POLLHUP | POLLNVAL))))
			return; /* time is up, or nobody reads what we print */
		if (n < 0)
			continue; /* a signal */
		if (fds[1].revents && !take_input(session))
			return;
		if (fds[0].revents && !take_output(session))
			return;
	}
}

static int attach(Cli *cli, const char *target, const Op *own, const ConsoleArgs *args)
{
	const Op *op = op_find("console");
	g_autoptr(GError) error = NULL;
	g_autoptr(GByteArray) early = g_byte_array_new();
	gpointer asked = cli_pass_args(own, args, op);
	autofd int fd = cli_stream(cli, op, target, asked, early, &error);
	shape_free(op->args, asked);
	if (fd < 0)
		return cli_failed(error);
	Session session = { .fd = fd, .terminal = isatty(STDIN_FILENO), .input_open = TRUE,
			    .timeout = (guint)opt_uint_or(args->timeout, 0) };
	watch_signals();
	if (session.terminal) {
		make_raw(); /* first: what is typed from here on is the guest's */
		printf("Connected to domain '%s'\r\nEscape character is ^] (Ctrl + ])\r\n", target);
		fflush(stdout);
	}
	if (show_bytes((const char *)early->data, early->len))
		run_session(&session);
	restore_terminal();
	if (session.terminal)
		putchar('\n');
	return 0;
}

int run_console(Cli *cli, const Op *own, const char *target, gpointer args)
{
	return attach(cli, target, own, args);
}

int console_attach(Cli *cli, const char *target)
{
	const ConsoleArgs args = { 0 };
	const Op own = { .name = "console", .args = &console_args };
	return attach(cli, target, &own, &args);
}
