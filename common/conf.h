/*
 * conf: every setting, from one option table that drives parsing, checks, --help and the sample
 * file. Owns: the struct and its strings; counted, because a SIGHUP replaces it while jobs still
 * use it. Threads: read-only once loaded; ref and unref from any. Memory: pm_conf_unref() by
 * everyone who holds a reference. Errors: PM_ECONF, the message names file, line and key and says
 * what to write instead.
 */
#ifndef PM_COMMON_CONF_H
#define PM_COMMON_CONF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/err.h"
#include "common/result.h"

struct pm_suggest; /* common/suggest.h */

enum pm_on_flag { PM_ON_FLAG_KEEP, PM_ON_FLAG_HOLD, PM_ON_FLAG_FAIL, PM_ON_FLAG_DEFAULT };
enum pm_on_gpu_loss { PM_ON_GPU_LOSS_CPU, PM_ON_GPU_LOSS_RESTART };
enum pm_profile { PM_PROFILE_ALIGNED };

struct pm_source_conf {
    char *name;      /* what the source column shows */
    char *input;     /* absolute */
    char *output;    /* absolute */
    int priority;    /* larger first; 0 */
    bool pair_gt_gt; /* also every gt with every other gt of its scene */
    bool pair_self;  /* also every gt with itself */
    char **where;    /* where each of its options was set, and it itself; conf*.c only */
};

struct pm_conf {
    _Atomic int refs;
    /* [pairmill] */
    char *db; /* the database file; its lock and socket lie beside it */
    enum pm_profile profile;
    int workers;        /* threads; 0: one per core */
    int64_t memory_max; /* bytes all workers together may hold in pixels; 0: half of RAM */
    int64_t max_pixels; /* of one image */
    double settle_s;
    int rescan_s; /* full rescan beside events */
    int poll_s;   /* rescan when a source cannot be watched */
    bool watch;   /* use inotify */
    int max_attempts;
    int drain_timeout_s;
    int64_t min_free; /* bytes the output's file system must keep free */
    /* [align] */
    enum pm_method method;
    int max_shift;              /* px in each axis */
    int auto_bruteforce_below;  /* shorter side, px */
    int auto_hierarchical_from; /* shorter side, px */
    bool quality;               /* confidence, sub-pixel residual, tiles, flags */
    enum pm_on_flag on_flag;
    /* [mask] */
    double loss_threshold; /* RAWNIND.md 2.6: 0.4 */
    double loss_quantile;  /* 0.9999; 1: off */
    double overexposure;   /* full scale 1; samples at or above are unusable: 1.0 */
    /* [crop] */
    int crop_size, crop_stride; /* px */
    double crop_min_valid;
    int crop_compression; /* enum pm_compression */
    /* [cache] */
    int64_t cache_bytes; /* decoded gt images kept */
    /* [gpu] */
    bool gpu;               /* use one when it is there */
    int gpu_device;         /* which, as CUDA counts them */
    int gpu_from;           /* method auto: shorter side, px */
    int64_t gpu_memory_max; /* bytes on the device; 0: what is free but a sixteenth */
    int gpu_deadline_s;     /* the longest wait for the device */
    int gpu_idle_s;         /* without a pair for it: its memory goes back */
    enum pm_on_gpu_loss gpu_on_loss;
    /* [log] */
    int log_level; /* enum pm_log_level */

    struct pm_source_conf *sources;
    int source_count;
    char *file;   /* the file loaded last; NULL: none */
    char **where; /* where each option was set ("FILE:LINE"), for messages; conf*.c only */
};

/* Defaults, no source. */
enum pm_code pm_conf_new(struct pm_conf **out, struct pm_err *err);
/* Adds what an INI file says to conf. */
enum pm_code pm_conf_load(struct pm_conf *conf, const char *path, struct pm_err *err);
/* Sets one key ("align.max_shift", or "max_shift" where the key is unique; - and _ alike) from a
 * command line; where: what to call its origin in a message, e.g. "--max_shift". */
enum pm_code pm_conf_set(struct pm_conf *conf, const char *key, const char *value,
    const char *where, struct pm_err *err);
/* Adds a source; paths are made absolute. The folder must exist. */
enum pm_code pm_conf_add_source(struct pm_conf *conf, const char *name, const char *input,
    const char *output, struct pm_err *err);
/* Forgets all sources: those of a command line replace those of a file. */
void pm_conf_clear_sources(struct pm_conf *conf);
/* Checks what single keys cannot: readable input folders, an output that can be made, no two
 * sources with the same name or the same output, crop_stride <= crop_size, a db. Fills in 0 =
 * automatic values. need_sources: false for commands that look at the database only. */
enum pm_code pm_conf_check(struct pm_conf *conf, bool need_sources, struct pm_err *err);
/* The last part of pm_conf_check, for work on single files: 0 becomes what the machine has. */
void pm_conf_fill(struct pm_conf *conf);
struct pm_conf *pm_conf_ref(struct pm_conf *conf);
void pm_conf_unref(struct pm_conf *conf); /* NULL is fine */

/* Effective settings in the syntax of the file; what --check-config prints. */
void pm_conf_print(const struct pm_conf *conf, FILE *to);
/* The commented sample: every option with its help, unit and default. */
void pm_conf_print_sample(FILE *to);
/* "--max_shift N  text (default 128 px)" lines for --help. */
void pm_conf_print_options(FILE *to);
/* True when key names an option, so that a command line can take it as --key VALUE. takes_value is
 * false for booleans, which are set by their bare name. */
bool pm_conf_is_option(const char *key, bool *takes_value);
/* Offers the name of every option to a search for the one that was meant. */
void pm_conf_suggest(struct pm_suggest *suggest);

/* XXH3-64, as 16 hex digits, of the settings that shape a result (align, mask, crop, profile) in a
 * canonical text, and that text itself (JSON object), for pair.json and the recipe table. */
void pm_conf_recipe(const struct pm_conf *conf, char hex[17], char *json, size_t json_size);

#endif
