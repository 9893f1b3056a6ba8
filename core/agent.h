/* Talking to what runs inside a guest: QEMU's guest agent. Calls go beside the lane, so that one that
 * hangs holds up nothing but the next call to the same agent.
 * Neighbours: core.h; engine/agent.h speaks the protocol. */
#pragma once

#include <jansson.h>

#include "core/core.h"

typedef enum AgentState {
	AGENT_NONE,	    /* its definition has no channel for one, or the guest does not run */
	AGENT_DISCONNECTED, /* nobody has opened the channel in the guest */
	AGENT_CONNECTED,
} AgentState;

/* As the snapshot says. Any thread; never waits. */
AgentState core_guest_agent_state(CoreGuest *guest);

/* Asks the agent: @command with @arguments (taken, also on failure; NULL: none) and returns what it
 * returned, the caller's. Waits 5 s for an agent to be there and @seconds (0: as the
 * guest's patience is, 60) for the answer. STATE
 * where the guest does not run or has no CPUs running, UNSUPPORTED where it has no channel, TIMEOUT
 * and GONE where no agent answers, ENGINE where it refuses. OP_BESIDE. */
json_t *core_guest_agent(CoreGuest *guest, const char *command, json_t *arguments, guint seconds,
			 GCancellable *cancel, GError **error);

/* From now on it has @seconds for an answer where a call says nothing else: -2: as long as it takes, -1: the
 * usual time, 0: the answer must be there at once. Until the daemon ends. Any thread. */
void core_guest_agent_patience(CoreGuest *guest, int seconds);

/* The same with a whole message, and with the whole answer: {"return": ...}. @seconds below 0: no limit;
 * @no_wait: the answer is not waited for. OP_BESIDE. */
json_t *core_guest_agent_message(CoreGuest *guest, json_t *message, gint64 seconds,
				 gboolean no_wait, GCancellable *cancel, GError **error);

/* A command that says nothing where it works: guest-shutdown, guest-suspend-*. Returns when the guest
 * is in @state (GUEST_SHUTOFF: it ended), when the agent took it without complaint, or when the agent
 * ended. @arguments as above. OP_BESIDE. */
gboolean core_guest_agent_silent(CoreGuest *guest, const char *command, json_t *arguments,
				 GuestState state, GCancellable *cancel, GError **error);
