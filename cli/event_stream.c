/* What the verbs that follow events have alike: the stream of `events`, one JSON object a line, and the
 * count at its end. Neighbours: guest_event.c, object_event.c and monitor_event.c print; ops/guest_watch.c
 * sends. */
#include "cli/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

const char *event_text(json_t *line, const char *name)
{
	const char *text = json_string_value(json_object_get(line, name));
	return text ? text : "";
}

int events_open(Cli *cli, const char *kind, const char *object, OptUint timeout, GString *lines,
		GError **error)
{
	const Op *events = op_find("events");
	g_autoptr(GByteArray) early = g_byte_array_new();
	g_autofree char *seconds = timeout.set ? g_strdup_printf("%" G_GUINT64_FORMAT, timeout.v) : NULL;
	gpointer words = shape_new(events->args);
	cli_set_word(events, words, "event", kind);
	cli_set_word(events, words, "domain", object);
	cli_set_word(events, words, "timeout", seconds);
	int fd = cli_stream(cli, events, NULL, words, early, error);
	shape_free(events->args, words);
	g_string_append_len(lines, (const char *)early->data, early->len);
	return fd;
}

/* Whole lines are printed and taken; returns how many counted. */
static guint print_lines(GString *lines, gboolean loop, EventPrint print, gconstpointer data)
{
	guint n = 0;
	for (char *end; (end = strchr(lines->str, '\n'));) {
		*end = '\0';
		if (loop || !n)
			n += print(data, lines->str);
		g_string_erase(lines, 0, end + 1 - lines->str);
	}
	fflush(stdout);
	return n;
}

guint events_follow(int fd, GString *lines, gboolean loop, EventPrint print, gconstpointer data)
{
	guint n = print_lines(lines, loop, print, data);
	char buffer[16384];
	ssize_t got = 1;
	while ((loop || !n) && (got > 0 || (got < 0 && errno == EINTR))) {
		got = recv(fd, buffer, sizeof buffer, 0);
		if (got > 0)
			g_string_append_len(lines, buffer, got);
		n += print_lines(lines, loop, print, data);
	}
	printf("%sevents received: %u\n", got <= 0 ? "event loop timed out\n" : "", n);
	return n;
}
