/* What is asked of QEMU for encrypted guests, and what becomes of its answers: on the fake engine, for no
 * machine that builds has SEV. */
#include "core-world.h"
#include "ops/ops.h"
#include "ops/params.h"

#include <string.h>

#define SEV                                                                                        \
	"<launchSecurity type='sev'><cbitpos>47</cbitpos><reducedPhysBits>1</reducedPhysBits>"     \
	"<policy>0x0001</policy></launchSecurity>"

static GString *asked; /* commands, a line each */

/* As QEMU 7.2 answers. */
static char *answer(G_GNUC_UNUSED EngineRun *run, EngineAsk what, const char *text,
		    G_GNUC_UNUSED GError **error)
{
	if (what != ENGINE_ASK_MONITOR)
		return g_strdup("0");
	g_string_append_printf(asked, "%s\n", text);
	if (strstr(text, "query-sev-launch-measure"))
		return g_strdup("{\"return\": {\"data\": \"l8aXeuK6\"}}");
	if (strstr(text, "query-sev"))
		return g_strdup("{\"return\": {\"enabled\": true, \"api-major\": 0, \"api-minor\": 24, "
				"\"build-id\": 15, \"policy\": 1, \"state\": \"running\", \"handle\": 1}}");
	return g_strdup(strstr(text, "refused") ? "{\"error\": {\"desc\": \"no\"}}" : "{\"return\": {}}");
}

static void open_world(World *world)
{
	static Engine engine;
	g_autoptr(GError) error = NULL;
	world_open(world);
	world_crash(world);
	engine = fake_engine;
	engine.ask = answer;
	asked = g_string_new(NULL);
	CoreConfig config = { .paths = world->paths, .engine = &engine };
	world->core = core_new(&config, &error);
	g_assert_no_error(error);
}

static void close_world(World *world)
{
	g_string_free(asked, TRUE);
	world_close(world);
}

static CoreGuest *run_guest(World *world, const char *parts)
{
	g_autofree char *xml = world_xml("web1", NULL, parts);
	g_autoptr(GError) error = NULL;
	CoreGuest *guest = core_define(world->core, xml, 0, NULL, &error);
	g_assert_no_error(error);
	g_assert_true(world_start_paused(guest, &error));
	world_settle(world);
	return guest;
}

typedef struct Outcome {
	gboolean ended;
	int code; /* -1: success */
	char *text; /* "NAME=VALUE ", or the error's */
} Outcome;

static void on_done(OpCall *call, const GError *error)
{
	Outcome *outcome = call->door_data;
	g_autoptr(GString) text = g_string_new(error ? error->message : NULL);
	outcome->ended = TRUE;
	outcome->code = error ? error->code : -1;
	SHAPE_EACH (Param, param, call->result && !error ? ((Params *)call->result)->params : NULL) {
		g_autofree char *value = param_value(param);
		g_string_append_printf(text, "%s=%s ", param->name, value);
	}
	g_free(outcome->text);
	outcome->text = g_strdup(text->str);
}

static gboolean has_ended(gpointer data)
{
	return ((Outcome *)data)->ended;
}

/* Calls the verb with words as on a command line. */
static void run_verb(World *world, const char *verb, Outcome *outcome, const char *header, const char *secret)
{
	OpCall *call = op_call_new(world->core, op_find(verb));
	call->target = g_strdup("web1");
	call->caller.door = "test";
	call->done = on_done;
	call->door_data = outcome;
	for (guint i = 0; call->op->args && i < call->op->args->n; i++) {
		const Row *row = &call->op->args->rows[i];
		const char *text = i == 0 ? header : i == 1 ? secret : "4096";
		if (text)
			g_assert_true(shape_arg_from_text(row, call->args, text, NULL));
	}
	outcome->ended = FALSE;
	op_dispatch(call);
	g_assert_true(world_until(has_ended, outcome));
}

static void test_sev(void)
{
	World world;
	Outcome outcome = { 0 };
	g_autoptr(GError) error = NULL;
	open_world(&world);
	g_autoptr(CoreGuest) guest = run_guest(&world, SEV);
	g_string_truncate(asked, 0);
	run_verb(&world, "domlaunchsecinfo", &outcome, NULL, NULL);
	g_assert_cmpstr(outcome.text, ==, "sev-measurement=l8aXeuK6 sev-api-major=0 sev-api-minor=24 "
					  "sev-build-id=15 sev-policy=1 ");
	g_assert_cmpstr(asked->str, ==, "{\"execute\":\"query-sev-launch-measure\"}\n"
					"{\"execute\":\"query-sev\"}\n");
	g_string_truncate(asked, 0);
	run_verb(&world, "domsetlaunchsecstate", &outcome, "aGVhZGVy", "c2VjcmV0");
	g_assert_cmpint(outcome.code, ==, -1);
	g_assert_cmpstr(asked->str, ==, "{\"execute\":\"sev-inject-launch-secret\",\"arguments\":{"
					"\"packet-header\":\"aGVhZGVy\",\"secret\":\"c2VjcmV0\","
					"\"gpa\":4096}}\n");
	run_verb(&world, "domsetlaunchsecstate", &outcome, "refused", "c2VjcmV0");
	g_assert_cmpint(outcome.code, ==, LODGE_ERROR_ENGINE);
	run_verb(&world, "domsetlaunchsecstate", &outcome, "aGVhZGVy", NULL);
	g_assert_cmpint(outcome.code, ==, LODGE_ERROR_INVALID);
	g_assert_true(world_signal(guest, ENGINE_RESUME, &error));
	world_settle(&world);
	run_verb(&world, "domsetlaunchsecstate", &outcome, "aGVhZGVy", "c2VjcmV0");
	g_assert_cmpstr(outcome.text, ==, "domain must be in a paused state");
	g_free(outcome.text);
	close_world(&world);
}

static void test_others(void)
{
	World world;
	Outcome outcome = { 0 };
	open_world(&world);
	g_autoptr(CoreGuest) guest = run_guest(&world, NULL);
	g_string_truncate(asked, 0);
	run_verb(&world, "domlaunchsecinfo", &outcome, NULL, NULL);
	g_assert_cmpint(outcome.code, ==, -1);
	g_assert_cmpstr(outcome.text, ==, "");
	run_verb(&world, "domsetlaunchsecstate", &outcome, "aGVhZGVy", "c2VjcmV0");
	g_assert_cmpint(outcome.code, ==, LODGE_ERROR_UNSUPPORTED);
	g_assert_cmpstr(asked->str, ==, "");
	g_free(outcome.text);
	close_world(&world);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/core/launch/sev", test_sev);
	g_test_add_func("/core/launch/others", test_others);
	return g_test_run();
}
