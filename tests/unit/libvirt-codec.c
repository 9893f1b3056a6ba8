/* libvirt's codec: every row of the table of procedures can work, random values come back as they went,
 * and lengths that lie are refused before anything is allocated. */
#include "wire/libvirt/internal.h"

#include <string.h>

static void test_rows(void)
{
	guint n;
	const LvProcs *const *tables = lv_proc_tables(&n);
	for (guint t = 0; t < n; t++)
		for (guint i = 0; i < tables[t]->n; i++) {
			const LvProc *proc = &tables[t]->procs[i];
			gboolean known;
			lv_proc_check(proc);
			g_assert_true(lv_proc(tables[t]->program, proc->number, &known) == proc);
			g_assert_true(known);
		}
}

static void test_event_types(void)
{
	for (int event = 0; event < 32; event++) {
		guint32 procedure = 0;
		const WireType *type = lv_event_type(event, FALSE, &procedure);
		g_assert_true(!type || procedure >= 318);
	}
}

/* ---- random values ---- */

static void random_values(const WireType *type, GRand *rand, WireArena *arena, WireValue *values);

static void random_item(const WireField *field, GRand *rand, WireArena *arena, WireValue *value)
{
	guint n = (guint)g_rand_int_range(rand, 0, 20);
	char *text = wire_alloc(arena, n + 1);
	guint32 word = g_rand_int(rand);
	for (guint i = 0; i < n; i++)
		text[i] = (char)('a' + g_rand_int_range(rand, 0, 26));
	switch (field->kind) {
	case WIRE_STR:
		value->s = text;
		value->n = n;
		break;
	case WIRE_OPAQUE:
		value->n = field->exactly ? field->exactly : MIN(n, field->max);
		value->bytes = wire_alloc(arena, MAX(value->n, 1));
		break;
	case WIRE_PARAM:
		value->n = (guint32)g_rand_int_range(rand, WIRE_PARAM_INT, WIRE_PARAM_STRING);
		value->u = word & 0x7f;
		break;
	case WIRE_STRUCT:
		value->items = wire_alloc(arena, field->type->n * sizeof(WireValue));
		value->n = field->type->n;
		random_values(field->type, rand, arena, value->items);
		break;
	case WIRE_I8:
		value->i = (gint8)word;
		break;
	case WIRE_U8:
		value->u = (guint8)word;
		break;
	case WIRE_I16:
		value->i = (gint16)word;
		break;
	case WIRE_U16:
		value->u = (guint16)word;
		break;
	case WIRE_I32:
		value->i = (gint32)word;
		break;
	case WIRE_BOOL:
		value->u = word & 1;
		break;
	case WIRE_U32:
		value->u = word;
		break;
	default:
		value->u = (guint64)word << 32 | g_rand_int(rand);
	}
}

static void random_values(const WireType *type, GRand *rand, WireArena *arena, WireValue *values)
{
	for (guint i = 0; i < type->n; i++) {
		const WireField *field = &type->fields[i];
		values[i].set = !field->optional || g_rand_boolean(rand);
		if (!values[i].set)
			continue;
		if (!field->list) {
			random_item(field, rand, arena, &values[i]);
			continue;
		}
		guint most = MIN(field->max, 5);
		values[i].n = field->exactly ? field->exactly : g_rand_int(rand) % (most + 1);
		values[i].items = wire_alloc(arena, MAX(values[i].n, 1) * sizeof(WireValue));
		for (guint k = 0; k < values[i].n; k++)
			random_item(field, rand, arena, &values[i].items[k]);
	}
}

