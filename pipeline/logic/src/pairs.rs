//! Which thing of a look is at which spot.

use calib::zone::GroundView;

use crate::spot::Spot;
use crate::thing::Thing;

/// Gives each spot the nearest thing, surest pairs first. Kept between looks for its memory alone.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    pairs: Vec<(f32, usize, usize)>,
    spot_of: Vec<Option<usize>>,
    thing_of: Vec<Option<usize>>,
    /// Whether some spot is where the thing is, taken or not.
    is_known: Vec<bool>,
}

impl Pairs {
    pub(crate) fn match_up(&mut self, spots: &[Spot], things: &[Thing], view: Option<&GroundView>) {
        self.pairs.clear();
        for (s, spot) in spots.iter().enumerate() {
            for (t, thing) in things.iter().enumerate() {
                let affinity = spot.affinity(thing, view);
                if affinity > 0.0 {
                    self.pairs.push((affinity, s, t));
                }
            }
        }
        // A tie goes to the older spot, then to the surer thing: the outcome does not hang on float noise.
        self.pairs.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        self.is_known.clear();
        self.is_known.resize(things.len(), false);
        self.pairs.iter().for_each(|&(_, _, t)| self.is_known[t] = true);
        self.spot_of.clear();
        self.spot_of.resize(things.len(), None);
        self.thing_of.clear();
        self.thing_of.resize(spots.len(), None);
        for &(_, s, t) in &self.pairs {
            if self.spot_of[t].is_none() && self.thing_of[s].is_none() {
                (self.spot_of[t], self.thing_of[s]) = (Some(s), Some(t));
            }
        }
    }

    pub(crate) fn thing_of(&self, spot: usize) -> Option<usize> {
        self.thing_of[spot]
    }

    /// Whether the thing is at no spot. What is left over at a spot that has its thing is a part of that one: two
    /// tables of one stall in a look that does not join them.
    pub(crate) fn is_new(&self, thing: usize) -> bool {
        !self.is_known[thing]
    }
}
