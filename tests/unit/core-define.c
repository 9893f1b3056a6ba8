/* Tests of core/: definitions that come, change their name and go; who is found and listed. */
#include "base/error.h"
#include "core-world.h"
#include "core/undefine.h"
#include "host/file.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UUID_A "11111111-2222-4333-8444-555555555555"
#define UUID_B "99999999-2222-4333-8444-555555555555"

static CoreGuest *define(World *world, const char *name, const char *uuid, const char *parts,
			 GError **error)
{
	g_autofree char *xml = world_xml(name, uuid, parts);
	return core_define(world->core, xml, FALSE, NULL, error);
}

static void test_define(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreGuest) guest = define(&world, "web1", UUID_A, "<title>One</title>", &error);
	g_assert_no_error(error);
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	g_assert_cmpstr(snap->name, ==, "web1");
	g_assert_cmpstr(snap->uuid, ==, UUID_A);
	g_assert_cmpstr(snap->title, ==, "One");
	g_assert_cmpint(snap->id, ==, -1);
	g_assert_cmpint(snap->state, ==, GUEST_SHUTOFF);
	g_assert_true(snap->persistent);
	g_assert_false(snap->autostart);
	g_assert_cmpuint(snap->memory, ==, 64 << 20);
	g_assert_null(snap->live);
	g_autoptr(CoreGuest) by_name = world_find(&world, "web1");
	g_autoptr(CoreGuest) by_uuid = world_find(&world, UUID_A);
	g_assert_true(by_name == guest && by_uuid == guest);
	g_assert_null(core_find(world.core, "web2", &error));
	assert_code(error, LODGE_ERROR_NOT_FOUND);
	assert_events(&world, "web1 defined added");
	world_close(&world);
}

static void test_redefine(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreGuest) first = define(&world, "web1", UUID_A, "<title>One</title>", &error);
	g_autoptr(CoreGuest) again = define(&world, "web1", UUID_A, "<title>Two</title>", &error);
	g_assert_no_error(error);
	g_assert_true(first == again);
	g_autoptr(GuestSnap) snap = core_guest_snap(first);
	g_assert_cmpstr(snap->title, ==, "Two");
	g_autoptr(Definition) definition = core_guest_definition(first, TRUE, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(definition->guest->title, ==, "Two");
	assert_events(&world, "web1 defined added, web1 defined updated");
	world_close(&world);
}

/* Names and uuids belong to one guest each; the message names the other. */
static void test_conflicts(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreGuest) guest = define(&world, "web1", UUID_A, NULL, &error);
	g_assert_null(define(&world, "web1", UUID_B, NULL, &error));
	g_assert_nonnull(strstr(error->message, UUID_A));
	assert_code(error, LODGE_ERROR_EXISTS);
	g_assert_null(define(&world, "web2", UUID_A, NULL, &error));
	g_assert_nonnull(strstr(error->message, "web1"));
	assert_code(error, LODGE_ERROR_EXISTS);
	g_autoptr(GPtrArray) all = core_list(world.core, CORE_LIST_INACTIVE);
	g_assert_cmpuint(all->len, ==, 1);
	world_close(&world);
}

/* A document without <uuid> changes the guest of its name. */
static void test_define_without_uuid_keeps_uuid(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreGuest) guest = define(&world, "web1", UUID_A, NULL, &error);
	g_autoptr(CoreGuest) again = define(&world, "web1", NULL, "<title>Two</title>", &error);
	g_assert_no_error(error);
	g_assert_true(guest == again);
	g_autoptr(Definition) definition = core_guest_definition(guest, TRUE, &error);
	g_assert_cmpstr(definition->guest->uuid, ==, UUID_A);
	g_autofree char *xml = world_xml("web1", NULL, NULL);
	g_assert_null(core_define(world.core, xml, CORE_DEFINE_NEED_UUID, NULL, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_EXISTS);
	g_assert_nonnull(strstr(error->message, UUID_A));
	world_close(&world);
}

/* What could not be checked or written was never there. */
static void test_failed_define_leaves_nothing(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	fake_fail(FAKE_CHECK, 1);
	g_assert_null(define(&world, "web1", UUID_A, NULL, &error));
	assert_code(error, LODGE_ERROR_ENGINE);
	g_autofree char *in_the_way = world_path(&world, "etc/guests/web1.xml.new");
	mkdir(in_the_way, 0700);
	g_assert_null(define(&world, "web1", UUID_A, NULL, &error));
	assert_code(error, LODGE_ERROR_SYSTEM);
	g_assert_null(core_find(world.core, "web1", &error));
	assert_code(error, LODGE_ERROR_NOT_FOUND);
	rmdir(in_the_way);
	g_autoptr(CoreGuest) guest = define(&world, "web1", UUID_B, NULL, &error);
	g_assert_no_error(error);
	assert_events(&world, "web1 defined added");
	world_close(&world);
}

