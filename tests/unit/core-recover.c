/* Tests of core/: what a daemon finds that an earlier one left. */
#include "base/error.h"
#include "core-world.h"
#include "host/file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void write_state(World *world, const char *file, const char *text)
{
	g_autofree char *place = g_strconcat("run/state/", file, NULL);
	g_autofree char *path = world_path(world, place);
	g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static guint count_files(World *world, const char *place, const char *suffix)
{
	g_autofree char *folder = world_path(world, place);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	guint n = 0;
	for (const char *file; dir && (file = g_dir_read_name(dir));)
		n += g_str_has_suffix(file, suffix);
	return n;
}

static void test_running(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreGuest) web1 = world_run(&world, "web1");
	g_autoptr(CoreGuest) web2 = world_run(&world, "web2");
	g_autofree char *xml = world_xml("temp", NULL, NULL);
	g_autoptr(CoreGuest) temp = core_create(world.core, xml, FALSE, NULL, &error);
	g_assert_true(world_signal(web2, ENGINE_PAUSE, &error));
	world_restart(&world);
	g_assert_cmpuint(fake_processes(), ==, 3);
	g_autoptr(CoreGuest) by_id = world_find(&world, "2");
	g_autoptr(GuestSnap) snap = core_guest_snap(by_id);
	g_assert_cmpstr(snap->name, ==, "web2");
	g_assert_cmpint(snap->state, ==, GUEST_PAUSED);
	g_assert_true(snap->persistent);
	g_assert_cmpint(world_state(&world, "web1"), ==, GUEST_RUNNING);
	g_autoptr(CoreGuest) later = world_find(&world, "temp");
	g_autoptr(GuestSnap) transient = core_guest_snap(later);
	g_assert_false(transient->persistent);
	/* ids are not used again */
	g_autoptr(CoreGuest) fresh = world_run(&world, "fresh");
	g_autoptr(GuestSnap) new = core_guest_snap(fresh);
	g_assert_cmpint(new->id, ==, 4);
	g_assert_true(core_guest_destroy(later, FALSE, &error));
	world_settle(&world);
	g_assert_null(core_find(world.core, "temp", NULL));
	g_assert_true(core_guest_destroy(by_id, FALSE, &error));
	g_assert_cmpint(world_state(&world, "web2"), ==, GUEST_SHUTOFF);
	world_close(&world);
}

static void test_ended_meanwhile(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autofree char *xml = world_xml("temp", NULL, NULL);
	g_autoptr(CoreGuest) temp = core_create(world.core, xml, FALSE, NULL, &error);
	g_autoptr(CoreGuest) web1 = world_run(&world, "web1");
	g_autoptr(CoreGuest) web2 = world_run(&world, "web2");
	world_crash(&world);
	fake_dies_alone("temp", REASON_CRASHED);
	fake_dies_alone("web1", REASON_CRASHED);
	fake_dies_alone("web2", REASON_SHUTDOWN);
	world_begin(&world);
	g_assert_null(core_find(world.core, "temp", NULL));
	g_autoptr(CoreGuest) later1 = world_find(&world, "web1");
	g_autoptr(CoreGuest) later2 = world_find(&world, "web2");
	g_autoptr(GuestSnap) snap1 = core_guest_snap(later1);
	g_autoptr(GuestSnap) snap2 = core_guest_snap(later2);
	g_assert_cmpint(snap1->reason, ==, REASON_CRASHED);
	g_assert_cmpint(snap2->reason, ==, REASON_SHUTDOWN);
	g_assert_cmpint(snap1->id, ==, -1);
	g_assert_null(snap1->live);
	g_assert_cmpuint(count_files(&world, "run/state", ""), ==, 0);
	g_assert_true(world_start(later1, &error));
	g_assert_null(core_find(world.core, "1", NULL));
	world_close(&world);
}

/* It powered off while no daemon was here, and its definition wants it up again. */
static void test_restart_after_absence(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autofree char *xml = world_xml("web1", NULL, "<on_poweroff>restart</on_poweroff>");
	g_autoptr(CoreGuest) guest = core_define(world.core, xml, FALSE, NULL, &error);
	g_assert_true(world_start(guest, &error));
	world_crash(&world);
	fake_dies_alone("web1", REASON_SHUTDOWN);
	world_begin(&world);
	world_settle(&world);
	g_assert_cmpint(world_state(&world, "web1"), ==, GUEST_RUNNING);
	world_close(&world);
}

/* The daemon died in the middle of start(): nobody was told that it runs, so it is ended. */
static void test_half_started(void)
{
	World world;
	world_open(&world);
	g_autoptr(CoreGuest) guest = world_define(&world, "web1");
	world_crash(&world);
	g_autofree char *xml = world_xml("web1", "11111111-2222-4333-8444-555555555555", NULL);
	g_autofree char *quoted = g_strescape(xml, NULL);
	g_autofree char *state = g_strdup_printf("{\"id\":7,\"xml\":\"%s\"}", quoted);
	write_state(&world, "web1.json", state);
	fake_orphan("web1");
	world_begin(&world);
	g_assert_cmpint(world_state(&world, "web1"), ==, GUEST_SHUTOFF);
	g_assert_false(fake_alive("web1"));
	g_assert_cmpuint(count_files(&world, "run/state", ""), ==, 0);
	world_close(&world);
}

