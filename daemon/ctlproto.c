#include "daemon/ctlproto.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const verbs[] = {"pause", "resume", "retry", "rescan", "status"};
#define VERB_COUNT (sizeof verbs / sizeof verbs[0])

/* The words of a retry that are switches. */
static const struct {
    const char *name;
    size_t offset;
} switches[] = {
    {"failed", offsetof(struct pm_ctl_request, failed)},
    {"quarantined", offsetof(struct pm_ctl_request, quarantined)},
    {"missing", offsetof(struct pm_ctl_request, missing)},
    {"stale", offsetof(struct pm_ctl_request, stale)},
    {"done", offsetof(struct pm_ctl_request, done)},
};
#define SWITCH_COUNT (sizeof switches / sizeof switches[0])

/* --- percent coding --- */

static bool plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("._-/", c) != NULL);
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
    return at == NULL ? -1 : (int)(at - digits);
}

/* False: bad coding, a zero byte, or no room. */
static bool decode(const char *word, size_t n, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        int c = (unsigned char)word[i];
        if (c == '%') {
            int high = i + 2 < n ? hex_digit(word[i + 1]) : -1;
            int low = i + 2 < n ? hex_digit(word[i + 2]) : -1;
            c = high < 0 || low < 0 ? 0 : high * 16 + low;
            i += 2;
        }
        if (c == 0 || used + 1 >= size) {
            return false;
        }
        out[used++] = (char)c;
    }
    out[used] = '\0';
    return true;
}

/* Appends text; false when there is no room. */
static bool append(char *line, size_t size, const char *text)
{
    size_t used = strlen(line);
    size_t n = strlen(text);
    if (used + n >= size) {
        return false;
    }
    memcpy(line + used, text, n + 1);
    return true;
}

static bool append_value(char *line, size_t size, const char *key, const char *value)
{
    bool fits = append(line, size, key);
    for (const char *c = value; fits && *c != '\0'; c++) {
        char coded[4] = {*c, '\0'};
        if (!plain(*c)) {
            snprintf(coded, sizeof coded, "%%%02x", (unsigned)(unsigned char)*c);
        }
        fits = append(line, size, coded);
    }
    return fits;
}

/* --- requests --- */

static bool starts(const char *word, size_t n, const char *key)
{
    return n >= strlen(key) && memcmp(word, key, strlen(key)) == 0;
}

static bool parse_id(const char *word, size_t n, int64_t *id)
{
    char text[24] = "";
    char *end;
    if (n == 0 || n >= sizeof text || word[0] < '0' || word[0] > '9') {
        return false;
    }
    memcpy(text, word, n);
    *id = strtoll(text, &end, 10);
    return *end == '\0' && *id > 0 && *id < INT64_MAX;
}

static bool parse_switch(const char *word, size_t n, struct pm_ctl_request *request)
{
    for (size_t i = 0; i < SWITCH_COUNT; i++) {
        if (strlen(switches[i].name) == n && memcmp(switches[i].name, word, n) == 0) {
            *(bool *)((char *)request + switches[i].offset) = true;
            return true;
        }
    }
    return false;
}

static bool parse_word(const char *word, size_t n, struct pm_ctl_request *request)
{
    switch (request->verb) {
    case PM_CTL_PAUSE:
    case PM_CTL_RESUME:
        return starts(word, n, "source=") &&
               decode(word + 7, n - 7, request->source, sizeof request->source);
    case PM_CTL_RETRY:
        if (starts(word, n, "scene=")) {
            return decode(word + 6, n - 6, request->scene, sizeof request->scene);
        }
        if (starts(word, n, "id=")) {
            return parse_id(word + 3, n - 3, &request->id);
        }
        return parse_switch(word, n, request);
    case PM_CTL_RESCAN:
    case PM_CTL_STATUS:
        break;
    }
    return false; /* these take no words */
}

static bool parse_verb(const char *word, size_t n, enum pm_ctl_verb *verb)
{
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strlen(verbs[i]) == n && memcmp(verbs[i], word, n) == 0) {
            *verb = (enum pm_ctl_verb)i;
            return true;
        }
    }
    return false;
}

enum pm_code pm_ctl_parse(const char *line, struct pm_ctl_request *request, struct pm_err *err)
{
    size_t n = strcspn(line, " ");
    memset(request, 0, sizeof *request);
    if (!parse_verb(line, n, &request->verb)) {
        return pm_err_set(
            err, PM_EUSAGE, "unknown request; use pause, resume, retry, rescan or status");
    }
    while (line[n] == ' ') {
        line += n + 1;
        n = strcspn(line, " ");
        if (!parse_word(line, n, request)) {
            return pm_err_set(err, PM_EUSAGE, "%s does not take \"%.*s\"", verbs[request->verb],
                n > 100 ? 100 : (int)n, line);
        }
    }
    return PM_OK;
}

enum pm_code pm_ctl_format(
    const struct pm_ctl_request *request, char *line, size_t size, struct pm_err *err)
{
    char id[32];
    bool fits;

    line[0] = '\0';
    fits = append(line, size, verbs[request->verb]);
    if (request->source[0] != '\0') {
        fits = fits && append_value(line, size, " source=", request->source);
    }
    if (request->scene[0] != '\0') {
        fits = fits && append_value(line, size, " scene=", request->scene);
    }
    if (request->id != 0) {
        snprintf(id, sizeof id, " id=%" PRId64, request->id);
        fits = fits && append(line, size, id);
    }
    for (size_t i = 0; i < SWITCH_COUNT; i++) {
        if (*(const bool *)((const char *)request + switches[i].offset)) {
            fits = fits && append(line, size, " ") && append(line, size, switches[i].name);
        }
    }
    if (!fits) {
        return pm_err_set(err, PM_ENAME, "the name is too long for a request");
    }
    return PM_OK;
}

/* --- replies --- */

void pm_ctl_format_error(const struct pm_err *err, char *line, size_t size)
{
    snprintf(line, size, "error %s %s", pm_code_name(err->code), err->text);
}

enum pm_code pm_ctl_parse_reply(const char *line, struct pm_err *err)
{
    char name[32] = "";
    enum pm_code code;
    size_t n;

    if (starts(line, strlen(line), "ok") && (line[2] == '\0' || line[2] == ' ')) {
        return PM_OK;
    }
    if (!starts(line, strlen(line), "error ")) {
        return pm_err_set(err, PM_EIO, "the owner gave an answer that is none: \"%.100s\"", line);
    }
    line += 6;
    n = strcspn(line, " ");
    if (n < sizeof name) {
        memcpy(name, line, n);
    }
    code = pm_code_from_name(name);
    if (code == PM_OK || code == PM_CODE_COUNT) {
        code = PM_EIO;
    }
    return pm_err_set(err, code, "%s", line[n] == ' ' ? line + n + 1 : pm_code_text(code));
}
