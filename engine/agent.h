/* QEMU's guest agent: a program in the guest that answers on a serial channel, of which the host's
 * end is a unix socket. It belongs to the guest: what it says is bounded, and each wait has a limit.
 *
 * It is no slot of the engine's vtable: all that an engine has to do with it is to name the socket
 * in the live definition, and calls must not go through the run, which belongs to the lane that a
 * hung agent would block. So core/ keeps an Agent for each guest and calls it beside the lane.
 *
 * Neighbours: core/agent.h is the user; host/qmp-frames.h cuts the answers; the protocol is in
 * QEMU's qga/qapi-schema.json. */
#pragma once

#include <gio/gio.h>
#include <jansson.h>

#define AGENT_FOREVER (-1)

typedef struct Agent Agent;

typedef enum AgentAnswer {
	AGENT_ANSWERS, /* a command with an answer */
	AGENT_SILENT,  /* success says nothing: the agent is waited for, or the guest's end */
	AGENT_NO_WAIT, /* nobody waits for what comes of it */
} AgentAnswer;

typedef struct AgentCall {
	json_t *message; /* {"execute": ..., "arguments": ...}; lent */
	int timeout_ms;	 /* for the answer, or AGENT_FOREVER; that an agent is there is told before,
			  * within AGENT_SYNC_MS */
	AgentAnswer answer;
	gboolean (*over)(gpointer data); /* AGENT_SILENT: the guest did it; may be NULL */
	gpointer data;
	GCancellable *cancel; /* may be NULL */
} AgentCall;

#define AGENT_SYNC_MS 5000 /* libvirt's */

/* Not connected yet. Any thread. */
Agent *agent_new(void);
/* No call may be under way. */
void agent_free(Agent *agent);

/* Sends call->message through the socket @path, connecting to it if need be, and returns the whole
 * answer, {"return": ...}, the caller's; an empty object where none is waited for. One call of a guest
 * after another; those that wait too long, or are too many, are refused. NULL with
 *   GONE         nobody listens, or the agent went away
 *   TIMEOUT      there is no agent, or it hangs
 *   ENGINE       the command failed, or what came is no answer
 *   UNSUPPORTED  the agent does not have, or does not allow, the command
 *   ABORTED      cancelled.
 * Blocks; any thread but the main loop's. */
json_t *agent_call(Agent *agent, const char *path, const AgentCall *call, GError **error);

/* The guest ended: the connection is given up, a call that is under way ends by itself. Any thread. */
void agent_disconnect(Agent *agent);

/* What a guest says, for people: at most @max bytes, control characters replaced. NULL stays NULL.
 * The caller frees it. */
char *agent_clean_text(const char *text, gsize max);
