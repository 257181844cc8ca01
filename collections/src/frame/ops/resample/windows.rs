//! In which windows of time a row is, as expressions over its time alone.
//!
//! It refuses to know other rows: where windows begin never depends on which row comes first. Invariant: in a zone whose clocks are put forward
//! and back, windows of days and more begin when the clock shows it, and windows of hours where `truncate` of polars says.

use polars::prelude::*;

use super::{HOUR, WINDOW};

/// Windows of a column of times.
pub(super) struct Windows {
    pub on: PlSmallStr,
    pub dtype: DataType,
    /// As it was written.
    pub step: String,
    pub every: Duration,
    pub period: Duration,
    pub offset: Option<Duration>,
    pub closed: ClosedWindow,
}

impl Windows {
    /// Whether each row is in the one window that has begun last.
    pub fn are_side_by_side(&self) -> bool {
        self.every == self.period && self.closed == ClosedWindow::Left
    }

    /// The beginning of the window that has begun last, or of one that began so many steps before it; null instead of one that a lower number
    /// gives already.
    pub fn beginning(&self, back: i64) -> Expr {
        let times = Expr::Column(self.on.clone());
        let begins = match self.zone() {
            None => self.stepped(times, &self.dtype, back),
            Some((unit, zone)) if self.is_by_calendar() => {
                let clock = DataType::Datetime(unit, None);
                let found = |back| self.at_clock(self.stepped(shown_by(times.clone()), &clock, back), &clock, zone);
                // Of a day that a zone left out the beginning is that of another.
                if back == 0 { found(0) } else { when(found(back).neq(found(back - 1))).then(found(back)).otherwise(lit(NULL)) }
            }
            Some(_) => self.in_strides(&times, back),
        };
        begins.alias(self.on.clone())
    }

    /// Of how many windows, counted back from the one that has begun last, a row may be in.
    pub fn most(&self) -> u64 {
        let whole = match self.every.months_only() && self.period.months_only() {
            true => self.period.months().unsigned_abs().div_ceil(self.every.months().unsigned_abs()),
            false if self.follow_each_other() => 1,
            false => {
                // Clocks are put forward and back.
                let (short, long) = if self.zone().is_some() { (23, 25) } else { (24, 24) };
                let step = if self.zone().is_some() && !self.is_by_calendar() { self.stride() } else { self.every };
                span(&self.period, 31, long).div_ceil(span(&step, 28, short))
            }
        };
        whole.saturating_add(u64::from(matches!(self.closed, ClosedWindow::Right | ClosedWindow::Both)))
    }

    /// Whether a row is in the window that stands beside it.
    pub fn holds(&self) -> Expr {
        let (time, begin) = (Expr::Column(self.on.clone()), || col(WINDOW));
        let end = self.end(begin());
        let (after, before) = match self.closed {
            ClosedWindow::Left => (time.clone().gt_eq(begin()), time.lt(end)),
            ClosedWindow::Right => (time.clone().gt(begin()), time.lt_eq(end)),
            ClosedWindow::Both => (time.clone().gt_eq(begin()), time.lt_eq(end)),
            ClosedWindow::None => (time.clone().gt(begin()), time.lt(end)),
        };
        if self.follow_each_other() { after } else { after.and(before) }
    }

    /// When the window ends that begins here: days and months later by the clock, and what is left of its length later in time.
    pub fn end(&self, begin: Expr) -> Expr {
        let Period { calendar, rest } = Period::of(&self.period);
        let Some((unit, zone)) = self.zone().filter(|_| !calendar.is_empty()) else {
            return begin.dt().offset_by(lit(self.period.to_string()));
        };
        let clock = DataType::Datetime(unit, None);
        let shown = shown_by(begin);
        // A beginning that the clock skips is shown later than it is meant.
        let meant = if self.is_by_calendar() { self.stepped(shown, &clock, 0) } else { shown };
        let day = self.at_clock(meant.dt().offset_by(lit(calendar)), &clock, zone);
        if rest == 0 { day } else { day.dt().offset_by(lit(format!("{rest}ns"))) }
    }

    /// The zone of the times and their unit, if its clocks may be put forward and back.
    fn zone(&self) -> Option<(TimeUnit, &TimeZone)> {
        match &self.dtype {
            DataType::Datetime(unit, Some(zone)) if *zone != TimeZone::UTC => Some((*unit, zone)),
            _ => None,
        }
    }

