/* What virsh says where something fails; virsh.c's other half. */
#include "cli/internal.h"

#include <stdio.h>
#include <string.h>

/* What virsh says that failed; %s is the guest, or what the command line names, {x} the argument x. */
static const struct {
	const char *verb, *words;
} failures[] = {
	{ "start", "Failed to start domain '%s'" },
	{ "shutdown", "Failed to shutdown domain '%s'" },
	{ "reboot", "Failed to reboot domain '%s'" },
	{ "reset", "Failed to reset domain '%s'" },
	{ "destroy", "Failed to destroy domain '%s'" },
	{ "suspend", "Failed to suspend domain '%s'" },
	{ "resume", "Failed to resume domain '%s'" },
	{ "undefine", "Failed to undefine domain '%s'" },
	{ "save", "Failed to save domain '%s' to %s" },
	{ "managedsave", "Failed to save domain '%s' state" },
	{ "autostart", "Failed to mark domain '%s' as autostarted" },
	{ "define", "Failed to define domain from %s" },
	{ "create", "Failed to create domain from %s" },
	{ "restore", "Failed to restore domain from %s" },
	{ "pool-define", "Failed to define pool from %s" },
	{ "pool-define-as", "Failed to define pool {name}" },
	{ "pool-create", "Failed to create pool from %s" },
	{ "pool-create-as", "Failed to create pool {name}" },
	{ "pool-build", "Failed to build pool %s" },
	{ "pool-start", "Failed to start pool %s" },
	{ "pool-destroy", "Failed to destroy pool %s" },
	{ "pool-delete", "Failed to delete pool %s" },
	{ "pool-undefine", "Failed to undefine pool %s" },
	{ "pool-refresh", "Failed to refresh pool %s" },
	{ "find-storage-pool-sources", "Failed to find any {type} pool sources" },
	{ "find-storage-pool-sources-as", "Failed to find any {type} pool sources" },
	{ "vol-create", "Failed to create vol from {xml}" },
	{ "vol-create-as", "Failed to create vol {name}" },
	{ "vol-create-from", "Failed to create vol from {xml}" },
	{ "vol-delete", "Failed to delete vol {vol}" },
	{ "vol-wipe", "Failed to wipe vol {vol}" },
	{ "vol-clone", "Failed to clone vol from {vol}" },
	{ "vol-resize", "Failed to change size of volume '{vol}' to {capacity}" },
	{ "net-start", "Failed to start network %s" },
	{ "net-destroy", "Failed to destroy network %s" },
	{ "net-undefine", "Failed to undefine network %s" },
	{ "net-define", "Failed to define network from %s" },
	{ "net-create", "Failed to create network from %s" },
	{ "net-update", "Failed to update network %s" },
	{ "net-dhcp-leases", "Failed to get leases info for %s" },
	{ "nwfilter-define", "Failed to define network filter from %s" },
	{ "nwfilter-undefine", "Failed to undefine network filter %s" },
	{ "nwfilter-binding-dumpxml", "failed to get nwfilter binding '%s'" },
	{ "nwfilter-binding-delete", "failed to get nwfilter binding '%s'" },
	{ "host cpustats", "Unable to get number of cpu stats" },
	{ "host memstats", "Unable to get number of memory stats" },
	{ "cpu-models", "failed to get CPU model names" },
	{ "nodesuspend", "The host was not suspended" },
	{ "cpu-stats", "Failed to retrieve CPU statistics for domain '%s'" },
	{ "dommemstat", "Failed to get memory statistics for domain %s" },
	{ "dompmsuspend", "Domain '%s' could not be suspended" },
	{ "screenshot", "could not take a screenshot of %s" },
	{ "domifaddr", "Failed to query for interfaces addresses" },
	{ "nodedev-list", "Failed to list node devices" },
	{ "nodedev-create", "Failed to create node device from %s" },
	{ "nodedev-define", "Failed to define node device from '%s'" },
	{ "nodedev-destroy", "Failed to destroy node device '%s'" },
	{ "nodedev-undefine", "Failed to undefine node device '%s'" },
	{ "nodedev-detach", "Failed to detach device %s" },
	{ "nodedev-reattach", "Failed to re-attach device %s" },
	{ "nodedev-reset", "Failed to reset device %s" },
	{ "nodedev-start", "Failed to start device %s" },
	{ "nodedev-autostart", "failed to mark device %s as autostarted" },
	{ "sysinfo", "failed to get sysinfo" },
	{ "domhostname", "failed to get hostname" },
	{ "domfsinfo", "Unable to get filesystem information" },
	{ "domfsfreeze", "Unable to freeze filesystems" },
	{ "domfsthaw", "Unable to thaw filesystems" },
	{ "domfstrim", "Unable to invoke fstrim" },
	{ "dompmwakeup", "Domain '%s' could not be woken up" },
	{ "domiftune", "Unable to get interface parameters" },
	{ "domcapabilities", "failed to get emulator capabilities" },
	{ "vol-list", "Failed to list volumes" },
	{ "vncdisplay", "Failed to get VNC port. Is this domain using VNC?" },
};

