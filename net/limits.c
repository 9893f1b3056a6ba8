/* Bandwidth of an interface by the kernel's traffic control, through the program tc. What goes to the
 * guest leaves the tap and is shaped (htb); what comes from it enters and is policed. Numbers are
 * libvirt's: KiB per second, KiB. See plug.h; floor.h has what is guaranteed. */
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/spawn.h"
#include "net/plug.h"
#include "net/tc.h"

#define TOOL_MS 10000
#define BURST_KIB 64 /* where none is said: enough for one segment of 64 KiB */

gboolean tc_batch(const GString *batch, gboolean may_fail, GError **error)
{
	static const char *const argv[] = { "tc", "-force", "-batch", "-", NULL };
	static const char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL };
	autofd int input = memfd_create("tc", MFD_CLOEXEC);
	if (input < 0 || write(input, batch->str, batch->len) != (ssize_t)batch->len ||
	    lseek(input, 0, SEEK_SET) < 0)
		return fail_errno(error, errno, "cannot write what tc is to do");
	SpawnFd map = { .from = input, .to = 0 };
	Spawn how = { .argv = argv, .env = env, .fds = &map, .n_fds = 1, .same_session = TRUE };
	g_autofree char *out = NULL;
	g_autoptr(GError) why = NULL;
	int status = 0;
	if (!spawn_run(&how, TOOL_MS, &out, &status, &why))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "<bandwidth> needs the program tc (package iproute2): %s", why->message);
	return status == 0 || may_fail || fail(error, LODGE_ERROR_UNSUPPORTED, "tc: %s", g_strstrip(out));
}

static void shape(GString *batch, const char *dev, const Bandwidth *limit)
{
	guint64 average = limit->average.v;
	guint64 peak = opt_uint_or(limit->peak, average);
	g_string_append_printf(batch,
			       "qdisc add dev %s root handle 1: htb default 1\n"
			       "class add dev %s parent 1: classid 1:1 htb rate %" G_GUINT64_FORMAT
			       "kbps ceil %" G_GUINT64_FORMAT "kbps", dev, dev, average, peak);
	if (limit->burst.set)
		g_string_append_printf(batch, " burst %" G_GUINT64_FORMAT "kb", limit->burst.v);
	g_string_append_c(batch, '\n');
}

static void police(GString *batch, const char *dev, const Bandwidth *limit)
{
	guint64 average = limit->average.v;
	g_string_append_printf(batch,
			       "qdisc add dev %s ingress\n"
			       "filter add dev %s parent ffff: protocol all u32 match u32 0 0 police rate "
			       "%" G_GUINT64_FORMAT "kbps burst %" G_GUINT64_FORMAT
			       "kb mtu 64kb drop flowid :1\n", dev, dev, average,
			       opt_uint_or(limit->burst, MAX(average / 10, BURST_KIB)));
}

/* A floor alone bounds nothing: floor.h. */
static gboolean is_bounded(const Bandwidth *limit)
{
	return limit && opt_uint_or(limit->average, 0);
}

gboolean plug_limits(const char *dev, const Bandwidth *inbound, const Bandwidth *outbound, GError **error)
{
	g_autoptr(GString) before = g_string_new(NULL);
	g_autoptr(GString) batch = g_string_new(NULL);
	g_string_append_printf(before, "qdisc del dev %s root\nqdisc del dev %s ingress\n", dev, dev);
	if (is_bounded(inbound))
		shape(batch, dev, inbound);
	if (is_bounded(outbound))
		police(batch, dev, outbound);
	if (!tc_batch(before, TRUE, error))
		return FALSE;
	if (!batch->len || tc_batch(batch, FALSE, error))
		return TRUE;
	tc_batch(before, TRUE, NULL);
	return FALSE;
}
