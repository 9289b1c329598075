//! What passes: people and vehicles that one look sees and the next does not, and boxes around nothing.
//!
//! In: a view. Out: boxes to draw from, made once, so that a look costs no projection. Never: anybody who is told
//! apart from anybody else.

use calib::class::Class;
use calib::space::ImageBox;
use logic::look::Detection;

use crate::dice::{Dice, bell};
use crate::rates;
use crate::site::ALONG_M;
use crate::street::{Block, Eye, Place};

const WALKERS: usize = 64;
const VEHICLES: usize = 32;
/// Places that are tried; a view that shows little of the street has fewer.
const TRIES: usize = 1000;

/// A box that may hide what is behind it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cover {
    pub(crate) bounds: ImageBox,
    pub(crate) distance_m: f64,
}

impl Cover {
    pub(crate) fn hides(&self, bounds: &ImageBox, distance_m: f64) -> bool {
        self.distance_m < distance_m
            && self.bounds.intersection(bounds) >= rates::HIDDEN_SHARE * bounds.area()
    }
}

/// What may pass in a view.
#[derive(Debug)]
pub(crate) struct Glimpses {
    walkers: Vec<(Cover, Option<ImageBox>)>,
    vehicles: Vec<Cover>,
    /// For each hour of the day, of 65 536: at least one walker, two, three.
    at_least: [[u16; 3]; 24],
}

impl Glimpses {
    pub(crate) fn of(eye: &Eye, dice: &mut Dice) -> Self {
        let mut walkers = Vec::new();
        for _ in 0..TRIES {
            if walkers.len() == WALKERS {
                break;
            }
            let side = if dice.chance(0.5) { 1.0 } else { -1.0 };
            let at =
                Place::new(dice.between(ALONG_M.0 - 6.0, ALONG_M.1 + 6.0), side * dice.between(3.0, 8.0));
            let canopy = Block::canopy(at, 1.0, 1.75, 2.1);
            let Some(bounds) = eye.bounds(&Block::standing(at, 0.55, 0.5, 1.7), 0.5) else { continue };
            walkers.push((Cover { bounds, distance_m: eye.distance_m(at) }, eye.bounds(&canopy, 0.7)));
        }
        let mut vehicles = Vec::new();
        for _ in 0..TRIES {
            if vehicles.len() == VEHICLES {
                break;
            }
            let at = Place::new(dice.between(ALONG_M.0 - 8.0, ALONG_M.1 + 8.0), [2.0, -2.0][dice.pick(2)]);
            let size = if dice.chance(0.2) { (7.0, 2.3, 2.9) } else { (4.4, 1.8, 1.5) };
            let Some(bounds) = eye.bounds(&Block::standing(at, size.0, size.1, size.2), 0.4) else {
                continue;
            };
            vehicles.push(Cover { bounds, distance_m: eye.distance_m(at) });
        }
        let at_least = rates::WALKERS.map(|mean| {
            let none = (-mean).exp();
            let share = |p: f32| (p * 65_535.0) as u16;
            [1.0 - none, 1.0 - none * (1.0 + mean), 1.0 - none * (1.0 + mean + mean * mean / 2.0)].map(share)
        });
        Self { walkers, vehicles, at_least }
    }

    /// Draws what passes in one look: into `covers` what hides things, into `seen` what the model says of it.
    pub(crate) fn draw(
        &self,
        weather: &Weather,
        dice: &mut Dice,
        covers: &mut Vec<Cover>,
        seen: &mut Vec<Detection>,
    ) {
        let bits = dice.bits();
        let throw = bits as u16;
        let walkers = self.at_least[weather.hour].iter().filter(|limit| throw < **limit).count();
        for i in 0..walkers {
            let Some(&(walker, canopy)) = pick(&self.walkers, bits >> (16 + 8 * i)) else { break };
            covers.push(walker);
            let luck = dice.bits();
            let of = |shift: u32| f32::from((luck >> shift) as u16) / 65_536.0;
            if of(0) < rates::PERSON.recall as f32 * weather.clear {
                seen.push(detection(Class::Person, walker.bounds, &rates::PERSON, dice));
            }
            let held =
                if weather.is_raining { rates::UMBRELLA_HELD_IN_RAIN } else { rates::UMBRELLA_HELD_IN_SUN };
            if let Some(canopy) = canopy
                && of(16) < held
                && of(32) < rates::UMBRELLA.recall as f32 * weather.clear
            {
                seen.push(detection(Class::Umbrella, canopy, &rates::UMBRELLA, dice));
            }
        }
        let passes = f64::from((bits >> 48) as u16) / 65_536.0;
        if weather.is_day
            && passes < rates::PASSING_PER_LOOK
            && let Some(&vehicle) = pick(&self.vehicles, dice.bits())
        {
            covers.push(vehicle);
            if dice.chance(rates::VEHICLE.recall) {
                let class = if vehicle.bounds.height() > 0.2 { Class::Truck } else { Class::Car };
                seen.push(detection(class, vehicle.bounds, &rates::VEHICLE, dice));
            }
        }
        let false_box = if weather.is_raining { rates::FALSE_BOX_IN_RAIN } else { rates::FALSE_BOX_PER_LOOK };
        if dice.chance(false_box) {
            seen.extend(self.nothing(dice));
        }
    }

    /// A box around nothing.
    fn nothing(&self, dice: &mut Dice) -> Option<Detection> {
        let around = pick(&self.walkers, dice.bits())?.0.bounds;
        let side = around.width() * dice.between(0.8, 2.0) as f32;
        let (x, y) = (around.x0, around.y1);
        let bounds = ImageBox { x0: x, y0: (y - 1.3 * side).max(0.0), x1: (x + side).min(1.0), y1: y };
        let class = if dice.chance(0.75) { Class::Garbage } else { Class::Umbrella };
        Some(detection(class, bounds, &rates::FALSE_STAY, dice))
    }
}

fn pick<T>(from: &[T], bits: u64) -> Option<&T> {
    from.get(bits as usize % 256 % from.len().max(1))
}

/// What a look is taken in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    /// Hour of the day.
    pub(crate) hour: usize,
    pub(crate) is_day: bool,
    pub(crate) is_raining: bool,
    /// Share of the model's recall that is left.
    pub(crate) clear: f32,
}

/// A box as the model tells it: its sides a little off, with a score.
pub(crate) fn detection(class: Class, bounds: ImageBox, seen: &rates::Seen, dice: &mut Dice) -> Detection {
    let bits = dice.bits();
    // Even throws of this half width have the deviation that is asked for.
    let off = |i: u32| (f32::from((bits >> (16 * i)) as u16) / 32_768.0 - 1.0) * 1.732 * rates::JITTER;
    let (width, height) = (bounds.width(), bounds.height());
    let bounds = ImageBox {
        x0: (bounds.x0 + off(0) * width).max(0.0),
        y0: (bounds.y0 + off(1) * height).max(0.0),
        x1: (bounds.x1 + off(2) * width).min(1.0),
        y1: (bounds.y1 + off(3) * height).min(1.0),
    };
    let score = (seen.score.0 + seen.score.1 * bell(dice.bits())).clamp(rates::SCORE_LEAST, 0.98);
    Detection { class, score, bounds }
}
