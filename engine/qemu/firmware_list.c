/* See firmware_list.h. A descriptor that cannot be read is left out with a line in the log: one bad
 * package must not take UEFI from all guests. */
#include "engine/qemu/firmware_list.h"

#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "host/file.h"

#define FILE_LIMIT 65536
#define FILES_LIMIT 256

static void target_free(gpointer data)
{
	FirmwareTarget *target = data;
	g_free(target->arch);
	g_strfreev(target->machines);
	g_free(target);
}

static void firmware_free(gpointer data)
{
	Firmware *firmware = data;
	g_free(firmware->name);
	g_free(firmware->code);
	g_free(firmware->code_format);
	g_free(firmware->vars);
	g_free(firmware->vars_format);
	g_ptr_array_unref(firmware->targets);
	g_free(firmware);
}

static Firmware *firmware_new(const char *name)
{
	Firmware *firmware = g_new0(Firmware, 1);
	firmware->name = g_strdup(name);
	firmware->targets = g_ptr_array_new_with_free_func(target_free);
	return firmware;
}

static void add_target(Firmware *firmware, const char *arch, char **machines)
{
	FirmwareTarget *target = g_new0(FirmwareTarget, 1);
	*target = (FirmwareTarget){ .arch = g_strdup(arch), .machines = machines };
	g_ptr_array_add(firmware->targets, target);
}

/* ---- one descriptor ---- */

static gboolean array_has(const json_t *array, const char *word)
{
	for (size_t i = 0; i < json_array_size(array); i++)
		if (!g_strcmp0(json_string_value(json_array_get(array, i)), word))
			return TRUE;
	return FALSE;
}

static char **string_list(const json_t *array)
{
	GPtrArray *list = g_ptr_array_new();
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *word = json_string_value(json_array_get(array, i));
		if (word)
			g_ptr_array_add(list, g_strdup(word));
	}
	g_ptr_array_add(list, NULL);
	return (char **)g_ptr_array_free(list, FALSE);
}

/* {"filename": path, "format": word} */
static gboolean parse_file(const json_t *json, char **path, char **format)
{
	const char *name = json_string_value(json_object_get(json, "filename"));
	const char *how = json_string_value(json_object_get(json, "format"));
	if (!name || !g_path_is_absolute(name))
		return FALSE;
	*path = g_strdup(name);
	*format = g_strdup(how ? how : "raw");
	return TRUE;
}

static gboolean parse_flash(const json_t *mapping, Firmware *firmware)
{
	static const char *const modes[] = { "split", "combined", "stateless" };
	const char *mode = json_string_value(json_object_get(mapping, "mode"));
	firmware->flash = mode ? 0 : FLASH_SPLIT;
	for (guint i = 0; mode && i < G_N_ELEMENTS(modes); i++)
		if (g_str_equal(mode, modes[i]))
			firmware->flash = FLASH_SPLIT + i;
	if (!firmware->flash || !parse_file(json_object_get(mapping, "executable"), &firmware->code,
					    &firmware->code_format))
		return FALSE;
	return firmware->flash != FLASH_SPLIT ||
	       parse_file(json_object_get(mapping, "nvram-template"), &firmware->vars,
			  &firmware->vars_format);
}

static gboolean parse_mapping(const json_t *mapping, Firmware *firmware)
{
	const char *device = json_string_value(json_object_get(mapping, "device"));
	if (!g_strcmp0(device, "flash"))
		return parse_flash(mapping, firmware);
	if (!g_strcmp0(device, "memory"))
		return parse_file(mapping, &firmware->code, &firmware->code_format);
	return FALSE; /* "kernel": boards that we do not run */
}

static gboolean parse_targets(const json_t *targets, Firmware *firmware)
{
	for (size_t i = 0; i < json_array_size(targets); i++) {
		const json_t *target = json_array_get(targets, i);
		const char *arch = json_string_value(json_object_get(target, "architecture"));
		if (!arch)
			return FALSE;
		add_target(firmware, arch, string_list(json_object_get(target, "machines")));
	}
	return firmware->targets->len > 0;
}

static gboolean parse(const json_t *json, Firmware *firmware)
{
	static const struct {
		const char *word;
		FirmwareAbility ability;
	} words[] = {
		{ "acpi-s3", FIRMWARE_ACPI_S3 },
		{ "acpi-s4", FIRMWARE_ACPI_S4 },
		{ "secure-boot", FIRMWARE_SECURE_BOOT },
		{ "enrolled-keys", FIRMWARE_ENROLLED_KEYS },
		{ "requires-smm", FIRMWARE_REQUIRES_SMM },
	};
	const json_t *features = json_object_get(json, "features");
	firmware->uefi = array_has(json_object_get(json, "interface-types"), "uefi");
	firmware->bios = array_has(json_object_get(json, "interface-types"), "bios");
	for (guint i = 0; i < G_N_ELEMENTS(words); i++)
		if (array_has(features, words[i].word))
			firmware->abilities |= words[i].ability;
	return parse_mapping(json_object_get(json, "mapping"), firmware) &&
	       parse_targets(json_object_get(json, "targets"), firmware);
}