    /// Whether windows begin days, weeks or months after each other, which have not always the same number of hours.
    fn is_by_calendar(&self) -> bool {
        self.every.months() != 0 || self.every.weeks() != 0 || self.every.days() != 0
    }

    /// Whether each window lasts until the next one begins, however long that is: windows of hours that are named after steps of a clock. Then a
    /// row is in the one that has begun last, and at a beginning it may be in the one before too, or instead.
    fn follow_each_other(&self) -> bool {
        self.every == self.period && self.zone().is_some() && !self.is_by_calendar()
    }

    /// Where all steps are of one length, as on a clock that nobody touches.
    fn stepped(&self, times: Expr, dtype: &DataType, back: i64) -> Expr {
        self.later(times, dtype, |times| {
            let last = times.dt().truncate(lit(self.step.as_str()));
            if back == 0 { last } else { last.dt().offset_by(lit((self.every * -back).to_string())) }
        })
    }

    /// Steps of hours in a zone: around a change some are shorter, so that windows before the last are looked for in strides that skip none.
    fn in_strides(&self, times: &Expr, back: i64) -> Expr {
        let stride = self.stride();
        let found = |back: i64| {
            self.later(times.clone(), &self.dtype, |times| {
                let earlier = if back == 0 { times } else { times.dt().offset_by(lit((stride * -back).to_string())) };
                earlier.dt().truncate(lit(self.step.as_str()))
            })
        };
        match back == 0 || stride == self.every {
            true => found(back),
            false => when(found(back).neq(found(back - 1))).then(found(back)).otherwise(lit(NULL)),
        }
    }

    /// The longest time that fits into every step when clocks are moved by whole hours; where only the window before matters, the least time.
    fn stride(&self) -> Duration {
        if let (true, Some((unit, _))) = (self.follow_each_other(), self.zone()) {
            return Duration::parse(match unit {
                TimeUnit::Nanoseconds => "1ns",
                TimeUnit::Microseconds => "1us",
                TimeUnit::Milliseconds => "1ms",
            });
        }
        let (mut stride, mut rest) = (self.every.nanoseconds().unsigned_abs(), HOUR);
        while rest > 0 {
            (stride, rest) = (rest, stride % rest);
        }
        Duration::parse(&format!("{stride}ns"))
    }

    /// The beginnings that `begins` finds, all of them later by the offset.
    fn later(&self, times: Expr, dtype: &DataType, begins: impl Fn(Expr) -> Expr) -> Expr {
        let Some(by) = self.offset else { return begins(times) };
        (begins((times - lit(by)).cast(dtype.clone())) + lit(by)).cast(dtype.clone())
    }

    /// When clocks of the zone show this: the first time of two. What they skip is as late as if they had not been put forward.
    fn at_clock(&self, shown: Expr, clock: &DataType, zone: &TimeZone) -> Expr {
        let at = |shown: Expr| shown.dt().replace_time_zone(Some(zone.clone()), lit("earliest"), NonExistent::Null);
        let day = || lit(Duration::parse("24h"));
        let skipped = (at((shown.clone() - day()).cast(clock.clone())) + day()).cast(self.dtype.clone());
        at(shown).fill_null(skipped)
    }
}

/// What a clock of the zone shows.
fn shown_by(times: Expr) -> Expr {
    times.dt().replace_time_zone(None, lit("raise"), NonExistent::Raise)
}

/// A length of time in two parts: months, weeks and days as they are written, and nanoseconds.
struct Period {
    calendar: String,
    rest: i64,
}

impl Period {
    fn of(length: &Duration) -> Self {
        let parts = [(length.months(), "mo"), (length.weeks(), "w"), (length.days(), "d")];
        let written = parts.into_iter().filter(|(count, _)| *count != 0).map(|(count, unit)| format!("{count}{unit}"));
        Self { calendar: written.collect(), rest: length.nanoseconds() }
    }
}

/// How many nanoseconds a length of time takes, where months have so many days, and days so many hours.
fn span(length: &Duration, days: u64, hours: u64) -> u64 {
    let months = length.months().unsigned_abs().saturating_mul(days);
    let whole = months.saturating_add(length.weeks().unsigned_abs().saturating_mul(7)).saturating_add(length.days().unsigned_abs());
    whole.saturating_mul(hours * HOUR).saturating_add(length.nanoseconds().unsigned_abs())
}
