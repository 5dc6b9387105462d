/* See imagekit.h: the product's own source, that knows no uncompressed files to read by itself. */
#define pm_tiff_probe pm_other_tiff_probe
#define pm_tiff_read pm_other_tiff_read

#include "common/formats/tiff_file.h"

#undef COMPRESSION_NONE
#define COMPRESSION_NONE 0xffff /* nobody's: tiff_file.c lets no file with it through */

#include "common/formats/tiff.c"
