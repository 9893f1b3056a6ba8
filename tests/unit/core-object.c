/* Tests of core/: objects beside guests, on a kind of the test's own. */
#include "base/error.h"
#include "core-world.h"
#include "core/object.h"
#include "host/file.h"

#include <glib/gstdio.h>
#include <string.h>

#define UUID_A "11111111-2222-4333-8444-555555555555"
#define UUID_B "99999999-2222-4333-8444-555555555555"

/* ---- a kind ---- */

typedef struct Thing {
	ShapeHead head;
	char *name, *uuid, *colour;
} Thing;

static const Row thing_rows[] = {
	STRING(Thing, name, "name", .flags = ROW_REQUIRED),
	UUID(Thing, uuid, "uuid"),
	STRING(Thing, colour, "colour"),
};
static const Shape thing_shape = SHAPE("thing", Thing, thing_rows);

static gint started, stopped, adopted, changed, gone;
static gboolean refuse; /* every hook fails */

static gboolean answer(GError **error)
{
	return refuse ? fail(error, LODGE_ERROR_UNSUPPORTED, "the test wants it so") : TRUE;
}

static gboolean thing_check(G_GNUC_UNUSED Core *core, gpointer document, G_GNUC_UNUSED gconstpointer old,
			    G_GNUC_UNUSED Notes *notes, GError **error)
{
	const Thing *thing = document;
	if (g_strcmp0(thing->colour, "plaid") == 0)
		return fail(error, LODGE_ERROR_INVALID, "colour: \"plaid\" is none");
	return TRUE;
}

static gboolean thing_start(CoreObject *object, gpointer live, G_GNUC_UNUSED Notes *notes, GError **error)
{
	Thing *thing = live;
	g_assert_true(lane_is_current(core_object_lane(object)));
	if (!thing->colour)
		thing->colour = g_strdup("red");
	started++;
	return answer(error);
}

static gboolean thing_stop(G_GNUC_UNUSED CoreObject *object, GError **error)
{
	stopped++;
	return answer(error);
}

static gboolean thing_adopt(G_GNUC_UNUSED CoreObject *object, gpointer live, GError **error)
{
	g_assert_nonnull(((Thing *)live)->name);
	adopted++;
	return answer(error);
}

static void thing_changed(G_GNUC_UNUSED CoreObject *object)
{
	changed++;
}

static void thing_gone(G_GNUC_UNUSED CoreObject *object)
{
	gone++;
}

static const CoreKind thing_kind = {
	.id = CORE_POOL, .word = "thing", .list = "thing-list --all", .folder = "things", .root = "thing",
	.event = "thing-lifecycle", .shape = &thing_shape, .name = offsetof(Thing, name),
	.uuid = offsetof(Thing, uuid), .check = thing_check, .start = thing_start, .adopt = thing_adopt,
	.stop = thing_stop, .changed = thing_changed, .gone = thing_gone,
};
static const CoreKind *const kinds[CORE_KINDS] = { [CORE_POOL] = &thing_kind };

static void open_world(World *world)
{
	started = stopped = adopted = changed = gone = 0;
	refuse = FALSE;
	world_kinds = kinds;
	world_open(world);
}

/* ---- verbs on the lane ---- */

typedef struct Verb {
	CoreObject *object;
	int what;
	GError **error;
	gboolean ok;
} Verb;

enum { START, STOP, UNDEFINE, AUTOSTART };

static void do_verb(gpointer data)
{
	Verb *verb = data;
	switch (verb->what) {
	case START:
		verb->ok = core_object_start(verb->object, NULL, verb->error);
		break;
	case STOP:
		verb->ok = core_object_stop(verb->object, verb->error);
		break;
	case UNDEFINE:
		verb->ok = core_object_undefine(verb->object, verb->error);
		break;
	case AUTOSTART:
		verb->ok = core_object_autostart(verb->object, TRUE, verb->error);
		break;
	}
}

static gboolean run(CoreObject *object, int what, GError **error)
{
	Verb verb = { .object = object, .what = what, .error = error };
	lane_run(core_object_lane(object), do_verb, &verb);
	return verb.ok;
}

static CoreObject *define(World *world, const char *xml, GError **error)
{
	return core_object_define(world->core, CORE_POOL, xml, 0, NULL, error);
}

