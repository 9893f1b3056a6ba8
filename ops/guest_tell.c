/* Verbs that ask a running guest or its QEMU, and that keep what people and programs write about it. */
#include "core/core.h"
#include "host/socket.h"
#include "model/metadata.h"
#include "ops/families.h"
#include "ops/keys.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define ON_GUEST(method_, perm_, lane_)                                                            \
	.family = "Guests", .target = OP_ON_GUEST, .method = method_, .perm = perm_, .lane = lane_

/* ---- desc, metadata ---- */

typedef struct NoteArgs {
	ShapeHead head;
	gboolean live, config, title;
	int what;
	char *text, *uri, *key;
} NoteArgs;

static const EnumTable note_kinds = ENUM_TABLE("kind of note", "description", "title", "element");
enum { NOTE_DESCRIPTION = 1, NOTE_TITLE, NOTE_ELEMENT };

static const Row desc_rows[] = {
	STRING(NoteArgs, text, NULL, .flags = ROW_POSITIONAL | ROW_EMPTY_OK,
	       .doc = "what it says from now on; nothing: remove it"),
	FLAG(NoteArgs, title, NULL, .doc = "the title, which is one line"),
	FLAG(NoteArgs, live, NULL, .doc = "of what runs"),
	FLAG(NoteArgs, config, NULL, .doc = "of what the next start will use"),
};
static const Shape desc_args = SHAPE("desc-args", NoteArgs, desc_rows);

static void replace(char **member, const char *text)
{
	g_free(*member);
	*member = text && *text ? g_strdup(text) : NULL;
}

static gboolean edit_note(Guest *guest, gpointer data, GError **error)
{
	const NoteArgs *args = data;
	if (args->what == NOTE_ELEMENT)
		return metadata_set(&guest->metadata, args->key, args->uri, args->text, error);
	if (args->what == NOTE_TITLE && args->text && strchr(args->text, '\n'))
		return fail(error, LODGE_ERROR_INVALID, "a title is one line");
	replace(args->what == NOTE_TITLE ? &guest->title : &guest->description, args->text);
	return TRUE;
}

static void tell_changed(OpCall *call, const NoteArgs *args)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	CoreEvent *event = g_new0(CoreEvent, 1);
	json_t *json = json_pack("{s:i, s:s*}", "type", args->what - 1, "uri", args->uri);
	*event = (CoreEvent){ .kind = "metadata-change", .guest = g_strdup(snap->name), .id = snap->id,
			      .time = g_get_real_time(), .json = json_dumps(json, JSON_COMPACT) };
	g_strlcpy(event->uuid, snap->uuid, sizeof event->uuid);
	json_decref(json);
	core_publish(call->core, event);
}

static gboolean change(OpCall *call, const NoteArgs *args, GError **error)
{
	if (!core_guest_edit(call->guest, args->live, args->config, edit_note, (gpointer)args, error))
		return FALSE;
	tell_changed(call, args);
	return TRUE;
}

static gboolean desc(OpCall *call, GError **error)
{
	NoteArgs *args = call->args;
	args->what = args->title ? NOTE_TITLE : NOTE_DESCRIPTION;
	return change(call, args, error);
}

static const Row metadata_rows[] = {
	STRING(NoteArgs, uri, NULL, .flags = ROW_POSITIONAL,
	       .doc = "namespace of the program that keeps it"),
	STRING(NoteArgs, key, NULL, .doc = "prefix of that namespace"),
	STRING(NoteArgs, text, NULL, .flags = ROW_EMPTY_OK,
	       .doc = "one XML element; nothing: remove it"),
	ENUM(NoteArgs, what, NULL, note_kinds, .dflt = "element", .doc = "what is written"),
	FLAG(NoteArgs, live, NULL, .doc = "of what runs"),
	FLAG(NoteArgs, config, NULL, .doc = "of what the next start will use"),
};
static const Shape metadata_args = SHAPE("metadata-args", NoteArgs, metadata_rows);

static gboolean set_metadata(OpCall *call, GError **error)
{
	return change(call, call->args, error);
}

typedef struct Text {
	ShapeHead head;
	char *text;
} Text;

static const Row text_rows[] = { STRING(Text, text, NULL, .flags = ROW_VERBATIM) };
static const Shape text_shape = SHAPE("answer", Text, text_rows);

typedef struct GetArgs {
	ShapeHead head;
	int what;
	char *uri;
	gboolean live, config;
} GetArgs;

