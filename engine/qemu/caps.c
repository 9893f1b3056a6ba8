/* See caps.h. */
#include "engine/qemu/caps.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "host/facts.h"
#include "host/process.h"
#include "host/qmp-frames.h"
#include "host/qmp.h"
#include "host/spawn.h"

#define ASK_TIMEOUT_MS 20000
#define CACHE_FORMAT 1		       /* rises with what is remembered */
#define CACHE_MAX ((gsize)8 * 1024 * 1024) /* a cache is some 60 KiB */

static GMutex lock;
static GHashTable *known; /* binary -> Known */

typedef struct Known {
	char *key; /* what the file and the host were when it was learned */
	const QemuCaps *caps;
} Known;

/* ---- life ---- */

static void machine_free(gpointer data)
{
	QemuMachine *machine = data;
	g_free(machine->name);
	g_free(machine->alias);
	g_free(machine->default_cpu);
	g_free(machine);
}

static void cpu_free(gpointer data)
{
	QemuCpu *cpu = data;
	g_free(cpu->name);
	g_strfreev(cpu->missing);
	g_free(cpu);
}

static QemuCaps *caps_new(const char *binary)
{
	QemuCaps *caps = g_new0(QemuCaps, 1);
	caps->binary = g_strdup(binary);
	caps->machines = g_ptr_array_new_with_free_func(machine_free);
	caps->cpus_tcg = g_ptr_array_new_with_free_func(cpu_free);
	caps->cpus_kvm = g_ptr_array_new_with_free_func(cpu_free);
	caps->devices = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	caps->objects = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return caps;
}

static void caps_free(QemuCaps *caps)
{
	g_free(caps->binary);
	g_free(caps->arch);
	g_free(caps->package);
	g_free(caps->kvm_why_not);
	g_ptr_array_unref(caps->machines);
	g_ptr_array_unref(caps->cpus_tcg);
	g_ptr_array_unref(caps->cpus_kvm);
	g_hash_table_unref(caps->devices);
	g_hash_table_unref(caps->objects);
	g_free(caps);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuCaps, caps_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)

/* ---- from QEMU's answers, which are also what the cache holds ---- */

static const char *text(json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key));
}

static gboolean flag(json_t *json, const char *key)
{
	return json_is_true(json_object_get(json, key));
}

static char *model_of_type(const char *type)
{
	const char *end = type ? strstr(type, "-x86_64-cpu") : NULL;
	return end ? g_strndup(type, (gsize)(end - type)) : g_strdup(type);
}

static void read_machines(QemuCaps *caps, json_t *list)
{
	size_t i;
	json_t *item;
	json_array_foreach(list, i, item) {
		if (!text(item, "name"))
			continue;
		QemuMachine *machine = g_new0(QemuMachine, 1);
		machine->name = g_strdup(text(item, "name"));
		machine->alias = g_strdup(text(item, "alias"));
		machine->cpu_max = (guint)json_integer_value(json_object_get(item, "cpu-max"));
		machine->is_default = flag(item, "is-default");
		machine->deprecated = flag(item, "deprecated");
		machine->hotpluggable_cpus = flag(item, "hotpluggable-cpus");
		machine->numa_mem_supported = flag(item, "numa-mem-supported");
		machine->default_cpu = model_of_type(text(item, "default-cpu-type"));
		g_ptr_array_add(caps->machines, machine);
	}
}

static void read_cpus(GPtrArray *cpus, json_t *list)
{
	size_t i, j;
	json_t *item, *feature;
	json_array_foreach(list, i, item) {
		json_t *missing = json_object_get(item, "unavailable-features");
		g_autoptr(GPtrArray) names = g_ptr_array_new();
		if (!text(item, "name"))
			continue;
		QemuCpu *cpu = g_new0(QemuCpu, 1);
		json_array_foreach(missing, j, feature) {
			if (json_is_string(feature))
				g_ptr_array_add(names, g_strdup(json_string_value(feature)));
		}
		cpu->name = g_strdup(text(item, "name"));
		cpu->usable = names->len == 0;
		g_ptr_array_add(names, NULL);
		cpu->missing = (char **)g_ptr_array_steal(names, NULL);
		g_ptr_array_add(cpus, cpu);
	}
}

