/* Verbs that show guests. Lists and states come from snapshots and never wait. */
#include "core/agent.h"
#include "core/save.h"
#include "host/process.h"
#include "ops/families.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"

#define LOG_TAIL (1u << 20)    /* bytes of a log that are shown at most */
#define MAX_PNG (64u << 20) /* bytes of a screenshot */

#define GUEST_READ(lane_)                                                                          \
	.family = "Guests", .target = OP_ON_GUEST, .perm = OP_PERM_READ, .lane = lane_,            \
	.method = "GET"

/* ---- list ---- */

typedef struct ListArgs {
	ShapeHead head;
	gboolean all, inactive;
	gboolean persistent, transient;
	gboolean with_managed_save, without_managed_save;
	Tri autostart;
	gboolean state_running, state_paused, state_shutoff, state_other;
	gboolean name, uuid, id, title, table;
} ListArgs;

static const Row list_rows[] = {
	FLAG(ListArgs, all, NULL, .doc = "also those that do not run"),
	FLAG(ListArgs, inactive, NULL, .doc = "only those that do not run"),
	FLAG(ListArgs, persistent, NULL, .doc = "only defined ones"),
	FLAG(ListArgs, transient, NULL, .doc = "only those that are forgotten when they end"),
	FLAG(ListArgs, with_managed_save, NULL, .doc = "only those with a managed save"),
	FLAG(ListArgs, without_managed_save, NULL, .doc = "only those without a managed save"),
	TRI(ListArgs, autostart, NULL, .doc = "only those that start with the host, or do not"),
	FLAG(ListArgs, state_running, NULL, .doc = "only running ones"),
	FLAG(ListArgs, state_paused, NULL, .doc = "only paused ones"),
	FLAG(ListArgs, state_shutoff, NULL, .doc = "only those shut off"),
	FLAG(ListArgs, state_other, NULL, .doc = "only those in any other state"),
	FLAG(ListArgs, name, NULL, .doc = "names only"),
	FLAG(ListArgs, uuid, NULL, .doc = "UUIDs only"),
	FLAG(ListArgs, id, NULL, .doc = "ids only"),
	FLAG(ListArgs, title, NULL, .doc = "titles too"),
	FLAG(ListArgs, table, NULL, .doc = "only what the table of the command line shows"),
};
static const Shape list_args = SHAPE("list-args", ListArgs, list_rows);

typedef struct Listed {
	ShapeHead head;
	OptInt id;
	char *name;
	GuestState state;
	char *uuid, *title;
	Tri persistent, autostart;
} Listed;

static const Row listed_rows[] = {
	INT(Listed, id, NULL, .doc = "Id"),
	STRING(Listed, name, NULL, .doc = "Name"),
	ENUM(Listed, state, NULL, guest_states, .doc = "State"),
	UUID(Listed, uuid, NULL),
	STRING(Listed, title, NULL),
	TRI(Listed, persistent, NULL),
	TRI(Listed, autostart, NULL),
};
static const Shape listed_shape = SHAPE("listed", Listed, listed_rows);

typedef struct List {
	ShapeHead head;
	GPtrArray *domains;
} List;

static const Row list_result_rows[] = { LIST(List, domains, NULL, listed_shape) };
static const Shape list_result = SHAPE("list", List, list_result_rows);

static gboolean state_fits(const ListArgs *args, GuestState state)
{
	if (!args->state_running && !args->state_paused && !args->state_shutoff && !args->state_other)
		return TRUE;
	if (state == GUEST_RUNNING)
		return args->state_running;
	if (state == GUEST_PAUSED)
		return args->state_paused;
	return state == GUEST_SHUTOFF ? args->state_shutoff : args->state_other;
}

/* Looks at a file, and so only where it was asked for. */
static gboolean save_fits(Core *core, const ListArgs *args, const GuestSnap *snap)
{
	if (args->with_managed_save == args->without_managed_save)
		return TRUE;
	g_autoptr(CoreGuest) guest = core_find_by(core, CORE_BY_UUID, snap->uuid, NULL);
	return guest && core_guest_has_managed_save(guest) == args->with_managed_save;
}

