from __future__ import annotations

from monitoring.alerts import COOL_DOWN, MAX_PER_WINDOW, AlertBook, RuleName, rules
from monitoring.snapshot import Snapshot


def book(**mutes: float) -> AlertBook:
    return AlertBook(
        rules(high_memory=80, critical_memory=90, session_count=100, cache_hit_rate=0.5), mutes=dict(mutes)
    )


def events(alerts: AlertBook, percents: list[float], *, step: float = 30.0) -> list[tuple[str, str]]:
    said = []
    for number, percent in enumerate(percents):
        for alert in alerts.check(
            Snapshot(at=1000.0 + number * step, memory_percent=percent, disk_free=10**12)
        ):
            said.append((alert.rule.value, alert.event))
    return said


def test_a_ramp_of_memory_gives_one_alert_and_one_recovery() -> None:
    ramp = [*range(60, 89), *range(88, 60, -1)]
    assert events(book(), [float(p) for p in ramp]) == [
        ("HIGH_MEMORY_USAGE", "fired"),
        ("HIGH_MEMORY_USAGE", "recovered"),
    ]


def test_flapping_around_the_threshold_says_nothing_twice() -> None:
    assert events(book(), [81, 79, 82, 78, 83, 79, 81]) == [("HIGH_MEMORY_USAGE", "fired")]


def test_a_steeper_ramp_names_both_rules_once() -> None:
    said = events(book(), [70, 85, 95, 85, 70])
    assert said.count(("CRITICAL_MEMORY_USAGE", "fired")) == 1
    assert said.count(("HIGH_MEMORY_USAGE", "recovered")) == 1
    assert len(said) == 4


def test_what_fires_again_within_the_cool_down_is_told_when_it_ends() -> None:
    alerts = book()
    assert events(alerts, [85, 60, 85, 85]) == [
        ("HIGH_MEMORY_USAGE", "fired"),
        ("HIGH_MEMORY_USAGE", "recovered"),
    ]
    later = alerts.check(Snapshot(at=1000.0 + COOL_DOWN + 1, memory_percent=85, disk_free=10**12))
    assert [(a.rule, a.event) for a in later] == [(RuleName.HIGH_MEMORY_USAGE, "fired")]
    assert later[0].suppressed == 2


def test_a_memory_alert_names_the_limit() -> None:
    full = Snapshot(at=1000.0, memory_percent=85.4, memory_limit=512 * 2**20, disk_free=10**12)
    assert [alert.value for alert in book().check(full)] == ["85 % de 512 Mio"]


def test_a_muted_rule_is_silent_until_the_mute_ends() -> None:
    alerts = book(HIGH_MEMORY_USAGE=1060.0)
    assert events(alerts, [85, 85, 85]) == [("HIGH_MEMORY_USAGE", "fired")]


def test_ten_thousand_reports_leave_at_most_five_messages() -> None:
    alerts = book()
    said = [
        alert
        for number in range(10_000)
        for rule in (RuleName.TURN_PARKED, RuleName.LOOP_STALL, RuleName.TROUBLE)
        for alert in alerts.report(rule, "x", 1000.0 + number / 1000)
    ]
    assert 1 <= len(said) <= MAX_PER_WINDOW


def test_a_small_sample_says_nothing_about_the_cache() -> None:
    alerts = book()
    few = Snapshot(at=1.0, cache_hits=1, cache_misses=50, disk_free=10**12)
    many = Snapshot(at=2.0, cache_hits=1, cache_misses=500, disk_free=10**12)
    assert alerts.check(few) == []
    assert [a.rule for a in alerts.check(many)] == [RuleName.LOW_CACHE_HIT_RATE]


def test_a_model_that_is_not_set_up_is_never_down() -> None:
    assert book().check(Snapshot(at=1.0, breaker_open=True, disk_free=10**12)) == []