static void read_names(GHashTable *set, json_t *list)
{
	size_t i;
	json_t *item;
	json_array_foreach(list, i, item) {
		if (text(item, "name"))
			g_hash_table_add(set, g_strdup(text(item, "name")));
	}
}

static guint read_version(json_t *version)
{
	json_t *qemu = json_object_get(version, "qemu");
	return (guint)(json_integer_value(json_object_get(qemu, "major")) * 1000000 +
		       json_integer_value(json_object_get(qemu, "minor")) * 1000 +
		       json_integer_value(json_object_get(qemu, "micro")));
}

/* @answers: {"version": .., "target": .., "machines": .., "cpus-tcg": .., "cpus-kvm": .., ..} as QEMU
 * gave them. */
static QemuCaps *caps_from_answers(const char *binary, json_t *answers, GError **error)
{
	g_autoptr(QemuCaps) caps = caps_new(binary);
	json_t *version = json_object_get(answers, "version");
	json_t *kvm = json_object_get(answers, "cpus-kvm");
	caps->arch = g_strdup(text(json_object_get(answers, "target"), "arch"));
	caps->version = read_version(version);
	caps->package = g_strdup(text(version, "package"));
	caps->kvm = json_is_array(kvm);
	caps->kvm_why_not = g_strdup(text(answers, "kvm-why-not"));
	read_machines(caps, json_object_get(answers, "machines"));
	read_cpus(caps->cpus_tcg, json_object_get(answers, "cpus-tcg"));
	read_cpus(caps->cpus_kvm, kvm);
	read_names(caps->devices, json_object_get(answers, "devices"));
	read_names(caps->objects, json_object_get(answers, "objects"));
	if (!caps->arch || !caps->version || !caps->machines->len ||
	    !g_hash_table_size(caps->devices)) {
		fail(error, LODGE_ERROR_ENGINE, "%s does not tell what it can do: is it QEMU 5 or later?",
		     binary);
		return NULL;
	}
	return g_steal_pointer(&caps);
}

/* ---- asking ---- */

typedef struct Question {
	const char *key, *command;
	const char *implements; /* of qom-list-types */
} Question;

static const Question questions[] = {
	{ "version", "query-version", NULL },
	{ "target", "query-target", NULL },
	{ "machines", "query-machines", NULL },
	{ "devices", "qom-list-types", "device" },
	{ "objects", "qom-list-types", "user-creatable" },
	{ "cpus-tcg", "query-cpu-definitions", NULL },
};
static const Question kvm_questions[] = {
	{ "cpus-kvm", "query-cpu-definitions", NULL },
};

static json_t *arguments_of(const Question *question)
{
	return question->implements ? json_pack("{s:s, s:b}", "implements", question->implements,
						"abstract", 0) : NULL;
}


/* Starts @binary without a machine, with @accel, its monitor on @fd, its messages on @output. */
static gboolean start(const char *binary, const char *accel, int fd, int output, SpawnChild *child,
		      GError **error)
{
	const char *const argv[] = { binary, "-S", "-no-user-config", "-nodefaults", "-nographic",
				     "-machine", "none", "-accel", accel,
				     "-chardev", "socket,id=m,fd=3", "-mon", "chardev=m,mode=control",
				     NULL };
	const char *const env[] = { "LC_ALL=C", "PATH=/usr/bin:/bin", NULL };
	SpawnFd fds[] = { { .from = fd, .to = 3 } };
	Spawn how = { .argv = argv, .env = env, .fds = fds, .n_fds = 1, .output = output,
		      .same_session = TRUE };
	return spawn(&how, child, error);
}

static void end(Qmp *qmp, SpawnChild *child)
{
	json_t *gone = qmp ? qmp_call(qmp, "quit", NULL, 2000, NULL) : NULL;
	json_decref(gone);
	if (!process_wait(child->pidfd, gone ? 2000 : 0)) {
		process_signal(child->pidfd, SIGKILL, NULL);
		process_wait(child->pidfd, -1);
	}
	waitpid(child->pid, NULL, 0);
	fd_clear(&child->pidfd);
}

