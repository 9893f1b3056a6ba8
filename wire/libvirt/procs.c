/* The tables of procedures: to add a procedure, add a row to the table of its family, procs_*.c; to add a
 * family, its file and a line here and in internal.h. Numbers, names, arguments and replies are the
 * protocol's; a row without a verb names the function that answers. A procedure that is not there
 * answers that it is not supported. Neighbours: call.c reads the rows; codec.h explains signatures. */
#include "wire/libvirt/internal.h"

static const LvProcs *const tables[] = {
	&lv_procs_connect,
	&lv_procs_login,
	&lv_procs_secret, &lv_procs_nodedev,
	&lv_procs_node,
	&lv_procs_domain,
	&lv_procs_tune,
	&lv_procs_inside,
	&lv_procs_storage,
	&lv_procs_network,
	&lv_procs_nwfilter,
	&lv_procs_interface,
	&lv_procs_qemu,
};

const LvProcs *const *lv_proc_tables(guint *n)
{
	*n = G_N_ELEMENTS(tables);
	return tables;
}

/* By number, for a search without steps. */
#define NUMBERS 512
typedef struct Index {
	guint32 program;
	const LvProc *by_number[NUMBERS];
} Index;

static const guint32 programs[] = { LV_REMOTE, LV_QEMU };

static Index *index_new(guint32 program)
{
	Index *index = g_new0(Index, 1);
	index->program = program;
	for (guint t = 0; t < G_N_ELEMENTS(tables); t++)
		for (guint i = 0; tables[t]->program == program && i < tables[t]->n; i++)
			index->by_number[tables[t]->procs[i].number] = &tables[t]->procs[i];
	return index;
}

const LvProc *lv_proc(guint32 program, guint32 number, gboolean *known)
{
	static Index *indices[G_N_ELEMENTS(programs)];
	for (guint p = 0; p < G_N_ELEMENTS(programs); p++) {
		if (programs[p] != program)
			continue;
		*known = TRUE;
		if (!indices[p])
			indices[p] = index_new(program);
		return number < NUMBERS ? indices[p]->by_number[number] : NULL;
	}
	*known = FALSE;
	return NULL;
}
