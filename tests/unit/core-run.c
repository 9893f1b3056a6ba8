/* Tests of core/: runs, from start to end, and what happens beside and between. */
#include "base/error.h"
#include "core-world.h"
#include "host/file.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void assert_off(CoreGuest *guest, GuestReason reason)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	g_assert_cmpint(snap->state, ==, GUEST_SHUTOFF);
	g_assert_cmpint(snap->reason, ==, reason);
	g_assert_cmpint(snap->id, ==, -1);
	g_assert_null(snap->live);
	g_assert_null(snap->note);
	g_assert_cmpuint(fake_runs(), ==, 0);
	g_assert_cmpuint(fake_processes(), ==, 0);
}

static void assert_no_state_file(World *world)
{
	g_autofree char *folder = world_path(world, "run/state");
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	g_assert_null(g_dir_read_name(dir));
}

static gpointer reset(gpointer guest)
{
	world_signal(guest, ENGINE_RESET, NULL);
	return NULL;
}

static void test_start_destroy(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreGuest) guest = world_define(&world, "web1");
	g_assert_false(core_guest_destroy(guest, FALSE, &error));
	assert_code(error, LODGE_ERROR_STATE);
	g_assert_false(world_signal(guest, ENGINE_SHUTDOWN, &error));
	assert_code(error, LODGE_ERROR_STATE);
	g_assert_true(world_start(guest, &error));
	g_assert_false(world_start(guest, &error));
	assert_code(error, LODGE_ERROR_STATE);
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	g_assert_cmpint(snap->id, ==, 1);
	g_assert_cmpint(snap->state, ==, GUEST_RUNNING);
	g_assert_cmpint(snap->reason, ==, REASON_BOOTED);
	g_assert_nonnull(snap->live);
	g_autoptr(CoreGuest) by_id = world_find(&world, "1");
	g_assert_true(core_guest_destroy(guest, FALSE, &error));
	assert_off(guest, REASON_DESTROYED);
	assert_no_state_file(&world);
	g_assert_null(core_find(world.core, "1", NULL));
	g_assert_true(world_start(guest, &error));
	g_autoptr(GuestSnap) again = core_guest_snap(guest);
	g_assert_cmpint(again->id, ==, 2);
	assert_events(&world, "web1 defined added, web1 started booted, web1 stopped destroyed, "
			      "web1 started booted");
	world_close(&world);
}

static void test_suspend_resume(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreGuest) guest = world_run(&world, "web1");
	g_assert_false(world_signal(guest, ENGINE_RESUME, &error));
	assert_code(error, LODGE_ERROR_STATE);
	g_assert_true(world_signal(guest, ENGINE_PAUSE, &error));
	g_assert_cmpint(world_state(&world, "web1"), ==, GUEST_PAUSED);
	fake_say_state("web1", GUEST_PAUSED, REASON_USER); /* the engine's own news come later */
	g_assert_true(world_signal(guest, ENGINE_RESUME, &error));
	g_assert_cmpint(world_state(&world, "web1"), ==, GUEST_RUNNING);
	fake_fail(FAKE_SIGNAL, 1);
	g_assert_false(world_signal(guest, ENGINE_PAUSE, &error));
	assert_code(error, LODGE_ERROR_ENGINE);
	g_assert_cmpint(world_state(&world, "web1"), ==, GUEST_RUNNING);
	assert_events(&world, "web1 defined added, web1 started booted, web1 suspended user, "
			      "web1 resumed unpaused");
	world_close(&world);
}

static void test_start_paused(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreGuest) guest = world_define(&world, "web1");
	g_assert_true(world_start_paused(guest, &error));
	g_assert_cmpint(world_state(&world, "web1"), ==, GUEST_PAUSED);
	assert_events(&world, "web1 defined added, web1 started booted, web1 suspended paused");
	world_close(&world);
}

static void test_shutdown(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreGuest) guest = world_run(&world, "web1");
	g_assert_true(world_signal(guest, ENGINE_SHUTDOWN, &error));
	world_settle(&world);
	assert_off(guest, REASON_SHUTDOWN);
	assert_no_state_file(&world);
	assert_events(&world, "web1 defined added, web1 started booted, web1 stopped shutdown");
	world_close(&world);
}

