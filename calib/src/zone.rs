//! Zones of interest: a polygon drawn on the picture or on the ground, and what it is for.

use geo::{Area, BoundingRect, Intersects, Validation};

use crate::calendar::Day;
use crate::homography::GroundMap;
use crate::schedule::Schedule;
use crate::space::{GroundPoint, ImageBox, ImagePoint, PixelPoint};
use crate::time::Timestamp;

/// What a zone is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ZoneKind {
    /// Carriageway.
    Road,
    /// Footway, square, any way that is the public's.
    Footway,
    /// The strip before a row of shops that a shop may not use: its inner edge is the shop-front line, and it is
    /// as deep as shops put things out. What stands in it has crossed the line and is a shop's.
    ShopfrontLine,
    /// Where trading is allowed during the zone's hours.
    Permitted,
    /// Where building work is watched.
    ConstructionWatch,
    /// Where nothing counts: a screen, a mirror, a neighbour's yard.
    Ignore,
}

impl ZoneKind {
    /// Every kind with its name in camera files.
    pub const NAMES: &[(&str, Self)] = &[
        ("road", Self::Road),
        ("footway", Self::Footway),
        ("shopfront_line", Self::ShopfrontLine),
        ("permitted", Self::Permitted),
        ("construction_watch", Self::ConstructionWatch),
        ("ignore", Self::Ignore),
    ];
}

/// A named polygon.
#[derive(Debug, Clone)]
pub struct Zone {
    /// Its name within the camera.
    pub id: String,
    /// What it is for.
    pub kind: ZoneKind,
    /// When it holds.
    pub hours: Schedule,
    /// The view that it is drawn on, by its number among the camera's presets; `None` is the home view.
    pub preset: Option<usize>,
    /// The permit that it stands for, by its number on paper.
    pub permit: Option<String>,
    /// The last day on which it is there.
    pub until: Option<Day>,
    /// Where it is.
    pub shape: Shape,
    /// Whether it is looked at in tiles too, for what is too small in the whole picture.
    pub tiles: Option<Tiles>,
}

/// How a zone is looked at in tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tiles {
    /// Pixels of the camera's picture across one tile; `None` where the model's own size decides.
    pub width_px: Option<u32>,
}

/// A closed polygon in one of two spaces.
#[derive(Debug, Clone)]
pub enum Shape {
    /// Corners in normalised image coordinates.
    Image(geo::Polygon),
    /// Corners in metres on the plane of the camera's [`GroundView`].
    Ground(geo::Polygon),
}

/// The way from a camera's picture to the ground.
#[derive(Debug, Clone)]
pub struct GroundView {
    /// Pixel to ground and back, in pixels of `image_size`.
    pub map: GroundMap,
    /// Width and height of the picture that the control points were read from, pixels.
    pub image_size: [f64; 2],
}

impl GroundView {
    /// Image to pixel of the calibration picture.
    pub fn pixel_from_image(&self, p: ImagePoint) -> PixelPoint {
        PixelPoint::new(p.x * self.image_size[0], p.y * self.image_size[1])
    }

    /// Image to ground; `None` above the horizon.
    pub fn ground_from_image(&self, p: ImagePoint) -> Option<GroundPoint> {
        self.map.ground_from_pixel(self.pixel_from_image(p))
    }

    /// Ground to image; `None` behind the camera.
    pub fn image_from_ground(&self, p: GroundPoint) -> Option<ImagePoint> {
        let pixel = self.map.pixel_from_ground(p)?;
        Some(ImagePoint::new(pixel.x / self.image_size[0], pixel.y / self.image_size[1]))
    }
}

/// Why corners are no polygon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolygonError {
    /// Fewer than three different corners.
    #[error("has {given} points; a polygon needs at least 3")]
    TooFewPoints {
        /// How many were given.
        given: usize,
    },
    /// Edges cross or the area is nothing.
    #[error("crosses itself or has no area")]
    Crossed,
}

/// A polygon from its corners, in order, the first one not repeated at the end (repeating it is forgiven).
///
/// # Errors
/// Fewer than three corners, crossing edges, no area.
pub fn polygon(corners: &[[f64; 2]]) -> Result<geo::Polygon, PolygonError> {
    let mut corners = corners.to_vec();
    if corners.len() > 1 && corners.first() == corners.last() {
        corners.pop();
    }
    if corners.len() < 3 {
        return Err(PolygonError::TooFewPoints { given: corners.len() });
    }
    let ring: geo::LineString = corners.into_iter().map(geo::Coord::from).collect();
    let polygon = geo::Polygon::new(ring, Vec::new());
    // Both spaces are far coarser than this: a millionth of the picture, a square millimetre.
    if polygon.is_valid() && polygon.unsigned_area() > 1e-6 {
        Ok(polygon)
    } else {
        Err(PolygonError::Crossed)
    }
}

impl Zone {
    /// Whether it is still there: not after its last day.
    pub fn is_there(&self, at: Timestamp, offset_minutes: i32) -> bool {
        self.until.is_none_or(|until| Day::of(at, offset_minutes) <= until)
    }

    /// Whether it holds at an instant by a clock `offset_minutes` ahead of UTC.
    pub fn holds(&self, at: Timestamp, offset_minutes: i32) -> bool {
        let of_day = |day: Day| self.until.is_none_or(|until| day <= until);
        self.hours.holds_on(at, offset_minutes, of_day)
    }