static ObjectSnap *look(World *world, const char *name)
{
	g_autoptr(CoreObject) object = core_object_find(world->core, CORE_POOL, name, NULL);
	return object ? core_object_snap(object) : NULL;
}

/* ---- tests ---- */

#define XML_A "<thing><name>a</name><uuid>" UUID_A "</uuid><colour>blue</colour></thing>"

static void test_define(void)
{
	World world;
	open_world(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreObject) thing = define(&world, XML_A, &error);
	g_assert_no_error(error);
	g_autoptr(ObjectSnap) snap = core_object_snap(thing);
	g_assert_true(snap->persistent && !snap->active && !snap->autostart);
	g_assert_cmpstr(((const Thing *)object_snap_document(snap, FALSE))->colour, ==, "blue");
	g_autofree char *file = world_path(&world, "etc/things/a.xml");
	g_assert_true(g_file_test(file, G_FILE_TEST_EXISTS));
	/* without uuid it is the one of that name, as another name it is refused */
	g_autoptr(CoreObject) again = define(&world, "<thing><name>a</name></thing>", &error);
	g_assert_no_error(error);
	g_assert_true(again == thing);
	g_assert_null(define(&world, "<thing><name>b</name><uuid>" UUID_A "</uuid></thing>", &error));
	assert_code(error, LODGE_ERROR_EXISTS);
	g_assert_null(define(&world, "<thing><name>a</name><uuid>" UUID_B "</uuid></thing>", &error));
	assert_code(error, LODGE_ERROR_EXISTS);
	g_assert_null(core_object_define(world.core, CORE_POOL, XML_A, CORE_OBJECT_NEW, NULL, &error));
	assert_code(error, LODGE_ERROR_EXISTS);
	assert_events(&world, "a defined added, a defined updated");
	g_assert_cmpint(changed, ==, 2);
	world_close(&world);
}

static void test_bad_documents(void)
{
	static const char *const bad[] = {
		"<thing/>", "<thing><name>a/b</name></thing>", "<thing><name>..</name></thing>", "<other/>",
		"<thing><name>a</name><colour>plaid</colour></thing>", "<thing>",
	};
	World world;
	open_world(&world);
	for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		g_assert_null(define(&world, bad[i], &error));
		g_assert_error(error, LODGE_ERROR, LODGE_ERROR_INVALID);
	}
	g_autoptr(GPtrArray) all = core_object_all(world.core, CORE_POOL);
	g_assert_cmpuint(all->len, ==, 0);
	world_close(&world);
}

static void test_life(void)
{
	World world;
	open_world(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreObject) thing = define(&world, "<thing><name>a</name></thing>", &error);
	g_autofree char *file = world_path(&world, "run/things/a.xml");
	g_assert_true(run(thing, START, &error));
	g_assert_true(g_file_test(file, G_FILE_TEST_EXISTS));
	g_assert_false(run(thing, START, &error));
	assert_code(error, LODGE_ERROR_STATE);
	g_autoptr(ObjectSnap) active = core_object_snap(thing);
	g_assert_cmpstr(((const Thing *)object_snap_document(active, FALSE))->colour, ==, "red");
	g_assert_null(((const Thing *)object_snap_document(active, TRUE))->colour);
	/* undefined while it is active, it is transient, and forgotten when it stops */
	g_assert_true(run(thing, UNDEFINE, &error));
	g_autoptr(ObjectSnap) transient = look(&world, "a");
	g_assert_true(transient->active && !transient->persistent);
	g_assert_false(run(thing, AUTOSTART, &error));
	assert_code(error, LODGE_ERROR_STATE);
	g_assert_true(run(thing, STOP, &error));
	g_assert_null(look(&world, "a"));
	g_assert_cmpint(gone, ==, 1);
	g_assert_false(g_file_test(file, G_FILE_TEST_EXISTS));
	g_assert_false(run(thing, START, &error));
	assert_code(error, LODGE_ERROR_NOT_FOUND);
	assert_events(&world, "a defined added, a started -, a undefined -, a stopped -");
	world_close(&world);
}

