//! The example county's calendar, and limits over weekends, holidays and make-up workdays.

use proptest::prelude::*;

use super::*;

const FILE: &str = include_str!("../../example-county/calendar.toml");

fn calendar() -> Calendar {
    Calendar::parse("calendar.toml", FILE).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// Both instants by the clocks of China.
fn ends(start: &str, limit: &str) -> String {
    let start: Timestamp = format!("{start}:00+08:00").parse().unwrap();
    let end = calendar().deadline(start, limit.parse().unwrap()).plus_millis(8 * 3_600_000);
    end.to_string()[..16].to_owned()
}

#[test]
fn urgent_hours_and_natural_days_run_on() {
    assert_eq!(ends("2026-09-30T23:30", "2 urgent_hour"), "2026-10-01T01:30");
    assert_eq!(ends("2026-10-01T10:00", "3 natural_day"), "2026-10-04T10:00");
}

#[test]
fn work_hours_count_work_only() {
    // Wednesday.
    assert_eq!(ends("2026-07-01T08:00", "4 work_hour"), "2026-07-01T12:00");
    assert_eq!(ends("2026-07-01T11:00", "4 work_hour"), "2026-07-01T17:00");
    assert_eq!(ends("2026-07-01T12:30", "1 work_hour"), "2026-07-01T15:00");
    assert_eq!(ends("2026-07-01T17:00", "4 work_hour"), "2026-07-02T11:00");
    assert_eq!(ends("2026-07-01T22:00", "1 work_hour"), "2026-07-02T09:00");
    assert_eq!(ends("2026-07-02T05:00", "1 work_hour"), "2026-07-02T09:00");
    assert_eq!(ends("2026-07-01T18:00", "1 work_hour"), "2026-07-02T09:00");
}

#[test]
fn weekends_do_not_count() {
    // Friday to Monday, and from a Saturday.
    assert_eq!(ends("2026-07-03T17:00", "2 work_hour"), "2026-07-06T09:00");
    assert_eq!(ends("2026-07-04T10:00", "2 work_hour"), "2026-07-06T10:00");
    assert_eq!(ends("2026-07-03T10:00", "1 work_day"), "2026-07-06T10:00");
    assert_eq!(ends("2026-07-03T08:00", "5 work_day"), "2026-07-09T18:00");
}

#[test]
fn holidays_do_not_count() {
    // 国庆, Thursday the 1st to Wednesday the 7th; Saturday the 10th is worked for it.
    assert_eq!(ends("2026-09-30T17:00", "2 work_hour"), "2026-10-08T09:00");
    assert_eq!(ends("2026-10-02T09:00", "1 work_day"), "2026-10-08T18:00");
    assert_eq!(ends("2026-09-30T10:00", "3 work_day"), "2026-10-10T10:00");
}

#[test]
fn make_up_workdays_count() {
    // Saturday 2026-10-10 and Sunday 2026-09-20.
    assert_eq!(ends("2026-10-09T17:00", "2 work_hour"), "2026-10-10T09:00");
    assert_eq!(ends("2026-10-10T17:00", "2 work_hour"), "2026-10-12T09:00");
    assert_eq!(ends("2026-09-19T10:00", "1 work_hour"), "2026-09-20T09:00");
    // 春节: Saturday the 14th is worked, the 15th to the 23rd are not, Saturday the 28th is worked again.
    assert_eq!(ends("2026-02-13T10:00", "2 work_day"), "2026-02-24T10:00");
    assert_eq!(ends("2026-02-27T10:00", "1 work_day"), "2026-02-28T10:00");
}

#[test]
fn a_calendar_says_what_it_does_not_cover() {
    let calendar = calendar();
    assert!(calendar.covers("2026-12-31".parse().unwrap()));
    assert!(!calendar.covers("2027-01-01".parse().unwrap()));
    assert_eq!((calendar.last_year(), Calendar::default().last_year()), (Some(2026), None));
}

#[test]
fn hours_of_work_are_the_files() {
    let text = "years = [2026]\nwork_hours = [\"14:30-18:00\", \"08:30-12:00\"]";
    let summer = Calendar::parse("c", text).unwrap();
    assert_eq!(summer.work_ms_a_day(), 7 * 3_600_000);
    let start: Timestamp = "2026-07-01T08:30:00+08:00".parse().unwrap();
    let end = summer.deadline(start, "1 work_day".parse().unwrap());
    assert_eq!(end, "2026-07-01T18:00:00+08:00".parse().unwrap());
}

#[test]
fn every_mistake_of_a_file_is_told() {
    let text = r#"
        years = [2026]
        evidence = "sure"
        work_hours = ["08:00-12:00", "11:00-13:00"]
        make_up_workdays = ["2026-02-30", "2026-07-01", "2026-10-03", "2027-01-02", "2026-10-10", "2026-10-10"]
        hollidays = 3
        [[holiday]]
        name = "国庆节"
        from = "2026-10-01"
        to = "2026-10-07"
        [[holiday]]
        name = "中秋节"
        from = "2026-10-07"
        to = "2026-10-08"
        [[holiday]]
        name = "元旦"
        from = "2026-12-31"
        to = "2027-01-02"
        [[holiday]]
        from = "2026-05-05"
        to = "2026-05-01"
    "#;
    let found = Calendar::parse("calendar.toml", text).unwrap_err();
    let told: Vec<String> = found.iter().map(|p| format!("{}: {}", p.key, p.what)).collect();
    for part in [
        "evidence: `sure`",
        "work_hours: is empty or overlaps",
        "make_up_workdays: `2026-02-30` is no day",
        "make_up_workdays: `2026-07-01` is a Monday to Friday",
        "make_up_workdays: `2026-10-03` is a holiday too",
        "make_up_workdays: `2027-01-02` lies outside",
        "make_up_workdays: `2026-10-10` is there twice",
        "hollidays: is not a key",
        "holiday[1].to: `2026-10-07` is of two",
        "holiday[2].to: `2027-01-01` lies outside",
        "holiday[3].name: is missing",
        "holiday[3].to: `2026-05-01` is before",
    ] {
        assert!(told.iter().any(|t| t.contains(part)), "{part}\n{told:#?}");
    }
    assert_eq!(told.len(), 12, "{told:#?}");
    assert!(found.iter().all(|p| p.line.is_some() && !p.mend.is_empty()));
}

#[test]
fn limits_are_read_and_written() {
    for text in ["2 urgent_hour", "4 work_hour", "15 work_day", "1 natural_day"] {
        assert_eq!(text.parse::<Limit>().unwrap().to_string(), text);
    }
    for text in ["", "4", "0 work_day", "4 hours", "-1 work_day", "3661 work_day", "4 小时", "1.5 work_day"]
    {
        assert!(text.parse::<Limit>().is_err(), "{text}");
    }
}

proptest! {
    /// A deadline has exactly its work between it and the start, and one millisecond earlier has not.
    #[test]
    fn a_deadline_holds_its_work(minute in 0..525_600i64, amount in 1..200u16, days in any::<bool>()) {
        let calendar = calendar();
        let year: Timestamp = "2026-01-01T00:00:00+08:00".parse().unwrap();
        let start = year.plus_millis(minute * 60_000);
        let limit = Limit::new(amount, if days { Clock::WorkDay } else { Clock::WorkHour }).unwrap();
        let end = calendar.deadline(start, limit);
        let wanted = i64::from(amount) * if days { calendar.work_ms_a_day() } else { 3_600_000 };
        prop_assert_eq!(calendar.worked_ms(start, end), wanted);
        prop_assert_eq!(calendar.worked_ms(start, end.plus_millis(-1)), wanted - 1);
    }
}
