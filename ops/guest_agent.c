/* Verbs that have something done in a guest by its agent: commands, file systems, time, passwords, keys,
 * sleep. Names, options and messages are virsh's. Facts: QEMU's qga/qapi-schema.json. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/agent.h"
#include "ops/agent.h"
#include "ops/families.h"

#define ON_GUEST(method_, perm_)                                                                   \
	.family = "Guest agent", .target = OP_ON_GUEST, .method = method_, .perm = perm_,          \
	.lane = OP_BESIDE

/* ---- shared ---- */

json_t *ask_agent(OpCall *call, const char *command, json_t *arguments, GError **error)
{
	return core_guest_agent(call->guest, command, arguments, 0, call->cancel, error);
}

json_t *agent_list(json_t *answer, const char *key, GError **error)
{
	json_t *list = key ? json_object_get(answer, key) : answer;
	if (json_is_array(list) && json_array_size(list) <= AGENT_LIST_MAX)
		return list;
	fail(error, LODGE_ERROR_ENGINE, json_is_array(list) ? "the guest agent lists more than %d things"
			: "the guest agent returned no list (of at most %d things)", AGENT_LIST_MAX);
	return NULL;
}

char *agent_text(json_t *object, const char *key)
{
	return agent_clean_text(json_string_value(json_object_get(object, key)), 4096);
}

/* For commands that return nothing of interest. */
static gboolean tell_agent(OpCall *call, const char *command, json_t *arguments, GError **error)
{
	json_t *answer = ask_agent(call, command, arguments, error);
	json_decref(answer);
	return answer != NULL;
}

typedef struct Text {
	ShapeHead head;
	char *text;
} Text;

static const Row text_rows[] = { STRING(Text, text, NULL, .flags = ROW_VERBATIM) };
static const Shape text_shape = SHAPE("agent-answer", Text, text_rows);

/* ---- qemu-agent-command ---- */

typedef struct CommandArgs {
	ShapeHead head;
	GPtrArray *cmd;
	OptUint timeout;
	gboolean async, block, pretty;
} CommandArgs;

static const Row command_rows[] = {
	STRINGS(CommandArgs, cmd, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED | ROW_REST,
		.doc = "the command as JSON: {\"execute\":\"guest-ping\"}"),
	UINT(CommandArgs, timeout, NULL, .min = 1, .max = 86400,
	     .doc = "seconds to wait for the answer; 5 where nothing is said"),
	FLAG(CommandArgs, async, NULL, .doc = "do not wait for the answer"),
	FLAG(CommandArgs, block, NULL, .doc = "wait for the answer without limit"),
	FLAG(CommandArgs, pretty, NULL, .doc = "the answer on several lines"),
};

static gboolean check_command(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const CommandArgs *args = object;
	return args->timeout.set + args->async + args->block <= 1 ||
	       fail(error, LODGE_ERROR_INVALID, "--timeout, --async and --block exclude each other");
}

static const Shape command_args =
	SHAPE("agent-command-args", CommandArgs, command_rows, .check = check_command);

static json_t *parse_command(const CommandArgs *args, GError **error)
{
	g_autoptr(GString) words = g_string_new(NULL);
	for (guint i = 0; i < args->cmd->len; i++)
		g_string_append_printf(words, "%s%s", i ? " " : "",
				       (const char *)g_ptr_array_index(args->cmd, i));
	json_error_t why;
	json_t *message = json_loads(words->str, 0, &why);
	if (json_is_string(json_object_get(message, "execute")))
		return message;
	fail(error, LODGE_ERROR_INVALID, "the command is no JSON object with \"execute\"%s%s",
	     message ? "" : ": ", message ? "" : why.text);
	json_decref(message);
	return NULL;
}

static gboolean agent_command(OpCall *call, GError **error)
{
	const CommandArgs *args = call->args;
	json_t *message = parse_command(args, error);
	if (!message)
		return FALSE;
	gint64 seconds = args->block ? -1 : (gint64)opt_uint_or(args->timeout, 5);
	json_t *answer = core_guest_agent_message(call->guest, message, seconds, args->async,
						  call->cancel, error);
	json_decref(message);
	if (!answer)
		return FALSE;
	if (json_object_size(answer) > 0)
		((Text *)call->result)->text =
			json_dumps(answer, args->pretty ? JSON_INDENT(2) : JSON_COMPACT);
	json_decref(answer);
	return TRUE;
}

