#include "tests/preload/gate.h"

#include <dirent.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SITE SHIM_CALLS  /* a rule's call: distinct stacks of malloc */
#define SITE_FRAMES 12   /* of a stack: enough to tell SQLite's callers apart */
#define SITE_SLOTS 65536 /* distinct stacks remembered; a run has some thousands */

struct rule {
    int call; /* -1: no rule */
    long n;
    int code;
    bool after;
    char path[128]; /* "": any */
    _Atomic long seen;
};

static struct rule kill_rule = {.call = -1}, fail_rule = {.call = -1};
static int kill_signal = SIGKILL;
static _Atomic long counts[SHIM_CALLS];
static char counts_path[PATH_MAX];
static _Atomic uint64_t sites[SITE_SLOTS];
static _Thread_local bool busy __attribute__((tls_model("initial-exec"))); /* within ourselves */

const char *shim_call_name(enum shim_call call)
{
    static const char *const names[] = {"malloc", "open", "read", "write", "sync", "rename",
        "mkdir", "unlink", "inotify", "thread", "step", "clock", "poll", "site"};
    return names[call];
}

/* Who made the call, and for whom, down to the first that is the program: "libc.so.6<libuv.so.1".
 */
static void callers(char *out, size_t size)
{
    const uintptr_t program = getauxval(AT_PHDR) & ~(uintptr_t)4095;
    const void *last = NULL;
    void *frames[SITE_FRAMES];
    Dl_info here, info;
    size_t used = 0;
    bool ours =
        false; /* our own frames come first, unless a sanitizer stands before backtrace() itself */

    out[0] = '\0';
    busy = true;
    int depth = backtrace(frames, SITE_FRAMES);
    bool known = dladdr((void *)kill_rule.path, &here) != 0;
    for (int i = 0; known && i < depth && (uintptr_t)last != program && used < size; i++) {
        if (dladdr(frames[i], &info) == 0 || info.dli_fbase == last) {
            continue;
        }
        last = info.dli_fbase;
        if (last == here.dli_fbase) {
            ours = true;
        } else if (ours) {
            const char *slash = strrchr(info.dli_fname, '/');
            used += (size_t)snprintf(out + used, size - used, "%s%s", used > 0 ? "<" : "",
                slash != NULL ? slash + 1 : info.dli_fname);
        }
    }
    busy = false;
}

/* Not stdio, which may call malloc, which may be where we are. */
static void say(const char *what, const struct rule *rule, const char *path)
{
    char thread[16] = "?", from[256], line[2 * PATH_MAX];
    callers(from, sizeof from);
    prctl(PR_GET_NAME, thread);
    int n = snprintf(line, sizeof line, "shim: %s %s %ld thread=%s%s in=%s path=%s\n", what,
        shim_call_name((enum shim_call)rule->call), rule->n, thread,
        syscall(SYS_gettid) == getpid() ? "(main)" : "", from, path);
    syscall(SYS_write, STDERR_FILENO, line, (size_t)n);
}

static void read_rule(struct rule *rule, const char *text, bool with_code)
{
    char name[16] = "", path[128] = "";
    int got = with_code ? sscanf(text, "%15[^:]:%ld:%d:%127s", name, &rule->n, &rule->code, path)
                        : sscanf(text, "%15[^:]:%ld:%127s", name, &rule->n, path);
    size_t last = strlen(name);
    rule->after = last > 0 && name[last - 1] == '+';
    name[last - rule->after] = '\0';
    for (int call = 0; call <= SITE; call++) {
        if (strcmp(name, shim_call_name((enum shim_call)call)) == 0) {
            rule->call = call;
        }
    }
    if (got < 2 + with_code || rule->call < 0) {
        fprintf(stderr, "shim: cannot read the rule %s\n", text);
        abort();
    }
    memcpy(rule->path, path, sizeof rule->path);
}

/* New to us? Slots are only ever filled. */
static bool new_site(void)
{
    void *frames[SITE_FRAMES];
    uint64_t hash = UINT64_C(1469598103934665603); /* FNV-1a */
    busy = true;
    int depth = backtrace(frames, SITE_FRAMES);
    busy = false;
    for (int i = 2; i < depth; i++) { /* not ourselves */
        hash = (hash ^ (uint64_t)(uintptr_t)frames[i]) * UINT64_C(1099511628211);
    }
    hash |= 1;
    for (uint64_t at = hash % SITE_SLOTS, tries = 0; tries < SITE_SLOTS; tries++) {
        uint64_t empty = 0;
        if (atomic_compare_exchange_strong(&sites[at], &empty, hash)) {
            return true;
        }
        if (empty == hash) {
            return false;
        }
        at = (at + 1) % SITE_SLOTS;
    }
    return false;
}

