/* What verbs that ask the guest agent share. All that comes back is a guest's word: lists are bounded
 * here, text is cleaned before people see it.
 * Neighbours: guest_agent.c does things in the guest, guest_inside.c shows what is in it; core/agent.h
 * below. */
#pragma once

#include <jansson.h>

#include "core/agent.h"
#include "ops/ops.h"

#define AGENT_LIST_MAX 2048 /* as libvirt's protocol has it for most lists */

/* What the agent returned to @command, the caller's; takes @arguments (NULL: none). For OP_BESIDE verbs
 * on a guest. */
json_t *ask_agent(OpCall *call, const char *command, json_t *arguments, GError **error);

/* The array @answer, or its member @key: NULL where it is none or too long. Lent. */
json_t *agent_list(json_t *answer, const char *key, GError **error);

/* Text without control characters, the caller's; NULL where @key is absent or no string. */
char *agent_text(json_t *object, const char *key);
