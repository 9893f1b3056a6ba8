/* Tests of base/: enum names, errors, notes and the order that lanes promise. */
#include <errno.h>

#include "base/enums.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/lane.h"
#include "base/notes.h"

static const EnumTable colours = ENUM_TABLE("colour", "red", "green");

static void test_enum_names(void)
{
	g_assert_cmpstr(enum_name(&colours, 1), ==, "red");
	g_assert_cmpstr(enum_name(&colours, 2), ==, "green");
	g_assert_null(enum_name(&colours, 0));
	g_assert_null(enum_name(&colours, 3));
	g_assert_null(enum_name(&colours, -1));
	g_assert_cmpint(enum_value(&colours, "green"), ==, 2);
	g_assert_cmpint(enum_value(&colours, "blue"), ==, 0);
	g_autofree char *choices = enum_choices(&colours);
	g_assert_cmpstr(choices, ==, "red, green");
}

static void test_fail_sets_and_returns_false(void)
{
	g_autoptr(GError) error = NULL;
	g_assert_false(fail(&error, LODGE_ERROR_STATE, "guest \"%s\" is running", "web1"));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_STATE);
	g_assert_cmpstr(error->message, ==, "guest \"web1\" is running");
	g_assert_false(fail(NULL, LODGE_ERROR_STATE, "nobody listens"));
}

static void test_fail_errno_refines(void)
{
	static const struct {
		int errnum;
		LodgeError code;
	} cases[] = {
		{ ENOSPC, LODGE_ERROR_NO_SPACE }, { EDQUOT, LODGE_ERROR_NO_SPACE },
		{ ENOENT, LODGE_ERROR_NOT_FOUND }, { EACCES, LODGE_ERROR_DENIED },
		{ EIO, LODGE_ERROR_SYSTEM },
	};
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_assert_false(fail_errno(&error, cases[i].errnum, "reading x"));
		g_assert_error(error, LODGE_ERROR, (int)cases[i].code);
		g_assert_true(g_str_has_prefix(error->message, "reading x: "));
	}
}

static void test_details_go_with_their_error(void)
{
	g_autoptr(GError) error = NULL;
	g_assert_false(error_detail(&error, LODGE_DETAIL_WORD, "@type"));
	g_assert_null(error);
	g_assert_false(fail_with(&error, LODGE_ERROR_INVALID, LODGE_DETAIL_MAC, "no MAC address"));
	g_assert_cmpint(lodge_error_detail(error), ==, LODGE_DETAIL_MAC);
	g_assert_null(lodge_error_where(error));
	error_detail(&error, LODGE_DETAIL_WORD, "mac/@address");
	error_detail(&error, LODGE_DETAIL_NONE, "somewhere");
	g_autoptr(GError) copy = g_error_copy(error);
	GError *passed = NULL;
	g_propagate_prefixed_error(&passed, g_steal_pointer(&error), "guest \"web1\": ");
	error = passed;
	g_assert_cmpint(lodge_error_detail(copy), ==, LODGE_DETAIL_MAC);
	g_assert_cmpstr(lodge_error_where(copy), ==, "mac/@address");
	g_assert_cmpstr(lodge_error_where(error), ==, "mac/@address");

	g_autoptr(GError) other = g_error_new(G_FILE_ERROR, G_FILE_ERROR_FAILED, "not ours");
	g_assert_false(error_detail(&other, LODGE_DETAIL_WORD, "@type"));
	g_assert_cmpint(lodge_error_detail(other), ==, LODGE_DETAIL_NONE);
	for (guint i = 1; i < LODGE_DETAILS; i++)
		g_assert_cmpint(lodge_detail_of(lodge_detail_name((LodgeDetail)i)), ==, i);
	g_assert_cmpint(lodge_detail_of("no such"), ==, LODGE_DETAIL_NONE);
}

static void test_notes_are_not_repeated(void)
{
	g_auto(Notes) notes = { 0 };
	g_assert_cmpuint(notes_count(NULL), ==, 0);
	notes_add(NULL, "nobody listens");
	notes_add(&notes, "machine %s", "pc");
	notes_add(&notes, "machine pc");
	notes_add(&notes, "cpu host");
	g_assert_cmpuint(notes_count(&notes), ==, 2);
	g_assert_cmpstr(notes_get(&notes, 1), ==, "cpu host");
}

#define POSTS 1000

typedef struct Order {
	Lane *lane;
	GMutex lock;
	GCond done;
	int next;
	gboolean in_order, on_lane;
} Order;

typedef struct Step {
	Order *order;
	int i;
} Step;

static void run_step(gpointer data)
{
	Step *step = data;
	Order *order = step->order;
	order->in_order &= order->next == step->i;
	order->on_lane &= lane_is_current(order->lane);
	g_mutex_lock(&order->lock);
	if (++order->next == POSTS)
		g_cond_signal(&order->done);
	g_mutex_unlock(&order->lock);
}

static void test_lane_keeps_order(void)
{
	Order order = { .in_order = TRUE, .on_lane = TRUE };
	g_autoptr(Lane) lane = lane_new();
	order.lane = lane;
	g_autofree Step *steps = g_new0(Step, POSTS);
	for (int i = 0; i < POSTS; i++) {
		steps[i] = (Step){ &order, i };
		lane_post(lane, run_step, &steps[i]);
	}
	gint64 until = g_get_monotonic_time() + 60 * G_TIME_SPAN_SECOND;
	g_mutex_lock(&order.lock);
	while (order.next < POSTS && g_cond_wait_until(&order.done, &order.lock, until))
		;
	g_mutex_unlock(&order.lock);
	g_assert_cmpint(order.next, ==, POSTS);
	g_assert_true(order.in_order);
	g_assert_true(order.on_lane);
	g_assert_false(lane_is_current(lane));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/base/enums", test_enum_names);
	g_test_add_func("/base/error/fail", test_fail_sets_and_returns_false);
	g_test_add_func("/base/error/errno", test_fail_errno_refines);
	g_test_add_func("/base/error/detail", test_details_go_with_their_error);
	g_test_add_func("/base/notes", test_notes_are_not_repeated);
	g_test_add_func("/base/lane/order", test_lane_keeps_order);
	return g_test_run();
}
