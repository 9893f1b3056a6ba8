/* Interfaces of the host as documents and as files: libvirt's XML and its schema; what each manager's files
 * become and that they are read back; bridges over NICs that are configured already.
 * tests/golden/interface-xml/CASE.xml printed is CASE.out.xml, written by a manager it is CASE.MANAGER;
 * tests/golden/interface-files/CASE.MANAGER is what a bridge over eth0 makes of the files in
 * CASE.MANAGER.in. LODGE_BLESS=1 writes them anew. */
#include "base/error.h"
#include "host/file.h"
#include "net/hostlink.h"
#include "net/manager.h"

#include <glib/gstdio.h>
#include <string.h>

#define SCHEMA "/usr/share/libvirt/schemas/interface.rng"

static char *folder(const char *name)
{
	return g_build_filename(g_getenv("LODGE_SOURCE"), "tests", "golden", name, NULL);
}

static void compare(const char *path, const char *text)
{
	g_autofree char *expected = NULL;
	if (g_getenv("LODGE_BLESS")) {
		g_assert_true(g_file_set_contents(path, text, -1, NULL));
		return;
	}
	g_assert_true(g_file_get_contents(path, &expected, NULL, NULL));
	g_assert_cmpstr(text, ==, expected);
}

static HostIf *iface_of(const char *xml)
{
	g_autoptr(GError) error = NULL;
	HostIf *iface = hostif_from_xml(xml, NULL, &error);
	g_assert_no_error(error);
	return iface;
}

static HostIf *iface_in(const char *path)
{
	g_autofree char *xml = NULL;
	g_assert_true(g_file_get_contents(path, &xml, NULL, NULL));
	return iface_of(xml);
}

/* ---- documents ---- */

static char *out_path(const char *path, const char *suffix)
{
	return g_strdup_printf("%.*s%s", (int)(strlen(path) - 4), path, suffix);
}

static void test_document(gconstpointer data)
{
	g_autoptr(HostIf) iface = iface_in(data);
	g_autofree char *printed = hostif_to_xml(iface), *out = out_path(data, ".out.xml");
	g_autoptr(HostIf) again = iface_of(printed);
	g_autoptr(GPtrArray) diff = shape_diff(&hostif_shape, iface, again);
	g_assert_cmpuint(diff->len, ==, 0);
	compare(out, printed);
}

static void test_schema(gconstpointer data)
{
	const GPtrArray *files = data;
	g_autoptr(GError) error = NULL;
	g_autofree char *tool = g_find_program_in_path("xmllint"), *said = NULL;
	if (!tool || !g_file_test(SCHEMA, G_FILE_TEST_EXISTS) || g_getenv("LODGE_BLESS")) {
		g_test_skip("needs xmllint and " SCHEMA " (packages libxml2-utils, libvirt-daemon)");
		return;
	}
	g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
	const char *words[] = { tool, "--noout", "--relaxng", SCHEMA };
	for (guint i = 0; i < G_N_ELEMENTS(words); i++)
		g_ptr_array_add(argv, g_strdup(words[i]));
	for (guint i = 0; i < files->len; i++) {
		g_ptr_array_add(argv, g_strdup(files->pdata[i]));
		g_ptr_array_add(argv, out_path(files->pdata[i], ".out.xml"));
	}
	g_ptr_array_add(argv, NULL);
	int status = -1;
	g_spawn_sync(NULL, (char **)argv->pdata, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL, &said,
		     &status, &error);
	g_assert_no_error(error);
	if (status)
		g_error("not valid by libvirt's schema:\n%s", said);
}

