/* The kernel's packet rules, through the program nft: what is in one script happens as a whole or not
 * at all. Neighbours: netlink.h has interfaces; net/ writes the scripts. Any thread but the main
 * loop's: a call takes some milliseconds. */
#pragma once

#include <glib.h>

/* Runs @script, in nft's language, as one transaction. UNSUPPORTED where nft is not installed;
 * otherwise what nft said. */
gboolean nft_run(const char *script, GError **error);

/* The same in two steps, for who has something else to do meanwhile: nft waits at its end until the kernel
 * has let go of what was before, 10 ms. NULL on failure; what was begun must be finished, which frees it. */
typedef struct NftRun NftRun;
NftRun *nft_begin(const char *script, GError **error);
gboolean nft_finish(NftRun *run, GError **error);

/* What `nft -j list @what` says ("ruleset", "chains", "table inet lodge"), for the caller to free. NULL
 * on failure, also where it is not there. */
char *nft_list(const char *what, GError **error);

/* Whether the program is there. */
gboolean nft_present(void);