/* It dies by itself: seen at once. */
static void test_crash(void)
{
	World world;
	world_open(&world);
	g_autoptr(CoreGuest) guest = world_run(&world, "web1");
	fake_say_event("web1", "watchdog", "{}");
	fake_say_ended("web1", REASON_CRASHED, "killed by signal 11");
	world_settle(&world);
	assert_off(guest, REASON_CRASHED);
	assert_events(&world, "web1 defined added, web1 started booted, web1 watchdog -, "
			      "web1 stopped crashed");
	world_close(&world);
}

static void test_create(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autofree char *xml = world_xml("web1", NULL, NULL);
	g_autoptr(CoreGuest) guest = core_create(world.core, xml, FALSE, NULL, &error);
	g_assert_no_error(error);
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	g_assert_false(snap->persistent);
	g_assert_null(core_create(world.core, xml, FALSE, NULL, &error));
	assert_code(error, LODGE_ERROR_STATE);
	g_assert_false(world_autostart(guest, TRUE, &error));
	assert_code(error, LODGE_ERROR_STATE);
	g_assert_true(core_guest_destroy(guest, FALSE, &error));
	world_settle(&world);
	g_assert_null(core_find(world.core, "web1", NULL));
	/* one that does not start was never there */
	fake_fail(FAKE_SPAWNED, 1);
	g_assert_null(core_create(world.core, xml, FALSE, NULL, &error));
	assert_code(error, LODGE_ERROR_ENGINE);
	g_assert_null(core_find(world.core, "web1", NULL));
	/* a definition makes it stay */
	g_autoptr(CoreGuest) stays = core_create(world.core, xml, FALSE, NULL, &error);
	g_autoptr(CoreGuest) same = core_define(world.core, xml, FALSE, NULL, &error);
	g_assert_no_error(error);
	g_assert_true(stays == same);
	g_assert_true(core_guest_destroy(same, FALSE, &error));
	g_assert_cmpint(world_state(&world, "web1"), ==, GUEST_SHUTOFF);
	world_close(&world);
}

/* Whichever step of a start fails, the guest is off, nothing is left, and the next start works. */
static void test_start_fails_at_each_step(void)
{
	static const FakeStep steps[] = { FAKE_START, FAKE_SPAWNED, FAKE_CONSOLE };
	World world;
	world_open(&world);
	g_autoptr(CoreGuest) guest = world_define(&world, "web1");
	for (guint i = 0; i < G_N_ELEMENTS(steps); i++) {
		g_autoptr(GError) error = NULL;
		fake_fail(steps[i], 1);
		g_assert_false(world_start(guest, &error));
		assert_code(error, LODGE_ERROR_ENGINE);
		assert_off(guest, REASON_UNKNOWN);
		assert_no_state_file(&world);
	}
	assert_events(&world, "web1 defined added");
	g_assert_true(world_start(guest, NULL));
	world_close(&world);
}

/* Where the run cannot be remembered, it does not run: before its start, and after. */
static void test_start_needs_a_state_file(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreGuest) guest = world_define(&world, "web1");
	g_autofree char *in_the_way = world_path(&world, "run/state/web1.json.new");
	mkdir(in_the_way, 0700);
	g_assert_false(world_start(guest, &error));
	assert_code(error, LODGE_ERROR_SYSTEM);
	g_assert_cmpuint(fake_count(FAKE_START), ==, 0);
	rmdir(in_the_way);
	fake_hang(FAKE_SPAWNED);
	world_begin_start(guest);
	g_assert_true(fake_hangs(FAKE_SPAWNED, 60000));
	mkdir(in_the_way, 0700);
	fake_release(FAKE_SPAWNED);
	world_settle(&world);
	assert_off(guest, REASON_UNKNOWN);
	rmdir(in_the_way);
	assert_no_state_file(&world);
	world_close(&world);
}

/* destroy returned while the start went on, and the guest was running after it. */
static void test_destroy_while_starting(void)
{
	static const FakeStep steps[] = { FAKE_SPAWNED, FAKE_CONSOLE };
	World world;
	world_open(&world);
	g_autoptr(CoreGuest) guest = world_define(&world, "web1");
	for (guint i = 0; i < G_N_ELEMENTS(steps); i++) {
		g_autoptr(GError) error = NULL;
		fake_hang(steps[i]);
		world_begin_start(guest);
		g_assert_true(fake_hangs(steps[i], 60000));
		g_assert_true(core_guest_destroy(guest, FALSE, &error));
		g_assert_no_error(error);
		assert_off(guest, REASON_UNKNOWN);
		assert_no_state_file(&world);
	}
	world_close(&world);
}

