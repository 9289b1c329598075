use std::fs;

use super::*;

/// A folder with these files; pictures are empty files, since nothing here opens them.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    folder
}

fn load_part(folder: &tempfile::TempDir, split: Option<&str>) -> Result<Dataset, Vec<Problem>> {
    load(&Wanted { folder: folder.path(), split, names: &[], limit: None })
}

fn names(dataset: &Dataset) -> Vec<&str> {
    dataset.pictures.iter().map(|picture| picture.name.as_str()).collect()
}

const YAML: &str = "names: [garbage, 'garbage bin']\n";

#[test]
fn boxes_outlines_crowds_and_empty_pictures_are_read() {
    let folder = folder(&[
        ("data.yaml", YAML),
        ("images/a.jpg", ""),
        ("images/b.PNG", ""),
        ("images/c.jpeg", ""),
        (
            "labels/a.txt",
            "0 0.5 0.5 0.5 0.25\r\n\n1 0.2 0.2 0.1 0.1 1\n1 .1 .1 .3 .1 .2 .4\n0 0.0 0.5 0.2 0.2\n",
        ),
        ("labels/b.txt", ""),
        ("labels/lost.txt", "0 0.5 0.5 0.5 0.25"),
    ]);
    let dataset = load_part(&folder, None).unwrap();
    assert_eq!((dataset.split.as_str(), names(&dataset)), ("all", vec!["a.jpg", "b.PNG", "c.jpeg"]));
    assert_eq!(dataset.labels, ["garbage", "garbage bin"]);
    let truths = &dataset.pictures[0].truths;
    assert_eq!(truths[0].1.bounds, models::measure::Bounds::new([0.25, 0.375, 0.5, 0.25]));
    assert_eq!(
        truths.iter().map(|(label, truth)| (*label, truth.crowd)).collect::<Vec<_>>(),
        [(0, false), (1, true), (1, false), (0, false)]
    );
    let outline = truths[2].1.bounds;
    assert!(
        (outline.x, outline.y) == (0.1, 0.1)
            && (outline.w - 0.2).abs() < 1e-9
            && (outline.h - 0.3).abs() < 1e-9
    );
    // Cut at the left edge.
    assert_eq!((truths[3].1.bounds.x, truths[3].1.bounds.w), (0.0, 0.1));
    assert!(dataset.pictures[1].truths.is_empty() && dataset.pictures[2].truths.is_empty());
    assert_eq!(dataset.notes.len(), 2, "{:?}", dataset.notes);
    assert!(dataset.notes[1].contains("lost.txt"), "{:?}", dataset.notes);
}

#[test]
fn every_bad_line_is_told_at_once_with_its_place_and_mend() {
    let bad = "0 0.5 0.5 0.5\nx 0.5 0.5 0.1 0.1\n7 0.5 0.5 0.1 0.1\n0 320 240 64 64\n0 0.5 0.5 0 0.1\n\
               0 0.5 0.5 0.1 nan\n0 0.5 0.5 0.1 0.1 0.93\n0 0.5 0.5 0.1 0.1\n";
    let folder = folder(&[
        ("data.yaml", YAML),
        ("images/a.jpg", ""),
        ("images/b.jpg", ""),
        ("labels/a.txt", bad),
        ("labels/b.txt", "0"),
    ]);
    let problems = load_part(&folder, None).err().unwrap();
    let lines: Vec<Option<usize>> = problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [Some(1), Some(2), Some(3), Some(4), Some(5), Some(6), Some(7), Some(1)]);
    let told = problems.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(told[2].contains("labels/a.txt:3: class 7 has no name: there are 2"), "{}", told[2]);
    assert!(told[3].contains("not pixels") && told[6].contains("a score does not belong"), "{told:?}");
    assert!(problems.iter().all(|problem| !problem.mend.is_empty()));
}

