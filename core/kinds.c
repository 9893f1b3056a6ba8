/* The list of kinds of objects beside guests. To add one: its file and one line here and in kinds.h.
 * Neighbours: object.h says what a kind is. */
#include "core/kinds.h"

const CoreKind *const core_kinds[CORE_KINDS] = {
	[CORE_SECRET] = &core_secret_kind,
	[CORE_NWFILTER] = &core_kind_nwfilter,
	[CORE_NETWORK] = &core_network_kind,
	[CORE_POOL] = &core_pool_kind,
};