/* As above, but after the last step that could have noticed. */
static void test_destroy_at_the_end_of_start(void)
{
	World world;
	world_open(&world);
	g_autoptr(CoreGuest) guest = world_define(&world, "web1");
	fake_hang(FAKE_LIVE);
	world_begin_start(guest);
	g_assert_true(fake_hangs(FAKE_LIVE, 60000));
	GThread *thread = world_begin_destroy(guest);
	while (fake_alive("web1"))
		g_usleep(500);
	fake_release(FAKE_LIVE);
	g_assert_true(world_end_destroy(thread));
	assert_off(guest, REASON_DESTROYED);
	world_close(&world);
}

static void test_ended_during_start(void)
{
	World world;
	world_open(&world);
	g_autoptr(CoreGuest) guest = world_define(&world, "web1");
	fake_hang(FAKE_LIVE);
	world_begin_start(guest);
	g_assert_true(fake_hangs(FAKE_LIVE, 60000));
	fake_say_ended("web1", REASON_CRASHED, "early");
	fake_release(FAKE_LIVE);
	world_settle(&world);
	assert_off(guest, REASON_CRASHED);
	assert_events(&world, "web1 defined added, web1 started booted, web1 stopped crashed");
	world_close(&world);
}

/* News carried the count of runs at the time they came, not that of the run they were about. */
static void test_late_news_of_an_old_run(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	fake_keep_sinks(TRUE);
	g_autoptr(CoreGuest) guest = world_run(&world, "web1");
	fake_say_ended("web1", REASON_CRASHED, "one");
	world_settle(&world);
	g_assert_true(world_start(guest, &error));
	fake_say_late("web1", REASON_CRASHED);
	world_settle(&world);
	g_assert_cmpint(world_state(&world, "web1"), ==, GUEST_RUNNING);
	g_assert_cmpuint(fake_processes(), ==, 1);
	fake_keep_sinks(FALSE);
	fake_done();
	world_close(&world);
}

static void test_destroy_while_signal_hangs(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreGuest) guest = world_run(&world, "web1");
	g_autoptr(CoreGuest) other = world_run(&world, "web2");
	fake_hang(FAKE_SIGNAL);
	GThread *thread = g_thread_new("signal", reset, guest);
	g_assert_true(fake_hangs(FAKE_SIGNAL, 60000));
	g_assert_cmpint(world_state(&world, "web1"), ==, GUEST_RUNNING);
	g_assert_true(core_guest_destroy(other, FALSE, &error));
	g_assert_true(core_guest_destroy(guest, FALSE, &error));
	g_thread_join(thread);
	assert_off(guest, REASON_DESTROYED);
	world_close(&world);
}

static void test_destroy_fails(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreGuest) guest = world_run(&world, "web1");
	fake_fail(FAKE_KILL, 1);
	g_assert_false(core_guest_destroy(guest, FALSE, &error));
	assert_code(error, LODGE_ERROR_ENGINE);
	g_assert_cmpint(world_state(&world, "web1"), ==, GUEST_RUNNING);
	g_assert_true(core_guest_destroy(guest, FALSE, &error));
	world_close(&world);
}

/* Reads come back at once, whatever a lane or a kill() does. */
static void test_reads_never_wait(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreGuest) slow = world_run(&world, "slow");
	g_autoptr(CoreGuest) starting = world_define(&world, "starting");
	g_autoptr(CoreGuest) running = world_run(&world, "running");
	fake_hang(FAKE_SIGNAL);
	GThread *signal = g_thread_new("signal", reset, slow);
	g_assert_true(fake_hangs(FAKE_SIGNAL, 60000));
	fake_hang(FAKE_SPAWNED);
	world_begin_start(starting);
	g_assert_true(fake_hangs(FAKE_SPAWNED, 60000));
	fake_hang(FAKE_KILL);
	GThread *destroy = world_begin_destroy(running);
	g_assert_true(fake_hangs(FAKE_KILL, 60000));
	gint64 since = g_get_monotonic_time();
	g_autoptr(GPtrArray) all = core_list(world.core, CORE_LIST_ACTIVE | CORE_LIST_INACTIVE);
	g_assert_cmpuint(all->len, ==, 3);
	for (guint i = 0; i < all->len; i++) {
		const GuestSnap *snap = g_ptr_array_index(all, i);
		g_autoptr(CoreGuest) guest = world_find(&world, snap->name);
		g_autoptr(Definition) active = core_guest_definition(guest, FALSE, &error);
		g_autoptr(Definition) inactive = core_guest_definition(guest, TRUE, &error);
		g_assert_no_error(error);
	}
	g_autoptr(CoreGuest) later = world_define(&world, "later");
	g_assert_cmpint(g_get_monotonic_time() - since, <, 20 * G_TIME_SPAN_SECOND);
	fake_release(FAKE_KILL);
	fake_release(FAKE_SPAWNED);
	fake_release(FAKE_SIGNAL);
	g_assert_true(world_end_destroy(destroy));
	g_thread_join(signal);
	world_close(&world);
}

