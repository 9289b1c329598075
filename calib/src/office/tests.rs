//! Tables as offices send them: encodings, titles above the names, bad rows among good ones.

use super::*;
use crate::calendar::Calendar;
use crate::matter::Catalogue;
use crate::{permit, roster as duties};

const PERMITS: &str = "许可台账,,,,,,,\n许可证号,登记号,姓名,事项,区域,时段,生效日期,有效期至\n\
    EX-1,H-1,示例,占道经营,market,6:00-9:00,2026/5/1,2026/9/30\n\
    EX-2,H-2,示例,09001,market,全天,2026-05-01,2026-09-30\n";

fn table(bytes: &[u8]) -> Table {
    Table::read("in.csv", bytes).unwrap()
}

fn imported(bytes: &[u8]) -> Import {
    permits(&table(bytes), &Catalogue::builtin()).unwrap()
}

#[test]
fn the_encoding_is_found_and_told() {
    let gb = encoding_rs::GB18030.encode(PERMITS).0;
    let mut marked = b"\xEF\xBB\xBF".to_vec();
    marked.extend(PERMITS.as_bytes());
    let mut wide = b"\xFF\xFE".to_vec();
    wide.extend(PERMITS.encode_utf16().flat_map(u16::to_le_bytes));
    let plain = imported(PERMITS.as_bytes());
    for (bytes, told) in [
        (PERMITS.as_bytes(), "UTF-8 (every byte agrees)"),
        (&marked, "UTF-8 (by its byte order mark)"),
        (&*gb, "GB 18030"),
        (&wide, "UTF-16"),
    ] {
        let import = imported(bytes);
        assert!(import.notes[0].contains(told), "{:?}", import.notes);
        assert_eq!((import.toml, import.kept, import.problems), (plain.toml.clone(), 2, vec![]));
    }
    assert!(Table::read("in.csv", b"\xFF\xFF\xFF").is_err());
}

#[test]
fn what_is_written_is_a_permits_file_without_names() {
    let import = imported(PERMITS.as_bytes());
    let read = permit::parse("out.toml", &import.toml, &Catalogue::builtin()).unwrap();
    assert_eq!(read.iter().map(|p| p.number.as_str()).collect::<Vec<_>>(), ["EX-1", "EX-2"]);
    assert_eq!((read[0].matters[0].as_str(), read[1].matters[0].as_str()), ("09006", "09001"));
    assert_eq!(read[0].until.to_string(), "2026-09-30");
    assert!(!import.toml.contains("示例"), "{}", import.toml);
    assert!(import.notes.iter().any(|note| note.contains("姓名")), "{:?}", import.notes);
}

#[test]
fn a_workbook_says_the_same_as_a_table() {
    let import = permits(
        &Table::read("permits.xlsx", include_bytes!("../../tests/office/permits.xlsx")).unwrap(),
        &Catalogue::builtin(),
    )
    .unwrap();
    assert_eq!((import.kept, &import.problems), (2, &vec![]));
    assert!(import.notes[0].contains("sheet `许可`"), "{:?}", import.notes);
    let read = permit::parse("out.toml", &import.toml, &Catalogue::builtin()).unwrap();
    assert_eq!(
        (read[0].from.to_string(), read[0].until.to_string()),
        ("2026-05-01".into(), "2026-09-30".into())
    );
    assert_eq!(read[1].matters, ["09001"], "a spreadsheet drops the leading zero");
}

#[test]
fn every_bad_row_is_told_and_good_rows_are_apart() {
    let text = format!(
        "{PERMITS}\
         EX-1,H-3,,09006,market,06:00-09:00,2026-05-01,2026-09-30\n\
         EX-4,,,09006,market,06:00-09:00,2026-05-01,2026-09-30\n\
         EX-5,H-5,,占到经营,market,6-25,2026-02-30,2026-09-30\n\
         EX-6,H-6,,09006,,06:00-09:00,2026-09-30,2026-05-01\n\
         ,,,,,,,\n\
         EX-8,H-8,,09006,market,06:00-09:00,2026-05-01,2026-09-30\n"
    );
    let import = imported(text.as_bytes());
    let told: Vec<(usize, &str)> =
        import.problems.iter().map(|p| (p.row.unwrap(), p.column.as_str())).collect();
    let expected = [
        (5, "许可证号"),
        (6, "登记号"),
        (7, "事项"),
        (7, "时段"),
        (7, "生效日期"),
        (8, "有效期至"),
        (8, "区域"),
    ];
    assert_eq!(told, expected, "{:#?}", import.problems);
    assert!(import.problems.iter().all(|p| !p.mend.is_empty() && p.file == "in.csv"));
    assert_eq!(import.kept, 3);
    assert_eq!(permit::parse("o", &import.toml, &Catalogue::builtin()).unwrap().len(), 3);
}

