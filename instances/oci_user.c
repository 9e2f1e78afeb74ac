#include "instances/oci_user.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "instances/sandbox_folder.h"

#define FILE_MAX ((size_t)4 << 20)

/* "" when it is not there, or no file. The image may have put a device there, which only to open
   might do something: /dev/watchdog. */
static char *read_inside(struct op *op, int root, const char *path)
{
    AUTO_CLOSE int found = open_inside(root, path, O_PATH), fd = -1;
    struct stat st;
    char *text;
    size_t len = 0;
    ssize_t n;

    if (found < 0 || fstat(found, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > (off_t)FILE_MAX)
        return arena_strdup(&op->arena, "");
    fd = open(fd_path(op, found), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return arena_strdup(&op->arena, "");
    text = arena_alloc(&op->arena, (size_t)st.st_size + 1);
    while (len < (size_t)st.st_size && (n = read(fd, text + len, (size_t)st.st_size - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    return text;
}

static bool to_number(const char *text, int64_t *ret)
{
    char *end;
    long long n;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    n = strtoll(text, &end, 10);
    if (errno || *end || n > INT_MAX)
        return false;
    *ret = n;
    return true;
}

/* The next line's fields, cut at the colons; false at the end. */
static bool next_entry(char **text, char *fields[], size_t n)
{
    static char none[1];
    char *line;

    while ((line = strsep(text, "\n"))) {
        size_t i = 0;

        if (!strchr(line, ':'))
            continue;
        for (; i < n; i++)
            fields[i] = line ? strsep(&line, ":") : none;
        return true;
    }
    return false;
}

enum passwd_field { P_NAME, P_PASSWORD, P_UID, P_GID, P_GECOS, P_HOME, P_FIELDS };
enum group_field { G_NAME, G_PASSWORD, G_GID, G_MEMBERS, G_FIELDS };

/* By name, or by number; NULL: not there. */
static const char *find_user(struct op *op, int root, const char *name, int64_t uid,
                             struct oci_user *ret)
{
    char *text = read_inside(op, root, "/etc/passwd"), *field[P_FIELDS];
    int64_t number, gid;

    while (next_entry(&text, field, P_FIELDS)) {
        if (!to_number(field[P_UID], &number) || !to_number(field[P_GID], &gid) ||
            (name ? strcmp(field[P_NAME], name) != 0 : number != uid))
            continue;
        ret->uid = number;
        ret->gid = gid;
        if (field[P_HOME][0] == '/')
            ret->home = arena_strdup(&op->arena, field[P_HOME]);
        return arena_strdup(&op->arena, field[P_NAME]);
    }
    return NULL;
}

static bool find_group(struct op *op, int root, const char *name, int64_t *ret)
{
    char *text = read_inside(op, root, "/etc/group"), *field[G_FIELDS];

    while (next_entry(&text, field, G_FIELDS))
        if (strcmp(field[G_NAME], name) == 0 && to_number(field[G_GID], ret))
            return true;
    return false;
}

static bool is_member(char *members, const char *name)
{
    for (char *each; (each = strsep(&members, ","));)
        if (strcmp(each, name) == 0)
            return true;
    return false;
}

static void find_memberships(struct op *op, int root, const char *name, struct oci_user *ret)
{
    char *text = read_inside(op, root, "/etc/group"), *field[G_FIELDS];
    int64_t gid;

    while (next_entry(&text, field, G_FIELDS) && ret->n_groups < OCI_GROUPS_MAX)
        if (to_number(field[G_GID], &gid) && is_member(field[G_MEMBERS], name))
            ret->groups[ret->n_groups++] = gid;
}

/* The user's half of "user:group"; *ret_name: as /etc/passwd calls it. */
static enum fault by_text(struct op *op, int root, const char *user, struct oci_user *ret,
                          const char **ret_name)
{
    int64_t uid;

    *ret_name = find_user(op, root, user, -1, ret);
    if (*ret_name)
        return OK;
    if (!to_number(user, &uid))
        return fail_on(op, "user", INVALID,
                       "unable to find user %s: no matching entries in passwd file", user);
    ret->uid = uid;
    *ret_name = find_user(op, root, NULL, uid, ret);
    return OK;
}

enum fault oci_user_find(struct op *op, int root, const char *user, int64_t run_as_user,
                         int64_t run_as_group, struct oci_user *ret)
{
    const char *colon = strchr(user, ':'), *name = NULL;
    const char *group = colon ? colon + 1 : "";

    memset(ret, 0, sizeof(*ret));
    ret->home = "/";
    if (run_as_user >= 0) {
        ret->uid = run_as_user;
        name = find_user(op, root, NULL, run_as_user, ret);
        group = "";
    } else if (user[0] && user[0] != ':') {
        TRY(by_text(op, root, arena_strndup(&op->arena, user, strcspn(user, ":")), ret, &name));
    } else {
        name = find_user(op, root, NULL, 0, ret);
    }
    if (name && !group[0] && run_as_group < 0)
        find_memberships(op, root, name, ret);
    if (group[0] && !find_group(op, root, group, &ret->gid) && !to_number(group, &ret->gid))
        return fail_on(op, "user", INVALID,
                       "unable to find group %s: no matching entries in group file", group);
    if (run_as_group >= 0)
        ret->gid = run_as_group;
    return OK;
}
