/* See firmware.h: the choice. First what is wished for is put together (Wish), from the definition
 * or, for a loader of another distribution, also from the names that it uses; then the first
 * firmware of the host that fits is taken; only then the guest is changed. */
#include "engine/qemu/firmware.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "engine/qemu/firmware_list.h"
#include "model/guest_parts.h"

typedef struct Wish {
	const Guest *guest;
	const char *arch, *machine;
	guint with, without; /* FirmwareAbility: has to have, must not have */
	gint64 nvram_size;   /* of the variables that exist already; -1: none */
} Wish;

static gboolean is(const char *text, const char *word)
{
	return text && g_str_equal(text, word);
}

static gboolean readable(const char *path)
{
	return path && access(path, R_OK) == 0;
}

static void set(char **member, const char *value)
{
	char *copy = g_strdup(value);
	g_free(*member);
	*member = copy;
}

/* Whether the last part of @path has one of @words (NULL at the end) in it, in any case. */
static gboolean name_has(const char *path, const char *const *words)
{
	g_autofree char *name = path ? g_path_get_basename(path) : NULL;
	g_autofree char *lower = name ? g_ascii_strdown(name, -1) : NULL;
	for (; lower && *words; words++)
		if (strstr(lower, *words))
			return TRUE;
	return FALSE;
}

static const char *const uefi_words[] = { "ovmf",     "edk2",	  "uefi",  "aavmf",
					  "qemu_efi", "qemu-efi", "_code", NULL };
static const char *const bios_words[] = { "bios", "hvmloader", NULL };
static const char *const secure_words[] = { "secboot", "secure", ".ms.", "smm", NULL };
static const char *const enrolled_words[] = { "secboot", ".ms.", "enrolled", NULL };

/* ---- what is wished for ---- */

static void want(Wish *wish, FirmwareAbility ability, Tri how)
{
	if (how == TRI_YES)
		wish->with |= ability;
	if (how == TRI_NO)
		wish->without |= ability;
}

static gboolean wish_features(Wish *wish, GError **error)
{
	SHAPE_EACH (FirmwareFeature, feature, wish->guest->os.firmware_features) {
		Tri how = feature->enabled == TRI_NO ? TRI_NO : TRI_YES;
		if (is(feature->name, "secure-boot"))
			want(wish, FIRMWARE_SECURE_BOOT, how);
		else if (is(feature->name, "enrolled-keys"))
			want(wish, FIRMWARE_ENROLLED_KEYS, how);
		else
			return fail(error, LODGE_ERROR_INVALID,
				    "guest \"%s\": os/firmware/feature/@name: \"%s\" is neither "
				    "secure-boot nor enrolled-keys",
				    wish->guest->name, feature->name ? feature->name : "");
	}
	if (wish->with & FIRMWARE_ENROLLED_KEYS && wish->without & FIRMWARE_SECURE_BOOT)
		return fail(error, LODGE_ERROR_INVALID,
			    "guest \"%s\": os/firmware: enrolled-keys need secure-boot",
			    wish->guest->name);
	return TRUE;
}

/* The versioned name for which descriptors have globs ("pc-q35-*"). */
static const char *versioned(const char *machine)
{
	static const char *const aliases[][2] = { { "q35", "pc-q35-" },
						  { "pc", "pc-i440fx-" },
						  { "virt", "virt-" } };
	for (guint i = 0; i < G_N_ELEMENTS(aliases); i++)
		if (is(machine, aliases[i][0]))
			return aliases[i][1];
	return machine ? machine : "pc-i440fx-";
}

static gboolean wish_new(Wish *wish, const Guest *guest, GError **error)
{
	const GuestOs *os = &guest->os;
	struct stat st;
	*wish = (Wish){ .guest = guest,
			.arch = os->arch ? os->arch : "x86_64",
			.machine = versioned(os->machine),
			.nvram_size = -1 };
	if (os->nvram && stat(os->nvram, &st) == 0 && S_ISREG(st.st_mode) && st.st_size)
		wish->nvram_size = st.st_size;
	want(wish, FIRMWARE_REQUIRES_SMM, os->loader_secure);
	if (guest->features && guest->features->smm == TRI_NO)
		want(wish, FIRMWARE_REQUIRES_SMM, TRI_NO);
	want(wish, FIRMWARE_ACPI_S3, guest->suspend_to_mem == TRI_YES ? TRI_YES : TRI_ABSENT);
	want(wish, FIRMWARE_ACPI_S4, guest->suspend_to_disk == TRI_YES ? TRI_YES : TRI_ABSENT);
	return wish_features(wish, error);
}

