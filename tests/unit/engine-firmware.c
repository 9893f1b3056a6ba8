/* Tests of engine/qemu/firmware and nvram: reading descriptors, the choice, loaders of other
 * distributions, and the file of the variables. What needs UEFI on this host is skipped without. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "engine/qemu/firmware.h"
#include "engine/qemu/firmware_list.h"
#include "host/file.h"

#define NVRAM "/nowhere/nvram"
#define OVMF "/usr/share/OVMF/"

static gboolean no_ovmf(void)
{
	if (access("/usr/share/qemu/firmware/60-edk2-x86_64.json", R_OK) == 0)
		return FALSE;
	g_test_skip("the package ovmf is not installed");
	return TRUE;
}

static Guest *guest_with(const char *os, const char *more)
{
	g_autofree char *xml = g_strdup_printf(
		"<domain type='kvm'><name>web1</name>"
		"<uuid>c7a5fdbd-cdaf-9455-926a-d65c16db1809</uuid><memory>65536</memory>"
		"<vcpu>1</vcpu>%s%s</domain>",
		os, more ? more : "");
	g_autoptr(GError) error = NULL;
	Guest *guest = guest_from_xml(xml, -1, "test", NULL, &error);
	g_assert_no_error(error);
	return guest;
}

#define Q35 "<type arch='x86_64' machine='pc-q35-7.2'>hvm</type>"
#define I440 "<type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type>"

static Guest *completed(const char *os, const char *more, Notes *notes)
{
	g_autoptr(GError) error = NULL;
	Guest *guest = guest_with(os, more);
	g_assert_true(qemu_firmware_complete(guest, NVRAM, notes, &error));
	g_assert_no_error(error);
	return guest;
}

static void refuse(const char *os, LodgeError code, const char *word)
{
	g_autoptr(Guest) guest = guest_with(os, NULL), before = guest_copy(guest);
	g_autoptr(GError) error = NULL;
	g_assert_false(qemu_firmware_complete(guest, NVRAM, NULL, &error));
	g_assert_error(error, LODGE_ERROR, (int)code);
	if (!strstr(error->message, word))
		g_error("\"%s\" is not in: %s", word, error->message);
	g_assert_true(shape_equal(&guest_shape, guest, before));
}

/* ---- descriptors ---- */

#define DESCRIPTOR(code, more)                                                                     \
	"{\"interface-types\":[\"uefi\"],\"mapping\":{\"device\":\"flash\",\"executable\":"        \
	"{\"filename\":\"" code "\",\"format\":\"raw\"},\"nvram-template\":{\"filename\":"         \
	"\"/vars\",\"format\":\"raw\"}},\"targets\":[{\"architecture\":\"x86_64\",\"machines\":"   \
	"[\"pc-q35-*\"]}],\"features\":[" more "]}"