static const Row get_rows[] = {
	ENUM(GetArgs, what, NULL, note_kinds, .dflt = "description", .doc = "which one"),
	STRING(GetArgs, uri, NULL, .doc = "namespace of an element"),
	FLAG(GetArgs, live, NULL, .doc = "of what runs"),
	FLAG(GetArgs, config, NULL, .doc = "of what the next start will use"),
};
static const Shape get_args = SHAPE("notes-args", GetArgs, get_rows);

static gboolean get_note(OpCall *call, GError **error)
{
	const GetArgs *args = call->args;
	Text *result = call->result;
	g_autoptr(Definition) definition = core_guest_definition(call->guest, args->config, error);
	if (!definition)
		return FALSE;
	const Guest *guest = definition->guest;
	if (args->what == NOTE_ELEMENT)
		result->text = metadata_get(guest->metadata, args->uri ? args->uri : "", error);
	else
		result->text = g_strdup(args->what == NOTE_TITLE ? guest->title : guest->description);
	if (!result->text && args->what != NOTE_ELEMENT)
		return fail(error, LODGE_ERROR_NOT_FOUND, "guest \"%s\" has no %s", guest->name,
			    enum_name(&note_kinds, args->what));
	return result->text != NULL;
}

/* ---- vcpucount ---- */

typedef struct CountArgs {
	ShapeHead head;
	gboolean config, live, maximum;
} CountArgs;

static const Row count_rows[] = {
	FLAG(CountArgs, config, NULL, .doc = "of what the next start will use"),
	FLAG(CountArgs, live, NULL, .doc = "of what runs"),
	FLAG(CountArgs, maximum, NULL, .doc = "the most that it can have"),
};
static const Shape count_args = SHAPE("vcpucount-args", CountArgs, count_rows);

typedef struct Count {
	ShapeHead head;
	OptUint count;
	char *text;
} Count;

static const Row counted_rows[] = {
	UINT(Count, count, NULL, .doc = "CPU(s)"),
	STRING(Count, text, NULL),
};
static const Shape count_shape = SHAPE("vcpu-count", Count, counted_rows);

static gboolean vcpucount(OpCall *call, GError **error)
{
	const CountArgs *args = call->args;
	Count *result = call->result;
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	if (args->live && !snap->live)
		return guest_not_running(snap->name, error);
	g_autoptr(Definition) definition = core_guest_definition(call->guest, args->config, error);
	if (!definition)
		return FALSE;
	const Guest *guest = definition->guest;
	guint64 n = args->maximum ? opt_uint_or(guest->vcpus, 1) : guest_vcpus_online(guest);
	result->count = OPT_UINT(n);
	result->text = g_strdup_printf("%" G_GUINT64_FORMAT, n);
	return TRUE;
}

/* ---- send-key ---- */

typedef struct KeyArgs {
	ShapeHead head;
	OptUint holdtime;
	GPtrArray *keys;
	int codeset;
} KeyArgs;

static const EnumTable codesets = ENUM_TABLE("set of key codes", "linux", "qnum");

static const Row key_rows[] = {
	STRINGS(KeyArgs, keys, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED | ROW_REST,
		.doc = "keys pressed together: numbers, or names such as KEY_LEFTCTRL"),
	ENUM(KeyArgs, codeset, NULL, codesets, .dflt = "linux", .doc = "whose numbers they are"),
	UINT(KeyArgs, holdtime, NULL, .max = 60000, .doc = "milliseconds until they are let go"),
};
static const Shape key_args = SHAPE("send-key-args", KeyArgs, key_rows);

/* Linux' numbers of keys are those of a PC's keyboard up to 88; behind them this is QEMU's number. */
static const struct {
	guint linux_code, qnum;
} extended_keys[] = {
	{ 96, 0x9c },  { 97, 0x9d },  { 98, 0xb5 },  { 99, 0x54 },  { 100, 0xb8 }, { 102, 0xc7 },
	{ 103, 0xc8 }, { 104, 0xc9 }, { 105, 0xcb }, { 106, 0xcd }, { 107, 0xcf }, { 108, 0xd0 },
	{ 109, 0xd1 }, { 110, 0xd2 }, { 111, 0xd3 }, { 113, 0xa0 }, { 114, 0xae }, { 115, 0xb0 },
	{ 116, 0xde }, { 117, 0x59 }, { 119, 0xc6 }, { 121, 0x7e }, { 125, 0xdb }, { 126, 0xdc },
	{ 127, 0xdd }, { 142, 0xdf }, { 89, 0x73 },  { 92, 0x79 },  { 93, 0x70 },  { 94, 0x7b },
	{ 124, 0x7d },
};

static guint qnum_of(guint code)
{
	for (guint i = 0; i < G_N_ELEMENTS(extended_keys); i++)
		if (extended_keys[i].linux_code == code)
			return extended_keys[i].qnum;
	return code <= 88 ? code : 0;
}

