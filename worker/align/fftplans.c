#include "worker/align/fftplans.h"

#include <fftw3.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/infile.h"

/* A 2-D transform is done as 1-D ones over blocks of rows, then over blocks of columns: rows that
 * are known to be zero or not wanted can be left out, and planning stays bounded. 16 complex
 * columns are two cache lines; 16 rows of any length keep the alignment of the array. */
#define BLOCK 16

/* Measured on a Zen 4 core: plans that FFTW measures run 1.2 to 1.6 times as fast as those it
 * estimates (768x540: 1.5 against 2.4 ms; 3136x2160: 39 against 48 ms), but take 0.6 s (768x540) to
 * 1.2 s (3136x2160) to make, once a size. That pays where there is a wisdom file to keep them in,
 * and never without. A single plan is measured for at most this long; FFTW then takes the best it
 * has found. */
#define MEASURE_S 0.5

#define WISDOM_MAX (1 << 20) /* bytes; ours are a few thousand */

/* FFTW's planner and its wisdom are one per process, and so is the lock that guards them. */
static pthread_mutex_t planner_lock = PTHREAD_MUTEX_INITIALIZER;

struct pm_fft {
    struct pm_fft *next;
    int w, h;
    int bins; /* w / 2 + 1 complex numbers a row of the spectrum */
    /* [0]: a block of BLOCK rows or columns, [1]: the rest (NULL when there is none) */
    fftwf_plan row_forward[2], row_backward[2];
    fftwf_plan column_forward[2], column_backward[2];
};

struct pm_fftplans {
    char *wisdom_path;
    struct pm_fft *first; /* under planner_lock, as `learned` */
    bool learned;         /* plans were made that the wisdom file does not know yet */
};

/* Reads the whole file; NULL when there is nothing usable. */
static char *read_wisdom(const char *path)
{
    int fd;
    int64_t size;
    char *text = NULL;

    if (pm_infile_open(&fd, &size, path, NULL) != PM_OK) {
        return NULL;
    }
    if (size > 0 && size <= WISDOM_MAX) {
        text = calloc(1, (size_t)size + 1);
    }
    if (text != NULL && pm_infile_pread(fd, text, (size_t)size, 0) != size) {
        free(text);
        text = NULL;
    }
    close(fd);
    return text;
}

/* A damaged file is refused by FFTW as a whole: it costs time, no more. */
static void import_wisdom(const char *path)
{
    char *text = read_wisdom(path);
    if (text != NULL) {
        (void)fftwf_import_wisdom_from_string(text);
        free(text);
    }
}

/* Written beside and renamed, so that another process never reads half of it. */
static void export_wisdom(const char *path)
{
    char temp[4096];
    char *text = fftwf_export_wisdom_to_string();
    int fd = -1;
    bool written = false;

    if (text != NULL && snprintf(temp, sizeof temp, "%s.XXXXXX", path) < (int)sizeof temp) {
        fd = mkstemp(temp);
    }
    if (fd >= 0) {
        size_t n = strlen(text);
        written = write(fd, text, n) == (ssize_t)n;
        written = close(fd) == 0 && written;
        if (!written || rename(temp, path) != 0) {
            unlink(temp);
        }
    }
    free(text);
}

enum pm_code pm_fftplans_new(struct pm_fftplans **out, const char *wisdom_path, struct pm_err *err)
{
    struct pm_fftplans *plans = calloc(1, sizeof *plans);
    if (plans != NULL && wisdom_path != NULL) {
        plans->wisdom_path = strdup(wisdom_path);
    }
    if (plans == NULL || (wisdom_path != NULL && plans->wisdom_path == NULL)) {
        free(plans);
        return pm_err_set(err, PM_ENOMEM, "no memory for FFT plans");
    }
    if (wisdom_path != NULL) {
        pthread_mutex_lock(&planner_lock);
        import_wisdom(wisdom_path);
        pthread_mutex_unlock(&planner_lock);
    }
    *out = plans;
    return PM_OK;
}

