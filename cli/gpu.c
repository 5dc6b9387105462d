/* pairmill gpu: whether there is a GPU pairmill works with, and whether it computes right. */
#include "cli/cli.h"
#include "worker/gpu/gputest.h"

static const struct pm_arg options[] = {
    {"selftest", NULL, NULL, "compare small pairs with the CPU, bit for bit"},
    {"config", NULL, "FILE", "settings from a file; options beat it"},
    PM_CLI_ARGS_HELP,
    {NULL, NULL, NULL, NULL},
};

static const struct pm_help help = {
    "pairmill gpu [--selftest] [OPTION...]",
    "Says which GPU pairmill would use, or why none. --selftest also runs small pairs of every\n"
    "sample type on it and on the CPU: shift, loss and mask must be equal to the bit. A service "
    "does\nthat by itself when it starts, and leaves a GPU that fails alone.",
    "  --gpu_device N               which GPU, as CUDA counts them (default 0)",
    "  pairmill gpu --selftest\n  pairmill bench gpu",
};

static void print_device(FILE *to, const struct pm_cuda_info *info)
{
    fprintf(to, "device      %s, compute capability %d.%d, %d multiprocessors\n", info->name,
        info->major, info->minor, info->processors);
    fprintf(to, "memory      %llu MiB, %llu free\n", (unsigned long long)(info->memory_bytes >> 20),
        (unsigned long long)(info->free_bytes >> 20));
    fprintf(to, "driver      CUDA %d.%d; the plugin's runtime is %d.%d\n", info->driver / 1000,
        info->driver % 1000 / 10, info->runtime / 1000, info->runtime % 1000 / 10);
}

static enum pm_code selftest(struct pm_cli *cli, struct pm_gpu *gpu, struct pm_err *err)
{
    struct pm_gputest_report report;
    enum pm_code rc = pm_gputest_run(gpu, &report, err);
    if (rc != PM_OK) {
        return pm_err_wrap(err, "the GPU is not to be used: self-test");
    }
    fprintf(cli->out,
        "self-test   %d small pairs equal to the CPU in shift, loss and mask; %.1f ms (CPU %.1f "
        "ms)\n",
        report.pairs, report.gpu_ms, report.cpu_ms);
    return PM_OK;
}

static enum pm_code show(struct pm_cli *cli, const struct pm_args *args, struct pm_err *err)
{
    struct pm_conf *conf = NULL;
    struct pm_gpu *gpu = NULL;
    struct pm_gpu_opts opts;
    enum pm_code rc = pm_conf_new(&conf, err);

    if (rc == PM_OK) {
        rc = pm_cli_settings(conf, args, err);
    }
    if (rc != PM_OK) {
        goto out;
    }
    opts = pm_gpu_opts_of(conf);
    rc = pm_gpu_open(&gpu, &opts, err);
    if (rc == PM_OK && !pm_gpu_alive(gpu)) {
        rc = pm_err_set(
            err, PM_EUNSUPPORTED, "no GPU is used, the CPU does everything; %s", pm_gpu_state(gpu));
    }
    if (rc == PM_OK) {
        print_device(cli->out, pm_gpu_info(gpu));
        rc = pm_args_has(args, "selftest") ? selftest(cli, gpu, err) : PM_OK;
    }
out:
    pm_gpu_close(gpu);
    pm_conf_unref(conf);
    return rc;
}

int pm_cli_gpu(struct pm_cli *cli, int argc, char **argv)
{
    static const struct pm_command command = {&help, options, true, 0, show};
    return pm_cli_command(cli, &command, argc, argv);
}