/* ---- file systems ---- */

typedef struct FreezeArgs {
	ShapeHead head;
	GPtrArray *mountpoint;
} FreezeArgs;

static const Row freeze_rows[] = {
	STRINGS(FreezeArgs, mountpoint, NULL, .flags = ROW_POSITIONAL | ROW_REST,
		.doc = "only what is mounted there"),
};
static const Shape freeze_args = SHAPE("domfsfreeze-args", FreezeArgs, freeze_rows);

typedef struct Count {
	ShapeHead head;
	OptInt count;
} Count;

static const Row count_rows[] = { INT(Count, count, NULL, .doc = "File systems") };
static const Shape count_shape = SHAPE("file-systems", Count, count_rows);

static json_t *strings_json(const GPtrArray *strings)
{
	json_t *list = json_array();
	for (guint i = 0; strings && i < strings->len; i++)
		json_array_append_new(list, json_string(g_ptr_array_index(strings, i)));
	return list;
}

static gboolean tell_count(OpCall *call, json_t *answer)
{
	((Count *)call->result)->count = OPT_INT(json_integer_value(answer));
	json_decref(answer);
	return answer != NULL;
}

static gboolean freeze(OpCall *call, GError **error)
{
	const FreezeArgs *args = call->args;
	if (!shape_len(args->mountpoint))
		return tell_count(call, ask_agent(call, "guest-fsfreeze-freeze", NULL, error));
	json_t *arguments = json_pack("{s:o}", "mountpoints", strings_json(args->mountpoint));
	return tell_count(call, ask_agent(call, "guest-fsfreeze-freeze-list", arguments, error));
}

static gboolean thaw(OpCall *call, GError **error)
{
	return tell_count(call, ask_agent(call, "guest-fsfreeze-thaw", NULL, error));
}

typedef struct TrimArgs {
	ShapeHead head;
	OptUint minimum;
} TrimArgs;

static const Row trim_rows[] = {
	SIZE(TrimArgs, minimum, NULL, .max = G_MAXINT64, .words = "bytes",
	     .doc = "leave free ranges that are smaller, bytes"),
};
static const Shape trim_args = SHAPE("domfstrim-args", TrimArgs, trim_rows);

static gboolean trim(OpCall *call, GError **error)
{
	guint64 minimum = opt_uint_or(((const TrimArgs *)call->args)->minimum, 0);
	return tell_agent(call, "guest-fstrim", json_pack("{s:I}", "minimum", (json_int_t)minimum), error);
}

/* ---- time ---- */

typedef struct TimeArgs {
	ShapeHead head;
	OptInt time;
	gboolean now, sync, pretty;
} TimeArgs;

static const Row time_rows[] = {
	INT(TimeArgs, time, NULL, .min = 0, .max = G_MAXINT64 / G_GINT64_CONSTANT(1000000000),
	    .doc = "set it to so many seconds since 1970"),
	FLAG(TimeArgs, now, NULL, .doc = "set it to the host's time"),
	FLAG(TimeArgs, sync, NULL, .doc = "set it from the guest's own clock chip"),
	FLAG(TimeArgs, pretty, NULL, .doc = "show date and time"),
};

static gboolean check_time(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const TimeArgs *args = object;
	return args->time.set + args->now + args->sync <= 1 ||
	       fail(error, LODGE_ERROR_INVALID, "--time, --now and --sync exclude each other");
}

static const Shape time_args = SHAPE("domtime-args", TimeArgs, time_rows, .check = check_time);

typedef struct Time {
	ShapeHead head;
	OptInt seconds, nanoseconds;
	char *text;
} Time;

static const Row time_result_rows[] = {
	INT(Time, seconds, NULL, .doc = "Seconds since 1970"),
	INT(Time, nanoseconds, NULL, .doc = "Nanoseconds"),
	STRING(Time, text, NULL),
};
static const Shape time_shape = SHAPE("time", Time, time_result_rows);