#[test]
fn the_part_is_the_yaml_s_val_then_test_then_everything() {
    let files = |yaml: &'static str| {
        folder(&[
            ("data.yaml", yaml),
            ("images/train/t.jpg", ""),
            ("images/val/v.jpg", ""),
            ("valid/images/r.jpg", ""),
            ("list/some.txt", "images/train/t.jpg\n"),
            ("labels/train/t.txt", "0 0.5 0.5 0.1 0.1"),
            ("labels/val/v.txt", "0 0.5 0.5 0.1 0.1"),
            ("valid/labels/r.txt", "0 0.5 0.5 0.1 0.1"),
        ])
    };
    let part =
        |yaml, split| load_part(&files(yaml), split).map(|all| (all.split.clone(), names(&all).join(" ")));
    let taken = |split: &str, names: &str| Ok((split.to_owned(), names.to_owned()));
    let named = "names:\n  0: garbage\n  1: bin\n";
    assert_eq!(part(named, None), taken("val", "val/v.jpg"));
    assert_eq!(part(named, Some("train")), taken("train", "train/t.jpg"));
    assert_eq!(part(named, Some("all")), taken("all", "train/t.jpg val/v.jpg"));
    let roboflow = "val: ../valid/images\nnames: ['garbage']\n";
    assert_eq!(part(roboflow, None), taken("val", "valid/images/r.jpg"));
    let listed = "test: list/some.txt\nval:\nnames:\n- garbage\n";
    assert_eq!(part(listed, Some("test")), taken("test", "train/t.jpg"));
    let gone = part("names: [a]\nval: nowhere/images\n", None).unwrap_err();
    assert!(gone[0].line == Some(2) && gone[0].what.contains("nowhere/images"), "{gone:?}");
    assert!(part(named, Some("night")).unwrap_err()[0].mend.contains("images/night/"));
}

#[test]
fn a_folder_that_is_no_data_set_says_what_is_missing() {
    let told = |files: &[(&str, &str)]| load_part(&folder(files), None).err().unwrap()[0].to_string();
    assert!(told(&[("data.yaml", YAML)]).contains("holds no pictures"));
    assert!(told(&[("images/a.jpg", ""), ("labels/a.txt", "")]).contains("--names"));
    assert!(told(&[("data.yaml", YAML), ("images/a.jpg", "")]).contains("none of 1 pictures has labels"));
    assert!(told(&[("data.yaml", "names: 3\n"), ("images/a.jpg", "")]).contains("data.yaml:1: names:"));
    assert!(
        told(&[("data.yaml", "names:\n  0: a\n  2: b\n"), ("images/a.jpg", "")])
            .contains("where class 1 is next")
    );
    assert!(told(&[("data.yaml", "names: [a\n"), ("images/a.jpg", "")]).contains("is not YAML"));
}

#[test]
fn annotations_of_coco_are_read_with_their_crowds() {
    let json = |annotations: &str| {
        format!(
            r#"{{"images": [{{"id": 4, "file_name": "a.jpg", "width": 200, "height": 100}},
                {{"id": 5, "file_name": "b.jpg", "width": 10, "height": 10}}],
               "categories": [{{"id": 3, "name": "garbage"}}], "annotations": [{annotations}]}}"#
        )
    };
    let good =
        json(r#"{"image_id": 4, "category_id": 3, "bbox": [20, 10, 100, 50], "iscrowd": 1, "area": 5000}"#);
    let files = [("images/a.jpg", ""), ("b.jpg", ""), ("annotations.json", good.as_str())];
    let dataset = load_part(&folder(&files), None).unwrap();
    let (label, truth) = dataset.pictures[0].truths[0];
    assert_eq!((label, truth.crowd), (0, true));
    assert!((truth.bounds.w - 0.5).abs() < 1e-12 && (truth.bounds.y - 0.1).abs() < 1e-12);
    assert!(dataset.pictures[1].truths.is_empty());

    let bad = json(
        r#"{"image_id": 9, "category_id": 3, "bbox": [0, 0, 1, 1]}, {"image_id": 4, "category_id": 8, "bbox": [0, 0, 1, 1]},
           {"image_id": 4, "category_id": 3, "bbox": [300, 0, 1, 1]}"#,
    );
    let problems =
        load_part(&folder(&[("images/a.jpg", ""), ("b.jpg", ""), ("annotations.json", &bad)]), None).err();
    assert_eq!(problems.unwrap().len(), 3);
}

#[test]
fn a_limit_takes_from_the_whole_set() {
    assert_eq!(spread((0..10).collect(), Some(3)), [3, 6, 9]);
    assert_eq!(spread((0..4).collect(), Some(9)), [0, 1, 2, 3]);
    assert_eq!(spread((0..4).collect(), None), [0, 1, 2, 3]);
}
