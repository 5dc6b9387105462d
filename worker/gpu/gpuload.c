#include "worker/gpu/gpuload.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLUGIN "pairmill-cuda.so"

/* From the folder the program lies in: a build tree, bin/, libexec/pairmill/. */
static const char *const places[] = {"", "../lib/pairmill/", "../../lib/pairmill/"};

/* The plugin's path; false: there is none. */
static bool find(char path[PATH_MAX])
{
    char folder[PATH_MAX - 64];
    ssize_t n = readlink("/proc/self/exe", folder, sizeof folder - 1);
    char *slash;

    if (n <= 0) {
        return false;
    }
    folder[n] = '\0';
    slash = strrchr(folder, '/');
    if (slash == NULL) {
        return false;
    }
    slash[1] = '\0';
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        snprintf(path, PATH_MAX, "%s%s%s", folder, places[i], PLUGIN);
        if (access(path, R_OK) == 0) {
            return true;
        }
    }
    return false;
}

static enum pm_code check(const struct pm_cuda_api *api, const char *path,
    const struct pm_cuda_api **out, struct pm_err *err)
{
    if (api == NULL || api->abi != PM_CUDA_ABI || api->size != sizeof *api) {
        return pm_err_set(err, PM_EUNSUPPORTED,
            "%s speaks ABI %u, this pairmill %u: install both of one version", path,
            api != NULL ? api->abi : 0, PM_CUDA_ABI);
    }
    *out = api;
    return PM_OK;
}

enum pm_code pm_gpu_load(
    const char *plugin, const char *driver, const struct pm_cuda_api **api, struct pm_err *err)
{
    const struct pm_cuda_api *(*get)(void);
    char found[PATH_MAX];
    void *library, *symbol;

    *api = NULL;
    if (dlopen(driver != NULL ? driver : PM_GPU_DRIVER, RTLD_NOW | RTLD_GLOBAL) == NULL) {
        return pm_err_set(err, PM_EUNSUPPORTED, "no NVIDIA driver: %s", dlerror());
    }
    if (plugin == NULL || plugin[0] == '\0') {
        plugin = getenv("PAIRMILL_CUDA");
    }
    if (plugin == NULL || plugin[0] == '\0') {
        if (!find(found)) {
            return pm_err_set(err, PM_EUNSUPPORTED,
                PLUGIN " is neither beside the program nor in ../lib/pairmill: it is not built or "
                       "not installed");
        }
        plugin = found;
    }
    library = dlopen(plugin, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        return pm_err_set(err, PM_EUNSUPPORTED, "the CUDA plugin does not load: %s", dlerror());
    }
    symbol = dlsym(library, "pm_cuda_plugin");
    if (symbol == NULL) {
        return pm_err_set(err, PM_EUNSUPPORTED, "%s is no pairmill plugin", plugin);
    }
    memcpy(&get, &symbol, sizeof get); /* C has no cast for it, POSIX says it may be done */
    return check(get(), plugin, api, err);
}
