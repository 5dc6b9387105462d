/*
 * json: writes one JSON text (RFC 8259) into memory; the CLI's --json and pair.json use it.
 * Owns: the text it builds.
 * Threads: a writer belongs to one thread.
 * Memory: grows by doubling; pm_json_fini() frees it.
 * Errors: calls never fail one by one; pm_json_text() and pm_json_print() tell when memory ran out.
 *
 *     struct pm_json json;
 *     pm_json_init(&json, true);
 *     pm_json_begin_object(&json, NULL);
 *     pm_json_int(&json, "dy", -3);
 *     pm_json_begin_array(&json, "flags");
 *     pm_json_string(&json, NULL, "ambiguous");       inside an array there is no key
 *     pm_json_end_array(&json);
 *     pm_json_end_object(&json);
 *     rc = pm_json_print(&json, stdout, err);
 *     pm_json_fini(&json);
 *
 * The text is always valid UTF-8. A byte of a string that is not part of valid UTF-8 becomes
 * U+FFFD; pm_json_name() adds the lossless bytes beside it. Numbers: integers in full; doubles with
 * the fewest digits that read back as the same double; NaN and infinities become null.
 */
#ifndef PM_COMMON_JSON_H
#define PM_COMMON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/err.h"

#define PM_JSON_DEPTH_MAX 16 /* objects and arrays inside each other; an assert guards it */

struct pm_json {
    char *text; /* NUL-terminated once anything was written */
    size_t len, cap;
    bool pretty; /* a line an item, indented by two blanks, ends in a newline */
    bool failed; /* out of memory: everything after it is dropped */
    int depth;
    bool has_items[PM_JSON_DEPTH_MAX]; /* of the open object or array at each depth */
};

void pm_json_init(struct pm_json *json, bool pretty);
void pm_json_fini(struct pm_json *json); /* zeroed is fine */
/* The finished text; NULL when memory ran out. Valid until fini. */
const char *pm_json_text(const struct pm_json *json);

/* Writes the finished text; PM_ENOMEM when memory ran out. Whether all went out, the caller asks of
 * `to` in the end. */
enum pm_code pm_json_print(const struct pm_json *json, FILE *to, struct pm_err *err);

/* key: NULL at the top and inside arrays. */
void pm_json_begin_object(struct pm_json *json, const char *key);
void pm_json_end_object(struct pm_json *json);
void pm_json_begin_array(struct pm_json *json, const char *key);
void pm_json_end_array(struct pm_json *json);
void pm_json_string(struct pm_json *json, const char *key, const char *value); /* NULL: null */
void pm_json_int(struct pm_json *json, const char *key, int64_t value);
void pm_json_double(struct pm_json *json, const char *key, double value);
void pm_json_bool(struct pm_json *json, const char *key, bool value);
void pm_json_null(struct pm_json *json, const char *key);
/* raw: already valid JSON, e.g. the recipe's text; put in as it is. */
void pm_json_raw(struct pm_json *json, const char *key, const char *raw);
/* A file name or path: the string, and when it is not valid UTF-8 also "<key>_hex": all its bytes
 * as lower-case hex, so that nothing is lost. Only inside objects. */
void pm_json_name(struct pm_json *json, const char *key, const char *name);

#define PM_JSON_NUMBER 40
/* A finite number as pm_json_double() writes it. */
void pm_json_number(char text[PM_JSON_NUMBER], double value);

/* True when text is valid UTF-8 (no overlong forms, no surrogates). */
bool pm_utf8_valid(const char *text);
/* Length in bytes of the valid UTF-8 sequence text starts with; 0 when it starts with none. */
size_t pm_utf8_length(const char *text);

#endif
