#include "cli/bench_opts.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"

#define SIDE_MIN 32            /* px: below it there is no room for a shift and a scene */
#define PIXELS_MAX (100000000) /* 100 MP: 600 MB an image */
#define WORKERS_MAX 256
#define PAIRS_MAX 1000

const struct pm_arg pm_bench_args[] = {
    {"sizes", NULL, "WxH,...", "of generated pairs"},
    {"noise", NULL, "LEVEL,...", "of generated targets: none, medium, heavy"},
    {"pairs", NULL, "K", "generated for each size and noise (default 1)"},
    {"methods", NULL, "M,...", "only these, however long they take"},
    {"repeat", NULL, "N", "median of N timings (default 5)"},
    {"limit", NULL, "SECONDS", "leave a slow method out where one search takes longer"},
    {"check", NULL, NULL, "given pairs: is it what bruteforce finds"},
    {"workers", NULL, "N,...", "also pairs per second on N threads at once"},
    {"compare", NULL, "opencv", "also cv2.phaseCorrelate on the same pixels"},
    {"fit", NULL, NULL, "also ms = a + b * MP of hierarchical over the sizes"},
    {"seed", NULL, "N", "another seed, other scenes and shifts (default 1)"},
    {"json", NULL, NULL, "one JSON object instead of tables"},
    {"config", NULL, "FILE", "settings from a file; options beat it"},
    PM_CLI_ARGS_HELP,
    {NULL, NULL, NULL, NULL},
};

void pm_bench_defaults(struct pm_bench_opts *opts, const struct pm_conf *conf)
{
    *opts = (struct pm_bench_opts){
        .sizes = {{256, 256}, {512, 512}, {1024, 1024}, {2048, 2048}, {6000, 4000}},
        .size_count = 5,
        .noises = {PM_BENCH_NONE, PM_BENCH_MEDIUM, PM_BENCH_HEAVY},
        .noise_count = PM_BENCH_NOISES,
        .methods = {PM_METHOD_ORIGINAL, PM_METHOD_BRUTEFORCE, PM_METHOD_FFT, PM_METHOD_HIERARCHICAL,
            PM_METHOD_GPU},
        .method_count = 5,
        .repeat = 5,
        .pairs = 1,
        .limit_s = 2,
        .seed = 1,
        .conf = conf,
    };
}

/* A whole number from min to max and nothing else; *end is set behind it. */
static bool number(const char *text, long min, long max, long *out, char **end)
{
    errno = 0;
    *out = strtol(text, end, 10);
    return *end != text && errno == 0 && *out >= min && *out <= max;
}

static enum pm_code one_number(
    const struct pm_args *args, const char *name, long min, long max, long *out, struct pm_err *err)
{
    const char *text = pm_args_get(args, name);
    char *end;
    if (text != NULL && (!number(text, min, max, out, &end) || *end != '\0')) {
        return pm_err_set(
            err, PM_EUSAGE, "--%s %s: it takes a number from %ld to %ld", name, text, min, max);
    }
    return PM_OK;
}

/* One item of a list into opts; false when it makes no sense. count: how many were taken before. */
typedef bool take_item(struct pm_bench_opts *opts, int count, const char *item);

static bool take_size(struct pm_bench_opts *opts, int count, const char *item)
{
    long w, h;
    char *end;
    if (!number(item, SIDE_MIN, PIXELS_MAX, &w, &end) || *end != 'x' ||
        !number(end + 1, SIDE_MIN, PIXELS_MAX, &h, &end) || *end != '\0' || w * h > PIXELS_MAX) {
        return false;
    }
    opts->sizes[count] = (struct pm_bench_size){(int)w, (int)h};
    opts->size_count = count + 1;
    return true;
}

static bool take_noise(struct pm_bench_opts *opts, int count, const char *item)
{
    for (int i = 0; i < PM_BENCH_NOISES && count < PM_BENCH_NOISES; i++) {
        if (strcmp(item, pm_bench_noise_name((enum pm_bench_noise)i)) == 0) {
            opts->noises[count] = (enum pm_bench_noise)i;
            opts->noise_count = count + 1;
            return true;
        }
    }
    return false;
}

static bool take_method(struct pm_bench_opts *opts, int count, const char *item)
{
    enum pm_method method = pm_method_from_name(item);
    if (method == PM_METHOD_COUNT || count >= PM_METHOD_COUNT) {
        return false;
    }
    opts->methods[count] = method;
    opts->method_count = count + 1;
    opts->methods_asked = true;
    return true;
}

static bool take_workers(struct pm_bench_opts *opts, int count, const char *item)
{
    long n;
    char *end;
    if (!number(item, 1, WORKERS_MAX, &n, &end) || *end != '\0') {
        return false;
    }
    opts->workers[count] = (int)n;
    opts->worker_count = count + 1;
    return true;
}

