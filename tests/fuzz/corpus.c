/* Makes the image files of tests/fuzz/corpus/: one small sound file of each kind the readers know.
 * usage: corpus FOLDER    (writes FOLDER/tiff/NAME and FOLDER/png/NAME) */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <png.h>
#include <tiffio.h>

enum { W = 13, H = 20, TILE = 16 }; /* JPEG needs strips of 16 rows */

struct tiff_kind {
    const char *name, *mode; /* mode: as TIFFOpen() has it */
    uint16_t bits, format, samples, photometric, compression, predictor;
    uint16_t orientation;
    bool tiled, separate, reversed;
};

#define UINT SAMPLEFORMAT_UINT
#define FLOAT SAMPLEFORMAT_IEEEFP
#define RGB PHOTOMETRIC_RGB
#define GREY PHOTOMETRIC_MINISBLACK
#define DEFLATE COMPRESSION_ADOBE_DEFLATE

static const struct tiff_kind tiffs[] = {
    {"none-rgb16", "wl", 16, UINT, 3, RGB, COMPRESSION_NONE, 1, 1, false, false, false},
    {"none-rgb16-mm", "wb", 16, UINT, 3, RGB, COMPRESSION_NONE, 1, 1, false, false, false},
    {"none-rgb8-big", "w8l", 8, UINT, 3, RGB, COMPRESSION_NONE, 1, 1, false, false, false},
    {"none-f32-mm-big", "w8b", 32, FLOAT, 3, RGB, COMPRESSION_NONE, 1, 1, false, false, false},
    {"none-f16-grey", "wl", 16, FLOAT, 1, GREY, COMPRESSION_NONE, 1, 1, false, false, false},
    {"none-planes", "wl", 16, UINT, 3, RGB, COMPRESSION_NONE, 1, 1, false, true, false},
    {"none-tiles", "wl", 8, UINT, 3, RGB, COMPRESSION_NONE, 1, 1, true, false, false},
    {"none-rgba", "wl", 16, UINT, 4, RGB, COMPRESSION_NONE, 1, 1, false, false, false},
    {"none-turned", "wl", 16, UINT, 3, RGB, COMPRESSION_NONE, 1, 6, false, false, false},
    {"none-reversed", "wl", 8, UINT, 3, RGB, COMPRESSION_NONE, 1, 1, false, false, true},
    {"none-white0", "wl", 8, UINT, 1, PHOTOMETRIC_MINISWHITE, COMPRESSION_NONE, 1, 3, false, false,
        false},
    {"lzw-rgb8", "wl", 8, UINT, 3, RGB, COMPRESSION_LZW, 2, 1, false, false, false},
    {"lzw-tiles-mm", "wb", 16, UINT, 3, RGB, COMPRESSION_LZW, 2, 8, true, true, false},
    {"deflate-rgb16", "wl", 16, UINT, 3, RGB, DEFLATE, 2, 1, false, false, false},
    {"deflate-f32", "wl", 32, FLOAT, 3, RGB, DEFLATE, 3, 1, false, false, false},
    {"deflate-planes", "wl", 16, UINT, 3, RGB, COMPRESSION_DEFLATE, 1, 5, false, true, false},
    {"zstd-rgb16", "wl", 16, UINT, 3, RGB, COMPRESSION_ZSTD, 2, 1, false, false, false},
    {"zstd-f16-mm", "wb", 16, FLOAT, 3, RGB, COMPRESSION_ZSTD, 1, 1, false, false, false},
    {"packbits-rgb8", "wl", 8, UINT, 3, RGB, COMPRESSION_PACKBITS, 1, 1, false, false, false},
    {"packbits-grey16", "wb", 16, UINT, 2, GREY, COMPRESSION_PACKBITS, 1, 4, false, false, false},
    {"jpeg-ycbcr", "wl", 8, UINT, 3, PHOTOMETRIC_YCBCR, COMPRESSION_JPEG, 1, 1, false, false,
        false},
    {"jpeg-grey-tiles", "wl", 8, UINT, 1, GREY, COMPRESSION_JPEG, 1, 1, true, false, false},
    {"jpeg-planes", "wl", 8, UINT, 3, RGB, COMPRESSION_JPEG, 1, 2, false, true, false},
};

static void fill(unsigned char *data, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        data[i] = (unsigned char)(i / 6 * 5 + (i * i >> 7) % 9);
    }
}

static void give_up(const char *what)
{
    fprintf(stderr, "corpus: cannot make %s\n", what);
    exit(1);
}