/* The old definition stands where the new one cannot be written. */
static void test_failed_redefine_leaves_the_old(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreGuest) guest = define(&world, "web1", UUID_A, "<title>One</title>", &error);
	g_autofree char *in_the_way = world_path(&world, "etc/guests/web1.xml.new");
	mkdir(in_the_way, 0700);
	g_assert_null(define(&world, "web1", UUID_A, "<title>Two</title>", &error));
	assert_code(error, LODGE_ERROR_SYSTEM);
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	g_assert_cmpstr(snap->title, ==, "One");
	rmdir(in_the_way);
	world_restart(&world);
	g_autoptr(CoreGuest) later = world_find(&world, "web1");
	g_autoptr(GuestSnap) then = core_guest_snap(later);
	g_assert_cmpstr(then->title, ==, "One");
	world_close(&world);
}

static void test_undefine(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreGuest) guest = world_define(&world, "web1");
	g_assert_true(world_undefine(guest, &error));
	g_assert_null(core_find(world.core, "web1", &error));
	assert_code(error, LODGE_ERROR_NOT_FOUND);
	/* who still holds it is told that it is gone */
	g_assert_false(world_undefine(guest, &error));
	assert_code(error, LODGE_ERROR_NOT_FOUND);
	g_assert_false(world_start(guest, &error));
	assert_code(error, LODGE_ERROR_NOT_FOUND);
	g_autofree char *file = world_path(&world, "etc/guests/web1.xml");
	g_assert_cmpint(access(file, F_OK), <, 0);
	assert_events(&world, "web1 defined added, web1 undefined removed");
	world_close(&world);
}

static void test_undefine_while_running(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreGuest) guest = world_run(&world, "web1");
	g_assert_true(world_undefine(guest, &error));
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	g_assert_false(snap->persistent);
	g_assert_cmpint(snap->state, ==, GUEST_RUNNING);
	g_assert_false(world_undefine(guest, &error));
	assert_code(error, LODGE_ERROR_STATE);
	g_autoptr(Definition) definition = core_guest_definition(guest, TRUE, &error);
	g_assert_no_error(error);
	g_assert_true(core_guest_destroy(guest, FALSE, &error));
	world_settle(&world);
	g_assert_null(core_find(world.core, "web1", NULL));
	assert_events(&world, "web1 defined added, web1 started booted, web1 undefined removed, "
			      "web1 stopped destroyed");
	world_close(&world);
}

static void test_undefine_asks_about_nvram(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autofree char *nvram = world_path(&world, "web1.fd");
	g_assert_true(g_file_set_contents(nvram, "vars", 4, NULL));
	g_autofree char *xml = g_strdup_printf(
		"<domain type='qemu'><name>web1</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>"
		"<os><type arch='x86_64' machine='q35'>hvm</type><nvram>%s</nvram></os></domain>", nvram);
	g_autoptr(CoreGuest) guest = core_define(world.core, xml, FALSE, NULL, &error);
	g_assert_no_error(error);
	g_assert_false(core_guest_undefine(guest, 0, NULL, NULL, NULL, &error));
	g_assert_nonnull(strstr(error->message, "--nvram"));
	assert_code(error, LODGE_ERROR_STATE);
	g_assert_true(core_guest_undefine(guest, UNDEFINE_NVRAM, NULL, NULL, NULL, &error));
	g_assert_cmpint(access(nvram, F_OK), <, 0);
	world_close(&world);
}

static void test_rename(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreGuest) guest = define(&world, "web1", UUID_A, NULL, &error);
	g_autoptr(CoreGuest) other = world_define(&world, "web2");
	g_assert_true(world_autostart(guest, TRUE, &error));
	g_assert_false(world_rename(guest, "web2", &error));
	assert_code(error, LODGE_ERROR_EXISTS);
	g_assert_true(world_rename(guest, "web9", &error));
	g_assert_no_error(error);
	g_assert_null(core_find(world.core, "web1", NULL));
	g_autoptr(Definition) definition = core_guest_definition(guest, TRUE, &error);
	g_assert_cmpstr(definition->guest->name, ==, "web9");
	world_restart(&world);
	g_autoptr(CoreGuest) later = world_find(&world, "web9");
	g_autoptr(GuestSnap) snap = core_guest_snap(later);
	g_assert_cmpstr(snap->uuid, ==, UUID_A);
	g_assert_true(snap->autostart);
	g_assert_null(core_find(world.core, "web1", NULL));
	world_close(&world);
}

