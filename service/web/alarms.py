"""What a person should look at although requests are still answered, in words."""

from service.settings import Settings
from service.steps.watch import Health
from service.vitals import RECEIVER_FORGOTTEN_SECONDS

#: A sweep older than this many of its intervals (and at least ten seconds) is an alarm.
SWEEP_ALARM_INTERVALS = 5
MIN_SWEEP_ALARM_SECONDS = 10.0
#: Workers ask for the receiver every ten seconds.
RECEIVER_ALARM_SECONDS = 30.0
#: A result whose URL lives this long at most should have been stored by now.
URL_ALARM_SECONDS = 60.0


def alarms(settings: Settings, health: Health) -> list[str]:
    """Return one clause or two for each trouble that the tables tell of."""
    return [
        *_nothing_is_submitted(health),
        *_clock(settings, health),
        *_receiver(settings, health),
        *_results(health),
    ]


def _nothing_is_submitted(health: Health) -> list[str]:
    found = [
        f"nothing is submitted to {provider}: {reason}"
        for provider, reason in health.closed_gates.items()
    ]
    found += [f"a worker submits nothing: {reason}" for reason in health.held]
    if health.deployment_held is not None:
        found.append(f"nothing is submitted until `darkroom recover`: {health.deployment_held}")
    return found


def _clock(settings: Settings, health: Health) -> list[str]:
    limit = max(MIN_SWEEP_ALARM_SECONDS, SWEEP_ALARM_INTERVALS * settings.sweep_interval_seconds)
    if health.sweep_age_seconds is None or health.sweep_age_seconds > limit:
        return ["no sweep has run lately: is beat alive, and a worker?"]
    return []


def _receiver(settings: Settings, health: Health) -> list[str]:
    age = health.receiver_age_seconds
    if settings.webhooks_wanted and age is not None and age > RECEIVER_ALARM_SECONDS:
        waits = age < RECEIVER_FORGOTTEN_SECONDS
        consequence = "" if waits else "; webhooks may not come, every job is polled"
        return [f"no worker has reached us at PUBLIC_URL for {age:.0f} s{consequence}"]
    return []


def _results(health: Health) -> list[str]:
    found = []
    margin = health.next_url_dies_in_seconds
    if margin is not None and margin < URL_ALARM_SECONDS:
        found.append(f"a result is not stored, and its URL dies in {max(0.0, margin):.0f} s")
    if health.stranded_results:
        found.append(
            f"{health.stranded_results} results lie on a disk that no worker looks after: "
            "is a host away?"
        )
    return found