static void put_file(const char *folder, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static const Firmware *at(GPtrArray *list, guint i)
{
	return g_ptr_array_index(list, i);
}

static void test_descriptors(void)
{
	g_autofree char *low = g_dir_make_tmp("lodge-fw-XXXXXX", NULL);
	g_autofree char *high = g_dir_make_tmp("lodge-fw-XXXXXX", NULL);
	put_file(low, "60-plain.json", DESCRIPTOR("/plain", ""));
	put_file(low, "40-secure.json", DESCRIPTOR("/secure", "\"secure-boot\",\"requires-smm\""));
	put_file(low, "50-masked.json", DESCRIPTOR("/masked", ""));
	put_file(low, "readme.txt", "no descriptor");
	put_file(high, "50-masked.json", "");
	put_file(high, "60-plain.json", DESCRIPTOR("/other", "\"acpi-s3\",\"of-the-future\""));
	const char *const folders[] = { low, "/nowhere", high, NULL };
	g_autoptr(GPtrArray) list = firmware_list_read(folders);
	g_assert_cmpuint(list->len, >=, 2);
	g_assert_cmpstr(at(list, 0)->code, ==, "/secure");
	g_assert_cmpuint(at(list, 0)->abilities, ==, FIRMWARE_SECURE_BOOT | FIRMWARE_REQUIRES_SMM);
	g_assert_cmpstr(at(list, 1)->code, ==, "/other");
	g_assert_cmpuint(at(list, 1)->abilities, ==, FIRMWARE_ACPI_S3);
	g_assert_cmpstr(at(list, 1)->vars, ==, "/vars");
	for (guint i = 2; i < list->len; i++)
		g_assert_cmpstr(at(list, i)->name, ==, ""); /* what has no descriptor comes last */
	file_remove_tree(low, NULL);
	file_remove_tree(high, NULL);
}

static void test_bad_descriptors(void)
{
	static const char *const texts[] = {
		"{",
		"[]",
		"null",
		"{}",
		"{\"mapping\":3,\"targets\":{}}",
		"{\"mapping\":{\"device\":\"flash\",\"mode\":\"odd\"}}",
		"{\"interface-types\":[\"uefi\"],\"mapping\":{\"device\":\"flash\",\"executable\":"
		"{\"filename\":\"relative\"}},\"targets\":[]}",
		"{\"mapping\":{\"device\":\"memory\",\"filename\":\"/code\"},\"targets\":[7]}",
		DESCRIPTOR("/code", "") "trailing",
	};
	g_autofree char *folder = g_dir_make_tmp("lodge-fw-XXXXXX", NULL);
	for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autofree char *name = g_strdup_printf("%02u.json", i);
		put_file(folder, name, texts[i]);
	}
	g_autofree char *deep = g_strnfill(60000, '[');
	g_autofree char *huge = g_strnfill(100000, ' ');
	g_autofree char *sub = g_build_filename(folder, "folder.json", NULL);
	put_file(folder, "deep.json", deep);
	put_file(folder, "huge.json", huge);
	g_assert_cmpint(mkdir(sub, 0700), ==, 0);
	put_file(folder, "zz-good.json", DESCRIPTOR("/good", ""));
	const char *const folders[] = { folder, NULL };
	g_autoptr(GPtrArray) list = firmware_list_read(folders);
	g_assert_cmpstr(at(list, 0)->code, ==, "/good");
	file_remove_tree(folder, NULL);
}

/* ---- the choice ---- */

static void test_bios_is_left_alone(void)
{
	static const char *const cases[] = {
		"<os>" Q35 "</os>",
		"<os firmware='bios'>" Q35 "</os>",
		"<os>" Q35 "<kernel>/boot/vmlinuz</kernel></os>",
	};
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(Guest) before = guest_with(cases[i], NULL);
		g_autoptr(Guest) guest = completed(cases[i], NULL, NULL);
		g_assert_true(shape_equal(&guest_shape, guest, before));
	}
}

/* What firmware='efi' becomes on Debian 12 with libvirt 9.0. */
static void test_choice(void)
{
	static const struct {
		const char *os, *code, *vars;
		gboolean smm;
	} cases[] = {
		{ "<os firmware='efi'>" Q35 "</os>", OVMF "OVMF_CODE_4M.ms.fd",
		  OVMF "OVMF_VARS_4M.ms.fd", TRUE },
		{ "<os firmware='efi'><type machine='q35'>hvm</type></os>",
		  OVMF "OVMF_CODE_4M.ms.fd", OVMF "OVMF_VARS_4M.ms.fd", TRUE },
		{ "<os firmware='efi'>" I440 "</os>", OVMF "OVMF_CODE_4M.fd",
		  OVMF "OVMF_VARS_4M.fd", FALSE },
		{ "<os firmware='efi'>" Q35 "<firmware><feature enabled='no' name='secure-boot'/>"
		  "</firmware></os>",
		  OVMF "OVMF_CODE_4M.fd", OVMF "OVMF_VARS_4M.fd", FALSE },
		{ "<os firmware='efi'>" Q35 "<firmware><feature enabled='yes' name='secure-boot'/>"
		  "<feature enabled='no' name='enrolled-keys'/></firmware></os>",
		  OVMF "OVMF_CODE_4M.secboot.fd", OVMF "OVMF_VARS_4M.fd", TRUE },
		{ "<os firmware='efi'>" Q35 "<firmware><feature enabled='no' name='enrolled-keys'/>"
		  "</firmware></os>",
		  OVMF "OVMF_CODE_4M.secboot.fd", OVMF "OVMF_VARS_4M.fd", TRUE },
		{ "<os firmware='efi'>" Q35 "<loader secure='no'/></os>", OVMF "OVMF_CODE_4M.fd",
		  OVMF "OVMF_VARS_4M.fd", FALSE },
		{ "<os firmware='efi'>" Q35 "<loader secure='yes'/></os>",
		  OVMF "OVMF_CODE_4M.ms.fd", OVMF "OVMF_VARS_4M.ms.fd", TRUE },
	};
	if (no_ovmf())
		return;
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_auto(Notes) notes = { 0 };
		g_autoptr(Guest) guest = completed(cases[i].os, NULL, &notes);
		const GuestOs *os = &guest->os;
		g_assert_cmpstr(os->loader, ==, cases[i].code);
		g_assert_cmpstr(os->nvram_template, ==, cases[i].vars);
		g_assert_cmpstr(os->loader_type, ==, "pflash");
		g_assert_cmpint(os->loader_readonly, ==, TRI_YES);
		g_assert_cmpstr(os->nvram, ==, NVRAM "/web1_VARS.fd");
		g_assert_cmpint(os->loader_secure == TRI_YES, ==, cases[i].smm);
		g_assert_cmpint(guest->features && guest->features->smm == TRI_YES, ==,
				cases[i].smm);
		g_assert_cmpuint(notes_count(&notes), ==, 0);
		g_autoptr(Guest) again = guest_copy(guest);
		g_assert_true(qemu_firmware_complete(again, NVRAM, &notes, NULL));
		g_assert_true(shape_equal(&guest_shape, guest, again));
	}
}

