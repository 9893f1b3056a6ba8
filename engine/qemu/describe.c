/* What QEMU answers beside the running of guests: what it offers, and its monitor for who asks.
 * See engine.h and caps.h. */
#include "base/error.h"
#include "base/fd.h"
#include "engine/qemu/caps.h"
#include "engine/qemu/command.h"
#include "engine/qemu/firmware_list.h"
#include "engine/qemu/run.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_KEYS 16

/* ---- capabilities ---- */

static const Row *row_of(const Shape *shape, const char *name)
{
	for (guint i = 0; i < shape->n; i++)
		if (g_str_equal(shape->rows[i].name, name))
			return &shape->rows[i];
	return NULL;
}

static const Shape *item_of(const char *list)
{
	return row_of(&engine_caps_shape, list)->of;
}

static Tri tri(gboolean on)
{
	return on ? TRI_YES : TRI_NO;
}

static void add_machine(EngineCaps *caps, const QemuMachine *machine)
{
	EngineMachine *own = shape_new(item_of("machines"));
	own->name = g_strdup(machine->name);
	own->alias = g_strdup(machine->alias);
	own->default_cpu = g_strdup(machine->default_cpu);
	own->max_vcpus = OPT_UINT(machine->cpu_max);
	own->is_default = tri(machine->is_default);
	own->deprecated = tri(machine->deprecated);
	shape_append(&caps->machines, item_of("machines"), own);
}

gboolean qemu_is_cpu_model(const char *name)
{
	static const char *const others[] = { "host", "max", "base", NULL };
	const char *version = strrchr(name, '-');
	return !g_strv_contains(others, name) &&
	       !(version && version[1] == 'v' && g_ascii_isdigit(version[2]));
}

static void add_cpu(EngineCaps *caps, const QemuCpu *cpu)
{
	if (!qemu_is_cpu_model(cpu->name))
		return;
	EngineCpu *own = shape_new(item_of("cpus"));
	own->name = g_strdup(cpu->name);
	own->usable = tri(cpu->usable);
	shape_append(&caps->cpus, item_of("cpus"), own);
}

static void add_names(EngineCaps *caps, GHashTable *names)
{
	g_autoptr(GList) keys = g_list_sort(g_hash_table_get_keys(names), (GCompareFunc)strcmp);
	for (GList *key = keys; key; key = key->next)
		shape_append(&caps->devices, NULL, g_strdup(key->data));
}

/* Those with a descriptor, which is what this host means to offer, and a file that is there. */
static void add_firmware(EngineCaps *caps, const Firmware *firmware, const char *arch)
{
	EngineFirmware *own = NULL;
	for (guint i = 0; *firmware->name && i < firmware->targets->len; i++) {
		const FirmwareTarget *target = g_ptr_array_index(firmware->targets, i);
		if (!g_str_equal(target->arch, arch) || access(firmware->code, R_OK) < 0)
			continue;
		own = own ? own : shape_new(item_of("firmwares"));
		for (char **machine = target->machines; *machine; machine++)
			shape_append(&own->machines, NULL, g_strdup(*machine));
	}
	if (!own)
		return;
	own->type = g_strdup(firmware->uefi ? "efi" : "bios");
	own->loader = g_strdup(firmware->code);
	own->secure = tri(firmware->abilities & FIRMWARE_REQUIRES_SMM);
	shape_append(&caps->firmwares, item_of("firmwares"), own);
}

static void add_firmwares(EngineCaps *caps, const char *arch)
{
	g_autoptr(GPtrArray) list = firmware_list();
	for (guint i = 0; i < list->len; i++)
		add_firmware(caps, g_ptr_array_index(list, i), arch);
}

gboolean run_describe(const char *path, EngineCaps *caps, GError **error)
{
	const char *binary = path ? path : qemu_host.binary;
	if (!binary)
		return fail(error, LODGE_ERROR_NOT_FOUND,
			    "there is no QEMU on this host: install qemu-system-x86");
	const QemuCaps *known = qemu_caps_get(binary, qemu_host.config.paths->lib, error);
	if (!known)
		return FALSE;
	gboolean kvm = known->kvm && qemu_host.kvm;
	caps->emulator = g_strdup(binary);
	/* QEMU's name for it, and everybody else's */
	caps->arch = g_strdup(g_str_equal(known->arch, "i386") ? "i686" : known->arch);
	caps->package = g_strdup(known->package);
	caps->version = OPT_UINT(known->version);
	caps->kvm = tri(kvm);
	caps->kvm_why_not = g_strdup(kvm ? NULL : known->kvm ? qemu_host.kvm_why_not
							      : known->kvm_why_not);
	for (guint i = 0; i < known->machines->len; i++)
		add_machine(caps, g_ptr_array_index(known->machines, i));
	const GPtrArray *cpus = kvm ? known->cpus_kvm : known->cpus_tcg;
	for (guint i = 0; i < cpus->len; i++)
		add_cpu(caps, g_ptr_array_index(cpus, i));
	add_names(caps, known->devices);
	add_names(caps, known->objects);
	add_firmwares(caps, known->arch);
	const EngineSev *sev = qemu_sev(binary);
	caps->sev = sev ? shape_copy(&engine_sev_shape, sev) : NULL;
	return TRUE;
}

/* ---- the monitor ---- */