#define MAX_KEYS 16
#define TAKEN_MS 3000 /* at most, for QEMU to let somebody into a channel */
#define TAKEN_STEP_MS 5

static gboolean send_key(OpCall *call, GError **error)
{
	const KeyArgs *args = call->args;
	g_autoptr(GString) text = g_string_new(NULL);
	if (args->keys->len > MAX_KEYS)
		return fail(error, LODGE_ERROR_INVALID, "%u keys at once are more than %d",
			    args->keys->len, MAX_KEYS);
	g_string_printf(text, "%" G_GUINT64_FORMAT, opt_uint_or(args->holdtime, 0));
	for (guint i = 0; i < args->keys->len; i++) {
		const char *key = g_ptr_array_index(args->keys, i);
		guint code = (guint)strtoul(key, NULL, 0);
		if (code == 0 && args->codeset != 2)
			code = key_code_of(key);
		guint qnum = args->codeset == 2 ? code & 0xff : qnum_of(code);
		if (qnum == 0)
			return fail(error, LODGE_ERROR_INVALID, "invalid keycode: '%s': keys are numbers, or "
				    "Linux' names such as KEY_ENTER", key);
		g_string_append_printf(text, " %u", qnum);
	}
	g_autofree char *answer = core_guest_ask(call->guest, ENGINE_ASK_KEYS, text->str, error);
	return answer != NULL;
}

/* ---- open-graphics ---- */

typedef struct ScreenArgs {
	ShapeHead head;
	OptUint index;
	gboolean no_password;
} ScreenArgs;

static const Row screen_rows[] = {
	UINT(ScreenArgs, index, NULL, .max = 255, .dflt = "0", .doc = "which of its graphics"),
	FLAG(ScreenArgs, no_password, NULL, .doc = "as one who may look without a password"),
};
static const Shape screen_args = SHAPE("open-graphics-args", ScreenArgs, screen_rows);

static gboolean open_screen(OpCall *call, GError **error)
{
	const ScreenArgs *args = call->args;
	int theirs = call->stream_fd; /* libvirt's clients may bring a socket of their own */
	int fd = core_guest_screen(call->guest, (guint)args->index.v, args->no_password, theirs, error);
	if (theirs < 0)
		call->stream_fd = fd;
	return fd >= 0;
}

/* ---- open-channel ---- */

typedef struct ChannelArgs {
	ShapeHead head;
	char *name;
	gboolean force;
} ChannelArgs;

static const Row channel_rows[] = {
	STRING(ChannelArgs, name, NULL, .flags = ROW_POSITIONAL,
	       .doc = "name in the guest or alias, such as org.example.0; nothing: the first"),
	FLAG(ChannelArgs, force, NULL,
	     .doc = "taken and without effect: QEMU gives a channel to one at a time"),
};
static const Shape channel_args = SHAPE("open-channel-args", ChannelArgs, channel_rows);

static const Chardev *channel_named(const Guest *live, const char *name)
{
	SHAPE_EACH (Chardev, channel, live->channels) {
		if (name ? !g_strcmp0(channel->target_name, name) || !g_strcmp0(channel->info.alias, name)
			 : channel->type == CHARDEV_UNIX)
			return channel;
	}
	return NULL;
}

/* Whether somebody is connected to it: QEMU says so in the name of the far end. */
static gboolean is_taken(OpCall *call, const char *alias, gboolean *taken, GError **error)
{
	g_autofree char *answer = core_guest_ask(call->guest, ENGINE_ASK_MONITOR,
						 "{\"execute\":\"query-chardev\"}", error);
	json_t *json = answer ? json_loads(answer, 0, NULL) : NULL, *one;
	size_t i;
	json_array_foreach (json_object_get(json, "return"), i, one) {
		const char *label = json_string_value(json_object_get(one, "label"));
		const char *far = json_string_value(json_object_get(one, "filename"));
		if (label && g_str_has_suffix(label, alias))
			*taken = far && !g_str_has_prefix(far, "disconnected:");
	}
	json_decref(json);
	return answer != NULL;
}

/* QEMU lets in who has connected in its own time. Until then the channel would seem free to the next, who
 * would wait for ever. */
static void wait_until_taken(OpCall *call, const char *alias)
{
	gboolean taken = FALSE;
	for (int left = TAKEN_MS; !taken && left > 0; left -= TAKEN_STEP_MS) {
		if (!is_taken(call, alias, &taken, NULL))
			return;
		if (!taken)
			g_usleep(TAKEN_STEP_MS * 1000);
	}
}