static void test_refused(void)
{
	static const struct {
		const char *xml, *says;
	} cases[] = {
		{ "<interface/>", "type" },
		{ "<interface type='tap' name='a'/>", "tap" },
		{ "<interface type='ethernet'/>", "no name" },
		{ "<interface type='ethernet' name='abcdefghijklmnop'/>", "at most 15" },
		{ "<interface type='ethernet' name='a/b'/>", "no name for an interface" },
		{ "<interface type='ethernet' name='..'/>", "no name for an interface" },
		{ "<interface type='ethernet' name='a&#10;b'/>", "no name for an interface" },
		{ "<interface type='vlan'><vlan tag='4096'><interface name='e'/></vlan></interface>",
		  "4096" },
		{ "<interface type='vlan'><vlan tag='4'><interface "
		  "name='abcdefghijklmno'/></vlan></interface>",
		  "at most 15" },
		{ "<interface type='bridge' name='b'/>", "bridge" },
		{ "<interface type='bridge' name='b'><bridge delay='-1'/></interface>", "seconds" },
		{ "<interface type='bridge' name='b'><bridge delay='x'/></interface>", "seconds" },
		{ "<interface type='bridge' name='b'><bridge><interface type='bridge' name='c'><bridge/>"
		  "</interface></bridge></interface>",
		  "cannot be a port" },
		{ "<interface type='bond' name='b'><bond/></interface>", "needs an <interface>" },
		{ "<interface type='bond' name='b'><bond><arpmon interval='1' target='x&#10;y'/><interface "
		  "type='ethernet' name='e'/></bond></interface>",
		  "arpmon" },
		{ "<interface type='ethernet' name='e'><protocol family='ipv4'><ip address='1.2.3.4&#10;up "
		  "x'/>"
		  "</protocol></interface>",
		  "ip/@address" },
		{ "<interface type='ethernet' name='e'><protocol family='ipv4'><ip address='1.2.3.4' "
		  "prefix='33'/></protocol></interface>",
		  "33" },
		{ "<interface type='ethernet' name='e'><protocol family='ipv4'><route "
		  "gateway='::1'/></protocol>"
		  "</interface>",
		  "gateway" },
		{ "<interface type='ethernet' name='e'><protocol family='ipv4'/><protocol family='ipv4'/>"
		  "</interface>",
		  "one of that family" },
		{ "<interface type='ethernet' name='e'><protocol "
		  "family='ipv4'><autoconf/></protocol></interface>",
		  "only IPv6" },
	};
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(HostIf) iface = hostif_from_xml(cases[i].xml, NULL, &error);
		g_assert_null(iface);
		g_assert_error(error, LODGE_ERROR, LODGE_ERROR_INVALID);
		if (!strstr(error->message, cases[i].says))
			g_error("%s: no word of \"%s\": %s", cases[i].xml, cases[i].says, error->message);
	}
}

/* ---- files ---- */

static int by_path(gconstpointer a, gconstpointer b)
{
	return strcmp((*(ManagerFile *const *)a)->path, (*(ManagerFile *const *)b)->path);
}

/* Every file that is to be written, as one text. NetworkManager's uuids are random. */
static char *all_files(const ManagerWork *work)
{
	GString *text = g_string_new(NULL);
	g_ptr_array_sort(work->files, by_path);
	for (guint i = 0; i < work->files->len; i++) {
		const ManagerFile *file = work->files->pdata[i];
		g_string_append_printf(text, "=== %s %s\n%s", file->path, file->text ? "" : "(removed)",
				       file->text ? file->text : "");
	}
	g_autoptr(GRegex) uuid = g_regex_new("uuid=[0-9a-f-]{36}", 0, 0, NULL);
	char *plain = g_regex_replace_literal(uuid, text->str, -1, 0, "uuid=UUID", 0, NULL);
	g_string_free(text, TRUE);
	return plain;
}

static const char *short_name(const NetManager *manager)
{
	return manager == &manager_nm ? "nm" : manager == &manager_networkd ? "networkd" : "ifupdown";
}

static void same_ports(const HostIf *a, const HostIf *b)
{
	g_assert_cmpuint(shape_len(hostif_ports(a)), ==, shape_len(hostif_ports(b)));
	SHAPE_EACH (HostIf, port, hostif_ports(a))
		g_assert_true(hostif_has_port(b, port->name));
}

/* What was written is read back, and written again changes nothing. */
static void read_back(ManagerWork *work, const NetManager *manager, const HostIf *iface)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *kept = NULL, *before = all_files(work);
	g_autoptr(HostIf) again = manager->read(work, iface->name, NULL, &kept, &error);
	g_assert_no_error(error);
	g_assert_cmpint(again->type, ==, iface->type);
	SHAPE_EACH (HostIfProtocol, protocol, iface->protocols) /* ifupdown has no word for it */
		if (protocol->dhcp && manager == &manager_ifupdown)
			protocol->dhcp->peerdns = TRI_ABSENT;
	if (!hostif_same_protocols(iface, again))
		g_error("%s: %s reads back as %s", manager->name, before, hostif_to_xml(again));
	same_ports(iface, again);
	if (iface->bridge)
		g_assert_cmpint(iface->bridge->stp == TRI_YES, ==, again->bridge->stp == TRI_YES);
	if (iface->vlan) {
		g_assert_cmpuint(iface->vlan->tag.v, ==, again->vlan->tag.v);
		g_assert_cmpstr(iface->vlan->device, ==, again->vlan->device);
	}
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	manager->names(work, names);
	g_assert_true(g_ptr_array_find_with_equal_func(names, iface->name, g_str_equal, NULL));
	g_assert_true(manager->write(work, iface, kept, &error));
	g_autofree char *after = all_files(work);
	g_assert_cmpstr(before, ==, after);
	g_assert_true(manager->forget(work, iface->name, &error));
	g_clear_pointer(&again, hostif_free);
	g_clear_pointer(&kept, g_free);
	again = manager->read(work, iface->name, NULL, &kept, &error);
	g_assert_null(again);
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND);
}

