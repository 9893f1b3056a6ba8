/* Verbs about guests whose memory the host cannot read: what their owner checks, what he gives them, and what
 * the host has of it. Names, options and texts are virsh's, names of parameters libvirt's; commands are
 * QEMU's.
 * Neighbours: engine/qemu/sev.c starts such guests. */
#include "core/core.h"
#include "ops/families.h"
#include "ops/params.h"
#include "ops/tune.h"

#include <string.h>

static const LaunchSecurity *sev_of(const Guest *guest)
{
	const LaunchSecurity *launch = guest ? guest->launch_security : NULL;
	return launch && launch->type == LAUNCH_SEV ? launch : NULL;
}

/* ---- domlaunchsecinfo ---- */

static void add_number(GPtrArray **out, const char *name, json_t *from, const char *member)
{
	param_add(out, PARAM_UINT, name, json_integer_value(json_object_get(from, member)));
}

/* Of other guests there is nothing to tell. */
static gboolean info(OpCall *call, GError **error)
{
	Params *result = call->result;
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	g_autoptr(Definition) definition = core_guest_definition(call->guest, FALSE, error);
	result->text = g_strdup("");
	if (!definition || !sev_of(definition->guest))
		return definition != NULL;
	if (!snap->live)
		return guest_not_running(snap->name, error);
	json_t *measure = tune_ask(call, "query-sev-launch-measure", NULL, error);
	json_t *sev = measure ? tune_ask(call, "query-sev", NULL, error) : NULL;
	if (sev) {
		param_add_text(&result->params, "sev-measurement",
			       json_string_value(json_object_get(measure, "data")));
		add_number(&result->params, "sev-api-major", sev, "api-major");
		add_number(&result->params, "sev-api-minor", sev, "api-minor");
		add_number(&result->params, "sev-build-id", sev, "build-id");
		add_number(&result->params, "sev-policy", sev, "policy");
		g_free(result->text);
		result->text = params_table(result->params);
	}
	gboolean ok = sev != NULL;
	json_decref(measure);
	json_decref(sev);
	return ok;
}

/* ---- domsetlaunchsecstate ---- */

typedef struct StateArgs {
	ShapeHead head;
	char *secrethdr, *secret;
	OptUint set_address;
} StateArgs;

static const Row state_rows[] = {
	RAWXML(StateArgs, secrethdr, NULL, .flags = ROW_REQUIRED, .doc = "file with the secret's header"),
	RAWXML(StateArgs, secret, NULL, .flags = ROW_REQUIRED, .doc = "file with the secret"),
	UINT(StateArgs, set_address, NULL, .doc = "where in the guest's memory; none: QEMU's place"),
};
static const Shape state_args = SHAPE("domsetlaunchsecstate-args", StateArgs, state_rows);

static gboolean set_state(OpCall *call, GError **error)
{
	const StateArgs *args = call->args;
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	g_autoptr(Definition) definition = core_guest_definition(call->guest, FALSE, error);
	if (!definition)
		return FALSE;
	if (!sev_of(definition->guest))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "setting a launch secret is only supported in SEV-enabled domains");
	if (!snap->live)
		return guest_not_running(snap->name, error);
	if (snap->state != GUEST_PAUSED)
		return fail(error, LODGE_ERROR_STATE, "domain must be in a paused state");
	json_t *arguments = json_pack("{s:s, s:s}", "packet-header", args->secrethdr, "secret", args->secret);
	if (!arguments)
		return fail(error, LODGE_ERROR_INVALID, "secret and header are base64");
	if (args->set_address.set)
		json_object_set_new(arguments, "gpa", json_integer((json_int_t)args->set_address.v));
	json_t *done = tune_ask(call, "sev-inject-launch-secret", arguments, error);
	json_decref(done);
	return done != NULL;
}

/* ---- nodesevinfo ---- */

static gboolean node_info(OpCall *call, GError **error)
{
	Params *result = call->result;
	EngineCaps caps = { 0 };
	if (!core_describe(call->core, NULL, &caps, error))
		return FALSE;
	const EngineSev *sev = caps.sev;
	GString *text = g_string_new(NULL);
	if (sev) {
		param_add_text(&result->params, "pdh", sev->pdh);
		param_add_text(&result->params, "cert-chain", sev->cert_chain);
		if (sev->cpu0_id)
			param_add_text(&result->params, "cpu0-id", sev->cpu0_id);
		param_add(&result->params, PARAM_UINT, "cbitpos", (gint64)sev->cbitpos.v);
		param_add(&result->params, PARAM_UINT, "reduced-phys-bits", (gint64)sev->reduced_phys_bits.v);
		param_add(&result->params, PARAM_UINT, "max-guests", (gint64)sev->max_guests.v);
		param_add(&result->params, PARAM_UINT, "max-es-guests", (gint64)sev->max_es_guests.v);
	}
	SHAPE_EACH (Param, param, result->params) {
		g_autofree char *value = param_value(param);
		g_string_append_printf(text, "%-18s: %s\n", param->name, value);
	}
	result->text = g_string_free(text, FALSE);
	gboolean has = sev != NULL;
	shape_clear(&engine_caps_shape, &caps);
	return has || fail(error, LODGE_ERROR_UNSUPPORTED, "QEMU does not support SEV guest");
}

static const Op ops[] = {
	{ .name = "domlaunchsecinfo", .family = "Guests", .target = OP_ON_GUEST, .method = "GET",
	  .perm = OP_PERM_SECRET, .lane = OP_LANE, .route = "/v1/guests/{guest}/launch-security",
	  .result = &params_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show what an encrypted guest's owner checks", .fn = info },
	{ .name = "domsetlaunchsecstate", .family = "Guests", .target = OP_ON_GUEST, .method = "POST",
	  .perm = OP_PERM_WRITE, .lane = OP_LANE, .route = "/v1/guests/{guest}/launch-security",
	  .args = &state_args, .show = OP_SHOW_MESSAGE, .said = "",
	  .doc = "Give an encrypted guest its owner's secret", .fn = set_state },
	{ .name = "nodesevinfo", .family = "Host", .method = "GET", .perm = OP_PERM_SECRET, .lane = OP_BESIDE,
	  .route = "/v1/host/sev", .result = &params_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show what the host has for encrypted guests (SEV)", .fn = node_info },
};

const OpFamily op_family_guest_security = { ops, G_N_ELEMENTS(ops) };
