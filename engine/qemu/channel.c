/* The serial channels into a guest, as the live definition shows them: the socket that QEMU listens on
 * where the definition left the choice to us, and whether somebody in the guest has opened the port.
 * Later changes come as events (monitor.c). See run.h. */
#include "base/error.h"
#include "base/log.h"
#include "engine/qemu/run.h"

static gboolean is_port(const Chardev *channel)
{
	return channel->info.alias &&
	       (!channel->target_type || g_str_equal(channel->target_type, "virtio"));
}

static void fill_path(const EngineRun *run, Chardev *channel)
{
	const ChardevSource *source = chardev_source(&channel->backend);
	if (channel->type != CHARDEV_UNIX || (source && source->path))
		return;
	chardev_forget_sources(&channel->backend);
	ChardevSource *chosen = g_new0(ChardevSource, 1);
	chosen->mode = g_strdup("bind");
	chosen->path = qemu_channel_path(run->run_dir, channel->info.alias);
	shape_append(&channel->backend.sources, NULL, chosen);
}

static gboolean is_open(json_t *chardevs, const char *alias)
{
	g_autofree char *id = qemu_chardev_id(alias);
	size_t i;
	json_t *chardev;
	json_array_foreach(chardevs, i, chardev)
		if (!g_strcmp0(json_string_value(json_object_get(chardev, "label")), id))
			return json_is_true(json_object_get(chardev, "frontend-open"));
	return FALSE;
}

void run_fill_channels(const EngineRun *run, Guest *live, json_t *chardevs)
{
	SHAPE_EACH (Chardev, channel, live->channels) {
		if (!is_port(channel))
			continue;
		fill_path(run, channel);
		g_free(channel->target_state);
		channel->target_state = g_strdup(is_open(chardevs, channel->info.alias) ? "connected"
										       : "disconnected");
	}
}

void run_refresh_channels(EngineRun *run, Guest *live, int timeout_ms)
{
	g_autoptr(GError) error = NULL;
	if (!shape_len(live->channels))
		return;
	json_t *chardevs = qmp_call(run->qmp, "query-chardev", NULL, timeout_ms, &error);
	if (chardevs)
		run_fill_channels(run, live, chardevs);
	else
		log_warning(run->name, "who listens on its channels is not known: %s", error->message);
	json_decref(chardevs);
}