/* The last line that QEMU wrote: why it did not run. */
static char *last_words(int output)
{
	char bytes[4096];
	ssize_t n = pread(output, bytes, sizeof bytes - 1, 0);
	bytes[MAX(n, 0)] = 0;
	g_strchomp(bytes);
	const char *line = strrchr(bytes, '\n');
	return g_strdup(line ? line + 1 : bytes);
}

gboolean qemu_interview(const char *binary, const char *accel, QmpItem *items, guint n, char **words,
			GError **error)
{
	int pair[2];
	SpawnChild child;
	autofd int output = memfd_create("qemu-output", MFD_CLOEXEC);
	if (output < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return fail_errno(error, errno, "cannot make a socket for %s", binary);
	autofd int ours = pair[0], theirs = pair[1];
	if (!start(binary, accel, theirs, output, &child, error))
		return FALSE;
	fd_clear(&theirs);
	g_autoptr(Qmp) qmp = qmp_new(fd_steal(&ours), binary, NULL, NULL, error);
	gboolean ok = qmp && qmp_batch(qmp, items, n, ASK_TIMEOUT_MS, error);
	end(qmp, &child);
	if (words)
		*words = last_words(output);
	return ok;
}

/* The same with @list, whose answers go into @answers. */
static gboolean interview(const char *binary, const char *accel, const Question *list, guint n,
			  json_t *answers, char **words, GError **error)
{
	QmpItem items[G_N_ELEMENTS(questions)] = { 0 };
	for (guint i = 0; i < n; i++)
		items[i] = (QmpItem){ .command = list[i].command,
				      .arguments = arguments_of(&list[i]) };
	gboolean ok = qemu_interview(binary, accel, items, n, words, error);
	for (guint i = 0; ok && i < n; i++)
		json_object_set(answers, list[i].key, items[i].result);
	qmp_items_clear(items, n);
	return ok;
}

static json_t *ask_all(const char *binary, gboolean try_kvm, GError **error)
{
	g_autoptr(json_t) answers = json_object();
	g_autofree char *words = NULL, *kvm_words = NULL;
	g_autoptr(GError) why = NULL;
	if (!interview(binary, "tcg", questions, G_N_ELEMENTS(questions), answers, &words, &why)) {
		fail(error, LODGE_ERROR_ENGINE, "%s cannot be asked what it can do: %s", binary,
		     words && *words ? words : why->message);
		return NULL;
	}
	json_object_set_new(answers, "format", json_integer(CACHE_FORMAT));
	if (!try_kvm)
		json_object_set_new(answers, "kvm-why-not", json_string("KVM does not work on this host"));
	else if (!interview(binary, "kvm", kvm_questions, G_N_ELEMENTS(kvm_questions), answers,
			    &kvm_words, NULL))
		json_object_set_new(answers, "kvm-why-not",
				    json_string(kvm_words && *kvm_words ? kvm_words : "unknown"));
	return g_steal_pointer(&answers);
}

/* ---- remembering ---- */

/* What a cache is valid for; NULL where the binary is not there. The caller frees it. */
static char *key_of(const char *binary, gboolean kvm, GError **error)
{
	struct stat st;
	if (stat(binary, &st) < 0) {
		fail_errno(error, errno, "QEMU (%s) cannot be used", binary);
		return NULL;
	}
	return g_strdup_printf("%d %s %" G_GINT64_FORMAT ".%09ld %" G_GINT64_FORMAT " %s", CACHE_FORMAT,
			       binary, (gint64)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
			       (gint64)st.st_size, kvm ? "kvm" : "tcg");
}

static char *cache_path(const char *dir, const char *binary)
{
	g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, binary, -1);
	return g_strdup_printf("%s/qemu-%.16s.json", dir, sum);
}