static gboolean fits(Core *core, const ListArgs *args, const GuestSnap *snap)
{
	if (args->persistent != args->transient && snap->persistent != args->persistent)
		return FALSE;
	if (args->autostart && snap->autostart != (args->autostart == TRI_YES))
		return FALSE;
	return state_fits(args, snap->state) && save_fits(core, args, snap);
}

static Tri tri(gboolean on)
{
	return on ? TRI_YES : TRI_NO;
}

static Listed *listed_new(const ListArgs *args, const GuestSnap *snap)
{
	Listed *listed = shape_new(&listed_shape);
	gboolean only = args->name || args->uuid || args->id || args->table;
	if (snap->id >= 0 && (!only || args->id || args->table))
		listed->id = OPT_INT(snap->id);
	if (!only || args->name || args->table)
		listed->name = g_strdup(snap->name);
	if (!only || args->uuid)
		listed->uuid = g_strdup(snap->uuid);
	if (!only || args->table)
		listed->state = snap->state;
	if (only)
		return listed;
	listed->title = g_strdup(snap->title);
	listed->persistent = tri(snap->persistent);
	listed->autostart = tri(snap->autostart);
	return listed;
}

static gboolean list(OpCall *call, G_GNUC_UNUSED GError **error)
{
	const ListArgs *args = call->args;
	List *result = call->result;
	guint flags = (args->inactive ? 0 : CORE_LIST_ACTIVE) |
		      (args->all || args->inactive || args->state_shutoff ? CORE_LIST_INACTIVE : 0);
	if (args->all)
		flags |= CORE_LIST_ACTIVE;
	g_autoptr(GPtrArray) snaps = core_list(call->core, flags);
	for (guint i = 0; i < snaps->len; i++)
		if (fits(call->core, args, g_ptr_array_index(snaps, i)))
			shape_append(&result->domains, &listed_shape,
				     listed_new(args, g_ptr_array_index(snaps, i)));
	return TRUE;
}

/* ---- info ---- */

typedef struct Info {
	ShapeHead head;
	OptInt id;
	char *name, *uuid, *title, *os_type;
	GuestState state;
	GuestReason reason;
	OptUint vcpus, cpu_time, max_memory, memory;
	Tri persistent, autostart, updated;
	int agent;
	char *since, *warning;
} Info;

static const EnumTable agent_states = ENUM_TABLE("state of the agent", "not connected", "connected");

static const Row info_rows[] = {
	INT(Info, id, NULL, .flags = ROW_EMPTY_OK, .doc = "Id"),
	STRING(Info, name, NULL, .doc = "Name"),
	UUID(Info, uuid, NULL, .doc = "UUID"),
	STRING(Info, title, NULL, .doc = "Title"),
	STRING(Info, os_type, NULL, .doc = "OS Type"),
	ENUM(Info, state, NULL, guest_states, .doc = "State"),
	ENUM(Info, reason, NULL, guest_reasons, .doc = "Reason"),
	UINT(Info, vcpus, NULL, .doc = "CPU(s)"),
	UINT(Info, cpu_time, NULL, .doc = "CPU time, ns"),
	SIZE(Info, max_memory, NULL, .words = "KiB", .doc = "Max memory"),
	SIZE(Info, memory, NULL, .words = "KiB", .doc = "Used memory"),
	TRI(Info, persistent, NULL, .doc = "Persistent"),
	TRI(Info, updated, NULL, .doc = "Definition changed since its start"),
	TRI(Info, autostart, NULL, .words = "enable/disable", .doc = "Autostart"),
	ENUM(Info, agent, NULL, agent_states, .doc = "Guest agent"),
	STRING(Info, since, NULL, .doc = "Since"),
	STRING(Info, warning, NULL, .doc = "Warning"),
};
static const Shape info_shape = SHAPE("info", Info, info_rows);

static char *time_text(gint64 microseconds)
{
	if (microseconds == 0)
		return NULL;
	time_t seconds = (time_t)(microseconds / G_USEC_PER_SEC);
	struct tm when;
	char text[32];
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &when));
	return g_strdup(text);
}

