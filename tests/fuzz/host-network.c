/* Any bytes as an <interface> document and as files of every manager. What is taken prints to a document
 * that says the same, and is written by every manager without a line that was not meant. */
#include <stdint.h>
#include <string.h>

#include "net/hostlink.h"
#include "net/manager.h"

#include <jansson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_document(const char *xml)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(HostIf) iface = hostif_from_xml(xml, NULL, &error);
	if (!iface) {
		g_assert_true(error && g_utf8_validate(error->message, -1, NULL));
		return;
	}
	g_autofree char *printed = hostif_to_xml(iface);
	g_autoptr(HostIf) again = hostif_from_xml(printed, NULL, &error);
	if (!again)
		g_error("own XML is refused: %s\n%s", error->message, printed);
	g_autofree char *reprinted = hostif_to_xml(again);
	if (!g_str_equal(printed, reprinted))
		g_error("print and parse changed\n%s\nto\n%s", printed, reprinted);
	for (guint i = 0; managers[i]; i++) {
		g_auto(ManagerWork) work = { 0 };
		g_autofree char *kept = NULL;
		manager_work_init(&work, "/nonexistent", NULL);
		g_assert_true(managers[i]->write(&work, iface, NULL, NULL));
		g_autoptr(HostIf) read = managers[i]->read(&work, iface->name, NULL, &kept, &error);
		if (!read)
			g_error("%s does not read what it wrote: %s", managers[i]->name, error->message);
	}
}

/* The same bytes as each manager's file of eth0. */
static void check_files(const char *text)
{
	static const char *const places[] = { "/etc/systemd/network/10-a.network",
					      "/etc/NetworkManager/system-connections/a.nmconnection",
					      "/etc/network/interfaces" };
	static const char *const names[] = { "eth0", "br0", "eth0.5" };
	for (guint i = 0; managers[i]; i++) {
		g_auto(ManagerWork) work = { 0 };
		g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(g_free);
		manager_work_init(&work, "/nonexistent", NULL);
		for (guint k = 0; k < G_N_ELEMENTS(places); k++)
			work_write(&work, places[k], g_strdup(text), 0644);
		managers[i]->names(&work, all);
		for (guint k = 0; k < G_N_ELEMENTS(names); k++) {
			g_autofree char *kept = NULL;
			g_autoptr(HostIf) iface = managers[i]->read(&work, names[k], NULL, &kept, NULL);
			if (!iface)
				continue;
			g_autofree char *xml = hostif_to_xml(iface);
			g_assert_nonnull(xml);
			managers[i]->write(&work, iface, kept, NULL);
			managers[i]->forget(&work, names[k], NULL);
		}
	}
	json_t *json = json_loads(text, 0, NULL);
	linkstate_free(json ? linkstate_from_json(json) : NULL);
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *)data, size);
	check_document(text);
	check_files(text);
	return 0;
}