static void destroy_two(fftwf_plan plan[2])
{
    for (int i = 0; i < 2; i++) {
        if (plan[i] != NULL) {
            fftwf_destroy_plan(plan[i]);
        }
    }
}

/* Under planner_lock. */
static void free_fft(struct pm_fft *fft)
{
    destroy_two(fft->row_forward);
    destroy_two(fft->row_backward);
    destroy_two(fft->column_forward);
    destroy_two(fft->column_backward);
    free(fft);
}

void pm_fftplans_free(struct pm_fftplans *plans)
{
    if (plans == NULL) {
        return;
    }
    pthread_mutex_lock(&planner_lock);
    while (plans->first != NULL) {
        struct pm_fft *fft = plans->first;
        plans->first = fft->next;
        free_fft(fft);
    }
    if (plans->learned && plans->wisdom_path != NULL) {
        export_wisdom(plans->wisdom_path);
    }
    pthread_mutex_unlock(&planner_lock);
    free(plans->wisdom_path);
    free(plans);
}

static bool is_smooth(int n)
{
    static const int primes[] = {2, 3, 5, 7};
    for (size_t i = 0; i < sizeof primes / sizeof primes[0]; i++) {
        while (n % primes[i] == 0) {
            n /= primes[i];
        }
    }
    return n == 1;
}

int pm_fft_smooth_size(int n)
{
    int size = n < 1 ? 1 : n;
    while (!is_smooth(size)) {
        size++;
    }
    return size;
}

/* How many lines block i (0: full, 1: the rest) of n lines has; 0 when there is none. */
static int lines_in(int n, int i)
{
    if (i == 0) {
        return n >= BLOCK ? BLOCK : 0;
    }
    return n % BLOCK;
}

/* False when FFTW gave no plan: out of memory. */
static bool plan_rows(
    struct pm_fft *fft, int i, unsigned rigor, float *real, fftwf_complex *spectrum)
{
    int n = lines_in(fft->h, i);
    if (n == 0) {
        return true;
    }
    fft->row_forward[i] = fftwf_plan_many_dft_r2c(1, &fft->w, n, real, NULL, 1, fft->w, spectrum,
        NULL, 1, fft->bins, rigor | FFTW_PRESERVE_INPUT);
    fft->row_backward[i] = fftwf_plan_many_dft_c2r(1, &fft->w, n, spectrum, NULL, 1, fft->bins,
        real, NULL, 1, fft->w, rigor | FFTW_DESTROY_INPUT);
    return fft->row_forward[i] != NULL && fft->row_backward[i] != NULL;
}

static bool plan_columns(struct pm_fft *fft, int i, unsigned rigor, fftwf_complex *spectrum)
{
    int n = lines_in(fft->bins, i);
    if (n == 0) {
        return true;
    }
    fft->column_forward[i] = fftwf_plan_many_dft(1, &fft->h, n, spectrum, NULL, fft->bins, 1,
        spectrum, NULL, fft->bins, 1, FFTW_FORWARD, rigor);
    fft->column_backward[i] = fftwf_plan_many_dft(1, &fft->h, n, spectrum, NULL, fft->bins, 1,
        spectrum, NULL, fft->bins, 1, FFTW_BACKWARD, rigor);
    return fft->column_forward[i] != NULL && fft->column_backward[i] != NULL;
}

/* Under planner_lock. NULL: out of memory. */
static struct pm_fft *make_fft(int w, int h, bool measure)
{
    struct pm_fft *fft = calloc(1, sizeof *fft);
    int bins = w / 2 + 1;
    float *real = fftwf_malloc(sizeof *real * (size_t)w * BLOCK);
    fftwf_complex *spectrum = fftwf_malloc(sizeof *spectrum * (size_t)bins * (size_t)(h + BLOCK));
    bool made = fft != NULL && real != NULL && spectrum != NULL;

