/* Ports of guests in passt's user mode: passt takes its ports when it starts, so it is started again where
 * they change, and where it ended. See forwards.h; engine/qemu/supervise.c does it. */
#include <jansson.h>

#include "base/error.h"
#include "base/log.h"
#include "core/forwards_internal.h"
#include "core/internal.h"

/* As a member of the list "port_forwards" of an interface in JSON. */
static json_t *as_port_forward(const ForwardSpec *spec)
{
	return json_pack("{s:s, s:s*, s:s*, s:[{s:i, s:i, s:i}]}", "proto", spec->udp ? "udp" : "tcp",
			 "address", *spec->address ? spec->address : NULL, "dev",
			 *spec->dev ? spec->dev : NULL, "ranges", "start", spec->first, "end", spec->last,
			 "to", spec->to);
}

/* The interface with all ports that lead to it: those of its definition, and of port-forward; the first
 * interface in user mode has the latter. */
static char *wanted(CoreGuest *guest, const Guest *live, const Interface *interface)
{
	g_autoptr(GPtrArray) own = core_forwards(guest->core, live->uuid);
	json_t *json = shape_to_json(&interface_shape, interface, SHAPE_XML_LIVE);
	json_t *list = json_object_get(json, "port_forwards");
	if (!list)
		json_object_set_new(json, "port_forwards", list = json_array());
	for (guint i = 0; forward_user_interface(live) == interface && i < own->len; i++) {
		const CoreForward *one = own->pdata[i];
		if (!one->defined)
			json_array_append_new(list, as_port_forward(&one->spec));
	}
	char *dump = json_dumps(json, JSON_COMPACT), *text = g_strdup(dump);
	free(dump);
	json_decref(json);
	return text;
}

/* The helper of SCSI reservations ends and comes again in the same way. */
static gboolean reserves(const Guest *live)
{
	SHAPE_EACH (Disk, disk, live->disks)
		if (disk->source && disk->source->reservations == TRI_YES)
			return TRUE;
	return FALSE;
}

/* Lane. */
static gboolean serve(CoreGuest *guest, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	gboolean again = FALSE;
	if (!guest->run || !snap->live)
		return TRUE;
	SHAPE_EACH (Interface, interface, snap->live->guest->interfaces) {
		if (!forward_is_passt(interface))
			continue;
		g_autofree char *text = wanted(guest, snap->live->guest, interface);
		g_autofree char *said = core_guest_ask(guest, ENGINE_ASK_PASST, text, error);
		if (!said)
			return FALSE;
		again |= *said != '\0';
	}
	if (reserves(snap->live->guest)) {
		g_autofree char *said = core_guest_ask(guest, ENGINE_ASK_PASST, "reservations", error);
		if (!said)
			return FALSE;
		again |= *said != '\0';
	}
	/* a later daemon has to know which process it is */
	return !again || recover_write(guest, snap->live->guest, guest->run, snap->note, error);
}

typedef struct Task {
	CoreGuest *guest;
	GError **error;
	gboolean ok;
} Task;

static void run_task(gpointer data)
{
	Task *task = data;
	task->ok = serve(task->guest, task->error);
}

gboolean forward_serve(CoreGuest *guest, GError **error)
{
	g_autoptr(GError) why = NULL;
	Task task = { guest, &why, FALSE };
	lane_run(core_guest_lane(guest), run_task, &task);
	if (why)
		g_propagate_error(error, g_steal_pointer(&why));
	return task.ok;
}

static void run_alone(gpointer data)
{
	CoreGuest *guest = data;
	g_autoptr(GError) error = NULL;
	if (!serve(guest, &error)) {
		g_autoptr(GuestSnap) snap = core_guest_snap(guest);
		log_warning(snap->name, "%s", error->message);
	}
	core_guest_unref(guest);
}

void forward_serve_later(CoreGuest *guest)
{
	lane_post(core_guest_lane(guest), run_alone, core_guest_ref(guest));
}

void forwards_mend(CoreGuest *guest)
{
	forward_serve_later(guest);
}