static void test_smm_off(void)
{
	if (no_ovmf())
		return;
	g_autoptr(Guest) guest = completed("<os firmware='efi'>" Q35 "</os>",
					   "<features><smm state='off'/></features>", NULL);
	g_assert_cmpstr(guest->os.loader, ==, OVMF "OVMF_CODE_4M.fd");
	g_assert_cmpint(guest->features->smm, ==, TRI_NO);
}

static void test_loader_is_there(void)
{
	if (no_ovmf())
		return;
	g_autoptr(Guest) plain = completed("<os>" Q35 "<loader readonly='yes' type='pflash'>" OVMF
					   "OVMF_CODE.fd</loader></os>",
					   NULL, NULL);
	g_assert_cmpstr(plain->os.loader, ==, OVMF "OVMF_CODE.fd");
	g_assert_cmpstr(plain->os.nvram_template, ==, OVMF "OVMF_VARS.fd");
	g_assert_cmpstr(plain->os.nvram, ==, NVRAM "/web1_VARS.fd");
	g_autoptr(Guest) oil = completed("<os>" Q35 "<loader readonly='yes' type='pflash'>" OVMF
					 "OVMF_CODE_4M.snakeoil.fd</loader>"
					 "<nvram>/tmp/mine.fd</nvram></os>",
					 NULL, NULL);
	g_assert_cmpstr(oil->os.nvram_template, ==, OVMF "OVMF_VARS_4M.snakeoil.fd");
	g_assert_cmpstr(oil->os.nvram, ==, "/tmp/mine.fd");
	g_autoptr(Guest) less = completed("<os>" Q35 "<loader readonly='yes' type='pflash' "
					  "stateless='yes'>" OVMF "OVMF_CODE.fd</loader></os>",
					  NULL, NULL);
	g_assert_null(less->os.nvram);
	g_autoptr(Guest) rom = completed("<os>" Q35 "<loader type='rom'>/usr/share/seabios/bios.bin"
					 "</loader></os>",
					 NULL, NULL);
	g_assert_null(rom->os.nvram);
}

static void test_loader_of_elsewhere(void)
{
	static const struct {
		const char *os, *code, *vars;
		guint notes;
	} cases[] = {
		{ "<os>" Q35
		  "<loader readonly='yes' type='pflash'>/usr/share/edk2/ovmf/OVMF_CODE.fd"
		  "</loader></os>",
		  OVMF "OVMF_CODE_4M.fd", OVMF "OVMF_VARS_4M.fd", 1 },
		{ "<os>" Q35
		  "<loader readonly='yes' secure='yes' type='pflash'>/usr/share/edk2/ovmf/"
		  "OVMF_CODE.secboot.fd</loader><nvram template='/usr/share/edk2/ovmf/"
		  "OVMF_VARS.secboot.fd'>/nowhere/else/web1_VARS.fd</nvram></os>",
		  OVMF "OVMF_CODE_4M.ms.fd", OVMF "OVMF_VARS_4M.ms.fd", 3 },
		{ "<os>" Q35
		  "<loader readonly='yes' secure='yes' type='pflash'>/usr/share/edk2/ovmf/"
		  "OVMF_CODE.secboot.fd</loader><nvram "
		  "template='/usr/share/edk2/ovmf/OVMF_VARS.fd'/>"
		  "</os>",
		  OVMF "OVMF_CODE_4M.secboot.fd", OVMF "OVMF_VARS_4M.fd", 2 },
		{ "<os firmware='efi'>" I440
		  "<loader>/usr/share/qemu/ovmf-x86_64-code.bin</loader></os>",
		  OVMF "OVMF_CODE_4M.fd", OVMF "OVMF_VARS_4M.fd", 1 },
	};
	if (no_ovmf())
		return;
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_auto(Notes) notes = { 0 };
		g_autoptr(Guest) guest = completed(cases[i].os, NULL, &notes);
		g_assert_cmpstr(guest->os.loader, ==, cases[i].code);
		g_assert_cmpstr(guest->os.nvram_template, ==, cases[i].vars);
		g_assert_cmpstr(guest->os.nvram, ==, NVRAM "/web1_VARS.fd");
		g_assert_cmpuint(notes_count(&notes), ==, cases[i].notes);
		g_assert_nonnull(strstr(notes_get(&notes, 0), "is not on this host"));
	}
}

