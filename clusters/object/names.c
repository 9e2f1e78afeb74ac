/* Names, labels and their values: what is allowed, in upstream's sentences. */
#include <string.h>

#include "clusters/object/selector.h"

#define LABEL_63 "must be no more than 63 characters"
#define LABEL_SET                                                                                  \
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must "                \
    "start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  "                \
    "or '123-abc', regex used for validation is "                                                  \
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"

static bool is_lower(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alphanumeric(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

/* [A-Za-z0-9] at both ends, and `inner` between. */
static bool is_word(const char *s, size_t len, const char *inner, bool (*ends)(char))
{
    if (len == 0 || !ends(s[0]) || !ends(s[len - 1]))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!ends(s[i]) && !strchr(inner, s[i]))
            return false;
    }
    return true;
}

const char *dns_label_fault(const char *name)
{
    if (strlen(name) > 63)
        return LABEL_63;
    if (!is_word(name, strlen(name), "-", is_lower))
        return "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or "
               "'-', and must start and end with an alphanumeric character (e.g. 'my-name',  or "
               "'123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
    return NULL;
}

const char *dns_subdomain_fault(const char *name)
{
    if (strlen(name) > 253)
        return "must be no more than 253 characters";
    for (const char *part = name;; part++) {
        size_t len = strcspn(part, ".");

        if (!is_word(part, len, "-", is_lower))
            return "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
                   "characters, '-' or '.', and must start and end with an alphanumeric character "
                   "(e.g. 'example.com', regex used for validation is "
                   "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
        part += len;
        if (!*part)
            return NULL;
    }
}

const char *dns_1035_fault(const char *name)
{
    if (strlen(name) > 63)
        return LABEL_63;
    if (!is_word(name, strlen(name), "-", is_lower) || (*name >= '0' && *name <= '9'))
        return "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start "
               "with an alphabetic character, and end with an alphanumeric character (e.g. "
               "'my-name',  or 'abc-123', regex used for validation is "
               "'[a-z]([-a-z0-9]*[a-z0-9])?')";
    return NULL;
}

const char *label_value_fault(const char *value)
{
    if (strlen(value) > 63)
        return LABEL_63;
    if (*value && !is_word(value, strlen(value), "-_.", is_alphanumeric))
        return "a valid label must be an empty string or consist of alphanumeric characters, '-', "
               "'_' or '.', and must start and end with an alphanumeric character (e.g. "
               "'MyValue',  or 'my_value',  or '12345', regex used for validation is "
               "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
    return NULL;
}

const char *label_key_fault(const char *key)
{
    const char *slash = strchr(key, '/'), *name = slash ? slash + 1 : key;
    char prefix[256];

    if (slash && strchr(slash + 1, '/'))
        return "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and "
               "must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  "
               "or '123-abc', regex used for validation is "
               "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix "
               "and '/' (e.g. 'example.com/MyName')";
    if (slash == key)
        return "prefix part must be non-empty";
    if (slash && (size_t)(slash - key) > 253)
        return "prefix part must be no more than 253 characters";
    if (slash) {
        memcpy(prefix, key, (size_t)(slash - key));
        prefix[slash - key] = '\0';
        if (dns_subdomain_fault(prefix))
            return "prefix part a lowercase RFC 1123 subdomain must consist of lower case "
                   "alphanumeric characters, '-' or '.', and must start and end with an "
                   "alphanumeric character (e.g. 'example.com', regex used for validation is "
                   "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    }
    if (!*name)
        return "name part must be non-empty";
    if (strlen(name) > 63)
        return "name part " LABEL_63;
    return is_word(name, strlen(name), "-_.", is_alphanumeric) ? NULL : LABEL_SET;
}