/* A second destroy waits for the first and then finds nothing to do. */
static void test_two_destroy_at_once(void)
{
	for (guint i = 0; i < 20; i++) {
		World world;
		world_open(&world);
		g_autoptr(CoreGuest) guest = world_run(&world, "web1");
		GThread *a = world_begin_destroy(guest), *b = world_begin_destroy(guest);
		g_assert_cmpint(world_end_destroy(a) + world_end_destroy(b), >=, 1);
		assert_off(guest, REASON_DESTROYED);
		world_close(&world);
	}
}

static void test_restart(gconstpointer data)
{
	const char *what = data;
	gboolean on_crash = g_str_equal(what, "on_crash");
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autofree char *parts = g_strdup_printf("<%s>restart</%s>", what, what);
	g_autofree char *xml = world_xml("web1", NULL, parts);
	g_autoptr(CoreGuest) guest = core_define(world.core, xml, FALSE, NULL, &error);
	g_assert_true(world_start(guest, &error));
	fake_say_ended("web1", on_crash ? REASON_PANICKED : REASON_SHUTDOWN, NULL);
	world_settle(&world);
	g_autoptr(GuestSnap) again = core_guest_snap(guest);
	g_assert_cmpint(again->state, ==, GUEST_RUNNING);
	g_assert_cmpint(again->id, ==, 2);
	/* what the user ends stays off, also where it ends by itself at that moment */
	fake_hang(FAKE_KILL);
	GThread *thread = world_begin_destroy(guest);
	g_assert_true(fake_hangs(FAKE_KILL, 60000));
	fake_say_ended("web1", on_crash ? REASON_PANICKED : REASON_SHUTDOWN, NULL);
	fake_release(FAKE_KILL);
	g_assert_true(world_end_destroy(thread));
	world_settle(&world);
	assert_off(guest, REASON_DESTROYED);
	assert_events(&world, on_crash ?
		"web1 defined added, web1 started booted, web1 stopped panicked, web1 started booted, "
		"web1 stopped destroyed" :
		"web1 defined added, web1 started booted, web1 stopped shutdown, web1 started booted, "
		"web1 stopped destroyed");
	world_close(&world);
}

static void test_transient_restarts(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autofree char *xml = world_xml("web1", NULL, "<on_poweroff>restart</on_poweroff>");
	g_autoptr(CoreGuest) guest = core_create(world.core, xml, FALSE, NULL, &error);
	fake_say_ended("web1", REASON_SHUTDOWN, NULL);
	world_settle(&world);
	g_assert_cmpint(world_state(&world, "web1"), ==, GUEST_RUNNING);
	fake_fail(FAKE_START, 1);
	fake_say_ended("web1", REASON_SHUTDOWN, NULL);
	world_settle(&world);
	g_assert_null(core_find(world.core, "web1", NULL));
	world_close(&world);
}

/* What was defined while it ran is what lists show once it is off. */
static void test_redefined_while_running(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreGuest) guest = world_run(&world, "web1");
	g_autofree char *xml = world_xml("web1", NULL, "<title>New</title>");
	g_autoptr(CoreGuest) same = core_define(world.core, xml, FALSE, NULL, &error);
	g_assert_no_error(error);
	g_autoptr(GuestSnap) during = core_guest_snap(guest);
	g_assert_null(during->title);
	g_autoptr(Definition) live = core_guest_definition(guest, FALSE, &error);
	g_autoptr(Definition) next = core_guest_definition(guest, TRUE, &error);
	g_assert_null(live->guest->title);
	g_assert_cmpstr(next->guest->title, ==, "New");
	g_assert_true(core_guest_destroy(guest, FALSE, &error));
	g_autoptr(GuestSnap) after = core_guest_snap(guest);
	g_assert_cmpstr(after->title, ==, "New");
	world_close(&world);
}

