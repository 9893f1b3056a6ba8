/* The door inward: permissions, arguments, lanes, cancelling, with verbs of this test's own. */
#include "ops/ops.h"

#include <string.h>

typedef struct Args {
	ShapeHead head;
	OptInt count;
} Args;

typedef struct Result {
	ShapeHead head;
	OptInt doubled;
} Result;

static const Row arg_rows[] = { INT(Args, count, NULL, .min = 1, .max = 10, .dflt = "3") };
static const Shape args_shape = SHAPE("test args", Args, arg_rows);
static const Row strict_rows[] = { INT(Args, count, NULL, .flags = ROW_REQUIRED) };
static const Shape strict_shape = SHAPE("strict args", Args, strict_rows);
static const Row result_rows[] = { INT(Result, doubled, NULL) };
static const Shape result_shape = SHAPE("test result", Result, result_rows);

static GThread *ran_on;
static OpCall *later;

static gboolean twice(OpCall *call, G_GNUC_UNUSED GError **error)
{
	ran_on = g_thread_self();
	((Result *)call->result)->doubled = OPT_INT(2 * ((Args *)call->args)->count.v);
	notes_add(&call->notes, "doubled");
	return TRUE;
}

static gboolean refuse(G_GNUC_UNUSED OpCall *call, GError **error)
{
	return fail(error, LODGE_ERROR_STATE, "not now");
}

static gboolean wait_for_it(OpCall *call, G_GNUC_UNUSED GError **error)
{
	later = call;
	return TRUE;
}

static const Op read_op = { .name = "twice", .lane = OP_READ, .perm = OP_PERM_READ,
			    .args = &args_shape, .result = &result_shape, .fn = twice };
static const Op beside_op = { .name = "beside", .lane = OP_BESIDE, .perm = OP_PERM_WRITE,
			      .args = &args_shape, .result = &result_shape, .fn = twice };
static const Op strict_op = { .name = "strict", .lane = OP_BESIDE, .perm = OP_PERM_WRITE,
			      .args = &strict_shape, .result = &result_shape, .fn = twice };
static const Op refusing_op = { .name = "refuse", .lane = OP_BESIDE, .perm = OP_PERM_WRITE,
				.fn = refuse };
static const Op later_op = { .name = "wait", .lane = OP_LATER, .perm = OP_PERM_READ,
			     .fn = wait_for_it };

typedef struct Outcome {
	guint times;
	int code; /* -1: success */
	gint64 doubled;
	guint notes;
} Outcome;

static void on_done(OpCall *call, const GError *error)
{
	Outcome *outcome = call->door_data;
	outcome->times++;
	outcome->code = error ? error->code : -1;
	outcome->notes = notes_count(&call->notes);
	if (call->result)
		outcome->doubled = ((Result *)call->result)->doubled.v;
}

static OpCall *call_of(const Op *op, Outcome *outcome)
{
	OpCall *call = op_call_new(NULL, op);
	*outcome = (Outcome){ 0 };
	call->done = on_done;
	call->door_data = outcome;
	return call;
}

static void wait_for(const Outcome *outcome)
{
	while (outcome->times == 0)
		g_main_context_iteration(NULL, TRUE);
	while (g_main_context_iteration(NULL, FALSE)) {
	}
	g_assert_cmpuint(outcome->times, ==, 1);
}

static void test_read(void)
{
	Outcome outcome;
	op_dispatch(call_of(&read_op, &outcome));
	g_assert_cmpuint(outcome.times, ==, 1); /* at once */
	g_assert_cmpint(outcome.code, ==, -1);
	g_assert_cmpint(outcome.doubled, ==, 6); /* from the default */
	g_assert_cmpuint(outcome.notes, ==, 1);
	g_assert_true(ran_on == g_thread_self());
}

static void test_arguments(void)
{
	Outcome outcome;
	ran_on = NULL;
	op_dispatch(call_of(&strict_op, &outcome));
	g_assert_cmpuint(outcome.times, ==, 1);
	g_assert_cmpint(outcome.code, ==, LODGE_ERROR_INVALID);
	g_assert_null(ran_on);
}

