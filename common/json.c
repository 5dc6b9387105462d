#include "common/json.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void pm_json_init(struct pm_json *json, bool pretty)
{
    *json = (struct pm_json){.pretty = pretty};
}

void pm_json_fini(struct pm_json *json)
{
    free(json->text);
    *json = (struct pm_json){0};
}

const char *pm_json_text(const struct pm_json *json)
{
    return json->failed ? NULL : json->text != NULL ? json->text : "";
}

enum pm_code pm_json_print(const struct pm_json *json, FILE *to, struct pm_err *err)
{
    const char *text = pm_json_text(json);

    if (text == NULL) {
        return pm_err_set(err, PM_ENOMEM, "out of memory");
    }
    fputs(text, to);
    return PM_OK;
}

static void put_n(struct pm_json *json, const char *text, size_t n)
{
    if (json->failed) {
        return;
    }
    if (json->len + n + 1 > json->cap) {
        size_t cap = (json->len + n + 1) * 2;
        char *grown = realloc(json->text, cap);
        if (grown == NULL) {
            json->failed = true;
            return;
        }
        json->text = grown;
        json->cap = cap;
    }
    memcpy(json->text + json->len, text, n);
    json->len += n;
    json->text[json->len] = '\0';
}

static void put(struct pm_json *json, const char *text)
{
    put_n(json, text, strlen(text));
}

static void newline(struct pm_json *json)
{
    if (json->pretty) {
        put(json, "\n");
        for (int i = 0; i < json->depth; i++) {
            put(json, "  ");
        }
    }
}

size_t pm_utf8_length(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t n;
    if (s[0] < 0x80) {
        return s[0] != 0;
    }
    /* RFC 3629, table 3-7 of Unicode: the second byte's range depends on the first. */
    unsigned low = 0x80, high = 0xbf;
    if (s[0] >= 0xc2 && s[0] <= 0xdf) {
        n = 2;
    } else if (s[0] >= 0xe0 && s[0] <= 0xef) {
        n = 3;
        low = s[0] == 0xe0 ? 0xa0 : low;
        high = s[0] == 0xed ? 0x9f : high;
    } else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
        n = 4;
        low = s[0] == 0xf0 ? 0x90 : low;
        high = s[0] == 0xf4 ? 0x8f : high;
    } else {
        return 0;
    }
    if (s[1] < low || s[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0; /* also at the terminating NUL */
        }
    }
    return n;
}

bool pm_utf8_valid(const char *text)
{
    while (*text != '\0') {
        size_t n = pm_utf8_length(text);
        if (n == 0) {
            return false;
        }
        text += n;
    }
    return true;
}

static void put_control(struct pm_json *json, unsigned char c)
{
    static const char names[] = "\bb\ff\nn\rr\tt";
    char text[8];
    for (const char *p = names; *p != '\0'; p += 2) {
        if ((unsigned char)*p == c) {
            snprintf(text, sizeof text, "\\%c", p[1]);
            put(json, text);
            return;
        }
    }
    snprintf(text, sizeof text, "\\u%04x", c);
    put(json, text);
}

static void put_quoted(struct pm_json *json, const char *value)
{
    put(json, "\"");
    while (*value != '\0') {
        size_t n = pm_utf8_length(value);
        if (n == 0) {
            put(json, "\xef\xbf\xbd"); /* U+FFFD */
            n = 1;
        } else if (*value == '"' || *value == '\\') {
            put(json, "\\");
            put_n(json, value, 1);
        } else if ((unsigned char)*value < 0x20 || *value == 0x7f) {
            put_control(json, (unsigned char)*value);
        } else {
            put_n(json, value, n);
        }
        value += n;
    }
    put(json, "\"");
}

/* Comma, line break and key: what stands before every value. */
static void lead(struct pm_json *json, const char *key)
{
    if (json->depth > 0) {
        if (json->has_items[json->depth - 1]) {
            put(json, json->pretty ? "," : ", ");
        }
        json->has_items[json->depth - 1] = true;
        newline(json);
    }
    if (key != NULL) {
        put_quoted(json, key);
        put(json, ": ");
    }
}

static void begin(struct pm_json *json, const char *key, const char *bracket)
{
    assert(json->depth < PM_JSON_DEPTH_MAX);
    lead(json, key);
    put(json, bracket);
    json->has_items[json->depth++] = false;
}

static void end(struct pm_json *json, const char *bracket)
{
    assert(json->depth > 0);
    bool filled = json->has_items[--json->depth];
    if (filled) {
        newline(json);
    }
    put(json, bracket);
    if (json->depth == 0 && json->pretty) {
        put(json, "\n");
    }
}

void pm_json_begin_object(struct pm_json *json, const char *key)
{
    begin(json, key, "{");
}

void pm_json_end_object(struct pm_json *json)
{
    end(json, "}");
}

void pm_json_begin_array(struct pm_json *json, const char *key)
{
    begin(json, key, "[");
}

void pm_json_end_array(struct pm_json *json)
{
    end(json, "]");
}

void pm_json_raw(struct pm_json *json, const char *key, const char *raw)
{
    lead(json, key);
    put(json, raw);
}

void pm_json_null(struct pm_json *json, const char *key)
{
    pm_json_raw(json, key, "null");
}

void pm_json_bool(struct pm_json *json, const char *key, bool value)
{
    pm_json_raw(json, key, value ? "true" : "false");
}

void pm_json_string(struct pm_json *json, const char *key, const char *value)
{
    if (value == NULL) {
        pm_json_null(json, key);
        return;
    }
    lead(json, key);
    put_quoted(json, value);
}

void pm_json_int(struct pm_json *json, const char *key, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    pm_json_raw(json, key, text);
}

void pm_json_number(char text[PM_JSON_NUMBER], double value)
{
    for (int digits = 15; digits <= 17; digits++) { /* 17 always suffice for a double */
        snprintf(text, PM_JSON_NUMBER, "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
}

void pm_json_double(struct pm_json *json, const char *key, double value)
{
    char text[PM_JSON_NUMBER];
    if (!isfinite(value)) {
        pm_json_null(json, key);
        return;
    }
    pm_json_number(text, value);
    pm_json_raw(json, key, text);
}

void pm_json_name(struct pm_json *json, const char *key, const char *name)
{
    char text[64];

    pm_json_string(json, key, name);
    if (name == NULL || pm_utf8_valid(name)) {
        return;
    }
    snprintf(text, sizeof text, "%s_hex", key);
    lead(json, text);
    put(json, "\"");
    for (const unsigned char *p = (const unsigned char *)name; *p != '\0'; p++) {
        snprintf(text, sizeof text, "%02x", *p);
        put(json, text);
    }
    put(json, "\"");
}