static void read_descriptor(GPtrArray *list, const char *name, const char *path)
{
	gsize length = 0;
	g_autoptr(GError) error = NULL;
	g_autofree char *text = file_read(path, FILE_LIMIT, &length, &error);
	if (!text) {
		log_warning(NULL, "firmware descriptor left out: %s", error->message);
		return;
	}
	if (!length)
		return; /* QEMU's way of taking a descriptor of the lower folder away */
	json_error_t where;
	json_t *json = json_loadb(text, length, 0, &where);
	Firmware *firmware = firmware_new(name);
	if (!json)
		log_warning(NULL, "firmware descriptor %s left out: line %d: %s", path, where.line,
			    where.text);
	else if (!parse(json, firmware))
		log_warning(NULL,
			    "firmware descriptor %s left out: no use for its mapping or targets",
			    path);
	else
		g_ptr_array_add(list, g_steal_pointer(&firmware));
	json_decref(json);
	g_clear_pointer(&firmware, firmware_free);
}

/* ---- what has no descriptor ---- */

/* Of Debian's ovmf: the builds for flash of 2 MiB, of which guests from elsewhere bring variables.
 */
static void add_undescribed(GPtrArray *list)
{
	static const struct {
		const char *code, *vars, *machines;
		guint abilities;
	} rows[] = {
		{ "OVMF_CODE.fd", "OVMF_VARS.fd", "pc-q35-*|pc-i440fx-*", FIRMWARE_ACPI_S3 },
		{ "OVMF_CODE.secboot.fd", "OVMF_VARS.fd", "pc-q35-*",
		  FIRMWARE_ACPI_S3 | FIRMWARE_SECURE_BOOT | FIRMWARE_REQUIRES_SMM },
		{ "OVMF_CODE.ms.fd", "OVMF_VARS.ms.fd", "pc-q35-*",
		  FIRMWARE_ACPI_S3 | FIRMWARE_SECURE_BOOT | FIRMWARE_REQUIRES_SMM |
			  FIRMWARE_ENROLLED_KEYS },
	};
	for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
		Firmware *firmware = firmware_new("");
		firmware->uefi = TRUE;
		firmware->flash = FLASH_SPLIT;
		firmware->code = g_build_filename("/usr/share/OVMF", rows[i].code, NULL);
		firmware->vars = g_build_filename("/usr/share/OVMF", rows[i].vars, NULL);
		firmware->code_format = g_strdup("raw");
		firmware->vars_format = g_strdup("raw");
		firmware->abilities = rows[i].abilities;
		add_target(firmware, "x86_64", g_strsplit(rows[i].machines, "|", -1));
		g_ptr_array_add(list, firmware);
	}
}

/* ---- all ---- */

/* Adds "name" -> "folder/name" for each descriptor; a later folder replaces. */
static void find_files(GHashTable *found, const char *folder)
{
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	for (const char *name; dir && (name = g_dir_read_name(dir));) {
		if (!g_str_has_suffix(name, ".json") || name[0] == '.')
			continue;
		if (g_hash_table_size(found) >= FILES_LIMIT) {
			log_warning(NULL, "%s: only %d firmware descriptors are read", folder,
				    FILES_LIMIT);
			return;
		}
		g_hash_table_insert(found, g_strdup(name), g_build_filename(folder, name, NULL));
	}
}

static gint by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(a, b);
}

GPtrArray *firmware_list_read(const char *const *folders)
{
	g_autoptr(GHashTable)
		found = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	GPtrArray *list = g_ptr_array_new_with_free_func(firmware_free);
	for (; *folders; folders++)
		find_files(found, *folders);
	g_autoptr(GList) names = g_list_sort(g_hash_table_get_keys(found), by_name);
	for (GList *name = names; name; name = name->next)
		read_descriptor(list, name->data, g_hash_table_lookup(found, name->data));
	add_undescribed(list);
	return list;
}

/* ---- the host's, remembered ---- */

#define N_FOLDERS 3

typedef struct Remembered {
	GPtrArray *list;
	struct timespec changed[N_FOLDERS];
} Remembered;

static void look(const char *const *folders, struct timespec *changed)
{
	memset(changed, 0, N_FOLDERS * sizeof *changed);
	for (guint i = 0; folders[i]; i++) {
		struct stat st;
		if (stat(folders[i], &st) == 0)
			changed[i] = st.st_mtim;
	}
}

GPtrArray *firmware_list(void)
{
	static GMutex mutex;
	static Remembered last;
	g_autofree char *own = g_build_filename(g_get_user_config_dir(), "qemu", "firmware", NULL);
	const char *const folders[] = { "/usr/share/qemu/firmware", "/etc/qemu/firmware",
					geteuid() ? own : NULL, NULL };
	struct timespec changed[N_FOLDERS];
	g_mutex_lock(&mutex);
	look(folders, changed);
	if (!last.list || memcmp(changed, last.changed, sizeof changed)) {
		g_clear_pointer(&last.list, g_ptr_array_unref);
		last.list = firmware_list_read(folders);
		memcpy(last.changed, changed, sizeof changed);
	}
	GPtrArray *list = g_ptr_array_ref(last.list);
	g_mutex_unlock(&mutex);
	return list;
}