/* The answer in the form QEMU gives it, errors included: that is what its callers parse. */
static char *ask_monitor(EngineRun *run, const char *text, GError **error)
{
	json_error_t where;
	json_t *command = json_loads(text, JSON_REJECT_DUPLICATES, &where);
	const char *name = json_string_value(json_object_get(command, "execute"));
	if (!name) {
		fail(error, LODGE_ERROR_INVALID, "\"%s\" is no command of QEMU's monitor: %s", text,
		     command ? "it has no \"execute\"" : where.text);
		json_decref(command);
		return NULL;
	}
	g_autoptr(GError) why = NULL;
	json_t *result = qmp_call(run->qmp, name,
				  json_incref(json_object_get(command, "arguments")), QMP_MS, &why);
	json_t *id = json_object_get(command, "id");
	json_t *answer = result ? json_pack("{s:o}", "return", result)
				: json_pack("{s:{s:s, s:s}}", "error", "class", "GenericError", "desc",
					    why->message);
	json_object_set_new(answer, "id", id ? json_incref(id) : json_string("lodge"));
	char *line = json_dumps(answer, JSON_COMPACT);
	json_decref(answer);
	json_decref(command);
	return line;
}

static char *ask_human(EngineRun *run, const char *text, GError **error)
{
	json_t *result = qmp_call(run->qmp, "human-monitor-command",
				  json_pack("{s:s}", "command-line", text), QMP_MS, error);
	char *answer = result ? g_strdup(json_string_value(result)) : NULL;
	json_decref(result);
	return answer;
}

static char *press_keys(EngineRun *run, const char *text, GError **error)
{
	g_auto(GStrv) words = g_strsplit(text, " ", MAX_KEYS + 2);
	json_t *keys = json_array();
	for (char **word = words + 1; words[0] && *word; word++)
		json_array_append_new(keys, json_pack("{s:s, s:i}", "type", "number", "data",
						      (int)g_ascii_strtoull(*word, NULL, 0)));
	json_t *arguments = json_pack("{s:o}", "keys", keys);
	int hold = words[0] ? (int)g_ascii_strtoull(words[0], NULL, 10) : 0;
	if (hold)
		json_object_set_new(arguments, "hold-time", json_integer(hold));
	json_t *result = qmp_call(run->qmp, "send-key", arguments, QMP_MS, error);
	json_decref(result);
	return result ? g_strdup("") : NULL;
}

#define PERIPHERAL "/machine/peripheral/"

char *qemu_alias_of(const char *path)
{
	if (path && *path != '/')
		return g_strdup(path);
	if (!path || !g_str_has_prefix(path, PERIPHERAL))
		return NULL;
	path += strlen(PERIPHERAL);
	return g_strndup(path, strcspn(path, "/"));
}

/* ---- limits ---- */

static char *limit_disk(EngineRun *run, const char *text, GError **error)
{
	json_t *json = json_loads(text, 0, NULL);
	Disk *disk = json ? shape_from_json(&disk_shape, json, error) : NULL;
	json_decref(json);
	if (!disk)
		return NULL;
	json_t *result = qmp_call(run->qmp, "block_set_io_throttle", qemu_disk_limits(disk), QMP_MS, error);
	json_decref(result);
	shape_free(&disk_shape, disk);
	return result ? g_strdup("") : NULL;
}

char *run_ask(EngineRun *run, EngineAsk what, const char *text, GError **error)
{
	switch (what) {
	case ENGINE_ASK_HUMAN:
		return ask_human(run, text, error);
	case ENGINE_ASK_KEYS:
		return press_keys(run, text, error);
	case ENGINE_ASK_LIMITS:
		return limit_disk(run, text, error);
	case ENGINE_ASK_BOUND:
		return run_rebound(run, text, error);
	case ENGINE_ASK_ACTIONS:
		return run_actions(run, text, error);
	case ENGINE_ASK_PEEK:
		return run_peek(run, text, error);
	case ENGINE_ASK_RESIZE:
		return run_resize(run, text, error);
	case ENGINE_ASK_PASST:
		return run_passt(run, text, error);
	case ENGINE_ASK_PERF:
		return run_recount(run, text, error);
	case ENGINE_ASK_PID:
		return g_strdup_printf("%d", (int)run->pid);
	default:
		return ask_monitor(run, text, error);
	}
}

/* ---- screens ---- */

#define SCREEN_FD "lodge-screen"

static const char *protocol_of(const Graphics *graphics)
{
	return graphics->type == GRAPHICS_VNC	  ? "vnc"
	       : graphics->type == GRAPHICS_SPICE ? "spice"
						  : NULL;
}

int run_screen(EngineRun *run, const Graphics *graphics, gboolean no_password, int given, GError **error)
{
	const char *protocol = protocol_of(graphics);
	int ends[2] = { -1, -1 };
	if (!protocol) {
		fail(error, LODGE_ERROR_UNSUPPORTED, "guest \"%s\": only vnc and spice can be opened",
		     run->name);
		return -1;
	}
	if (given < 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		fail_errno(error, errno, "cannot make a pair of sockets");
		return -1;
	}
	autofd int ours = ends[0], theirs = ends[1];
	json_t *named = qmp_call_fd(run->qmp, "getfd", json_pack("{s:s}", "fdname", SCREEN_FD),
				    given >= 0 ? given : theirs,
				    QMP_MS, error);
	json_decref(named);
	json_t *added = !named ? NULL
			       : qmp_call(run->qmp, "add_client",
					  json_pack("{s:s, s:s, s:b}", "protocol", protocol, "fdname",
						    SCREEN_FD, "skipauth", no_password),
					  QMP_MS, error);
	json_decref(added);
	return !added ? -1 : given >= 0 ? 0 : fd_steal(&ours);
}
