/* See log.h. */
#include "base/log.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const char *const words[] = { "debug", "info", "warning", "error" };
static LogLevel threshold = LOG_LEVEL_INFO;
static int log_fd = -1;

void log_set_level(LogLevel level)
{
	threshold = level;
}

gboolean log_wants(LogLevel level)
{
	return level >= threshold;
}

gboolean log_to_file(const char *path, GError **error)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail_errno(error, errno, "cannot open the log file %s", path);
	if (log_fd >= 0)
		close(log_fd);
	log_fd = fd;
	return TRUE;
}

/* One write per line, so that lines of several threads do not mix. A full disk must not stop the
 * daemon: what cannot be written is dropped. */
static void put(int fd, const char *line, size_t len)
{
	if (fd >= 0 && write(fd, line, len) < 0)
		return;
}

void log_line(LogLevel level, const char *object, const char *format, ...)
{
	if (!log_wants(level))
		return;
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	g_autofree char *line = g_strdup_printf("%s: %s%s%s\n", words[level], object ? object : "",
						object ? ": " : "", text);
	put(STDERR_FILENO, line, strlen(line));
	if (log_fd < 0)
		return;
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autofree char *stamp = g_date_time_format(now, "%Y-%m-%dT%H:%M:%S.%f");
	g_autofree char *dated = g_strdup_printf("%.23sZ %s", stamp, line);
	put(log_fd, dated, strlen(dated));
}
