/* What a service manager is told (systemd's Type=notify and WatchdogSec): that kpid is ready, reads its configuration again, ends, and
 * is alive. Where there is none, nothing is done. */
#ifndef KPID_SERVICE_H
#define KPID_SERVICE_H

#include <stdint.h>

struct kp_service {
    int64_t every_ms;   /* so often it is to be told that kpid is alive; 0: nobody asks */
    int64_t due_ms;     /* steady */
};

void kp_service_init(struct kp_service *service);
void kp_service_ready(void);
void kp_service_reloading(void);    /* until it is ready again */
void kp_service_stopping(void);
/* Again and again on the way to being ready: it goes forward, so it is to be given more time. */
void kp_service_wait(struct kp_service *service, int64_t steady_ms);
/* In every turn of the loop. */
void kp_service_alive(struct kp_service *service, int64_t steady_ms);
/* When that has to be called at the latest, steady; INT64_MAX: never. */
int64_t kp_service_due(const struct kp_service *service);

#endif