static void test_beside(void)
{
	Outcome outcome;
	op_dispatch(call_of(&beside_op, &outcome));
	g_assert_cmpuint(outcome.times, ==, 0);
	wait_for(&outcome);
	g_assert_cmpint(outcome.code, ==, -1);
	g_assert_true(ran_on != g_thread_self());
}

static void test_failure(void)
{
	Outcome outcome;
	op_dispatch(call_of(&refusing_op, &outcome));
	wait_for(&outcome);
	g_assert_cmpint(outcome.code, ==, LODGE_ERROR_STATE);
}

static void test_read_only(void)
{
	Outcome outcome;
	OpCall *call = call_of(&beside_op, &outcome);
	call->caller.read_only = TRUE;
	op_dispatch(call);
	g_assert_cmpint(outcome.code, ==, LODGE_ERROR_DENIED);
	call = call_of(&read_op, &outcome);
	call->caller.read_only = TRUE;
	op_dispatch(call);
	g_assert_cmpint(outcome.code, ==, -1);
}

static void test_cancelled_before(void)
{
	Outcome outcome;
	OpCall *call = call_of(&beside_op, &outcome);
	g_cancellable_cancel(call->cancel);
	ran_on = NULL;
	op_dispatch(call);
	wait_for(&outcome);
	g_assert_cmpint(outcome.code, ==, LODGE_ERROR_ABORTED);
	g_assert_null(ran_on);
}

static void test_later(void)
{
	Outcome outcome;
	op_dispatch(call_of(&later_op, &outcome));
	g_assert_cmpuint(outcome.times, ==, 0);
	op_finish(later, NULL);
	g_assert_cmpuint(outcome.times, ==, 1);
	g_assert_cmpint(outcome.code, ==, -1);
}

static void test_table(void)
{
	guint n;
	const Op *const *all = op_table(&n);
	for (guint i = 0; i < n; i++) {
		g_assert_true(op_find(all[i]->name) == all[i]);
		g_assert_nonnull(all[i]->doc);
		g_assert_nonnull(all[i]->family);
		g_assert_nonnull(all[i]->fn);
		g_assert_true(g_str_has_prefix(all[i]->route, "/v1/"));
		const char *word = op_target(all[i]->target)->name;
		g_autofree char *place = g_strdup_printf("{%s}", word ? word : "");
		g_assert_cmpint(strchr(all[i]->route, '{') != NULL, ==, word != NULL);
		g_assert_true(!word || strstr(all[i]->route, place));
		g_assert_true(all[i]->show != OP_SHOW_MESSAGE || all[i]->said);
	}
}

static void test_errors(void)
{
	for (LodgeError code = 0; code <= LODGE_ERROR_GONE; code++) {
		g_assert_cmpint(op_error_code(lodge_error_name(code)), ==, code);
		g_assert_cmpint(op_error_row(code)->exit_code, >, 0);
		g_assert_cmpint(op_error_row(code)->http_status, >=, 400);
	}
	g_autoptr(GError) foreign = g_error_new_literal(G_IO_ERROR, G_IO_ERROR_CANCELLED, "x");
	g_assert_cmpint(op_exit_code(foreign), ==, 130);
	g_assert_cmpint(op_exit_code(NULL), ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dispatch/read", test_read);
	g_test_add_func("/dispatch/arguments", test_arguments);
	g_test_add_func("/dispatch/beside", test_beside);
	g_test_add_func("/dispatch/failure", test_failure);
	g_test_add_func("/dispatch/read-only", test_read_only);
	g_test_add_func("/dispatch/cancelled", test_cancelled_before);
	g_test_add_func("/dispatch/later", test_later);
	g_test_add_func("/table/rows", test_table);
	g_test_add_func("/errors/table", test_errors);
	return g_test_run();
}
