/* Video cards. The first, or the one marked primary, is the one that firmware draws on.
 * Neighbours: build.h; graphics.c shows them. */
#include "engine/qemu/build.h"

#include <string.h>

typedef enum VideoMemory { VIDEO_PLAIN, VIDEO_VGA, VIDEO_QXL, VIDEO_VIRTIO, VIDEO_BOCHS } VideoMemory;

typedef struct VideoModel {
	const char *name;
	const char *primary, *secondary; /* NULL: it cannot be that */
	VideoMemory memory;
} VideoModel;

static const VideoModel models[] = {
	{ "vga", "VGA", "secondary-vga", VIDEO_VGA },
	{ "cirrus", "cirrus-vga", NULL, VIDEO_PLAIN },
	{ "vmvga", "vmware-svga", NULL, VIDEO_VGA },
	{ "qxl", "qxl-vga", "qxl", VIDEO_QXL },
	{ "virtio", "virtio-vga", "virtio-gpu-pci", VIDEO_VIRTIO },
	{ "bochs", "bochs-display", "bochs-display", VIDEO_BOCHS },
	{ "ramfb", "ramfb", NULL, VIDEO_PLAIN },
};

static const VideoModel *model_named(const char *name)
{
	for (guint i = 0; i < G_N_ELEMENTS(models); i++)
		if (g_str_equal(models[i].name, name))
			return &models[i];
	return NULL;
}

static void put_mib(json_t *device, const char *key, OptUint kib)
{
	if (kib.set)
		put_int(device, key, (gint64)MAX(kib.v >> 10, 1));
}

static void put_qxl(json_t *device, const Video *video)
{
	put_uint(device, "max_outputs", video->heads);
	if (video->ram.set)
		put_int(device, "ram_size", (gint64)(video->ram.v << 10));
	if (video->vram.set)
		put_int(device, "vram_size", (gint64)(video->vram.v << 10));
	put_mib(device, "vram64_size_mb", video->vram64);
	put_mib(device, "vgamem_mb", video->vgamem);
}

static void put_memory(json_t *device, const Video *video, VideoMemory memory)
{
	switch (memory) {
	case VIDEO_VGA:
		put_mib(device, "vgamem_mb", video->vram);
		break;
	case VIDEO_BOCHS:
		if (video->vram.set)
			put_int(device, "vgamem", (gint64)(video->vram.v << 10));
		break;
	case VIDEO_QXL:
		put_qxl(device, video);
		break;
	case VIDEO_VIRTIO:
		put_virtio(device, &video->virtio);
		put_uint(device, "max_outputs", video->heads);
		put_tri(device, "blob", video->blob);
		break;
	case VIDEO_PLAIN:
		break;
	}
}

static void put_resolution(json_t *device, const Video *video, VideoMemory memory)
{
	if (!video->resolution || memory == VIDEO_PLAIN)
		return;
	put_uint(device, "xres", video->resolution->x);
	put_uint(device, "yres", video->resolution->y);
}

static const char *driver_of(const Video *video, const VideoModel *model, gboolean primary)
{
	gboolean gl = video->accel3d == TRI_YES && model->memory == VIDEO_VIRTIO;
	if (gl)
		return primary ? "virtio-vga-gl" : "virtio-gpu-gl-pci";
	return primary ? model->primary : model->secondary;
}

static gboolean add_video(Build *build, const Video *video, gboolean primary, GError **error)
{
	const char *name = video->model ? video->model : "vga";
	const VideoModel *model = model_named(name);
	const char *driver = model ? driver_of(video, model, primary) : NULL;
	if (g_str_equal(name, "none"))
		return TRUE;
	if (!model)
		return unsupported(build, error,
				   "video: model \"%s\" does not exist on this machine type; use virtio, "
				   "vga, qxl, cirrus or bochs", name);
	if (!driver)
		return unsupported(build, error,
				   "video: a second card cannot be \"%s\"; use virtio or qxl", name);
	json_t *device = device_new(driver, &video->info);
	put_memory(device, video, model->memory);
	put_resolution(device, video, model->memory);
	if (put_place(build, device, &video->info, error))
		return add_device(build, device, "video", error);
	json_decref(device);
	return FALSE;
}

static guint primary_index(const Guest *guest)
{
	SHAPE_EACH (Video, video, guest->videos)
		if (video->primary == TRI_YES)
			return video_i;
	return 0;
}

gboolean build_videos(Build *build, GError **error)
{
	guint primary = primary_index(build->guest);
	SHAPE_EACH (Video, first, build->guest->videos)
		if (first_i == primary && !add_video(build, first, TRUE, error))
			return FALSE;
	SHAPE_EACH (Video, video, build->guest->videos)
		if (video_i != primary && !add_video(build, video, FALSE, error))
			return FALSE;
	return TRUE;
}
