"""Writes cron_moments.txt: the moments that cron expressions must give around every DST change of 12 zones.

An implementation of its own, on Python's zoneinfo: it walks through the minutes of UTC and looks at the wall clock,
where Aldis walks through the wall clock. Run it with the tzdata package of the release that is named in the file:

    pip install tzdata==2026.6
    PYTHONTZPATH= python3 cron_moments.py > cron_moments.txt

Each line: zone, moment of the change (UTC, seconds), the expression's number, and the minutes from the change to each
moment within the span around it.
"""
import datetime as dt
from importlib import resources
from zoneinfo import ZoneInfo

ZONES = [
    "Africa/Cairo", "Africa/Casablanca", "America/Havana", "America/New_York", "America/Santiago", "America/St_Johns",
    "Asia/Beirut", "Australia/Lord_Howe", "Australia/Sydney", "Europe/Berlin", "Europe/London", "Pacific/Chatham",
]
# minute, hour, days of the month, months, days of the week (0: Sunday); None: not restricted. "every": the hour field
# is * or */n.
EXPRESSIONS = [
    ("30 2 * * *", [30], [2], None, None, None, False),
    ("30 1 * * *", [30], [1], None, None, None, False),
    ("0,15,45 0-3 * * *", [0, 15, 45], [0, 1, 2, 3], None, None, None, False),
    ("30 23 * * *", [30], [23], None, None, None, False),
    ("*/20 * * * *", [0, 20, 40], list(range(24)), None, None, None, True),
    ("10 */2 * * *", [10], list(range(0, 24, 2)), None, None, None, True),
    ("5 0 1-7 * SUN", [5], [0], list(range(1, 8)), None, [0], False),
    ("50 2 * 3,4,10,11 SUN", [50], [2], None, [3, 4, 10, 11], [0], False),
]
BEFORE, AFTER = 5 * 60, 6 * 60
UTC = dt.timezone.utc


def wall(zone, minute):
    return dt.datetime.fromtimestamp(minute * 60, UTC).astimezone(zone).replace(tzinfo=None, fold=0)


def changes(zone):
    begin = int(dt.datetime(2020, 1, 1, tzinfo=UTC).timestamp()) // 60
    end = int(dt.datetime(2038, 1, 1, tzinfo=UTC).timestamp()) // 60
    offset = lambda minute: wall(zone, minute) - dt.datetime.fromtimestamp(minute * 60, UTC).replace(tzinfo=None)
    for day in range(begin, end, 1440):
        if offset(day) != offset(day + 1440):
            low, high = day, day + 1440
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == offset(low) else (low, middle)
            yield high


def day_matches(days, months, weekdays, local):
    in_days = days is None or local.day in days
    in_weekdays = weekdays is None or (local.weekday() + 1) % 7 in weekdays
    both = days is not None and weekdays is not None
    return (months is None or local.month in months) and ((in_days or in_weekdays) if both else (in_days and in_weekdays))


def moments(clock, expression):
    """clock: what the wall shows at each minute, over two days on both sides of the change."""
    _, minutes, hours, days, months, weekdays, every = expression
    shown = {}
    for minute, local in clock:
        shown.setdefault(local, []).append(minute)
    local, last, found = clock[0][1], clock[-1][1], set()
    while local <= last:
        if local.minute in minutes and local.hour in hours and day_matches(days, months, weekdays, local):
            if local in shown:
                found.update(shown[local] if every else shown[local][:1])
            else:
                found.add(next(minute for minute, later in clock if later > local))
        local += dt.timedelta(minutes=1)
    return sorted(found)


def main():
    version = resources.files("tzdata").joinpath("zones").parent.joinpath("__init__.py").read_text().split('"')[3]
    print(f"# tzdata {version}; moments from {BEFORE} minutes before to {AFTER} minutes after each change")
    for number, expression in enumerate(EXPRESSIONS):
        print(f"# {number} {expression[0]}")
    for name in ZONES:
        zone = ZoneInfo(name)
        for change in changes(zone):
            clock = [(minute, wall(zone, minute)) for minute in range(change - 1440, change + 1440)]
            for number, expression in enumerate(EXPRESSIONS):
                near = [m - change for m in moments(clock, expression) if -BEFORE <= m - change < AFTER]
                print(name, change * 60, number, ",".join(map(str, near)) or "-")


main()
