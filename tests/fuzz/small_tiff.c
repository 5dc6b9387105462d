/* See imagekit.h: the product's own source, compiled with other limits under other names. */
#define PM_TIFF_STRIP_WHOLE_MAX ((uint64_t)256)
#define PM_PLACER_CHUNK_BYTES ((size_t)200)
#define pm_tiff_probe pm_small_tiff_probe
#define pm_tiff_read pm_small_tiff_read
#define pm_placer_transposes pm_small_placer_transposes
#define pm_placer_init pm_small_placer_init
#define pm_placer_chunk_rows pm_small_placer_chunk_rows
#define pm_placer_row pm_small_placer_row
#define pm_placer_put pm_small_placer_put
#define pm_placer_report pm_small_placer_report

#include "common/formats/placer.c"
#include "common/formats/tiff.c"
