/* See graphics.h. */
#include "model/device/graphics.h"

const EnumTable graphics_types = ENUM_TABLE("type of graphics", "sdl", "vnc", "rdp", "desktop",
					    "spice", "egl-headless", "dbus");

#define VNC SHAPE_WHEN(GRAPHICS_VNC)
#define SPICE SHAPE_WHEN(GRAPHICS_SPICE)
#define SDL SHAPE_WHEN(GRAPHICS_SDL)
#define DESKTOP SHAPE_WHEN(GRAPHICS_DESKTOP)
#define RDP SHAPE_WHEN(GRAPHICS_RDP)
#define DBUS SHAPE_WHEN(GRAPHICS_DBUS)

static const Row listen_rows[] = {
	STRING(GraphicsListen, type, "@type", .flags = ROW_REQUIRED,
	       .doc = "address, network, socket or none"),
	STRING(GraphicsListen, address, "@address", .doc = "address"),
	STRING(GraphicsListen, network, "@network", .doc = "network whose address is used"),
	STRING(GraphicsListen, socket, "@socket", .doc = "path of a unix socket"),
	TRI(GraphicsListen, from_config, "@fromConfig", .flags = ROW_LIVE,
	    .doc = "whether the host's configuration chose it"),
};
const Shape graphics_listen_shape = SHAPE("graphics-listen", GraphicsListen, listen_rows);

static const Row channel_rows[] = {
	STRING(GraphicsChannel, name, "@name", .flags = ROW_REQUIRED, .doc = "SPICE channel"),
	STRING(GraphicsChannel, mode, "@mode", .doc = "secure, insecure or any"),
};
static const Shape channel_shape = SHAPE("graphics-channel", GraphicsChannel, channel_rows);

static const Row graphics_rows[] = {
	ENUM(Graphics, type, "@type", graphics_types, .flags = ROW_REQUIRED, .doc = "protocol"),
	INT(Graphics, port, "@port", .when = VNC | SPICE | RDP, .min = -1, .max = 65535,
	    .doc = "port; -1: any free one"),
	INT(Graphics, tls_port, "@tlsPort", .when = SPICE, .min = -1, .max = 65535,
	    .doc = "port for TLS"),
	TRI(Graphics, autoport, "@autoport", .when = VNC | SPICE | RDP, .doc = "any free port"),
	INT(Graphics, websocket, "@websocket", .when = VNC, .min = -1, .max = 65535,
	    .doc = "port for web sockets"),
	STRING(Graphics, socket, "@socket", .when = VNC, .doc = "path of a unix socket"),
	STRING(Graphics, listen, "@listen", .when = VNC | SPICE | RDP, .doc = "address"),
	STRING(Graphics, keymap, "@keymap", .when = VNC | SPICE, .doc = "keyboard"),
	STRING(Graphics, passwd, "@passwd", .when = VNC | SPICE,
	       .flags = ROW_SECRET | ROW_EMPTY_OK, .doc = "password"),
	STRING(Graphics, passwd_valid_to, "@passwdValidTo", .when = VNC | SPICE,
	       .doc = "end of the password's time"),
	STRING(Graphics, connected, "@connected", .when = VNC | SPICE,
	       .doc = "what a new password does to who is connected"),
	STRING(Graphics, share_policy, "@sharePolicy", .when = VNC, .doc = "how viewers share"),
	STRING(Graphics, power_control, "@powerControl", .when = VNC,
	       .doc = "whether viewers may switch it off"),
	STRING(Graphics, default_mode, "@defaultMode", .when = SPICE,
	       .doc = "secure, insecure or any"),
	STRING(Graphics, display, "@display", .when = SDL | DESKTOP, .doc = "X display"),
	STRING(Graphics, xauth, "@xauth", .when = SDL, .doc = "X authority"),
	TRI(Graphics, fullscreen, "@fullscreen", .when = SDL | DESKTOP, .doc = "whole screen"),
	STRING(Graphics, address, "@address", .when = DBUS, .doc = "bus"),
	TRI(Graphics, p2p, "@p2p", .when = DBUS, .doc = "peer to peer"),
	LIST(Graphics, listens, "listen", graphics_listen_shape, .doc = "where it listens"),
	LIST(Graphics, channels, "channel", channel_shape, .doc = "modes of channels"),
	STRING(Graphics, image_compression, "image/@compression", .doc = "compression of images"),
	STRING(Graphics, jpeg_compression, "jpeg/@compression", .doc = "auto, never, always"),
	STRING(Graphics, zlib_compression, "zlib/@compression", .doc = "auto, never, always"),
	TRI(Graphics, playback_compression, "playback/@compression", .words = "on/off",
	    .doc = "compression of sound"),
	STRING(Graphics, streaming_mode, "streaming/@mode", .doc = "filter, all or off"),
	STRING(Graphics, mouse_mode, "mouse/@mode", .doc = "client or server"),
	TRI(Graphics, clipboard, "clipboard/@copypaste", .doc = "share the clipboard"),
	TRI(Graphics, filetransfer, "filetransfer/@enable", .doc = "files by drag and drop"),
	TRI(Graphics, gl, "gl/@enable", .doc = "OpenGL"),
	STRING(Graphics, rendernode, "gl/@rendernode", .doc = "GPU of the host"),
	UINT(Graphics, audio_id, "audio/@id", .doc = "audio backend"),
};
const Shape graphics_shape =
	SHAPE("graphics", Graphics, graphics_rows, .discriminator = &graphics_rows[0]);

