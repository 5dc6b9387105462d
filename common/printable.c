#include "common/printable.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* How many bytes at s are one well-formed UTF-8 character (RFC 3629: no overlong forms, no
 * surrogates, nothing beyond U+10FFFF) that is not a control character; 0: none. */
static size_t character(const unsigned char *s, size_t size)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (length == 0 || s[0] > 0xf4 || length > size) {
        return 0;
    }
    uint32_t code = length == 1 ? s[0] : s[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (s[i] & 0x3fu);
    }
    int control = code < 0x20 || (code >= 0x7f && code < 0xa0);
    int surrogate = code >= 0xd800 && code < 0xe000;
    return control || surrogate || code < smallest[length] || code > 0x10ffff ? 0 : length;
}

void pm_printable(char *dst, size_t dst_size, const char *src, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < size;) {
        const unsigned char *at = (const unsigned char *)src + i;
        size_t length = character(at, size - i);
        size_t needed = length > 0 ? length : 4;
        if (used + needed >= dst_size) {
            break;
        }
        if (length > 0) {
            memcpy(dst + used, at, length);
        } else {
            snprintf(dst + used, dst_size - used, "\\x%02x", *at);
        }
        used += needed;
        i += length > 0 ? length : 1;
    }
    dst[used] = '\0';
}