static bool take_compare(struct pm_bench_opts *opts, int count, const char *item)
{
    (void)count;
    opts->opencv = strcmp(item, "opencv") == 0;
    return opts->opencv;
}

static const struct list {
    const char *name, *takes;
    take_item *take;
} lists[] = {
    {"sizes", "WxH, sides from 32 px, up to 100 megapixels", take_size},
    {"noise", "none, medium or heavy", take_noise},
    {"methods", "auto, original, bruteforce, fft, hierarchical or gpu", take_method},
    {"workers", "a number of threads from 1 to 256", take_workers},
    {"compare", "opencv", take_compare},
};

static enum pm_code split(
    struct pm_bench_opts *opts, const struct list *list, const char *text, struct pm_err *err)
{
    for (int count = 0; *text != '\0' || count == 0; count++) {
        char item[64];
        size_t len = strcspn(text, ",");
        bool fits = len < sizeof item && count < PM_BENCH_LIST;
        memcpy(item, text, fits ? len : 0);
        item[fits ? len : 0] = '\0';
        if (!fits || !list->take(opts, count, item)) {
            return pm_err_set(err, PM_EUSAGE, "--%s: \"%.*s\" is not %s", list->name,
                len > 60 ? 60 : (int)len, text, list->takes);
        }
        text += len + (text[len] == ',' ? 1 : 0);
    }
    return PM_OK;
}

static enum pm_code take_lists(
    struct pm_bench_opts *opts, const struct pm_args *args, struct pm_err *err)
{
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        const char *text = pm_args_get(args, lists[i].name);
        if (text != NULL) {
            enum pm_code rc = split(opts, &lists[i], text, err);
            if (rc != PM_OK) {
                return rc;
            }
        }
    }
    return PM_OK;
}

static enum pm_code take_limit(
    struct pm_bench_opts *opts, const struct pm_args *args, struct pm_err *err)
{
    const char *text = pm_args_get(args, "limit");
    char *end;
    if (text != NULL) {
        opts->limit_s = strtod(text, &end);
        if (end == text || *end != '\0' || !(opts->limit_s > 0) || opts->limit_s > 86400) {
            return pm_err_set(err, PM_EUSAGE, "--limit %s: it takes seconds, above 0", text);
        }
    }
    return PM_OK;
}

static enum pm_code take_numbers(
    struct pm_bench_opts *opts, const struct pm_args *args, struct pm_err *err)
{
    long repeat = opts->repeat, pairs = opts->pairs, seed = (long)opts->seed;
    enum pm_code rc = one_number(args, "repeat", 1, PM_BENCH_REPEAT_MAX, &repeat, err);
    if (rc == PM_OK) {
        rc = one_number(args, "pairs", 1, PAIRS_MAX, &pairs, err);
    }
    if (rc == PM_OK) {
        rc = one_number(args, "seed", 0, 1000000000, &seed, err);
    }
    opts->repeat = (int)repeat;
    opts->pairs = (int)pairs;
    opts->seed = (uint64_t)seed;
    return rc == PM_OK ? take_limit(opts, args, err) : rc;
}

/* Files, and what goes with them or without. */
static enum pm_code take_files(
    struct pm_bench_opts *opts, const struct pm_args *args, struct pm_err *err)
{
    static const char *const generated[] = {"sizes", "noise", "pairs", "seed", "fit"};
    opts->files = args->words;
    opts->file_count = args->word_count;
    if (args->word_count % 2 != 0) {
        return pm_err_set(err, PM_EUSAGE,
            "%s has no target: files go by couples, GT TARGET GT TARGET ...",
            args->words[args->word_count - 1]);
    }
    for (size_t i = 0; i < 5 && opts->file_count > 0; i++) {
        if (pm_args_has(args, generated[i])) {
            return pm_err_set(
                err, PM_EUSAGE, "--%s is for generated pairs, not for files", generated[i]);
        }
    }
    if (opts->file_count == 0 && pm_args_has(args, "check")) {
        return pm_err_set(
            err, PM_EUSAGE, "--check is for files; the shift of a generated pair is known anyway");
    }
    return PM_OK;
}

enum pm_code pm_bench_opts_of(struct pm_bench_opts *opts, const struct pm_args *args,
    const struct pm_conf *conf, struct pm_err *err)
{
    enum pm_code rc;
    pm_bench_defaults(opts, conf);
    opts->json = pm_args_has(args, "json");
    opts->check = pm_args_has(args, "check");
    opts->fit = pm_args_has(args, "fit");
    rc = take_files(opts, args, err);
    if (rc == PM_OK) {
        rc = take_lists(opts, args, err);
    }
    return rc == PM_OK ? take_numbers(opts, args, err) : rc;
}
