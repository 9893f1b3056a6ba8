/* Guests whose memory the host cannot read: <launchSecurity>. What the host has of AMD's SEV, as QEMU tells
 * it, and the object that protects the guest. What its owner gives (keys) reaches QEMU as memory, not as
 * files.
 * Neighbours: machine.c names the object; ops/guest_security.c asks and gives what comes later.
 * Facts: docs/system/i386/amd-memory-encryption of QEMU; SEV API 0.24, 6.19.1. */
#include "engine/qemu/build.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define SEV_SWITCH "/sys/module/kvm_amd/parameters/sev"

/* The numbers of guests follow from those of keys: Fn8000_001F. */
static void count_guests(EngineSev *sev)
{
	guint max = 0, min = 0;
#if defined(__x86_64__)
	guint a, b;
	if (!__get_cpuid_count(0x8000001f, 0, &a, &b, &max, &min))
		max = min = 0;
#endif
	gboolean known = max && min;
	sev->max_guests = OPT_UINT(known ? max - min + 1 : 0);
	sev->max_es_guests = OPT_UINT(known ? min - 1 : 0);
}

static EngineSev *read_sev(json_t *answer)
{
	EngineSev *sev = shape_new(&engine_sev_shape);
	sev->pdh = g_strdup(json_string_value(json_object_get(answer, "pdh")));
	sev->cert_chain = g_strdup(json_string_value(json_object_get(answer, "cert-chain")));
	sev->cpu0_id = g_strdup(json_string_value(json_object_get(answer, "cpu0-id")));
	sev->cbitpos = OPT_UINT((guint64)json_integer_value(json_object_get(answer, "cbitpos")));
	sev->reduced_phys_bits =
		OPT_UINT((guint64)json_integer_value(json_object_get(answer, "reduced-phys-bits")));
	count_guests(sev);
	return sev;
}

static EngineSev *ask_sev(const char *binary)
{
	g_autofree char *on = NULL;
	if (!g_file_get_contents(SEV_SWITCH, &on, NULL, NULL) || !*on || !strchr("Yy1", *on))
		return NULL;
	QmpItem item = { .command = "query-sev-capabilities" };
	gboolean ok = qemu_interview(binary, "kvm", &item, 1, NULL, NULL);
	EngineSev *sev = ok ? read_sev(item.result) : NULL;
	qmp_items_clear(&item, 1);
	return sev;
}

const EngineSev *qemu_sev(const char *binary)
{
	static GMutex lock;
	static GHashTable *known; /* EngineSev or NULL, by binary */
	g_mutex_lock(&lock);
	if (!known)
		known = g_hash_table_new(g_str_hash, g_str_equal);
	if (!g_hash_table_contains(known, binary))
		g_hash_table_insert(known, g_strdup(binary), ask_sev(binary));
	const EngineSev *sev = g_hash_table_lookup(known, binary);
	g_mutex_unlock(&lock);
	return sev;
}

/* A file of the guest's owner's. */
static void put_text(Build *build, json_t *object, const char *name, const char *text)
{
	if (!text)
		return;
	QemuFd *fd = add_fd(build, QEMU_FD_DATA, NULL, 0, "launchSecurity");
	fd->data = g_strdup(text);
	g_autofree char *file = g_strdup_printf("/dev/fd/%d", fd->number);
	put(object, name, file);
}

static json_t *sev_object(Build *build, const LaunchSecurity *launch)
{
	const EngineSev *host = build->setup->sev;
	json_t *object = json_object();
	put(object, "qom-type", "sev-guest");
	put(object, "id", LAUNCH_OBJECT);
	put_uint(object, "cbitpos", launch->cbitpos.set ? launch->cbitpos : host->cbitpos);
	put_uint(object, "reduced-phys-bits",
		 launch->reduced_phys_bits.set ? launch->reduced_phys_bits : host->reduced_phys_bits);
	put_uint(object, "policy", OPT_UINT(opt_uint_or(launch->policy, 0)));
	put_text(build, object, "dh-cert-file", launch->dh_cert);
	put_text(build, object, "session-file", launch->session);
	if (launch->kernel_hashes != TRI_ABSENT)
		put_bool(object, "kernel-hashes", launch->kernel_hashes == TRI_YES);
	return object;
}

gboolean build_launch(Build *build, GError **error)
{
	const LaunchSecurity *launch = build->guest->launch_security;
	json_t *object = NULL;
	if (!launch)
		return TRUE;
	if (launch->type == LAUNCH_SEV && !build->setup->sev)
		return unsupported(build, error,
				   "SEV launch security is not supported with this QEMU binary");
	if (launch->type == LAUNCH_SEV) {
		object = sev_object(build, launch);
	} else {
		const QemuCaps *caps = build->setup->caps;
		if (caps && !qemu_caps_has_object(caps, "s390-pv-guest"))
			return unsupported(build, error,
					   "S390 PV launch security is not supported with this QEMU binary");
		object = json_pack("{s:s, s:s}", "qom-type", "s390-pv-guest", "id", LAUNCH_OBJECT);
	}
	add_json(build, "-object", object);
	return TRUE;
}