static void test_rename_refused(void)
{
	static const char *const bad[] = { "", "a/b", "a\nb", ".", "..", "a\001b", "\xff\xfe" };
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreGuest) guest = world_define(&world, "web1");
	for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_assert_false(world_rename(guest, bad[i], &error));
		assert_code(error, LODGE_ERROR_INVALID);
	}
	g_autofree char *endless = g_strnfill(201, 'x');
	g_assert_false(world_rename(guest, endless, &error));
	assert_code(error, LODGE_ERROR_INVALID);
	world_start(guest, NULL);
	g_assert_false(world_rename(guest, "web2", &error));
	assert_code(error, LODGE_ERROR_STATE);
	world_close(&world);
}

/* The file had its new name already when its text could not be written: it has to go back. */
static void test_failed_rename_leaves_the_old(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreGuest) guest = world_define(&world, "web1");
	g_assert_true(world_autostart(guest, TRUE, &error));
	g_autofree char *in_the_way = world_path(&world, "etc/guests/web2.xml.new");
	mkdir(in_the_way, 0700);
	g_assert_false(world_rename(guest, "web2", &error));
	assert_code(error, LODGE_ERROR_SYSTEM);
	rmdir(in_the_way);
	g_autoptr(Definition) definition = core_guest_definition(guest, TRUE, &error);
	g_assert_no_error(error);
	world_restart(&world);
	g_autoptr(CoreGuest) later = world_find(&world, "web1");
	g_autoptr(GuestSnap) snap = core_guest_snap(later);
	g_assert_true(snap->autostart);
	g_assert_null(core_find(world.core, "web2", NULL));
	world_close(&world);
}

static void test_autostart(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreGuest) on = world_define(&world, "on");
	g_autoptr(CoreGuest) off = world_define(&world, "off");
	g_assert_true(world_autostart(on, TRUE, &error));
	g_assert_true(world_autostart(on, TRUE, &error));
	g_assert_true(world_autostart(off, TRUE, &error));
	g_assert_true(world_autostart(off, FALSE, &error));
	g_assert_true(world_autostart(off, FALSE, &error));
	world_restart(&world);
	core_begin(world.core);
	world_settle(&world);
	g_assert_cmpint(world_state(&world, "on"), ==, GUEST_RUNNING);
	g_assert_cmpint(world_state(&world, "off"), ==, GUEST_SHUTOFF);
	/* once per boot of the host */
	g_autoptr(CoreGuest) guest = world_find(&world, "on");
	g_assert_true(core_guest_destroy(guest, FALSE, &error));
	world_restart(&world);
	core_begin(world.core);
	world_settle(&world);
	g_assert_cmpint(world_state(&world, "on"), ==, GUEST_SHUTOFF);
	world_close(&world);
}

static void test_list_order(void)
{
	static const char *const names[] = { "delta", "Alpha", "charlie", "bravo" };
	static const char *const expected[] = { "bravo", "delta", "Alpha", "charlie" };
	World world;
	world_open(&world);
	CoreGuest *guests[G_N_ELEMENTS(names)];
	for (guint i = 0; i < G_N_ELEMENTS(names); i++)
		guests[i] = world_define(&world, names[i]);
	world_start(guests[3], NULL);
	world_start(guests[0], NULL);
	g_autoptr(GPtrArray) all = core_list(world.core, CORE_LIST_ACTIVE | CORE_LIST_INACTIVE);
	g_assert_cmpuint(all->len, ==, G_N_ELEMENTS(expected));
	for (guint i = 0; i < all->len; i++)
		g_assert_cmpstr(((GuestSnap *)g_ptr_array_index(all, i))->name, ==, expected[i]);
	g_autoptr(GPtrArray) active = core_list(world.core, CORE_LIST_ACTIVE);
	g_autoptr(GPtrArray) inactive = core_list(world.core, CORE_LIST_INACTIVE);
	g_assert_cmpuint(active->len, ==, 2);
	g_assert_cmpuint(inactive->len, ==, 2);
	const GuestSnap *first = g_ptr_array_index(active, 0);
	g_autofree char *id = g_strdup_printf("%d", first->id);
	g_autoptr(CoreGuest) by_id = world_find(&world, id);
	g_assert_true(by_id == guests[3]);
	for (guint i = 0; i < G_N_ELEMENTS(names); i++)
		core_guest_unref(guests[i]);
	world_close(&world);
}