static gboolean set_time(OpCall *call, const TimeArgs *args, GError **error)
{
	gint64 ns = args->now ? g_get_real_time() * 1000 : args->time.v * G_GINT64_CONSTANT(1000000000);
	json_t *arguments = args->sync ? NULL : json_pack("{s:I}", "time", (json_int_t)ns);
	return tell_agent(call, "guest-set-time", arguments, error);
}

static gboolean guest_time(OpCall *call, GError **error)
{
	const TimeArgs *args = call->args;
	Time *result = call->result;
	if (args->sync || args->now || args->time.set)
		return set_time(call, args, error);
	json_t *answer = ask_agent(call, "guest-get-time", NULL, error);
	if (!answer)
		return FALSE;
	gint64 ns = json_integer_value(answer);
	json_decref(answer);
	result->seconds = OPT_INT(ns / 1000000000);
	result->nanoseconds = OPT_INT(ns % 1000000000);
	g_autoptr(GDateTime) when = g_date_time_new_from_unix_utc(result->seconds.v);
	g_autofree char *date = when ? g_date_time_format(when, "%Y-%m-%d %H:%M:%S") : NULL;
	result->text = args->pretty && date
			       ? g_strdup_printf("Time: %s", date)
			       : g_strdup_printf("Time: %" G_GINT64_FORMAT, result->seconds.v);
	return TRUE;
}

/* ---- who may log in ---- */

typedef struct PasswordArgs {
	ShapeHead head;
	char *user, *password;
	gboolean encrypted;
} PasswordArgs;

static const Row password_rows[] = {
	STRING(PasswordArgs, user, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "who gets it"),
	STRING(PasswordArgs, password, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED | ROW_SECRET,
	       .doc = "the new password"),
	FLAG(PasswordArgs, encrypted, NULL, .doc = "it is encrypted already, for /etc/shadow"),
};
static const Shape password_args = SHAPE("set-user-password-args", PasswordArgs, password_rows);

static gboolean set_password(OpCall *call, GError **error)
{
	const PasswordArgs *args = call->args;
	g_autofree char *encoded = g_base64_encode((const guchar *)args->password,
						   strlen(args->password));
	return tell_agent(call, "guest-set-user-password",
			  json_pack("{s:s, s:s, s:b}", "username", args->user, "password", encoded,
				    "crypted", args->encrypted), error);
}

typedef struct KeyArgs {
	ShapeHead head;
	char *user, *keys;
	gboolean reset, remove;
} KeyArgs;

static const Row get_keys_rows[] = {
	STRING(KeyArgs, user, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED, .doc = "whose keys"),
};
static const Shape get_keys_args = SHAPE("get-user-sshkeys-args", KeyArgs, get_keys_rows);

typedef struct Keys {
	ShapeHead head;
	GPtrArray *keys;
	char *text;
} Keys;

static const Row keys_rows[] = {
	STRINGS(Keys, keys, NULL, .doc = "Keys"),
	STRING(Keys, text, NULL),
};
static const Shape keys_shape = SHAPE("ssh-keys", Keys, keys_rows);

static gboolean fill_keys(Keys *result, json_t *answer, GError **error)
{
	json_t *list = agent_list(answer, "keys", error);
	g_autoptr(GString) text = g_string_new(NULL);
	size_t i;
	json_t *item;
	json_array_foreach(list, i, item) {
		char *key = agent_clean_text(json_string_value(item), 16384);
		if (!key)
			continue;
		g_string_append_printf(text, "%s\n", key);
		shape_append(&result->keys, NULL, key);
	}
	result->text = g_strdup(text->str);
	return list != NULL;
}

static gboolean get_keys(OpCall *call, GError **error)
{
	const KeyArgs *args = call->args;
	json_t *answer = ask_agent(call, "guest-ssh-get-authorized-keys",
				   json_pack("{s:s}", "username", args->user), error);
	gboolean ok = answer && fill_keys(call->result, answer, error);
	json_decref(answer);
	return ok;
}