/* A guest that had no secure boot must not get it with its firmware's replacement: it may boot what
 * nobody signed. */
static void wish_alike(Wish *wish)
{
	const GuestOs *os = &wish->guest->os;
	const guint said = wish->with | wish->without;
	gboolean secure = os->loader_secure == TRI_YES || name_has(os->loader, secure_words);
	if (!(said & FIRMWARE_SECURE_BOOT))
		want(wish, FIRMWARE_SECURE_BOOT, secure ? TRI_YES : TRI_NO);
	if (!(said & FIRMWARE_ENROLLED_KEYS) && os->nvram_template)
		want(wish, FIRMWARE_ENROLLED_KEYS,
		     name_has(os->nvram_template, enrolled_words) ? TRI_YES : TRI_NO);
}

/* ---- what fits ---- */

static gboolean target_fits(const Firmware *firmware, const Wish *wish)
{
	for (guint i = 0; i < firmware->targets->len; i++) {
		const FirmwareTarget *target = g_ptr_array_index(firmware->targets, i);
		if (!g_str_equal(target->arch, wish->arch))
			continue;
		for (char **glob = target->machines; *glob; glob++)
			if (fnmatch(*glob, wish->machine, 0) == 0)
				return TRUE;
	}
	return FALSE;
}

static gboolean mapping_fits(const Firmware *firmware, const GuestOs *os)
{
	const char *type = os->loader_type;
	if (!firmware->flash)
		return !type || g_str_equal(type, "rom");
	if (type && !g_str_equal(type, "pflash"))
		return FALSE;
	return firmware->flash ==
		       (os->loader_stateless == TRI_YES ? FLASH_STATELESS : FLASH_SPLIT) &&
	       g_str_equal(firmware->code_format, os->loader_format ? os->loader_format : "raw");
}

/* Variables fit the build that made them only: their place in the flash depends on its size. */
static gboolean variables_fit(const Firmware *firmware, gint64 nvram_size)
{
	struct stat st;
	if (firmware->flash != FLASH_SPLIT)
		return TRUE;
	if (!readable(firmware->vars) || stat(firmware->vars, &st))
		return FALSE;
	return nvram_size < 0 || !g_str_equal(firmware->vars_format, "raw") ||
	       st.st_size == nvram_size;
}

static const Firmware *choose(const GPtrArray *list, const Wish *wish)
{
	for (guint i = 0; i < list->len; i++) {
		const Firmware *firmware = g_ptr_array_index(list, i);
		if (firmware->uefi && (firmware->abilities & wish->with) == wish->with &&
		    !(firmware->abilities & wish->without) && target_fits(firmware, wish) &&
		    mapping_fits(firmware, &wish->guest->os) && readable(firmware->code) &&
		    variables_fit(firmware, wish->nvram_size))
			return firmware;
	}
	return NULL;
}

static const char *package_for(const char *arch)
{
	static const char *const packages[][2] = { { "i686", "ovmf-ia32" },
						   { "aarch64", "qemu-efi-aarch64" },
						   { "armv7l", "qemu-efi-arm" },
						   { "riscv64", "qemu-efi-riscv64" } };
	for (guint i = 0; i < G_N_ELEMENTS(packages); i++)
		if (g_str_equal(packages[i][0], arch))
			return packages[i][1];
	return "ovmf";
}

static gboolean any_fits(const GPtrArray *list, const Wish *wish)
{
	Wish modest = *wish;
	modest.with = modest.without = 0;
	modest.nvram_size = -1;
	return choose(list, &modest) != NULL;
}

static char *wish_text(const Wish *wish)
{
	static const struct {
		FirmwareAbility ability;
		const char *word;
	} words[] = { { FIRMWARE_SECURE_BOOT, "secure boot" },
		      { FIRMWARE_ENROLLED_KEYS, "enrolled keys" },
		      { FIRMWARE_REQUIRES_SMM, "SMM" },
		      { FIRMWARE_ACPI_S3, "suspend to memory" },
		      { FIRMWARE_ACPI_S4, "suspend to disk" } };
	GString *text = g_string_new(NULL);
	for (guint i = 0; i < G_N_ELEMENTS(words); i++)
		if ((wish->with | wish->without) & words[i].ability)
			g_string_append_printf(text, "%s%s %s", text->len ? "," : "",
					       wish->with & words[i].ability ? " with" : " without",
					       words[i].word);
	if (wish->nvram_size >= 0)
		g_string_append_printf(text, "%s with variables of %" G_GINT64_FORMAT " bytes",
				       text->len ? "," : "", wish->nvram_size);
	return g_string_free(text, FALSE);
}

