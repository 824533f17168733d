/* Any bytes as the file of users, or as a key file: they load or are answered with faults that name the file, and what loads holds
 * what the rest of kpid builds upon: keys in order, each once, and a role for everybody. */
#include "config.h"
#include "keyfile.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static char dir[] = "/tmp/fuzz-users-XXXXXX", server[64], users[64], fuzzed[64], yaml[256];

static void clean(void)
{
    unlink(server);
    unlink(users);
    unlink(fuzzed);
    rmdir(dir);
}

static void begin(void)
{
    struct kp_key_file keys = {0};
    struct kp_err err = {0};

    if (yaml[0])
        return;
    if (!mkdtemp(dir))
        abort();
    snprintf(server, sizeof server, "%s/server.key", dir);
    snprintf(users, sizeof users, "%s/users.yaml", dir);
    snprintf(fuzzed, sizeof fuzzed, "%s/fuzzed.key", dir);
    snprintf(yaml, sizeof yaml, "security: {server_key: server.key, authorized_keys: users.yaml}\n"
                                "kpis: {calls: {aggregate: count, where: {type: call}}}\n");
    if (kp_curve_make(&keys, &err) || kp_key_file_write(server, "of a fuzzer", &keys, &err))
        abort();
    atexit(clean);
}

static void write_file(const char *path, const uint8_t *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, bytes, len) != (ssize_t)len)
        abort();
    close(fd);
}

static void as_key_file(const uint8_t *bytes, size_t len)
{
    struct kp_key_file keys;
    struct kp_err err = {0};

    write_file(fuzzed, bytes, len);
    if (kp_key_file_read(fuzzed, &keys, &err) ? strncmp(err.text, fuzzed, strlen(fuzzed)) != 0 : !kp_curve_is_key(keys.public_key))
        abort();
}

static void note(void *ctx, struct kp_loc loc, const char *path, const char *text)
{
    (void)path;
    if (!text[0] || (loc.file && strcmp(loc.file, users) != 0))
        abort();
    ++*(size_t *)ctx;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    size_t told = 0;
    struct kp_faults faults = {.add = note, .ctx = &told};
    struct kp_config config;

    begin();
    if (len && bytes[0] == 'K') {
        as_key_file(bytes + 1, len - 1);
        return 0;
    }
    write_file(users, bytes, len);
    if (kp_config_load_bytes("fuzz.yaml", dir, yaml, strlen(yaml), &config, &faults) == 0) {
        const struct kp_security_cfg *security = &config.security;

        for (size_t i = 0; i < security->nusers; i++) {
            const struct kp_user_cfg *user = &security->users[i];

            if (!kp_curve_is_key(user->key) || !user->name[0] || (i && strcmp(security->users[i - 1].key, user->key) >= 0) ||
                !(user->admin || user->emit.all || user->emit.count || user->read.all || user->read.count))
                abort();
        }
    } else if (!told) {
        abort();
    }
    kp_config_release(&config);
    return 0;
}