/* Variables of a build for 2 MiB of flash came along: only such a build can read them. */
static void test_variables_of_elsewhere(void)
{
	if (no_ovmf() || access(OVMF "OVMF_VARS.fd", R_OK))
		return;
	g_autofree char *folder = g_dir_make_tmp("lodge-fw-XXXXXX", NULL);
	g_autofree char *nvram = g_build_filename(folder, "old.fd", NULL);
	g_autofree char *data = g_malloc0(131072);
	g_assert_true(g_file_set_contents(nvram, data, 131072, NULL));
	g_autofree char *os = g_strdup_printf("<os>" Q35 "<loader readonly='yes' type='pflash'>"
					      "/usr/share/edk2/ovmf/OVMF_CODE.fd</loader>"
					      "<nvram>%s</nvram></os>",
					      nvram);
	g_autoptr(Guest) guest = completed(os, NULL, NULL);
	g_assert_cmpstr(guest->os.loader, ==, OVMF "OVMF_CODE.fd");
	g_assert_cmpstr(guest->os.nvram, ==, nvram);
	g_assert_true(g_file_set_contents(nvram, data, 1000, NULL));
	refuse(os, LODGE_ERROR_UNSUPPORTED, "variables of 1000 bytes");
	file_remove_tree(folder, NULL);
}

static void test_bios_of_elsewhere(void)
{
	g_auto(Notes) notes = { 0 };
	g_autoptr(Guest)
		guest = completed("<os>" Q35 "<loader type='rom'>/usr/lib/xen/boot/hvmloader"
				  "</loader></os>",
				  NULL, &notes);
	g_assert_null(guest->os.loader);
	g_assert_cmpuint(notes_count(&notes), ==, 1);
	refuse("<os>" Q35 "<loader type='rom'>/nowhere/coreboot.rom</loader></os>",
	       LODGE_ERROR_NOT_FOUND, "/nowhere/coreboot.rom");
}

static void test_refusals(void)
{
	refuse("<os firmware='uboot'>" Q35 "</os>", LODGE_ERROR_INVALID, "uboot");
	refuse("<os firmware='efi'><type arch='aarch64' machine='virt'>hvm</type></os>",
	       LODGE_ERROR_UNSUPPORTED, "qemu-efi-aarch64");
	refuse("<os firmware='efi'>" Q35
	       "<firmware><feature enabled='yes' name='magic'/></firmware>"
	       "</os>",
	       LODGE_ERROR_INVALID, "magic");
	refuse("<os firmware='efi'>" Q35 "<firmware><feature enabled='no' name='secure-boot'/>"
	       "<feature enabled='yes' name='enrolled-keys'/></firmware></os>",
	       LODGE_ERROR_INVALID, "enrolled-keys");
	refuse("<os firmware='efi'>" Q35 "<loader stateless='yes'/></os>", LODGE_ERROR_UNSUPPORTED,
	       "UEFI");
	if (no_ovmf())
		return;
	refuse("<os firmware='efi'>" I440 "<firmware><feature enabled='yes' name='secure-boot'/>"
	       "</firmware></os>",
	       LODGE_ERROR_UNSUPPORTED, "with secure boot: use machine type q35");
}

/* ---- the variables ---- */