static gboolean nothing_fits(const GPtrArray *list, const Wish *wish, GError **error)
{
	const GuestOs *os = &wish->guest->os;
	g_autofree char *wished = wish_text(wish);
	g_autofree char *install =
		g_strdup_printf("install the package %s", package_for(wish->arch));
	const char *remedy = "ask for less in os: there is firmware without these conditions";
	if (!any_fits(list, wish))
		remedy = install;
	else if (wish->with && g_str_has_prefix(wish->machine, "pc-i440fx"))
		remedy = "use machine type q35";
	return fail(
		error, LODGE_ERROR_UNSUPPORTED,
		"guest \"%s\": os: this host has no UEFI firmware for %s, machine type %s%s%s: %s",
		wish->guest->name, wish->arch, os->machine ? os->machine : "pc", *wished ? "," : "",
		wished, remedy);
}

/* ---- filling in ---- */

static void need_smm(Guest *guest)
{
	if (guest->os.loader_secure == TRI_ABSENT)
		guest->os.loader_secure = TRI_YES;
	if (!guest->features)
		guest->features = shape_new(&features_shape);
	if (guest->features->smm == TRI_ABSENT)
		guest->features->smm = TRI_YES;
}

static void fill_template(GuestOs *os, const char *name, const char *vars, Notes *notes)
{
	if (!vars || readable(os->nvram_template))
		return;
	if (os->nvram_template)
		notes_add(notes,
			  "guest \"%s\": the template of its variables, %s, is not on this host: "
			  "%s is used",
			  name, os->nvram_template, vars);
	set(&os->nvram_template, vars);
}

/* A path whose folder is not on this host, or not open to us, is one of another host. */
static gboolean is_elsewhere(const char *nvram, const char *nvram_dir)
{
	struct stat st;
	g_autofree char *folder = g_path_get_dirname(nvram);
	if (g_str_equal(folder, nvram_dir) || stat(nvram, &st) == 0 || errno == EACCES)
		return FALSE;
	return access(folder, W_OK | X_OK) != 0;
}

static void fill_nvram(GuestOs *os, const char *name, const char *nvram_dir, Notes *notes)
{
	gboolean elsewhere = os->nvram && is_elsewhere(os->nvram, nvram_dir);
	if (os->nvram && !elsewhere)
		return;
	g_autofree char *file = g_strdup_printf("%s_VARS.fd", name);
	g_autofree char *path = g_build_filename(nvram_dir, file, NULL);
	if (elsewhere)
		notes_add(notes,
			  "guest \"%s\": its variables cannot be kept in %s on this host: %s is "
			  "used",
			  name, os->nvram, path);
	set(&os->nvram, path);
}

static void fill(Guest *guest, const Firmware *firmware, const char *nvram_dir, Notes *notes)
{
	GuestOs *os = &guest->os;
	set(&os->loader, firmware->code);
	set(&os->loader_type, firmware->flash ? "pflash" : "rom");
	if (!g_str_equal(firmware->code_format, "raw"))
		set(&os->loader_format, firmware->code_format);
	if (firmware->flash)
		os->loader_readonly = TRI_YES;
	if (firmware->abilities & FIRMWARE_REQUIRES_SMM)
		need_smm(guest);
	if (firmware->flash != FLASH_SPLIT)
		return;
	if (!g_str_equal(firmware->vars_format, "raw"))
		set(&os->nvram_format, firmware->vars_format);
	fill_template(os, guest->name, firmware->vars, notes);
	fill_nvram(os, guest->name, nvram_dir, notes);
}

/* ---- the cases ---- */

static gboolean take_first(Guest *guest, const GPtrArray *list, const char *nvram_dir, Notes *notes,
			   GError **error)
{
	Wish wish;
	if (!wish_new(&wish, guest, error))
		return FALSE;
	const Firmware *firmware = choose(list, &wish);
	if (!firmware)
		return nothing_fits(list, &wish, error);
	fill(guest, firmware, nvram_dir, notes);
	return TRUE;
}

