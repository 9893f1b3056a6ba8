/* Any text as documents of CPUs, as cpu-compare and cpu-baseline take them: it is refused, or each CPU has a
 * model and prints to one that says the same. */
#include "model/guest_parts.h"
#include "ops/cpus.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const Cpu *cpu)
{
	g_autoptr(GError) error = NULL;
	g_assert_nonnull(cpu->model);
	g_autofree char *printed = shape_to_xml(&cpu_shape, "cpu", cpu, 0);
	Cpu *again = shape_from_xml(&cpu_shape, "cpu", printed, -1, "printed", NULL, &error);
	if (!again)
		g_error("own XML is refused: %s\n%s", error->message, printed);
	g_autofree char *reprinted = shape_to_xml(&cpu_shape, "cpu", again, 0);
	g_assert_cmpstr(printed, ==, reprinted);
	shape_free(&cpu_shape, again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *)data, size);
	for (gboolean validate = FALSE; validate <= TRUE; validate++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(GPtrArray) cpus = cpus_read(text, validate, &error);
		g_assert_true(!cpus == !!error && (!error || g_utf8_validate(error->message, -1, NULL)));
		g_assert_true(!cpus || (cpus->len > 0 && cpus->len <= 256));
		for (guint i = 0; cpus && i < cpus->len; i++)
			check(cpus->pdata[i]);
	}
	return 0;
}