static const Row resolution_rows[] = {
	UINT(VideoResolution, x, "@x", .max = G_MAXINT32, .doc = "width"),
	UINT(VideoResolution, y, "@y", .max = G_MAXINT32, .doc = "height"),
};
static const Shape resolution_shape = SHAPE("resolution", VideoResolution, resolution_rows);

static const Row video_rows[] = {
	STRING(Video, driver_name, "driver/@name", .doc = "qemu or vhostuser"),
	STRING(Video, vgaconf, "driver/@vgaconf", .doc = "io, on or off"),
	INLINE(Video, virtio, "driver", VirtioOptions, virtio_options_shape),
	STRING(Video, model, "model/@type", .doc = "vga, cirrus, qxl, virtio, bochs, ramfb, none"),
	UINT(Video, ram, "model/@ram", .max = G_MAXUINT32, .doc = "KiB of the primary bar"),
	UINT(Video, vram, "model/@vram", .max = G_MAXUINT32, .doc = "KiB of memory"),
	UINT(Video, vram64, "model/@vram64", .max = G_MAXUINT32, .doc = "KiB above 4 GiB"),
	UINT(Video, vgamem, "model/@vgamem", .max = G_MAXUINT32, .doc = "KiB of VGA memory"),
	UINT(Video, heads, "model/@heads", .min = 1, .max = 64, .doc = "count of screens"),
	TRI(Video, primary, "model/@primary", .doc = "the first card"),
	TRI(Video, blob, "model/@blob", .words = "on/off", .doc = "blob resources"),
	TRI(Video, accel2d, "model/acceleration/@accel2d", .doc = "2D acceleration"),
	TRI(Video, accel3d, "model/acceleration/@accel3d", .doc = "3D acceleration"),
	STRING(Video, rendernode, "model/acceleration/@rendernode", .doc = "GPU of the host"),
	STRUCT(Video, resolution, "model/resolution", VideoResolution, resolution_shape,
	       .doc = "first resolution"),
	INLINE(Video, info, "", DeviceInfo, device_info_shape),
};
const Shape video_shape = SHAPE("video", Video, video_rows);

static const Row codec_rows[] = {
	STRING(SoundCodec, type, "@type", .flags = ROW_REQUIRED, .doc = "duplex, micro or output"),
};
static const Shape codec_shape = SHAPE("sound-codec", SoundCodec, codec_rows);

static const Row sound_rows[] = {
	STRING(Sound, model, "@model", .flags = ROW_REQUIRED,
	       .doc = "es1370, sb16, ac97, ich6, ich9, usb, ich7"),
	LIST(Sound, codecs, "codec", codec_shape, .doc = "codecs of ich6 and ich9"),
	UINT(Sound, audio_id, "audio/@id", .doc = "audio backend"),
	INLINE(Sound, info, "", DeviceInfo, device_info_shape),
};
const Shape sound_shape = SHAPE("sound", Sound, sound_rows);

static const Row stream_rows[] = {
	TRI(AudioStream, mixing_engine, "@mixingEngine", .doc = "mix in QEMU"),
	TRI(AudioStream, fixed_settings, "@fixedSettings", .doc = "settings of the element"),
	UINT(AudioStream, voices, "@voices", .doc = "count of voices"),
	UINT(AudioStream, buffer_length, "@bufferLength", .doc = "microseconds"),
	STRING(AudioStream, dev, "@dev", .doc = "device"),
	TRI(AudioStream, try_poll, "@tryPoll", .doc = "polling"),
	UINT(AudioStream, buffer_count, "@bufferCount", .doc = "count of buffers"),
	STRING(AudioStream, name, "@name", .doc = "sink or source"),
	STRING(AudioStream, server_name, "@serverName", .doc = "server"),
	STRING(AudioStream, client_name, "@clientName", .doc = "client"),
	STRING(AudioStream, stream_name, "@streamName", .doc = "stream"),
	UINT(AudioStream, latency, "@latency", .doc = "microseconds"),
	UINT(AudioStream, frequency, "settings/@frequency", .doc = "hertz"),
	UINT(AudioStream, channels, "settings/@channels", .doc = "count of channels"),
	STRING(AudioStream, format, "settings/@format", .doc = "s8, u8, s16, u16, s32, u32, f32"),
};
static const Shape stream_shape = SHAPE("audio-stream", AudioStream, stream_rows);

static const Row audio_rows[] = {
	UINT(Audio, id, "@id", .min = 1, .max = G_MAXUINT32, .flags = ROW_REQUIRED,
	     .doc = "number that devices refer to"),
	STRING(Audio, type, "@type", .flags = ROW_REQUIRED,
	       .doc = "none, alsa, jack, oss, pulseaudio, sdl, spice, file, dbus"),
	UINT(Audio, timer_period, "@timerPeriod", .doc = "microseconds"),
	STRING(Audio, server_name, "@serverName", .doc = "PulseAudio server"),
	STRING(Audio, driver, "@driver", .doc = "SDL driver"),
	STRING(Audio, path, "@path", .doc = "file"),
	STRING(Audio, runtime_dir, "@runtimeDir", .doc = "folder of PipeWire"),
	TRI(Audio, try_mmap, "@tryMMap", .doc = "memory mapping"),
	TRI(Audio, exclusive, "@exclusive", .doc = "exclusive use"),
	UINT(Audio, dsp_policy, "@dspPolicy", .doc = "OSS policy"),
	STRUCT(Audio, input, "input", AudioStream, stream_shape, .doc = "recording"),
	STRUCT(Audio, output, "output", AudioStream, stream_shape, .doc = "playing"),
};
const Shape audio_shape = SHAPE("audio", Audio, audio_rows);