/* What the list shows after a restart is what it showed before. */
static void test_snapshot_same_after_restart(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autofree char *xml = world_xml("web1", UUID_A, "<title>Tab\tand \"quote\" \xc3\xa9</title>");
	g_autofree char *old = g_strdup("<vcpu>1</vcpu>");
	char *at = strstr(xml, old);
	g_autofree char *head = g_strndup(xml, (gsize)(at - xml));
	g_autofree char *two = g_strconcat(head, "<vcpu current='2'>4</vcpu>", at + strlen(old), NULL);
	g_autoptr(CoreGuest) guest = core_define(world.core, two, FALSE, NULL, &error);
	g_assert_no_error(error);
	g_autoptr(GuestSnap) before = core_guest_snap(guest);
	g_assert_cmpuint(before->vcpus, ==, 2);
	for (guint i = 0; i < 2; i++) { /* read from the file, then from the index */
		world_restart(&world);
		g_autoptr(CoreGuest) later = world_find(&world, "web1");
		g_autoptr(GuestSnap) after = core_guest_snap(later);
		g_assert_cmpstr(after->title, ==, before->title);
		g_assert_cmpuint(after->vcpus, ==, before->vcpus);
		g_assert_cmpuint(after->memory, ==, before->memory);
	}
	world_close(&world);
}

/* ---- many at once ---- */

typedef struct Race {
	World *world;
	gint go, defined, refused;
} Race;

static gpointer race(gpointer data)
{
	Race *r = data;
	while (!g_atomic_int_get(&r->go))
		;
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreGuest) guest = define(r->world, "web1", r->go == 2 ? UUID_A : NULL, NULL, &error);
	g_atomic_int_inc(guest ? &r->defined : &r->refused);
	return NULL;
}

static void test_two_define_the_same_name(gconstpointer same_uuid)
{
	for (guint round = 0; round < 20; round++) {
		World world;
		world_open(&world);
		Race r = { .world = &world };
		GThread *a = g_thread_new("a", race, &r), *b = g_thread_new("b", race, &r);
		g_atomic_int_set(&r.go, same_uuid ? 2 : 1);
		g_thread_join(a);
		g_thread_join(b);
		g_assert_cmpint(r.defined, >=, 1);
		g_assert_cmpint(r.defined + r.refused, ==, 2);
		if (same_uuid)
			g_assert_cmpint(r.defined, ==, 2);
		g_autoptr(GPtrArray) all = core_list(world.core, CORE_LIST_INACTIVE);
		g_assert_cmpuint(all->len, ==, 1);
		world_close(&world);
	}
}

typedef struct Crowd {
	World *world;
	gint next, ended;
} Crowd;

static void define_one(gpointer data)
{
	Crowd *crowd = data;
	g_autofree char *name = g_strdup_printf("g%d", g_atomic_int_add(&crowd->next, 1));
	core_guest_unref(world_define(crowd->world, name));
	g_atomic_int_inc(&crowd->ended);
}

static gboolean all_defined(gpointer data)
{
	Crowd *crowd = data;
	return g_atomic_int_get(&crowd->ended) == 400;
}

/* Each define waits for a lane: with all threads of the pool taken by those who wait, no lane ran. */
static void test_400_defines_at_once(void)
{
	World world;
	world_open(&world);
	Crowd crowd = { .world = &world };
	for (guint i = 0; i < 400; i++)
		lane_beside(define_one, &crowd);
	g_assert_true(world_until(all_defined, &crowd));
	g_autoptr(GPtrArray) all = core_list(world.core, CORE_LIST_INACTIVE);
	g_assert_cmpuint(all->len, ==, 400);
	world_close(&world);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/core/define", test_define);
	g_test_add_func("/core/redefine", test_redefine);
	g_test_add_func("/core/conflicts", test_conflicts);
	g_test_add_func("/core/define-without-uuid-keeps-uuid", test_define_without_uuid_keeps_uuid);
	g_test_add_func("/core/failed-define-leaves-nothing", test_failed_define_leaves_nothing);
	g_test_add_func("/core/failed-redefine-leaves-the-old", test_failed_redefine_leaves_the_old);
	g_test_add_func("/core/undefine", test_undefine);
	g_test_add_func("/core/undefine-while-running", test_undefine_while_running);
	g_test_add_func("/core/undefine-asks-about-nvram", test_undefine_asks_about_nvram);
	g_test_add_func("/core/rename", test_rename);
	g_test_add_func("/core/rename-refused", test_rename_refused);
	g_test_add_func("/core/failed-rename-leaves-the-old", test_failed_rename_leaves_the_old);
	g_test_add_func("/core/autostart", test_autostart);
	g_test_add_func("/core/list-order", test_list_order);
	g_test_add_func("/core/snapshot-same-after-restart", test_snapshot_same_after_restart);
	g_test_add_data_func("/core/two-define-the-same-name", NULL, test_two_define_the_same_name);
	g_test_add_data_func("/core/two-define-the-same-uuid", "same", test_two_define_the_same_name);
	g_test_add_func("/core/400-defines-at-once", test_400_defines_at_once);
	return g_test_run();
}
