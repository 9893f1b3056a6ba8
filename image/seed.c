/* See seed.h. */
#include "image/seed.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "base/error.h"
#include "host/file.h"
#include "host/spawn.h"
#include "image/part.h"

#define TEXT_MAX (1u << 20)
#define TOOL_MS 60000

/* File names on the CD and in the folder. */
static const struct {
	const char *name;
	size_t offset;
} texts[] = {
	{ "user-data", G_STRUCT_OFFSET(ImageSeed, user_data) },
	{ "meta-data", G_STRUCT_OFFSET(ImageSeed, meta_data) },
	{ "network-config", G_STRUCT_OFFSET(ImageSeed, network_config) },
	{ "vendor-data", G_STRUCT_OFFSET(ImageSeed, vendor_data) },
};

static char **text_of(ImageSeed *seed, guint i)
{
	return (char **)((char *)seed + texts[i].offset);
}

void image_seed_clear(ImageSeed *seed)
{
	for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
		g_clear_pointer(text_of(seed, i), g_free);
}

char *image_seed_folder(const char *lib, const char *uuid)
{
	return g_build_filename(lib, "seed", uuid, NULL);
}

char *image_seed_path(const char *lib, const char *uuid)
{
	return g_build_filename(lib, "seed", uuid, "seed.iso", NULL);
}

/* ---- from plain words ---- */

static gboolean is_host_name(const char *name)
{
	gsize n = strlen(name);
	return n > 0 && n <= 253 && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
						 "0123456789.-") == n && *name != '-' && *name != '.';
}

static gboolean is_user_name(const char *name)
{
	gsize n = strlen(name);
	return n > 0 && n <= 32 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n &&
	       !g_ascii_isdigit(*name) && *name != '-';
}

/* The keys among lines of an authorized_keys file. */
static json_t *keys_of(const char *lines)
{
	json_t *keys = json_array();
	g_auto(GStrv) all = g_strsplit(lines ? lines : "", "\n", -1);
	for (guint i = 0; all[i]; i++) {
		g_strstrip(all[i]);
		if (*all[i] && *all[i] != '#')
			json_array_append_new(keys, json_string(all[i]));
	}
	return keys;
}

