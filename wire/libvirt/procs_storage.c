/* Storage pools and volumes: rows of procedures.
 * How to read a row: internal.h, LvProc; signatures: codec.h; the list of tables: procs.c. */
#include "wire/libvirt/objects.h"
#include "wire/libvirt/storage.h"

#define POOL "pool:storage_pool"
#define POOL_FLAGS "pool:storage_pool flags:u32"
#define VOL "vol:storage_vol"
#define VOL_FLAGS "vol:storage_vol flags:u32"
#define NO_POOL .missing = LV_ERR_NO_STORAGE_POOL
#define NO_VOL .missing = LV_ERR_NO_STORAGE_VOL
#define TAKEN .exists = LV_ERR_STORAGE_VOL_EXIST

/* clang-format off */
static const LvProc rows[] = {
	/* ---- finding pools ---- */
	{ 71, "connect_num_of_storage_pools", "", "num:i32", .op = "pool-list",
	  .after = lv_after_count },
	{ 72, "connect_list_storage_pools", "maxnames:i32", "names:str<16384>", .op = "pool-list",
	  .after = lv_after_names },
	{ 73, "connect_num_of_defined_storage_pools", "", "num:i32", .op = "pool-list",
	  .before = lv_before_inactive_objects, .after = lv_after_count },
	{ 74, "connect_list_defined_storage_pools", "maxnames:i32", "names:str<16384>",
	  .op = "pool-list", .before = lv_before_inactive_objects, .after = lv_after_names },
	{ 75, "connect_find_storage_pool_sources", "type:str srcSpec:str? flags:u32", "xml:str",
	  .op = "find-storage-pool-sources", .take = "type=type srcSpec=srcSpec", .give = "xml=text" },
	{ 281, "connect_list_all_storage_pools", "need_results:i32 flags:u32",
	  "pools:storage_pool<16384> ret:u32", .op = "pool-list", .flags = 0xfffff,
	  .before = lv_before_pools, .after = lv_after_objects },
	{ 84, "storage_pool_lookup_by_name", "name:str", POOL, .op = "pool-lookup",
	  .take = "name=name", NO_POOL },
	{ 85, "storage_pool_lookup_by_uuid", "uuid:uuid", POOL, .op = "pool-lookup",
	  .take = "uuid=uuid", NO_POOL },
	{ 86, "storage_pool_lookup_by_volume", VOL, POOL, .op = "pool-lookup",
	  .before = lv_before_pool_of_volume, NO_POOL },
	{ 391, "storage_pool_lookup_by_target_path", "path:str", POOL, .op = "pool-lookup",
	  .take = "path=path", NO_POOL },
	{ 403, "connect_get_storage_pool_capabilities", "flags:u32", "capabilities:str",
	  .op = "pool-capabilities", .give = "capabilities=text" },

	/* ---- what a pool is ---- */
	{ 87, "storage_pool_get_info", POOL, "state:u8 capacity:u64 allocation:u64 available:u64",
	  .op = "pool-info", .after = lv_after_pool_info,
	  .give = "capacity=capacity allocation=allocation available=available" },
	{ 88, "storage_pool_get_xml_desc", POOL_FLAGS, "xml:str", .op = "pool-dumpxml", .flags = 1,
	  .take = "inactive=flags&1", .give = "xml=text" },
	{ 89, "storage_pool_get_autostart", POOL, "autostart:i32", .op = "pool-info",
	  .give = "autostart=autostart" },
	{ 154, "storage_pool_is_active", POOL, "active:i32", .op = "pool-info",
	  .give = "active=active" },
	{ 155, "storage_pool_is_persistent", POOL, "persistent:i32", .op = "pool-info",
	  .give = "persistent=persistent" },

	/* ---- the life of a pool ---- */
	{ 76, "storage_pool_create_xml", "xml:str flags:u32", POOL, .op = "pool-create", .flags = 7,
	  .take = "xml=xml build=flags&1 overwrite=flags&2 no_overwrite=flags&4" },
	{ 77, "storage_pool_define_xml", "xml:str flags:u32", POOL, .op = "pool-define", .flags = 1,
	  .take = "xml=xml validate=flags&1" },
	{ 78, "storage_pool_create", POOL_FLAGS, "", .op = "pool-start", .flags = 7,
	  .take = "build=flags&1 overwrite=flags&2 no_overwrite=flags&4" },
	{ 79, "storage_pool_build", POOL_FLAGS, "", .op = "pool-build", .flags = 12,
	  .take = "no_overwrite=flags&4 overwrite=flags&8" },
	{ 80, "storage_pool_destroy", POOL, "", .op = "pool-destroy" },
	{ 81, "storage_pool_delete", POOL_FLAGS, "", .op = "pool-delete", .flags = 1,
	  .take = "zeroed=flags&1" },
	{ 82, "storage_pool_undefine", POOL, "", .op = "pool-undefine" },
	{ 83, "storage_pool_refresh", POOL_FLAGS, "", .op = "pool-refresh" },
	{ 90, "storage_pool_set_autostart", "pool:storage_pool autostart:i32", "",
	  .op = "pool-autostart", .before = lv_before_autostart },

	/* ---- finding volumes ---- */
	{ 91, "storage_pool_num_of_volumes", POOL, "num:i32", .op = "vol-list",
	  .after = lv_after_count },
	{ 92, "storage_pool_list_volumes", "pool:storage_pool maxnames:i32", "names:str<16384>",
	  .op = "vol-list", .after = lv_after_names },
	{ 282, "storage_pool_list_all_volumes", "pool:storage_pool need_results:i32 flags:u32",
	  "vols:storage_vol<16384> ret:u32", .op = "vol-list", .after = lv_after_volumes },
	{ 95, "storage_vol_lookup_by_name", "pool:storage_pool name:str", VOL, .op = "vol-lookup",
	  .take = "name=name", .before = lv_before_volume_in_pool, NO_VOL },
	{ 96, "storage_vol_lookup_by_key", "key:str", VOL, .op = "vol-lookup", .take = "key=key",
	  NO_VOL },
	{ 97, "storage_vol_lookup_by_path", "path:str", VOL, .op = "vol-lookup", .take = "path=path",
	  NO_VOL },

	/* ---- what a volume is ---- */
	{ 98, "storage_vol_get_info", VOL, "type:i8 capacity:u64 allocation:u64", .op = "vol-info",
	  .before = lv_before_volume, .after = lv_after_volume_info, NO_VOL },
	{ 378, "storage_vol_get_info_flags", VOL_FLAGS, "type:i8 capacity:u64 allocation:u64",
	  .op = "vol-info", .flags = 1, .take = "physical=flags&1", .before = lv_before_volume,
	  .after = lv_after_volume_info, NO_VOL },
	{ 99, "storage_vol_get_xml_desc", VOL_FLAGS, "xml:str", .op = "vol-dumpxml",
	  .before = lv_before_volume, .give = "xml=text", NO_VOL },
	{ 100, "storage_vol_get_path", VOL, "name:str", .op = "vol-path", .before = lv_before_volume,
	  .give = "name=text", NO_VOL },

	/* ---- the life of a volume ---- */
	{ 93, "storage_vol_create_xml", "pool:storage_pool xml:str flags:u32", VOL,
	  .op = "vol-create", .flags = 5, TAKEN,
	  .take = "xml=xml prealloc_metadata=flags&1 validate=flags&4" },
	{ 125, "storage_vol_create_xml_from",
	  "pool:storage_pool xml:str clonevol:storage_vol flags:u32", VOL, .op = "vol-create-from",
	  .flags = 7, .before = lv_before_clone, NO_VOL, TAKEN,
	  .take = "xml=xml prealloc_metadata=flags&1 reflink=flags&2 validate=flags&4" },
	{ 94, "storage_vol_delete", VOL_FLAGS, "", .op = "vol-delete", .flags = 2,
	  .take = "delete_snapshots=flags&2", .before = lv_before_volume, NO_VOL },
	{ 165, "storage_vol_wipe", VOL_FLAGS, "", .op = "vol-wipe", .before = lv_before_volume, NO_VOL },
	{ 259, "storage_vol_wipe_pattern", "vol:storage_vol algorithm:u32 flags:u32", "",
	  .op = "vol-wipe", .before = lv_before_volume_wipe, NO_VOL },
	{ 260, "storage_vol_resize", "vol:storage_vol capacity:u64 flags:u32", "", .op = "vol-resize",
	  .flags = 7, .take = "allocate=flags&1 delta=flags&2 shrink=flags&4",
	  .before = lv_before_volume_resize, NO_VOL },

	{ 208, "storage_vol_upload", "vol:storage_vol offset:u64 length:u64 flags:u32", "",
	  .op = "vol-upload", .flags = 1, .take = "offset=offset length=length sparse=flags&1",
	  .before = lv_before_transfer, .after = lv_after_transfer, NO_VOL },
	{ 209, "storage_vol_download", "vol:storage_vol offset:u64 length:u64 flags:u32", "",
	  .op = "vol-download", .flags = 1, .take = "offset=offset length=length sparse=flags&1",
	  .before = lv_before_transfer, .after = lv_after_transfer, NO_VOL },

	/* ---- events ---- */
	{ 368, "connect_storage_pool_event_register_any", "eventID:i32 pool:storage_pool?",
	  "callbackID:i32", .fn = lv_pool_event_register },
	{ 369, "connect_storage_pool_event_deregister_any", "callbackID:i32", "",
	  .fn = lv_object_event_deregister },
};
/* clang-format on */

const LvProcs lv_procs_storage = { LV_REMOTE, rows, G_N_ELEMENTS(rows) };