static void expect_content(const char *path, const char *want)
{
	gsize length = 0;
	g_autofree char *text = NULL;
	g_assert_true(g_file_get_contents(path, &text, &length, NULL));
	g_assert_cmpmem(text, length, want, strlen(want));
}

static void test_nvram(void)
{
	g_autofree char *folder = g_dir_make_tmp("lodge-fw-XXXXXX", NULL);
	g_autofree char *template = g_build_filename(folder, "VARS.fd", NULL);
	g_autofree char *nvram = g_build_filename(folder, "deep", "er", "web1.fd", NULL);
	g_autoptr(Guest) guest = guest_with("<os>" Q35 "<loader readonly='yes' type='pflash'>/code"
					    "</loader></os>",
					    NULL);
	g_autoptr(GError) error = NULL;
	struct stat st;
	g_assert_true(qemu_nvram_prepare(guest, FALSE, &error)); /* none is wished for */
	guest->os.nvram = g_strdup(nvram);
	g_assert_false(qemu_nvram_prepare(guest, FALSE, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND);
	g_clear_error(&error);
	guest->os.nvram_template = g_strdup(template);
	g_assert_false(qemu_nvram_prepare(guest, FALSE, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND);
	g_assert_nonnull(strstr(error->message, template));
	g_clear_error(&error);
	g_assert_true(g_file_set_contents(template, "fresh", -1, NULL));
	g_assert_true(qemu_nvram_prepare(guest, FALSE, &error));
	g_assert_no_error(error);
	expect_content(nvram, "fresh");
	g_assert_cmpint(stat(nvram, &st), ==, 0);
	g_assert_cmpuint(st.st_mode & 0777, ==, 0600);
	g_assert_true(g_file_set_contents(nvram, "variables", -1, NULL));
	g_assert_true(qemu_nvram_prepare(guest, FALSE, &error));
	expect_content(nvram, "variables");
	g_assert_true(qemu_nvram_prepare(guest, TRUE, &error));
	expect_content(nvram, "fresh");
	g_assert_cmpint(truncate(nvram, 0), ==, 0);
	g_assert_true(qemu_nvram_prepare(guest, FALSE, &error));
	expect_content(nvram, "fresh");
	file_remove_tree(folder, NULL);
}

static void test_nvram_through_link(void)
{
	g_autofree char *folder = g_dir_make_tmp("lodge-fw-XXXXXX", NULL);
	g_autofree char *template = g_build_filename(folder, "VARS.fd", NULL);
	g_autofree char *real = g_build_filename(folder, "real.fd", NULL);
	g_autofree char *link = g_build_filename(folder, "link.fd", NULL);
	g_autoptr(Guest)
		guest = guest_with("<os>" Q35 "<loader type='pflash'>/code</loader></os>", NULL);
	g_assert_true(g_file_set_contents(template, "fresh", -1, NULL));
	g_assert_true(g_file_set_contents(real, "variables", -1, NULL));
	g_assert_cmpint(symlink(real, link), ==, 0);
	guest->os.nvram = g_strdup(link);
	guest->os.nvram_template = g_strdup(template);
	g_assert_true(qemu_nvram_prepare(guest, TRUE, NULL));
	expect_content(real, "fresh");
	g_assert_true(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
	g_free(guest->os.nvram);
	guest->os.nvram = g_strdup("/dev/null");
	g_assert_true(qemu_nvram_prepare(guest, FALSE, NULL));
	g_assert_false(qemu_nvram_prepare(guest, TRUE, NULL));
	file_remove_tree(folder, NULL);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/firmware/descriptors", test_descriptors);
	g_test_add_func("/firmware/bad-descriptors", test_bad_descriptors);
	g_test_add_func("/firmware/bios", test_bios_is_left_alone);
	g_test_add_func("/firmware/choice", test_choice);
	g_test_add_func("/firmware/smm-off", test_smm_off);
	g_test_add_func("/firmware/loader/there", test_loader_is_there);
	g_test_add_func("/firmware/loader/elsewhere", test_loader_of_elsewhere);
	g_test_add_func("/firmware/variables/elsewhere", test_variables_of_elsewhere);
	g_test_add_func("/firmware/bios/elsewhere", test_bios_of_elsewhere);
	g_test_add_func("/firmware/refusals", test_refusals);
	g_test_add_func("/firmware/nvram", test_nvram);
	g_test_add_func("/firmware/nvram/link", test_nvram_through_link);
	return g_test_run();
}