static gboolean info(OpCall *call, G_GNUC_UNUSED GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	const Guest *live = snap->live ? snap->live->guest : NULL;
	Info *result = call->result;
	if (snap->id >= 0)
		result->id = OPT_INT(snap->id);
	result->name = g_strdup(snap->name);
	result->uuid = g_strdup(snap->uuid);
	result->title = g_strdup(snap->title);
	result->os_type = g_strdup(live && live->os.type ? live->os.type : "hvm");
	result->state = snap->state;
	result->reason = snap->reason;
	result->vcpus = OPT_UINT(snap->vcpus);
	if (snap->pid > 0)
		result->cpu_time = OPT_UINT(process_cpu_time(snap->pid));
	result->max_memory = OPT_UINT(snap->memory);
	result->memory = live && live->current_memory.set ? live->current_memory :
							   OPT_UINT(snap->memory);
	result->persistent = tri(snap->persistent);
	if (snap->updated) /* said only where it is so */
		result->updated = TRI_YES;
	result->autostart = tri(snap->autostart);
	result->agent = (int)core_guest_agent_state(call->guest); /* 0: no channel for one */
	result->since = time_text(snap->since);
	result->warning = g_strdup(snap->note);
	return TRUE;
}

/* ---- state ---- */

typedef struct StateArgs {
	ShapeHead head;
	gboolean reason;
} StateArgs;

static const Row state_rows[] = {
	FLAG(StateArgs, reason, NULL, .doc = "also why it is in that state"),
};
static const Shape state_args = SHAPE("state-args", StateArgs, state_rows);

typedef struct State {
	ShapeHead head;
	GuestState state;
	GuestReason reason;
	char *text;
} State;

static const Row state_result_rows[] = {
	ENUM(State, state, NULL, guest_states, .doc = "State"),
	ENUM(State, reason, NULL, guest_reasons, .doc = "Reason"),
	STRING(State, text, NULL),
};
static const Shape state_result = SHAPE("state", State, state_result_rows);

static gboolean state(OpCall *call, G_GNUC_UNUSED GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	State *result = call->result;
	const char *word = enum_name(&guest_states, snap->state);
	const char *why = enum_name(&guest_reasons, snap->reason);
	result->state = snap->state;
	result->reason = snap->reason;
	if (((const StateArgs *)call->args)->reason)
		result->text = g_strdup_printf("%s (%s)", word ? word : "no state", why ? why : "unknown");
	else
		result->text = g_strdup(word ? word : "no state");
	return TRUE;
}

/* ---- log ---- */

typedef struct Text {
	ShapeHead head;
	char *text;
} Text;

static const Row text_rows[] = { STRING(Text, text, NULL, .flags = ROW_VERBATIM) };
static const Shape text_shape = SHAPE("text", Text, text_rows);

typedef struct LogArgs {
	ShapeHead head;
	OptUint lines;
} LogArgs;

static const Row log_rows[] = {
	UINT(LogArgs, lines, NULL, .opt = 'n', .max = 1000000, .doc = "only so many of the last lines"),
};
static const Shape log_args = SHAPE("log-args", LogArgs, log_rows);

/* At most LOG_TAIL bytes from the end of @fd; the caller frees them. NULL with errno. */
static char *read_tail(int fd, gsize *length)
{
	off_t size = lseek(fd, 0, SEEK_END);
	if (size < 0)
		return NULL;
	off_t from = size > (off_t)LOG_TAIL ? size - (off_t)LOG_TAIL : 0;
	g_autofree char *bytes = g_malloc(LOG_TAIL + 1);
	ssize_t n = pread(fd, bytes, LOG_TAIL, from);
	if (n < 0)
		return NULL;
	bytes[n] = '\0';
	*length = (gsize)n;
	return g_steal_pointer(&bytes);
}

/* Where the last @lines lines of @text begin. */
static const char *last_lines(const char *text, gsize length, guint64 lines)
{
	const char *at = text + length;
	if (at > text && at[-1] == '\n')
		at--;
	for (; at > text; at--)
		if (at[-1] == '\n' && --lines == 0)
			break;
	return at;
}