static const Row set_keys_rows[] = {
	STRING(KeyArgs, user, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED, .doc = "whose keys"),
	RAWXML(KeyArgs, keys, NULL, .doc = "file with keys, one a line, as authorized_keys has them"),
	FLAG(KeyArgs, reset, NULL, .doc = "the keys take the place of those that are there"),
	FLAG(KeyArgs, remove, NULL, .doc = "the keys are removed"),
};

static gboolean check_keys(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const KeyArgs *args = object;
	if (args->reset && args->remove)
		return fail(error, LODGE_ERROR_INVALID, "--reset and --remove exclude each other");
	return args->keys || args->reset ||
	       fail(error, LODGE_ERROR_INVALID, "say --file with keys, or --reset to drop all");
}

static const Shape set_keys_args =
	SHAPE("set-user-sshkeys-args", KeyArgs, set_keys_rows, .check = check_keys);

static json_t *lines_json(const char *text)
{
	json_t *list = json_array();
	g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
	for (char **line = lines; *line; line++)
		if (*g_strstrip(*line) && **line != '#')
			json_array_append_new(list, json_string(*line));
	return list;
}

static gboolean set_keys(OpCall *call, GError **error)
{
	const KeyArgs *args = call->args;
	json_t *keys = lines_json(args->keys);
	if (args->remove)
		return tell_agent(call, "guest-ssh-remove-authorized-keys",
				  json_pack("{s:s, s:o}", "username", args->user, "keys", keys), error);
	return tell_agent(call, "guest-ssh-add-authorized-keys",
			  json_pack("{s:s, s:o, s:b}", "username", args->user, "keys", keys, "reset",
				    args->reset), error);
}

/* ---- sleep ---- */

static const EnumTable sleeps = ENUM_TABLE("kind of sleep", "mem", "disk", "hybrid");

typedef struct SleepArgs {
	ShapeHead head;
	int target;
	OptUint duration;
} SleepArgs;

static const Row sleep_rows[] = {
	ENUM(SleepArgs, target, NULL, sleeps, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	     .doc = "where the guest keeps its memory meanwhile"),
	UINT(SleepArgs, duration, NULL, .doc = "0: until it is woken, which is all that a guest of QEMU can"),
};

static gboolean check_sleep(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	return ((const SleepArgs *)object)->duration.v == 0 ||
	       fail(error, LODGE_ERROR_UNSUPPORTED, "a guest sleeps until it is woken: duration must be 0");
}
static const Shape sleep_args = SHAPE("dompmsuspend-args", SleepArgs, sleep_rows, .check = check_sleep);

static gboolean pm_suspend(OpCall *call, GError **error)
{
	static const struct {
		const char *command;
		GuestState state;
	} kinds[] = {
		[1] = { "guest-suspend-ram", GUEST_PMSUSPENDED },
		[2] = { "guest-suspend-disk", GUEST_SHUTOFF },
		[3] = { "guest-suspend-hybrid", GUEST_PMSUSPENDED },
	};
	int kind = ((const SleepArgs *)call->args)->target;
	return core_guest_agent_silent(call->guest, kinds[kind].command, NULL, kinds[kind].state,
				       call->cancel, error);
}

static gboolean pm_wakeup(OpCall *call, GError **error)
{
	return core_guest_signal(call->guest, ENGINE_WAKEUP, error);
}

/* ---- patience ---- */

typedef struct TimeoutArgs {
	ShapeHead head;
	OptInt timeout;
} TimeoutArgs;

static const Row timeout_rows[] = {
	INT(TimeoutArgs, timeout, NULL, .min = -2, .max = G_MAXINT, .dflt = "-2",
	    .doc = "timeout seconds; -2: as long as it takes, -1: the usual, 0: no time at all"),
};
static const Shape timeout_args = SHAPE("guest-agent-timeout-args", TimeoutArgs, timeout_rows);

static gboolean agent_timeout(OpCall *call, GError **error)
{
	const TimeoutArgs *args = call->args;
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	if (args->timeout.v < -2 || args->timeout.v > G_MAXINT)
		return fail(error, LODGE_ERROR_INVALID, "timeout: -2, -1, 0 or a count of seconds");
	if (core_guest_agent_state(call->guest) == AGENT_NONE)
		return fail(error, LODGE_ERROR_STATE,
			    "guest \"%s\" does not run, or has no channel for an agent", snap->name);
	core_guest_agent_patience(call->guest, (int)args->timeout.v);
	return TRUE;
}

