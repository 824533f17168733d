"""Bounds of windows by the definitions, with the zone rules of the Python library."""
import datetime
import re
import zoneinfo

UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3600_000, "d": 86400_000, "w": 7 * 86400_000}
DAY = UNITS["d"]
PANES = [x * UNITS[u] for x, u in [(1, "s"), (5, "s"), (10, "s"), (15, "s"), (30, "s"), (1, "m"), (5, "m"), (10, "m"),
                                   (15, "m"), (30, "m"), (1, "h"), (2, "h"), (6, "h"), (12, "h"), (1, "d")]]
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
FOREVER = 1 << 62


def duration(text):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h|d|w)", text).groups()
    return int(number) * UNITS[unit]


class Calendar:
    def __init__(self, zone, week_starts):
        self.zone = zoneinfo.ZoneInfo(zone)
        self.week_start = DAYS.index(week_starts)

    def local_date(self, ms):
        return datetime.datetime.fromtimestamp(ms // 1000, self.zone).date()

    def start_of(self, date):
        """The first instant of a local day, ms."""
        return round(datetime.datetime(date.year, date.month, date.day, tzinfo=self.zone).timestamp()) * 1000

    def period(self, name, ms, shift):
        """The first day of the period that ms lies in, shifted by whole periods."""
        day = self.local_date(ms)
        if name == "day":
            return day + datetime.timedelta(days=shift)
        if name == "week":
            return day + datetime.timedelta(days=7 * shift - (day.weekday() - self.week_start) % 7)
        months = {"month": 1, "quarter": 3, "year": 12}[name]
        index = day.year * 12 + day.month - 1
        index = index - index % months + months * shift
        return datetime.date(index // 12, index % 12 + 1, 1)

    def bounds(self, window, t):
        """A window holds the events with from <= time < to, at t."""
        calendar = re.fullmatch(r"(day|week|month|quarter|year)(?:-(\d+))?", window)
        if calendar:
            name, back = calendar[1], int(calendar[2] or 0)
            end = self.start_of(self.period(name, t, 1 - back)) if back else FOREVER
            return self.start_of(self.period(name, t, -back)), end
        length, _, pane = window.partition("/")
        length = duration(length)
        pane = duration(pane) if pane else max(s for s in PANES if length % s == 0 and s <= length // 24)
        if pane == DAY:
            return self.start_of(self.period("day", t, 1 - length // DAY)), FOREVER
        return t - t % pane - length + pane, FOREVER