    /// Whether a thing whose foot is here in the picture stands in the zone, its border included: a thing cut
    /// off by the picture's lower edge has its foot on the border of every zone drawn down to it. A zone drawn on the ground
    /// contains nothing while the camera has no calibration.
    pub fn contains(&self, foot_in_image: ImagePoint, view: Option<&GroundView>) -> bool {
        match &self.shape {
            Shape::Image(polygon) => polygon.intersects(&geo::Point::new(foot_in_image.x, foot_in_image.y)),
            Shape::Ground(polygon) => view
                .and_then(|view| view.ground_from_image(foot_in_image))
                .is_some_and(|foot| polygon.intersects(&geo::Point::new(foot.x, foot.y))),
        }
    }

    /// What the zone covers of the picture; `None` where it is wholly out of it.
    pub fn area_in_image(&self, view: Option<&GroundView>) -> Option<ImageArea> {
        let ring =
            self.outline_in_image(view).into_iter().map(|corner| geo::coord! { x: corner.x, y: corner.y });
        let polygon = geo::Polygon::new(ring.collect(), Vec::new());
        let bounds = polygon.bounding_rect()?;
        let share = |value: f64| value.clamp(0.0, 1.0) as f32;
        let (low, high) = (bounds.min(), bounds.max());
        let bounds = ImageBox { x0: share(low.x), y0: share(low.y), x1: share(high.x), y1: share(high.y) };
        (bounds.area() > 0.0).then_some(ImageArea { bounds, polygon })
    }

    /// The corners as seen in the picture, for drawing; corners behind the camera are left out.
    pub fn outline_in_image(&self, view: Option<&GroundView>) -> Vec<ImagePoint> {
        let corners = |polygon: &geo::Polygon| -> Vec<geo::Coord> {
            let ring = &polygon.exterior().0;
            ring[..ring.len().saturating_sub(1)].to_vec()
        };
        match &self.shape {
            Shape::Image(polygon) => corners(polygon).iter().map(|c| ImagePoint::new(c.x, c.y)).collect(),
            Shape::Ground(polygon) => corners(polygon)
                .iter()
                .filter_map(|c| view?.image_from_ground(GroundPoint::new(c.x, c.y)))
                .collect(),
        }
    }
}

/// A zone's part of the picture.
#[derive(Debug, Clone)]
pub struct ImageArea {
    /// The least box around it, inside the picture.
    pub bounds: ImageBox,
    polygon: geo::Polygon,
}

impl ImageArea {
    /// Whether some of the area lies in the box.
    pub fn touches(&self, part: &ImageBox) -> bool {
        let corner = |x: f32, y: f32| geo::coord! { x: f64::from(x), y: f64::from(y) };
        geo::Rect::new(corner(part.x0, part.y0), corner(part.x1, part.y1)).intersects(&self.polygon)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zones_area_is_what_its_polygon_covers_of_the_picture() {
        let zone = Zone {
            id: "kerb".into(),
            kind: ZoneKind::Road,
            hours: Schedule::always(),
            preset: None,
            permit: None,
            until: None,
            shape: Shape::Image(polygon(&[[0.0, 0.0], [0.2, 0.0], [1.0, 0.8], [1.0, 1.0]]).unwrap()),
            tiles: Some(Tiles::default()),
        };
        let area = zone.area_in_image(None).unwrap();
        assert_eq!(area.bounds, ImageBox::from([0.0, 0.0, 1.0, 1.0]));
        assert!(area.touches(&ImageBox::from([0.4, 0.4, 0.6, 0.6])));
        assert!(!area.touches(&ImageBox::from([0.8, 0.0, 1.0, 0.2])), "a corner that the band passes by");
        let on_ground =
            Zone { shape: Shape::Ground(polygon(&[[0.0, 0.0], [5.0, 0.0], [5.0, 5.0]]).unwrap()), ..zone };
        assert!(on_ground.area_in_image(None).is_none(), "no calibration, no place in the picture");
    }

    #[test]
    fn corners_make_a_polygon_or_say_why_not() {
        assert_eq!(polygon(&[[0.0, 0.0], [1.0, 0.0]]), Err(PolygonError::TooFewPoints { given: 2 }));
        assert_eq!(
            polygon(&[[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]]),
            Err(PolygonError::TooFewPoints { given: 2 })
        );
        let bow_tie = [[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]];
        assert_eq!(polygon(&bow_tie), Err(PolygonError::Crossed));
        assert_eq!(polygon(&[[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]]), Err(PolygonError::Crossed));
        assert!(polygon(&[[0.0, 0.0], [1.0, 0.0], [0.5, 1.0]]).is_ok());
    }

    #[test]
    fn a_foot_inside_counts_and_one_outside_does_not() {
        let zone = Zone {
            id: "footway".into(),
            kind: ZoneKind::Footway,
            hours: Schedule::always(),
            preset: None,
            permit: None,
            until: None,
            shape: Shape::Image(polygon(&[[0.1, 0.5], [0.9, 0.5], [0.9, 0.9], [0.1, 0.9]]).unwrap()),
            tiles: None,
        };
        assert!(zone.contains(ImagePoint::new(0.5, 0.7), None));
        assert!(!zone.contains(ImagePoint::new(0.5, 0.4), None));
        assert!(zone.contains(ImagePoint::new(0.5, 0.9), None), "the border counts");
        assert_eq!(zone.outline_in_image(None).len(), 4);
    }
}