#[test]
fn a_polygon_may_be_the_place() {
    let text = "number;holder;matter;polygon;hours;from;until\n\
        A;1;09006;\"118.65 34.92, 118.66 34.92, 118.66 34.93\";06:00-09:00;2026-05-01;2026-09-30\n\
        B;1;09006;\"34.92 118.65, 34.92 118.66, 34.93 118.66\";06:00-09:00;2026-05-01;2026-09-30\n";
    let import = imported(text.as_bytes());
    assert!(import.notes[0].contains("by semicolons"), "{:?}", import.notes);
    assert_eq!((import.kept, import.problems.len()), (1, 1), "{:?}", import.problems);
    assert!(import.problems[0].what.contains("outside China"));
    assert_eq!(permit::parse("o", &import.toml, &Catalogue::builtin()).unwrap().len(), 1);
}

#[test]
fn tables_without_their_columns_are_refused() {
    let refused = |text: &str| permits(&table(text.as_bytes()), &Catalogue::builtin()).unwrap_err();
    assert!(refused("a,b\n1,2\n")[0].what.contains("names the columns"));
    assert!(refused("")[0].what.contains("names the columns"));
    let missing = refused("许可证号,事项,区域\nEX-1,09006,market\n");
    let columns: Vec<&str> = missing.iter().map(|p| p.column.as_str()).collect();
    assert_eq!(columns, ["持证人编号", "时段", "起始日期", "截止日期"]);
    let twice = refused("许可证号,编号,登记号,事项,时段,from,until\n");
    assert!(twice[0].what.contains("same as a column before"), "{twice:?}");
}

#[test]
fn a_calendar_comes_from_days_and_runs() {
    let text =
        "日期,结束日期,类型,名称\n2026-10-01,2026-10-07,休,国庆节\n2026/9/20,,班,\n2026-10-10,,调休上班,\n";
    let import = calendar(&table(text.as_bytes())).unwrap();
    assert_eq!((import.kept, &import.problems), (3, &vec![]));
    let read = Calendar::parse("o", &import.toml).unwrap();
    assert!(!read.is_worked("2026-10-05".parse().unwrap()) && read.is_worked("2026-10-10".parse().unwrap()));
    // One row a day joins to runs.
    let days = "date,type,name\n2026-05-01,holiday,a\n2026-05-02,holiday,a\n2026-06-19,holiday,b\n";
    let import = calendar(&table(days.as_bytes())).unwrap();
    assert_eq!(import.toml.matches("[[holiday]]").count(), 2, "{}", import.toml);
    let bad = "日期,类型\n2026-10-01,休\n2026-10-01,休\n2026-07-01,班\n2026-13-01,休\n2026-10-03,?\n2026-10-04,调休\n";
    let import = calendar(&table(bad.as_bytes())).unwrap();
    let rows: Vec<usize> = import.problems.iter().map(|p| p.row.unwrap()).collect();
    assert_eq!((rows, import.kept), (vec![3, 4, 5, 6, 7], 1), "{:#?}", import.problems);
    assert!(Calendar::parse("o", &import.toml).is_ok());
}

#[test]
fn a_roster_comes_from_channels_terminals_or_telephones() {
    let text = "网格编码,姓名,角色,责任单位,联系渠道,终端编号,值班电话\n\
        EX-01-1-01,甲,网格长,一中队,seat:12,,\n\
        EX-01-1-02,乙,网格长,一中队,,LS-0012,\n\
        EX-01-1-03,丙,街长,一中队,,,0539-0000000\n\
        EX-01-1-03,丙,街长,一中队,,,0539-0000000\n\
        EX-01-1-04,丁,街长,一中队,,,\n\
        ,丁,街长,一中队,微信:x,,\n";
    let import = roster(&table(text.as_bytes())).unwrap();
    let posts = duties::parse("o", &import.toml).unwrap();
    let channels: Vec<String> = posts.iter().map(|post| post.channel.to_string()).collect();
    assert_eq!(channels, ["seat:12", "terminal:LS-0012", "phone:0539-0000000"]);
    let told: Vec<(usize, &str)> =
        import.problems.iter().map(|p| (p.row.unwrap(), p.column.as_str())).collect();
    assert_eq!(told, [(5, "网格编码"), (6, "联系渠道"), (7, "网格编码"), (7, "联系渠道")]);
    assert!(!import.toml.contains('丙'));
}

#[test]
fn a_quotation_mark_that_never_closes_takes_no_row_with_it() {
    let text = "网格编码,角色,责任单位,联系渠道,备注\nEX-1,网格长,一中队,seat:12,\"20寸\nEX-2,街长,一中队,seat:13,\n";
    let problem = Table::read("r.csv", text.as_bytes()).unwrap_err();
    assert_eq!(problem.row, Some(2));
    assert!(problem.what.contains("never closes") && problem.mend.contains("close it"), "{problem}");
    // One in the middle of a cell is a sign like any other.
    let inch = text.replace("\"20寸", "20\" 寸");
    assert_eq!(roster(&table(inch.as_bytes())).unwrap().kept, 2);
}

#[test]
fn days_stand_for_every_window_that_follows_them() {
    let read = |text| super::cell::hours(text).unwrap();
    assert_eq!(read("工作日 7:00-9:00、17:00-19:00"), ["work_days 07:00-09:00", "work_days 17:00-19:00"]);
    assert_eq!(read("工作日 7:00 - 9:00；休息日 全天"), ["work_days 07:00-09:00", "rest_days 00:00-24:00"]);
    assert_eq!(read("全天"), ["00:00-24:00"]);
}
