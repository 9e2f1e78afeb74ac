/* Times: ISO 8601 and .NET's formats, always UTC. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/template/function.h"

#define YEARS_MAX 7000

/* "2026-11-20", "2026-11-20T12:00:00Z", "2026-11-20 12:00:00.123+01:00", "20261120T120000Z" */
static bool read_time(const char *text, time_t *ret)
{
    int year, month, day, hour = 0, minute = 0, second = 0, off_h = 0, off_m = 0, n = 0;
    struct tm tm = {0};
    char sign = '+';

    if (sscanf(text, "%4d%2d%2dT%2d%2d%2d%n", &year, &month, &day, &hour, &minute, &second, &n) ==
            6 &&
        n == 15)
        text += n;
    else if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &n) == 3 && n == 10) {
        text += n;
        if ((*text == 'T' || *text == ' ') &&
            sscanf(text + 1, "%2d:%2d:%2d%n", &hour, &minute, &second, &n) == 3)
            text += n + 1;
    } else
        return false;
    if (*text == '.')
        text += 1 + strspn(text + 1, "0123456789");
    while (*text == ' ')
        text++;
    if ((*text == '+' || *text == '-') &&
        sscanf(text, "%c%2d:%2d%n", &sign, &off_h, &off_m, &n) == 3)
        text += n;
    else if (*text == 'Z' || *text == 'z')
        text++;
    tm = (struct tm){.tm_year = year - 1900,
                     .tm_mon = month - 1,
                     .tm_mday = day,
                     .tm_hour = hour,
                     .tm_min = minute,
                     .tm_sec = second};
    *ret = timegm(&tm) - (sign == '-' ? -1 : 1) * (off_h * 3600 + off_m * 60);
    return !*text && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

/* One letter's worth of a format; how long the run of it is. */
static void add_part(struct text *out, char letter, size_t run, const struct tm *tm)
{
    static const char *const months[] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
    static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};
    int width = run > 1 ? 2 : 1;

    if (letter == 'y')
        text_printf(out, "%0*d", run > 2 ? 4 : 2, run > 2 ? tm->tm_year + 1900 : tm->tm_year % 100);
    else if (letter == 'M' && run > 2)
        text_printf(out, "%.*s", run == 3 ? 3 : 20, months[tm->tm_mon]);
    else if (letter == 'd' && run > 2)
        text_printf(out, "%.*s", run == 3 ? 3 : 20, days[tm->tm_wday]);
    else if (letter == 't')
        text_printf(out, "%.*s", (int)run, tm->tm_hour < 12 ? "AM" : "PM");
    else if (letter == 'f')
        for (size_t i = 0; i < run; i++)
            text_str(out, "0");
    else
        text_printf(out, "%0*d", width,
                    letter == 'M'   ? tm->tm_mon + 1
                    : letter == 'd' ? tm->tm_mday
                    : letter == 'H' ? tm->tm_hour
                    : letter == 'h' ? (tm->tm_hour + 11) % 12 + 1
                    : letter == 'm' ? tm->tm_min
                                    : tm->tm_sec);
}

/* .NET's single letters for a whole format. */
static const char *standard_format(const char *format)
{
    static const struct {
        char letter;
        const char *format;
    } formats[] = {
        {'d', "MM/dd/yyyy"                   },
        {'s', "yyyy-MM-ddTHH:mm:ss"          },
        {'u', "yyyy-MM-dd HH:mm:ssZ"         },
        {'o', "yyyy-MM-ddTHH:mm:ss.fffffffZ" },
        {'r', "ddd, dd MMM yyyy HH:mm:ss GMT"},
        {'t', "HH:mm"                        },
        {'T', "HH:mm:ss"                     },
        {'g', "MM/dd/yyyy HH:mm"             },
        {'G', "MM/dd/yyyy HH:mm:ss"          },
        {'y', "yyyy MMMM"                    },
    };

    for (size_t i = 0; format[0] && !format[1] && i < ARRAY_LEN(formats); i++)
        if (formats[i].letter == format[0])
            return formats[i].format;
    return format;
}

static enum fault give_time(const struct arguments *a, time_t at, const char *format, json_t **ret)
{
    struct text out;
    struct tm tm;