static void test_written(gconstpointer data)
{
	g_autoptr(HostIf) iface = iface_in(data);
	g_autofree char *root = g_dir_make_tmp("lodge-XXXXXX", NULL);
	for (guint i = 0; managers[i]; i++) {
		g_autoptr(GError) error = NULL;
		g_auto(ManagerWork) work = { 0 };
		g_autofree char *suffix = g_strconcat(".", short_name(managers[i]), NULL);
		g_autofree char *path = out_path(data, suffix);
		manager_work_init(&work, root, NULL);
		/* as a host has it */
		if (managers[i] == &manager_ifupdown)
			work_write(&work, "/etc/network/interfaces",
				   g_strdup("auto lo\niface lo inet loopback\n"), 0644);
		g_assert_true(managers[i]->write(&work, iface, NULL, &error));
		g_autofree char *text = all_files(&work);
		compare(path, text);
		read_back(&work, managers[i], iface);
	}
	file_remove_tree(root, NULL);
}

/* ---- a bridge over a NIC that is configured ---- */

/* Puts the files of "=== PATH" into @work. */
static void load_files(ManagerWork *work, const char *text)
{
	g_auto(GStrv) parts = g_strsplit(text, "=== ", -1);
	for (char **part = parts; *part; part++) {
		char *end = strchr(*part, '\n');
		if (!end)
			continue;
		g_autofree char *path = g_strchomp(g_strndup(*part, (gsize)(end - *part)));
		work_write(work, path, g_strdup(end + 1), 0644);
	}
}

static char *text_of(const ManagerWork *work, const ManagerWork *was)
{
	GString *text = g_string_new(NULL);
	for (guint i = 0; i < was->files->len; i++) {
		const ManagerFile *file = was->files->pdata[i];
		g_autofree char *now = work_read(work, file->path);
		g_string_append_printf(text, "%s\n%s", file->path, now ? now : "(gone)\n");
	}
	return g_string_free(text, FALSE);
}

static const NetManager *manager_in(const char *path)
{
	return strstr(path, ".nm.")	    ? &manager_nm
	       : strstr(path, ".networkd.") ? &manager_networkd
					    : &manager_ifupdown;
}

static void test_bridged(gconstpointer data)
{
	const char *path = data;
	const NetManager *manager = manager_in(path);
	g_autofree char *text = NULL, *kept = NULL, *kept_by_bridge = NULL, *kept_after = NULL;
	g_autofree char *out = g_strndup(path, strlen(path) - strlen(".in"));
	g_autoptr(GError) error = NULL;
	g_auto(ManagerWork) work = { 0 }, was = { 0 };
	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	manager_work_init(&work, "/nonexistent", NULL);
	manager_work_init(&was, "/nonexistent", NULL);
	load_files(&work, text);
	load_files(&was, text);
	LinkInfo link = { .index = 2, .name = "eth0" };
	g_autoptr(HostIf) nic = manager->read(&work, "eth0", &link, &kept, &error);
	g_assert_no_error(error);
	g_autoptr(HostIf) bridge = hostif_new(HOSTIF_BRIDGE, "br0");
	bridge->start = HOSTIF_ONBOOT;
	bridge->own_mac = g_strdup("52:54:00:01:02:03");
	bridge->bridge->stp = TRI_NO;
	hostif_add_port(bridge, "eth0");
	g_assert_true(manager->write(&work, bridge, kept, &error));
	g_autofree char *written = all_files(&work);
	compare(out, written);
	g_autoptr(HostIf) again = manager->read(&work, "br0", NULL, &kept_by_bridge, &error);
	g_assert_no_error(error);
	g_assert_true(hostif_same_protocols(nic, again));
	g_assert_cmpstr(kept, ==, kept_by_bridge);
	g_assert_cmpstr(again->own_mac ? again->own_mac : "52:54:00:01:02:03", ==, "52:54:00:01:02:03");
	/* and away again: the NIC is what it was */
	g_assert_true(manager->forget(&work, "br0", &error));
	if (manager == &manager_ifupdown)
		g_assert_true(manager->write(&work, nic, kept_by_bridge, &error));
	g_autoptr(HostIf) after = manager->read(&work, "eth0", &link, &kept_after, &error);
	g_assert_no_error(error);
	g_assert_true(hostif_same_protocols(nic, after));
	g_assert_cmpstr(kept, ==, kept_after);
	if (manager != &manager_ifupdown) {
		g_autofree char *left = text_of(&work, &was), *had = text_of(&was, &was);
		g_assert_cmpstr(left, ==, had);
	}
}