static const Op ops[] = {
	{ .name = "guest-agent-timeout", .route = "/v1/guests/{guest}/agent-timeout",
	  ON_GUEST("POST", OP_PERM_WRITE), .args = &timeout_args, .show = OP_SHOW_MESSAGE, .said = "",
	  .doc = "Say how long a guest's agent may take to answer", .fn = agent_timeout },
	{ .name = "qemu-agent-command", .route = "/v1/guests/{guest}/agent",
	  ON_GUEST("POST", OP_PERM_WRITE), .args = &command_args, .result = &text_shape,
	  .is_job = TRUE, .show = OP_SHOW_TEXT, .doc = "Say something to a guest's agent",
	  .fn = agent_command },
	{ .name = "domfsfreeze", .route = "/v1/guests/{guest}/file-systems/freeze",
	  ON_GUEST("POST", OP_PERM_WRITE), .args = &freeze_args, .result = &count_shape,
	  .show = OP_SHOW_MESSAGE, .said = "Froze {count} filesystem(s)",
	  .doc = "Let a guest write everything to its disks, and stop writing", .fn = freeze },
	{ .name = "domfsthaw", .route = "/v1/guests/{guest}/file-systems/thaw",
	  ON_GUEST("POST", OP_PERM_WRITE), .result = &count_shape, .show = OP_SHOW_MESSAGE,
	  .said = "Thawed {count} filesystem(s)",
	  .doc = "Let a guest write to its disks again", .fn = thaw },
	{ .name = "domfstrim", .route = "/v1/guests/{guest}/file-systems/trim",
	  ON_GUEST("POST", OP_PERM_WRITE), .args = &trim_args, .show = OP_SHOW_MESSAGE, .said = "",
	  .doc = "Let a guest give back what its file systems do not use", .fn = trim },
	{ .name = "domtime", .route = "/v1/guests/{guest}/time", ON_GUEST("POST", OP_PERM_WRITE),
	  .args = &time_args, .result = &time_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show or set a guest's time", .fn = guest_time },
	{ .name = "set-user-password", .route = "/v1/guests/{guest}/password",
	  ON_GUEST("POST", OP_PERM_WRITE), .args = &password_args, .show = OP_SHOW_MESSAGE,
	  .said = "Password set successfully for {user} in {guest}",
	  .doc = "Set a password in a guest", .fn = set_password },
	{ .name = "get-user-sshkeys", .route = "/v1/guests/{guest}/ssh-keys",
	  ON_GUEST("GET", OP_PERM_SECRET), .args = &get_keys_args, .result = &keys_shape,
	  .show = OP_SHOW_TEXT, .doc = "Show whose SSH keys open a guest", .fn = get_keys },
	{ .name = "set-user-sshkeys", .route = "/v1/guests/{guest}/ssh-keys",
	  ON_GUEST("POST", OP_PERM_WRITE), .args = &set_keys_args, .show = OP_SHOW_MESSAGE,
	  .said = "", .doc = "Add or remove SSH keys in a guest", .fn = set_keys },
	{ .name = "dompmsuspend", .route = "/v1/guests/{guest}/sleep",
	  ON_GUEST("POST", OP_PERM_WRITE), .args = &sleep_args, .show = OP_SHOW_MESSAGE,
	  .said = "Domain '{guest}' successfully suspended",
	  .doc = "Put a guest to sleep", .fn = pm_suspend },
	{ .name = "dompmwakeup", .route = "/v1/guests/{guest}/wake", .family = "Guest agent",
	  .target = OP_ON_GUEST, .method = "POST", .perm = OP_PERM_WRITE, .lane = OP_LANE,
	  .show = OP_SHOW_MESSAGE, .said = "Domain '{guest}' successfully woken up",
	  .doc = "Wake a sleeping guest", .fn = pm_wakeup },
};

const OpFamily op_family_guest_agent = { ops, G_N_ELEMENTS(ops) };