VirshRunning virsh_running;

/* The caller frees it; NULL where the command has no such argument, or nothing is said. */
static char *argument(const char *name, gsize length)
{
	const Shape *shape = virsh_running.op->args;
	const Row *row = NULL;
	for (guint i = 0; virsh_running.args && shape && i < shape->n && !row; i++)
		if (strlen(shape->rows[i].name) == length && !memcmp(shape->rows[i].name, name, length))
			row = &shape->rows[i];
	return row && row->kind == ROW_XML ? g_strdup(cli_document_name()) :
	       row			   ? row_to_text(row, virsh_running.args) : NULL;
}

gboolean virsh_lacks_guest(const GError *error)
{
	return lodge_error_detail(error) == LODGE_DETAIL_TARGET && virsh_running.op &&
	       virsh_running.op->target == OP_ON_GUEST;
}

/* A command line that cannot be, whose words are complete. */
int virsh_refuse(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	fflush(stdout);
	fprintf(stderr, "error: %s\n", text);
	return 1;
}

static void say_what_failed(void)
{
	for (guint i = 0; virsh_running.op && i < G_N_ELEMENTS(failures); i++) {
		if (!g_str_equal(failures[i].verb, virsh_running.op->name))
			continue;
		const char *first = virsh_running.target ? virsh_running.target : virsh_running.word;
		char *const parts[] = { (char *)first, (char *)virsh_running.word };
		g_autofree char *format = g_strdup_printf("error: %s\n", failures[i].words);
		const char *c = format;
		for (guint n = 0; *c; c++)
			if (c[0] == '%' && c[1] == 's') {
				fputs(n < 2 && parts[n] ? parts[n] : "", stderr);
				n++;
				c++;
			} else if (*c == '{') {
				g_autofree char *text = argument(c + 1, strcspn(c + 1, "}"));
				fputs(text ? text : "", stderr);
				c += strcspn(c, "}");
			} else {
				fputc(*c, stderr);
			}
	}
}

/* The target itself is not there; says so. */
static gboolean lacks_object(const GError *error)
{
	static const struct {
		OpTarget target;
		const char *what, *words;
	} kinds[] = {
		{ OP_ON_POOL, "failed to get pool", "Storage pool" },
		{ OP_ON_NETWORK, "failed to get network", "Network" },
		{ OP_ON_NWFILTER, "failed to get nwfilter", "Network filter" },
		{ OP_ON_INTERFACE, "failed to get interface", "Interface" },
		{ OP_ON_NODEDEV, "Could not find matching device", "Node device" },
	};
	for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (virsh_running.op->target == kinds[i].target) {
			virsh_refuse("%s '%s'", kinds[i].what, virsh_running.target);
			virsh_refuse("%s not found: %s", kinds[i].words, error->message);
			return TRUE;
		}
	return FALSE;
}

/* The volume that an argument names, or its pool, is not there; says so. */
static gboolean lacks_volume(const GError *error)
{
	g_autofree char *vol = argument("vol", 3), *base = argument("backing_vol", 11);
	g_autofree char *pool = argument("pool", 4), *input = argument("inputpool", 9);
	const char *verb = virsh_running.op->name, *named = pool ? pool : input;
	gboolean alone = g_str_equal(verb, "vol-name") || g_str_equal(verb, "vol-pool");
	gboolean into = virsh_running.op->target == OP_ON_POOL; /* it is to be copied there */
	if (g_str_equal(lodge_error_where(error), "pool")) {
		virsh_refuse("failed to get pool '%s'", named ? named : virsh_running.target);
		virsh_refuse("Storage pool not found: %s", error->message);
		return TRUE;
	}
	virsh_refuse("failed to get vol '%s'%s", vol ? vol : base,
		     named || alone || !vol ? "" :
		     into		    ? ", specifying --inputpool might help" :
					      ", specifying --pool might help");
	virsh_refuse("Storage volume not found: %s", error->message);
	return TRUE;
}

int virsh_failed(const GError *error)
{
	fflush(stdout);
	LodgeError code = op_error_of(error);
	if (lodge_error_detail(error) == LODGE_DETAIL_OPTIONS)
		return virsh_refuse("%s", error->message);
	if (virsh_lacks_guest(error))
		return virsh_refuse("failed to get domain '%s'", virsh_running.target);
	if (virsh_running.op && lodge_error_detail(error) == LODGE_DETAIL_TARGET &&
	    (lodge_error_where(error) ? lacks_volume(error) : lacks_object(error)))
		return 1;
	if (virsh_running.op && g_str_equal(virsh_running.op->name, "start") &&
	    lodge_error_detail(error) == LODGE_DETAIL_ALREADY)
		return virsh_refuse("Domain is already active");
	if (virsh_running.op && g_str_has_suffix(virsh_running.op->name, "display") &&
	    code == LODGE_ERROR_STATE)
		return virsh_refuse("Domain is not running");
	say_what_failed();
	return virsh_refuse("%s%s", op_error_row(code)->words, error->message);
}