static gboolean show_log(OpCall *call, GError **error)
{
	const LogArgs *args = call->args;
	g_autofree char *path = core_guest_log_path(call->guest);
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
	gsize length = 0;
	g_autofree char *tail = fd >= 0 ? read_tail(fd, &length) : NULL;
	if (!tail && errno == ENOENT)
		return fail(error, LODGE_ERROR_NOT_FOUND, "guest %s has no log: it never ran here",
			    call->target);
	if (!tail)
		return fail_errno(error, errno, "cannot read %s", path);
	const char *from = args->lines.set && args->lines.v > 0 ?
				   last_lines(tail, length, args->lines.v) : tail;
	((Text *)call->result)->text = g_utf8_make_valid(from, (gssize)(tail + length - from));
	return TRUE;
}

/* ---- screenshot ---- */

typedef struct ScreenshotArgs {
	ShapeHead head;
	OptUint screen;
} ScreenshotArgs;

static const Row screenshot_arg_rows[] = {
	UINT(ScreenshotArgs, screen, NULL, .max = G_MAXUINT32,
	     .doc = "number of the screen, counted over all video devices: 0, the first"),
};
static const Shape screenshot_args = SHAPE("screenshot-args", ScreenshotArgs, screenshot_arg_rows);

typedef struct Screenshot {
	ShapeHead head;
	char *type, *data;
} Screenshot;

static const Row screenshot_rows[] = {
	STRING(Screenshot, type, NULL, .doc = "Type"),
	STRING(Screenshot, data, NULL, .doc = "Bytes, base64"),
};
static const Shape screenshot_shape = SHAPE("screenshot", Screenshot, screenshot_rows);

static gboolean screenshot(OpCall *call, GError **error)
{
	Screenshot *result = call->result;
	guint64 screen = opt_uint_or(((const ScreenshotArgs *)call->args)->screen, 0);
	autofd int fd = core_guest_screenshot(call->guest, screen, error);
	if (fd < 0)
		return FALSE;
	off_t size = lseek(fd, 0, SEEK_END);
	if (size <= 0 || size > (off_t)MAX_PNG)
		return fail(error, LODGE_ERROR_ENGINE, "guest %s: the screenshot has %" G_GINT64_FORMAT
			    " bytes", call->target, (gint64)size);
	g_autofree guchar *png = g_malloc((gsize)size);
	if (pread(fd, png, (size_t)size, 0) != (ssize_t)size)
		return fail_errno(error, errno, "guest %s: cannot read the screenshot", call->target);
	result->type = g_strdup("image/png");
	result->data = g_base64_encode(png, (gsize)size);
	return TRUE;
}

static const Op ops[] = {
	{ .name = "list", .family = "Guests", .method = "GET", .route = "/v1/guests",
	  .perm = OP_PERM_READ, .lane = OP_READ, .args = &list_args, .result = &list_result,
	  .show = OP_SHOW_CUSTOM, .doc = "List guests: running ones, or more", .fn = list },
	{ .name = "info", .alias = "dominfo", .route = "/v1/guests/{guest}", GUEST_READ(OP_READ),
	  .result = &info_shape, .show = OP_SHOW_FIELDS, .doc = "Show what a guest is", .fn = info },
	{ .name = "state", .alias = "domstate", .route = "/v1/guests/{guest}/state",
	  GUEST_READ(OP_READ), .args = &state_args, .result = &state_result, .show = OP_SHOW_TEXT,
	  .doc = "Show the state a guest is in", .fn = state },
	{ .name = "screenshot", .family = "Guests", .method = "GET",
	  .route = "/v1/guests/{guest}/screenshot", .target = OP_ON_GUEST, .perm = OP_PERM_SECRET,
	  .lane = OP_LANE, .args = &screenshot_args, .result = &screenshot_shape, .show = OP_SHOW_CUSTOM,
	  .doc = "Save what a guest's screen shows", .fn = screenshot },
	{ .name = "log", .family = "Guests", .method = "GET", .route = "/v1/guests/{guest}/log",
	  .target = OP_ON_GUEST, .perm = OP_PERM_SECRET, .lane = OP_BESIDE, .args = &log_args,
	  .result = &text_shape, .show = OP_SHOW_TEXT, .doc = "Show QEMU's log of a guest",
	  .fn = show_log },
};

const OpFamily op_family_guest_show = { ops, G_N_ELEMENTS(ops) };