    if (!gmtime_r(&at, &tm) || tm.tm_year < 1 - 1900 || tm.tm_year > 9999 - 1900)
        return function_fail(a, "makes a time that is out of range.");
    text_init(&out, &a->s->op->arena, 4096);
    for (format = standard_format(format); *format;) {
        size_t run = strspn(format, (char[]){*format, '\0'});

        if (*format == '\'') { /* as it is */
            size_t len = strcspn(format + 1, "'");

            text_add(&out, format + 1, len);
            format += 1 + len + (format[1 + len] == '\'');
            continue;
        }
        if (strchr("yMdHhmsft", *format) && !(*format == 't' && run > 2))
            add_part(&out, *format, run, &tm);
        else
            text_add(&out, format, run);
        format += run;
    }
    return out.overflow ? function_fail(a, "has a format that is too long.")
                        : give_text(a, out.data, ret);
}

FUNCTION(f_utc_now)
{
    const char *format = "yyyyMMddTHHmmssZ";

    if (!a->s->is_default)
        return function_fail(a, "is only allowed in the default value of a parameter.");
    if (a->n)
        TRY(text_arg(a, 0, &format));
    return give_time(a, (time_t)wall_s(), format, ret);
}

static bool add_to(int *part, long long n)
{
    return !__builtin_add_overflow(*part, n, part);
}

/* ISO 8601: "P1Y2M3W4DT5H6M7S", a minus before it. */
static bool add_duration(const char *text, time_t *at)
{
    long long sign = *text == '-' ? -1 : 1, n;
    bool is_time = false, any = false, added;
    struct tm tm;
    char *end;

    text += *text == '-' || *text == '+';
    if (*text++ != 'P' || !gmtime_r(at, &tm))
        return false;
    for (; *text; text = end + 1, any = true) {
        if (*text == 'T' && !is_time) {
            is_time = true;
            text++;
        }
        n = strtoll(text, &end, 10);
        if (end == text || !isdigit((unsigned char)*text) || n > 999999999)
            return false;
        n *= sign;
        if (*end == 'Y' && !is_time && llabs(n) < YEARS_MAX)
            added = add_to(&tm.tm_year, n);
        else if (*end == 'M' && !is_time && llabs(n) < 12 * YEARS_MAX)
            added = add_to(&tm.tm_mon, n);
        else if ((*end == 'W' || *end == 'D') && !is_time)
            added = add_to(&tm.tm_mday, n * (*end == 'W' ? 7 : 1));
        else if (*end == 'H' && is_time)
            added = add_to(&tm.tm_hour, n);
        else if (*end == 'M' && is_time)
            added = add_to(&tm.tm_min, n);
        else if (*end == 'S' && is_time)
            added = add_to(&tm.tm_sec, n);
        else
            return false;
        if (!added)
            return false;
    }
    errno = 0;
    *at = timegm(&tm);
    return any && errno == 0;
}

FUNCTION(f_date_time_add)
{
    const char *base, *duration, *format = NULL;
    time_t at;

    TRY(text_arg(a, 0, &base));
    TRY(text_arg(a, 1, &duration));
    if (a->n == 3)
        TRY(text_arg(a, 2, &format));
    if (!read_time(base, &at))
        return function_fail(a, "is given a text that is no time.");
    if (!add_duration(duration, &at))
        return function_fail(a, "is given a text that is no ISO 8601 duration.");
    if (!format)
        format = base[8] == 'T'      ? "yyyyMMddTHHmmssZ"
                 : strchr(base, 'T') ? "yyyy-MM-ddTHH:mm:ssZ"
                                     : "u";
    return give_time(a, at, format, ret);
}

FUNCTION(f_date_time_to_epoch)
{
    const char *text;
    time_t at;

    TRY(text_arg(a, 0, &text));
    if (!read_time(text, &at))
        return function_fail(a, "is given a text that is no time.");
    return give(a, json_integer(at), ret);
}

FUNCTION(f_date_time_from_epoch)
{
    int64_t at;

    TRY(int_arg(a, 0, &at));
    return give_time(a, (time_t)at, "yyyy-MM-ddTHH:mm:ssZ", ret);
}
