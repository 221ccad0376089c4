//! Weeks of a year: a date out of a year, a week and a weekday.

use chrono::{Datelike, Days, NaiveDate, Weekday};

/// How the weeks of a year are counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Weeks {
    /// `%V`: week 1 has the year's first Thursday; weeks begin on Monday.
    Iso,
    /// `%U`: week 1 begins with the first Sunday.
    FromSunday,
    /// `%W`: week 1 begins with the first Monday.
    FromMonday,
}

impl Weeks {
    /// By the letter of the directive.
    pub(super) fn of(letter: char) -> Weeks {
        match letter {
            'U' => Weeks::FromSunday,
            'W' => Weeks::FromMonday,
            _ => Weeks::Iso,
        }
    }

    /// A day of a week; without a weekday its first.
    pub(super) fn day(self, year: i32, week: u32, weekday: Option<Weekday>) -> Option<NaiveDate> {
        let (first, most) = match self {
            Weeks::Iso => return NaiveDate::from_isoywd_opt(year, week, weekday.unwrap_or(Weekday::Mon)),
            Weeks::FromSunday => (Weekday::Sun, 53),
            Weeks::FromMonday => (Weekday::Mon, 53),
        };
        if week > most {
            return None;
        }
        let new_year = NaiveDate::from_yo_opt(year, 1)?;
        // The week before the first whole one is week 0.
        let ahead = (7 - new_year.weekday().days_since(first)) % 7;
        let into = weekday.map_or(0, |day| day.days_since(first));
        let since_week_0 = u64::from(ahead + week * 7 + into);
        new_year.checked_add_days(Days::new(since_week_0))?.checked_sub_days(Days::new(7))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a date's own week says leads back to it, for years that begin on each weekday.
    #[test]
    fn each_day_is_found_by_its_week() {
        for year in 2000..2030 {
            for date in NaiveDate::from_yo_opt(year, 1).unwrap().iter_days().take_while(|d| d.year() == year) {
                for (weeks, letters) in
                    [(Weeks::Iso, "%G %V"), (Weeks::FromSunday, "%Y %U"), (Weeks::FromMonday, "%Y %W")]
                {
                    let said = date.format(letters).to_string();
                    let (year, week) = said.split_once(' ').unwrap();
                    let found = weeks.day(year.parse().unwrap(), week.parse().unwrap(), Some(date.weekday()));
                    assert_eq!(found, Some(date), "{letters} of {date}");
                }
            }
        }
    }
}
