# The working days of a quarter, and when invoices are due.
from datetime import date, timedelta

day, end = date(2024, 1, 1), date(2024, 3, 31)
working = []
while day <= end:
    if day.weekday() < 5:
        working.append(day)
    day += timedelta(days=1)
print(len(working), [d.isoformat() for d in working[::20]], working[0] + timedelta(days=30))