static json_t *cache_read(const char *dir, const char *binary, const char *key)
{
	g_autofree char *path = dir ? cache_path(dir, binary) : NULL, *bytes = NULL;
	gsize length;
	struct stat st;
	if (!path || stat(path, &st) < 0 || (gsize)st.st_size > CACHE_MAX ||
	    !g_file_get_contents(path, &bytes, &length, NULL))
		return NULL;
	g_autoptr(json_t) answers = qmp_json_load(bytes, length, NULL);
	return answers && !g_strcmp0(text(answers, "key"), key) ? g_steal_pointer(&answers) : NULL;
}

/* A cache that cannot be written costs the next start half a second, no more. */
static void cache_write(const char *dir, const char *binary, const char *key, json_t *answers)
{
	g_autofree char *path = dir ? cache_path(dir, binary) : NULL;
	g_autoptr(GError) why = NULL;
	if (!path)
		return;
	json_object_set_new(answers, "key", json_string(key));
	char *bytes = json_dumps(answers, JSON_COMPACT);
	g_mkdir_with_parents(dir, 0700);
	if (!g_file_set_contents_full(path, bytes, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &why))
		log_warning(NULL, "cannot keep what %s can do: %s", binary, why->message);
	free(bytes);
}

static QemuCaps *learn(const char *binary, const char *dir, const char *key, gboolean kvm,
		       GError **error)
{
	g_autoptr(json_t) answers = cache_read(dir, binary, key);
	QemuCaps *caps = answers ? caps_from_answers(binary, answers, NULL) : NULL;
	if (caps)
		return caps;
	json_decref(g_steal_pointer(&answers));
	answers = ask_all(binary, kvm, error);
	caps = answers ? caps_from_answers(binary, answers, error) : NULL;
	if (caps)
		cache_write(dir, binary, key, answers);
	return caps;
}

/* /dev/kvm may open on a host whose CPU cannot run guests; once, for it is on the start path. */
static gboolean kvm_works(void)
{
	static gsize once;
	static gboolean works;
	if (g_once_init_enter(&once)) {
		g_autofree char *why_not = NULL;
		works = host_kvm_usable(NULL, &why_not);
		g_once_init_leave(&once, 1);
	}
	return works;
}

const QemuCaps *qemu_caps_get(const char *binary, const char *cache_dir, GError **error)
{
	gboolean kvm = kvm_works();
	g_autofree char *key = key_of(binary, kvm, error);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);
	if (!key)
		return NULL;
	Known *entry = known ? g_hash_table_lookup(known, binary) : NULL;
	if (entry && g_str_equal(entry->key, key))
		return entry->caps;
	QemuCaps *caps = learn(binary, cache_dir, key, kvm, error);
	if (!caps)
		return NULL;
	if (!known)
		known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	entry = g_new0(Known, 1); /* older ones stay: someone may still read them */
	entry->key = g_steal_pointer(&key);
	entry->caps = caps;
	g_hash_table_insert(known, g_strdup(binary), entry);
	return caps;
}

const QemuCaps *qemu_caps_peek(const char *binary)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);
	Known *entry = known ? g_hash_table_lookup(known, binary) : NULL;
	return entry ? entry->caps : NULL;
}

/* ---- looking up ---- */

gboolean qemu_caps_has_device(const QemuCaps *caps, const char *name)
{
	return g_hash_table_contains(caps->devices, name);
}

gboolean qemu_caps_has_object(const QemuCaps *caps, const char *name)
{
	return g_hash_table_contains(caps->objects, name);
}

const QemuMachine *qemu_caps_machine(const QemuCaps *caps, const char *name)
{
	for (guint i = 0; i < caps->machines->len; i++) {
		const QemuMachine *machine = caps->machines->pdata[i];
		if (name ? g_str_equal(machine->name, name) || !g_strcmp0(machine->alias, name) :
			   machine->is_default)
			return machine;
	}
	return NULL;
}

const QemuCpu *qemu_caps_cpu(const QemuCaps *caps, const char *name, gboolean kvm)
{
	const GPtrArray *cpus = kvm ? caps->cpus_kvm : caps->cpus_tcg;
	for (guint i = 0; i < cpus->len; i++) {
		const QemuCpu *cpu = cpus->pdata[i];
		if (g_str_equal(cpu->name, name))
			return cpu;
	}
	return NULL;
}