static gboolean replace(Guest *guest, const GPtrArray *list, const char *nvram_dir, Notes *notes,
			GError **error)
{
	Wish wish;
	g_autofree char *old = g_strdup(guest->os.loader);
	if (!wish_new(&wish, guest, error))
		return FALSE;
	wish_alike(&wish);
	const Firmware *firmware = choose(list, &wish);
	if (!firmware)
		return nothing_fits(list, &wish, error);
	notes_add(notes, "guest \"%s\": loader %s is not on this host: %s is used", guest->name,
		  old, firmware->code);
	fill(guest, firmware, nvram_dir, notes);
	return TRUE;
}

static const Firmware *find_code(const GPtrArray *list, const char *code)
{
	for (guint i = 0; i < list->len; i++) {
		const Firmware *firmware = g_ptr_array_index(list, i);
		if (firmware->uefi && g_str_equal(firmware->code, code))
			return firmware;
	}
	return NULL;
}

/* "OVMF_CODE.secboot.fd" -> "OVMF_VARS.secboot.fd", or else "OVMF_VARS.fd"; NULL where neither is
 * there. The caller frees it. */
static char *sibling(const char *code)
{
	g_autofree char *folder = g_path_get_dirname(code);
	g_autofree char *name = g_path_get_basename(code);
	char *mark = strstr(name, "_CODE");
	if (!mark)
		return NULL;
	memcpy(mark, "_VARS", 5);
	g_autofree char *same = g_build_filename(folder, name, NULL);
	if (readable(same))
		return g_steal_pointer(&same);
	char *first = strchr(mark, '.'), *last = strrchr(mark, '.');
	if (!first || first == last)
		return NULL;
	memmove(first, last, strlen(last) + 1);
	g_autofree char *plain = g_build_filename(folder, name, NULL);
	return readable(plain) ? g_steal_pointer(&plain) : NULL;
}

/* The loader is there: it stays, and what goes with it is added. */
static void complete_said(Guest *guest, const GPtrArray *list, const char *nvram_dir, Notes *notes)
{
	GuestOs *os = &guest->os;
	const Firmware *firmware = find_code(list, os->loader);
	gboolean known = firmware && firmware->flash;
	if (!os->loader_type && (known || is(os->firmware, "efi")))
		set(&os->loader_type, "pflash");
	if (!is(os->loader_type, "pflash") || os->loader_readonly == TRI_NO)
		return;
	g_autofree char *vars = firmware ? g_strdup(firmware->vars) : sibling(os->loader);
	if (os->loader_stateless != TRI_YES && !vars && !os->nvram && !os->nvram_template &&
	    os->loader_readonly != TRI_YES)
		return; /* one image with code and variables */
	os->loader_readonly = TRI_YES;
	if (known && firmware->abilities & FIRMWARE_REQUIRES_SMM)
		need_smm(guest);
	if (os->loader_stateless == TRI_YES)
		return;
	fill_template(os, guest->name, vars, notes);
	fill_nvram(os, guest->name, nvram_dir, notes);
}

static gboolean without_bios(Guest *guest, Notes *notes, GError **error)
{
	GuestOs *os = &guest->os;
	if (!name_has(os->loader, bios_words))
		return fail(
			error, LODGE_ERROR_NOT_FOUND,
			"guest \"%s\": os/loader: there is no %s; correct the path, or leave the "
			"element out for this host's BIOS",
			guest->name, os->loader);
	notes_add(notes, "guest \"%s\": loader %s is not on this host: QEMU's own BIOS is used",
		  guest->name, os->loader);
	g_clear_pointer(&os->loader, g_free);
	g_clear_pointer(&os->loader_type, g_free);
	os->loader_readonly = TRI_ABSENT;
	return TRUE;
}

gboolean qemu_firmware_complete(Guest *guest, const char *nvram_dir, Notes *notes, GError **error)
{
	GuestOs *os = &guest->os;
	gboolean efi = is(os->firmware, "efi");
	if (os->firmware && !efi && !is(os->firmware, "bios"))
		return fail(error, LODGE_ERROR_INVALID,
			    "guest \"%s\": os/@firmware: \"%s\" is neither efi nor bios",
			    guest->name, os->firmware);
	if (!efi && !os->loader)
		return TRUE;
	gboolean there = os->loader && g_file_test(os->loader, G_FILE_TEST_EXISTS);
	if (os->loader && !there && !efi && !is(os->loader_type, "pflash") &&
	    !name_has(os->loader, uefi_words))
		return without_bios(guest, notes, error);
	g_autoptr(GPtrArray) list = firmware_list();
	if (!os->loader)
		return take_first(guest, list, nvram_dir, notes, error);
	if (!there)
		return replace(guest, list, nvram_dir, notes, error);
	complete_said(guest, list, nvram_dir, notes);
	return TRUE;
}