/* A file without <uuid> ended the daemon at each start; others were complained of for ever. */
static void test_broken_state_files(void)
{
	static const char *const broken[] = {
		"", "{", "[]", "{\"id\":1}", "{\"id\":0,\"xml\":\"<domain/>\"}",
		"{\"id\":1,\"xml\":\"<domain\"}",
		"{\"id\":1,\"xml\":\"<domain type='qemu'><name>x</name><memory>65536</memory>"
		"<os><type>hvm</type></os></domain>\"}",
		"{\"id\":99999999999,\"xml\":\"<domain/>\"}",
	};
	World world;
	world_open(&world);
	g_autoptr(CoreGuest) guest = world_run(&world, "web1");
	world_crash(&world);
	for (guint i = 0; i < G_N_ELEMENTS(broken); i++) {
		g_autofree char *file = g_strdup_printf("b%u.json", i);
		write_state(&world, file, broken[i]);
	}
	write_state(&world, "cut.json.new", "{");
	world_begin(&world);
	g_autoptr(GPtrArray) all = core_list(world.core, CORE_LIST_ACTIVE | CORE_LIST_INACTIVE);
	g_assert_cmpuint(all->len, ==, 1);
	g_assert_cmpint(world_state(&world, "web1"), ==, GUEST_RUNNING);
	g_assert_cmpuint(count_files(&world, "run/state", ".json"), ==, 1);
	g_assert_cmpuint(count_files(&world, "run/state", ".broken"), ==, G_N_ELEMENTS(broken));
	g_assert_cmpuint(count_files(&world, "run/state", ".new"), ==, 0);
	world_close(&world);
}

static void test_two_files_of_one_guest(void)
{
	World world;
	world_open(&world);
	g_autoptr(CoreGuest) guest = world_run(&world, "web1");
	g_autofree char *path = world_path(&world, "run/state/web1.json");
	g_autofree char *text = file_read(path, 1 << 20, NULL, NULL);
	world_crash(&world);
	write_state(&world, "other.json", text);
	world_begin(&world);
	g_assert_cmpint(world_state(&world, "web1"), ==, GUEST_RUNNING);
	g_assert_cmpuint(fake_runs(), ==, 1);
	g_assert_cmpuint(count_files(&world, "run/state", ".broken"), ==, 1);
	world_close(&world);
}

/* A definition was renamed by hand while its guest ran: its state file has the old name. */
static void test_renamed_by_hand(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreGuest) guest = world_run(&world, "web1");
	world_crash(&world);
	g_autofree char *from = world_path(&world, "etc/guests/web1.xml");
	g_autofree char *to = world_path(&world, "etc/guests/web9.xml");
	g_assert_cmpint(rename(from, to), ==, 0);
	world_begin(&world);
	g_assert_cmpint(world_state(&world, "web9"), ==, GUEST_RUNNING);
	g_autoptr(CoreGuest) later = world_find(&world, "web9");
	g_assert_true(core_guest_destroy(later, FALSE, &error));
	g_assert_cmpint(world_state(&world, "web9"), ==, GUEST_SHUTOFF);
	g_assert_cmpuint(count_files(&world, "run/state", ""), ==, 0);
	world_close(&world);
}

/* A guest that cannot be taken up in time does not keep the others from being served. */
static void test_hung_guest(void)
{
	World world;
	world_open(&world);
	g_autoptr(CoreGuest) web1 = world_run(&world, "web1");
	g_autoptr(CoreGuest) web2 = world_run(&world, "web2");
	world_crash(&world);
	fake_hang(FAKE_ADOPT);
	gint64 since = g_get_monotonic_time();
	world_begin(&world);
	g_assert_cmpint(g_get_monotonic_time() - since, <, 30 * G_TIME_SPAN_SECOND);
	g_autoptr(GPtrArray) all = core_list(world.core, CORE_LIST_ACTIVE);
	g_assert_cmpuint(all->len, ==, 2);
	fake_release(FAKE_ADOPT);
	world_settle(&world);
	g_assert_cmpint(world_state(&world, "web1"), ==, GUEST_RUNNING);
	g_assert_cmpint(world_state(&world, "web2"), ==, GUEST_RUNNING);
	g_assert_cmpuint(fake_runs(), ==, 2);
	world_close(&world);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/recover/running", test_running);
	g_test_add_func("/recover/ended-meanwhile", test_ended_meanwhile);
	g_test_add_func("/recover/restart-after-absence", test_restart_after_absence);
	g_test_add_func("/recover/half-started", test_half_started);
	g_test_add_func("/recover/broken-state-files", test_broken_state_files);
	g_test_add_func("/recover/two-files-of-one-guest", test_two_files_of_one_guest);
	g_test_add_func("/recover/renamed-by-hand", test_renamed_by_hand);
	g_test_add_func("/recover/hung-guest", test_hung_guest);
	return g_test_run();
}
