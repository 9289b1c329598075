//! Which cells a point may lie in, by a raster over the layer.
//!
//! In: the boxes of cells, a point. Out: the few cells whose boxes touch the point's bucket. Never: whether
//! one of them holds it. An R-tree answers the same and costs several times as much for a point: it reads a
//! dozen nodes where this reads one list.

use crate::space::LonLat;

/// Buckets a cell: with four, a bucket of a layer of like cells names two or three of them.
const BUCKETS_PER_CELL: usize = 4;
/// The raster has no more buckets than this on a side, however many cells: four million lists.
const SIDE_MAX: usize = 2048;

/// West, south, east, north, degrees.
pub(super) type Reach = [f64; 4];

/// The raster: for each bucket, row by row from the south-west, the cells that touch it, by number.
#[derive(Debug, Clone, Default)]
pub(super) struct Buckets {
    west: f64,
    south: f64,
    columns_per_degree: f64,
    rows_per_degree: f64,
    columns: usize,
    rows: usize,
    /// Where each bucket's list begins in `cells`, and at last where the last one ends.
    starts: Vec<u32>,
    cells: Vec<u32>,
}

impl Buckets {
    pub(super) fn of(reaches: &[Reach]) -> Self {
        let whole = reaches
            .iter()
            .fold([f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY], |[w, s, e, n], r| {
                [w.min(r[0]), s.min(r[1]), e.max(r[2]), n.max(r[3])]
            });
        let [west, south, east, north] = whole;
        let (width, height) = (east - west, north - south);
        if !(width > 0.0 && height > 0.0) {
            return Self::default();
        }
        let wanted = (reaches.len() * BUCKETS_PER_CELL) as f64;
        let side = |share: f64| ((wanted * share).sqrt().ceil() as usize).clamp(1, SIDE_MAX);
        let (columns, rows) = (side(width / height), side(height / width));
        let mut buckets = Self {
            west,
            south,
            columns_per_degree: columns as f64 / width,
            rows_per_degree: rows as f64 / height,
            columns,
            rows,
            starts: vec![0; columns * rows + 1],
            cells: Vec::new(),
        };
        // Counted first, then laid out one list behind the other.
        for reach in reaches {
            buckets.touched(reach).for_each(|bucket| buckets.starts[bucket + 1] += 1);
        }
        for bucket in 0..columns * rows {
            buckets.starts[bucket + 1] += buckets.starts[bucket];
        }
        let mut next = buckets.starts.clone();
        buckets.cells = vec![0; next.last().map_or(0, |end| *end as usize)];
        for (cell, reach) in reaches.iter().enumerate() {
            for bucket in buckets.touched(reach) {
                buckets.cells[next[bucket] as usize] = cell as u32;
                next[bucket] += 1;
            }
        }
        buckets
    }

    /// The cells whose boxes touch the point's bucket, the lowest number first.
    pub(super) fn at(&self, p: LonLat) -> &[u32] {
        let (column, row) = (self.column(p.lon), self.row(p.lat));
        // Negative and NaN become 0 by the cast: asked for apart. The eastern and northern edge belong to the
        // last bucket.
        let is_inside =
            column >= 0.0 && row >= 0.0 && column <= self.columns as f64 && row <= self.rows as f64;
        if !is_inside || self.cells.is_empty() {
            return &[];
        }
        let (column, row) = ((column as usize).min(self.columns - 1), (row as usize).min(self.rows - 1));
        let bucket = row * self.columns + column;
        &self.cells[self.starts[bucket] as usize..self.starts[bucket + 1] as usize]
    }

    fn column(&self, lon: f64) -> f64 {
        (lon - self.west) * self.columns_per_degree
    }

    fn row(&self, lat: f64) -> f64 {
        (lat - self.south) * self.rows_per_degree
    }

    /// The numbers of the buckets that a box touches: by the same arithmetic as [`Buckets::at`], which grows
    /// with the coordinate, so that no point of the box falls beside them.
    fn touched(&self, [west, south, east, north]: &Reach) -> impl Iterator<Item = usize> + use<> {
        let (columns, rows) = (self.columns, self.rows);
        let within = |value: f64, side: usize| (value.max(0.0) as usize).min(side - 1);
        let (left, right) = (within(self.column(*west), columns), within(self.column(*east), columns));
        let (low, high) = (within(self.row(*south), rows), within(self.row(*north), rows));
        (low..=high).flat_map(move |row| (left..=right).map(move |column| row * columns + column))
    }
}
