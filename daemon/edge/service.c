#include "service.h"

#include "clock.h"

#include <stddef.h>
#include <systemd/sd-daemon.h>

enum { EXTEND_EVERY_MS = 5000 };

void kp_service_init(struct kp_service *service)
{
    uint64_t us = 0;

    *service = (struct kp_service){0};
    if (sd_watchdog_enabled(0, &us) > 0)
        service->every_ms = us / 2000 ? (int64_t)(us / 2000) : 1;
}

void kp_service_ready(void)
{
    sd_notify(0, "READY=1");
}

void kp_service_reloading(void)
{
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)kp_clock_us(CLOCK_MONOTONIC));
}

void kp_service_stopping(void)
{
    sd_notify(0, "STOPPING=1");
}

void kp_service_wait(struct kp_service *service, int64_t steady_ms)
{
    if (steady_ms < service->due_ms)
        return;
    service->due_ms = steady_ms + EXTEND_EVERY_MS;
    sd_notify(0, "EXTEND_TIMEOUT_USEC=60000000");
}

void kp_service_alive(struct kp_service *service, int64_t steady_ms)
{
    if (!service->every_ms || steady_ms < service->due_ms)
        return;
    service->due_ms = steady_ms + service->every_ms;
    sd_notify(0, "WATCHDOG=1");
}

int64_t kp_service_due(const struct kp_service *service)
{
    return service->every_ms ? service->due_ms : INT64_MAX;
}
