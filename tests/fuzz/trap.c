/* For libFuzzer alone: g_error() ends in a trap, which libFuzzer does not catch. As an abort the input that
 * led there is kept. */
#include <signal.h>
#include <stdlib.h>

static void on_trap(int number)
{
	(void)number;
	abort();
}

static void __attribute__((constructor)) catch_traps(void)
{
	signal(SIGTRAP, on_trap);
}
