/* See nft.h. The script goes in by a file in memory, so that no file system is needed. */
#include "host/nft.h"
#include "base/error.h"
#include "base/fd.h"
#include "host/spawn.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define NFT_MS 30000 /* nft waits for others who change rules */
#define SAID 400     /* bytes of nft's complaint that go into a message */

gboolean nft_present(void)
{
	g_autofree char *path = g_find_program_in_path("nft");
	return path != NULL;
}

struct NftRun {
	SpawnRun program;
};

/* Starts nft with @argv, which reads @input (-1: nothing). */
static NftRun *begin(const char *const *argv, int input, GError **error)
{
	SpawnFd fds[] = { { .from = input, .to = 0 } };
	Spawn how = { .argv = argv, .fds = fds, .n_fds = input >= 0 ? 1 : 0, .same_session = TRUE };
	if (!nft_present()) {
		fail(error, LODGE_ERROR_UNSUPPORTED,
		     "the program nft is missing: install the package nftables");
		return NULL;
	}
	NftRun *run = g_new0(NftRun, 1);
	if (!spawn_begin(&how, NFT_MS, &run->program, error))
		g_clear_pointer(&run, g_free);
	return run;
}

/* *out is what it said; NULL: nobody wants it. Frees @run. */
static gboolean finish(NftRun *run, char **out, GError **error)
{
	g_autofree NftRun *owned = run;
	g_autofree char *said = NULL;
	int status = 0;
	if (!spawn_finish(&owned->program, &said, &status, error))
		return FALSE;
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		if (strlen(said) > SAID)
			said[SAID] = '\0';
		return fail(error, LODGE_ERROR_SYSTEM, "nft: %s",
			    *g_strstrip(said) ? said : "failed without a word");
	}
	if (out)
		*out = g_steal_pointer(&said);
	return TRUE;
}

NftRun *nft_begin(const char *script, GError **error)
{
	static const char *const argv[] = { "nft", "-f", "-", NULL };
	autofd int input = memfd_create("nft", MFD_CLOEXEC);
	gsize length = strlen(script);
	if (input >= 0 && write(input, script, length) == (ssize_t)length && lseek(input, 0, SEEK_SET) == 0)
		return begin(argv, input, error);
	fail_errno(error, errno, "rules for nft");
	return NULL;
}

gboolean nft_finish(NftRun *run, GError **error)
{
	return finish(run, NULL, error);
}

gboolean nft_run(const char *script, GError **error)
{
	NftRun *run = nft_begin(script, error);
	return run && finish(run, NULL, error);
}

char *nft_list(const char *what, GError **error)
{
	g_auto(GStrv) words = g_strsplit(what, " ", -1);
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	char *out = NULL;
	g_ptr_array_add(argv, (gpointer) "nft");
	g_ptr_array_add(argv, (gpointer) "-j");
	g_ptr_array_add(argv, (gpointer) "list");
	for (char **word = words; *word; word++)
		g_ptr_array_add(argv, *word);
	g_ptr_array_add(argv, NULL);
	NftRun *run = begin((const char *const *)argv->pdata, -1, error);
	return run && finish(run, &out, error) ? out : NULL;
}
