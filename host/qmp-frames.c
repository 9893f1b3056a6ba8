/* See qmp-frames.h. */
#include "host/qmp-frames.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"

#define KEEP_MAX ((gsize)64 * 1024) /* a bigger buffer is not kept for the next message */

/* ---- numbers beyond 63 bits ---- */

static gboolean is_number_char(char c)
{
	return g_ascii_isdigit(c) || strchr("+-.eE", c);
}

/* Copies the number at @p, making it a real where it is whole and has 19 digits or more. */
static const char *copy_number(const char *p, const char *end, GString *to)
{
	const char *start = p;
	gboolean whole = TRUE;
	for (; p < end && *p && is_number_char(*p); p++)
		whole = whole && (g_ascii_isdigit(*p) || *p == '-');
	g_string_append_len(to, start, p - start);
	gsize digits = (gsize)(p - start) - (*start == '-');
	char *stop = NULL;
	g_autofree char *number = g_strndup(start, (gsize)(p - start));
	errno = 0;
	(void)g_ascii_strtoll(number, &stop, 10);
	if (whole && digits >= 19 && errno == ERANGE)
		g_string_append(to, ".0");
	return p;
}

static const char *copy_string(const char *p, const char *end, GString *to)
{
	const char *start = p++;
	while (p < end && *p != '"')
		p += *p == '\\' && p + 1 < end ? 2 : 1;
	if (p < end)
		p++;
	g_string_append_len(to, start, p - start);
	return p;
}

static GString *with_big_numbers_real(const char *text, gsize length)
{
	GString *to = g_string_sized_new(length + 64);
	const char *end = text + length;
	for (const char *p = text; p < end;) {
		if (*p == '"')
			p = copy_string(p, end, to);
		else if (*p == '-' || g_ascii_isdigit(*p))
			p = copy_number(p, end, to);
		else
			g_string_append_c(to, *p++);
	}
	return to;
}

json_t *qmp_json_load(const char *text, gsize length, GError **error)
{
	json_error_t why;
	json_t *json = json_loadb(text, length, JSON_ALLOW_NUL, &why);
	if (!json && json_error_code(&why) == json_error_numeric_overflow) {
		g_autoptr(GString) changed = with_big_numbers_real(text, length);
		json = json_loadb(changed->str, changed->len, JSON_ALLOW_NUL, &why);
	}
	if (!json)
		fail(error, LODGE_ERROR_ENGINE, "no JSON: %s at byte %d", why.text, why.position);
	return json;
}

/* ---- lines ---- */

static gboolean take_line(const char *line, gsize length, QmpMessageFn fn, gpointer data,
			  GError **error)
{
	while (length && g_ascii_isspace(line[length - 1]))
		length--;
	if (!length)
		return TRUE;
	json_t *message = qmp_json_load(line, length, error);
	if (!message)
		return FALSE;
	gboolean ok = json_is_object(message) ||
		      fail(error, LODGE_ERROR_ENGINE, "a message is no JSON object");
	if (ok)
		fn(message, data);
	json_decref(message);
	return ok;
}

static void keep(QmpFrames *frames, const char *bytes, gsize length)
{
	if (!length)
		return;
	if (!frames->rest)
		frames->rest = g_byte_array_new();
	g_byte_array_append(frames->rest, (const guint8 *)bytes, (guint)length);
}

static void forget(QmpFrames *frames)
{
	if (frames->rest && frames->rest->len > KEEP_MAX)
		g_clear_pointer(&frames->rest, g_byte_array_unref);
	else if (frames->rest)
		g_byte_array_set_size(frames->rest, 0);
}

gboolean qmp_frames_feed(QmpFrames *frames, const char *bytes, gsize length, QmpMessageFn fn,
			 gpointer data, GError **error)
{
	while (length) {
		const char *newline = memchr(bytes, '\n', length);
		gsize n = newline ? (gsize)(newline - bytes) : length;
		gsize before = frames->rest ? frames->rest->len : 0;
		if (before + n > QMP_MESSAGE_MAX)
			return fail(error, LODGE_ERROR_ENGINE, "a message is longer than %zu MiB",
				    QMP_MESSAGE_MAX >> 20);
		if (!newline || before)
			keep(frames, bytes, n);
		if (!newline)
			return TRUE;
		gboolean ok = before ? take_line((const char *)frames->rest->data,
						 frames->rest->len, fn, data, error)
				     : take_line(bytes, n, fn, data, error);
		if (!ok)
			return FALSE;
		forget(frames);
		bytes += n + 1;
		length -= n + 1;
	}
	return TRUE;
}

void qmp_frames_clear(QmpFrames *frames)
{
	g_clear_pointer(&frames->rest, g_byte_array_unref);
}