/* A warning of the start stands as long as the guest runs, whoever started it. */
static void test_note(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autofree char *xml = world_xml("web1", NULL, "<title>This one</title>");
	g_autoptr(CoreGuest) guest = core_define(world.core, xml, FALSE, NULL, &error);
	g_assert_true(world_start(guest, &error));
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	g_assert_cmpstr(snap->note, ==, "This one is emulated");
	world_restart(&world);
	g_autoptr(CoreGuest) later = world_find(&world, "web1");
	g_autoptr(GuestSnap) then = core_guest_snap(later);
	g_assert_cmpstr(then->note, ==, "This one is emulated");
	world_close(&world);
}

static void test_screenshot(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autofree char *xml = world_xml("web1", NULL,
					 "<devices><video><model type='vga'/></video></devices>");
	g_autoptr(CoreGuest) guest = core_define(world.core, xml, FALSE, NULL, &error);
	g_assert_no_error(error);
	g_assert_cmpint(core_guest_screenshot(guest, 0, &error), ==, -1);
	assert_code(error, LODGE_ERROR_STATE);
	g_assert_true(world_start(guest, &error));
	int fd = core_guest_screenshot(guest, 0, &error);
	g_assert_cmpint(fd, >=, 0);
	close(fd);
	g_assert_cmpint(core_guest_screenshot(guest, 7, &error), ==, -1);
	assert_code(error, LODGE_ERROR_INVALID);
	fake_fail(FAKE_WRITE, 1);
	g_assert_cmpint(core_guest_screenshot(guest, 0, &error), ==, -1);
	assert_code(error, LODGE_ERROR_ENGINE);
	g_autoptr(CoreGuest) blind = world_define(&world, "web2");
	g_assert_true(world_start(blind, &error));
	g_assert_cmpint(core_guest_screenshot(blind, 0, &error), ==, -1);
	assert_code(error, LODGE_ERROR_STATE);
	world_close(&world);
}

/* The daemon is told to end while a start is under way: it is brought to its end first. */
static void test_end_during_start(void)
{
	World world;
	world_open(&world);
	g_autoptr(CoreGuest) guest = world_define(&world, "web1");
	for (guint i = 0; i < 5; i++) {
		g_autofree char *name = g_strdup_printf("g%u", i);
		g_autoptr(CoreGuest) other = world_define(&world, name);
		world_begin_start(other);
	}
	world_begin_start(guest);
	core_free(world.core);
	world.core = NULL;
	g_assert_cmpuint(fake_processes(), ==, 6);
	while (g_main_context_iteration(NULL, FALSE))
		;
	fake_daemon_dies();
	world_close(&world);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/core/start-destroy", test_start_destroy);
	g_test_add_func("/core/suspend-resume", test_suspend_resume);
	g_test_add_func("/core/start-paused", test_start_paused);
	g_test_add_func("/core/shutdown", test_shutdown);
	g_test_add_func("/core/crash", test_crash);
	g_test_add_func("/core/create", test_create);
	g_test_add_func("/core/start-fails-at-each-step", test_start_fails_at_each_step);
	g_test_add_func("/core/start-needs-a-state-file", test_start_needs_a_state_file);
	g_test_add_func("/core/destroy-while-starting", test_destroy_while_starting);
	g_test_add_func("/core/destroy-at-the-end-of-start", test_destroy_at_the_end_of_start);
	g_test_add_func("/core/ended-during-start", test_ended_during_start);
	g_test_add_func("/core/late-news-of-an-old-run", test_late_news_of_an_old_run);
	g_test_add_func("/core/destroy-while-signal-hangs", test_destroy_while_signal_hangs);
	g_test_add_func("/core/destroy-fails", test_destroy_fails);
	g_test_add_func("/core/reads-never-wait", test_reads_never_wait);
	g_test_add_func("/core/two-destroy-at-once", test_two_destroy_at_once);
	g_test_add_data_func("/core/restart/on_poweroff", "on_poweroff", test_restart);
	g_test_add_data_func("/core/restart/on_crash", "on_crash", test_restart);
	g_test_add_func("/core/transient-restarts", test_transient_restarts);
	g_test_add_func("/core/redefined-while-running", test_redefined_while_running);
	g_test_add_func("/core/note", test_note);
	g_test_add_func("/core/screenshot", test_screenshot);
	g_test_add_func("/core/end-during-start", test_end_during_start);
	return g_test_run();
}