bool shim_path(char *out, unsigned size, int dirfd, const char *path)
{
    char link[64];
    size_t used = 0;
    if (path != NULL && path[0] == '/') {
        return (unsigned)snprintf(out, size, "%s", path) < size;
    }
    snprintf(link, sizeof link, dirfd == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", dirfd);
    ssize_t n = syscall(SYS_readlink, link, out, (size_t)size - 1);
    used = n > 0 ? (size_t)n : 0;
    out[used] = '\0';
    if (n <= 0 || path == NULL) {
        return n > 0;
    }
    return (unsigned)snprintf(out + used, size - used, "/%s", path) < size - used;
}

/* A rule for one thread: its name, or main. */
static bool of_thread(const char *wanted)
{
    char name[16] = "";
    prctl(PR_GET_NAME, name);
    return strcmp(wanted, syscall(SYS_gettid) == getpid() ? "main" : name) == 0;
}

/* This is the call the rule waits for. */
static bool due(struct rule *rule, enum shim_call call, int dirfd, const char *path, char *full)
{
    if (rule->call != (int)call && !(rule->call == SITE && call == SHIM_MALLOC)) {
        return false;
    }
    full[0] = '\0';
    if (dirfd != -1 && !shim_path(full, PATH_MAX, dirfd, path)) {
        full[0] = '\0';
    }
    if (rule->path[0] == '@' ? !of_thread(rule->path + 1) : strstr(full, rule->path) == NULL) {
        return false;
    }
    if (rule->call == SITE && !new_site()) {
        return false;
    }
    return atomic_fetch_add(&rule->seen, 1) + 1 == rule->n;
}

static void check_kill(enum shim_call call, int dirfd, const char *path, bool after)
{
    char full[PATH_MAX];
    if (kill_rule.after == after && due(&kill_rule, call, dirfd, path, full)) {
        say("kill", &kill_rule, full);
        syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), kill_signal);
    }
}

int shim_before(enum shim_call call, int dirfd, const char *path)
{
    char full[PATH_MAX];
    if (busy) {
        return 0;
    }
    atomic_fetch_add(&counts[call], 1);
    check_kill(call, dirfd, path, false);
    if (due(&fail_rule, call, dirfd, path, full)) {
        say("fail", &fail_rule, full);
        return fail_rule.code;
    }
    return 0;
}

void shim_after(enum shim_call call, int dirfd, const char *path)
{
    if (!busy) {
        check_kill(call, dirfd, path, true);
    }
}

__attribute__((constructor)) static void begin(void)
{
    const char *kill_text = getenv("SHIM_KILL"), *fail_text = getenv("SHIM_FAIL");
    const char *counts_text = getenv("SHIM_COUNTS");
    void *warm_up[2];
    busy = true;
    backtrace(warm_up, 2); /* loads the unwinder now, not inside somebody's malloc */
    if (kill_text != NULL) {
        read_rule(&kill_rule, kill_text, false);
    }
    if (getenv("SHIM_SIGNAL") != NULL) {
        kill_signal = atoi(getenv("SHIM_SIGNAL"));
    }
    if (fail_text != NULL) {
        read_rule(&fail_rule, fail_text, true);
    }
    snprintf(counts_path, sizeof counts_path, "%s", counts_text != NULL ? counts_text : "");
    busy = false;
}

/* Two of them are of the counting: the folder, and the file it is for. */
static int open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;
    while (folder != NULL && readdir(folder) != NULL) {
        count++;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return count - 2; /* . and .. */
}

__attribute__((destructor)) static void end(void)
{
    busy = true;
    FILE *to = counts_path[0] != '\0' ? fopen(counts_path, "w") : NULL;
    for (int call = 0; to != NULL && call < SHIM_CALLS; call++) {
        fprintf(to, "%s %ld\n", shim_call_name((enum shim_call)call), counts[call]);
    }
    if (to != NULL) {
        fprintf(to, "rule %ld\nfds %d\n", fail_rule.seen, open_descriptors() - 2);
        fclose(to);
    }
}
