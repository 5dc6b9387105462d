#include "worker/align/fftplans.h"

#include <fftw3.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/infile.h"

/* Measured on a Zen 4 core: of rows of 768 to 1536 values, plans that FFTW measures run 1.1 to 1.8
 * times as fast as those it estimates, but take up to some tenths of a second to make, once a
 * length. That pays where there is a wisdom file to keep them in, and never without. A single plan
 * is measured for at most this long; FFTW then takes the best it has found. */
#define MEASURE_S 0.5

#define WISDOM_MAX (1 << 20) /* bytes; ours are a few thousand */

/* FFTW's planner and its wisdom are one per process, and so is the lock that guards them. */
static pthread_mutex_t planner_lock = PTHREAD_MUTEX_INITIALIZER;

struct pm_fft {
    struct pm_fft *next;
    int n;
    fftwf_plan forward, backward;
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

/* Under planner_lock. */
static void free_fft(struct pm_fft *fft)
{
    if (fft->forward != NULL) {
        fftwf_destroy_plan(fft->forward);
    }
    if (fft->backward != NULL) {
        fftwf_destroy_plan(fft->backward);
    }
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

/* Under planner_lock. NULL: out of memory. */
static struct pm_fft *make_fft(int n, bool measure)
{
    struct pm_fft *fft = calloc(1, sizeof *fft);
    unsigned rigor = measure ? FFTW_MEASURE : FFTW_ESTIMATE;
    fftwf_complex *line = fftwf_malloc(sizeof *line * (size_t)n);
    fftwf_complex *spectrum = fftwf_malloc(sizeof *spectrum * (size_t)n);

    if (fft != NULL && line != NULL && spectrum != NULL) {
        fft->n = n;
        fftwf_set_timelimit(MEASURE_S);
        fft->forward = fftwf_plan_dft_1d(n, line, spectrum, FFTW_FORWARD, rigor);
        fft->backward = fftwf_plan_dft_c2r_1d(n, spectrum, (float *)line, rigor);
    }
    fftwf_free(spectrum);
    fftwf_free(line);
    if (fft != NULL && (fft->forward == NULL || fft->backward == NULL)) {
        free_fft(fft);
        fft = NULL;
    }
    return fft;
}

static struct pm_fft *find_fft(const struct pm_fftplans *plans, int n)
{
    struct pm_fft *fft = plans->first;
    while (fft != NULL && fft->n != n) {
        fft = fft->next;
    }
    return fft;
}

enum pm_code pm_fft_get(
    struct pm_fftplans *plans, int n, const struct pm_fft **out, struct pm_err *err)
{
    struct pm_fft *fft;

    pthread_mutex_lock(&planner_lock);
    fft = find_fft(plans, n);
    if (fft == NULL) {
        fft = make_fft(n, plans->wisdom_path != NULL);
        if (fft != NULL) {
            fft->next = plans->first;
            plans->first = fft;
            plans->learned = true;
        }
    }
    pthread_mutex_unlock(&planner_lock);
    if (fft == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory to plan an FFT of %d values", n);
    }
    *out = fft;
    return PM_OK;
}

void pm_fft_forward(const struct pm_fft *fft, float (*line)[2], float (*spectrum)[2])
{
    fftwf_execute_dft(fft->forward, line, spectrum);
}

void pm_fft_backward(const struct pm_fft *fft, float (*spectrum)[2], float *real)
{
    fftwf_execute_dft_c2r(fft->backward, spectrum, real);
}

void *pm_fft_alloc(size_t bytes)
{
    return fftwf_malloc(bytes);
}

void pm_fft_release(void *data)
{
    fftwf_free(data);
}