static void put_tags(TIFF *tif, const struct tiff_kind *kind)
{
    uint16_t extra = EXTRASAMPLE_UNASSALPHA;
    TIFFSetField(tif, TIFFTAG_IMAGEWIDTH, W);
    TIFFSetField(tif, TIFFTAG_IMAGELENGTH, H);
    TIFFSetField(tif, TIFFTAG_SAMPLESPERPIXEL, kind->samples);
    TIFFSetField(tif, TIFFTAG_BITSPERSAMPLE, kind->bits);
    TIFFSetField(tif, TIFFTAG_SAMPLEFORMAT, kind->format);
    TIFFSetField(tif, TIFFTAG_PHOTOMETRIC, kind->photometric);
    TIFFSetField(tif, TIFFTAG_COMPRESSION, kind->compression);
    TIFFSetField(tif, TIFFTAG_ORIENTATION, kind->orientation);
    TIFFSetField(
        tif, TIFFTAG_PLANARCONFIG, kind->separate ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
    if (kind->predictor > 1) {
        TIFFSetField(tif, TIFFTAG_PREDICTOR, kind->predictor);
    }
    if (kind->reversed) {
        TIFFSetField(tif, TIFFTAG_FILLORDER, FILLORDER_LSB2MSB);
    }
    if (kind->photometric == PHOTOMETRIC_YCBCR) {
        TIFFSetField(tif, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    }
    if (kind->samples % 2 == 0) {
        TIFFSetField(tif, TIFFTAG_EXTRASAMPLES, 1, &extra);
    }
    if (kind->tiled) {
        TIFFSetField(tif, TIFFTAG_TILEWIDTH, TILE);
        TIFFSetField(tif, TIFFTAG_TILELENGTH, TILE);
    } else {
        TIFFSetField(tif, TIFFTAG_ROWSPERSTRIP, TILE);
    }
}

static void make_tiff(const char *folder, const struct tiff_kind *kind)
{
    static unsigned char data[TILE * TILE * 16];
    char path[4096];
    TIFF *tif;

    snprintf(path, sizeof path, "%s/tiff/%s", folder, kind->name);
    tif = TIFFOpen(path, kind->mode);
    if (tif == NULL) {
        give_up(path);
    }
    put_tags(tif, kind);
    fill(data, sizeof data);
    uint32_t blocks = kind->tiled ? TIFFNumberOfTiles(tif) : TIFFNumberOfStrips(tif);
    for (uint32_t i = 0; i < blocks; i++) {
        uint32_t rows =
            !kind->tiled && i % 2 == 1 ? H - TILE : TILE; /* the second strip is lower */
        tmsize_t put = kind->tiled ? TIFFWriteEncodedTile(tif, i, data, TIFFTileSize(tif))
                                   : TIFFWriteEncodedStrip(tif, i, data, TIFFVStripSize(tif, rows));
        if (put <= 0) {
            give_up(path);
        }
    }
    TIFFClose(tif);
}

static const struct png_kind {
    const char *name;
    int bits, color, interlace;
    bool extras; /* text, a profile, gamma ... */
} pngs[] = {
    {"grey1", 1, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, false},
    {"grey2-interlaced", 2, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_ADAM7, false},
    {"grey8", 8, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, false},
    {"grey16-alpha", 16, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_INTERLACE_NONE, false},
    {"palette4", 4, PNG_COLOR_TYPE_PALETTE, PNG_INTERLACE_NONE, false},
    {"palette8-interlaced", 8, PNG_COLOR_TYPE_PALETTE, PNG_INTERLACE_ADAM7, true},
    {"rgb8-extras", 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, true},
    {"rgb16", 16, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, false},
    {"rgb16-interlaced", 16, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_ADAM7, false},
    {"rgba8", 8, PNG_COLOR_TYPE_RGB_ALPHA, PNG_INTERLACE_ADAM7, false},
};

static void put_extras(png_structp png, png_infop info, const struct png_kind *kind)
{
    static char key[] = "Comment", value[] = "made by tests/fuzz/corpus.c";
    static char packed[] = "packed packed packed packed packed packed packed packed";
    png_text texts[] = {{.compression = PNG_TEXT_COMPRESSION_NONE, .key = key, .text = value},
        {.compression = PNG_TEXT_COMPRESSION_zTXt, .key = key, .text = packed}};
    png_color_16 clear = {.red = 5, .green = 5, .blue = 5};
    png_byte alphas[] = {0, 128};

    if (kind->extras) {
        png_set_text(png, info, texts, 2);
        png_set_gAMA(png, info, 1 / 2.2);
        png_set_pHYs(png, info, 72, 72, PNG_RESOLUTION_METER);
        png_set_tRNS(png, info, alphas, 2, &clear);
    }
}

static void make_png(const char *folder, const struct png_kind *kind)
{
    static png_byte data[H][W * 8];
    png_bytep rows[H];
    png_color palette[16];
    char path[4096];
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);

    snprintf(path, sizeof path, "%s/png/%s", folder, kind->name);
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        give_up(path);
    }
    fill(data[0], sizeof data);
    for (int i = 0; i < H; i++) {
        rows[i] = data[i];
    }
    for (int i = 0; i < 16; i++) {
        palette[i] = (png_color){(png_byte)(i * 16), (png_byte)(i * 3), (png_byte)(255 - i)};
    }
    for (int i = 0; kind->color == PNG_COLOR_TYPE_PALETTE && kind->bits == 8 && i < H * W; i++) {
        rows[i / W][i % W] &= 15;
    }
    png_init_io(png, file);
    png_set_IHDR(png, info, W, H, kind->bits, kind->color, kind->interlace,
        PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (kind->color == PNG_COLOR_TYPE_PALETTE) {
        png_set_PLTE(png, info, palette, 16);
    }
    put_extras(png, info, kind);
    png_set_rows(png, info, rows);
    png_write_png(png, info, PNG_TRANSFORM_IDENTITY, NULL);
    png_destroy_write_struct(&png, &info);
    fclose(file);
}

int main(int argc, char **argv)
{
    char path[4096];
    if (argc != 2) {
        fprintf(stderr, "usage: corpus FOLDER\n");
        return 2;
    }
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", argv[1], i == 0 ? "tiff" : "png");
        (void)mkdir(path, 0777);
    }
    for (size_t i = 0; i < sizeof tiffs / sizeof tiffs[0]; i++) {
        make_tiff(argv[1], &tiffs[i]);
    }
    for (size_t i = 0; i < sizeof pngs / sizeof pngs[0]; i++) {
        make_png(argv[1], &pngs[i]);
    }
    return 0;
}
