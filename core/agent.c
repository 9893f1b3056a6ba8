/* See agent.h. The channel's state comes from the engine and stands in the live definition. */
#include "core/agent.h"
#include "base/error.h"
#include "core/internal.h"
#include "engine/agent.h"

#include <string.h>

#define AGENT_CHANNEL "org.qemu.guest_agent.0"
#define ANSWER_S 60

/* ---- the channel ---- */

static const Chardev *channel_of(const Guest *live)
{
	SHAPE_EACH (Chardev, channel, live->channels)
		if (!g_strcmp0(channel->target_name, AGENT_CHANNEL))
			return channel;
	return NULL;
}

/* The socket that QEMU listens on for us; NULL: there is none. */
static const char *socket_of(const Chardev *channel)
{
	const ChardevSource *source = channel ? chardev_source(&channel->backend) : NULL;
	gboolean ours = source && channel->type == CHARDEV_UNIX && g_strcmp0(source->mode, "connect");
	return ours ? source->path : NULL;
}

static AgentState state_of(const Guest *live)
{
	const Chardev *channel = live ? channel_of(live) : NULL;
	if (!channel)
		return AGENT_NONE;
	return g_strcmp0(channel->target_state, "connected") ? AGENT_DISCONNECTED : AGENT_CONNECTED;
}

AgentState core_guest_agent_state(CoreGuest *guest)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	return state_of(snap->live ? snap->live->guest : NULL);
}

/* ---- its changes ---- */

typedef struct Change {
	CoreGuest *guest;
	gint serial;
	char *alias;
	const char *state;
} Change;

static gboolean set_state(Guest *live, gpointer data, G_GNUC_UNUSED GError **error)
{
	const Change *change = data;
	SHAPE_EACH (Chardev, channel, live->channels) {
		if (g_strcmp0(channel->info.alias, change->alias))
			continue;
		g_free(channel->target_state);
		channel->target_state = g_strdup(change->state);
	}
	return TRUE;
}

static void tell(CoreGuest *guest, const char *state)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	CoreEvent *event = g_new0(CoreEvent, 1);
	gboolean open = g_str_equal(state, "connected");
	*event = (CoreEvent){ .kind = "agent-lifecycle", .guest = g_strdup(snap->name),
			      .id = snap->id, .time = g_get_real_time(),
			      .json = g_strdup_printf("{\"open\":%s,\"state\":\"%s\"}",
						      open ? "true" : "false", state) };
	g_strlcpy(event->uuid, snap->uuid, sizeof event->uuid);
	core_publish(guest->core, event);
}

static void change_state(gpointer data)
{
	Change *change = data;
	CoreGuest *guest = change->guest;
	g_autoptr(GError) error = NULL;
	if (guest->run && change->serial == g_atomic_int_get(&guest->serial)) {
		const Chardev *agent = channel_of(guest->snap->live->guest);
		gboolean is_agent = agent && !g_strcmp0(agent->info.alias, change->alias);
		/* the file for a later daemon could not be written: it asks QEMU anyway */
		if (core_guest_edit(guest, TRUE, FALSE, set_state, change, &error) && is_agent)
			tell(guest, change->state);
	}
	core_guest_unref(guest);
	g_free(change->alias);
	g_free(change);
}

void agent_channel_changed(CoreGuest *guest, gint serial, const char *text)
{
	json_t *json = text ? json_loads(text, 0, NULL) : NULL;
	const char *alias = json_string_value(json_object_get(json, "id"));
	if (alias) {
		Change *change = g_new(Change, 1);
		*change = (Change){ core_guest_ref(guest), serial, g_strdup(alias),
				    json_is_true(json_object_get(json, "open")) ? "connected"
										: "disconnected" };
		lane_post(guest->lane, change_state, change);
	}
	json_decref(json);
}

/* ---- calls ---- */