static void test_failed_start(void)
{
	World world;
	open_world(&world);
	g_autoptr(GError) error = NULL;
	refuse = TRUE;
	g_autoptr(CoreObject) thing = define(&world, XML_A, &error);
	g_assert_false(run(thing, START, &error));
	assert_code(error, LODGE_ERROR_UNSUPPORTED);
	g_assert_null(core_object_create(world.core, CORE_POOL, "<thing><name>b</name></thing>", 0, NULL,
					 &error));
	assert_code(error, LODGE_ERROR_UNSUPPORTED);
	g_assert_null(look(&world, "b"));
	g_autoptr(ObjectSnap) snap = look(&world, "a");
	g_assert_true(snap && !snap->active);
	g_autofree char *folder = world_path(&world, "run/things");
	g_autoptr(GDir) left = g_dir_open(folder, 0, NULL);
	g_assert_null(g_dir_read_name(left));
	world_close(&world);
}

/* A new daemon takes up what is active, stored or not; what cannot be taken up is off. */
static void test_adopted(void)
{
	World world;
	open_world(&world);
	g_autoptr(GError) error = NULL;
	CoreObject *thing = define(&world, XML_A, &error);
	g_assert_true(run(thing, START, &error));
	core_object_unref(thing);
	thing = core_object_create(world.core, CORE_POOL, "<thing><name>b</name></thing>", 0, NULL, &error);
	g_assert_no_error(error);
	core_object_unref(thing);
	world_restart(&world);
	g_assert_cmpint(adopted, ==, 2);
	g_autoptr(ObjectSnap) a = look(&world, "a"), b = look(&world, "b");
	g_assert_true(a->active && a->persistent && b->active && !b->persistent);
	g_assert_cmpstr(((const Thing *)object_snap_document(b, FALSE))->colour, ==, "red");
	world_crash(&world);
	refuse = TRUE;
	world_begin(&world);
	g_autoptr(ObjectSnap) off = look(&world, "a");
	g_assert_true(!off->active && off->persistent);
	g_assert_null(look(&world, "b"));
	world_close(&world);
}

static gboolean is_active(gpointer data)
{
	g_autoptr(ObjectSnap) snap = look(data, "a");
	return snap && snap->active;
}

/* With the host, once per boot; guests after them. */
static void test_autostart(void)
{
	World world;
	open_world(&world);
	g_autoptr(GError) error = NULL;
	CoreObject *thing = define(&world, XML_A, &error);
	g_assert_true(run(thing, AUTOSTART, &error));
	core_object_unref(thing);
	CoreGuest *guest = world_define(&world, "web1");
	g_assert_true(world_autostart(guest, TRUE, &error));
	core_guest_unref(guest);
	world_restart(&world);
	core_begin(world.core);
	g_assert_true(world_until(is_active, &world));
	world_settle(&world);
	g_assert_cmpint(world_state(&world, "web1"), ==, GUEST_RUNNING);
	world_close(&world);
}

/* A file that cannot be read is left alone; one of another name is not taken. */
static void test_broken_files(void)
{
	static const char *const texts[] = { "", "<thing>", "<thing><name>x</name></thing>", XML_A };
	World world;
	open_world(&world);
	world_crash(&world);
	for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autofree char *place = g_strdup_printf("etc/things/x%u.xml", i);
		g_autofree char *path = world_path(&world, place);
		g_assert_true(g_file_set_contents(path, texts[i], -1, NULL));
	}
	g_autofree char *half = world_path(&world, "etc/things/y.xml.new");
	g_assert_true(g_file_set_contents(half, "<th", -1, NULL));
	world_begin(&world);
	g_autoptr(GPtrArray) all = core_object_all(world.core, CORE_POOL);
	g_assert_cmpuint(all->len, ==, 0);
	g_assert_false(g_file_test(half, G_FILE_TEST_EXISTS));
	g_autofree char *kept = world_path(&world, "etc/things/x1.xml");
	g_assert_true(g_file_test(kept, G_FILE_TEST_EXISTS));
	world_close(&world);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/object/define", test_define);
	g_test_add_func("/object/bad-documents", test_bad_documents);
	g_test_add_func("/object/life", test_life);
	g_test_add_func("/object/failed-start", test_failed_start);
	g_test_add_func("/object/adopted", test_adopted);
	g_test_add_func("/object/autostart", test_autostart);
	g_test_add_func("/object/broken-files", test_broken_files);
	return g_test_run();
}
