/* Graphical consoles (VNC, SPICE, ...), video cards and audio.
 * Neighbours: model/guest.h holds the lists; engine/qemu/display.c. */
#pragma once

#include "model/device/address.h"

typedef enum GraphicsType {
	GRAPHICS_SDL = 1,
	GRAPHICS_VNC,
	GRAPHICS_RDP,
	GRAPHICS_DESKTOP,
	GRAPHICS_SPICE,
	GRAPHICS_EGL_HEADLESS,
	GRAPHICS_DBUS,
} GraphicsType;

typedef struct GraphicsListen {
	ShapeHead head;
	char *type, *address, *network, *socket;
	Tri from_config;
} GraphicsListen;

typedef struct GraphicsChannel {
	ShapeHead head;
	char *name, *mode;
} GraphicsChannel;

typedef struct Graphics {
	ShapeHead head;
	GraphicsType type;
	OptInt port, tls_port;
	Tri autoport;
	OptInt websocket;
	char *listen, *socket, *keymap, *passwd, *passwd_valid_to, *connected, *share_policy;
	char *default_mode, *display, *xauth, *address;
	char *power_control;
	Tri fullscreen, p2p;
	GPtrArray *listens;  /* GraphicsListen */
	GPtrArray *channels; /* GraphicsChannel */
	char *image_compression, *jpeg_compression, *zlib_compression, *streaming_mode, *mouse_mode;
	Tri playback_compression, clipboard, filetransfer, gl;
	char *rendernode;
	OptUint audio_id;
} Graphics;

typedef struct VideoResolution {
	ShapeHead head;
	OptUint x, y;
} VideoResolution;

typedef struct Video {
	ShapeHead head;
	char *model;
	OptUint vram, ram, vgamem, vram64, heads;
	Tri primary, blob;
	Tri accel3d, accel2d;
	char *rendernode;
	VideoResolution *resolution;
	char *driver_name, *vgaconf;
	VirtioOptions virtio;
	DeviceInfo info;
} Video;

typedef struct SoundCodec {
	ShapeHead head;
	char *type;
} SoundCodec;

typedef struct Sound {
	ShapeHead head;
	char *model;
	GPtrArray *codecs; /* SoundCodec */
	OptUint audio_id;
	DeviceInfo info;
} Sound;

typedef struct AudioStream {
	ShapeHead head;
	Tri mixing_engine, fixed_settings;
	OptUint voices, buffer_length, frequency, channels, latency, buffer_count;
	char *format, *dev, *name, *server_name, *client_name, *stream_name;
	Tri try_poll;
} AudioStream;

typedef struct Audio {
	ShapeHead head;
	OptUint id;
	char *type, *server_name, *driver, *path, *runtime_dir;
	OptUint timer_period;
	Tri try_mmap, exclusive;
	OptUint dsp_policy;
	AudioStream *input, *output;
} Audio;

extern const Shape graphics_shape, graphics_listen_shape, video_shape, sound_shape, audio_shape;
extern const EnumTable graphics_types;
