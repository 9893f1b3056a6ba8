/* Sound cards, and where their sound goes ("-audiodev").
 * Neighbours: build.h; graphics.c lets VNC play it; machine.c has the PC speaker. */
#include "engine/qemu/build.h"

#include <string.h>

/* ---- back ends ---- */

static const NameRow drivers[] = {
	{ "none", "none" }, { "alsa", "alsa" }, { "jack", "jack" }, { "oss", "oss" },
	{ "pulseaudio", "pa" }, { "sdl", "sdl" }, { "spice", "spice" }, { "file", "wav" },
	{ "dbus", "dbus" },
};

static const PropRow stream_rows[] = {
	PROP(AudioStream, mixing_engine, "mixing-engine", PROP_TRI),
	PROP(AudioStream, fixed_settings, "fixed-settings", PROP_TRI),
	PROP(AudioStream, voices, "voices", PROP_UINT),
	PROP(AudioStream, buffer_length, "buffer-length", PROP_UINT),
	PROP(AudioStream, frequency, "frequency", PROP_UINT),
	PROP(AudioStream, channels, "channels", PROP_UINT),
	PROP(AudioStream, format, "format", PROP_STRING),
	PROP(AudioStream, dev, "dev", PROP_STRING),
	PROP(AudioStream, name, "name", PROP_STRING),
	PROP(AudioStream, stream_name, "stream-name", PROP_STRING),
	PROP(AudioStream, server_name, "server-name", PROP_STRING),
	PROP(AudioStream, client_name, "client-name", PROP_STRING),
	PROP(AudioStream, latency, "latency", PROP_UINT),
	PROP(AudioStream, buffer_count, "buffer-count", PROP_UINT),
	PROP(AudioStream, try_poll, "try-poll", PROP_TRI),
};

static void put_stream(json_t *audio, const char *key, const AudioStream *stream)
{
	if (!stream)
		return;
	json_t *json = json_object();
	put_rows(json, stream_rows, G_N_ELEMENTS(stream_rows), stream);
	json_object_set_new(audio, key, json);
}

static const PropRow audio_rows[] = {
	PROP(Audio, timer_period, "timer-period", PROP_UINT),
	PROP(Audio, try_mmap, "try-mmap", PROP_TRI),
	PROP(Audio, exclusive, "exclusive", PROP_TRI),
	PROP(Audio, dsp_policy, "dsp-policy", PROP_UINT),
	PROP(Audio, path, "path", PROP_STRING),
	PROP(Audio, driver, "driver", PROP_STRING),
};

static char *audio_id(guint64 id)
{
	return g_strdup_printf("audio%" G_GUINT64_FORMAT, id);
}

static gboolean add_audio(Build *build, const Audio *audio, GError **error)
{
	const char *driver = name_lookup(drivers, G_N_ELEMENTS(drivers), audio->type);
	g_autofree char *id = audio_id(opt_uint_or(audio->id, 1));
	if (!driver)
		return unsupported(build, error,
				   "audio: type \"%s\" is not supported; use none, spice or pulseaudio",
				   audio->type ? audio->type : "");
	json_t *json = json_object();
	put_rows(json, audio_rows, G_N_ELEMENTS(audio_rows), audio);
	put(json, "id", id);
	put(json, "driver", driver);
	if (g_str_equal(driver, "pa"))
		put(json, "server", audio->server_name);
	put_stream(json, "in", audio->input);
	put_stream(json, "out", audio->output);
	add_json(build, "-audiodev", json);
	return TRUE;
}

static gboolean has_spice(const Guest *guest)
{
	SHAPE_EACH (Graphics, graphics, guest->graphics)
		if (graphics->type == GRAPHICS_SPICE)
			return TRUE;
	return FALSE;
}

gboolean build_audios(Build *build, GError **error)
{
	const Guest *guest = build->guest;
	if (!shape_len(guest->audios)) {
		if (!shape_len(guest->sounds))
			return TRUE;
		Audio audio = { .id = OPT_UINT(1),
				.type = (char *)(has_spice(guest) ? "spice" : "none") };
		build->audio = "audio1";
		return add_audio(build, &audio, error);
	}
	SHAPE_EACH (Audio, audio, guest->audios) {
		g_autofree char *id = audio_id(opt_uint_or(audio->id, 1));
		if (audio_i == 0)
			build->audio = g_intern_string(id);
		if (!add_audio(build, audio, error))
			return FALSE;
	}
	return TRUE;
}

/* ---- cards ---- */

static const struct {
	const char *model, *device;
	gboolean hda; /* needs codecs */
} cards[] = {
	{ "ich6", "intel-hda", TRUE }, { "ich9", "ich9-intel-hda", TRUE }, { "ac97", "AC97", FALSE },
	{ "es1370", "ES1370", FALSE }, { "sb16", "sb16", FALSE },	   { "usb", "usb-audio", FALSE },
};

static const NameRow codecs[] = {
	{ "duplex", "hda-duplex" },
	{ "micro", "hda-micro" },
	{ "output", "hda-output" },
};

static gboolean add_codec(Build *build, const Sound *sound, guint number, const char *type,
			  const char *audio, GError **error)
{
	const char *driver = name_lookup(codecs, G_N_ELEMENTS(codecs), type);
	g_autofree char *id = g_strdup_printf("%s-codec%u", sound->info.alias, number);
	g_autofree char *bus = g_strdup_printf("%s.0", sound->info.alias);
	if (!driver)
		return unsupported(build, error,
				   "sound/codec: type \"%s\" does not exist; use duplex, micro or output",
				   type ? type : "");
	json_t *device = json_object();
	put(device, "driver", driver);
	put(device, "id", id);
	put(device, "bus", bus);
	put_int(device, "cad", number);
	put(device, "audiodev", audio);
	return add_device(build, device, "sound/codec", error);
}

static gboolean add_codecs(Build *build, const Sound *sound, const char *audio, GError **error)
{
	if (!shape_len(sound->codecs))
		return add_codec(build, sound, 0, "duplex", audio, error);
	SHAPE_EACH (SoundCodec, codec, sound->codecs)
		if (!add_codec(build, sound, codec_i, codec->type, audio, error))
			return FALSE;
	return TRUE;
}

static gboolean add_sound(Build *build, const Sound *sound, GError **error)
{
	g_autofree char *chosen = sound->audio_id.set ? audio_id(sound->audio_id.v) : NULL;
	const char *audio = chosen ? chosen : build->audio;
	if (!g_strcmp0(sound->model, "pcspk"))
		return TRUE; /* the board's own */
	for (guint i = 0; i < G_N_ELEMENTS(cards); i++) {
		if (g_strcmp0(cards[i].model, sound->model))
			continue;
		json_t *device = device_new(cards[i].device, &sound->info);
		if (!cards[i].hda)
			put(device, "audiodev", audio);
		if (!put_place(build, device, &sound->info, error)) {
			json_decref(device);
			return FALSE;
		}
		return add_device(build, device, "sound", error) &&
		       (!cards[i].hda || add_codecs(build, sound, audio, error));
	}
	return unsupported(build, error, "sound: model \"%s\" is not supported; use ich9, ich6, ac97 or "
			   "usb", sound->model ? sound->model : "");
}

gboolean build_sounds(Build *build, GError **error)
{
	SHAPE_EACH (Sound, sound, build->guest->sounds)
		if (!add_sound(build, sound, error))
			return FALSE;
	return TRUE;
}
