/* Verbs that ask a guest to end or to begin anew: by its agent, which it cannot overhear, or by the power
 * button. Names, options and messages are virsh's. */
#include <string.h>

#include "core/agent.h"
#include "ops/families.h"

typedef struct ModeArgs {
	ShapeHead head;
	char *mode;
} ModeArgs;

static const Row mode_rows[] = {
	STRING(ModeArgs, mode, NULL,
	       .doc = "agent, acpi (the power button), or both with a comma between; where nothing is said "
		      "the agent if it is there, then the button"),
};

enum { BY_AGENT = 1 << 0, BY_BUTTON = 1 << 1 };

static gboolean parse_mode(const char *text, guint *ways, GError **error)
{
	static const struct {
		const char *word;
		guint way;
	} words[] = { { "agent", BY_AGENT }, { "acpi", BY_BUTTON } };
	g_auto(GStrv) parts = g_strsplit(text ? text : "", ",", -1);
	guint said = 0;
	for (char **part = parts; *part; part++) {
		guint way = 0;
		for (guint i = 0; i < G_N_ELEMENTS(words); i++)
			if (g_str_equal(*part, words[i].word))
				way = words[i].way;
		if (!way)
			return fail(error, LODGE_ERROR_INVALID,
				    "mode: \"%s\" is neither agent nor acpi", *part);
		said |= way;
	}
	*ways = said;
	return TRUE;
}

static gboolean check_mode(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	guint ways;
	return parse_mode(((const ModeArgs *)object)->mode, &ways, error);
}

static const Shape mode_args = SHAPE("shutdown-args", ModeArgs, mode_rows, .check = check_mode);

/* ---- the two ways ---- */

typedef struct Press {
	CoreGuest *guest;
	EngineSignal signal;
	gboolean ok;
	GError **error;
} Press;

static void press_on_lane(gpointer data)
{
	Press *press = data;
	press->ok = core_guest_signal(press->guest, press->signal, press->error);
}

static gboolean press(OpCall *call, EngineSignal signal, GError **error)
{
	Press press = { call->guest, signal, FALSE, error };
	lane_run(core_guest_lane(call->guest), press_on_lane, &press);
	return press.ok;
}

/* A reboot by the button that the guest did not hear must not bring it back after this. */
static gboolean by_agent(OpCall *call, EngineSignal signal, GError **error)
{
	const char *mode = signal == ENGINE_REBOOT ? "reboot" : "powerdown";
	return press(call, ENGINE_NO_REBOOT, error) &&
	       core_guest_agent_silent(call->guest, "guest-shutdown",
				       json_pack("{s:s}", "mode", mode), GUEST_SHUTOFF, call->cancel,
				       error);
}

static gboolean end(OpCall *call, EngineSignal signal, GError **error)
{
	guint ways = 0;
	if (!parse_mode(((const ModeArgs *)call->args)->mode, &ways, error))
		return FALSE;
	gboolean there = core_guest_agent_state(call->guest) == AGENT_CONNECTED;
	if (!ways)
		ways = BY_BUTTON | (there ? BY_AGENT : 0);
	g_autoptr(GError) why = NULL;
	if ((ways & BY_AGENT) && by_agent(call, signal, &why))
		return TRUE;
	if (ways & BY_BUTTON)
		return press(call, signal, error);
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

static gboolean shutdown_guest(OpCall *call, GError **error)
{
	return end(call, ENGINE_SHUTDOWN, error);
}

static gboolean reboot_guest(OpCall *call, GError **error)
{
	return end(call, ENGINE_REBOOT, error);
}

static const Op ops[] = {
	{ .name = "shutdown", .family = "Guests", .method = "POST",
	  .route = "/v1/guests/{guest}/shutdown", .target = OP_ON_GUEST, .perm = OP_PERM_WRITE,
	  .lane = OP_BESIDE, .args = &mode_args, .show = OP_SHOW_MESSAGE,
	  .said = "Domain '{guest}' is being shutdown", .doc = "Ask a guest to shut down",
	  .fn = shutdown_guest },
	{ .name = "reboot", .family = "Guests", .method = "POST",
	  .route = "/v1/guests/{guest}/reboot", .target = OP_ON_GUEST, .perm = OP_PERM_WRITE,
	  .lane = OP_BESIDE, .args = &mode_args, .show = OP_SHOW_MESSAGE,
	  .said = "Domain '{guest}' is being rebooted", .doc = "Ask a guest to reboot",
	  .fn = reboot_guest },
};

const OpFamily op_family_guest_power = { ops, G_N_ELEMENTS(ops) };
