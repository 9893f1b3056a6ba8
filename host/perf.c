/* See perf.h. */
#include "host/perf.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

/* Events of Intel's cache monitoring are of a type that the kernel numbers; Linux 4.14 and later has none. */
#define CQM "/sys/devices/intel_cqm/"
#define TYPE_CQM G_MAXUINT32

static const struct {
	const char *name;
	guint32 type;
	guint64 config;
} events[PERF_EVENTS] = {
	{ "cmt", TYPE_CQM, 1 },
	{ "mbmt", TYPE_CQM, 2 },
	{ "mbml", TYPE_CQM, 3 },
	{ "cpu_cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES },
	{ "instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS },
	{ "cache_references", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_REFERENCES },
	{ "cache_misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES },
	{ "branch_instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_INSTRUCTIONS },
	{ "branch_misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES },
	{ "bus_cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BUS_CYCLES },
	{ "stalled_cycles_frontend", PERF_TYPE_HARDWARE, PERF_COUNT_HW_STALLED_CYCLES_FRONTEND },
	{ "stalled_cycles_backend", PERF_TYPE_HARDWARE, PERF_COUNT_HW_STALLED_CYCLES_BACKEND },
	{ "ref_cpu_cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_REF_CPU_CYCLES },
	{ "cpu_clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK },
	{ "task_clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK },
	{ "page_faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS },
	{ "context_switches", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES },
	{ "cpu_migrations", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_MIGRATIONS },
	{ "page_faults_min", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MIN },
	{ "page_faults_maj", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MAJ },
	{ "alignment_faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_ALIGNMENT_FAULTS },
	{ "emulation_faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_EMULATION_FAULTS },
};

const char *perf_event_name(guint i)
{
	return events[i].name;
}

int perf_event_find(const char *name)
{
	for (guint i = 0; i < PERF_EVENTS; i++)
		if (g_str_equal(events[i].name, name))
			return (int)i;
	return -1;
}

/* A small number in a file of sysfs; 0: there is none. */
static guint64 number_in(const char *path)
{
	g_autofree char *text = NULL;
	return g_file_get_contents(path, &text, NULL, NULL) ? g_ascii_strtoull(text, NULL, 10) : 0;
}

/* Type and number as the kernel knows them now. */
static gboolean event_attr(guint i, struct perf_event_attr *attr, GError **error)
{
	*attr = (struct perf_event_attr){ .size = sizeof *attr, .inherit = 1, .type = events[i].type,
					  .config = events[i].config };
	if (events[i].type == TYPE_CQM)
		attr->type = (guint32)number_in(CQM "type");
	return attr->type || events[i].type != TYPE_CQM ||
	       fail(error, LODGE_ERROR_UNSUPPORTED,
		    "unable to enable host cpu perf event for %s: this host's kernel has no such event",
		    events[i].name);
}

static gboolean open_thread(guint i, struct perf_event_attr *attr, pid_t tid, GArray *fds, GError **error)
{
	int fd = (int)syscall(SYS_perf_event_open, attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
	gboolean denied = errno == EACCES || errno == EPERM;
	if (fd >= 0)
		g_array_append_val(fds, fd);
	if (fd >= 0 || errno == ESRCH) /* it has just ended */
		return TRUE;
	const char *why = errno == ENOENT || errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSYS
				  ? "this host's processor or kernel has no such event"
				  : g_strerror(errno);
	return fail(error, denied ? LODGE_ERROR_DENIED : LODGE_ERROR_UNSUPPORTED,
		    "unable to open host cpu perf event for %s: %s%s", events[i].name, why,
		    denied ? " (kernel.perf_event_paranoid of sysctl says who may)" : "");
}

static void close_fd(gpointer fd)
{
	fd_clear(fd);
}

GArray *perf_event_open(guint i, pid_t pid, GError **error)
{
	g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(int));
	g_autofree char *tasks = g_strdup_printf("/proc/%d/task", (int)pid);
	g_autoptr(GDir) dir = g_dir_open(tasks, 0, NULL);
	struct perf_event_attr attr;
	g_array_set_clear_func(fds, close_fd);
	if (!event_attr(i, &attr, error))
		return NULL;
	for (const char *name; dir && (name = g_dir_read_name(dir));)
		if (!open_thread(i, &attr, (pid_t)atoi(name), fds, error))
			return NULL;
	if (fds->len)
		return g_steal_pointer(&fds);
	fail(error, LODGE_ERROR_GONE, "process %d has ended", (int)pid);
	return NULL;
}

gboolean perf_event_read(guint i, const GArray *fds, guint64 *value)
{
	*value = 0;
	for (guint n = 0; n < fds->len; n++) {
		guint64 one;
		if (read(g_array_index(fds, int, n), &one, sizeof one) != (ssize_t)sizeof one)
			return FALSE;
		*value += one;
	}
	if (g_str_equal(events[i].name, "cmt"))
		*value *= number_in(CQM "events/llc_occupancy.scale");
	return TRUE;
}
