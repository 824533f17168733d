#include "kpictl.h"

#include "keyfile.h"

#include <getopt.h>
#include <string.h>

static const char help[] =
    "usage: kpictl keygen NAME [--server FILE|KEY]\n"
    "\n"
    "Make a pair of keys for a daemon with `security`: NAME.key, which stays with whoever it is of and is readable by them\n"
    "alone, and NAME.pub, which may be given to anybody. Nothing is written over.\n"
    "\n"
    "The daemon's own, once, and then one for each who is to get in:\n"
    "\n"
    "  $ kpictl keygen server\n"
    "  $ kpictl keygen maria --server server.pub\n"
    "  $ kpictl --key maria.key get --under emea/field-1\n"
    "\n"
    "With --server the key file says whom it is for, and is all that a client needs. What is printed goes into the daemon's\n"
    "file of users (authorized_keys); the roles are up to you. The daemon reads it again with `kpictl reload`.\n"
    "Exit status: 0 well, 1 a file is there already or can't be written, 2 wrong use.\n";

struct options {
    const char *name, *server;
};

/* As a file's name and a key of YAML. */
static bool is_name(const char *name)
{
    return *name && strlen(name) <= 100 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.@") == strlen(name) && name[0] != '.' && name[0] != '-';
}

static int parse(int argc, char **argv, struct options *opt)
{
    static const struct option longs[] = {{"server", 1, NULL, 's'}, {"help", 0, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'h') {
            fputs(help, stdout);
            return -1;
        }
        if (c == '?')
            return EXIT_WRONG;
        opt->server = optarg;
    }
    if (optind + 1 != argc)
        return kpictl_wrong("keygen", optind == argc ? "whose? give a name" : "one name at a time");
    opt->name = argv[optind];
    if (!is_name(opt->name))
        return kpictl_wrong("keygen", "\"%s\": a name is made of letters, digits, - _ . and @, and begins with none of - and .", opt->name);
    return EXIT_WELL;
}

static enum kp_code make(const struct options *opt, struct kp_key_file *keys, struct kp_err *err)
{
    struct kp_key_file open = {0};
    char path[128], comment[256];
    enum kp_code code = kp_curve_make(keys, err);

    snprintf(path, sizeof path, "%s.key", opt->name);
    snprintf(comment, sizeof comment, "The keys of %s. Keep the secret one to yourself.", opt->name);
    code = code ? code : kp_key_file_write(path, comment, keys, err);
    memcpy(open.public_key, keys->public_key, KP_CURVE_TEXT);
    snprintf(path, sizeof path, "%s.pub", opt->name);
    snprintf(comment, sizeof comment, "The public key of %s, for whoever wants it.", opt->name);
    return code ? code : kp_key_file_write(path, comment, &open, err);
}

int kpictl_keygen(int argc, char **argv)
{
    struct options opt = {0};
    struct kp_key_file keys = {0};
    struct kp_err err = {0};
    int status = parse(argc, argv, &opt);

    if (status)
        return status < 0 ? EXIT_WELL : status;
    if (opt.server && kp_curve_public_of(opt.server, keys.server_key, &err))
        return kpictl_wrong("keygen", "%s", err.text);
    if (make(&opt, &keys, &err))
        status = kpictl_failed("keygen", "%s", err.text);
    else
        printf("%s.key and %s.pub are made. For the daemon's file of users:\n\n"
               "users:\n  %s: {key: \"%s\", read: all}\n\n"
               "or with emit: [SOURCE], read: [PATH] or admin: true.\n",
               opt.name, opt.name, opt.name, keys.public_key);
    explicit_bzero(&keys, sizeof keys);
    return status;
}