/* ---- what only the writers know ---- */

static void test_ifupdown_bytes(void)
{
	static const char before[] =
		"# a\tcomment\nauto lo eth0 \\\n   eth1\niface lo inet loopback\n\n"
		"mapping eth* \n\tscript x\n\niface eth0 inet dhcp\n   hostname \\\n x\n"
		"# not an option\n\n\niface eth1 inet manual";
	g_autoptr(GError) error = NULL;
	g_auto(ManagerWork) work = { 0 };
	manager_work_init(&work, "/nonexistent", NULL);
	work_write(&work, "/etc/network/interfaces", g_strdup(before), 0644);
	g_autofree char *kept = NULL;
	g_autoptr(HostIf) nic = manager_ifupdown.read(&work, "eth0", NULL, &kept, &error);
	g_assert_no_error(error);
	g_assert_cmpint(nic->start, ==, HOSTIF_ONBOOT);
	g_assert_cmpstr(kept, ==, "iface @ inet dhcp\n   hostname \\\n x\n");
	g_assert_true(manager_ifupdown.write(&work, nic, kept, &error));
	g_autofree char *same = work_read(&work, "/etc/network/interfaces");
	g_autofree char *expected = g_strconcat(before, "\n", NULL);
	g_assert_cmpstr(same, ==, expected);
	g_assert_true(manager_ifupdown.forget(&work, "eth0", &error));
	g_autofree char *gone = work_read(&work, "/etc/network/interfaces");
	g_assert_cmpstr(
		gone, ==,
		"# a\tcomment\nauto lo eth1\niface lo inet loopback\n\nmapping eth* \n\tscript x\n\n"
		"# not an option\n\n\niface eth1 inet manual\n");
}

static void test_networkd_order(void)
{
	g_autoptr(GError) error = NULL;
	g_auto(ManagerWork) work = { 0 };
	g_autoptr(HostIf) bridge = iface_of(
		"<interface type='bridge' name='br0'><bridge><interface type='ethernet' name='eth0'/>"
		"</bridge></interface>");
	manager_work_init(&work, "/nonexistent", NULL);
	work_write(&work, "/etc/systemd/network/00-all.network",
		   g_strdup("[Match]\nName=e*\n[Network]\nDHCP=yes\n"), 0644);
	g_assert_false(manager_networkd.write(&work, bridge, NULL, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_EXISTS);
	g_assert_nonnull(strstr(error->message, "rename"));
}

static void add_cases(const char *name, const char *suffix, const char *word, GTestDataFunc fn,
		      GPtrArray *files)
{
	g_autofree char *at = folder(name);
	g_autoptr(GDir) dir = g_dir_open(at, 0, NULL);
	for (const char *file; dir && (file = g_dir_read_name(dir));) {
		if (!g_str_has_suffix(file, suffix) || g_str_has_suffix(file, ".out.xml"))
			continue;
		g_autofree char *test = g_strdup_printf("/host-network/%s/%s", word, file);
		char *path = g_build_filename(at, file, NULL);
		g_ptr_array_add(files, path);
		g_test_add_data_func(test, path, fn);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) same = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) others = g_ptr_array_new_with_free_func(g_free);
	add_cases("interface-xml", ".xml", "document", test_document, files);
	add_cases("interface-xml", ".xml", "written", test_written, same);
	add_cases("interface-files", ".in", "bridged", test_bridged, others);
	g_test_add_data_func("/host-network/schema", files, test_schema);
	g_test_add_func("/host-network/refused", test_refused);
	g_test_add_func("/host-network/ifupdown-bytes", test_ifupdown_bytes);
	g_test_add_func("/host-network/networkd-order", test_networkd_order);
	return g_test_run();
}