/* Written, read, written again: the bytes are the same, and none is left over. */
static void round_trip(const WireType *type, GRand *rand)
{
	g_autoptr(GError) error = NULL;
	WireArena arena = { 0 };
	XdrOut first = { 0 }, second = { 0 };
	WireValue *values = wire_alloc(&arena, MAX(type->n, 1) * sizeof *values);
	random_values(type, rand, &arena, values);
	g_assert_true(wire_encode(type, values, &first, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(first.len % 4, ==, 0);
	g_assert_cmpuint(first.len, >=, type->least);
	XdrIn in = { .at = first.data, .end = first.data + first.len };
	WireValue *back = wire_decode(type, &in, &arena, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(xdr_left(&in), ==, 0);
	g_assert_true(wire_encode(type, back, &second, &error));
	g_assert_cmpmem(first.data, first.len, second.data, second.len);
	for (gsize cut = 0; cut < first.len; cut += 4) {
		XdrIn less = { .at = first.data, .end = first.data + cut };
		g_assert_null(wire_decode(type, &less, &arena, NULL));
	}
	xdr_out_clear(&first);
	xdr_out_clear(&second);
	wire_arena_clear(&arena);
}

/* go-libvirt says "there" with 0x01000000; xdr_bool() takes all but 0. */
static void test_any_number_is_there(void)
{
	const guint8 bytes[] = { 1, 0, 0, 0, 0, 0, 0, 1, 'x', 0, 0, 0 };
	g_autoptr(GError) error = NULL;
	WireArena arena = { 0 };
	XdrIn in = { .at = bytes, .end = bytes + sizeof bytes };
	const WireValue *values = wire_decode(wire_type("name:str?"), &in, &arena, &error);
	g_assert_no_error(error);
	g_assert_true(values[0].set);
	g_assert_cmpstr(values[0].s, ==, "x");
	wire_arena_clear(&arena);
}

static void test_round_trip(void)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(5);
	guint n;
	const LvProcs *const *tables = lv_proc_tables(&n);
	for (guint t = 0; t < n; t++)
		for (guint i = 0; i < tables[t]->n; i++)
			for (guint times = 0; times < 20; times++) {
				round_trip(wire_type(tables[t]->procs[i].args), rand);
				round_trip(wire_type(tables[t]->procs[i].reply), rand);
			}
	round_trip(wire_type("params:typed_param<64> map:opaque<16> id:uuid? model:i8[32] d:f64"), rand);
}

/* ---- lies ---- */

static void refused(const char *signature, const guint32 *words, guint n)
{
	g_autoptr(GError) error = NULL;
	WireArena arena = { 0 };
	XdrOut out = { 0 };
	for (guint i = 0; i < n; i++)
		xdr_put_u32(&out, words[i]);
	XdrIn in = { .at = out.data, .end = out.data + out.len };
	g_assert_null(wire_decode(wire_type(signature), &in, &arena, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_INVALID);
	g_assert_null(arena.blocks); /* nothing large was allocated */
	xdr_out_clear(&out);
	wire_arena_clear(&arena);
}

static void test_lies(void)
{
	refused("s:str", (guint32[]){ 0xffffffff, 0 }, 2);
	refused("s:str", (guint32[]){ 5, 0x61616161 }, 2);
	refused("s:str", (guint32[]){ 4, 0x61006161 }, 2);
	refused("s:str", (guint32[]){ 4, 0xffffffff }, 2);
	refused("d:domain<16384>", (guint32[]){ 16384, 0, 0 }, 3);
	refused("d:domain<16384>", (guint32[]){ 16385, 0, 0 }, 3);
	refused("b:opaque<16>", (guint32[]){ 17, 0, 0, 0, 0, 0, 0 }, 7);
	refused("d:domain?", (guint32[]){ 2, 0, 0, 0, 0, 0 }, 6);
	refused("p:typed_param<64>", (guint32[]){ 1, 0, 8, 0, 0 }, 5);
	refused("n:u64<1024>", (guint32[]){ 1024, 0 }, 2);
	g_assert_null(wire_type("no_type"));
	g_assert_null(wire_type("a:unheard"));
	g_assert_null(wire_type("a:opaque"));
}

/* Each word of a message in turn is something else, so every length of every row is too large, negative or
 * more than follows: the decoder takes no more memory than bytes came, times what a list of the smallest
 * items needs, and one block. */
static void lie_everywhere(const WireType *type, GRand *rand)
{
	static const guint32 lies[] = { 0xffffffff, 0x7fffffff, 0x80000000, WIRE_STRING_MAX + 1, 262145, 3 };
	WireArena arena = { 0 };
	XdrOut out = { 0 };
	WireValue *values = wire_alloc(&arena, MAX(type->n, 1) * sizeof *values);
	random_values(type, rand, &arena, values);
	g_assert_true(wire_encode(type, values, &out, NULL));
	wire_arena_clear(&arena);
	for (gsize at = 0; at < out.len; at += 4)
		for (guint i = 0; i < G_N_ELEMENTS(lies); i++) {
			XdrIn in = { .at = out.data, .end = out.data + out.len };
			guint32 truth = xdr_peek_u32(out.data + at);
			xdr_patch_u32(&out, at, lies[i]);
			wire_decode(type, &in, &arena, NULL);
			g_assert_cmpuint(wire_arena_size(&arena), <=, 32 * out.len + 2 * 16384);
			wire_arena_clear(&arena);
			xdr_patch_u32(&out, at, truth);
		}
	xdr_out_clear(&out);
}

static void test_lies_everywhere(void)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(7);
	guint n;
	const LvProcs *const *tables = lv_proc_tables(&n);
	for (guint t = 0; t < n; t++)
		for (guint i = 0; i < tables[t]->n; i++)
			for (guint times = 0; times < 3; times++)
				lie_everywhere(wire_type(tables[t]->procs[i].args), rand);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/libvirt/rows", test_rows);
	g_test_add_func("/libvirt/event-types", test_event_types);
	g_test_add_func("/libvirt/any-number-is-there", test_any_number_is_there);
	g_test_add_func("/libvirt/round-trip", test_round_trip);
	g_test_add_func("/libvirt/lies", test_lies);
	g_test_add_func("/libvirt/lies-everywhere", test_lies_everywhere);
	return g_test_run();
}
