/* pairmill align: one pair of files, no database. */
#include <math.h>

#include "cli/cli.h"
#include "common/json.h"
#include "worker/shiftjson.h"
#include "worker/worker.h"

static const struct pm_arg options[] = {
    {"json", NULL, NULL, "one JSON object instead of lines"},
    {"config", NULL, "FILE", "settings from a file; options beat it"},
    PM_CLI_ARGS_HELP,
    {NULL, NULL, NULL, NULL},
};

static const struct pm_help help = {
    "pairmill align GT TARGET [--alignment_method M] [--max_shift N] [--json]",
    "Finds the shift between two images of one scene: gt[y+dy, x+dx] = target[y, x].",
    "  --alignment_method M         auto, original, bruteforce, fft, hierarchical or gpu\n"
    "  --max_shift N                search up to this far in each axis (default 128 px)",
    "  pairmill align scene/gt/clean.tif scene/noisy.tif\n"
    "  pairmill align clean.tif noisy.tif --alignment_method fft --json",
};

static void print_flags(FILE *to, unsigned flags)
{
    const char *gap = "";
    for (int bit = 0; bit < PM_FLAG_COUNT; bit++) {
        if ((flags & 1u << bit) != 0) {
            fprintf(to, "%s%s", gap, pm_flag_name(bit));
            gap = ", ";
        }
    }
}

static void print_warp(FILE *to, const struct pm_warp *warp)
{
    if (isfinite(warp->rotation_deg)) {
        fprintf(to, "rotation    %+.4f deg (standard error %.4f), scale %.6f (%.6f), %d tiles\n",
            warp->rotation_deg, warp->rotation_error_deg, warp->scale, warp->scale_error,
            warp->tiles);
    }
    if (isfinite(warp->parallax_px)) {
        fprintf(to, "parallax    %.2f px (standard error %.2f)\n", warp->parallax_px,
            warp->parallax_error_px);
    }
}

static void print_lines(FILE *to, const struct pm_shift *shift)
{
    fprintf(to, "shift       dy %+d, dx %+d px (gt[y+dy, x+dx] = target[y, x])\n", shift->dy,
        shift->dx);
    if (isfinite(shift->sub_dy) && isfinite(shift->sub_dx)) {
        fprintf(to, "residual    dy %+.3f, dx %+.3f px", shift->sub_dy, shift->sub_dx);
        if (isfinite(shift->sub_dy_error) && isfinite(shift->sub_dx_error)) {
            fprintf(to, " (standard error %.3f, %.3f)", shift->sub_dy_error, shift->sub_dx_error);
        }
        fputs("\n", to);
    }
    print_warp(to, &shift->warp);
    fprintf(to, "loss        %.6g\n", shift->loss);
    fprintf(to, "gain        %.6g\n", shift->gain);
    fprintf(to, "method      %s, %s%s%s%s\n", pm_method_name(shift->method),
        shift->backend != NULL ? shift->backend : "plain", shift->fallback != NULL ? " (" : "",
        shift->fallback != NULL ? shift->fallback : "", shift->fallback != NULL ? ")" : "");
    if (isfinite(shift->confidence)) {
        fprintf(to, "confidence  %.3f\n", shift->confidence);
    }
    fputs("flags       ", to);
    print_flags(to, shift->flags);
    fprintf(to, "%s\n", shift->flags == 0 ? "none" : "");
    fprintf(to, "time        %.1f ms to find it, %.1f ms for its loss, %lld shifts tried\n",
        shift->elapsed_ms, shift->loss_ms, (long long)shift->evaluations);
}

static enum pm_code print_json(FILE *to, const struct pm_shift *shift, struct pm_err *err)
{
    struct pm_json json;
    enum pm_code rc;
    pm_json_init(&json, true);
    pm_json_begin_object(&json, NULL);
    pm_shift_json(&json, shift, true);
    pm_json_end_object(&json);
    rc = pm_json_print(&json, to, err);
    pm_json_fini(&json);
    return rc;
}

static enum pm_code align(struct pm_cli *cli, const struct pm_args *args, struct pm_err *err)
{
    struct pm_conf *conf = NULL;
    struct pm_shift shift;
    enum pm_code rc;

    if (args->word_count != 2) {
        return pm_err_set(err, PM_EUSAGE, "two files are needed: GT TARGET; --help shows more");
    }
    rc = pm_conf_new(&conf, err);
    if (rc == PM_OK) {
        rc = pm_cli_settings(conf, args, err);
    }
    if (rc == PM_OK) {
        pm_conf_fill(conf);
        rc = pm_worker_align_files(conf, args->words[0], args->words[1], &shift, err);
    }
    if (rc == PM_OK && pm_args_has(args, "json")) {
        rc = print_json(cli->out, &shift, err);
    } else if (rc == PM_OK) {
        print_lines(cli->out, &shift);
    }
    pm_conf_unref(conf);
    return rc;
}

int pm_cli_align(struct pm_cli *cli, int argc, char **argv)
{
    static const struct pm_command command = {&help, options, true, 2, align};
    return pm_cli_command(cli, &command, argc, argv);
}
