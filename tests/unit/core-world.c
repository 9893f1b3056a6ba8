/* See core-world.h. */
#include "core-world.h"
#include "core/undefine.h"
#include "base/error.h"
#include "host/file.h"

const struct CoreKind *const *world_kinds;

static void hear(const CoreEvent *event, gpointer data)
{
	World *world = data;
	const char *what = event->event ? event->event : event->kind;
	g_ptr_array_add(world->heard, g_strdup_printf("%s %s %s", event->guest ? event->guest : event->object,
						      what, event->detail ? event->detail : "-"));
}

void world_begin(World *world)
{
	CoreConfig config = { .paths = world->paths, .engine = &fake_engine, .kinds = world_kinds };
	g_autoptr(GError) error = NULL;
	world->core = core_new(&config, &error);
	g_assert_no_error(error);
	core_subscribe(world->core, hear, world);
}

void world_open(World *world)
{
	g_autoptr(GError) error = NULL;
	fake_reset();
	world->heard = g_ptr_array_new_with_free_func(g_free);
	world->root = g_dir_make_tmp("lodge-core-XXXXXX", &error);
	g_assert_no_error(error);
	world->paths = paths_new(world->root);
	paths_make(world->paths, &error);
	g_assert_no_error(error);
	world_begin(world);
}

void world_crash(World *world)
{
	world_settle(world);
	fake_daemon_dies();
	core_free(world->core);
	world->core = NULL;
	g_ptr_array_set_size(world->heard, 0);
}

void world_restart(World *world)
{
	world_crash(world);
	world_begin(world);
}

void world_close(World *world)
{
	g_autoptr(GError) error = NULL;
	if (world->core)
		world_crash(world);
	fake_reset();
	g_ptr_array_unref(world->heard);
	file_remove_tree(world->root, &error);
	g_assert_no_error(error);
	paths_free(world->paths);
	g_free(world->root);
}

char *world_xml(const char *name, const char *uuid, const char *parts)
{
	g_autofree char *id = uuid ? g_strdup_printf("<uuid>%s</uuid>", uuid) : g_strdup("");
	return g_strdup_printf("<domain type='qemu'><name>%s</name>%s"
			       "<memory unit='MiB'>64</memory><vcpu>1</vcpu>"
			       "<os><type arch='x86_64' machine='q35'>hvm</type></os>%s</domain>",
			       name, id, parts ? parts : "");
}

CoreGuest *world_define(World *world, const char *name)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *xml = world_xml(name, NULL, NULL);
	CoreGuest *guest = core_define(world->core, xml, FALSE, NULL, &error);
	g_assert_no_error(error);
	return guest;
}

CoreGuest *world_find(World *world, const char *key)
{
	g_autoptr(GError) error = NULL;
	CoreGuest *guest = core_find(world->core, key, &error);
	g_assert_no_error(error);
	return guest;
}

GuestState world_state(World *world, const char *key)
{
	g_autoptr(CoreGuest) guest = world_find(world, key);
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	return snap->state;
}

char *world_path(World *world, const char *place)
{
	return g_build_filename(world->root, place, NULL);
}

/* ---- verbs ---- */

typedef enum Verb { START, START_PAUSED, SIGNAL, UNDEFINE, AUTOSTART, RENAME } Verb;

typedef struct Ask {
	CoreGuest *guest;
	Verb verb;
	int number;
	const char *text;
	GError **error;
	gboolean ok;
} Ask;

static void answer(gpointer data)
{
	Ask *ask = data;
	switch (ask->verb) {
	case START:
	case START_PAUSED:
		ask->ok = core_guest_start(ask->guest, ask->verb == START_PAUSED, NULL, ask->error);
		break;
	case SIGNAL:
		ask->ok = core_guest_signal(ask->guest, (EngineSignal)ask->number, ask->error);
		break;
	case UNDEFINE:
		ask->ok = core_guest_undefine(ask->guest, UNDEFINE_KEEP_NVRAM, NULL, NULL, NULL, ask->error);
		break;
	case AUTOSTART:
		ask->ok = core_guest_autostart(ask->guest, ask->number, ask->error);
		break;
	case RENAME:
		ask->ok = core_guest_rename(ask->guest, ask->text, ask->error);
		break;
	}
}