static gboolean may_ask(const GuestSnap *snap, GError **error)
{
	const Guest *live = snap->live ? snap->live->guest : NULL;
	if (!live)
		return guest_not_running(snap->name, error);
	if (!socket_of(channel_of(live)))
		return fail_with(error, LODGE_ERROR_UNSUPPORTED, LODGE_DETAIL_NO_AGENT,
				 "QEMU guest agent is not configured: guest \"%s\" has no channel "
				 AGENT_CHANNEL " of type unix", snap->name);
	if (snap->state != GUEST_RUNNING)
		return fail(error, LODGE_ERROR_STATE, "guest \"%s\" is %s: its agent cannot answer",
			    snap->name, enum_name(&guest_states, (int)snap->state));
	if (state_of(live) != AGENT_CONNECTED)
		return fail_with(error, LODGE_ERROR_GONE, LODGE_DETAIL_AGENT_SILENT,
				 "Guest agent is not responding: QEMU guest agent is not connected; install "
				 "and start qemu-guest-agent in guest \"%s\"", snap->name);
	return TRUE;
}

/* Made with the first call: most guests of a big host are never asked. */
static Agent *agent_of(CoreGuest *guest)
{
	g_mutex_lock(&guest->lock);
	if (!guest->agent)
		guest->agent = agent_new();
	Agent *agent = guest->agent;
	g_mutex_unlock(&guest->lock);
	return agent;
}

static json_t *call_agent(CoreGuest *guest, const AgentCall *call, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	if (!may_ask(snap, error))
		return NULL;
	g_autoptr(GError) why = NULL;
	json_t *answer = agent_call(agent_of(guest), socket_of(channel_of(snap->live->guest)), call, &why);
	if (!answer)
		g_propagate_prefixed_error(error, g_steal_pointer(&why), "guest \"%s\": ", snap->name);
	return answer;
}

void core_guest_agent_patience(CoreGuest *guest, int seconds)
{
	int ms = seconds == -2 ? AGENT_FOREVER : seconds < 0 ? 0 : MIN(seconds, G_MAXINT / 1000) * 1000;
	g_atomic_int_set(&guest->agent_ms, seconds == 0 ? 1 : ms);
}

json_t *core_guest_agent_message(CoreGuest *guest, json_t *message, gint64 seconds,
				 gboolean no_wait, GCancellable *cancel, GError **error)
{
	AgentCall call = { .message = message, .cancel = cancel,
			   .timeout_ms = seconds < 0 ? AGENT_FOREVER
						     : (int)MIN(seconds, G_MAXINT / 1000) * 1000,
			   .answer = no_wait ? AGENT_NO_WAIT : AGENT_ANSWERS };
	return call_agent(guest, &call, error);
}

json_t *core_guest_agent(CoreGuest *guest, const char *command, json_t *arguments, guint seconds,
			 GCancellable *cancel, GError **error)
{
	json_t *message = json_pack("{s:s, s:o*}", "execute", command, "arguments", arguments);
	int patience = g_atomic_int_get(&guest->agent_ms);
	AgentCall call = { .message = message, .cancel = cancel, .answer = AGENT_ANSWERS,
			   .timeout_ms = patience ? patience : ANSWER_S * 1000 };
	if (seconds)
		call.timeout_ms = (int)MIN(seconds, G_MAXINT / 1000) * 1000;
	json_t *answer = call_agent(guest, &call, error);
	json_t *result = json_incref(json_object_get(answer, "return"));
	json_decref(answer);
	json_decref(message);
	return result;
}

typedef struct Until {
	CoreGuest *guest;
	GuestState state;
} Until;

static gboolean is_there(gpointer data)
{
	const Until *until = data;
	g_autoptr(GuestSnap) snap = core_guest_snap(until->guest);
	const Guest *live = snap->live ? snap->live->guest : NULL;
	return snap->state == until->state || state_of(live) != AGENT_CONNECTED;
}

gboolean core_guest_agent_silent(CoreGuest *guest, const char *command, json_t *arguments,
				 GuestState state, GCancellable *cancel, GError **error)
{
	json_t *message = json_pack("{s:s, s:o*}", "execute", command, "arguments", arguments);
	Until until = { guest, state };
	AgentCall call = { .message = message, .answer = AGENT_SILENT, .over = is_there,
			   .data = &until, .cancel = cancel };
	json_t *answer = call_agent(guest, &call, error);
	json_decref(message);
	json_decref(answer);
	return answer != NULL;
}
