/* A reply that grows line by line while a long verb runs. While there is nothing to send the
 * connection sleeps (MHD suspends it); a line wakes it. */
#include "base/lane.h"
#include "wire/rest/internal.h"

#include <stdlib.h>
#include <string.h>

#define PROGRESS_INTERVAL (G_USEC_PER_SEC / 10)

struct Feed {
	gint refs;
	/* Main loop only. */
	struct MHD_Connection *mhd; /* NULL once the connection is closing */
	GString *ready;		    /* bytes to send */
	gboolean asleep;	    /* the connection is suspended */
	gboolean ended;
	/* Under lock: what the verb's thread tells. */
	GMutex lock;
	double fraction;
	char *text;
	gboolean posted; /* a flush is on its way to the main loop */
	gint64 last;	 /* monotonic time of the last flush */
};

Feed *feed_new(struct MHD_Connection *mhd)
{
	Feed *feed = g_new0(Feed, 1);
	feed->refs = 1;
	feed->mhd = mhd;
	feed->ready = g_string_new(NULL);
	g_mutex_init(&feed->lock);
	return feed;
}

void feed_unref(Feed *feed)
{
	if (!g_atomic_int_dec_and_test(&feed->refs))
		return;
	g_string_free(feed->ready, TRUE);
	g_free(feed->text);
	g_mutex_clear(&feed->lock);
	g_free(feed);
}

static void feed_unref_cb(void *feed)
{
	feed_unref(feed);
}

static void wake(Feed *feed)
{
	if (!feed->asleep || !feed->mhd)
		return;
	feed->asleep = FALSE;
	rest_wake(feed->mhd);
}

static ssize_t read_feed(void *cls, G_GNUC_UNUSED uint64_t position, char *buffer, size_t max)
{
	Feed *feed = cls;
	if (!feed->mhd)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	size_t n = MIN(max, feed->ready->len);
	if (n == 0 && feed->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (n == 0) {
		feed->asleep = TRUE;
		MHD_suspend_connection(feed->mhd);
		return 0;
	}
	memcpy(buffer, feed->ready->str, n);
	g_string_erase(feed->ready, 0, (gssize)n);
	return (ssize_t)n;
}

struct MHD_Response *feed_response(Feed *feed)
{
	g_atomic_int_inc(&feed->refs);
	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, 4096, read_feed, feed, feed_unref_cb);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/x-ndjson");
	return response;
}

/* Takes @json. */
static void add_line(Feed *feed, json_t *json)
{
	char *line = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	g_string_append(feed->ready, line);
	g_string_append_c(feed->ready, '\n');
	free(line);
	wake(feed);
}

static void flush(gpointer data)
{
	Feed *feed = data;
	g_mutex_lock(&feed->lock);
	double fraction = feed->fraction;
	g_autofree char *text = g_steal_pointer(&feed->text);
	feed->posted = FALSE;
	feed->last = g_get_monotonic_time();
	g_mutex_unlock(&feed->lock);
	if (feed->mhd && !feed->ended && text) {
		json_t *line = json_object();
		if (fraction >= 0)
			json_object_set_new(line, "progress", json_real(MIN(fraction, 1.0)));
		json_object_set_new(line, "text", json_string(text));
		add_line(feed, line);
	}
	feed_unref(feed);
}

void feed_progress(Feed *feed, double fraction, const char *text)
{
	g_mutex_lock(&feed->lock);
	feed->fraction = fraction;
	g_free(feed->text);
	feed->text = g_utf8_make_valid(text, -1);
	gboolean post = !feed->posted && (g_get_monotonic_time() - feed->last > PROGRESS_INTERVAL);
	if (post)
		feed->posted = TRUE;
	g_mutex_unlock(&feed->lock);
	if (!post)
		return;
	g_atomic_int_inc(&feed->refs);
	lane_to_main(flush, feed);
}

void feed_end(Feed *feed, json_t *json)
{
	feed->ended = TRUE;
	add_line(feed, json);
}

void feed_gone(Feed *feed)
{
	wake(feed);
	feed->mhd = NULL;
}