    if (made) {
        fft->w = w;
        fft->h = h;
        fft->bins = bins;
        fftwf_set_timelimit(MEASURE_S);
        for (int i = 0; i < 2 && made; i++) {
            /* The rest, less than one block a transform, is not worth measuring. */
            unsigned rigor = measure && i == 0 ? FFTW_MEASURE : FFTW_ESTIMATE;
            made =
                plan_rows(fft, i, rigor, real, spectrum) && plan_columns(fft, i, rigor, spectrum);
        }
    }
    fftwf_free(spectrum);
    fftwf_free(real);
    if (!made && fft != NULL) {
        free_fft(fft);
        fft = NULL;
    }
    return fft;
}

static struct pm_fft *find_fft(const struct pm_fftplans *plans, int w, int h)
{
    struct pm_fft *fft = plans->first;
    while (fft != NULL && (fft->w != w || fft->h != h)) {
        fft = fft->next;
    }
    return fft;
}

enum pm_code pm_fft_get(
    struct pm_fftplans *plans, int w, int h, const struct pm_fft **out, struct pm_err *err)
{
    struct pm_fft *fft;

    pthread_mutex_lock(&planner_lock);
    fft = find_fft(plans, w, h);
    if (fft == NULL) {
        fft = make_fft(w, h, plans->wisdom_path != NULL);
        if (fft != NULL) {
            fft->next = plans->first;
            plans->first = fft;
            plans->learned = true;
        }
    }
    pthread_mutex_unlock(&planner_lock);
    if (fft == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory to plan a %dx%d FFT", w, h);
    }
    *out = fft;
    return PM_OK;
}

/* The plan for the lines from `line` on, of n in all. */
static fftwf_plan pick(const fftwf_plan plan[2], int line, int n)
{
    return line + BLOCK <= n ? plan[0] : plan[1];
}

static void columns(const struct pm_fft *fft, const fftwf_plan plan[2], fftwf_complex *spectrum)
{
    for (int x = 0; x < fft->bins; x += BLOCK) {
        fftwf_execute_dft(pick(plan, x, fft->bins), spectrum + x, spectrum + x);
    }
}

void pm_fft_forward_rows(const struct pm_fft *fft, float *real, int rows, float (*spectrum)[2])
{
    int y = 0;
    for (; y < rows && y < fft->h; y += BLOCK) {
        fftwf_execute_dft_r2c(pick(fft->row_forward, y, fft->h), real + (size_t)y * (size_t)fft->w,
            spectrum + (size_t)y * (size_t)fft->bins);
    }
    if (y < fft->h) {
        size_t rest = (size_t)(fft->h - y) * (size_t)fft->bins;
        memset(spectrum + (size_t)y * (size_t)fft->bins, 0, rest * sizeof *spectrum);
    }
    columns(fft, fft->column_forward, spectrum);
}

void pm_fft_forward(const struct pm_fft *fft, float *real, float (*spectrum)[2])
{
    pm_fft_forward_rows(fft, real, fft->h, spectrum);
}

void pm_fft_backward_rows(
    const struct pm_fft *fft, float (*spectrum)[2], int first, int last, float *real)
{
    columns(fft, fft->column_backward, spectrum);
    for (int y = 0; y < fft->h; y += BLOCK) {
        if (y < first || y + BLOCK > fft->h - last) {
            fftwf_execute_dft_c2r(pick(fft->row_backward, y, fft->h),
                spectrum + (size_t)y * (size_t)fft->bins, real + (size_t)y * (size_t)fft->w);
        }
    }
}

void pm_fft_backward(const struct pm_fft *fft, float (*spectrum)[2], float *real)
{
    pm_fft_backward_rows(fft, spectrum, fft->h, 0, real);
}

void *pm_fft_alloc(size_t bytes)
{
    return fftwf_malloc(bytes);
}

void pm_fft_release(void *data)
{
    fftwf_free(data);
}