static gboolean ask(Ask question)
{
	lane_run(core_guest_lane(question.guest), answer, &question);
	return question.ok;
}

gboolean world_start(CoreGuest *guest, GError **error)
{
	return ask((Ask){ .guest = guest, .verb = START, .error = error });
}

gboolean world_start_paused(CoreGuest *guest, GError **error)
{
	return ask((Ask){ .guest = guest, .verb = START_PAUSED, .error = error });
}

gboolean world_signal(CoreGuest *guest, EngineSignal signal, GError **error)
{
	return ask((Ask){ .guest = guest, .verb = SIGNAL, .number = (int)signal, .error = error });
}

gboolean world_undefine(CoreGuest *guest, GError **error)
{
	return ask((Ask){ .guest = guest, .verb = UNDEFINE, .error = error });
}

gboolean world_autostart(CoreGuest *guest, gboolean on, GError **error)
{
	return ask((Ask){ .guest = guest, .verb = AUTOSTART, .number = on, .error = error });
}

gboolean world_rename(CoreGuest *guest, const char *name, GError **error)
{
	return ask((Ask){ .guest = guest, .verb = RENAME, .text = name, .error = error });
}

CoreGuest *world_run(World *world, const char *name)
{
	g_autoptr(GError) error = NULL;
	CoreGuest *guest = world_define(world, name);
	world_start(guest, &error);
	g_assert_no_error(error);
	return guest;
}

static void start_alone(gpointer data)
{
	core_guest_start(data, FALSE, NULL, NULL);
	core_guest_unref(data);
}

void world_begin_start(CoreGuest *guest)
{
	lane_post(core_guest_lane(guest), start_alone, core_guest_ref(guest));
}

static gpointer destroy_alone(gpointer data)
{
	g_autoptr(CoreGuest) guest = data;
	return GINT_TO_POINTER(core_guest_destroy(guest, FALSE, NULL));
}

GThread *world_begin_destroy(CoreGuest *guest)
{
	return g_thread_new("destroy", destroy_alone, core_guest_ref(guest));
}

gboolean world_end_destroy(GThread *thread)
{
	return GPOINTER_TO_INT(g_thread_join(thread));
}

/* ---- the main loop ---- */

static void nothing(G_GNUC_UNUSED gpointer data)
{
}

void world_settle(World *world)
{
	/* what one lane posts to the loop may post to a lane again */
	for (guint round = 0; round < 3; round++) {
		g_autoptr(GPtrArray) all =
			core_list(world->core, CORE_LIST_ACTIVE | CORE_LIST_INACTIVE);
		for (guint i = 0; i < all->len; i++) {
			const GuestSnap *snap = g_ptr_array_index(all, i);
			g_autoptr(CoreGuest) guest = core_find(world->core, snap->uuid, NULL);
			if (guest)
				lane_run(core_guest_lane(guest), nothing, NULL);
		}
		while (g_main_context_iteration(NULL, FALSE))
			;
	}
}

gboolean world_until(gboolean (*true_now)(gpointer data), gpointer data)
{
	gint64 limit = g_get_monotonic_time() + 60 * G_TIME_SPAN_SECOND;
	while (!true_now(data) && g_get_monotonic_time() < limit) {
		g_main_context_iteration(NULL, FALSE);
		g_usleep(500);
	}
	return true_now(data);
}

char *world_events(World *world)
{
	g_ptr_array_add(world->heard, NULL);
	char *all = g_strjoinv(", ", (char **)world->heard->pdata);
	g_ptr_array_set_size(world->heard, 0);
	return all;
}
