#include "core/time_text.h"

#include <stdio.h>
#include <time.h>

#define YEAR_1_US     (-62135596800LL * 1000000)
#define YEAR_10000_US (253402300800LL * 1000000)

/* Not strftime: its %Y of the year 226 has three digits. */
static void split_time(int64_t unix_s, char to[32])
{
    time_t when = (time_t)unix_s;
    struct tm tm;

    if (!gmtime_r(&when, &tm) || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900)
        tm = (struct tm){.tm_year = -1899, .tm_mday = 1}; /* no time that RFC 3339 can say */
    snprintf(to, 32, "%04u-%02u-%02uT%02u:%02u:%02u", (tm.tm_year + 1900U) % 10000,
             (tm.tm_mon + 1U) % 100, tm.tm_mday % 100U, tm.tm_hour % 100U, tm.tm_min % 100U,
             tm.tm_sec % 100U);
}

const char *time_text(struct op *op, int64_t unix_s)
{
    char text[32];

    split_time(unix_s, text);
    return arena_printf(&op->arena, "%sZ", text);
}

const char *micro_time_text(struct op *op, int64_t unix_us)
{
    int64_t us = unix_us % 1000000, s = unix_us / 1000000;
    char text[32];

    if (us < 0) {
        us += 1000000;
        s--;
    }
    split_time(s, text);
    return arena_printf(&op->arena, "%s.%06lldZ", text, (long long)us);
}

/* `n` digits as a number; -1: they are not all there. */
static int digits(const char **s, int n)
{
    int value = 0;

    for (; n > 0; n--, (*s)++) {
        if (**s < '0' || **s > '9')
            return -1;
        value = value * 10 + (**s - '0');
    }
    return value;
}

static bool letter(const char **s, char a, char b)
{
    if (**s != a && **s != b)
        return false;
    (*s)++;
    return true;
}

/* "+hh:mm" or "Z" in seconds east. */
static bool parse_zone(const char **s, int *ret_seconds)
{
    int sign, hours, minutes;

    *ret_seconds = 0;
    if (letter(s, 'Z', 'z'))
        return true;
    sign = **s == '-' ? -1 : 1;
    if (!letter(s, '+', '-'))
        return false;
    hours = digits(s, 2);
    if (!letter(s, ':', ':'))
        return false;
    minutes = digits(s, 2);
    *ret_seconds = sign * (hours * 3600 + minutes * 60);
    return hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

bool micro_time_parse(const char *s, int64_t *ret_us)
{
    int year, month, day, hour, minute, second, zone;
    int64_t us = 0, unit = 100000;
    struct tm tm;

    if (!s || (year = digits(&s, 4)) < 0 || !letter(&s, '-', '-') || (month = digits(&s, 2)) < 1 ||
        month > 12 || !letter(&s, '-', '-') || (day = digits(&s, 2)) < 1 ||
        day > days_in(year, month) || !letter(&s, 'T', 't') || (hour = digits(&s, 2)) < 0 ||
        hour > 23 || !letter(&s, ':', ':') || (minute = digits(&s, 2)) < 0 || minute > 59 ||
        !letter(&s, ':', ':') || (second = digits(&s, 2)) < 0 || second > 59)
        return false;
    if (letter(&s, '.', ',')) {
        if (*s < '0' || *s > '9')
            return false;
        for (; *s >= '0' && *s <= '9'; s++, unit /= 10)
            us += (*s - '0') * unit;
    }
    if (!parse_zone(&s, &zone) || *s)
        return false;
    tm = (struct tm){.tm_year = year - 1900,
                     .tm_mon = month - 1,
                     .tm_mday = day,
                     .tm_hour = hour,
                     .tm_min = minute,
                     .tm_sec = second};
    us += ((int64_t)timegm(&tm) - zone) * 1000000;
    if (us < YEAR_1_US || us >= YEAR_10000_US) /* by its zone */
        return false;
    *ret_us = us;
    return true;
}

int64_t time_parse(const char *text)
{
    int64_t us;

    if (!micro_time_parse(text, &us) || us < 0)
        return -1;
    return us / 1000000;
}