static gboolean open_channel(OpCall *call, GError **error)
{
	const ChannelArgs *args = call->args;
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	gboolean taken = FALSE;
	if (!snap->live)
		return guest_not_running(snap->name, error);
	const Chardev *channel = channel_named(snap->live->guest, args->name);
	const ChardevSource *source = channel ? chardev_source(&channel->backend) : NULL;
	if (!channel)
		return fail(error, LODGE_ERROR_NOT_FOUND, "cannot find channel %s",
			    args->name ? args->name : "");
	if (channel->type != CHARDEV_UNIX || !source || !source->path || !g_strcmp0(source->mode, "connect"))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "channel %s is no UNIX socket that QEMU listens on",
			    channel->info.alias);
	if (!is_taken(call, channel->info.alias, &taken, error))
		return FALSE;
	if (taken)
		return fail(error, LODGE_ERROR_EXISTS, "Active channel stream exists for this domain");
	call->stream_fd = socket_connect(source->path, error);
	if (call->stream_fd >= 0)
		wait_until_taken(call, channel->info.alias);
	return call->stream_fd >= 0;
}

/* ---- qemu-monitor-command ---- */

typedef struct MonitorArgs {
	ShapeHead head;
	gboolean hmp;
	char *command;
} MonitorArgs;

static const Row monitor_rows[] = {
	STRING(MonitorArgs, command, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "JSON, or with --hmp words for people"),
	FLAG(MonitorArgs, hmp, NULL, .doc = "in the words for people"),
};
static const Shape monitor_args = SHAPE("monitor-args", MonitorArgs, monitor_rows);

static gboolean monitor(OpCall *call, GError **error)
{
	const MonitorArgs *args = call->args;
	char *answer = core_guest_ask(call->guest, args->hmp ? ENGINE_ASK_HUMAN : ENGINE_ASK_MONITOR,
				      args->command, error);
	((Text *)call->result)->text = answer;
	return answer != NULL;
}

static const Op ops[] = {
	{ .name = "desc", .route = "/v1/guests/{guest}/desc", ON_GUEST("POST", OP_PERM_WRITE, OP_LANE),
	  .args = &desc_args, .show = OP_SHOW_MESSAGE, .said = "Domain description updated successfully",
	  .doc = "Write a guest's description or title", .fn = desc },
	{ .name = "metadata", .route = "/v1/guests/{guest}/metadata",
	  ON_GUEST("POST", OP_PERM_WRITE, OP_LANE), .args = &metadata_args, .show = OP_SHOW_MESSAGE,
	  .said = "Metadata modified", .doc = "Keep a program's metadata with a guest",
	  .fn = set_metadata },
	{ .name = "notes", .route = "/v1/guests/{guest}/notes",
	  ON_GUEST("GET", OP_PERM_READ, OP_BESIDE), .args = &get_args, .result = &text_shape,
	  .show = OP_SHOW_TEXT, .doc = "Show a guest's description, title or metadata",
	  .fn = get_note },
	{ .name = "vcpucount", .route = "/v1/guests/{guest}/vcpucount",
	  ON_GUEST("GET", OP_PERM_READ, OP_BESIDE), .args = &count_args, .result = &count_shape,
	  .show = OP_SHOW_TEXT, .doc = "Show how many CPUs a guest has", .fn = vcpucount },
	{ .name = "send-key", .route = "/v1/guests/{guest}/keys",
	  ON_GUEST("POST", OP_PERM_WRITE, OP_LANE), .args = &key_args, .show = OP_SHOW_MESSAGE,
	  .said = "", .doc = "Press keys on a guest's keyboard", .fn = send_key },
	{ .name = "open-graphics", .route = "/v1/guests/{guest}/graphics",
	  ON_GUEST("POST", OP_PERM_WRITE, OP_LANE), .args = &screen_args, .show = OP_SHOW_STREAM,
	  .doc = "Connect to a guest's screen: VNC or SPICE on standard input and output",
	  .fn = open_screen },
	{ .name = "open-channel", .route = "/v1/guests/{guest}/channel",
	  ON_GUEST("POST", OP_PERM_WRITE, OP_LANE), .args = &channel_args, .show = OP_SHOW_STREAM,
	  .doc = "Connect to a channel that a program in the guest has opened", .fn = open_channel },
	{ .name = "qemu-monitor-command", .route = "/v1/guests/{guest}/monitor",
	  ON_GUEST("POST", OP_PERM_WRITE, OP_LANE), .args = &monitor_args, .result = &text_shape,
	  .show = OP_SHOW_TEXT, .doc = "Say something to QEMU's monitor", .fn = monitor },
};

const OpFamily op_family_guest_tell = { ops, G_N_ELEMENTS(ops) };
