//! `annotations.json` in COCO's form, instead of label files.
//!
//! In: the folder and the file. Out: pictures with boxes as shares of the picture; `iscrowd` is kept. Never:
//! segmentation, captions, key points.

use std::collections::BTreeMap;
use std::path::Path;

use calib::check::Problem;
use models::measure::{Bounds, Truth};
use serde::Deserialize;

use super::dataset::{Dataset, Pictured, problem};

/// Name of the file in the data set's folder.
pub(super) const FILE_NAME: &str = "annotations.json";

#[derive(Deserialize)]
struct Raw {
    images: Vec<Image>,
    annotations: Vec<Annotation>,
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct Image {
    id: u64,
    file_name: String,
    width: f64,
    height: f64,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: u64,
    category_id: u64,
    /// `[x, y, w, h]`, pixels.
    bbox: [f64; 4],
    #[serde(default)]
    iscrowd: u8,
}

#[derive(Deserialize)]
struct Category {
    id: u64,
    name: String,
}

/// Reads the file and finds its pictures in `images/` or beside it.
///
/// # Errors
/// Every mistake in it.
pub(super) fn load(folder: &Path, file: &Path) -> Result<Dataset, Vec<Problem>> {
    let refused = |line, what: String, mend: &str| vec![problem(file, line, what, mend)];
    let text = std::fs::read_to_string(file)
        .map_err(|error| refused(None, format!("cannot be read: {error}"), "make it readable, in UTF-8"))?;
    let raw: Raw = serde_json::from_str(&text).map_err(|error| {
        let mend = "write COCO's images (id, file_name, width, height), annotations and categories";
        refused(Some(error.line()), error.to_string(), mend)
    })?;
    let mut problems = Vec::new();
    let mut wrong = |what: String, mend: &str| problems.push(problem(file, None, what, mend));
    let labels: BTreeMap<u64, usize> =
        raw.categories.iter().enumerate().map(|(at, one)| (one.id, at)).collect();
    let mut pictures = Vec::new();
    let mut places: BTreeMap<u64, (usize, [f64; 2])> = BTreeMap::new();
    for image in &raw.images {
        let found = [folder.join("images"), folder.to_owned()].map(|base| base.join(&image.file_name));
        let Some(found) = found.into_iter().find(|found| found.is_file()) else {
            wrong(format!("image {}: {} is not there", image.id, image.file_name), "put it into images/");
            continue;
        };
        if !(image.width > 0.0 && image.height > 0.0) {
            wrong(format!("image {}: has no size", image.id), "write its width and height, pixels");
            continue;
        }
        places.insert(image.id, (pictures.len(), [image.width, image.height]));
        pictures.push(Pictured { file: found, name: image.file_name.clone(), truths: Vec::new() });
    }
    for (at, annotation) in raw.annotations.iter().enumerate() {
        let Some(&(picture, size)) = places.get(&annotation.image_id) else {
            if !raw.images.iter().any(|image| image.id == annotation.image_id) {
                let what = format!("annotation {at}: image {} is not among the images", annotation.image_id);
                wrong(what, "add the image, or take the annotation out");
            }
            continue;
        };
        let Some(&label) = labels.get(&annotation.category_id) else {
            let what =
                format!("annotation {at}: category {} is not among the categories", annotation.category_id);
            wrong(what, "add the category, or take the annotation out");
            continue;
        };
        match shares(annotation.bbox, size) {
            Some(bounds) => {
                pictures[picture].truths.push((label, Truth { bounds, crowd: annotation.iscrowd != 0 }));
            }
            None => wrong(
                format!("annotation {at}: box {:?} is not within the picture", annotation.bbox),
                "write [x, y, width, height] in pixels",
            ),
        }
    }
    if pictures.is_empty() && problems.is_empty() {
        problems = refused(None, "names no images".to_owned(), "write them under images");
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let labels = raw.categories.into_iter().map(|category| category.name).collect();
    Ok(Dataset { split: FILE_NAME.to_owned(), labels, pictures, notes: Vec::new() })
}

/// A box in pixels as shares of the picture, cut at its edges; `None` where nothing is left.
fn shares([x, y, w, h]: [f64; 4], [width, height]: [f64; 2]) -> Option<Bounds> {
    let cut = |at: f64, whole: f64| (at / whole).clamp(0.0, 1.0);
    let (x0, x1, y0, y1) = (cut(x, width), cut(x + w, width), cut(y, height), cut(y + h, height));
    (x1 > x0 && y1 > y0).then(|| Bounds::new([x0, y0, x1 - x0, y1 - y0]))
}
