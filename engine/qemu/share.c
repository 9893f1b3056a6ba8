/* What host and guest share: folders (9p, virtiofs) and memory (ivshmem).
 * Neighbours: build.h; memory.c shares all memory where virtiofs is used; run.c starts virtiofsd. */
#include "engine/qemu/build.h"

#include <string.h>

static gboolean place(Build *build, json_t *device, const DeviceInfo *info, const char *what,
		      GError **error)
{
	if (put_place(build, device, info, error))
		return add_device(build, device, what, error);
	json_decref(device);
	return FALSE;
}

/* ---- folders ---- */

static const NameRow security_models[] = {
	{ NULL, "passthrough" },
	{ "passthrough", "passthrough" },
	{ "mapped", "mapped" },
	{ "squash", "none" },
};

static gboolean add_9p(Build *build, const Filesystem *fs, GError **error)
{
	const char *model = name_lookup(security_models, G_N_ELEMENTS(security_models),
					fs->accessmode);
	g_autofree char *id = g_strdup_printf("fsdev-%s", fs->info.alias);
	g_autoptr(GString) option = g_string_new("local");
	if (!model || !fs->source_dir)
		return invalid(build, error, "filesystem %s: it needs <source dir=..> and an accessmode of "
			       "passthrough, mapped or squash", fs->target);
	opt_put(option, "security_model", model);
	opt_put(option, "multidevs", g_strcmp0(fs->multidevs, "default") ? fs->multidevs : NULL);
	opt_put(option, "fmode", fs->fmode);
	opt_put(option, "dmode", fs->dmode);
	if (!g_strcmp0(fs->driver_wrpolicy, "immediate"))
		opt_put(option, "writeout", "immediate");
	opt_put(option, "id", id);
	opt_put(option, "path", fs->source_dir);
	if (fs->readonly)
		opt_put(option, "readonly", "on");
	add_option(build, "-fsdev", g_strdup(option->str));
	json_t *device = device_new(virtio_driver("virtio-9p", fs->model), &fs->info);
	put(device, "fsdev", id);
	put(device, "mount_tag", fs->target);
	put_virtio(device, &fs->virtio);
	return place(build, device, &fs->info, "filesystem", error);
}

static gboolean add_virtiofs(Build *build, const Filesystem *fs, GError **error)
{
	g_autofree char *id = qemu_chardev_id(fs->info.alias);
	g_autofree char *own = qemu_virtiofs_path(build->setup->run_dir, fs->info.alias);
	g_autofree char *what = g_strdup_printf("filesystem %s", fs->target);
	QemuFd *fd = add_fd(build, QEMU_FD_CONNECT, fs->source_socket ? fs->source_socket : own, 0,
			    what);
	add_option(build, "-chardev", g_strdup_printf("socket,id=%s,fd=%d", id, fd->number));
	json_t *device = device_new("vhost-user-fs-pci", &fs->info);
	put(device, "chardev", id);
	put_uint(device, "queue-size", fs->queue);
	put(device, "tag", fs->target);
	return place(build, device, &fs->info, what, error);
}

gboolean build_filesystems(Build *build, GError **error)
{
	SHAPE_EACH (Filesystem, fs, build->guest->filesystems) {
		gboolean virtiofs = !g_strcmp0(fs->driver_type, "virtiofs");
		if (fs->type && !g_str_equal(fs->type, "mount"))
			return unsupported(build, error,
					   "filesystem %s: type \"%s\" is for containers; use mount",
					   fs->target, fs->type);
		if (!(virtiofs ? add_virtiofs : add_9p)(build, fs, error))
			return FALSE;
	}
	return TRUE;
}

/* ---- memory ---- */

static gboolean plain_shmem(Build *build, const Shmem *shmem, GError **error)
{
	g_autofree char *id = g_strdup_printf("shmmem-%s", shmem->info.alias);
	g_autofree char *path = g_strdup_printf("/dev/shm/%s", shmem->name);
	json_t *object = json_object();
	put(object, "qom-type", "memory-backend-file");
	put(object, "id", id);
	put(object, "mem-path", path);
	put_int(object, "size", (gint64)opt_uint_or(shmem->size, 4 << 20));
	put_bool(object, "share", TRUE);
	add_json(build, "-object", object);
	json_t *device = device_new("ivshmem-plain", &shmem->info);
	put(device, "memdev", id);
	if (shmem->role)
		put_switch(device, "master", g_str_equal(shmem->role, "master") ? TRI_YES : TRI_NO);
	return place(build, device, &shmem->info, "shmem", error);
}

static gboolean doorbell_shmem(Build *build, const Shmem *shmem, GError **error)
{
	g_autofree char *id = qemu_chardev_id(shmem->info.alias);
	QemuFd *fd = add_fd(build, QEMU_FD_CONNECT, shmem->server, 0, "shmem");
	add_option(build, "-chardev", g_strdup_printf("socket,id=%s,fd=%d", id, fd->number));
	json_t *device = device_new("ivshmem-doorbell", &shmem->info);
	put(device, "chardev", id);
	put_uint(device, "vectors", shmem->msi_vectors);
	put_tri(device, "ioeventfd", shmem->ioeventfd);
	if (shmem->role)
		put_switch(device, "master", g_str_equal(shmem->role, "master") ? TRI_YES : TRI_NO);
	return place(build, device, &shmem->info, "shmem", error);
}

gboolean build_shmems(Build *build, GError **error)
{
	SHAPE_EACH (Shmem, shmem, build->guest->shmems) {
		const char *model = shmem->model ? shmem->model : "ivshmem-plain";
		gboolean doorbell = g_str_equal(model, "ivshmem-doorbell");
		if (!doorbell && !g_str_equal(model, "ivshmem-plain"))
			return unsupported(build, error,
					   "shmem %s: model \"%s\" is gone from QEMU; use ivshmem-plain "
					   "or ivshmem-doorbell", shmem->name, model);
		if (doorbell && !shmem->server)
			return invalid(build, error, "shmem %s: ivshmem-doorbell needs <server path=..>",
				       shmem->name);
		if (!(doorbell ? doorbell_shmem : plain_shmem)(build, shmem, error))
			return FALSE;
	}
	return TRUE;
}
