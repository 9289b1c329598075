use std::path::Path;

use super::*;

fn manifest() -> Manifest {
    Manifest::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/city-nano")).unwrap()
}

fn met(labels: &[&str], mappings: &[&str]) -> Result<Rows, Vec<Problem>> {
    let labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
    let mappings: Vec<Mapping> = mappings.iter().map(|text| text.parse().unwrap()).collect();
    meet(&labels, &mappings, &manifest())
}

fn names(rows: &Rows) -> Vec<&str> {
    rows.rows.iter().map(|row| row.name.as_str()).collect()
}

#[test]
fn labels_meet_classes_by_name_by_the_manifest_s_word_and_by_map() {
    let labels = ["Garbage Bin", "Traffic Cone", "vehicle", "sedan", "bench", "hat"];
    let rows = met(&labels, &["vehicle=bus+truck", "sedan=car"]).unwrap();
    assert_eq!(names(&rows), ["garbage_bin", "traffic_cone", "vehicle", "car"]);
    assert_eq!(rows.of_label, [Some(0), Some(1), Some(2), Some(3), None, None]);
    let why: Vec<&str> = rows.labels_left_out.iter().map(|(_, why)| why.as_str()).collect();
    assert!(
        why[0].contains("city-nano does not know bench") && why[1].contains("--map \"hat=CLASS\""),
        "{why:?}"
    );
    let coco = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/yolox-nano-coco");
    let rows_of_coco = meet(&["dining_table".to_owned()], &[], &Manifest::load(&coco).unwrap()).unwrap();
    assert_eq!(names(&rows_of_coco), ["table"], "the model's own word");
    assert!(rows.classes_left_out.contains(&Class::Person) && !rows.classes_left_out.contains(&Class::Truck));
}

#[test]
fn labels_of_the_same_classes_share_a_row_and_none_leaves_one_out() {
    let rows = met(&["car", "suv", "person"], &["suv=car", "person=none"]).unwrap();
    assert_eq!((names(&rows), rows.of_label.clone()), (vec!["car"], vec![Some(0), Some(0), None]));
}

#[test]
fn a_class_in_two_rows_and_maps_of_nothing_are_refused_together() {
    let problems = met(&["car", "vehicle"], &["vehicle=car+bus", "bike=bicycle", "bike=car"]).unwrap_err();
    let told: Vec<String> = problems.iter().map(|problem| problem.what.clone()).collect();
    assert_eq!(
        told,
        [
            "\"bike\" is no label of this data set",
            "\"bike\" is no label of this data set",
            "\"bike\" stands twice",
            "car stands for \"car\" and for \"vehicle\"",
        ]
    );
    assert!(met(&["hat"], &[]).unwrap_err()[0].what.contains("knows none"));
}

#[test]
fn a_mapping_that_cannot_be_read_says_what_to_write() {
    for text in ["vehicle", "vehicle=lorry", "vehicle="] {
        let error = text.parse::<Mapping>().unwrap_err();
        assert!(error.contains("write"), "{error}");
    }
}