/* A guest's name as a host name: what may not stand there becomes a dash; the caller frees it. */
static char *host_name_from(const char *name)
{
	char *host = g_strndup(name, 63);
	g_strcanon(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-", '-');
	while (*host == '-')
		memmove(host, host + 1, strlen(host));
	return host;
}

static json_t *user_of(const SeedWords *words, json_t *keys)
{
	return json_pack("{ss ss ss so}", "name", words->user, "shell", "/bin/bash", "sudo",
			 "ALL=(ALL) NOPASSWD:ALL", "ssh_authorized_keys", keys);
}

/* "#cloud-config" with what the words say: JSON, which is YAML. The caller frees it. */
static char *config_of(const SeedWords *words, const char *host)
{
	json_t *keys = keys_of(words->ssh_keys);
	json_t *config = json_pack("{ss sb}", "hostname", host, "manage_etc_hosts", TRUE);
	if (words->user)
		json_object_set_new(config, "users", json_pack("[so]", "default", user_of(words, keys)));
	else if (json_array_size(keys))
		json_object_set_new(config, "ssh_authorized_keys", keys);
	else
		json_decref(keys);
	char *json = json_dumps(config, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
	char *text = g_strdup_printf("#cloud-config\n%s\n", json);
	free(json);
	json_decref(config);
	return text;
}

static gboolean check_words(const SeedWords *words, GError **error)
{
	if (words->hostname && !is_host_name(words->hostname))
		return fail(error, LODGE_ERROR_INVALID, "\"%s\" is no name for a host", words->hostname);
	if (words->user && !is_user_name(words->user))
		return fail(error, LODGE_ERROR_INVALID, "\"%s\" is no name for a user", words->user);
	return !words->ssh_keys || g_utf8_validate(words->ssh_keys, -1, NULL) ||
	       fail(error, LODGE_ERROR_INVALID, "the file of SSH keys is no text");
}

gboolean image_seed_complete(ImageSeed *seed, const SeedWords *words, GError **error)
{
	if (!check_words(words, error))
		return FALSE;
	g_autofree char *host = words->hostname ? g_strdup(words->hostname) : host_name_from(words->name);
	gboolean said = words->hostname || words->user || words->ssh_keys;
	if (!seed->meta_data)
		seed->meta_data = g_strdup_printf("instance-id: %s-%" G_GUINT64_FORMAT "\n"
						  "local-hostname: %s\n", words->uuid, words->instance, host);
	if (!seed->user_data)
		seed->user_data = config_of(words, host);
	else if (said) {
		g_free(seed->vendor_data);
		seed->vendor_data = config_of(words, host);
	}
	return TRUE;
}

/* ---- the CD ---- */

static gboolean make_cd(const char *folder, const char *to, const ImageSeed *seed, GError **error)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	const char *const always[] = { "xorriso", "-as", "mkisofs", "-quiet", "-V", "cidata",
				       "-J",	  "-r",	 "-o",	    to };
	for (guint i = 0; i < G_N_ELEMENTS(always); i++)
		g_ptr_array_add(argv, (gpointer)always[i]);
	for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
		if (*text_of((ImageSeed *)seed, i))
			g_ptr_array_add(argv, (gpointer)texts[i].name);
	g_ptr_array_add(argv, NULL);
	const char *const env[] = { "LC_ALL=C.UTF-8", "PATH=/usr/bin:/bin", "HOME=/", NULL };
	const Spawn how = { .argv = (const char *const *)argv->pdata, .env = env, .cwd = folder,
			    .tied = TRUE };
	g_autofree char *out = NULL;
	g_autoptr(GError) why = NULL;
	int status = 0;
	if (!spawn_run(&how, TOOL_MS, &out, &status, &why)) {
		if (g_error_matches(why, LODGE_ERROR, LODGE_ERROR_NOT_FOUND))
			return fail(error, LODGE_ERROR_UNSUPPORTED,
				    "a CD for cloud-init cannot be made: %s (the package xorriso)",
				    why->message);
		g_propagate_prefixed_error(error, g_steal_pointer(&why),
					   "a CD for cloud-init cannot be made: ");
		return FALSE;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return TRUE;
	g_autofree char *valid = g_utf8_make_valid(g_strstrip(out), -1);
	return fail(error, strstr(valid, "No space left") ? LODGE_ERROR_NO_SPACE : LODGE_ERROR_SYSTEM,
		    "a CD for cloud-init cannot be made: %s", valid);
}

static gboolean write_texts(const char *folder, const ImageSeed *seed, GError **error)
{
	for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autofree char *path = g_build_filename(folder, texts[i].name, NULL);
		const char *text = *text_of((ImageSeed *)seed, i);
		gsize length = text ? strlen(text) : 0;
		if (length > TEXT_MAX)
			return fail(error, LODGE_ERROR_INVALID, "cloud-init: %s is larger than 1 MiB",
				    texts[i].name);
		if (text ? !file_write(path, text, length, 0600, FILE_DURABLE, error) :
			   !file_remove(path, error))
			return FALSE;
	}
	return TRUE;
}

gboolean image_seed_write(const char *lib, const char *uuid, const ImageSeed *seed, GError **error)
{
	g_autofree char *folder = image_seed_folder(lib, uuid), *path = image_seed_path(lib, uuid);
	if (g_mkdir_with_parents(folder, 0700) < 0)
		return fail_errno(error, errno, "cannot make the folder %s", folder);
	image_parts_clean(folder);
	g_auto(ImagePart) part = { .fd = -1 };
	return write_texts(folder, seed, error) && image_part_begin(path, TRUE, &part, error) &&
	       make_cd(folder, part.temp, seed, error) &&
	       image_part_finish(&part, TRUE, IMAGE_FLUSH_FIRST, error);
}

void image_seed_remove(const char *lib, const char *uuid)
{
	g_autofree char *folder = image_seed_folder(lib, uuid);
	file_remove_tree(folder, NULL);
}

gboolean image_seed_read(const char *lib, const char *uuid, ImageSeed *seed, GError **error)
{
	g_autofree char *folder = image_seed_folder(lib, uuid);
	if (!g_file_test(folder, G_FILE_TEST_IS_DIR))
		return fail(error, LODGE_ERROR_NOT_FOUND, "this guest has no cloud-init data");
	for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autofree char *path = g_build_filename(folder, texts[i].name, NULL);
		*text_of(seed, i) = file_read(path, TEXT_MAX, NULL, NULL);
	}
	return TRUE;
}
